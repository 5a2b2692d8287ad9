"""Sensitivity by event over false alarms a day while a detector's threshold moves (FROC)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secateur.events import Events
from secateur.scoring.events import Score, compare_events
from secateur.scoring.false_alarms import HOURS_A_DAY, FalseAlarms

_RANKS = 24
"""Thresholds taken from the background of one data set, from its highest probabilities down."""
_QUANTILES = 16
"""Thresholds taken from the probabilities inside seizures."""
_STEPS = 10**7
"""Thresholds are multiples of one part in so many, which is short in files."""
_TOLERANCE = 1e-9

Floats = NDArray[np.float64]
KnownCounts = dict[tuple[tuple[float, float], ...], Score]
"""Counts by event, by onset and duration of each event of a hypothesis."""


@dataclass(frozen=True)
class SweptRecording:
    """One recording whose events are made anew at each threshold.

    `data`: its data set; `hours`: outside seizures. `events_at`: the hypothesis at a threshold; `highest`: at
    thresholds above it there is no event. `known`: counts by the times of events, whatever rules made them.
    """

    data: str
    reference: Events
    hours: float
    events_at: Callable[[float], Events]
    highest: float
    known: KnownCounts = field(default_factory=dict, compare=False)

    def scores(self, thresholds: Sequence[float]) -> list[Score]:
        """Counts by event at each of `thresholds`; the same events are counted once."""
        silent = Events((), self.reference.duration)
        return [
            self._score(self.events_at(threshold) if threshold <= self.highest else silent)
            for threshold in thresholds
        ]

    def _score(self, events: Events) -> Score:
        times = tuple((event.onset, event.duration) for event in events)
        if times not in self.known:
            self.known[times] = compare_events(self.reference, events)
        return self.known[times]


@dataclass(frozen=True)
class OperatingPoint:
    """What a detector does at one threshold: seizures found of those there are, and false alarms."""

    threshold: float
    tp: int
    seizures: int
    alarms: FalseAlarms

    @property
    def sensitivity(self) -> float | None:
        """Share of seizures that were found; None where there is none."""
        return self.tp / self.seizures if self.seizures else None


@dataclass(frozen=True)
class Froc:
    """Counts by event at rising `thresholds`.

    `tp`: of so many `seizures`, in all data sets together, at each threshold. `alarms`: outside seizures,
    by data set; `hours`: outside seizures, by data set.
    """

    thresholds: tuple[float, ...]
    tp: tuple[int, ...]
    seizures: int
    alarms: Mapping[str, tuple[int, ...]]
    hours: Mapping[str, float]

    def points(self, data: str | None = None) -> tuple[OperatingPoint, ...]:
        """A point a threshold with the false alarms of one data set, or of all together (None)."""
        names = list(self.alarms) if data is None else [data]
        hours = sum(self.hours[name] for name in names)
        return tuple(
            OperatingPoint(
                threshold,
                tp,
                self.seizures,
                FalseAlarms(sum(self.alarms[name][k] for name in names), hours),
            )
            for k, (threshold, tp) in enumerate(zip(self.thresholds, self.tp, strict=True))
        )

    def thinned(self, keep: Sequence[float] = ()) -> Froc:
        """Without points whose two neighbours have the same counts; thresholds in `keep` stay."""
        counts = list(zip(self.tp, *self.alarms.values(), strict=True))
        last = len(counts) - 1
        kept = [
            k
            for k, count in enumerate(counts)
            if k in (0, last)
            or self.thresholds[k] in keep
            or not count == counts[k - 1] == counts[k + 1]
        ]
        return Froc(
            tuple(self.thresholds[k] for k in kept),
            tuple(self.tp[k] for k in kept),
            self.seizures,
            {name: tuple(values[k] for k in kept) for name, values in self.alarms.items()},
            self.hours,
        )


def sweep(recordings: Sequence[SweptRecording], thresholds: Sequence[float]) -> Froc:
    """Counts of all `recordings` at each threshold."""
    ordered = sorted(set(thresholds))
    names = list(dict.fromkeys(each.data for each in recordings))
    tp, alarms = [0] * len(ordered), {name: [0] * len(ordered) for name in names}
    hours, seizures = dict.fromkeys(names, 0.0), 0
    for each in recordings:
        hours[each.data] += each.hours
        scores = each.scores(ordered)
        seizures += scores[0].ref if scores else 0
        for k, score in enumerate(scores):
            tp[k] += score.tp
            alarms[each.data][k] += score.fp
    return Froc(
        tuple(ordered),
        tuple(tp),
        seizures,
        {name: tuple(values) for name, values in alarms.items()},
        hours,
    )


def thresholds_for(ictal: Floats, background: Sequence[Floats], own: float) -> list[float]:
    """Thresholds at which a FROC curve is looked at, rising; 0 and `own` among them.

    Few in place of all: of each data set's `background` those at which 1, 2, 3, 4, 6, … of its windows are
    called and the one that calls none, and even quantiles of the probabilities inside seizures, `ictal`.
    """
    thresholds: list[Floats] = []
    for values in background:
        if len(values):
            ranks = np.unique(np.geomspace(1, len(values), _RANKS).astype(np.int64))
            highest = np.sort(values)[::-1]
            thresholds += [highest[ranks - 1], highest[:1] + 1 / _STEPS]
    if len(ictal):
        thresholds.append(np.quantile(ictal, np.linspace(0, 1, _QUANTILES)))
    joined = np.concatenate(thresholds) if thresholds else np.empty(0)
    # downwards, so that a window on which a threshold was put is called
    rounded = np.clip(np.floor(joined * _STEPS) / _STEPS, 0.0, 1.0)
    return sorted({0.0, float(own), *rounded.tolist()})


def hull(points: Sequence[OperatingPoint]) -> list[OperatingPoint]:
    """The points that no other one beats: with more false alarms each finds more; the fewest alarms first.

    A curve of events is not monotone by itself: at a lower threshold two alarms may become one. Its points
    are the best in hindsight, so they flatter where a threshold must be chosen beforehand.
    """
    best: list[OperatingPoint] = []
    for point in sorted(points, key=lambda p: (p.alarms.alarms, -p.tp, -p.threshold)):
        if not best or point.tp > best[-1].tp:
            best.append(point)
    return best


def within(points: Sequence[OperatingPoint], per_day: float) -> OperatingPoint | None:
    """The point that finds most with at most `per_day` false alarms a day; None where none has so few."""
    fitting = [
        point for point in hull(points) if (point.alarms.per_day or 0.0) <= per_day + _TOLERANCE
    ]
    return fitting[-1] if fitting else None


def mean_sensitivity(points: Sequence[OperatingPoint], most: int) -> float:
    """Area under the hull: the mean of the sensitivities with at most 0, 1, … `most` false alarms."""
    best = hull(points)
    sensitivities = [
        max(
            (point.sensitivity or 0.0 for point in best if point.alarms.alarms <= count),
            default=0.0,
        )
        for count in range(most + 1)
    ]
    return sum(sensitivities) / len(sensitivities)


@dataclass(frozen=True)
class CurveSpread:
    """Sensitivities of several runs at one rate of false alarms a day, or below."""

    per_day: float
    mean: float
    lowest: float
    highest: float


def spread_over(
    curves: Sequence[Sequence[OperatingPoint]], rates: Sequence[float]
) -> list[CurveSpread]:
    """At each of `rates` what the hulls of `curves`, each of one run with seizures, find.

    A run in which no threshold has so few alarms finds nothing: above all probabilities nothing is called.
    """
    spreads = []
    for rate in rates:
        points = [within(curve, rate) for curve in curves]
        tp = [(point.sensitivity or 0.0) if point is not None else 0.0 for point in points]
        spreads.append(CurveSpread(rate, sum(tp) / len(tp), min(tp), max(tp)))
    return spreads


def countable_rates(hours: float, rates: Sequence[float]) -> list[float]:
    """Those of `rates` a day at which so many hours hold at least one alarm."""
    return [rate for rate in rates if rate * hours >= HOURS_A_DAY - _TOLERANCE]
