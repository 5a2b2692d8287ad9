"""Figures of explanations in a study's report: what they cost, and how far networks agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from secateur.reporting.drawing import (
    draw_interval,
    handles_of,
    legend_below,
    name_rows,
    new_figure,
    plain_axes,
)
from secateur.reporting.style import COLOURS, INK, SOFT

if TYPE_CHECKING:
    from secateur.studies import Estimate, Explaining, Reasons

_COLOURS = tuple(
    COLOURS[name]
    for name in ("baseline", "pruned", "scratch", "random", "unstructured", "retrained")
)
_MARKS = ("o", "D", "s", "^", "P", "v")


def costs(explaining: Explaining) -> Figure:
    """A row a method, a mark a network; the whole network unexplained as lines."""
    methods = ("inference", *explaining.methods)
    figure = new_figure(9.0, 1.4 + 0.38 * len(methods))
    axes = plain_axes(figure.subplots(), grid="x")
    axes.set_xscale("log")
    spread = np.linspace(-0.2, 0.2, len(explaining.prices))
    for index, price in enumerate(explaining.prices):
        for row, method in enumerate(methods):
            if method not in price.methods:
                continue
            middle = price.methods[method].milliseconds
            look = {
                "color": _COLOURS[index % len(_COLOURS)],
                "marker": _MARKS[index % len(_MARKS)],
                "markersize": 5.5,
                "linewidth": 1.4,
                "label": price.name,
            }
            ends = (middle.low, middle.high)
            draw_interval(axes, row + spread[index], middle.median, ends, look)
    unpruned = explaining.prices[0]
    lines = (
        ("whole, a window by itself", unpruned.methods["inference"].milliseconds.median, "--"),
        ("whole, a hop of the shared pass", unpruned.hop.median, ":"),
    )
    for label, milliseconds, style in lines:
        axes.axvline(milliseconds, color=INK, linewidth=1.1, linestyle=style, label=label)
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("processor time for one window, ms (bars: quartiles over runs)")
    legend_below(figure, handles_of([axes]), columns=3)
    return figure


def agreement(reasons: Reasons) -> Figure:
    """Rank correlation and top five by network, a mark a method."""
    names = list(reasons.agreement)
    figure = new_figure(11.2, 1.3 + 0.5 * len(names))
    ranks, tops = figure.subplots(1, 2, sharey=True)
    chance = min(1.0, 5 / max(1, reasons.channels))
    panels = (
        (ranks, "rank correlation of channels", 0.0),
        (tops, "share of the five named first that are the same", chance),
    )
    for index, (axes, title, by_chance) in enumerate(panels):
        plain_axes(axes, grid="x")
        axes.axvline(by_chance, color=SOFT, linewidth=1.0, linestyle=":")
        for row, each in enumerate(reasons.agreement.values()):
            _marks(axes, row, each.rank if index == 0 else each.top)
        axes.set_title(title)
        name_rows(axes, names)
    legend_below(figure, handles_of([ranks]))
    return figure


def _marks(axes: Axes, row: int, by_method: Mapping[str, Estimate]) -> None:
    spread = np.linspace(-0.24, 0.24, len(by_method))
    for index, (method, estimate) in enumerate(by_method.items()):
        look = {
            "color": _COLOURS[index % len(_COLOURS)],
            "marker": _MARKS[index % len(_MARKS)],
            "markersize": 5.0,
            "linewidth": 1.4,
            "label": method,
        }
        draw_interval(axes, row + spread[index], estimate.value, estimate.interval, look)
