"""Bounds: on the mean loss over patients, and on the share of patients who are harmed.

All take many studies at once: `benchmarks/guarantee` calibrates them, and tries them out, on thousands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEAST_FOR_MEAN = 8
"""Subjects; with fewer nothing is said about the mean."""

MOST = 1_000_000
"""Subjects; who needs more than this is told that no number would do."""

RESAMPLES = 9999
_SEED = 20
_NOTHING = 1e-12
"""Of the sample's variance; below it a resample has none."""


@dataclass(frozen=True)
class MeanEstimate:
    """The mean loss of many studies and what its error is made of, each of shape (studies,).

    `between`: variance of the mean by the spread of subjects' averages. `luck`: variance of one fold's pair
    of trainings; `shared`: how much of it the mean's variance has beyond `between`. `total`: variance of a
    loss in one repeat. `flat`: subjects' averages are equal, so that their spread has not been seen.
    """

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    luck: NDArray[np.float64]
    shared: float
    total: NDArray[np.float64]
    flat: NDArray[np.bool_]

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard error of the mean over patients and trainings."""
        return np.sqrt(self.between + self.shared * self.luck)

    @property
    def training_share(self) -> NDArray[np.float64]:
        """Share of a loss's variance that is luck of training: the intraclass correlation of a fold."""
        return np.minimum(self.luck / np.where(self.flat, 1.0, self.total), 1.0)

    def bounds(self, critical: float) -> NDArray[np.float64]:
        """Upper bounds on the mean, so many standard errors above it; infinite where losses are flat."""
        return np.where(self.flat, np.inf, self.mean + critical * self.error)


def estimate_mean(
    losses: NDArray[np.float64], folds: NDArray[np.int64] | None = None
) -> MeanEstimate:
    """Mean loss of each study with the error that subjects, folds and trainings give it.

    `losses`: studies × repeats × subjects. `folds`: repeats × subjects, the fold that judged each; None where
    one file judged everybody. A loss is taken as mean + subject + training of its fold + rest, crossed and
    random; components by moments (Henderson, Biometrics 9, 1953). Two subjects judged in one fold share its
    luck; with the share p of pairs that do, over R repeats, the mean's variance is
    var(subjects' averages) / n + p / R · luck. Luck is the mean product over such pairs: of what is left when
    each subject's own average is taken away, or, with one repeat, against pairs of different folds; negative
    estimates count as zero.
    """
    repeats, n = losses.shape[1:]
    averages = losses.mean(axis=1)
    mean = averages.mean(axis=1)
    between = averages.var(axis=1, ddof=1) / n
    total = losses.var(axis=2, ddof=1).mean(axis=1)
    flat = is_flat(averages)
    same = _same_fold(folds, repeats, n)
    pairs = float(same.sum())
    if folds is None or pairs == 0:
        return MeanEstimate(mean, between, np.zeros_like(mean), 0.0, total, flat)
    centre = averages[:, None, :] if repeats > 1 else mean[:, None, None]
    rest = losses - centre
    products = np.zeros_like(mean)
    for number, row in enumerate(folds):
        sums = rest[:, number] @ np.eye(int(row.max()) + 1)[row]
        products += (sums**2).sum(axis=1) - (rest[:, number] ** 2).sum(axis=1)
    if repeats > 1:
        others = same.sum(axis=0)[None] - same
        luck = products / (same * ((1 - 1 / repeats) ** 2 + others / repeats**2)).sum()
    else:
        every = rest[:, 0].sum(axis=1) ** 2 - (rest[:, 0] ** 2).sum(axis=1)
        luck = products / pairs - (every - products) / max(n * (n - 1) - pairs, 1.0)
    shared = pairs / (repeats * n * (n - 1)) / repeats
    return MeanEstimate(mean, between, np.maximum(luck, 0.0), shared, total, flat)


def _same_fold(folds: NDArray[np.int64] | None, repeats: int, n: int) -> NDArray[np.float64]:
    """Which two subjects one fold judged, by repeat: repeats × subjects × subjects, none with itself."""
    if folds is None:
        return np.zeros((repeats, n, n))
    same = np.equal(folds[:, :, None], folds[:, None, :]).astype(np.float64)
    same[:, np.arange(n), np.arange(n)] = 0.0
    return same


@lru_cache(maxsize=2)
def _draws(n: int) -> NDArray[np.float64]:
    """How often each of `n` subjects is drawn in each resample, `RESAMPLES` × n.

    Always the same: a certificate must come out alike wherever it is recomputed. PCG64's raw stream is
    one that NumPy promises never to change, its generators' methods are not; the bias of the remainder
    is below n / 2⁶⁴.
    """
    raw = np.random.PCG64(_SEED).random_raw(RESAMPLES * n)
    drawn = (raw % np.uint64(n)).astype(np.int64) + n * np.repeat(np.arange(RESAMPLES), n)
    counts = np.bincount(drawn, minlength=RESAMPLES * n)
    return counts.reshape(RESAMPLES, n).astype(np.float64)


def t_bounds(losses: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Upper bound on each study's mean loss by Student's t; `losses` studies × subjects.

    Exact where subjects' losses are normal. Infinite where all losses of a study are equal: then their
    spread has not been seen, and nothing follows about patients to come.
    """
    from scipy.stats import t  # slow to import, and who only detects never needs it

    n = losses.shape[1]
    error = np.sqrt(losses.var(axis=1, ddof=1) / n)
    bounds = losses.mean(axis=1) + float(t.ppf(confidence, n - 1)) * error
    return np.where(is_flat(losses), np.inf, bounds)


def bootstrap_t_bounds(losses: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Upper bound on each study's mean loss by the studentised bootstrap; `losses` studies × subjects.

    Subjects are drawn with replacement; (mean* − mean) / error* takes the place of Student's t, so that
    skew which the sample shows widens the bound on the side where it matters (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, section 12.5). A resample without spread counts for whatever
    bound is wider. Infinite where all losses of a study are equal.
    """
    n = losses.shape[1]
    mean = losses.mean(axis=1, keepdims=True)
    deviations = losses - mean
    variance = (deviations**2).mean(axis=1, keepdims=True)
    draws = _draws(n)
    moved = deviations @ draws.T / n
    spread = (deviations**2) @ draws.T / n - moved**2
    none = spread <= _NOTHING * variance
    ratio = moved / np.sqrt(np.where(none, 1.0, spread) / (n - 1))
    above = moved > math.sqrt(_NOTHING) * np.sqrt(variance)
    ratio = np.where(none, np.where(above, np.inf, -np.inf), ratio)
    rank = max(math.floor((RESAMPLES + 1) * (1 - confidence) + 1e-9), 1)
    low = np.partition(ratio, rank - 1, axis=1)[:, rank - 1]
    flat = is_flat(losses)
    bounds = mean[:, 0] - np.where(flat, 0.0, low) * np.sqrt(variance[:, 0] / (n - 1))
    return np.where(flat, np.inf, bounds)


def is_flat(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether all losses of a study are equal, but for rounding; `losses` studies × subjects."""
    reach = np.ptp(losses, axis=1)
    return np.asarray(reach <= 1e-9 * np.maximum(1.0, np.abs(losses).max(axis=1)))


def skewness(losses: NDArray[np.float64]) -> float | None:
    """Third standardised moment of one study's losses; above zero where few lost much.

    None for fewer than three subjects or where all losses are equal.
    """
    if len(losses) < 3 or is_flat(losses[None])[0]:
        return None
    centred = losses - losses.mean()
    return float((centred**3).mean() / (centred**2).mean() ** 1.5)


def is_harmed(losses: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
    """Whose loss exceeds the margin; by a rounding error is not exceeding."""
    return np.asarray(losses > margin + 1e-9)


def harmed_bound(harmed: int, n: int, confidence: float) -> float:
    """Upper bound on the share of patients harmed, `harmed` of `n` having been.

    Clopper and Pearson, Biometrika 26, 1934; one-sided, exact at every n. With nobody harmed it is
    1 − (1 − confidence)^(1/n), and no design can say better. With no subjects it is 1.
    """
    if harmed >= n:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(confidence, harmed + 1, n - harmed))


def subjects_for_share(share: float, allowed: float, confidence: float) -> int | None:
    """Fewest subjects whose exact bound is at most `allowed` while `share` of them are harmed.

    With `share` 0 that is log(1 − confidence) / log(1 − allowed), rounded up. None where no number
    up to `MOST` would do.
    """
    if share >= allowed:
        return None
    from scipy.stats import beta

    first, step = 1, 1024
    while first <= MOST:
        sizes = np.arange(first, first + step)
        harmed = np.ceil(share * sizes - 1e-9)
        enough = beta.ppf(confidence, harmed + 1, np.maximum(sizes - harmed, 1e-9)) <= allowed
        if enough.any():
            return int(sizes[np.argmax(enough)])
        first, step = first + step, step * 2
    return None
