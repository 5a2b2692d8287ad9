"""The montages in which a recording can be looked at, and which side of the head each trace is of."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from secateur.errors import ChannelsError
from secateur.recordings import MontageMap, map_montage
from secateur.recordings.montage import DUMMIES, choose_eeg, parse_label, plain_label

Side = Literal["left", "right", "middle"]
_EARS = frozenset(("A1", "A2", "M1", "M2"))
_AGAINST_AN_ELECTRODE = 3
"""Channels that must share an electrode of the scalp as their minus before it counts as their reference."""
_TEMPORAL = 5
"""Electrodes with this number or a higher one stand at the side of the head: F7, T7, P7."""


@dataclass(frozen=True)
class Trace:
    """One line of a page. `group`: those of a chain or a side belong together."""

    label: str
    side: Side
    group: str


@dataclass(frozen=True)
class ReadMontage:
    """A montage of one recording. `key`: for addresses; `name`: for people."""

    key: str
    name: str
    montage_map: MontageMap
    traces: tuple[Trace, ...]


@lru_cache(maxsize=64)
def montages_of(channels: tuple[str, ...]) -> tuple[ReadMontage, ...]:
    """The montages that can be made of channels by their labels; as recorded is always among them."""
    montages = [
        _fixed("bipolar", "Bipolar, longitudinal", "bipolar-18", channels),
        _referential(channels),
        _fixed("average", "Against the average", "unipolar-19", channels),
        _recorded(channels),
    ]
    return tuple(montage for montage in montages if montage is not None)


def _fixed(key: str, name: str, montage: str, channels: tuple[str, ...]) -> ReadMontage | None:
    """A montage with channels of its own, as far as they can be had; None where none can."""
    try:
        montage_map = map_montage(channels, montage, "zero")
    except ChannelsError:
        return None
    rows = [row for row, sign in enumerate(montage_map.sign) if sign]
    montage_map = MontageMap(
        names=tuple(montage_map.names[row] for row in rows),
        used=montage_map.used,
        plus=tuple(montage_map.plus[row] for row in rows),
        minus=tuple(montage_map.minus[row] for row in rows),
        sign=tuple(montage_map.sign[row] for row in rows),
        notes=montage_map.notes,
        average=montage_map.average,
    )
    return ReadMontage(
        key, name, montage_map, tuple(_trace(label, key) for label in montage_map.names)
    )


def _referential(channels: tuple[str, ...]) -> ReadMontage | None:
    """The electrodes against the reference that most were recorded against; None where there is no such."""
    scalp = choose_eeg(channels)
    if scalp.intracranial:
        return None
    minuses = {
        k: "an ear" if derivation.minus in _EARS else derivation.minus
        for k in scalp.indices
        if (derivation := parse_label(channels[k])) is not None
    }
    if not minuses:
        return None
    reference, count = Counter(minuses.values()).most_common(1)[0]
    if 2 * count <= len(minuses):
        return None
    if parse_label(reference) is not None and count < _AGAINST_AN_ELECTRODE:
        return None
    indices = [k for k, minus in minuses.items() if minus == reference]
    return _as_they_are("referential", "Against the reference", channels, indices)


def _recorded(channels: tuple[str, ...]) -> ReadMontage:
    indices = [k for k, label in enumerate(channels) if plain_label(label) not in DUMMIES]
    return _as_they_are("recorded", "As recorded", channels, indices or list(range(len(channels))))


def _as_they_are(key: str, name: str, channels: tuple[str, ...], indices: list[int]) -> ReadMontage:
    count = len(indices)
    labels = tuple(channels[k].strip() for k in indices)
    montage_map = MontageMap(
        names=labels,
        used=tuple(indices),
        plus=tuple(range(count)),
        minus=(-1,) * count,
        sign=(1,) * count,
        notes=(),
    )
    return ReadMontage(key, name, montage_map, tuple(_trace(label, key) for label in labels))


def _trace(label: str, key: str) -> Trace:
    derivation = parse_label(label.removesuffix("-Avg"))
    if derivation is None:
        return Trace(label, "middle", "other")
    names = [derivation.plus, derivation.minus]
    numbers = [int(match[0]) if (match := re.search(r"\d+$", n)) else 0 for n in names if n]
    if parse_label(derivation.minus) is None:  # a reference has no side
        numbers = numbers[:1]
    sides: set[Side] = {_side(number) for number in numbers}
    side: Side = sides.pop() if len(sides) == 1 else "middle"
    if side == "middle":
        return Trace(label, side, "midline")
    if key != "bipolar":
        return Trace(label, side, side)
    chain = "temporal" if any(number >= _TEMPORAL for number in numbers) else "parasagittal"
    return Trace(label, side, f"{side} {chain}")


def _side(number: int) -> Side:
    """Odd numbers are left, even ones right; none, for z, is the midline."""
    return "middle" if number == 0 else "left" if number % 2 else "right"
