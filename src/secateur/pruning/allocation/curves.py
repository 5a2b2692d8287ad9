"""What each layer's kernels are worth to the loss, measured; and the cheapest way to a number of kernels.

Comes in: a network, its structure, scores, labelled windows. Goes out: a `Curve` for each group; from
those, how many units each gives up. Next: `decide` asks for it, the report draws the curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SettingsError
from secateur.pruning.allocation.levels import levels
from secateur.pruning.allocation.shares import removed_of, wanted_of
from secateur.pruning.importance.batches import Batches, evaluating, tensors
from secateur.pruning.importance.gates import along, looking
from secateur.pruning.structure import Group, Structure

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Of each group's units, masked one after the other; the last leaves one unit."""


@dataclass(frozen=True)
class Curve:
    """`rise[k]`: mean cross-entropy above the whole network's (nats) with `removed[k]` units masked.

    `removed` rises from 0; all other groups are whole.
    """

    removed: tuple[int, ...]
    rise: tuple[float, ...]

    def at(self, removed: NDArray[np.int64]) -> NDArray[np.float64]:
        """The rise at any number of units: straight between points, never less than further left.

        A loss that falls when kernels go is taken for noise: it earns nothing.
        """
        never_falling = np.maximum.accumulate(self.rise)
        return np.interp(removed, self.removed, never_falling)


def measure_curves(
    network: nn.Module,
    structure: Structure,
    scores: Mapping[str, NDArray[np.float64]],
    batches: Batches,
) -> dict[str, Curve]:
    """Mask each group's least important units where they are read, one group at a time, and see the loss.

    One pass over `batches` for each share in `SHARES` and each group. The network stays as it was.
    """
    whole = _loss(network, structure, batches, {})
    curves = {}
    for group in structure.groups:
        order = np.argsort(scores[group.name], kind="stable")
        numbers = sorted({removed_of(group.units, share) for share in SHARES} - {0})
        rises = [
            _loss(network, structure, batches, _masks(network, group, order[:number])) - whole
            for number in numbers
        ]
        curves[group.name] = Curve((0, *numbers), (0.0, *rises))
    return curves


def _masks(network: nn.Module, group: Group, gone: NDArray[np.int64]) -> dict[str, Tensor]:
    """For each layer that reads the group: 0 where it reads a unit that is gone, otherwise 1."""
    masks: dict[str, Tensor] = {}
    for slot in group.slots:
        if slot.side == "inputs":
            module = network.get_submodule(slot.layer)
            mask = masks.setdefault(slot.layer, torch.ones(inputs_of(module)))
            mask[torch.from_numpy(slot.places[gone].ravel())] = 0
    return masks


def inputs_of(module: nn.Module) -> int:
    """How many channels or features a layer reads."""
    for name in ("in_channels", "in_features", "input_size"):
        if isinstance(count := getattr(module, name, None), int):
            return count
    raise SettingsError(f"{type(module).__name__} is no layer whose inputs can be counted")


def _loss(
    network: nn.Module, structure: Structure, batches: Batches, masks: Mapping[str, Tensor]
) -> float:
    def mask(name: str, module: nn.Module, read: Tensor) -> Tensor | None:
        if name not in masks:
            return None
        return read * along(masks[name].to(read.dtype), module, read)

    total, seen = 0.0, 0
    with evaluating(network), looking(network, structure, mask), torch.inference_mode():
        for windows, labels in tensors(network, batches):
            loss = nn.functional.cross_entropy(network(windows).double(), labels, reduction="sum")
            total, seen = total + float(loss), seen + len(labels)
    return total / seen


def least_loss(
    structure: Structure, curves: Mapping[str, Curve], ratio: float, round_to: int
) -> dict[str, int]:
    """Units of each group such that the ratio of all kernels goes with the least summed rise.

    Rises of groups are added as if they did not act on each other. Exact, by dynamic programming over
    groups and kernels gone; where that number can't be met to the kernel (tied units, rounding), the
    nearest is taken.
    """
    least = np.full(structure.kernels + 1, np.inf)
    least[0] = 0
    taken = []
    for group in structure.groups:
        if group.name not in curves:
            raise SettingsError(
                f"sensitivity has no curve for group {group.name}: measure_curves makes one for each"
            )
        numbers = levels(group, round_to)
        after = np.full_like(least, np.inf)
        choice = np.zeros(len(least), dtype=np.int64)
        rises = curves[group.name].at(numbers)
        for number, rise in zip(numbers, rises, strict=True):
            kernels = int(number) * group.kernels_per_unit
            candidate = np.full_like(least, np.inf)
            candidate[kernels:] = least[: len(least) - kernels] + rise
            better = candidate < after
            after[better] = candidate[better]
            choice[better] = number
        least = after
        taken.append(choice)
    reached = np.flatnonzero(np.isfinite(least))
    at = int(reached[np.argmin(np.abs(reached - wanted_of(structure.kernels, ratio)))])
    removed = {}
    for group, choice in zip(reversed(structure.groups), reversed(taken), strict=True):
        removed[group.name] = int(choice[at])
        at -= removed[group.name] * group.kernels_per_unit
    return {name: removed[name] for name in structure.names}
