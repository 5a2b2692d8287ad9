"""Faults by plain rules: which channel, from when to when, so that none of them is taken for drift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from secateur.monitoring.sketch import HourSketch, Setup, Usual

WORDS = {
    "flat": "no signal",
    "railed": "at its converter's limit",
    "clipped": "cut off at its extremes",
    "mains": "mains louder than the EEG",
    "off": "electrode off: more than a hundred times as strong as the others",
    "bridged": "bridged by gel",
    "swapped": "changed places",
    "montage": "montage changed",
    "rate": "sampling rate changed",
}
"""Faults by kind, and what is said of a channel that has one."""

_MINUTES = {"flat": 5, "railed": 5, "clipped": 10, "mains": 10, "off": 10, "bridged": 10}
"""Minutes of an hour from which a rule's holding is a fault; of less than an hour half of it is enough,
but no single minute of what also movement and a seizure can do."""
_AT_LEAST = {"flat": 1, "railed": 1}

_GAP = 6 * 3600
"""Seconds between two times of one fault that are reported as one."""

_SWAP_RATIO, _SWAP_LEAST = 3.0, 0.02
"""Two channels have changed places where their correlations with all others lie so many times nearer to each
other's than to their own, which are off by so much (mean square, as Fisher has correlations). Chosen on
single minutes of real EEG: of 100 of them as they were none was called, of 184 in which two channels had
been exchanged 118; an hour's mean is steadier."""
_SWAP_CHANNELS = 6
"""Channels known, without which no two can be told to have changed places."""

_MOST_NAMES = 4
"""Channels of a changed montage that are named; how many more there are is told."""


@dataclass(frozen=True)
class Fault:
    """A fault of one channel, or of the recording where `channel` is empty.

    `begin`, `end`: seconds since 1970-01-01 00:00 on the recording's clock; of a recording that belongs to no
    day, from its own beginning. `recording`: the name of such a one, else empty. `minutes`: in which the rule
    held.
    """

    kind: str
    channel: str
    begin: int
    end: int
    minutes: int
    recording: str = ""
    detail: str = ""

    @property
    def words(self) -> str:
        """The fault in a few words, its channel first."""
        words = self.detail or WORDS[self.kind]
        return f"{self.channel}: {words}" if self.channel else words


def faults_of(hours: Iterable[HourSketch], usual: Usual | None = None) -> list[Fault]:
    """Faults of hours in order of time, longest-lasting causes joined.

    `usual`: what channels' correlations are compared with, and the setup that each hour should have; without
    it no channel can be told to have changed places, and the first hour's setup is the right one.
    """
    rows: list[Fault] = []
    setup = None if usual is None else usual.setup
    for hour in hours:
        setup = setup or hour.setup
        rows += hour_faults(hour, setup, usual)
    return joined(rows)


def hour_faults(hour: HourSketch, setup: Setup, usual: Usual | None) -> list[Fault]:
    """Faults of one hour."""
    rows = []
    known = -(-hour.seconds // 60)
    for name, sign in hour.signs.items():
        kind, _, channel = name.partition(":")
        if sign.minutes >= min(_MINUTES[kind], max(_AT_LEAST.get(kind, 2), known / 2)):
            begin, end = hour.start + sign.first, hour.start + sign.last
            rows.append(Fault(kind, channel, begin, end, sign.minutes))
    rows = _of_all(rows, hour)
    begin, end = hour.start, hour.start + 3600
    for kind, detail in _changes(hour.setup, setup):
        rows.append(Fault(kind, "", begin, end, known, detail=detail))
    if usual is not None and hour.setup == usual.setup:
        for left, right in swapped(hour, usual):
            channel = f"{hour.setup.recorded[left]} and {hour.setup.recorded[right]}"
            rows.append(Fault("swapped", channel, begin, end, known))
    return rows


def _of_all(rows: list[Fault], hour: HourSketch) -> list[Fault]:
    """Where every channel has a fault it is the recording's."""
    count = len(hour.setup.recorded)
    kept: list[Fault] = []
    for kind in dict.fromkeys(row.kind for row in rows):
        mine = [row for row in rows if row.kind == kind]
        if count > 1 and len(mine) == count and kind != "bridged":
            begin, end = min(row.begin for row in mine), max(row.end for row in mine)
            mine = [Fault(kind, "all channels", begin, end, max(row.minutes for row in mine))]
        kept += mine
    return kept


def _changes(setup: Setup, usual: Setup) -> list[tuple[str, str]]:
    """What an hour's setup has otherwise than the patient's: kind and words."""
    changes = []
    if setup.rate != usual.rate:
        detail = f"sampling rate changed: {usual.rate:g} Hz before, {setup.rate:g} Hz now"
        changes.append(("rate", detail))
    if (setup.recorded, setup.montage) != (usual.recorded, usual.montage):
        lost = [name for name in usual.recorded if name not in setup.recorded]
        new = [name for name in setup.recorded if name not in usual.recorded]
        parts = [f"without {_some(lost)}"] * bool(lost) + [f"with {_some(new)}"] * bool(new)
        ways = [each.montage or "as recorded" for each in (usual, setup)]
        detail = ", ".join(parts) or f"{ways[0]} before, {ways[1]} now"
        changes.append(("montage", f"montage changed: {detail}"))
    return changes


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def joined(rows: Sequence[Fault]) -> list[Fault]:
    """Faults of one kind and channel that follow each other within six hours, as one; by time."""
    last: dict[tuple[str, str, str, str], int] = {}
    result: list[Fault] = []
    for row in sorted(rows, key=lambda each: (each.begin, each.kind, each.channel)):
        key = row.kind, row.channel, row.recording, row.detail
        at = last.get(key)
        if at is not None and row.begin - result[at].end <= _GAP:
            before = result[at]
            end, minutes = max(before.end, row.end), before.minutes + row.minutes
            result[at] = Fault(
                row.kind, row.channel, before.begin, end, minutes, row.recording, row.detail
            )
        else:
            last[key] = len(result)
            result.append(row)
    return result


def swapped(hour: HourSketch, usual: Usual) -> list[tuple[int, int]]:
    """Indices of recorded channels that have changed places, two by two."""
    now, before = (
        _square(np.arctanh(values.clip(-0.99, 0.99)), hour.setup)
        for values in (hour.neighbours(), usual.neighbours)
    )
    # of channels i and j: how far i's correlations with all others are from those that j had, and i
    across = (now[:, None] - before[None]) ** 2
    counted = ~np.isnan(across)
    enough = counted.sum(axis=2) >= _SWAP_CHANNELS - 2
    count = np.maximum(counted.sum(axis=2), 1)
    fit = np.where(counted, across, 0.0).sum(axis=2) / count
    own = np.where(counted, np.nan_to_num((now - before) ** 2)[:, None], 0.0).sum(axis=2) / count
    gain = (own + own.T) / np.maximum(fit + fit.T, 1e-6)
    changed = enough & enough.T & (gain > _SWAP_RATIO) & (own + own.T > 2 * _SWAP_LEAST)
    pairs: list[tuple[int, int]] = []
    kept = hour.setup.correlated
    for i, j in sorted(np.argwhere(np.triu(changed, 1)).tolist(), key=lambda ij: -gain[tuple(ij)]):
        if not {kept[i], kept[j]} & {channel for pair in pairs for channel in pair}:
            pairs.append((kept[i], kept[j]))
    return sorted(pairs)


def _square(values: NDArray[np.float64], setup: Setup) -> NDArray[np.float64]:
    """Values of pairs as a symmetric matrix, nan on its diagonal."""
    count = len(setup.correlated)
    square = np.full((count, count), np.nan)
    rows, columns = _upper(count)
    square[rows, columns] = square[columns, rows] = values
    return square


@cache
def _upper(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns above the diagonal of a square, in the order of `Setup.pairs`."""
    rows, columns = np.triu_indices(count, 1)
    return rows, columns
