"""The figures of scores: differences, curves, training, importance, subjects, confusion.

Comes in: a `RunResult`. Goes out: matplotlib figures. Next: `sections` puts them into the report.
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
from secateur.reporting.style import (
    COLOURS,
    DASHES,
    GRID,
    INK,
    MARKS,
    MODEL_NAMES,
    PAPER,
    SOFT,
    TRUTH,
    number,
    short_names,
    signed,
)
from secateur.runs import ALL_MODELS, MODELS, RunResult
from secateur.scoring import WindowScores
from secateur.scoring.metrics import METRICS, window_metrics

_CURVE_POINTS = 600

Models = Mapping[str, Mapping[str, Any]]


def forest_plot(models: Models) -> Figure:
    """Paired differences to the baseline: every metric of the pruned one, AUROC and F1 of all."""
    figure = new_figure(11.2, 3.6)
    grid = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    one = [(METRICS[key].label, "pruned", key) for key in window_metrics()]
    _differences(grid[0], models, one, "Pruned minus baseline")
    for axes, key in zip(grid[1:], ("auroc", "macro_f1"), strict=True):
        rows = [(MODEL_NAMES[name], name, key) for name in ALL_MODELS if name != "baseline"]
        _differences(axes, models, rows, f"{METRICS[key].label}, minus baseline")
    return figure


def _differences(
    axes: Axes, models: Models, rows: Sequence[tuple[str, str, str]], title: str
) -> None:
    plain_axes(axes, grid="x")
    axes.axvline(0, color=INK, linewidth=1)
    for row, (_, name, key) in enumerate(rows):
        told = models[name]["minus_baseline"]
        middle, pair = told["difference"][key], told["intervals"][key]
        if pair is not None:
            axes.plot(pair, (row, row), color=COLOURS[name], linewidth=2, solid_capstyle="butt")
        if middle is not None:
            axes.plot(middle, row, MARKS[name], color=COLOURS[name], markersize=6)
        axes.annotate(
            signed(middle),
            (1, row),
            xytext=(4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=FONT - 0.5,
        )
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title)
    axes.set_xlabel("difference (score units)")


def curves(result: RunResult) -> Figure:
    """ROC and precision-recall of all models on the test side, with the working points."""
    figure = new_figure(11.2, 4.5)
    left, right = figure.subplots(1, 2)
    truth = result.table.label
    for name in reversed(ALL_MODELS):
        threshold = result.result["models"][name]["test"]["threshold"]
        scores = WindowScores(truth, result.probability[name], threshold)
        style: dict[str, Any] = {
            "color": COLOURS[name],
            "linestyle": DASHES[name],
            "linewidth": 2 if name in MODELS[:2] else 1.3,
        }
        confusion = scores.confusion()
        specificity, sensitivity = confusion.specificity, confusion.sensitivity
        fpr, tpr = _thinned(*scores.roc())
        left.plot(fpr, tpr, label=_with_area(result, name, "auroc"), **style)
        recall, precision = _thinned(*scores.precision_recall())
        right.plot(recall, precision, label=_with_area(result, name, "auprc"), **style)
        mark: dict[str, Any] = {"color": COLOURS[name], "markersize": 6.5, "markeredgecolor": PAPER}
        if specificity is not None and sensitivity is not None:
            left.plot(1 - specificity, sensitivity, MARKS[name], **mark)
        if sensitivity is not None and confusion.tp + confusion.fp > 0:
            claimed = confusion.tp / (confusion.tp + confusion.fp)
            right.plot(sensitivity, claimed, MARKS[name], **mark)
    left.plot((0, 1), (0, 1), color=SOFT, linewidth=0.8, linestyle=":")
    right.axhline(float(truth.mean()), color=SOFT, linewidth=0.8, linestyle=":")
    for axes, title in ((left, "ROC"), (right, "Precision and recall")):
        plain_axes(axes, grid="both")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), title=title)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles[::-1], labels[::-1], loc="lower right" if axes is left else "lower left"
        )
    left.set(xlabel="false positive rate (1 − specificity)", ylabel="sensitivity")
    right.set(xlabel="sensitivity (recall)", ylabel="precision")
    return figure


def _thinned(x: Any, y: Any) -> tuple[Any, Any]:
    """At most `_CURVE_POINTS` points of a curve, its ends kept."""
    if len(x) <= _CURVE_POINTS:
        return x, y
    chosen = np.unique(np.linspace(0, len(x) - 1, _CURVE_POINTS).astype(np.int64))
    return x[chosen], y[chosen]


def _with_area(result: RunResult, name: str, key: str) -> str:
    return f"{MODEL_NAMES[name]} ({number(result.result['models'][name]['test'][key])})"


def training_curves(records: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Loss and validation macro-F1 by epoch for each network; the kept epoch is ringed."""
    figure = new_figure(11.2, 4.4)
    grid = figure.subplots(2, len(MODELS), sharex="col", sharey="row", squeeze=False)
    for column, name in enumerate(MODELS):
        epochs, best = records[name]["epochs"], records[name]["best_epoch"]
        upper, lower = plain_axes(grid[0, column], grid="y"), plain_axes(grid[1, column], grid="y")
        at = [epoch["epoch"] for epoch in epochs]
        single = "." if len(at) < 2 else ""
        for key, colour, dash in (
            ("training_loss", SOFT, "--"),
            ("validation_loss", COLOURS[name], "-"),
        ):
            values = [epoch[key] for epoch in epochs]
            upper.plot(at, values, dash, marker=single, color=colour, linewidth=1.6)
        score = [epoch["validation_macro_f1"] for epoch in epochs]
        lower.plot(at, score, marker=single, color=COLOURS[name], linewidth=1.6)
        kept = [epoch for epoch in epochs if epoch["epoch"] == best]
        for axes, key in ((upper, "validation_loss"), (lower, "validation_macro_f1")):
            axes.axvline(best, color=SOFT, linewidth=0.8, linestyle=":")
            for epoch in kept:
                axes.plot(best, epoch[key], "o", color=INK, markersize=7, fillstyle="none")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.set_xlim(min(at) - 0.4, max(at) + 0.4)
        upper.set_title(MODEL_NAMES[name], fontsize=FONT)
        lower.set_xlabel("epoch")
    grid[0, 0].set_ylabel("loss (cross-entropy)")
    grid[0, 0].set_ylim(bottom=0)
    grid[1, 0].set_ylabel("validation macro-F1")
    key_of_lines = [
        Line2D([], [], color=SOFT, linestyle="--", label="training subjects"),
        Line2D([], [], color=INK, label="validation subjects"),
        Line2D([], [], color=INK, marker="o", fillstyle="none", linestyle="", label="epoch kept"),
    ]
    figure.legend(handles=key_of_lines, loc="outside lower center", ncols=3)
    return figure


def importance(scores: Mapping[str, Sequence[float]], kept: Mapping[str, Sequence[int]]) -> Figure:
    """Every kernel's score by convolution, sorted; what was cut is hollow."""
    columns = min(3, len(scores))
    rows = -(-len(scores) // columns)
    figure = new_figure(11.2, 2.9 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(scores) :]:
        axes.set_visible(False)
    for axes, (layer, values) in zip(grid.flat, scores.items(), strict=False):
        plain_axes(axes, grid="y")
        order = sorted(range(len(values)), key=lambda k: -values[k])
        stays = set(kept[layer])
        place = {kernel: rank for rank, kernel in enumerate(order, start=1)}
        width = 0.9 if len(values) <= 64 else 1.0
        for these, label, face in (
            ([k for k in order if k in stays], f"kept ({len(stays)})", COLOURS["pruned"]),
            ([k for k in order if k not in stays], f"cut ({len(values) - len(stays)})", GRID),
        ):
            heights = [values[k] for k in these]
            where = [place[k] for k in these]
            edge = COLOURS["pruned"] if face == COLOURS["pruned"] else SOFT
            axes.bar(where, heights, width, color=face, edgecolor=edge, linewidth=0.4, label=label)
        if len(stays) < len(values):
            axes.axvline(len(stays) + 0.5, color=INK, linewidth=1, linestyle="--")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set(
            title=f"Layer {layer}",
            xlabel="kernel, by rank of its score",
            xlim=(0.4, len(values) + 0.6),
        )
        axes.legend(loc="upper right")
        axes.margins(y=0.22)
    for row in grid:
        row[0].set_ylabel("importance score")
    return figure


def subject_dots(models: Models) -> Figure:
    """AUROC and macro-F1 of every test subject by model; baseline and pruned are joined."""
    names = [one["subject"] for one in models["baseline"]["test"]["by_subject"]["subjects"]]
    labels = short_names(names)
    figure = new_figure(11.2, 1.5 + 0.34 * (len(names) + 1))
    grid = figure.subplots(1, 2, sharey=True)
    for axes, key in zip(grid, ("auroc", "macro_f1"), strict=True):
        plain_axes(axes, grid="x")
        told = {name: _of_subjects(models, name, key) for name in ALL_MODELS}
        for row, subject in enumerate([*names, None]):
            pair = [told[name].get(subject) for name in MODELS[:2]]
            if None not in pair:
                axes.plot(pair, (row, row), color=SOFT, linewidth=3, alpha=0.35)
        for name in reversed(ALL_MODELS):
            known = [(told[name].get(s), row) for row, s in enumerate([*names, None])]
            points = [(x, y) for x, y in known if x is not None]
            big = name in MODELS[:2]
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                MARKS[name],
                color=COLOURS[name],
                markersize=8 if big else 5.5,
                markeredgecolor=PAPER,
                markeredgewidth=0.6,
                label=MODEL_NAMES[name],
            )
        axes.axhline(len(names) - 0.5, color=SOFT, linewidth=0.8)
        if key == "auroc":
            axes.axvline(0.5, color=SOFT, linewidth=0.8, linestyle=":")
        axes.set(title=METRICS[key].label, xlabel=METRICS[key].label)
        axes.set_ylim(len(names) + 0.5, -0.5)
        axes.set_yticks(range(len(names) + 1), [*(labels[name] for name in names), "mean"])
        axes.tick_params(axis="y", length=0)
    handles, texts = grid[0].get_legend_handles_labels()
    figure.legend(
        handles[::-1], texts[::-1], loc="outside lower center", ncols=6, columnspacing=1.2
    )
    return figure


def _of_subjects(models: Models, name: str, key: str) -> dict[str | None, float | None]:
    """A score by subject; their mean stands under None."""
    told = models[name]["test"]["by_subject"]
    return {**{one["subject"]: one[key] for one in told["subjects"]}, None: told[key]}


def confusions(models: Models) -> Figure:
    """Confusion matrices of baseline and pruned: counts, and shares of each row."""
    figure = new_figure(7.2, 2.9)
    for axes, name in zip(figure.subplots(1, 2), MODELS[:2], strict=True):
        axes.patch.set_alpha(0)
        table = np.array(models[name]["test"]["confusion"], dtype=np.float64)
        whole = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, whole, out=np.zeros_like(table), where=whole > 0)
        for row in range(2):
            for column in range(2):
                right = row == column
                axes.fill(
                    (column - 0.48, column + 0.48, column + 0.48, column - 0.48),
                    (row - 0.48, row - 0.48, row + 0.48, row + 0.48),
                    color=COLOURS[name] if right else TRUTH,
                    alpha=0.06 + 0.5 * shares[row, column],
                    linewidth=0,
                )
                text = f"{table[row, column]:,.0f}\n{100 * shares[row, column]:.1f} %"
                axes.text(column, row, text, ha="center", va="center", fontsize=FONT + 1)
        axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5), xlabel="verdict", title=MODEL_NAMES[name])
        axes.set_xticks((0, 1), ("background", "seizure"))
        axes.set_yticks((0, 1), ("background", "seizure"))
        axes.set_ylabel("truth")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure
