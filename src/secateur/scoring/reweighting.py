"""Scores of windows under many sets of weights at once, alike within subjects or recordings, as a bootstrap
needs them. Their cost is that of the ictal windows times replicates, not of all windows times replicates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.metrics import METRICS, window_metrics
from secateur.scoring.windows import Confusion, WindowScores

Floats = NDArray[np.float64]
_LEVELS = 512
"""Distinct probabilities that are worked on at once: a few MiB for 1,000 replicates."""


@dataclass(frozen=True)
class Reweighted:
    """One replicate: what a metric of windows is computed from."""

    confusion: Confusion
    auroc: float | None
    auprc: float | None
    brier: float | None


def replicated(
    scores: WindowScores, unit: NDArray[np.int64], counts: NDArray[np.int64]
) -> list[dict[str, float | None]]:
    """Every metric of windows, for each of some replicates.

    `unit`: of each window, as `scores` was made of them, shape (n,). `counts`: how often each unit counts in
    each replicate, replicates × units. The same as `scores.all` with each window's count for a weight.
    """
    counted = _Counted.of(scores, unit, counts)
    cells = counted.confusion()
    ictal, background = cells[:, 0] + cells[:, 2], cells[:, 1] + cells[:, 3]
    area, precision = counted.areas(background)
    errors, total = counted.squared_errors(), ictal + background
    replicates = []
    for k in range(len(counts)):
        both = ictal[k] > 0 and background[k] > 0
        tp, fp, fn, tn = cells[k].tolist()
        replicate = Reweighted(
            Confusion(tp=tp, fp=fp, fn=fn, tn=tn),
            float(area[k] / (ictal[k] * background[k])) if both else None,
            float(precision[k] / ictal[k]) if both else None,
            float(errors[k] / total[k]) if total[k] > 0 else None,
        )
        replicates.append({key: METRICS[key].measure(replicate) for key in window_metrics()})
    return replicates


@dataclass(frozen=True)
class _Counted:
    """Windows in falling order of probability, with the unit of each. `weights`: units × replicates."""

    truth: NDArray[np.bool_]
    probability: Floats
    unit: NDArray[np.int64]
    weights: Floats
    threshold: float

    @classmethod
    def of(
        cls, scores: WindowScores, unit: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> _Counted:
        weights: Floats = np.array(counts.T, dtype=np.float64, order="C")
        return cls(
            scores.truth, scores.probability, scores.ordered(unit), weights, scores.threshold
        )

    def _in_bins(self, bins: NDArray[np.int64], number: int, first: int, last: int) -> Floats:
        """Weights of the windows from `first` to before `last` by bin: bins × replicates.

        `bins`: of each of these windows.
        """
        units = len(self.weights)
        cells = np.bincount(bins * units + self.unit[first:last], minlength=number * units)
        return cells.reshape(number, units).astype(np.float64) @ self.weights

    def confusion(self) -> Floats:
        """Weights of true and false positives, of misses and of true negatives: replicates × 4."""
        missed = self.probability < self.threshold
        cell = 2 * missed.astype(np.int64) + ~self.truth
        return self._in_bins(cell, 4, 0, len(cell)).T

    def squared_errors(self) -> Floats:
        """The sum of squared differences between probability and truth, of each replicate."""
        squares = (self.probability - self.truth) ** 2
        return np.bincount(self.unit, squares, minlength=len(self.weights)) @ self.weights

    def areas(self, background: Floats) -> tuple[Floats, Floats]:
        """Of each replicate: area under true over false positives; precision summed over true positives.

        Both change at the probabilities of ictal windows alone; background windows in between are counted
        together. `background`: the weight of all of them.
        """
        shape = self.weights.shape[1]
        area, precision, true, false = (np.zeros(shape) for _ in range(4))
        for first, last, bins, levels in self._blocks():
            weights = self._in_bins(bins, 3 * levels, first, last).reshape(levels, 3, shape)
            above, tied, hits = weights[:, 0], weights[:, 1], weights[:, 2]
            before = false + np.cumsum(above + tied, axis=0) - tied
            caught = true + np.cumsum(hits, axis=0)
            area += (hits * (background - before - tied / 2)).sum(axis=0)
            called = np.maximum(caught + before + tied, 1e-300)
            precision += (hits * caught / called).sum(axis=0)
            true, false = caught[-1], (before + tied)[-1]
        return area, precision

    def _blocks(self) -> Iterator[tuple[int, int, NDArray[np.int64], int]]:
        """Levels (probabilities of ictal windows), some at once: the first of their windows and the one after
        the last, each window's bin, and how many levels.

        Bins, three of each level: background above it and below the last level, background at it, ictal.
        """
        if not self.truth.any():
            return
        starts = np.flatnonzero(np.append(True, np.diff(self.probability) != 0))
        ends = np.append(starts[1:], len(self.truth))
        ictal = np.add.reduceat(self.truth, starts, dtype=np.int64) > 0
        starts, ends = starts[ictal], ends[ictal]
        edges = np.stack((np.append(0, ends[:-1]), starts, ends), axis=1)
        for begin in range(0, len(edges), _LEVELS):
            block = edges[begin : begin + _LEVELS]
            first, last = int(block[0, 0]), int(block[-1, 2])
            part = np.repeat(np.arange(2 * len(block)), np.diff(block, axis=1).ravel())
            kind = np.where(self.truth[first:last], 2, part % 2)
            yield first, last, 3 * (part // 2) + kind, len(block)
