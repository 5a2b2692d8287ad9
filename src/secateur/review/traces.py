"""A page of EEG: what is shown of a recording is read, filtered, thinned out by extremes and packed."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.recordings import Recording, duration_of
from secateur.review.montages import ReadMontage
from secateur.windows.filters import BlockFilter, BlockForm, block_form, high_pass, low_pass, notch

HIGH = (0.0, 0.1, 0.3, 0.5, 1.0, 1.6, 5.0)
LOW = (0.0, 15.0, 30.0, 35.0, 50.0, 70.0, 100.0)
NOTCH = (0.0, 50.0, 60.0)
"""Filters to choose from, Hz; 0: none."""
LONGEST = 3600.0
"""Seconds of the longest page."""
WIDEST = 8192
"""Points across a page at most."""

LOST = -32768
"""Stands for a sample that was lost."""
_LARGEST_STEP = 1.0
"""µV of one step at most: a value beyond ±32.8 mV, off every page, is shown there."""
_SMALLEST_STEP = 1e-3
_NOTCH_QUALITY = 30.0
_SETTLED = math.log(1e4)
"""Time constants after which a filter has forgotten all but a ten-thousandth of what was before."""
_AT_ONCE = 1 << 19
"""Samples of all channels that are worked on at a time."""

Kind = Literal["samples", "extremes"]


@dataclass(frozen=True)
class PageRequest:
    """What is to be shown. Seconds from the recording's start; filters in Hz, 0: none.

    `width`: points across. Raises `SettingsError` where that is no page.
    """

    begin: float
    seconds: float
    high: float = 0.0
    low: float = 0.0
    notch: float = 0.0
    width: int = 1024

    def __post_init__(self) -> None:
        if not (math.isfinite(self.begin) and self.begin >= 0):
            raise SettingsError(f"begin is {self.begin:g} s; a page begins at 0 s or later")
        if not 0 < self.seconds <= LONGEST:
            raise SettingsError(
                f"seconds is {self.seconds:g}; a page has more than 0 and at most {LONGEST:g}"
            )
        if not 1 <= self.width <= WIDEST:
            raise SettingsError(f"width is {self.width}; 1 to {WIDEST} points are drawn")
        for name, value in (("high", self.high), ("low", self.low), ("notch", self.notch)):
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"{name} is {value:g} Hz; wanted 0 (none) or more")


@dataclass(frozen=True)
class TracePage:
    """A page as it is sent. `values`: traces × points, or traces × points × 2 (least, greatest): int16.

    `unit`: µV of one step. `lost`: begin and end of what wasn't recorded, in seconds.
    """

    begin: float
    seconds: float
    kind: Kind
    unit: float
    labels: tuple[str, ...]
    lost: tuple[tuple[float, float], ...]
    values: NDArray[np.int16]

    def to_bytes(self) -> bytes:
        """The length of a header (uint32, little endian), the header in JSON, and the values."""
        header = {
            "begin": self.begin,
            "seconds": self.seconds,
            "points": self.values.shape[1],
            "kind": self.kind,
            "unit": self.unit,
            "labels": self.labels,
            "lost": self.lost,
        }
        text = json.dumps(header).encode()
        text += b" " * (len(text) % 2)
        return struct.pack("<I", len(text)) + text + self.values.astype("<i2").tobytes()


def filters_of(rate: float) -> dict[str, list[float]]:
    """The filters that can be chosen for a recording at `rate` Hz."""
    return {
        name: [value for value in values if value < rate / 2]
        for name, values in (("high", HIGH), ("low", LOW), ("notch", NOTCH))
    }


def lost_within(recording: Recording, begin: float, end: float) -> tuple[tuple[float, float], ...]:
    """Begin and end (seconds) of what wasn't recorded between `begin` and `end`."""
    rate, lost, at = recording.sampling_rate, [], begin
    for first, last in recording.stretches:
        if first / rate > at:
            lost.append((at, min(end, first / rate)))
        at = max(at, last / rate)
        if at >= end:
            break
    return tuple((b, e) for b, e in lost if e > b)


def page_of(recording: Recording, montage: ReadMontage, request: PageRequest) -> TracePage:
    """Read a page, and before it as much as its filters need to settle; nothing else is read.

    The filters are causal, as those of EEG machines are: a discharge doesn't begin before it began. Raises
    `SettingsError` for a filter that the sampling rate doesn't allow, or `RecordingError`.
    """
    rate = recording.sampling_rate
    begin = min(request.begin, max(0.0, duration_of(recording) - 1 / rate))
    seconds = min(request.seconds, duration_of(recording) - begin)
    first, count = round(begin * rate), max(1, round(seconds * rate))
    count = min(count, recording.samples - first)
    labels = montage.montage_map.names
    kind: Kind = "samples" if count <= 2 * request.width else "extremes"
    points = count if kind == "samples" else request.width
    least = np.full((len(labels), points), np.inf, dtype=np.float32)
    greatest = least if kind == "samples" else np.full_like(least, -np.inf)
    # where each point begins among the page's samples
    edges = -(-np.arange(points + 1, dtype=np.int64) * count // points)
    for at, values in _filtered(recording, montage, request, (first, first + count)):
        if kind == "samples":
            least[:, at : at + values.shape[1]] = values
        else:
            _extremes(values, at, edges, (least, greatest))
    stacked = least if kind == "samples" else np.stack((least, greatest), axis=-1)
    codes, unit = _packed(stacked)
    lost = lost_within(recording, first / rate, (first + count) / rate)
    return TracePage(first / rate, count / rate, kind, unit, labels, lost, codes)


def _filtered(
    recording: Recording, montage: ReadMontage, request: PageRequest, page: tuple[int, int]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Pieces of the page (first sample, one after the last): where each begins in it, and its values."""
    rate, used = recording.sampling_rate, montage.montage_map.used
    form = _form(request.high, request.low, request.notch, rate)
    before = math.ceil(_settling(request) * rate)
    step = max(1, _AT_ONCE // max(1, len(used)))
    for stretch_begin, stretch_end in recording.stretches:
        start, stop = max(stretch_begin, page[0] - before), min(stretch_end, page[1])
        if stop <= max(start, page[0]):
            continue
        passed = None if form is None else BlockFilter(form, len(montage.traces))
        for at in range(start, stop, step):
            end = min(at + step, stop)
            values = montage.montage_map.apply(recording.read(at / rate, end / rate, used))
            if passed is not None:
                values = passed.push(values)
            if end > page[0]:
                skip = max(0, page[0] - at)
                yield at + skip - page[0], values[:, skip:]


@lru_cache(maxsize=64)
def _form(high: float, low: float, notched: float, rate: float) -> BlockForm | None:
    """High-pass of one pole, low-pass of two, notch; None where none was asked for."""
    for name, value in (("high", high), ("low", low), ("notch", notched)):
        if value >= rate / 2:
            raise SettingsError(
                f"{name} is {value:g} Hz; a recording at {rate:g} Hz holds less than {rate / 2:g} Hz"
            )
    sections = [
        *([high_pass(high, rate)] if high else []),
        *([low_pass(low, rate)] if low else []),
        *([notch(notched, _NOTCH_QUALITY, rate)] if notched else []),
    ]
    return block_form(np.concatenate(sections)) if sections else None


def _settling(request: PageRequest) -> float:
    """Seconds that are read before a page, so that it is shown as if the filter had always run."""
    slowest = 0.0
    if request.high:
        slowest = max(slowest, 1 / (2 * math.pi * request.high))
    if request.low:
        slowest = max(slowest, math.sqrt(2) / (2 * math.pi * request.low))
    if request.notch:
        slowest = max(slowest, _NOTCH_QUALITY / (math.pi * request.notch))
    return _SETTLED * slowest


def _extremes(
    values: NDArray[np.float32],
    at: int,
    edges: NDArray[np.int64],
    out: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Take samples from the page's sample `at` on into the least and greatest of their points."""
    first = int(np.searchsorted(edges, at, side="right")) - 1
    last = int(np.searchsorted(edges, at + values.shape[1], side="left"))
    starts = np.maximum(edges[first:last] - at, 0)
    least, greatest = out[0][:, first:last], out[1][:, first:last]
    np.minimum(least, np.minimum.reduceat(values, starts, axis=1), out=least)
    np.maximum(greatest, np.maximum.reduceat(values, starts, axis=1), out=greatest)


def _packed(values: NDArray[np.float32]) -> tuple[NDArray[np.int16], float]:
    """Values as int16, and µV of one step; what is not finite is lost."""
    there = np.isfinite(values)
    largest = float(np.abs(values, where=there, out=np.zeros_like(values)).max(initial=0.0))
    unit = float(np.clip(largest / -(LOST + 1), _SMALLEST_STEP, _LARGEST_STEP))
    codes = np.full(values.shape, LOST, dtype=np.int16)
    steps = np.clip(np.round(values[there] / unit), LOST + 1, -(LOST + 1))
    codes[there] = steps.astype(np.int16)
    return codes, unit
