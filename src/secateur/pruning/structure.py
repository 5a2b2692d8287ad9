"""What must go together when a kernel goes.

Comes in: nothing; `tracing` makes it from a network. Goes out: `Structure`: groups of tied units, and in
which layer, at which places, each unit stands. Next: `importance` scores units, `allocation` chooses how
many go, `surgery` cuts them, `equivalence` proves it.

In a plain chain of convolutions a unit is one kernel and a group is one convolution. Where a residual
add or a depthwise convolution ties channels of several convolutions, a unit is all that goes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["kernels", "features", "inputs"]
"""What of a layer: a convolution's output channels, a norm's features, the channels a layer reads."""


@dataclass(frozen=True)
class Slot:
    """Where a group's units stand in one layer.

    `layer`: the module's name in the network. `places`: indices along the layer's own axis (output
    channels, features, input channels), shape (units, places of one unit): several where one unit is
    read many times (a linear layer behind flatten) or owns several channels (a depthwise multiplier).
    """

    layer: str
    side: Side
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Units that are ranked against each other and cut alike. `name`: its first convolution's."""

    name: str
    slots: tuple[Slot, ...]

    @property
    def units(self) -> int:
        """How many units there are; at least one must stay."""
        return len(self.slots[0].places)

    @property
    def convolutions(self) -> tuple[Slot, ...]:
        """The slots whose convolutions own the units: tied channels count once for each of them."""
        return tuple(slot for slot in self.slots if slot.side == "kernels")

    @property
    def kernels_per_unit(self) -> int:
        """Kernels that go with one unit, over all its convolutions."""
        return sum(slot.places.shape[1] for slot in self.convolutions)

    @property
    def kernels(self) -> int:
        """Kernels of the whole group."""
        return self.units * self.kernels_per_unit


@dataclass(frozen=True)
class Held:
    """Kernels of a convolution that can't go, and why."""

    layer: str
    kernels: int
    reason: str


@dataclass(frozen=True)
class Structure:
    """Every group of a network, in the order in which their first convolutions run.

    `held`: kernels that are in no group.
    """

    groups: tuple[Group, ...]
    held: tuple[Held, ...] = ()

    def __getitem__(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The groups' names, in order."""
        return tuple(group.name for group in self.groups)

    @property
    def kernels(self) -> int:
        """All kernels that could go, counted once for each convolution that has them."""
        return sum(group.kernels for group in self.groups)

    @property
    def all_kernels(self) -> int:
        """With those that are held."""
        return self.kernels + sum(held.kernels for held in self.held)
