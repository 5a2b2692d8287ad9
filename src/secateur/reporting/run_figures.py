"""The figures of a run's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateur.reporting.document import (
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    share,
    short_names,
    signed,
)
from secateur.reporting.drawing import (
    FONT,
    draw_interval,
    handles_of,
    legend_below,
    name_rows,
    new_figure,
    panels,
    plain_axes,
    title_outside,
    write_beside,
)
from secateur.reporting.excerpts import best_found, draw_probability, draw_traces
from secateur.reporting.methods import is_unseen
from secateur.reporting.style import (
    COLOURS,
    DASHES,
    GRID,
    INK,
    MARKS,
    MODEL_NAMES,
    NETWORKS,
    PAPER,
    PRODUCT,
    SOFT,
    TRUTH,
)
from secateur.results import FullTestScores, ModelResult
from secateur.scoring import WindowScores
from secateur.scoring.metrics import METRICS, window_metrics

if TYPE_CHECKING:
    from secateur.runs import RunOutput

_CURVE_POINTS = 600
_CHANNELS = 9
"""As many rows of EEG stand in the overview."""

Models = Mapping[str, ModelResult]


def tests_of(models: Models) -> dict[str, FullTestScores]:
    """Scores of all models that have some, in the order of all figures."""
    return {
        name: model.test
        for name in MODEL_NAMES
        if (model := models.get(name)) is not None and model.test is not None
    }


def overview(run: RunOutput, title: bool = False) -> Figure:
    """Left AUROC of all models, then size, then EEG. `title`: say what it is, for outside a report."""
    result = run.result
    figure = new_figure(12.4, 4.6)
    parts: Any = figure.subfigures(1, 3, width_ratios=(1.15, 0.95, 1.6), wspace=0.07)
    left, middle, right = parts
    for part in parts:
        part.patch.set_alpha(0)
    known = ", unseen subjects" if is_unseen(result.split) else ", known subjects"
    _scores(left.subplots(), tests_of(result.models), known if result.split.leakage.known else "")
    _sizes(middle.subplots(), result.models)
    _example(right, run)
    if title:
        known = "unseen in training" if is_unseen(result.split) else "not unseen in training"
        simulated = "SIMULATED data · " if result.data.simulated else ""
        people = len(result.split.test or ())
        title_outside(figure, f"{simulated}{result.data.name} · {people} test subjects, {known}")
    return figure


def _look(name: str, **more: Any) -> dict[str, Any]:
    return {"color": COLOURS[name], "marker": MARKS[name], **more}


def _scores(axes: Axes, tests: Mapping[str, FullTestScores], known: str) -> None:
    plain_axes(axes, grid="x")
    for row, (name, test) in enumerate(tests.items()):
        mean, big = test.mean_of_subjects["auroc"], name in PRODUCT
        look = _look(name, linewidth=3 if big else 2, markersize=9 if big else 7, alpha=0.7)
        draw_interval(axes, row, mean, test.intervals.mean_of_subjects["auroc"], look)
        dots = [v for each in test.subjects.values() if (v := each["auroc"]) is not None]
        axes.plot(
            dots, [row + 0.24] * len(dots), "o", color=COLOURS[name], markersize=3, alpha=0.55
        )
        write_beside(axes, row, number(mean), fontweight="bold" if big else "normal")
    name_rows(axes, [MODEL_NAMES[name] for name in tests], ticks=3)
    axes.set_title(f"AUROC{known}", pad=10)
    axes.set_xlabel("mean and 95 % interval; dots: subjects")


def size_rows(models: Models) -> list[tuple[str, float | None, str, str]]:
    """What the pruned network needs: name, share of the baseline's, and both in words."""
    base, pruned = (models[name] for name in PRODUCT)
    rows = [
        (label, share(after, before), write(before), write(after))
        for label, before, after, write in (
            ("Parameters", base.parameters, pruned.parameters, count),
            ("MACs a window", base.macs, pruned.macs, large),
            ("File", base.file_bytes, pruned.file_bytes, kilobytes),
        )
    ]
    if base.latency_ms is not None and pruned.latency_ms is not None:
        old, new = base.latency_ms.median, pruned.latency_ms.median
        rows.append(("Time a window", share(new, old), milliseconds(old), milliseconds(new)))
    return rows


def _sizes(axes: Axes, models: Models) -> None:
    plain_axes(axes)
    rows = size_rows(models)
    for row, (label, part, before, after) in enumerate(rows):
        axes.barh(row, 100, 0.34, color=GRID)
        if part is not None:
            axes.barh(row, 100 * part, 0.34, color=COLOURS["pruned"])
        axes.text(0, row - 0.27, label, fontweight="bold", va="bottom")
        axes.text(100, row - 0.27, percent(part), ha="right", va="bottom", fontweight="bold")
        axes.text(0, row + 0.23, f"{before} → {after}", va="top", color=SOFT, fontsize=FONT - 0.5)
    axes.set_xlim(0, max(100.0, *(100 * (part or 0) for _, part, *_ in rows)))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(())
    axes.set_xticks((0, 50, 100), ("0", "50", "100 %"))
    axes.spines["left"].set_visible(False)
    axes.set_title("Size of the pruned network", pad=10)
    axes.set_xlabel("as a share of the baseline")


def _example(figure: Any, run: RunOutput) -> None:
    excerpt = best_found(run)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.3, 1))
    if excerpt is None:
        for axes in (upper, lower):
            axes.set_axis_off()
        upper.text(0.5, 0.5, "no seizure to show", ha="center")
        return
    draw_traces(upper, run, excerpt, _CHANNELS)
    draw_probability(lower, run, excerpt)
    subjects = [each.entry.subject for each in run.material.sides["test"].prepared]
    subject = short_names(sorted(set(subjects)))[excerpt.prepared.entry.subject]
    upper.set_title(f"A seizure of test subject {subject}", pad=10)
    if any(event.end > excerpt.begin for event in excerpt.prepared.entry.events):
        upper.annotate(
            "  labelled seizure  ",
            (1, 1),
            xytext=(0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=FONT - 1,
            bbox={"facecolor": TRUTH, "alpha": 0.35, "edgecolor": "none", "pad": 1.5},
        )


def differences(models: Models) -> Figure:
    """Paired differences to the baseline: every metric of the pruned one, AUROC and F1 of all."""
    figure = new_figure(11.2, 3.6)
    grid = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    others = [name for name in tests_of(models) if name != "baseline"]
    pruned = [(METRICS[key].label, "pruned", key) for key in window_metrics()]
    _differences(grid[0], models, pruned, "Pruned minus baseline")
    for axes, key in zip(grid[1:], ("auroc", "macro_f1"), strict=True):
        rows = [(MODEL_NAMES[name], name, key) for name in others]
        _differences(axes, models, rows, f"{METRICS[key].label}, minus baseline")
    return figure


def _differences(
    axes: Axes, models: Models, rows: Sequence[tuple[str, str, str]], title: str
) -> None:
    plain_axes(axes, grid="x")
    axes.axvline(0, color=INK, linewidth=1)
    for row, (_, name, key) in enumerate(rows):
        minus = models[name].minus_baseline
        if minus is not None:
            gap = minus.difference.get(key)
            draw_interval(axes, row, gap, minus.intervals.get(key), _look(name))
            write_beside(axes, row, signed(gap, METRICS[key].digits), fontsize=FONT - 0.5)
    name_rows(axes, [label for label, *_ in rows], ticks=3)
    axes.set_title(title)
    axes.set_xlabel("difference (score units)")


def after_epochs(models: Models) -> Figure:
    """AUROC and macro-F1 on the test side against epochs of retraining, from right after the cut."""
    figure = new_figure(11.2, 3.8)
    grid = figure.subplots(1, 2)
    tests = tests_of(models)
    for axes, key in zip(grid, ("auroc", "macro_f1"), strict=True):
        plain_axes(axes, grid="y")
        for name, model in models.items():
            points = [
                (epochs, value)
                for epochs, at in sorted((model.after_epochs or {}).items())
                if (value := at.scores.get(key)) is not None
            ]
            if not points or name not in tests:
                continue
            places = [index for index, _ in enumerate(points)]
            values = [value for _, value in points]
            kept = tests[name].scores[key]
            if kept is not None:
                places, values = [*places, len(places)], [*values, kept]
            axes.plot(
                places,
                values,
                marker=MARKS[name],
                color=COLOURS[name],
                linestyle=DASHES[name],
                label=MODEL_NAMES[name],
            )
            axes.set_xticks(places, [*(str(epochs) for epochs, _ in points), "kept"][: len(places)])
        level = tests["baseline"].scores[key]
        if level is not None:
            axes.axhline(level, color=COLOURS["baseline"], linewidth=1.2, label="Baseline")
        axes.set_title(METRICS[key].label)
        axes.set_xlabel("epochs of retraining")
    legend_below(figure, handles_of(grid))
    return figure


def curves(run: RunOutput) -> Figure:
    """ROC and precision-recall of all models on the test side, with the working points."""
    figure = new_figure(11.2, 4.5)
    left, right = figure.subplots(1, 2)
    truth, tests = run.table.label, tests_of(run.result.models)
    for name, test in reversed(tests.items()):
        scores = WindowScores(truth, run.probability[name], test.threshold)
        style: dict[str, Any] = {
            "color": COLOURS[name],
            "linestyle": DASHES[name],
            "linewidth": 2 if name in PRODUCT else 1.3,
        }
        confusion = scores.confusion()
        specificity, sensitivity = confusion.specificity, confusion.sensitivity
        fpr, tpr = _thinned(*scores.roc())
        left.plot(fpr, tpr, label=_with_area(name, test.scores["auroc"]), **style)
        recall, precision = _thinned(*scores.precision_recall())
        right.plot(recall, precision, label=_with_area(name, test.scores["auprc"]), **style)
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


def _with_area(name: str, area: float | None) -> str:
    return f"{MODEL_NAMES[name]} ({number(area)})"


def training_curves(records: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Loss and validation macro-F1 by epoch for each network; the kept epoch is ringed."""
    figure = new_figure(11.2, 4.4)
    grid = figure.subplots(2, len(NETWORKS), sharex="col", sharey="row", squeeze=False)
    for column, name in enumerate(NETWORKS):
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
    figure = new_figure(11.2, 2.9 * -(-len(scores) // 3))
    grid = panels(figure, len(scores), 3)
    for column, (axes, (layer, values)) in enumerate(zip(grid, scores.items(), strict=True)):
        plain_axes(axes, grid="y")
        order = sorted(range(len(values)), key=lambda k: -values[k])
        stays = set(kept[layer])
        rank_of = {kernel: rank for rank, kernel in enumerate(order, start=1)}
        width = 0.9 if len(values) <= 64 else 1.0
        for kernels, label, face in (
            ([k for k in order if k in stays], f"kept ({len(stays)})", COLOURS["pruned"]),
            ([k for k in order if k not in stays], f"cut ({len(values) - len(stays)})", GRID),
        ):
            heights = [values[k] for k in kernels]
            where = [rank_of[k] for k in kernels]
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
        if column % 3 == 0:
            axes.set_ylabel("importance score")
    return figure


def subject_dots(models: Models) -> Figure:
    """AUROC and macro-F1 of every test subject by model; baseline and pruned are joined."""
    tests = tests_of(models)
    keys = ("auroc", "macro_f1")
    subjects = tests["baseline"].subjects
    names = [who for who in subjects if any(subjects[who][key] is not None for key in keys)]
    labels = short_names(list(subjects))
    figure = new_figure(11.2, 1.5 + 0.34 * (len(names) + 1))
    grid = figure.subplots(1, 2, sharey=True)
    for axes, key in zip(grid, keys, strict=True):
        plain_axes(axes, grid="x")
        values = {
            name: [*(test.subjects[who][key] for who in names), test.mean_of_subjects[key]]
            for name, test in tests.items()
        }
        for row, pair in enumerate(zip(*(values[name] for name in PRODUCT), strict=True)):
            if None not in pair:
                axes.plot(pair, (row, row), color=SOFT, linewidth=3, alpha=0.35)
        for name in reversed(values):
            points = [(x, y) for y, x in enumerate(values[name]) if x is not None]
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                MARKS[name],
                color=COLOURS[name],
                markersize=8 if name in PRODUCT else 5.5,
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
    legend_below(figure, dict(reversed(handles_of(grid).items())), columns=4)
    return figure


def confusions(models: Models) -> Figure:
    """Confusion matrices of baseline and pruned: counts, and shares of each row."""
    figure = new_figure(7.2, 2.9)
    for axes, name in zip(figure.subplots(1, 2), PRODUCT, strict=True):
        axes.patch.set_alpha(0)
        table = np.array(tests_of(models)[name].confusion, dtype=np.float64)
        total = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
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
