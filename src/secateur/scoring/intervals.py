"""How sure the numbers are: 95 % bootstrap intervals over people, or over recordings where people are few.

Windows of one person are not independent, so windows are never resampled by themselves: subjects are, where
there are five or more; else recordings, and then the interval speaks about these subjects only and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.metrics import window_metrics
from secateur.scoring.reweighting import replicated
from secateur.scoring.windows import WindowScores

LEAST_SUBJECTS = 5
REPLICATES = 1000
LEVEL = 0.95

Names = NDArray[np.str_] | NDArray[np.integer]
Interval = tuple[float, float]
Scores = dict[str, float | None]


def minus(value: float | None, other: float | None) -> float | None:
    """Their difference; None where one is not defined."""
    return None if value is None or other is None else value - other


@dataclass(frozen=True)
class Resampling:
    """What is drawn with replacement. `counts`: replicates × units; `unit`: index for each window."""

    over: str
    unit: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def label(self) -> str:
        """What the intervals speak about, in words."""
        if self.over == "subjects":
            return "95 %, bootstrap over subjects"
        return "95 %, bootstrap over recordings: these subjects only"


def resampling(subjects: Names, recordings: Names, seed: int = 0) -> Resampling:
    """Choose the unit and draw the replicates. Both arrays: one label or number for each window."""
    over_subjects = len(np.unique(subjects)) >= LEAST_SUBJECTS
    labels = subjects if over_subjects else recordings
    names, unit = np.unique(labels, return_inverse=True)
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPLICATES)
    return Resampling("subjects" if over_subjects else "recordings", unit, counts)


def pooled_replicates(scores: WindowScores, plan: Resampling) -> list[Scores]:
    """Every metric over all windows together, once for each replicate."""
    return replicated(scores, plan.unit, plan.counts)


def interval(values: Sequence[float | None]) -> Interval | None:
    """Middle 95 % of the replicates; None where more than one in ten is not defined."""
    known = [value for value in values if value is not None]
    if len(known) < 0.9 * len(values) or not known:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def intervals(replicates: Sequence[Scores]) -> dict[str, Interval | None]:
    """An interval for each metric."""
    return {
        name: interval([replicate[name] for replicate in replicates]) for name in window_metrics()
    }


def paired_intervals(
    ours: Sequence[Scores], theirs: Sequence[Scores]
) -> dict[str, Interval | None]:
    """Intervals of `ours` minus `theirs`, replicate by replicate: both must come of one plan."""
    by_metric: dict[str, Interval | None] = {}
    for name in window_metrics():
        differences: list[float | None] = []
        for mine, other in zip(ours, theirs, strict=True):
            a, b = mine[name], other[name]
            differences.append(None if a is None or b is None else a - b)
        by_metric[name] = interval(differences)
    return by_metric


def mean_interval(values: Sequence[float | None], seed: int = 0) -> Interval | None:
    """Interval of an unweighted mean over subjects, one value each; None for fewer than five."""
    known = np.array([value for value in values if value is not None])
    if len(known) < LEAST_SUBJECTS:
        return None
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(known), size=(REPLICATES, len(known)))
    return interval(list(known[draws].mean(axis=1)))


def mean_over(
    groups: NDArray[np.str_], score: Callable[[NDArray[np.bool_]], Scores]
) -> tuple[Scores, dict[str, Scores]]:
    """Unweighted mean of `score` over groups of windows (`means_of`), and the score of each group."""
    each = {str(name): score(groups == name) for name in np.unique(groups)}
    return means_of(each), each


def means_of(each: Mapping[str, Scores]) -> Scores:
    """The unweighted mean of every metric of windows over groups, such as subjects.

    A group for which a metric is not defined (a subject without a seizure has no AUROC) is left out of
    that metric's mean.
    """
    means: Scores = {}
    for metric in window_metrics():
        known = [scores[metric] for scores in each.values()]
        defined = [value for value in known if value is not None]
        means[metric] = float(np.mean(defined)) if defined else None
    return means
