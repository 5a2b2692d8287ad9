"""Differences by subject: what may be said of a mean over patients.

They take subjects for independent. Those that one network tested share its luck, so where subjects are
few to a network the test over folds and the mixed model are to be believed first.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.intervals import LEAST_SUBJECTS, LEVEL, Interval
from secateur.scoring.statements import bootstrap_t_bounds


@dataclass(frozen=True)
class SubjectComparison:
    """Ours minus theirs over subjects. `subjects`: the difference of each, mean over folds and seeds.

    `difference`: unweighted mean, None without a subject; `median`. `interval`: 95 %, studentised bootstrap
    over subjects; None for fewer than five or all equal. `wilcoxon_p`: two-sided; None where all are zero.
    """

    difference: float | None
    median: float | None
    interval: Interval | None
    wilcoxon_p: float | None
    subjects: Mapping[str, float]

    @property
    def hinge(self) -> tuple[str, float] | None:
        """The subject on whom the mean hangs most, and the mean without them; None for fewer than two.

        It is the one whose own difference lies furthest on the mean's side.
        """
        if self.difference is None or len(self.subjects) < 2 or self.difference == 0:
            return None
        sign = 1 if self.difference > 0 else -1
        name = max(self.subjects, key=lambda subject: sign * self.subjects[subject])
        others = [value for subject, value in self.subjects.items() if subject != name]
        return name, statistics.fmean(others)


@dataclass(frozen=True)
class Effect:
    """d_z: mean difference over subjects in standard deviations of the differences. `interval`: 95 %."""

    size: float
    interval: Interval | None


def compare_subjects(differences: Mapping[str, float]) -> SubjectComparison:
    """What is said over subjects."""
    values = np.array(list(differences.values()), dtype=np.float64)
    return SubjectComparison(
        float(values.mean()) if len(values) else None,
        float(np.median(values)) if len(values) else None,
        bootstrap_interval(values),
        signed_ranks(values),
        dict(differences),
    )


def bootstrap_interval(values: NDArray[np.float64]) -> Interval | None:
    """95 % interval of a mean over subjects, shape (n,); None for fewer than five or all equal.

    Two one-sided studentised bootstrap bounds of 97.5 %: the percentile bootstrap of a dozen subjects
    holds the truth nearer 90 than 95 times in a hundred.
    """
    if len(values) < LEAST_SUBJECTS:
        return None
    upper = float(bootstrap_t_bounds(values[None], (1 + LEVEL) / 2)[0])
    lower = -float(bootstrap_t_bounds(-values[None], (1 + LEVEL) / 2)[0])
    return (lower, upper) if math.isfinite(lower) and math.isfinite(upper) else None


def signed_ranks(values: NDArray[np.float64]) -> float | None:
    """Two-sided p of Wilcoxon's signed rank test (Biometrics Bulletin 1, 1945); zeros are dropped.

    Exact without ties for up to 50 subjects. None where no difference is other than zero.
    """
    known = values[values != 0]
    if not len(known):
        return None
    from scipy.stats import wilcoxon

    return float(wilcoxon(known).pvalue)


def effect_of(values: NDArray[np.float64]) -> Effect | None:
    """d_z (Cohen, Statistical Power Analysis, 1988, section 2.3.5) of differences by subject, shape (n,).

    Its interval inverts the noncentral t (Steiger and Fouladi, 1997): exact where differences are normal.
    None for fewer than two subjects or all equal.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    from scipy.special import nctdtrinc

    root = math.sqrt(len(values))
    size = float(values.mean() / values.std(ddof=1))
    tails = ((1 + LEVEL) / 2, (1 - LEVEL) / 2)
    low, high = (float(nctdtrinc(len(values) - 1, tail, size * root)) / root for tail in tails)
    known = math.isfinite(low) and math.isfinite(high)
    return Effect(size, (low, high) if known else None)
