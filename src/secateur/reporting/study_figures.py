"""The figures of a study's report: scores by condition, learning curves, differences, ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateur.reporting.document import short_names, signed
from secateur.reporting.drawing import (
    FONT,
    draw_interval,
    handles_of,
    legend_below,
    name_rows,
    new_figure,
    panels,
    plain_axes,
)
from secateur.reporting.style import COLOURS, GRID, INK, MARKS, SOFT
from secateur.scoring.comparing import Ranks, Summary
from secateur.scoring.metrics import key_of, label_of, metric_of

if TYPE_CHECKING:
    from secateur.studies import Answer, At, Condition, Curve, Family, Findings, Value

RATIO = "ratio"
_COLOURS = (
    *(
        COLOURS[n]
        for n in ("pruned", "scratch", "random", "retrained", "unstructured", "random_forest")
    ),
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
Key = tuple[tuple[str, object], ...]

_RETRAINED: dict[Key, str] = {
    (("retrain", "finetune"),): "pruned and retrained",
    (("retrain", "scratch"),): "as small, from new weights",
}
"""Lines of studies that ask what the weights that stay are worth."""

_PANELS = 3
"""As many scores as stand side by side."""

_MOST_ROWS = 40
"""More would not be legible; the table has all."""


def rows_of(answers: Sequence[Answer]) -> list[str]:
    """What each row of a family's tables and figures compares: without what all of them share."""
    shared: Set[tuple[str, Value]] = set()
    if len(answers) > 1:
        shared = set(answers[0].at.items()).intersection(*(each.at.items() for each in answers))
    return [_pair_of(each, shared) for each in answers]


def _pair_of(answer: Answer, shared: Set[tuple[str, Value]]) -> str:
    at = in_words(tuple(pair for pair in answer.at.items() if pair not in shared))
    theirs = answer.theirs.removeprefix("the network ")
    return f"{answer.ours} − {theirs}" + (f" ({at})" if at else "")


def without(condition: Condition | Curve, axis: str) -> tuple[tuple[str, object], ...]:
    """The values of all other axes."""
    return tuple((name, value) for name, value in condition.at.items() if name != axis)


def in_words(values: tuple[tuple[str, object], ...]) -> str:
    """Values of axes in words."""
    return ", ".join(f"{name} {value}" for name, value in values)


def is_over_ratio(findings: Findings) -> bool:
    """Whether scores can be drawn over the ratio: two ratios, and no more lines than there are colours."""
    values = findings.axes.get(RATIO, ())
    lines = {without(condition, RATIO) for condition in findings.conditions}
    return len(values) >= 2 and 1 <= len(lines) <= len(_COLOURS)


def scores(findings: Findings) -> Figure | None:
    """Each of the first three metrics in a panel."""
    metrics = [
        metric
        for metric in findings.study.metrics
        if any(condition.scores[metric].mean is not None for condition in findings.conditions)
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
    for condition in findings.conditions:
        lines.setdefault(without(condition, RATIO), []).append(condition)
    for (above, below), metric in zip(grid.T, metrics, strict=True):
        for number, (key, conditions) in enumerate(lines.items()):
            name = _RETRAINED.get(key) or in_words(key) or "pruned"
            _line(
                above,
                [(condition, condition.scores[metric]) for condition in conditions],
                number,
                name,
            )
            _line(
                below,
                [(condition, condition.minus[metric]) for condition in conditions],
                number,
                name,
            )
        _before(above, findings.conditions, metric)
        if metric_of(metric).is_share:
            above.set_ylim(top=min(1.0, above.get_ylim()[1]))
        below.axhline(0, color=COLOURS["baseline"], linewidth=1.3, linestyle="--")
        above.set_title(label_of(metric))
        below.set_xlabel("share of kernels removed")
        ratios = [float(value) for value in findings.axes[RATIO]]
        below.set_xticks([_position(ratio) for ratio in ratios], [f"{ratio:g}" for ratio in ratios])
    grid[1][0].set_ylabel("minus before pruning")
    for axes in grid.flat:
        plain_axes(axes, grid="y")
    legend_below(figure, handles_of([grid[0][0]]))
    return figure


def _position(ratio: float) -> float:
    """Where a ratio stands: by the logarithm of what stays, or 0.95 and 0.98 would overlap."""
    return -math.log(1 - min(ratio, 0.999))


def _line(axes: Axes, points: Sequence[tuple[Condition, Summary]], number: int, name: str) -> None:
    known = sorted(
        (_position(float(condition.at[RATIO])), summary.mean, summary.interval)
        for condition, summary in points
        if summary.mean is not None
    )
    _band(axes, known, number, name)


def _band(
    axes: Axes,
    known: Sequence[tuple[float, float, tuple[float, float] | None]],
    number: int,
    name: str,
) -> None:
    """A line through means with its intervals as a band."""
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


def after_epochs(conditions: Sequence[Condition]) -> Figure | None:
    """The first metric from right after the cut to the end of retraining; a line a condition."""
    if not 1 <= len(conditions) <= len(_COLOURS):
        return None
    metric = key_of(next(iter(conditions[0].after)))[0]
    figure = new_figure(8.4, 4.2)
    axes = plain_axes(figure.subplots(), grid="y")
    for line, condition in enumerate(conditions):
        looks = {str(key_of(key)[1]): summary for key, summary in condition.after.items()}
        if metric in condition.scores:
            looks["end"] = condition.scores[metric]
        points = [
            (number, summary.mean, summary.interval)
            for number, summary in enumerate(looks.values())
            if summary.mean is not None
        ]
        _band(axes, points, line, condition.name)
        axes.set_xticks(range(len(looks)), list(looks))
    axes.set_title(label_of(metric))
    axes.set_xlabel("epochs of retraining")
    legend_below(figure, handles_of([axes]), columns=2)
    return figure


def _before(axes: Axes, conditions: Sequence[Condition], metric: str) -> None:
    """The network before pruning: a line where all conditions share it."""
    means = [condition.baseline[metric].mean for condition in conditions]
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
        for row, condition in enumerate(conditions):
            both = [
                (-0.14, "baseline", condition.baseline[metric]),
                (0.14, "pruned", condition.scores[metric]),
            ]
            for shift, model, summary in both if findings.study.pruned else both[:1]:
                look = {
                    "color": COLOURS[model],
                    "marker": MARKS[model],
                    "markersize": 5.5,
                    "linewidth": 1.8,
                    "alpha": 0.7,
                    "label": _name_of(model, findings),
                }
                draw_interval(axes, row + shift, summary.mean, summary.interval, look)
        axes.set_title(label_of(metric))
        name_rows(axes, [condition.name for condition in conditions])
    legend_below(figure, handles_of(grid), columns=2)
    return figure


def _name_of(model: str, findings: Findings) -> str:
    if not findings.study.pruned:
        return "trained"
    return "before pruning" if model == "baseline" else "pruned"


_MEASURES = {
    "validation_loss": "Loss on validation",
    "validation_macro_f1": "Macro-F1 on validation",
}
_COLUMNS = 4


def learning(findings: Findings) -> Figure | None:
    """Means over all runs, epoch by epoch: retraining by the axis that tells most, and training before."""
    curves = [curve for curve in findings.curves if curve.model == "pruned"]
    if not curves:
        return None
    axis = _telling_axis(findings)
    panels: dict[Key, list[Curve]] = {}
    for curve in curves:
        key = without(curve, axis)
        panels.setdefault(key, []).append(curve)
    drawn = list(panels.items())[: 2 * _COLUMNS]
    columns = min(_COLUMNS, len(drawn))
    lines = -(-len(drawn) // columns)
    figure = new_figure(11.2, 0.7 + 4.2 * lines)
    grid = figure.subplots(2 * lines, columns, squeeze=False, sharex="col", sharey="row")
    for number, (key, some) in enumerate(drawn):
        for row, (measure, name) in enumerate(_MEASURES.items()):
            axes = plain_axes(grid[2 * (number // columns) + row][number % columns], grid="y")
            _curves(axes, findings, key, some, measure, axis)
            if number % columns == 0:
                axes.set_ylabel(name)
            if row == 0 and key:
                axes.set_title(in_words(key))
            if row == 1:
                axes.set_xlabel("epoch")
    for spare in range(len(drawn), columns * lines):
        for row in range(2):
            grid[2 * (spare // columns) + row][spare % columns].set_visible(False)
    legend_below(figure, handles_of([grid[0][0]]))
    return figure


def _telling_axis(findings: Findings) -> str:
    """The first that is compared by value, else the ratio, else the first of several values."""
    names = list(findings.conditions[0].at) if findings.conditions else []
    many = [n for n in names if 2 <= len(findings.axes[n]) <= len(_COLOURS)]
    asked = [comparison.axis for comparison in findings.study.compare if comparison.axis in many]
    return next(iter((*asked, *(n for n in many if n == RATIO), *many)), "")


def _curves(
    axes: Axes, findings: Findings, key: Key, some: Sequence[Curve], measure: str, axis: str
) -> None:
    for curve in some:
        values = findings.axes.get(axis, ())
        number = values.index(curve.at[axis]) if axis else 0
        means = _of_all_runs(curve, measure)
        axes.plot(
            range(1, len(means) + 1),
            means,
            color=_COLOURS[number],
            linestyle=_DASHES[number],
            label=f"{axis} {curve.at[axis]}" if axis else "retraining",
        )
    if not findings.study.pruned:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        return
    before = next(
        (
            curve
            for curve in findings.curves
            if curve.model == "baseline" and all(curve.at[name] == value for name, value in key)
        ),
        None,
    )
    if before is not None and not _differs(findings, key, axis):
        means = _of_all_runs(before, measure)
        axes.plot(
            range(1, len(means) + 1),
            means,
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
        curve.epochs
        for curve in findings.curves
        if curve.model == "baseline" and all(curve.at[name] == value for name, value in key)
    ]
    return bool(axis) and any(curve != curves[0] for curve in curves[1:])


def differences(family: Family) -> Figure | None:
    """A row a comparison: dots for subjects, the mean over folds with its interval, the margin."""
    answers = [answer for answer in family.answers if answer.comparison.difference is not None]
    answers = answers[:_MOST_ROWS]
    if not answers:
        return None
    figure = new_figure(11.2, 1.5 + 0.42 * len(answers))
    axes = plain_axes(figure.subplots(), grid="x")
    axes.axvline(0, color=SOFT, linewidth=0.9)
    margins = {
        answer.comparison.noninferior.margin for answer in answers if answer.comparison.noninferior
    }
    for margin in sorted(margins):
        axes.axvline(-margin, color=INK, linewidth=1.2, linestyle="--")
    for row, answer in enumerate(answers):
        _row(axes, row, answer)
    name_rows(axes, rows_of(answers), ticks=8)
    metrics = list(dict.fromkeys(label_of(answer.metric) for answer in answers))
    axes.set_xlabel(f"difference in {' / '.join(metrics)}; right of 0 is better")
    handles = {
        "mean over folds, 95 %": Line2D([], [], color=INK, marker="D", markersize=5.5),
        "a subject": Line2D(
            [], [], color=COLOURS["pruned"], marker="o", linestyle="", alpha=0.5, markersize=5
        ),
    }
    if margins:
        handles["what may be lost"] = Line2D([], [], color=INK, linestyle="--")
    legend_below(figure, handles, columns=3)
    return figure


def _row(axes: Axes, row: int, answer: Answer) -> None:
    compared = answer.comparison
    values = np.sort(np.array(list(compared.by_subject.subjects.values())))
    axes.plot(
        values,
        row + 0.16 + 0.09 * (np.arange(len(values)) % 3 - 1),
        "o",
        color=COLOURS["pruned"],
        alpha=0.45,
        markersize=4.5,
        markeredgewidth=0,
    )
    look = {"color": INK, "marker": "D", "markersize": 5.5, "linewidth": 1.6}
    draw_interval(axes, row - 0.16, compared.difference, compared.interval, look)


def subject_by_subject(family: Family) -> Figure | None:
    """A row a comparison, a column a subject, coloured by who gained and who lost."""
    answers = [answer for answer in family.answers if answer.comparison.by_subject.subjects][
        :_MOST_ROWS
    ]
    names = sorted({name for answer in answers for name in answer.comparison.by_subject.subjects})
    if not answers or len(names) < 2:
        return None
    table = np.array(
        [
            [answer.comparison.by_subject.subjects.get(name, np.nan) for name in names]
            for answer in answers
        ]
    )
    reach = max(float(np.nanmax(np.abs(table))), 1e-6)
    figure = new_figure(11.2, 1.6 + 0.36 * len(answers))
    axes = plain_axes(figure.subplots())
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(table),
        cmap="PuOr",
        norm=TwoSlopeNorm(0.0, -reach, reach),
        edgecolors=GRID,
        linewidth=0.8,
    )
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value) and len(names) <= 26 and abs(value) >= 0.005:
            words = signed(value, 2).replace("0.", ".")
            dark = abs(value) > 0.6 * reach
            axes.text(
                column + 0.5,
                row + 0.5,
                words,
                ha="center",
                va="center",
                fontsize=FONT - 2.5,
                color="#ffffff" if dark else "#111111",
            )
    short = short_names(names)
    turned = 60 if len(names) * max(len(short[name]) for name in names) > 70 else 0
    axes.set_xticks(np.arange(len(names)) + 0.5, [short[name] for name in names], rotation=turned)
    axes.set_yticks(np.arange(len(answers)) + 0.5, rows_of(answers))
    axes.set_ylim(len(answers), 0)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.colorbar(mesh, ax=axes, label="gain", aspect=12, pad=0.01)
    return figure


def rank_plot(ranks: Sequence[tuple[At, Ranks]]) -> Figure | None:
    """Average ranks, best at the top, with bars of half the critical difference to each side."""
    known = [(at, rank) for at, rank in ranks if rank.average]
    if not known:
        return None
    lines = -(-len(known) // 3)
    most = max(len(rank.average) for _, rank in known)
    figure = new_figure(11.2, (1.1 + 0.34 * most) * lines + 0.5)
    for axes, (at, rank) in zip(panels(figure, len(known), 3), known, strict=True):
        _ranked(plain_axes(axes, grid="x"), at, rank)
    return figure


def _ranked(axes: Axes, at: At, ranks: Ranks) -> None:
    order = sorted(ranks.average.items(), key=lambda pair: pair[1])
    half = (ranks.critical_difference or 0.0) / 2
    best = order[0][1]
    axes.axvspan(best - half, best + half, color=GRID, linewidth=0)
    for row, (_, average) in enumerate(order):
        axes.plot((average - half, average + half), (row, row), color=INK, linewidth=1.6)
        axes.plot(average, row, "D", color=COLOURS["pruned"], markersize=6)
    name_rows(axes, [name for name, _ in order], ticks=6)
    axes.set_title(in_words(tuple(at.items())) or "All runs")
    axes.set_xlabel(f"average rank over {ranks.blocks} folds (1 is best)")
