"""What size costs in score: every rung, its controls and the margin, against MACs, bytes and milliseconds.

Comes in: what a ladder's result.json holds. Goes out: a matplotlib figure. Next: `ladder_sections` puts it
into the report; `ladder` writes it as a PNG.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.ladder_numbers import (
    CONTROL_NAMES,
    Told,
    margins_of,
    mean_of,
    metric_of,
    rung_label,
    scored,
    size_of,
)
from secateur.reporting.style import (
    COLOURS,
    INK,
    MARKS,
    MODEL_NAMES,
    PAPER,
    SOFT,
    large,
)
from secateur.scoring.metrics import METRICS

_SIZES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("macs", "MACs a window", large),
    ("file_bytes", "file, kB", lambda value: f"{value / 1000:g}"),
    ("latency_ms", "time a window, ms", lambda value: f"{value:g}"),
)

_FAR = 0.6
"""A control further away than this share of the rungs' height is named, not drawn."""

_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
"""Round numbers on a logarithmic axis, from sparse to dense; the first that gives three is taken."""

_ASIDE = {
    "scratch": -0.025,
    "scratch-long": -0.05,
    "random": 0.025,
    "unstructured": 0.05,
    "float": -0.05,
}
"""How far to the side a control is drawn, as a share of the axis, so that none hides another."""

_ROOM_FOR_WORDS = 0.16
"""Of the axis; rungs that stand closer are not both labelled."""


def pareto(told: Told, title: bool = False) -> Figure:
    """Score against MACs, bytes and milliseconds. `title`: say what it is, for outside a report."""
    figure = new_figure(11.2, 4.7)
    metric = metric_of(told)
    grid = figure.subplots(1, 3, sharey=True)
    for axes, (key, label, write) in zip(grid, _SIZES, strict=True):
        plain_axes(axes, grid="both")
        _levels(axes, told, metric)
        _controls(axes, told, metric, key)
        _rungs(axes, told, metric, key)
        _in_sizes(axes, label, write)
    grid[0].set_ylim(_heights(told, metric))
    grid[0].set_ylabel(f"{METRICS[metric].label}, mean over subjects judged")
    handles = _unique(grid)
    figure.legend(
        *zip(*((line, name) for name, line in handles.items()), strict=True),
        loc="outside lower center",
        ncols=5,
        columnspacing=1.6,
    )
    if title:
        word = "SIMULATED data · " if told["data"]["simulated"] else ""
        people = len(told["baseline"]["certification"]["subjects"])
        figure.suptitle(
            f"{word}{told['data']['name']} · {people} subjects judged, unseen in training",
            fontsize=FONT + 2,
            x=0.012,
            color=SOFT,
            ha="left",
        )
    return figure


def _levels(axes: Axes, told: Told, metric: str) -> None:
    """The baseline's score, the margin, and the trivial detector's score, as lines."""
    base = mean_of(told["baseline"], metric)
    if base is not None:
        limit = base - METRICS[metric].sign * margins_of(told)[metric]
        axes.axhline(base, color=COLOURS["baseline"], linewidth=1, alpha=0.6)
        axes.axhline(limit, color=INK, linewidth=1.3, linestyle="--", label="Margin")
    trivial = told["controls"].get("trivial")
    level = None if trivial is None else mean_of(trivial, metric)
    if level is not None:
        axes.axhline(
            level,
            color=COLOURS["trivial"],
            linewidth=1.3,
            linestyle=":",
            label="Forest (no network)",
        )


def _reach(told: Told, key: str) -> float:
    """How many times the largest size on an axis is the smallest."""
    models = [told["models"]["baseline"], *told["ladder"]]
    sizes = [size_of(model, key, floats=floats) for model in models for floats in (False, True)]
    known = [size for size in sizes if size]
    return max(known) / min(known) if known else 1.0


def _controls(axes: Axes, told: Told, metric: str, key: str) -> None:
    reach = _reach(told, key)
    for kind, label in CONTROL_NAMES.items():
        points = [
            (size_of(rung, key, floats=True), mean_of(rung["controls"][kind], metric))
            for rung in told["ladder"]
            if kind in rung["controls"]
        ]
        known = [(x, y) for x, y in points if x is not None and y is not None]
        if not known:
            continue
        hollow = kind == "float"
        colour = COLOURS["pruned" if hollow else kind]
        axes.plot(
            [x * reach ** _ASIDE[kind] for x, _ in known],
            [y for _, y in known],
            MARKS["pruned" if hollow else kind],
            color=colour,
            markerfacecolor=PAPER if hollow else colour,
            markersize=5.5,
            label=label,
        )
    base = size_of(told["models"]["baseline"], key)
    retrained = told["controls"].get("retrained")
    level = None if retrained is None else mean_of(retrained, metric)
    if base is not None and level is not None:
        axes.plot(
            base,
            level,
            MARKS["retrained"],
            color=COLOURS["retrained"],
            markersize=7,
            label="Baseline, retrained",
        )


def _rungs(axes: Axes, told: Told, metric: str, key: str) -> None:
    base = mean_of(told["baseline"], metric)
    whole = size_of(told["models"]["baseline"], key)
    points = []
    for rung in told["ladder"]:
        x, y = size_of(rung, key), mean_of(rung, metric)
        if x is None or y is None or base is None:
            continue
        points.append((x, y))
        pair = rung["minus_baseline"]["intervals"][metric]
        if pair is not None:
            bar = (base + pair[0], base + pair[1])
            axes.plot((x, x), bar, color=COLOURS["pruned"], linewidth=2, alpha=0.55)
        held = rung["verdict"] == "passed"
        axes.plot(
            x,
            y,
            MARKS["pruned"],
            color=COLOURS["pruned"],
            markerfacecolor=COLOURS["pruned"] if held else PAPER,
            markersize=8,
            zorder=4,
            label="Rung, holds" if held else "Rung, not certified",
        )
        if rung["name"] == told["chosen"]:
            axes.plot(
                x,
                y,
                "o",
                color=INK,
                markerfacecolor="none",
                markersize=17,
                markeredgewidth=1.4,
                zorder=5,
                label="The answer",
            )
    _labels(axes, told, metric, key)
    if base is not None and whole is not None:
        joined = [*points, (whole, base)] if not points or points[0][0] <= whole else points
        xs, ys = zip(*sorted(joined), strict=True)
        axes.plot(xs, ys, color=COLOURS["pruned"], linewidth=1, alpha=0.6)
        axes.plot(
            whole,
            base,
            MARKS["baseline"],
            color=COLOURS["baseline"],
            markersize=9,
            zorder=4,
            label="Baseline",
        )


def _labels(axes: Axes, told: Told, metric: str, key: str) -> None:
    """Ratios beside the rungs, the answer's first, as far as there is room."""
    width = np.log10(_reach(told, key))
    taken: list[float] = []
    for rung in sorted(told["ladder"], key=lambda one: one["name"] != told["chosen"]):
        x, y = size_of(rung, key), mean_of(rung, metric)
        if x is None or y is None:
            continue
        place = float(np.log10(x))
        if any(abs(place - other) < _ROOM_FOR_WORDS * width for other in taken):
            continue
        taken.append(place)
        axes.annotate(
            rung_label(rung).removesuffix("-int8"),
            (x, y),
            xytext=(8, 8),
            textcoords="offset points",
            fontsize=FONT - 1,
            color=COLOURS["pruned"],
            zorder=6,
        )


def _in_sizes(axes: Axes, label: str, write: Callable[[float], str]) -> None:
    """A logarithmic axis with a few round numbers, however narrow it is."""
    axes.set_xscale("log")
    axes.margins(x=0.14)
    low, high = axes.get_xlim()
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)))
    ticks: list[float] = []
    for steps in _STEPS:
        ticks = [float(f"{power * step:.6g}") for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(low, high)
    axes.set_xlabel(label)


def _heights(told: Told, metric: str) -> tuple[float, float]:
    """From where to where scores are drawn, so that one sees what the margin is about."""
    base = mean_of(told["baseline"], metric)
    if base is None:
        return 0.0, 1.0
    seen = [base, base - METRICS[metric].sign * margins_of(told)[metric]]
    for rung in told["ladder"]:
        seen += [one for one in (mean_of(rung, metric),) if one is not None]
        seen += [base + end for end in rung["minus_baseline"]["intervals"][metric] or ()]
    height = max(max(seen) - min(seen), 1e-6)
    low, high = min(seen) - _FAR * height, max(seen) + _FAR * height
    near = [*seen, *(value for value, _ in _beside(told, metric) if low <= value <= high)]
    room = 0.08 * max(max(near) - min(near), 1e-6)
    top = max(near) + room
    return min(near) - room, min(top, 1.005) if METRICS[metric].is_share else top


def _beside(told: Told, metric: str) -> list[tuple[float, str]]:
    """The score and the name of every control."""
    found = [
        (mean_of(one, metric), f"{CONTROL_NAMES[kind]} at {rung_label(rung)}")
        for rung in told["ladder"]
        for kind, one in rung["controls"].items()
    ]
    found += [(mean_of(one, metric), MODEL_NAMES[kind]) for kind, one in told["controls"].items()]
    return [(value, words) for value, words in found if value is not None]


def too_far(told: Told) -> list[str]:
    """Controls that `pareto` doesn't draw, with their scores."""
    metric = metric_of(told)
    low, high = _heights(told, metric)
    return [
        f"{words} ({scored(value, metric)})"
        for value, words in _beside(told, metric)
        if not low <= value <= high
    ]


def _unique(grid: Sequence[Axes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for axes in grid:
        for line, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, line)
    order = ("Baseline", "Rung, holds", "Rung, not certified", "The answer", "Margin")
    return {name: found[name] for name in (*order, *found) if name in found}
