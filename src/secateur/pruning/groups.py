"""Dependency groups: which channels of a network's layers are coupled, so that they must go together.

Channels that are added or multiplied, or read by a depthwise convolution, are coupled. A set of coupled
channels goes at once or stays; sets that own as many places in the same layers are alike and form a group,
inside which they are ranked. In a plain chain of convolutions a set is one kernel and a group is one
convolution. The term is that of G. Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SurgeryError

Side = Literal["kernels", "features", "inputs"]
"""What of a layer: a convolution's output channels, a norm's features, the channels a layer reads."""


@dataclass(frozen=True)
class Slot:
    """Where a group's sets of channels stand in one layer.

    `layer`: the module's name in the network. `places`: indices along the layer's own axis (output
    channels, features, input channels), shape (sets, places of one set): several where one is read
    many times (a linear layer behind flatten) or owns several channels (a depthwise multiplier).
    """

    layer: str
    side: Side
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Sets of coupled channels that are ranked against each other and cut alike. `name`: its first
    convolution's.
    """

    name: str
    slots: tuple[Slot, ...]

    @property
    def size(self) -> int:
        """How many sets of coupled channels there are; at least one must stay."""
        return len(self.slots[0].places)

    @property
    def convolutions(self) -> tuple[Slot, ...]:
        """The slots whose convolutions own the channels: coupled ones count once for each of them."""
        return tuple(slot for slot in self.slots if slot.side == "kernels")

    @property
    def kernels_each(self) -> int:
        """Kernels that go with one set, over all its convolutions."""
        return sum(slot.places.shape[1] for slot in self.convolutions)

    @property
    def kernels(self) -> int:
        """Kernels of the whole group."""
        return self.size * self.kernels_each


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


Ids = NDArray[np.int64]
"""Numbers of channels, one for each place along an axis."""

FIXED = 0
"""The id of every channel that can't go: the network's input, its output, parameters of its own."""


@dataclass(frozen=True)
class Channels:
    """Channels of a tensor: they stand along `axis`, one id for each index of it."""

    axis: int
    ids: Ids


@dataclass(frozen=True)
class _Record:
    layer: str
    side: Side
    ids: Ids


class Couplings:
    """Channels as they are met on the way through a network, what couples them, and where they stand."""

    def __init__(self) -> None:
        self._parents = [FIXED]
        self._records: list[_Record] = []
        self._refusals: list[tuple[Ids, str]] = []
        self._holds: list[tuple[Ids, str]] = []

    def fresh(self, count: int) -> Ids:
        """Ids for `count` new channels."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def couple(self, some: Ids, others: Ids) -> None:
        """Each of `some` goes with the one of `others` at the same place."""
        for pair in zip(some.tolist(), others.tolist(), strict=True):
            first, second = sorted(map(self._root, pair))
            if first == FIXED:
                self.hold(np.array([second]), "coupled to the network's own input")
            else:
                self._parents[second] = first

    def hold(self, ids: Ids, reason: str) -> None:
        """None of them can go, for the `reason`."""
        self._holds.append((ids, reason))

    def record(self, layer: str, side: Side, ids: Ids) -> None:
        """`ids` stand along the `side` of `layer`, one at each place."""
        self._records.append(_Record(layer, side, ids))

    def refuse(self, ids: Ids, reason: str) -> None:
        """`ids` can't be followed. An error in the end, unless they turn out to be fixed anyway."""
        self._refusals.append((ids, reason))

    def structure(self) -> Structure:
        """The groups of all coupled channels; sets are alike if they own as many places everywhere.

        Raises `SurgeryError` with the reason where kernels that could go were refused on their way.
        """
        reasons = self._reasons()
        places = self._places()
        alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for root, records in places.items():
            owns_kernels = any(self._records[k].side == "kernels" for k in records)
            if root not in reasons and owns_kernels:
                mark = tuple((k, len(where)) for k, where in records.items())
                alike.setdefault(mark, []).append(root)
        self._raise_refusals([roots for roots in alike.values() if len(roots) > 1])
        groups: list[Group] = []
        for mark, roots in alike.items():
            slots = tuple(
                Slot(
                    self._records[k].layer,
                    self._records[k].side,
                    np.array([places[root][k] for root in roots], dtype=np.int64),
                )
                for k, _ in mark
            )
            first = next(slot.layer for slot in slots if slot.side == "kernels")
            same = sum(group.name.split(":")[0] == first for group in groups)
            groups.append(Group(f"{first}:{same + 1}" if same else first, slots))
        return Structure(tuple(groups), tuple(self._held(reasons)))

    def _reasons(self) -> dict[int, str]:
        """By set that can't go, the first reason why."""
        reasons = {FIXED: ""}
        for ids, reason in self._holds:
            for id_ in ids.tolist():
                reasons.setdefault(self._root(id_), reason)
        return reasons

    def _held(self, reasons: dict[int, str]) -> Iterator[Held]:
        for record in self._records:
            if record.side != "kernels":
                continue
            own = [reasons.get(self._root(id_)) for id_ in record.ids.tolist()]
            for reason in dict.fromkeys(filter(None, own)):
                yield Held(record.layer, own.count(reason), reason)

    def _places(self) -> dict[int, dict[int, list[int]]]:
        """By set, and by number of the record: where it stands. Sets in the order of their kernels."""
        places: dict[int, dict[int, list[int]]] = {}
        kernels_first = sorted(self._records, key=lambda record: record.side != "kernels")
        for record in kernels_first:  # fixes the order in which sets are met
            for id_ in record.ids.tolist():
                places.setdefault(self._root(id_), {})
        for k, record in enumerate(self._records):
            for position, id_ in enumerate(record.ids.tolist()):
                places[self._root(id_)].setdefault(k, []).append(position)
        return places

    def _raise_refusals(self, removable: list[list[int]]) -> None:
        could_go = {root for roots in removable for root in roots}
        for ids, reason in self._refusals:
            if could_go & {self._root(id_) for id_ in ids.tolist()}:
                raise SurgeryError(reason)

    def _root(self, id_: int) -> int:
        while self._parents[id_] != id_:
            self._parents[id_] = self._parents[self._parents[id_]]
            id_ = self._parents[id_]
        return id_
