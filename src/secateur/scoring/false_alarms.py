"""Alarms where there is no seizure: how many a day, and how well that is known from the hours there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from secateur.scoring.intervals import Interval, mean_interval

CONFIDENCE = 0.95
HOURS_A_DAY = 24.0
_WORST = 5
"""People named, those with the most alarms a day."""


@dataclass(frozen=True)
class FalseAlarms:
    """Alarms counted in `hours` of EEG without seizures; they are taken to come as a Poisson process."""

    alarms: int
    hours: float

    def __add__(self, other: FalseAlarms) -> FalseAlarms:
        return FalseAlarms(self.alarms + other.alarms, self.hours + other.hours)

    @property
    def per_day(self) -> float | None:
        """Alarms in 24 h; None where nothing was looked at."""
        return self._a_day(self.alarms)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The exact two-sided 95 % interval of the rate a day (Garwood, Biometrika 28, 1936)."""
        tail = (1 - CONFIDENCE) / 2
        lower, upper = self._a_day(self._least(tail)), self._a_day(self._most(tail))
        return None if lower is None or upper is None else (lower, upper)

    @property
    def limit(self) -> float | None:
        """The rate a day that is not exceeded, one-sided, at 95 % confidence."""
        return self._a_day(self._most(1 - CONFIDENCE))

    @property
    def words(self) -> str:
        """As a sentence: `none in 0.8 h: at most 89.9 a day`."""
        if self.limit is None or self.per_day is None:
            return "no EEG without seizures"
        count = "none" if self.alarms == 0 else str(self.alarms)
        rate = "" if self.alarms == 0 else f"{self.per_day:.3g} a day, "
        return f"{count} in {self.hours:.3g} h: {rate}at most {self.limit:.3g} a day"

    def as_dict(self) -> dict[str, float | int | list[float] | str | None]:
        """The numbers under the names that JSON has."""
        return {
            "alarms": self.alarms,
            "hours": self.hours,
            "per_day": self.per_day,
            "interval": None if self.interval is None else list(self.interval),
            "limit": self.limit,
            "words": self.words,
        }

    def _a_day(self, count: float) -> float | None:
        return count * HOURS_A_DAY / self.hours if self.hours > 0 else None

    def _least(self, tail: float) -> float:
        from scipy.stats import chi2  # loaded when a limit is asked for: it takes a second

        return float(chi2.ppf(tail, 2 * self.alarms)) / 2 if self.alarms else 0.0

    def _most(self, tail: float) -> float:
        from scipy.stats import chi2

        return float(chi2.isf(tail, 2 * self.alarms + 2)) / 2


def worst_subjects(by_subject: Mapping[str, FalseAlarms]) -> dict[str, FalseAlarms]:
    """The five with the most alarms a day, of those with any; the most first."""
    rates = {name: own.per_day or 0.0 for name, own in by_subject.items() if own.alarms}
    worst = sorted(rates, key=lambda name: (-rates[name], name))[:_WORST]
    return {name: by_subject[name] for name in worst}


@dataclass(frozen=True)
class AlarmCost:
    """False alarms a day of one model minus another's, paired by person.

    `per_day`: unweighted mean over so many `people`, with its 95 % `interval` (None below five people). `p`:
    that the total would be as much larger by chance, were alarms a Poisson process of one rate for both
    (exact conditional test, one-sided); None where no totals are known.
    """

    per_day: float
    interval: Interval | None
    people: int
    p: float | None

    @property
    def is_shown(self) -> bool:
        """Whether there are more, by the interval over people, or by `p` where people are too few for one."""
        if self.interval is not None:
            return self.interval[0] > 0
        return self.p is not None and self.p < 1 - CONFIDENCE

    @property
    def words(self) -> str:
        """As part of a sentence: `+12 a day by person (3.1 to 22, 9 people)`."""
        people = f"{self.people} {'person' if self.people == 1 else 'people'}"
        if self.interval is None:
            chance = "" if self.p is None else f"; p {self.p:.2g} by the totals"
            sure = f"{people}, too few for an interval{chance}"
        else:
            low, high = self.interval
            sure = f"{low:.3g} to {high:.3g}, {people}"
        return f"{self.per_day:+.3g} a day by person ({sure})"


def alarm_cost(
    ours: Mapping[str, FalseAlarms], theirs: Mapping[str, FalseAlarms], runs: int = 1
) -> AlarmCost | None:
    """What `ours` costs more than `theirs`; by person, looked at for as long by both. None without hours.

    `runs`: over how many runs alarms and hours were summed; of one EEG they count as one for `p`.
    """
    each = [
        HOURS_A_DAY * (counted.alarms - theirs[name].alarms) / counted.hours
        for name, counted in ours.items()
        if counted.hours > 0
    ]
    if not each:
        return None
    more, fewer = (
        round(sum(person.alarms for person in side.values()) / runs) for side in (ours, theirs)
    )
    return AlarmCost(sum(each) / len(each), mean_interval(each), len(each), _by_chance(more, fewer))


def rate_cost(ours: Mapping[str, float], theirs: Mapping[str, float]) -> AlarmCost | None:
    """The same from rates a day of each person; None where there is nobody."""
    each = [rate - theirs[name] for name, rate in ours.items() if name in theirs]
    if not each:
        return None
    return AlarmCost(sum(each) / len(each), mean_interval(each), len(each), None)


def _by_chance(more: int, fewer: int) -> float:
    """Of so many alarms as both have, that `more` or more fall to one side, each side being as likely."""
    from scipy.stats import binom

    return float(binom.sf(more - 1, more + fewer, 0.5))
