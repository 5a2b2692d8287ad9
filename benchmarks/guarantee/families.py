"""Families of patients: how much each would lose, were pruning to cost what it costs in theory.

Comes in: a family's name, how many studies, rungs and subjects. Goes out: losses less their true mean, in
units of their true standard deviation, so that zero is the margin's edge for all of them. Next:
`guarantee` runs whole ladders on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.guarantee import clip_losses

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]

KEPT_FROM_RUNG_TO_RUNG = 0.7
"""Share of patients whose loss, less the mean, is on the next rung what it was on this one."""


def _normal(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return generator.normal(size=shape)


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


def _clips(metric: str) -> Draw:
    values = clip_losses.measured(metric)
    standard = (values - values.mean()) / values.std()

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return generator.choice(standard, size=shape)

    return draw


FAMILIES: dict[str, Draw] = {
    "normal": _normal,
    "t with 3 degrees of freedom": _t3,
    "measured on the clips, AUROC": _clips("auroc"),
    "measured on the clips, macro-F1": _clips("macro_f1"),
    "skewed: gamma, skewness 1": _gamma(1.0),
    "skewed: gamma, skewness 2": _gamma(2.0),
    "skewed: 1 patient in 5 harmed by 3 standard deviations": _few_harmed(0.2, 3.0),
    "skewed: 1 patient in 10 harmed by 5 standard deviations": _few_harmed(0.1, 5.0),
    "skewed: 1 patient in 20 harmed by 10 standard deviations": _few_harmed(0.05, 10.0),
}


def ladders(
    family: str, generator: np.random.Generator, studies: int, rungs: int, subjects: int
) -> NDArray[np.float64]:
    """Losses less their true mean, rungs × studies × subjects; true mean 0, true deviation 1.

    A patient is the same on every rung: most keep their loss from one rung to the next.
    """
    draw = FAMILIES[family]
    found = [draw(generator, (studies, subjects))]
    for _ in range(rungs - 1):
        kept = generator.random((studies, subjects)) < KEPT_FROM_RUNG_TO_RUNG
        found.append(np.where(kept, found[-1], draw(generator, (studies, subjects))))
    return np.stack(found)
