"""Pruning in one step: rank, choose, cut, prove.

Comes in: a trained network, settings, real windows for the proof. Goes out: a `Pruned`: the smaller
network with what was asked, what was done, and the proof. Next: `studies` retrains it with the
hyperparameters that trained the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from secateur.pruning.allocation import kept_by_score, removed_from_each
from secateur.pruning.equivalence import largest_difference, require_equal
from secateur.pruning.importance import by_chance, l1
from secateur.pruning.settings import PruningSettings
from secateur.pruning.structure import Group
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Pruned(Generic[Network]):
    """A network after surgery. `kept`, `scores`: by group; scores are those of all its units."""

    network: Network
    ratio_requested: float
    ratio_achieved: float
    kept: dict[str, tuple[int, ...]]
    scores: dict[str, tuple[float, ...]]
    equivalence_max_abs_error: float


def prune(
    network: Network,
    settings: PruningSettings,
    windows: NDArray[np.float32],
    seed: int = 0,
    removed: Mapping[str, int] | None = None,
) -> Pruned[Network]:
    """Cut `settings.ratio` of the kernels out of a copy of `network`.

    `windows`: real ones, windows × channels × samples, on which equality is proved in float64.
    `seed`: for random importance. `removed`: how many units each group gives up, where that is
    decided already (a control takes another criterion's allocation). Raises `SurgeryError` where the
    network can't be followed, or the proof fails.
    """
    structure = trace(network, windows.shape[1], windows.shape[2])
    generator = np.random.default_rng([seed, 2])
    scores = {
        group.name: _scores(network, group, settings, generator) for group in structure.groups
    }
    if removed is None:
        removed = removed_from_each(scores, settings.ratio, settings.allocation)
    kept = {name: kept_by_score(score, removed[name]) for name, score in scores.items()}
    smaller = cut(network, structure, kept)
    difference = largest_difference(network, smaller, structure, kept, windows)
    require_equal(difference)
    stayed = sum(len(kept[group.name]) * group.kernels_per_unit for group in structure.groups)
    return Pruned(
        network=smaller,
        ratio_requested=settings.ratio,
        ratio_achieved=1 - stayed / structure.kernels,
        kept=kept,
        scores={name: tuple(score.tolist()) for name, score in scores.items()},
        equivalence_max_abs_error=difference,
    )


def _scores(
    network: nn.Module, group: Group, settings: PruningSettings, generator: np.random.Generator
) -> NDArray[np.float64]:
    """One number for each unit: the sum over its kernels."""
    total = np.zeros(group.units)
    for slot in group.convolutions:
        convolution = network.get_submodule(slot.layer)
        assert isinstance(convolution, nn.Conv1d)
        chance = settings.importance == "random"
        scores = by_chance(convolution, generator) if chance else l1(convolution)
        total += scores[slot.places].sum(axis=1)
    return total
