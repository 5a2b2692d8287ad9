"""Means over folds whose training sets overlap.

Folds of one data set share most of their training subjects, so their scores are no independent sample: a
plain t test finds differences that aren't there. The variance of the mean is raised from s²/n to
s² (1/n + n_test/n_train), after Nadeau and Bengio, Machine Learning 52, 2003; for repeated folds Bouckaert
and Frank, PAKDD 2004. The correction is a rule of thumb: no unbiased estimate of that variance exists
(Bengio and Grandvalet, Journal of Machine Learning Research 5, 2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ScoringError
from secateur.scoring.intervals import LEVEL, Interval

POWER = 0.8
_NOTHING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error (above zero) and the degrees of freedom of Student's t."""

    mean: float
    error: float
    freedom: float

    def interval(self) -> Interval:
        """Two-sided, 95 %."""
        reach = self._quantile((1 + LEVEL) / 2) * self.error
        return self.mean - reach, self.mean + reach

    def p(self) -> float:
        """Two-sided, against a true mean of zero."""
        from scipy.special import stdtr

        return 2 * float(stdtr(self.freedom, -abs(self.mean) / self.error))

    def p_above(self, edge: float) -> float:
        """One-sided: the chance of so high a mean where the true one is `edge`."""
        from scipy.special import stdtr

        return float(stdtr(self.freedom, (edge - self.mean) / self.error))

    def p_below(self, edge: float) -> float:
        """One-sided: the chance of so low a mean where the true one is `edge`."""
        return 1 - self.p_above(edge)

    def lower(self) -> float:
        """One-sided lower bound, 95 %."""
        return self.mean - self._quantile(LEVEL) * self.error

    def upper(self) -> float:
        """One-sided upper bound, 95 %."""
        return self.mean + self._quantile(LEVEL) * self.error

    def detectable(self) -> float:
        """Smallest true difference found at 5 % two-sided with a power of 80 %, by the noncentral t."""
        from scipy.special import nctdtrinc

        edge = self._quantile((1 + LEVEL) / 2)
        return float(nctdtrinc(self.freedom, 1 - POWER, edge)) * self.error

    def _quantile(self, level: float) -> float:
        from scipy.stats import t  # slow to import, and who only detects never needs it

        return float(t.ppf(level, self.freedom))


def corrected_errors(values: NDArray[np.float64], test_over_training: float) -> NDArray[np.float64]:
    """Standard error of each mean over the last axis of `values`, … × folds, two folds or more."""
    folds = values.shape[-1]
    return np.asarray(np.sqrt((1 / folds + test_over_training) * values.var(axis=-1, ddof=1)))


def over_folds(values: Sequence[float], test_over_training: float | None) -> Estimate | None:
    """One value a fold. None for fewer than two, all equal, or a correction that isn't known.

    Where all are equal their spread has not been seen, and nothing follows about other folds.
    """
    if len(values) < 2 or test_over_training is None or _flat(values):
        return None
    known = np.asarray(values, dtype=np.float64)
    error = float(corrected_errors(known, test_over_training))
    return Estimate(float(known.mean()), error, len(known) - 1)


def between(ours: Estimate, theirs: Estimate) -> Estimate:
    """Difference of two means over different folds, after Welch, Biometrika 34, 1947.

    Both errors are corrected already; the degrees of freedom are Satterthwaite's.
    """
    mine, other = ours.error**2, theirs.error**2
    freedom = (mine + other) ** 2 / (mine**2 / ours.freedom + other**2 / theirs.freedom)
    return Estimate(ours.mean - theirs.mean, math.sqrt(mine + other), freedom)


def resampled_interval(values: Sequence[float], test_over_training: float) -> Interval:
    """95 % interval of a mean over repeated random splits of one data set; one value a split.

    Raises `ScoringError` for fewer than two values. Where all are equal it has no width.
    """
    if len(values) < 2:
        raise ScoringError(f"an interval over splits needs two or more, got {len(values)}")
    estimate = over_folds(values, test_over_training)
    if estimate is None:
        return float(values[0]), float(values[0])
    return estimate.interval()


def _flat(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= _NOTHING * max(1.0, *map(abs, values))
