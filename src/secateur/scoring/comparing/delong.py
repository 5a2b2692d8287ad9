"""Two AUROCs on the same windows, for readers who expect DeLong's test."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ScoringError
from secateur.scoring.intervals import LEVEL, Interval

TOO_NARROW = "too narrow: windows are not independent"


@dataclass(frozen=True)
class DeLong:
    """AUROC of ours and theirs, the difference with 95 % interval and two-sided p.

    `interval` and `p` are None where the variance is zero. `label`: always stands beside the numbers.
    """

    ours: float
    theirs: float
    difference: float
    interval: Interval | None
    p: float | None
    label: str = TOO_NARROW


def delong(
    truth: NDArray[np.bool_],
    ours: NDArray[np.floating],
    theirs: NDArray[np.floating],
    overlap: bool,
) -> DeLong:
    """DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; placements by ranks (Sun and Xu, 2014).

    All of shape (windows,). `overlap`: whether windows share samples. Raises `ScoringError` where they do,
    for a class with fewer than two windows, different lengths, or scores that are no numbers.
    """
    labels = np.asarray(truth, dtype=np.bool_)
    _check(labels, ours, theirs, overlap)
    ill, well = zip(*(_placements(labels, score) for score in (ours, theirs)), strict=True)
    mine, other = (float(values.mean()) for values in ill)
    spread = np.cov(ill[0] - ill[1]) / labels.sum() + np.cov(well[0] - well[1]) / (~labels).sum()
    error = math.sqrt(max(float(spread), 0.0))
    if error <= 1e-12:
        return DeLong(mine, other, mine - other, None, None)
    from scipy.special import ndtr, ndtri

    reach = float(ndtri((1 + LEVEL) / 2)) * error
    difference = mine - other
    p = 2 * float(ndtr(-abs(difference) / error))
    return DeLong(mine, other, difference, (difference - reach, difference + reach), p)


def _check(
    truth: NDArray[np.bool_],
    ours: NDArray[np.floating],
    theirs: NDArray[np.floating],
    overlap: bool,
) -> None:
    if overlap:
        raise ScoringError(
            "DeLong's test on windows that overlap: they share samples; thin them to every "
            "window length, or compare over folds"
        )
    if truth.ndim != 1 or truth.shape != np.shape(ours) or truth.shape != np.shape(theirs):
        raise ScoringError(
            f"DeLong's test wants one truth and two scores a window, got {truth.shape}, "
            f"{np.shape(ours)} and {np.shape(theirs)}"
        )
    if min(truth.sum(), (~truth).sum()) < 2:
        raise ScoringError(
            f"DeLong's test wants two windows of each class or more, got {truth.sum()} ictal and "
            f"{(~truth).sum()} others"
        )
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ScoringError("DeLong's test: a score is no finite number; leave such windows out")


def _placements(
    truth: NDArray[np.bool_], score: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the other class on the right side of each ictal window, and of each other window."""
    from scipy.stats import rankdata

    ranks = rankdata(score)
    ill, well = ranks[truth], ranks[~truth]
    above = (ill - rankdata(score[truth])) / len(well)
    below = 1 - (well - rankdata(score[~truth])) / len(ill)
    return np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
