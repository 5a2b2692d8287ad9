"""Bounds: on the mean loss over patients, and on the share of patients who are harmed.

Comes in: losses by subject, as arrays. Goes out: upper confidence bounds, one-sided, and how many subjects
would have been needed. Next: `ladder` judges by them; `benchmarks/guarantee` tries them out on
thousands of simulated studies, which is why they take many studies at once.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEAST_FOR_MEAN = 8
"""Subjects; with fewer nothing is said about the mean."""

RESAMPLES = 9999
MOST = 1_000_000
"""Subjects; who needs more than this is told that no number would do."""

_SEED = 20
_NOTHING = 1e-12
"""Of the sample's variance; below it a resample has none."""


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
    return np.where(_flat(losses), np.inf, bounds)


def bootstrap_t_bounds(losses: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Upper bound on each study's mean loss by the studentised bootstrap; `losses` studies × subjects.

    Subjects are drawn with replacement; (mean* − mean) / error* takes the place of Student's t, so that
    skew which the sample shows widens the bound on the side where it matters (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, section 12.5). A resample without spread counts for whatever
    bound is wider. Infinite where all losses of a study are equal.
    """
    n = losses.shape[1]
    mean = losses.mean(axis=1, keepdims=True)
    apart = losses - mean
    variance = (apart**2).mean(axis=1, keepdims=True)
    draws = _draws(n)
    moved = apart @ draws.T / n
    spread = (apart**2) @ draws.T / n - moved**2
    none = spread <= _NOTHING * variance
    ratio = moved / np.sqrt(np.where(none, 1.0, spread) / (n - 1))
    above = moved > math.sqrt(_NOTHING) * np.sqrt(variance)
    ratio = np.where(none, np.where(above, np.inf, -np.inf), ratio)
    rank = max(math.floor((RESAMPLES + 1) * (1 - confidence) + 1e-9), 1)
    low = np.partition(ratio, rank - 1, axis=1)[:, rank - 1]
    flat = _flat(losses)
    bounds = mean[:, 0] - np.where(flat, 0.0, low) * np.sqrt(variance[:, 0] / (n - 1))
    return np.where(flat, np.inf, bounds)


def _flat(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    reach = np.ptp(losses, axis=1)
    return np.asarray(reach <= 1e-9 * np.maximum(1.0, np.abs(losses).max(axis=1)))


def mean_bounds(losses: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """The more careful of the two bounds for each study; `losses` studies × subjects."""
    return np.maximum(t_bounds(losses, confidence), bootstrap_t_bounds(losses, confidence))


def skewness(losses: NDArray[np.float64]) -> float | None:
    """Third standardised moment of one study's losses; above zero where few lost much.

    None for fewer than three subjects or where all losses are equal.
    """
    if len(losses) < 3 or _flat(losses[None])[0]:
        return None
    apart = losses - losses.mean()
    return float((apart**3).mean() / (apart**2).mean() ** 1.5)


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


def subjects_for_mean(
    mean: float, deviation: float, margin: float, confidence: float, power: float = 0.8
) -> int | None:
    """Subjects with whom the t bound would fall below `margin` with probability `power`.

    From the noncentral t distribution, as if `mean` and `deviation` of the losses were the true ones and
    losses normal. None where no number up to `MOST` would do: the mean is not below the margin, or too
    close to it. `deviation` must be above zero.
    """
    gap = margin - mean
    if gap <= 0:
        return None
    from scipy.stats import nct, norm, t

    needed = float((norm.ppf(confidence) + norm.ppf(power)) * deviation / gap) ** 2
    if needed > MOST:
        return None
    n = max(LEAST_FOR_MEAN, math.floor(needed))
    while nct.sf(t.ppf(confidence, n - 1), n - 1, gap / deviation * math.sqrt(n)) < power:
        n += 1
    return n


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
