"""The figures of a ladder: what size costs in score, who lost what, which kernels stayed, which class pays.

Comes in: what a ladder's result.json holds. Goes out: matplotlib figures. Next: `ladder_sections` puts them
into the report; `ladder` writes the first as a PNG.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.ladder_numbers import (
    Told,
    better,
    losses_by_rung,
    margins_of,
    metric_of,
    rung_label,
    scored,
)
from secateur.reporting.style import (
    COLOURS,
    GRID,
    INK,
    JUDGED_NAMES,
    MARKS,
    MODEL_NAMES,
    PAPER,
    SOFT,
    large,
)
from secateur.scoring.margins import SHARES
from secateur.scoring.statements import is_harmed

CONTROL_NAMES = {
    "scratch": "Small, from scratch",
    "random": "Random kernels",
    "unstructured": "Single weights (not smaller)",
    "float": "Before 8 bits",
}
"""What stands beside a rung, in the order of figures and tables."""

_SIZES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("macs", "MACs a window", large),
    ("file_bytes", "file, kB", lambda value: f"{value / 1000:g}"),
    ("latency_ms", "time a window, ms", lambda value: f"{value:g}"),
)
_FAR = 0.6
"""A control further away than this share of the rungs' height is named, not drawn."""

_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
"""Round numbers on a logarithmic axis, from sparse to dense; the first that gives three is taken."""

_ASIDE = {"scratch": -0.025, "random": 0.025, "unstructured": 0.05, "float": -0.05}
"""How far to the side a control is drawn, as a share of the axis, so that none hides another."""

_ROOM_FOR_WORDS = 0.16
"""Of the axis; rungs that stand closer are not both labelled."""


def size_of(model: Mapping[str, Any], key: str, *, floats: bool = False) -> float | None:
    """MACs, bytes or median milliseconds; `floats`: of the network before quantising."""
    name = f"float_{key}" if floats and f"float_{key}" in model else key
    value = model[name]
    found: float | None = value["median"] if isinstance(value, Mapping) else value
    return found


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
    grid[0].set_ylabel(f"{JUDGED_NAMES[metric]}, mean over subjects judged")
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


def _mean(model: Mapping[str, Any], metric: str) -> float | None:
    value: float | None = model["certification"]["mean"][metric]
    return value


def _levels(axes: Axes, told: Told, metric: str) -> None:
    """The baseline's score, the margin, and the trivial detector's score, as lines."""
    base = _mean(told["baseline"], metric)
    if base is not None:
        limit = base - better(metric) * margins_of(told)[metric]
        axes.axhline(base, color=COLOURS["baseline"], linewidth=1, alpha=0.6)
        axes.axhline(limit, color=INK, linewidth=1.3, linestyle="--", label="Margin")
    trivial = told["controls"].get("trivial")
    level = None if trivial is None else _mean(trivial, metric)
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
            (size_of(rung, key, floats=True), _mean(rung["controls"][kind], metric))
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
    level = None if retrained is None else _mean(retrained, metric)
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
    base = _mean(told["baseline"], metric)
    whole = size_of(told["models"]["baseline"], key)
    points = []
    for rung in told["ladder"]:
        x, y = size_of(rung, key), _mean(rung, metric)
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
        x, y = size_of(rung, key), _mean(rung, metric)
        if x is None or y is None:
            continue
        place = float(np.log10(x))
        if any(abs(place - other) < _ROOM_FOR_WORDS * width for other in taken):
            continue
        taken.append(place)
        axes.annotate(
            f"{rung['ratio_achieved']:.2g}",
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
    base = _mean(told["baseline"], metric)
    if base is None:
        return 0.0, 1.0
    seen = [base, base - better(metric) * margins_of(told)[metric]]
    for rung in told["ladder"]:
        seen += [one for one in (_mean(rung, metric),) if one is not None]
        seen += [base + end for end in rung["minus_baseline"]["intervals"][metric] or ()]
    height = max(max(seen) - min(seen), 1e-6)
    low, high = min(seen) - _FAR * height, max(seen) + _FAR * height
    near = [*seen, *(value for value, _ in _beside(told, metric) if low <= value <= high)]
    room = 0.08 * max(max(near) - min(near), 1e-6)
    top = max(near) + room
    return min(near) - room, min(top, 1.005) if metric in SHARES else top


def _beside(told: Told, metric: str) -> list[tuple[float, str]]:
    """The score and the name of every control."""
    found = [
        (_mean(one, metric), f"{CONTROL_NAMES[kind]} at {rung_label(rung)}")
        for rung in told["ladder"]
        for kind, one in rung["controls"].items()
    ]
    found += [(_mean(one, metric), MODEL_NAMES[kind]) for kind, one in told["controls"].items()]
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


def loss_strips(told: Told) -> Figure:
    """What each subject lost at each rung: a dot a subject, the mean, its bound, and the margin."""
    margins = margins_of(told)
    columns = min(2, len(margins))
    lines = -(-len(margins) // columns)
    labels = [*(rung_label(rung) for rung in told["ladder"])]
    if "retrained" in told["controls"]:
        labels.append("retrained")
    figure = new_figure(11.2, (1.3 + 0.48 * len(labels)) * lines + 0.4)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(margins) :]:
        axes.set_visible(False)
    for axes, (metric, margin) in zip(grid.flat, margins.items(), strict=False):
        plain_axes(axes, grid="x")
        axes.axvline(0, color=SOFT, linewidth=0.8)
        axes.axvline(margin, color=INK, linewidth=1.3, linestyle="--")
        for row, (name, losses) in enumerate(losses_by_rung(told, metric)):
            _strip(axes, row, losses, margin, COLOURS["retrained" if name is None else "pruned"])
            if name is not None:
                _mean_and_bound(axes, row, told["ladder"][row], metric)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.set_title(f"Loss of {JUDGED_NAMES[metric]}, subject by subject")
        axes.set_xlabel("loss (right of 0 is worse than the baseline)")
    marks: dict[str, dict[str, Any]] = {
        "a subject": {"marker": "o", "color": COLOURS["pruned"], "alpha": 0.6},
        "lost more than the margin": {"marker": "X", "color": COLOURS["pruned"]},
        "mean, and its upper bound": {"marker": "|", "color": INK, "linestyle": "-"},
        "margin": {"color": INK, "linestyle": "--"},
    }
    handles = [Line2D([], [], **{"linestyle": "", **style}) for style in marks.values()]
    figure.legend(handles, list(marks), loc="outside lower center", ncols=4)
    return figure


def _strip(axes: Axes, row: int, losses: Sequence[float], margin: float, colour: str) -> None:
    """Dots beside each other where they would lie on one another."""
    values = np.sort(np.asarray(losses))
    for place, (value, harmed) in enumerate(zip(values, is_harmed(values, margin), strict=True)):
        axes.plot(
            value,
            row + 0.1 * (place % 3 - 1) + 0.08,
            "X" if harmed else "o",
            color=colour,
            markersize=6.5 if harmed else 5,
            markeredgewidth=0,
            alpha=0.9 if harmed else 0.55,
        )


def _mean_and_bound(axes: Axes, row: int, rung: Mapping[str, Any], metric: str) -> None:
    """Mean loss and the bound that decides."""
    told = next(one for one in rung["statements"] if one["metric"] == metric)
    if told["mean"] is None:
        return
    height = row - 0.3
    axes.plot(told["mean"], height, "|", color=INK, markersize=9, markeredgewidth=2)
    bounds = (told["t_bound"], told["bootstrap_bound"])
    if None not in bounds:
        axes.plot((told["mean"], max(bounds)), (height, height), color=INK, linewidth=1.6)
        axes.plot(max(bounds), height, "|", color=INK, markersize=6, markeredgewidth=1.6)


def kept_kernels(told: Told) -> Figure:
    """Which kernels stay at each rung: a panel a group, a row a rung, dark where kept."""
    rungs = told["ladder"]
    groups = list(rungs[0]["units"])
    columns = min(3, len(groups))
    lines = -(-len(groups) // columns)
    figure = new_figure(11.2, lines * (0.95 + 0.24 * len(rungs)))
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(groups) :]:
        axes.set_visible(False)
    for axes, group in zip(grid.flat, groups, strict=False):
        plain_axes(axes)
        units = rungs[0]["units"][group]
        kept = np.zeros((len(rungs), units), dtype=bool)
        for row, rung in enumerate(rungs):
            kept[row, rung["kept"][group]] = True
        order = np.argsort(-kept.sum(axis=0), kind="stable")
        for row, mask in enumerate(kept[:, order]):
            axes.broken_barh(((0.0, float(units)),), (row - 0.4, 0.8), color=GRID, linewidth=0)
            axes.broken_barh(
                _stretches(mask), (row - 0.4, 0.8), color=COLOURS["pruned"], linewidth=0
            )
        axes.set_title(f"{group}: {units} to {', '.join(str(n) for n in kept.sum(axis=1))}")
        axes.title.set_fontsize(FONT)
        axes.set_xlim(0, units)
        axes.set_ylim(len(rungs) - 0.5, -0.5)
        axes.set_yticks(range(len(rungs)), [rung_label(rung) for rung in rungs])
        axes.tick_params(axis="y", length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure


def _stretches(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[float, float]]:
    """Begin and length of each run of what is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [
        (float(begin), float(end - begin))
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def sensitivity_curves(told: Told) -> Figure:
    """How cross-entropy rises as more of each group is silenced, without retraining."""
    figure = new_figure(8.4, 3.9)
    axes = plain_axes(figure.subplots(), grid="both")
    units = told["ladder"][0]["units"]
    colours = list(dict.fromkeys(COLOURS.values()))
    for place, (group, (masked, rise)) in enumerate(told["sensitivity"].items()):
        axes.plot(
            [100 * one / units[group] for one in masked],
            rise,
            list(MARKS.values())[place % len(MARKS)],
            linestyle=("-", "--", ":")[place // len(colours) % 3],
            color=colours[place % len(colours)],
            markersize=5,
            label=f"{group} ({units[group]})",
        )
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set(xlabel="kernels silenced, %", ylabel="rise of cross-entropy")
    figure.legend(loc="outside right center")
    return figure


def classes(told: Told) -> Figure:
    """Sensitivity and specificity against the share of kernels removed."""
    figure = new_figure(11.2, 3.7)
    for axes, metric in zip(figure.subplots(1, 2), ("sensitivity", "specificity"), strict=True):
        plain_axes(axes, grid="both")
        base = _mean(told["baseline"], metric)
        if base is None:
            continue
        axes.axhline(base, color=COLOURS["baseline"], linewidth=1, label="Baseline")
        points = []
        for rung in told["ladder"]:
            x, y = 100 * rung["ratio_achieved"], _mean(rung, metric)
            if y is None:
                continue
            points.append((x, y))
            pair = rung["minus_baseline"]["intervals"][metric]
            if pair is not None:
                bar = (base + pair[0], base + pair[1])
                axes.plot((x, x), bar, color=COLOURS["pruned"], linewidth=2, alpha=0.55)
        if points:
            axes.plot(
                *zip(*points, strict=True),
                marker=MARKS["pruned"],
                color=COLOURS["pruned"],
                linewidth=1.2,
                label="Rungs",
            )
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.005))
        axes.set_title(JUDGED_NAMES[metric])
        axes.set_xlabel("kernels removed, %")
        axes.set_ylabel("mean over subjects judged")
        axes.legend(loc="best")
    return figure
