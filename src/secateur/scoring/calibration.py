"""Critical values of the mean statement, and how often it erred, both from the simulation's file.

calibration.json is written by `python -m benchmarks.guarantee.guarantee`, which tries the statement on
studies whose true mean loss is exactly the margin; docs/explanation/certificate.md tells how. Nothing
here is typed by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = "calibration.json"
FIRST_SHARE, KEPT = 0.8, 0.2
"""Of alpha for the first certification of a recording; and of what one had for the next."""

LUCK = "normal, luck of training"
"""How families begin that differ from the normal one in the luck of training alone."""

LEAST_FOLDS = 3
"""Of a recipe; fewer trainings than their luck can be told from."""


@dataclass(frozen=True)
class Design:
    """How subjects were judged. `folds`: in each of `repeats`; None where one file judged all, once."""

    subjects: int
    folds: int | None = None
    repeats: int = 1


@dataclass(frozen=True)
class Coverage:
    """One family of losses, simulated at the edge of the margin.

    `false_share`: of networks that were certified all the same, with the most harmful share of training luck.
    `covered`: whether the critical values are made for it. `n`: subjects simulated.
    """

    family: str
    n: int
    false_share: float
    covered: bool


@lru_cache(maxsize=1)
def calibration() -> dict[str, Any]:
    """What the simulation left."""
    content: dict[str, Any] = json.loads(files(__package__).joinpath(FILE).read_text())
    return content


def spent(alpha: float, certification: int) -> float:
    """Of `alpha`, what the k-th certification that shares a recording has: 0.8 · 0.2^(k − 1) of it."""
    return FIRST_SHARE * KEPT ** (certification - 1) * alpha


def level_of(alpha: float) -> float | None:
    """The largest tabulated level that is not above `alpha`; None below all of them."""
    levels = [level for level in calibration()["levels"] if level <= alpha + 1e-12]
    return max(levels, default=None)


def critical_value(
    design: Design, level: float, table: dict[str, Any] | None = None
) -> float | None:
    """Standard errors between the mean loss and its bound at a tabulated `level`; None where none is known.

    Between tabulated subjects, folds or repeats the larger neighbour counts; many folds or repeats leave
    training no luck to have, so one file's table is the neighbour beyond the last. Beyond the last number of
    subjects training's luck may be all there is: no less than what that alone needs.
    """
    table = table or calibration()
    sizes, column = table["sizes"], table["levels"].index(level)
    if design.subjects < sizes[0]:
        return None
    rows = _rows(design, table)
    if not rows:
        return None
    below = max(k for k, size in enumerate(sizes) if size <= design.subjects)
    above = below if sizes[below] == design.subjects else min(below + 1, len(sizes) - 1)
    value = max(row["critical"][k][column] for row in rows for k in (below, above))
    if design.subjects > sizes[-1]:
        value = max([value, *(row["limit"][column] for row in rows if row["limit"])])
    return float(value)


def _rows(design: Design, table: dict[str, Any]) -> list[dict[str, Any]]:
    """The tabulated designs around one; none where it has too few folds."""
    rows = {(row["folds"], row["repeats"]): row for row in table["designs"]}
    if design.folds is None:
        return [rows[None, 1]]
    folds = _neighbours(sorted({f for f, _ in rows if f is not None}), design.folds)
    repeats = _neighbours(sorted({r for f, r in rows if f is not None}), design.repeats)
    if None in folds[:1]:
        return []
    return [rows[None, 1] if f is None or r is None else rows[f, r] for f in folds for r in repeats]


def _neighbours(values: list[int], value: int) -> list[int | None]:
    """The tabulated values around one; None stands for what is beyond the ends."""
    if value in values:
        return [value]
    below = max((v for v in values if v < value), default=None)
    above = min((v for v in values if v > value), default=None)
    return [below, above]


def coverage(design: Design, level: float) -> tuple[Coverage, ...]:
    """Every family at the nearest tabulated design that is not larger than this one."""
    table = calibration()
    rows = _rows(design, table)
    size = max((n for n in table["sizes"] if n <= design.subjects), default=table["sizes"][0])
    at = (table["sizes"].index(size), table["levels"].index(level))
    return tuple(
        Coverage(family, size, max(row["false"][family][at[0]][at[1]] for row in rows), covered)
        for group, covered in (("families", True), ("outside", False))
        for family in table[group]
        if rows and not (design.folds is None and family.startswith(LUCK))
    )


def measured_losses(metric: str) -> NDArray[np.float64] | None:
    """What pruning cost each subject of the clips in `metric`, shape (subjects,); None where not measured."""
    losses = calibration()["losses"].get(metric)
    return None if losses is None else np.array(losses, dtype=np.float64)
