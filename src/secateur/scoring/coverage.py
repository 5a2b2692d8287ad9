"""For which patients the mean statement keeps its promise, as far as simulation can tell.

Comes in: a number of subjects. Goes out: for each simulated family of patients, how often a network at the
very edge of its margin was certified all the same. Next: `wording` says so in every certificate.

The counts are those of benchmarks/guarantee (guarantee.md; a test compares). No rule that looks at the
losses refuses what is not covered here: where few patients are badly harmed, false certificates come from
just those studies that happened to meet none of them, and their losses look as tame as can be.
"""

from __future__ import annotations

from dataclasses import dataclass

CONFIDENCE = 0.95
STUDIES = 5000
MEASURED = "measured"
"""How the names of families begin whose spread was measured on real recordings."""

SIZES = (8, 12, 16, 24, 60)
FALSE_CERTIFICATES: dict[str, tuple[int, ...]] = {
    "normal": (192, 199, 207, 230, 265),
    "t with 3 degrees of freedom": (198, 223, 216, 235, 256),
    "measured on the clips, AUROC": (715, 666, 574, 391, 234),
    "measured on the clips, macro-F1": (39, 68, 71, 98, 148),
    "skewed: gamma, skewness 1": (302, 302, 292, 275, 285),
    "skewed: gamma, skewness 2": (416, 408, 344, 332, 296),
    "skewed: 1 patient in 5 harmed by 3 standard deviations": (362, 296, 276, 275, 245),
    "skewed: 1 patient in 10 harmed by 5 standard deviations": (655, 594, 523, 374, 267),
    "skewed: 1 patient in 20 harmed by 10 standard deviations": (1028, 1273, 1309, 1104, 298),
}
"""By family, of `STUDIES` at the edge, at each of `SIZES`; the worse of two ladders."""

UNCOVERED: dict[str, tuple[int, ...]] = {
    "measured on the clips, AUROC": (8, 12, 16, 24),
    "skewed: gamma, skewness 1": (8, 12, 16, 60),
    "skewed: gamma, skewness 2": (8, 12, 16, 24, 60),
    "skewed: 1 patient in 5 harmed by 3 standard deviations": (8, 12),
    "skewed: 1 patient in 10 harmed by 5 standard deviations": (8, 12, 16, 24),
    "skewed: 1 patient in 20 harmed by 10 standard deviations": (8, 12, 16, 24, 60),
}
"""By family, the sizes at which that is more than chance explains (lower 95 % limit above 1 − confidence)."""


@dataclass(frozen=True)
class Coverage:
    """One family. `false_share`: of networks at the edge that were certified, wanted at most 0.05."""

    family: str
    n: int
    false_share: float
    covered: bool


def coverage(n: int) -> tuple[Coverage, ...]:
    """Every family at the largest simulated number of subjects that is not above `n`, or the smallest."""
    size = max((one for one in SIZES if one <= n), default=SIZES[0])
    place = SIZES.index(size)
    return tuple(
        Coverage(family, size, counts[place] / STUDIES, size not in UNCOVERED.get(family, ()))
        for family, counts in FALSE_CERTIFICATES.items()
    )
