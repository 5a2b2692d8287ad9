"""How much each kernel matters: ten ways to tell.

Comes in: a network, its `Structure` and, for those that look at what windows do, a source of batches.
Goes out: one number for each kernel, or added up for each unit that goes as one; small ones go first.
Next: `allocation` chooses by them, `stability` compares them, the report shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from secateur.errors import SettingsError
from secateur.pruning.importance.batches import Batches, Scores
from secateur.pruning.importance.readings import activation
from secateur.pruning.importance.slopes import fisher, taylor, taylor_by_class
from secateur.pruning.importance.weights import (
    batchnorm,
    by_chance,
    geometric_median,
    l1,
    l2,
    summed,
)
from secateur.pruning.importance.zeros import zeros
from secateur.pruning.settings import IMPORTANCES, Importance
from secateur.pruning.structure import Structure

__all__ = [
    "NEED_WINDOWS",
    "Batches",
    "Scores",
    "score_kernels",
    "score_units",
]

Score = Callable[[nn.Module, Structure, Batches | None], Scores]

NEED_WINDOWS: tuple[Importance, ...] = (
    "activation",
    "zeros",
    "taylor",
    "taylor-by-class",
    "fisher",
)
"""The importances that look at what windows do in the network; the others read its weights."""


def score_kernels(
    network: nn.Module,
    structure: Structure,
    importance: Importance,
    batches: Batches | None = None,
    seed: int = 0,
) -> Scores:
    """One number for each kernel of each convolution, by its name: float64, shape (output channels,).

    `batches`: labelled windows, of the training side (512 windows do; see `batches.Batches`), which only
    `NEED_WINDOWS` look at. `seed`: for random. The network stays as it was. Raises `SettingsError` where
    windows are needed and there are none, `SurgeryError` where the network has nothing to be read.
    """
    if importance in NEED_WINDOWS and batches is None:
        free = ", ".join(name for name in IMPORTANCES if name not in NEED_WINDOWS)
        raise SettingsError(
            f"importance {importance} looks at what windows do in the network, and there are none: give "
            f"batches of labelled windows, or take one of {free}, which need none"
        )
    ways: dict[Importance, Score] = {
        "l1": l1,
        "l2": l2,
        "random": partial(by_chance, seed=seed),
        "geometric-median": geometric_median,
        "batchnorm": batchnorm,
        "activation": activation,
        "zeros": zeros,
        "taylor": taylor,
        "taylor-by-class": taylor_by_class,
        "fisher": fisher,
    }
    return ways[importance](network, structure, batches)


def score_units(
    network: nn.Module,
    structure: Structure,
    importance: Importance,
    batches: Batches | None = None,
    seed: int = 0,
) -> Scores:
    """One number for each unit of each group, by the group's name: the sum over its kernels.

    Float64, shape (units,). Inputs and errors: those of `score_kernels`.
    """
    scores = score_kernels(network, structure, importance, batches, seed)
    return {group.name: summed(group, scores) for group in structure.groups}
