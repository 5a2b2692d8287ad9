"""What a study can show before it is made: how often a network that keeps the margin would be certified.

Studies are simulated and bounded by what certifies; `benchmarks/guarantee` draws its studies here too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ScoringError
from secateur.scoring.calibration import (
    Design,
    calibration,
    critical_value,
    level_of,
    measured_losses,
    spent,
)
from secateur.scoring.margins import Constraint
from secateur.scoring.statements import estimate_mean

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]
"""Losses with mean zero and variance one of a shape."""

STUDIES = 2000
"""Simulated for each number that is told; it is then off by 2 % at most, two times in three by 1 %."""


@dataclass(frozen=True)
class Power:
    """Chance of a certificate. `luck`: share of a loss's variance that training makes; `nothing_lost`,
    `half_lost`: for a network whose true mean loss is zero, and half the margin.
    """

    design: Design
    luck: float
    nothing_lost: float
    half_lost: float


def dealt(generator: np.random.Generator, design: Design) -> NDArray[np.int64] | None:
    """Folds dealt anew for each repeat, as even as can be: repeats × subjects; None without folds."""
    if design.folds is None:
        return None
    row = np.arange(design.subjects) % design.folds
    return np.stack([generator.permutation(row) for _ in range(design.repeats)])


def simulated(
    generator: np.random.Generator,
    design: Design,
    draws: tuple[Draw, Draw],
    shares: tuple[float, float] = (0.0, 0.0),
    studies: int = STUDIES,
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Losses with mean zero, studies × repeats × subjects, and the folds in which they were judged.

    `draws`: of patients' losses, and of the luck of trainings. `shares`: of a loss's variance the share that
    is luck of a fold's training, and of the others the share that is new with every repeat (normal).
    A patient's own loss is the same in every repeat.
    """
    luck, rest = shares
    folds = dealt(generator, design)
    patients = draws[0](generator, (studies, 1, design.subjects))
    shape = (studies, design.repeats, design.subjects)
    losses = np.broadcast_to(math.sqrt((1 - luck) * (1 - rest)) * patients, shape)
    if luck and folds is not None and design.folds:
        trainings = draws[1](generator, (studies, design.repeats, design.folds))
        losses = losses + math.sqrt(luck) * np.take_along_axis(trainings, folds[None], axis=2)
    if rest:
        losses = losses + math.sqrt((1 - luck) * rest) * generator.normal(size=shape)
    return losses, folds


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Standard normal losses."""
    return generator.normal(size=shape)


def drawn_from(losses: NDArray[np.float64]) -> Draw:
    """Measured losses, drawn with replacement."""
    standard = (losses - losses.mean()) / losses.std()

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return generator.choice(standard, size=shape)

    return draw


def deviation_of(metric: str) -> float:
    """Standard deviation of a subject's loss on the clips. Raises `ScoringError` where it wasn't measured."""
    losses = measured_losses(metric)
    if losses is None:
        known = ", ".join(calibration()["losses"])
        raise ScoringError(
            f"--plan: how {metric} spreads over subjects was not measured; take a margin on {known}"
        )
    return float(losses.std(ddof=1))


def plan_power(
    constraint: Constraint, metric: str, designs: Sequence[Design], certification: int = 1
) -> list[Power]:
    """How often networks would be certified on one metric, for each design and share of training's luck.

    With the losses measured on the clips. Raises `ScoringError` where they weren't, or where no certificate
    can be issued at that level or on so few subjects or folds.
    """
    deviation, losses = deviation_of(metric), measured_losses(metric)
    assert losses is not None
    level = level_of(spent(1 - constraint.confidence, certification))
    powers = []
    for design in designs:
        critical = None if level is None else critical_value(design, level)
        if critical is None:
            raise ScoringError(
                f"--plan: {design.subjects} subjects in {design.folds or 'no'} folds at "
                f"{100 * constraint.confidence:g} %: no certificate is issued with fewer than 8 subjects, "
                "fewer than 3 folds or a level below 0.5 %"
            )
        edge = constraint.margins[metric] / deviation
        for luck in calibration()["luck"] if design.folds else (0.0,):
            generator = np.random.default_rng([design.subjects, design.repeats])
            studies, folds = simulated(generator, design, (drawn_from(losses), normal), (luck, 0.0))
            bounds = estimate_mean(studies, folds).bounds(critical)
            shares = [float((bounds + lost < edge).mean()) for lost in (0.0, edge / 2)]
            powers.append(Power(design, luck, *shares))
    return powers
