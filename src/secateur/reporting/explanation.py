"""An explained event as a figure: what its page shows, for slides and papers."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from secateur.explaining import Explanation
from secateur.explaining.drawing import Head, head_of
from secateur.explaining.page import in_words
from secateur.explaining.settings import MEANING
from secateur.explaining.writing import MEANS
from secateur.pages import DISCLAIMER
from secateur.reporting.drawing import FONT, look, new_figure, plain_axes, to_png
from secateur.reporting.eeg import bar_look, draw_eeg, draw_seconds, shade
from secateur.reporting.style import GRID, INK, LOWERS, PAPER, RAISES, SOFT

_CHANNELS = 8
"""So many of those that add most are named."""


def explanation_png(why: Explanation, title: str) -> bytes:
    """The figure of an explained event as PNG. `title`: of which recording, and which event."""
    with look():
        return to_png(_figure(why, title))


def _figure(why: Explanation, title: str) -> Figure:
    channels = len(why.channels)
    figure = new_figure(11.2, 4.6 + 0.2 * channels)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.5 + 0.2 * channels, 2.6))
    upper, lower = parts
    for part in (upper, lower):
        part.patch.set_alpha(0)
    traces, seconds = upper.subplots(2, 1, sharex=True, height_ratios=(max(3, channels / 3), 1))
    _draw_traces(traces, why)
    traces.set_title(title)
    _draw_seconds(seconds, why)
    left, middle, right = lower.subplots(1, 3, width_ratios=(1, 0.9, 1.5))
    _draw_head(left, head_of(why))
    _draw_bands(middle, why)
    _write(right, why)
    return figure


def _edges(why: Explanation) -> NDArray[np.float64]:
    return np.asarray(why.signal.begin + why.signal.edges / why.signal.rate)


def _draw_traces(axes: Axes, why: Explanation) -> None:
    signal = why.signal
    segment = signal.segment.astype(np.float64)
    draw_eeg(axes, segment, why.channels, signal.begin, signal.rate, unit="")
    if why.attribution is not None:
        shade(axes, why.attribution, _edges(why))
    for edge in (why.event.onset, why.event.end):
        axes.axvline(edge, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))


def _draw_seconds(axes: Axes, why: Explanation) -> None:
    if why.by_second is None:
        plain_axes(axes).set_yticks([])
    else:
        draw_seconds(axes, why.by_second, _edges(why))
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_xlabel("seconds of the recording; dashed: the event")


def _draw_head(axes: Axes, head: Head | None) -> None:
    axes.set_axis_off()
    if head is None:
        return
    axes.set(xlim=(-5, 305), ylim=(310, -5), aspect="equal")
    axes.add_patch(Circle((150, 150), 132, fill=False, edgecolor=SOFT, linewidth=1.2))
    axes.plot((138, 150, 162), (19, 4, 19), color=SOFT, linewidth=1.2)
    for edge in head.edges:
        colour = RAISES if edge.share > 0 else LOWERS if edge.share < 0 else GRID
        if edge.begin == edge.end:
            radius = 3 + 9 * abs(edge.share)
            axes.add_patch(Circle(edge.begin, radius, edgecolor=colour, **_filled(edge.share > 0)))
            continue
        along = zip(edge.begin, edge.end, strict=True)
        dashes: Any = "-" if edge.share >= 0 else (0, (1.2, 0.8))
        axes.plot(
            *along,
            color=colour,
            linewidth=0.8 + 7 * abs(edge.share),
            linestyle=dashes,
            solid_capstyle="butt",
        )
    for name, x, y in head.electrodes:
        axes.add_patch(Circle((x, y), 9, facecolor=PAPER, edgecolor=INK, linewidth=0.7, zorder=3))
        axes.text(x, y, name, ha="center", va="center", fontsize=FONT - 4, zorder=4)
    if head.absent:
        axes.text(150, 305, f"not drawn: {', '.join(head.absent)}", ha="center", fontsize=FONT - 3)


def _draw_bands(axes: Axes, why: Explanation) -> None:
    if not why.by_band:
        axes.set_axis_off()
        return
    plain_axes(axes, grid="x")
    names, values = list(why.by_band), list(why.by_band.values())
    axes.barh(names, values, 0.7, **bar_look(values))
    axes.axvline(0, color=SOFT, linewidth=0.8)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("logits, by band")


def _write(axes: Axes, why: Explanation) -> None:
    """In words what the figure shows, its key, and the channels that add most."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    ranked = [f"{name} {value:+.3f}" for name, value in why.ranked_channels()[:_CHANNELS]]
    parts = [in_words(why), f"{why.method}: {MEANING[why.method]}."]
    if ranked:
        parts.append(f"Channels, logits: {', '.join(ranked)}.")
    if why.background:
        parts.append(f"What is taken away is replaced by {why.background}.")
    parts += [MEANS, f"{DISCLAIMER}."]
    axes.text(0, 1, "\n".join(fill(part, 78) for part in parts), va="top", fontsize=FONT - 1.5)
    for x, name, raises in ((0.0, "raises the margin", True), (0.4, "lowers it", False)):
        edge = INK if raises else LOWERS
        axes.add_patch(Rectangle((x, 0), 0.05, 0.06, edgecolor=edge, **_filled(raises)))
        axes.text(x + 0.07, 0.03, name, va="center", fontsize=FONT - 1)


def _filled(raises: bool) -> dict[str, Any]:
    return {"facecolor": RAISES} if raises else {"fill": False, "hatch": "/////"}
