"""A study's scores drawn: over the ratio with bands where ratio is an axis, else a line a condition; and
how networks learned.

Comes in: `Findings`. Goes out: figures, or None where nothing is finished. Next: `contents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from secateur.reporting.drawing import new_figure, plain_axes
from secateur.reporting.study.words import apart_from, told
from secateur.reporting.style import COLOURS, INK, MARKS
from secateur.scoring.comparing import Summary
from secateur.scoring.metrics import label_of, metric_of
from secateur.studies import Condition, Curve, Findings

RATIO = "ratio"
_COLOURS = (
    *(COLOURS[n] for n in ("pruned", "scratch", "random", "retrained", "unstructured", "trivial")),
    INK,
)
_MARKS = ("D", "s", "^", "v", "P", "X", "o")
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
    (0, (2.5, 1.5)),
    (0, (7, 2)),
    "-",
)
_PANELS = 3
"""As many scores as stand side by side."""

Key = tuple[tuple[str, object], ...]


def is_over_ratio(findings: Findings) -> bool:
    """Whether scores can be drawn over the ratio: two ratios, and no more lines than there are colours."""
    values = findings.axes.get(RATIO, ())
    lines = {apart_from(one, RATIO) for one in findings.conditions}
    return len(values) >= 2 and 1 <= len(lines) <= len(_COLOURS)


def scores(findings: Findings) -> Figure | None:
    """Each of the first three metrics in a panel."""
    metrics = [
        metric
        for metric in findings.study.metrics
        if any(one.scores[metric].mean is not None for one in findings.conditions)
    ][:_PANELS]
    if not metrics:
        return None
    if is_over_ratio(findings):
        return _over_ratio(findings, metrics)
    return _by_condition(findings, metrics)


def _over_ratio(findings: Findings, metrics: Sequence[str]) -> Figure:
    """Above the scores, below how far each is from its own network before pruning."""
    figure = new_figure(11.2, 6.6)
    grid = figure.subplots(2, len(metrics), squeeze=False, sharex=True, height_ratios=(3, 2))
    lines: dict[Key, list[Condition]] = {}
    for one in findings.conditions:
        lines.setdefault(apart_from(one, RATIO), []).append(one)
    for (above, below), metric in zip(grid.T, metrics, strict=True):
        for number, (key, conditions) in enumerate(lines.items()):
            name = told(key) or "pruned"
            _line(above, [(one, one.scores[metric]) for one in conditions], number, name)
            _line(below, [(one, one.minus[metric]) for one in conditions], number, name)
        _before(above, findings.conditions, metric)
        if metric_of(metric).is_share:
            above.set_ylim(top=min(1.0, above.get_ylim()[1]))
        below.axhline(0, color=COLOURS["baseline"], linewidth=1.3, linestyle="--")
        above.set_title(label_of(metric))
        below.set_xlabel("share of kernels removed")
        below.set_xticks([float(value) for value in findings.axes[RATIO]])
    grid[1][0].set_ylabel("minus before pruning")
    for axes in grid.flat:
        plain_axes(axes, grid="y")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _line(axes: Axes, points: Sequence[tuple[Condition, Summary]], number: int, name: str) -> None:
    known = sorted(
        (float(one.at[RATIO]), summary.mean, summary.interval)
        for one, summary in points
        if summary.mean is not None
    )
    axes.plot(
        [x for x, _, _ in known],
        [mean for _, mean, _ in known],
        marker=_MARKS[number],
        color=_COLOURS[number],
        linestyle=_DASHES[number],
        markersize=5.5,
        label=name,
    )
    sure = [(x, *interval) for x, _, interval in known if interval is not None]
    axes.fill_between(
        [x for x, _, _ in sure],
        [lower for _, lower, _ in sure],
        [upper for _, _, upper in sure],
        color=_COLOURS[number],
        alpha=0.12,
        linewidth=0,
    )


def _before(axes: Axes, conditions: Sequence[Condition], metric: str) -> None:
    """The network before pruning: a line where all conditions share it."""
    means = [one.baseline[metric].mean for one in conditions]
    known = [mean for mean in means if mean is not None]
    if known and max(known) - min(known) < 5e-4:
        axes.axhline(
            sum(known) / len(known),
            color=COLOURS["baseline"],
            linewidth=1.3,
            linestyle="--",
            label="before pruning",
        )


def _by_condition(findings: Findings, metrics: Sequence[str]) -> Figure:
    conditions = findings.conditions
    figure = new_figure(11.2, 1.4 + 0.36 * len(conditions))
    grid = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(grid, metrics, strict=True):
        plain_axes(axes, grid="x")
        for row, one in enumerate(conditions):
            for shift, model, summary in (
                (-0.14, "baseline", one.baseline[metric]),
                (0.14, "pruned", one.scores[metric]),
            ):
                if summary.mean is None:
                    continue
                if summary.interval is not None:
                    axes.plot(
                        summary.interval,
                        (row + shift, row + shift),
                        color=COLOURS[model],
                        linewidth=1.8,
                        alpha=0.7,
                    )
                axes.plot(
                    summary.mean,
                    row + shift,
                    MARKS[model],
                    color=COLOURS[model],
                    markersize=5.5,
                    linestyle="",
                    label=("before pruning" if model == "baseline" else "pruned"),
                )
        axes.set_title(label_of(metric))
        axes.set_ylim(len(conditions) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    grid[0].set_yticks(range(len(conditions)), [one.name for one in conditions])
    seen = {
        label: handle
        for axes in grid
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(seen.values()), list(seen), loc="outside lower center", ncols=2)
    return figure


_MEASURES = {
    "validation_loss": "Loss on validation",
    "validation_macro_f1": "Macro-F1 on validation",
}
_COLUMNS = 4


def learning(findings: Findings) -> Figure | None:
    """Means over all runs, epoch by epoch: retraining by the axis that tells most, and training before."""
    curves = [one for one in findings.curves if one.model == "pruned"]
    if not curves:
        return None
    axis = _telling_axis(findings)
    panels: dict[Key, list[Curve]] = {}
    for one in curves:
        key = apart_from(one, axis)
        panels.setdefault(key, []).append(one)
    shown = list(panels.items())[: 2 * _COLUMNS]
    columns = min(_COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure = new_figure(11.2, 0.7 + 4.2 * lines)
    grid = figure.subplots(2 * lines, columns, squeeze=False, sharex="col", sharey="row")
    for place, (key, some) in enumerate(shown):
        for row, (measure, name) in enumerate(_MEASURES.items()):
            axes = plain_axes(grid[2 * (place // columns) + row][place % columns], grid="y")
            _curves(axes, findings, key, some, measure, axis)
            if place % columns == 0:
                axes.set_ylabel(name)
            if row == 0 and key:
                axes.set_title(told(key))
            if row == 1:
                axes.set_xlabel("epoch")
    for spare in range(len(shown), columns * lines):
        for row in range(2):
            grid[2 * (spare // columns) + row][spare % columns].set_visible(False)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _telling_axis(findings: Findings) -> str:
    """The first that is compared by value, else the ratio, else the first of several values."""
    names = list(findings.conditions[0].at) if findings.conditions else []
    many = [n for n in names if 2 <= len(findings.axes[n]) <= len(_COLOURS)]
    asked = [one.axis for one in findings.study.compare if one.axis in many]
    return next(iter((*asked, *(n for n in many if n == RATIO), *many)), "")


def _curves(
    axes: Axes, findings: Findings, key: Key, some: Sequence[Curve], measure: str, axis: str
) -> None:
    for one in some:
        values = findings.axes.get(axis, ())
        number = values.index(one.at[axis]) if axis else 0
        values_told = _of_all_runs(one, measure)
        axes.plot(
            range(1, len(values_told) + 1),
            values_told,
            color=_COLOURS[number],
            linestyle=_DASHES[number],
            label=f"{axis} {one.at[axis]}" if axis else "retraining",
        )
    before = next(
        (
            one
            for one in findings.curves
            if one.model == "baseline" and all(one.at[name] == value for name, value in key)
        ),
        None,
    )
    if before is not None and not _differs(findings, key, axis):
        values_told = _of_all_runs(before, measure)
        axes.plot(
            range(1, len(values_told) + 1),
            values_told,
            color=COLOURS["baseline"],
            linewidth=2.4,
            alpha=0.5,
            label="before pruning",
        )
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _of_all_runs(curve: Curve, measure: str) -> Sequence[float]:
    """As far as every run was trained: further on, the mean would jump as runs stop and drop out of it."""
    return curve.epochs[measure][: sum(runs == curve.runs[0] for runs in curve.runs)]


def _differs(findings: Findings, key: Key, axis: str) -> bool:
    """Whether the lines of a panel had different networks before pruning."""
    curves = [
        one.epochs
        for one in findings.curves
        if one.model == "baseline" and all(one.at[name] == value for name, value in key)
    ]
    return bool(axis) and any(one != curves[0] for one in curves[1:])
