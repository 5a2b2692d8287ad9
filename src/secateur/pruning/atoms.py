"""Which channels are one and the same as far as pruning goes.

Comes in: from `tracing`, atom by atom, what a network does with its channels. Goes out: a `Structure`.
Next: `surgery`, `equivalence`.

Every channel that a layer makes is an atom, a number. A tensor carries the atoms of its channels along
one axis. What adds or multiplies two channels ties their atoms; tied atoms go together and are one unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SurgeryError
from secateur.pruning.structure import Group, Held, Side, Slot, Structure

Atoms = NDArray[np.int64]

FIXED = 0
"""The atom of every channel that can't go: the network's input, its output, parameters of its own."""


@dataclass(frozen=True)
class Carried:
    """Channels of a tensor: they stand along `axis`, one atom for each index of it."""

    axis: int
    atoms: Atoms


@dataclass(frozen=True)
class _Record:
    layer: str
    side: Side
    atoms: Atoms


class Ledger:
    """Atoms, what ties them, and the layers in which they stand."""

    def __init__(self) -> None:
        self._parents = [FIXED]
        self._records: list[_Record] = []
        self._refusals: list[tuple[Atoms, str]] = []
        self._pins: list[tuple[Atoms, str]] = []

    def fresh(self, count: int) -> Atoms:
        """Atoms for `count` new channels."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def tie(self, some: Atoms, others: Atoms) -> None:
        """Each of `some` goes with the one of `others` at the same place."""
        for pair in zip(some.tolist(), others.tolist(), strict=True):
            first, second = sorted(map(self._root, pair))
            if first == FIXED:
                self.pin(np.array([second]), "tied to the network's own input")
            else:
                self._parents[second] = first

    def pin(self, atoms: Atoms, reason: str) -> None:
        """None of them can go, for the `reason`."""
        self._pins.append((atoms, reason))

    def record(self, layer: str, side: Side, atoms: Atoms) -> None:
        """`atoms` stand along the `side` of `layer`, one at each place."""
        self._records.append(_Record(layer, side, atoms))

    def refuse(self, atoms: Atoms, reason: str) -> None:
        """`atoms` can't be followed. An error in the end, unless they turn out to be fixed anyway."""
        self._refusals.append((atoms, reason))

    def structure(self) -> Structure:
        """Units and groups. Units are alike, hence in one group, if they own as many places everywhere.

        Raises `SurgeryError` with the reason where kernels that could go were refused on their way.
        """
        pinned = self._pinned()
        places = self._places()
        alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for root, found in places.items():
            owns_kernels = any(self._records[k].side == "kernels" for k in found)
            if root not in pinned and owns_kernels:
                mark = tuple((k, len(where)) for k, where in found.items())
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
        return Structure(tuple(groups), tuple(self._held(pinned)))

    def _pinned(self) -> dict[int, str]:
        """By unit that can't go, the first reason why."""
        reasons = {FIXED: ""}
        for atoms, reason in self._pins:
            for atom in atoms.tolist():
                reasons.setdefault(self._root(atom), reason)
        return reasons

    def _held(self, pinned: dict[int, str]) -> Iterator[Held]:
        for record in self._records:
            if record.side != "kernels":
                continue
            reasons = [pinned.get(self._root(atom)) for atom in record.atoms.tolist()]
            for reason in dict.fromkeys(filter(None, reasons)):
                yield Held(record.layer, reasons.count(reason), reason)

    def _places(self) -> dict[int, dict[int, list[int]]]:
        """By unit, and by number of the record: where it stands. Units in the order of their kernels."""
        found: dict[int, dict[int, list[int]]] = {}
        kernels_first = sorted(self._records, key=lambda record: record.side != "kernels")
        for record in kernels_first:  # fixes the order in which units are met
            for atom in record.atoms.tolist():
                found.setdefault(self._root(atom), {})
        for k, record in enumerate(self._records):
            for place, atom in enumerate(record.atoms.tolist()):
                found[self._root(atom)].setdefault(k, []).append(place)
        return found

    def _raise_refusals(self, removable: list[list[int]]) -> None:
        could_go = {root for roots in removable for root in roots}
        for atoms, reason in self._refusals:
            if could_go & {self._root(atom) for atom in atoms.tolist()}:
                raise SurgeryError(reason)

    def _root(self, atom: int) -> int:
        while self._parents[atom] != atom:
            self._parents[atom] = self._parents[self._parents[atom]]
            atom = self._parents[atom]
        return atom
