"""From a patient's sketched hours to a verdict a day: fits, fault, drift, or not enough known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateur.monitoring.drift import FEWEST_HOURS, Day, Verdict, judge
from secateur.monitoring.faults import Fault, faults_of, hour_faults, joined, swapped
from secateur.monitoring.sketch import LEAST_MINUTES, NUMBERS, HourSketch, Usual
from secateur.monitoring.state import Monitor, Patient, SavedRecording

REFERENCE_DAYS = 7
FEWEST_DAYS = 3
"""Days without which a patient is said to be too little known at all."""

Kind = Literal["fits", "fault", "drift", "not enough known"]
KINDS: tuple[Kind, ...] = ("fits", "drift", "fault", "not enough known")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DayReport:
    """What is said of one day.

    `kind`: fault where a rule held, else what `drift` says. `hours`: from the hour of the clock to the ten
    numbers of `NUMBERS`. `seconds`: of signal; `alarms`: the detector's events; `expected`: how many of them
    are true by their own probabilities.
    """

    date: date
    kind: Kind
    faults: tuple[Fault, ...]
    drift: Verdict
    hours: dict[int, Floats]
    seconds: int
    alarms: int
    expected: float


@dataclass(frozen=True)
class PatientReport:
    """A patient's days, faults, and recordings that belong to no day (why, and their faults)."""

    key: str
    days: tuple[DayReport, ...]
    faults: tuple[Fault, ...]
    undated: tuple[tuple[SavedRecording, tuple[Fault, ...]], ...]
    history: History

    @property
    def called(self) -> bool:
        """Whether a fault or drift was called."""
        dated = any(
            day.kind in ("fault", "drift") or day.drift.kind == "drift" for day in self.days
        )
        return dated or any(faults for _, faults in self.undated)

    @property
    def reference(self) -> tuple[date, ...]:
        """The days that all others are compared with."""
        return tuple(day.date for day in self.days if day.drift.reason.startswith("reference day"))[
            :REFERENCE_DAYS
        ]


class History:
    """A patient's hours, compared with what they usually were on the first days.

    Of a first day what is usual is told from the other first days: were it told from itself too, it would
    depart less than any later day does.
    """

    def __init__(self, hours: Sequence[HourSketch]) -> None:
        self.hours = tuple(hours)

    @cached_property
    def _levels(self) -> list[Floats]:
        return [hour.levels() for hour in self.hours]

    @cached_property
    def _related(self) -> list[Floats]:
        return [hour.neighbours() for hour in self.hours]

    @cached_property
    def _comparable(self) -> list[bool]:
        """Hours that were recorded as the first one was, of which enough is known."""
        setup = self.hours[0].setup
        return [hour.setup == setup and hour.minutes >= LEAST_MINUTES for hour in self.hours]

    @cached_property
    def first_days(self) -> tuple[date, ...]:
        """The days that the others are compared with: the first with enough hours."""
        count: dict[date, int] = defaultdict(int)
        for hour, comparable in zip(self.hours, self._comparable, strict=True):
            count[hour.date] += comparable
        known = [day for day in sorted(count) if count[day] >= FEWEST_HOURS]
        return tuple(known[:REFERENCE_DAYS])

    @cached_property
    def _usual(self) -> dict[date | None, Usual | None]:
        """What is usual by all first days (None) and, for each of them, by the others."""
        complete = self._usual_of(self.first_days)
        rest: dict[date | None, Usual | None] = {None: complete}
        for day in self.first_days:
            others = self._usual_of([other for other in self.first_days if other != day])
            rest[day] = others or complete
        return rest

    def _usual_of(self, days: Sequence[date]) -> Usual | None:
        chosen = [
            k for k, hour in enumerate(self.hours) if self._comparable[k] and hour.date in days
        ]
        if not chosen:
            return None
        levels = np.stack([self._levels[k] for k in chosen])
        related = np.stack([self._related[k] for k in chosen])
        return Usual(self.hours[0].setup, _mean(levels), _mean(related))

    def usual(self, day: date | None = None) -> Usual | None:
        """What a day is compared with; None while no day has enough hours. Without a day: what all are."""
        return self._usual.get(day, self._usual[None])

    def departures(self, days: Sequence[date]) -> Floats | None:
        """How far channels lie above what is usual, mean over the hours of `days`: channels × features."""
        usual = self.usual()
        chosen = [
            self._levels[k]
            for k, hour in enumerate(self.hours)
            if self._comparable[k] and hour.date in days
        ]
        if usual is None or not chosen:
            return None
        return _mean(np.stack(chosen)) - usual.levels

    def numbers(self, index: int) -> Floats:
        """The ten numbers of an hour; nan where it can't be compared."""
        hour = self.hours[index]
        usual = self.usual(hour.date)
        if not self._comparable[index] or usual is None or swapped(hour, usual):
            return np.full(len(NUMBERS), np.nan)
        summary = hour.summary(usual)
        return np.array([summary[name] for name in NUMBERS])

    def faults(self) -> list[list[Fault]]:
        """Faults of each hour."""
        setup = self.hours[0].setup
        return [hour_faults(hour, setup, self.usual(hour.date)) for hour in self.hours]


def report(patient: Patient) -> PatientReport:
    """Judge a patient's days."""
    history = History(list(patient.hours()))
    by_hour = history.faults() if history.hours else []
    faults = tuple(joined([fault for each in by_hour for fault in each]))
    indices: dict[date, list[int]] = defaultdict(list)
    for k, hour in enumerate(history.hours):
        indices[hour.date].append(k)
    days = [Day(day, _by_clock(history, indices[day])) for day in sorted(indices)]
    reports = []
    for day, verdict in zip(days, judge(days, REFERENCE_DAYS), strict=True):
        mine = [history.hours[k] for k in indices[day.date]]
        own = tuple(joined([fault for k in indices[day.date] for fault in by_hour[k]]))
        reports.append(
            DayReport(
                day.date,
                "fault" if own else verdict.kind,
                own,
                verdict,
                dict(day.hours),
                sum(hour.seconds for hour in mine),
                sum(hour.alarms for hour in mine),
                sum(hour.expected for hour in mine) / 1000,
            )
        )
    undated = tuple(
        (recording, tuple(_undated_faults(recording, hours)))
        for recording, hours in patient.undated()
    )
    return PatientReport(patient.key, tuple(reports), faults, undated, history)


def reports(monitor: Monitor) -> list[PatientReport]:
    """Judge all patients, and remember up to which day."""
    results = []
    for key in sorted(monitor.patients):
        result = report(monitor.patients[key])
        if result.days:
            monitor.state_judged(key, result.days[-1].date)
        results.append(result)
    return results


def _by_clock(history: History, indices: Sequence[int]) -> dict[int, Floats]:
    """The numbers of a day's hours; of two sketches of one hour the longer counts."""
    longest: dict[int, int] = {}
    for k in indices:
        hour = history.hours[k]
        before = longest.get(hour.hour)
        if before is None or hour.minutes > history.hours[before].minutes:
            longest[hour.hour] = k
    return {hour: history.numbers(k) for hour, k in sorted(longest.items())}


def _undated_faults(recording: SavedRecording, hours: Sequence[HourSketch]) -> list[Fault]:
    """Faults of a recording that belongs to no day, in seconds from its beginning."""
    begin = int(recording.begin or 0)
    return [
        Fault(
            fault.kind,
            fault.channel,
            fault.begin - begin,
            fault.end - begin,
            fault.minutes,
            recording.name,
            fault.detail,
        )
        for fault in faults_of(hours)
    ]


def _mean(values: Floats) -> Floats:
    """The mean over the first axis of what is known; nan where nothing is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan))


def when(seconds: int, *, dated: bool = True) -> str:
    """Seconds since 1970-01-01 00:00 as date and time; of an undated recording from its beginning."""
    if dated:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
