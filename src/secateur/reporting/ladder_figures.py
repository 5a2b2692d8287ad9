"""The figures of a ladder's report: score against size, losses, kernels that stayed, which class pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from secateur.reporting.document import large, number
from secateur.reporting.drawing import (
    FONT,
    handles_of,
    legend_below,
    name_rows,
    new_figure,
    panels,
    plain_axes,
    title_outside,
)
from secateur.reporting.style import COLOURS, GRID, INK, MARKS, MODEL_NAMES, PAPER, SOFT
from secateur.results import Judged, LadderResult, Latency, ModelResult, Rung
from secateur.scoring import losses_of
from secateur.scoring.metrics import METRICS
from secateur.scoring.statements import is_harmed

CONTROL_NAMES = {
    "scratch": "Small, from scratch",
    "scratch-long": "Small, from scratch, longer",
    "random": "Random kernels",
    "unstructured": "Single weights (not smaller)",
    "float": "Before 8 bits",
}
"""What stands beside a rung, in the order of figures and tables."""


def margins_of(result: LadderResult) -> dict[str, float]:
    """What may be lost, by metric."""
    return result.certificate.constraint.margins


def first_metric(result: LadderResult) -> str:
    """The first metric that has a margin; figures of one metric are of this."""
    return next(iter(margins_of(result)))


def rung_label(rung: Rung) -> str:
    """0.5, or 0.5-int8."""
    return rung.name.removeprefix("rung-")


def chosen_rung(result: LadderResult) -> Rung | None:
    """The answer; None where no rung held."""
    return next((rung for rung in result.ladder if rung.name == result.chosen), None)


def losses_by_rung(result: LadderResult, metric: str) -> list[tuple[str | None, list[float]]]:
    """Name and each subject's loss for every rung; last, under None, the retrained baseline's if there."""
    before = result.baseline.certification.subjects
    models: list[tuple[str | None, Judged]] = [(rung.name, rung) for rung in result.ladder]
    if "retrained" in result.controls:
        models.append((None, result.controls["retrained"]))
    return [
        (name, losses_of(before, judged.certification.subjects, metric).values.tolist())
        for name, judged in models
    ]


def size_of(model: Rung | ModelResult, key: str, *, floats: bool = False) -> float | None:
    """MACs, bytes or median milliseconds; `floats`: of the network before quantising."""
    name = f"float_{key}"
    value = getattr(model, name if floats and hasattr(model, name) else key)
    return value.median if isinstance(value, Latency) else value


def mean_of(judged: Judged, metric: str) -> float | None:
    """A network’s score, the mean over those who were judged."""
    return judged.certification.mean[metric]


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


def pareto(result: LadderResult, title: bool = False) -> Figure:
    """Score against MACs, bytes and milliseconds. `title`: say what it is, for outside a report."""
    figure = new_figure(11.2, 4.7)
    metric = first_metric(result)
    grid = figure.subplots(1, 3, sharey=True)
    for axes, (key, label, write) in zip(grid, _SIZES, strict=True):
        plain_axes(axes, grid="both")
        _levels(axes, result, metric)
        _controls(axes, result, metric, key)
        _rungs(axes, result, metric, key)
        _in_sizes(axes, label, write)
    grid[0].set_ylim(_heights(result, metric))
    grid[0].set_ylabel(f"{METRICS[metric].label}, mean over subjects judged")
    handles = handles_of(grid)
    order = ("Baseline", "Rung, holds", "Rung, not certified", "The answer", "Margin")
    in_order = {name: handles[name] for name in (*order, *handles) if name in handles}
    legend_below(figure, in_order, columns=5)
    if title:
        word = "SIMULATED data · " if result.data.simulated else ""
        people = len(result.baseline.certification.subjects)
        title_outside(
            figure, f"{word}{result.data.name} · {people} subjects judged, unseen in training"
        )
    return figure


def _levels(axes: Axes, result: LadderResult, metric: str) -> None:
    """The baseline's score, the margin, and the random forest's score, as lines."""
    base = mean_of(result.baseline, metric)
    if base is not None:
        limit = base - METRICS[metric].sign * margins_of(result)[metric]
        axes.axhline(base, color=COLOURS["baseline"], linewidth=1, alpha=0.6)
        axes.axhline(limit, color=INK, linewidth=1.3, linestyle="--", label="Margin")
    forest = result.controls.get("random_forest")
    level = None if forest is None else mean_of(forest, metric)
    if level is not None:
        axes.axhline(
            level,
            color=COLOURS["random_forest"],
            linewidth=1.3,
            linestyle=":",
            label="Forest (no network)",
        )


def _reach(result: LadderResult, key: str) -> float:
    """How many times the largest size on an axis is the smallest."""
    models: list[Rung | ModelResult] = [result.models["baseline"], *result.ladder]
    sizes = [size_of(model, key, floats=floats) for model in models for floats in (False, True)]
    known = [size for size in sizes if size]
    return max(known) / min(known) if known else 1.0


def _controls(axes: Axes, result: LadderResult, metric: str, key: str) -> None:
    reach = _reach(result, key)
    for kind, label in CONTROL_NAMES.items():
        points = [
            (size_of(rung, key, floats=True), mean_of(rung.controls[kind], metric))
            for rung in result.ladder
            if kind in rung.controls
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
    base = size_of(result.models["baseline"], key)
    retrained = result.controls.get("retrained")
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


def _rungs(axes: Axes, result: LadderResult, metric: str, key: str) -> None:
    base = mean_of(result.baseline, metric)
    before = size_of(result.models["baseline"], key)
    points = []
    for rung in result.ladder:
        x, y = size_of(rung, key), mean_of(rung, metric)
        if x is None or y is None or base is None:
            continue
        points.append((x, y))
        _bar(axes, x, base, rung, metric)
        held = rung.verdict == "passed"
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
        if rung.name == result.chosen:
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
    _labels(axes, result, metric, key)
    if base is not None and before is not None:
        joined = [*points, (before, base)] if not points or points[0][0] <= before else points
        xs, ys = zip(*sorted(joined), strict=True)
        axes.plot(xs, ys, color=COLOURS["pruned"], linewidth=1, alpha=0.6)
        axes.plot(
            before,
            base,
            MARKS["baseline"],
            color=COLOURS["baseline"],
            markersize=9,
            zorder=4,
            label="Baseline",
        )


def _bar(axes: Axes, x: float, base: float, rung: Rung, metric: str) -> None:
    """The interval of the paired difference to the baseline, around the baseline's score."""
    pair = rung.minus_baseline.intervals[metric]
    if pair is not None:
        ends = (base + pair[0], base + pair[1])
        axes.plot((x, x), ends, color=COLOURS["pruned"], linewidth=2, alpha=0.55)


def _labels(axes: Axes, result: LadderResult, metric: str, key: str) -> None:
    """Ratios beside the rungs, the answer's first, as far as there is room."""
    width = np.log10(_reach(result, key))
    taken: list[float] = []
    for rung in sorted(result.ladder, key=lambda rung: rung.name != result.chosen):
        x, y = size_of(rung, key), mean_of(rung, metric)
        if x is None or y is None:
            continue
        height = float(np.log10(x))
        if any(abs(height - other) < _ROOM_FOR_WORDS * width for other in taken):
            continue
        taken.append(height)
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


def _heights(result: LadderResult, metric: str) -> tuple[float, float]:
    """From where to where scores are drawn, so that one sees what the margin is about."""
    base = mean_of(result.baseline, metric)
    if base is None:
        return 0.0, 1.0
    seen = [base, base - METRICS[metric].sign * margins_of(result)[metric]]
    for rung in result.ladder:
        seen += [mean for mean in (mean_of(rung, metric),) if mean is not None]
        seen += [base + end for end in rung.minus_baseline.intervals[metric] or ()]
    height = max(max(seen) - min(seen), 1e-6)
    low, high = min(seen) - _FAR * height, max(seen) + _FAR * height
    near = [*seen, *(value for value, _ in _beside(result, metric) if low <= value <= high)]
    room = 0.08 * max(max(near) - min(near), 1e-6)
    top = max(near) + room
    return min(near) - room, min(top, 1.005) if METRICS[metric].is_share else top


def _beside(result: LadderResult, metric: str) -> list[tuple[float, str]]:
    """The score and the name of every control."""
    scores = [
        (mean_of(judged, metric), f"{CONTROL_NAMES[kind]} at {rung_label(rung)}")
        for rung in result.ladder
        for kind, judged in rung.controls.items()
    ]
    scores += [
        (mean_of(judged, metric), MODEL_NAMES[kind]) for kind, judged in result.controls.items()
    ]
    return [(value, words) for value, words in scores if value is not None]


def too_far(result: LadderResult) -> list[str]:
    """Controls that `pareto` doesn't draw, with their scores."""
    metric = first_metric(result)
    low, high = _heights(result, metric)
    return [
        f"{words} ({number(value, METRICS[metric].digits)})"
        for value, words in _beside(result, metric)
        if not low <= value <= high
    ]


def loss_strips(result: LadderResult) -> Figure:
    """What each subject lost at each rung: a dot a subject, the mean, its bound, and the margin."""
    margins = margins_of(result)
    lines = -(-len(margins) // 2)
    labels = [*(rung_label(rung) for rung in result.ladder)]
    if "retrained" in result.controls:
        labels.append("retrained")
    figure = new_figure(11.2, (1.3 + 0.48 * len(labels)) * lines + 0.4)
    grid = panels(figure, len(margins), 2)
    for axes, (metric, margin) in zip(grid, margins.items(), strict=True):
        plain_axes(axes, grid="x")
        axes.axvline(0, color=SOFT, linewidth=0.8)
        axes.axvline(margin, color=INK, linewidth=1.3, linestyle="--")
        for row, (name, losses) in enumerate(losses_by_rung(result, metric)):
            _strip(axes, row, losses, margin, COLOURS["retrained" if name is None else "pruned"])
            if name is not None:
                _mean_and_bound(axes, row, result.ladder[row], metric)
        name_rows(axes, labels, ticks=7)
        axes.set_title(f"Loss of {METRICS[metric].label}, subject by subject")
        axes.set_xlabel("loss (right of 0 is worse than the baseline)")
    marks: dict[str, dict[str, Any]] = {
        "a subject": {"marker": "o", "color": COLOURS["pruned"], "alpha": 0.6},
        "lost more than the margin": {"marker": "X", "color": COLOURS["pruned"]},
        "mean, and its upper bound": {"marker": "|", "color": INK, "linestyle": "-"},
        "margin": {"color": INK, "linestyle": "--"},
    }
    handles = {name: Line2D([], [], **{"linestyle": "", **style}) for name, style in marks.items()}
    legend_below(figure, handles)
    return figure


def _strip(axes: Axes, row: int, losses: Sequence[float], margin: float, colour: str) -> None:
    """Dots beside each other where they would lie on one another."""
    values = np.sort(np.asarray(losses))
    for index, (value, harmed) in enumerate(zip(values, is_harmed(values, margin), strict=True)):
        axes.plot(
            value,
            row + 0.1 * (index % 3 - 1) + 0.08,
            "X" if harmed else "o",
            color=colour,
            markersize=6.5 if harmed else 5,
            markeredgewidth=0,
            alpha=0.9 if harmed else 0.55,
        )


def _mean_and_bound(axes: Axes, row: int, rung: Rung, metric: str) -> None:
    """Mean loss and the bound that decides."""
    (statement,) = (each for each in rung.statements if each.metric == metric)
    if statement.mean is None:
        return
    height = row - 0.3
    axes.plot(statement.mean, height, "|", color=INK, markersize=9, markeredgewidth=2)
    if statement.bound is not None:
        ends = (statement.mean, statement.bound)
        axes.plot(ends, (height, height), color=INK, linewidth=1.6)
        axes.plot(statement.bound, height, "|", color=INK, markersize=6, markeredgewidth=1.6)


def kept_kernels(result: LadderResult) -> Figure:
    """Which kernels stay at each rung: a panel a group, a row a rung, dark where kept."""
    rungs = result.ladder
    groups = list(rungs[0].units)
    figure = new_figure(11.2, -(-len(groups) // 3) * (0.95 + 0.24 * len(rungs)))
    for axes, group in zip(panels(figure, len(groups), 3), groups, strict=True):
        plain_axes(axes)
        units = rungs[0].units[group]
        kept = np.zeros((len(rungs), units), dtype=bool)
        for row, rung in enumerate(rungs):
            kept[row, list(rung.kept[group])] = True
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


def masking_curves(result: LadderResult) -> Figure:
    """How cross-entropy rises as more of each group is silenced, without retraining."""
    figure = new_figure(8.4, 3.9)
    axes = plain_axes(figure.subplots(), grid="both")
    units = result.ladder[0].units
    colours = list(dict.fromkeys(COLOURS.values()))
    for number_of, (group, (masked, rise)) in enumerate(result.masking.items()):
        axes.plot(
            [100 * kernels / units[group] for kernels in masked],
            rise,
            list(MARKS.values())[number_of % len(MARKS)],
            linestyle=("-", "--", ":")[number_of // len(colours) % 3],
            color=colours[number_of % len(colours)],
            markersize=5,
            label=f"{group} ({units[group]})",
        )
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set(xlabel="kernels silenced, %", ylabel="rise of cross-entropy")
    figure.legend(loc="outside right center")
    return figure


def classes(result: LadderResult) -> Figure:
    """Sensitivity and specificity against the share of kernels removed."""
    figure = new_figure(11.2, 3.7)
    for axes, metric in zip(figure.subplots(1, 2), ("sensitivity", "specificity"), strict=True):
        plain_axes(axes, grid="both")
        base = mean_of(result.baseline, metric)
        if base is None:
            continue
        axes.axhline(base, color=COLOURS["baseline"], linewidth=1, label="Baseline")
        points = []
        for rung in result.ladder:
            x, y = 100 * rung.ratio_achieved, mean_of(rung, metric)
            if y is None:
                continue
            points.append((x, y))
            _bar(axes, x, base, rung, metric)
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
