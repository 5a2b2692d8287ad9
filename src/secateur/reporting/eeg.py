"""EEG as readers of it know it: channels below each other, and behind them what each second adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from secateur.reporting.drawing import FONT, plain_axes
from secateur.reporting.style import INK, LOWERS, RAISES, SOFT, TRACE

_STEPS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_COLUMNS = 560
_CUT = 1.1
_PIXELS = 12
"""Of a second of a channel, along and across."""
_HATCH = 6, 2
"""Pixels from one line of the hatching to the next, and of a line."""
_FAINTEST, _STRONGEST = 0.04, 0.75


def draw_eeg(
    axes: Axes,
    data: NDArray[np.float64],
    names: Sequence[str],
    begin: float,
    rate: float,
    unit: str = "µV",
) -> None:
    """Traces of channels × samples from `begin` seconds on. `unit`: of the bar at the right; "" for none."""
    step = _spacing(data, rounded=bool(unit))
    plain_axes(axes)
    for row, values in enumerate(data):
        x, y = _envelope(values, begin, rate)
        cut = np.clip(y / step, -_CUT, _CUT)
        axes.plot(x, row - cut, color=TRACE, linewidth=0.55)
    axes.set_ylim(len(data) - 0.2, -0.9)
    axes.set_xlim(begin, begin + data.shape[1] / rate)
    axes.set_yticks(range(len(data)), names, fontsize=FONT - 1.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    if unit:
        _scale_bar(axes, f"{step:g} {unit}", len(data))


def shade(axes: Axes, attribution: NDArray[np.float64], edges: NDArray[np.float64]) -> None:
    """Behind the traces of `draw_eeg`: filled what raises the margin, hatched what lowers it.

    `attribution`: channels × seconds; `edges`: where seconds begin and the last one ends, seconds.
    """
    rows, most = len(attribution), float(np.abs(attribution).max()) or 1.0
    pixels = np.maximum(np.round(np.diff(edges) * _PIXELS).astype(int), 1)
    share = np.repeat(np.repeat(attribution / most, pixels, axis=1), _PIXELS, axis=0)
    y, x = np.indices(share.shape)
    hatched = (x + y) % _HATCH[0] < _HATCH[1]
    picture = np.zeros((*share.shape, 4))
    picture[share > 0, :3] = to_rgb(RAISES)
    picture[share < 0, :3] = to_rgb(LOWERS)
    strength = np.where(np.abs(share) < _FAINTEST, 0, np.abs(share) * _STRONGEST)
    picture[..., 3] = np.where(share > 0, strength, np.where(hatched, np.sqrt(strength), 0))
    extent = (float(edges[0]), float(edges[-1]), rows - 0.5, -0.5)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(picture, extent=extent, aspect="auto", interpolation="nearest", zorder=0)
    axes.set(xlim=limits[0], ylim=limits[1])


def draw_seconds(axes: Axes, seconds: NDArray[np.float64], edges: NDArray[np.float64]) -> None:
    """What each second adds over all channels, as bars."""
    plain_axes(axes)
    look = bar_look(seconds)
    widths = np.diff(edges)
    axes.bar(edges[:-1] + 0.04, seconds, widths - 0.08, align="edge", **look)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set_yticks([0])
    axes.set_ylabel("all", rotation=0, ha="right", va="center")


def bar_look(values: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
    """Of bars: filled those that raise the margin, hatched those that lower it."""
    raises = [value > 0 for value in values]
    return {
        "color": [RAISES if up else "none" for up in raises],
        "edgecolor": [INK if up else LOWERS for up in raises],
        "hatch": ["" if up else "/////" for up in raises],
        "linewidth": 0.5,
    }


def _spacing(data: NDArray[np.float64], *, rounded: bool = True) -> float:
    """Between neighbouring channels: what holds nearly all of the signal, a round number if so wanted."""
    if data.size == 0:
        return float(_STEPS[0])
    if not rounded:
        return 2.2 * float(np.quantile(np.abs(data), 0.99)) or 1.0
    spacing = 1.6 * float(np.median(np.quantile(np.abs(data), 0.98, axis=1)))
    return float(min(_STEPS, key=lambda step: abs(np.log(step / max(spacing, 1e-9)))))


def _envelope(
    values: NDArray[np.float64], begin: float, rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each column of the picture, so that no spike is lost."""
    per = max(1, len(values) // _COLUMNS)
    if per < 3:
        return begin + np.arange(len(values)) / rate, values
    columns = len(values) // per
    blocks = values[: columns * per].reshape(columns, per)
    at = np.sort(np.stack((blocks.argmin(axis=1), blocks.argmax(axis=1)), axis=1), axis=1)
    where = (at + np.arange(columns)[:, None] * per).ravel()
    return begin + where / rate, values[where]


def _scale_bar(axes: Axes, label: str, rows: int) -> None:
    """A bar of one spacing at the right, with its size."""
    transform = axes.get_yaxis_transform()
    top = max(0.0, rows - 2.0)
    axes.plot(
        (1.012, 1.012),
        (top, top + 1),
        transform=transform,
        color=INK,
        linewidth=1.6,
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.text(
        1.02,
        top + 0.5,
        label,
        transform=transform,
        va="center",
        ha="left",
        fontsize=FONT - 1,
        color=SOFT,
    )
