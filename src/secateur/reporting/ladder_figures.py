"""The figures of a ladder: who lost what, which kernels stayed, what silencing does, which class pays.

Comes in: what a ladder's result.json holds. Goes out: matplotlib figures. Next: `ladder_sections` puts them
into the report. `ladder_pareto` draws scores against sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.ladder_numbers import (
    Told,
    losses_by_rung,
    margins_of,
    mean_of,
    rung_label,
)
from secateur.reporting.style import (
    COLOURS,
    GRID,
    INK,
    MARKS,
    SOFT,
)
from secateur.scoring.metrics import METRICS
from secateur.scoring.statements import is_harmed


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
        axes.set_title(f"Loss of {METRICS[metric].label}, subject by subject")
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
        base = mean_of(told["baseline"], metric)
        if base is None:
            continue
        axes.axhline(base, color=COLOURS["baseline"], linewidth=1, label="Baseline")
        points = []
        for rung in told["ladder"]:
            x, y = 100 * rung["ratio_achieved"], mean_of(rung, metric)
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
        axes.set_title(METRICS[metric].label)
        axes.set_xlabel("kernels removed, %")
        axes.set_ylabel("mean over subjects judged")
        axes.legend(loc="best")
    return figure
