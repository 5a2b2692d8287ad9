"""The figures of a page as coordinates: traces with attribution behind, seconds, bands, a head from above.

What raises the margin is filled, what lowers it hatched, so that a figure printed in grey says the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.explaining.explanation import Explanation
from secateur.explaining.scalp import electrodes_of_channel, position, spelt
from secateur.pages import environment

WIDTH, LEFT, ROW = 900.0, 90.0, 26.0
"""Of the traces: units across, those before them, and units a channel."""
_SECONDS_HEIGHT = 60.0
_POINTS = 1800
"""Points of a trace at most: a lowest and a highest for each stretch."""
_FAINTEST = 0.02
"""Of the largest attribution; what is fainter isn't drawn."""


@dataclass(frozen=True)
class Block:
    """A rectangle. `share`: its value as a share of the largest, below zero where it lowers the margin."""

    x: float
    y: float
    width: float
    height: float
    share: float
    title: str = ""


@dataclass(frozen=True)
class Traces:
    """EEG with attribution behind it, and the seconds' sums below."""

    height: float
    names: tuple[tuple[str, float], ...]
    lines: tuple[str, ...]
    blocks: tuple[Block, ...]
    seconds: tuple[Block, ...]
    ticks: tuple[tuple[float, str], ...]
    event: tuple[float, float]
    zero: float
    seconds_height: float = _SECONDS_HEIGHT


def traces_of(why: Explanation) -> Traces:
    """The event's signal, all channels below each other, each 1 / 99th percentile scaled alike."""
    signal = why.signal
    length = signal.segment.shape[1] / signal.rate
    scale = (WIDTH - LEFT) / length
    spread = float(np.percentile(np.abs(signal.segment), 99)) or 1.0
    rows = [(k + 0.5) * ROW for k in range(len(why.channels))]
    lines = tuple(
        _line(trace * (0.9 * ROW / 2 / spread), row, scale / signal.rate)
        for trace, row in zip(signal.segment, rows, strict=True)
    )
    starts = why.seconds - signal.begin
    stops = np.append(starts[1:], length)
    ticks = tuple(
        (LEFT + start * scale, f"{second:.0f}")
        for start, second in zip(starts, why.seconds, strict=True)
        if round(second) % _every(length) == 0
    )
    height = ROW * len(rows)
    blocks: list[Block] = []
    if why.attribution is not None:
        most = float(np.abs(why.attribution).max()) or 1.0
        for row, values in enumerate(why.attribution):
            for value, start, stop in zip(values, starts, stops, strict=True):
                if abs(value) >= _FAINTEST * most:
                    title = f"{why.channels[row]}, {signal.begin + start:.0f} s: {value:+.4f}"
                    x, width = LEFT + start * scale, (stop - start) * scale
                    blocks.append(Block(x, row * ROW, width, ROW, value / most, title))
    event = tuple(
        LEFT + scale * float(np.clip(edge - signal.begin, 0, length))
        for edge in (why.event.onset, why.event.end)
    )
    names = tuple(zip(why.channels, rows, strict=True))
    seconds = _seconds(why, starts, stops, scale)
    zero = _zero_line(why)[1]
    return Traces(height, names, lines, tuple(blocks), seconds, ticks, (event[0], event[1]), zero)


def _line(values: NDArray[np.float32], middle: float, step: float) -> str:
    """A trace as an SVG path; of long ones the lowest and highest of each stretch."""
    count = len(values)
    every = max(1, -(-2 * count // _POINTS))
    if every > 1:
        usable = count // every * every
        parts = values[:usable].reshape(-1, every)
        drawn = np.stack((parts.min(axis=1), parts.max(axis=1)), axis=1).reshape(-1)
        at = np.repeat(np.arange(len(parts)) * every, 2)
    else:
        drawn, at = values, np.arange(count)
    y = np.clip(middle - drawn, middle - ROW, middle + ROW)
    return "M" + "L".join(f"{LEFT + x * step:.1f} {v:.1f}" for x, v in zip(at, y, strict=True))


def _every(seconds: float) -> int:
    """Seconds from one label to the next."""
    return next((step for step in (1, 2, 5, 10, 20, 30, 60, 120) if seconds / step <= 15), 300)


def _seconds(
    why: Explanation, starts: NDArray[np.float64], stops: NDArray[np.float64], scale: float
) -> tuple[Block, ...]:
    if why.by_second is None:
        return ()
    most = float(np.abs(why.by_second).max()) or 1.0
    above, zero = _zero_line(why)
    blocks = []
    for value, start, stop in zip(why.by_second, starts, stops, strict=True):
        height = abs(value) * above
        y = zero - height if value > 0 else zero
        title = f"{why.signal.begin + start:.0f} s: {value:+.4f}"
        blocks.append(
            Block(LEFT + start * scale, y, (stop - start) * scale, height, value / most, title)
        )
    return tuple(blocks)


def _zero_line(why: Explanation) -> tuple[float, float]:
    """Units of a logit, and where zero stands, so that the bars of all seconds fill their height."""
    values = np.zeros(1) if why.by_second is None else why.by_second
    top, bottom = max(0.0, float(values.max())), min(0.0, float(values.min()))
    unit = _SECONDS_HEIGHT / ((top - bottom) or 1.0)
    return unit, top * unit


@dataclass(frozen=True)
class Bar:
    """A value by name, as a share of the largest."""

    name: str
    value: float
    share: float


def bars_of(values: dict[str, float]) -> tuple[Bar, ...]:
    """Bars in the order of `values`."""
    most = max((abs(value) for value in values.values()), default=0.0) or 1.0
    return tuple(Bar(name, value, value / most) for name, value in values.items())


@dataclass(frozen=True)
class Edge:
    """A channel between two electrodes, or around one (then both places are the same)."""

    name: str
    begin: tuple[float, float]
    end: tuple[float, float]
    value: float
    share: float


@dataclass(frozen=True)
class Head:
    """Channels on a head. `absent`: labels of those whose electrodes have no known place."""

    edges: tuple[Edge, ...]
    electrodes: tuple[tuple[str, float, float], ...]
    absent: tuple[str, ...]


_RADIUS, _CENTRE = 120.0, 150.0


def head_of(why: Explanation) -> Head | None:
    """Each channel where its electrodes stand, in a square of 300 units; None without channels."""
    if why.by_channel is None:
        return None
    most = float(np.abs(why.by_channel).max()) or 1.0
    edges, absent = [], []
    electrodes: dict[str, tuple[str, tuple[float, float]]] = {}
    for name, value in zip(why.channels, why.by_channel, strict=True):
        own = electrodes_of_channel(name)
        if not own:
            absent.append(name)
            continue
        spots = [_on_page(electrode) for electrode in own]
        for electrode, spot in zip(own, spots, strict=True):
            electrodes[electrode] = (spelt(electrode, name), spot)
        edges.append(Edge(name, spots[0], spots[-1], float(value), float(value) / most))
    edges.sort(key=lambda edge: abs(edge.share))
    labelled = tuple((name, x, y) for name, (x, y) in electrodes.values())
    return Head(tuple(edges), labelled, tuple(absent)) if edges else None


def head_svg(why: Explanation) -> str | None:
    """The head as SVG, whose classes are those of the page's style sheet; None without channels."""
    head = head_of(why)
    if head is None:
        return None
    return environment("secateur.explaining").get_template("head.svg").render(head=head)


def _on_page(electrode: str) -> tuple[float, float]:
    spot = position(electrode)
    assert spot is not None
    return round(_CENTRE + _RADIUS * spot[0], 1), round(_CENTRE - _RADIUS * spot[1], 1)
