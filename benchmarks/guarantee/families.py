"""Families of patients and of trainings: what each loses, less the mean, were pruning to cost what it may.

Losses have true mean zero and, over patients and trainings, true variance one: zero is the margin's edge.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.guarantee import clip_losses
from secateur.scoring.calibration import Design
from secateur.scoring.planning import Draw, drawn_from, normal, simulated


def _t3(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return generator.standard_t(3, size=shape) / math.sqrt(3)


def _gamma(skewness: float) -> Draw:
    form = 4 / skewness**2

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return (generator.gamma(form, size=shape) - form) / math.sqrt(form)

    return draw


def _few_harmed(share: float, loss: float) -> Draw:
    """Normal, but that a `share` of patients loses `loss` standard deviations more."""
    deviation = math.sqrt(1 + share * (1 - share) * loss**2)

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        harmed = generator.random(shape) < share
        return (generator.normal(size=shape) + loss * (harmed - share)) / deviation

    return draw


PATIENTS: dict[str, Draw] = {
    "normal": normal,
    "t with 3 degrees of freedom": _t3,
    "measured on the clips, AUROC": drawn_from(clip_losses.measured("auroc")),
    "measured on the clips, macro-F1": drawn_from(clip_losses.measured("macro_f1")),
    "skewed: gamma, skewness 1": _gamma(1.0),
    "skewed: gamma, skewness 2": _gamma(2.0),
    "skewed: 1 patient in 5 harmed by 3 standard deviations": _few_harmed(0.2, 3.0),
    "skewed: 1 patient in 10 harmed by 5 standard deviations": _few_harmed(0.1, 5.0),
    "normal, luck of training skewed: gamma, skewness 1": normal,
    "skewed: 1 patient in 20 harmed by 10 standard deviations": _few_harmed(0.05, 10.0),
}
OUTSIDE = ("skewed: 1 patient in 20 harmed by 10 standard deviations",)
"""Shown, and declared not covered: with few subjects most studies meet none of those harmed."""

FAMILIES = tuple(family for family in PATIENTS if family not in OUTSIDE)
_LUCK = {"normal, luck of training skewed: gamma, skewness 1": _gamma(1.0)}


def studies_of(
    family: str,
    generator: np.random.Generator,
    studies: int,
    design: Design,
    shares: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Losses less their true mean, studies × repeats × subjects, and the folds in which they were judged.

    `shares`: of luck of training, and of what is new with every repeat; see `planning.simulated`.
    """
    draws = (PATIENTS[family], _LUCK.get(family, normal))
    return simulated(generator, design, draws, shares, studies)
