"""The run in one figure: how good, how small, and a seizure of a subject nobody trained on.

Comes in: a `RunResult`. Goes out: a matplotlib figure. Next: `report` writes it as a PNG, `sections`
opens the report with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from secateur.reporting.choosing import best_found
from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.splits import unseen
from secateur.reporting.style import (
    COLOURS,
    GRID,
    MARKS,
    MODEL_NAMES,
    SOFT,
    TRUTH,
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    share,
    short_names,
)
from secateur.reporting.traces import draw_probability, draw_traces
from secateur.runs import ALL_MODELS, RunResult

_ROWS = 9


def overview(result: RunResult, title: bool = False) -> Figure:
    """Left AUROC of all models, then size, then EEG. `title`: say what it is, for outside a report."""
    figure = new_figure(12.4, 4.6)
    parts: Any = figure.subfigures(1, 3, width_ratios=(1.15, 0.95, 1.6), wspace=0.07)
    left, middle, right = parts
    for part in parts:
        part.patch.set_alpha(0)
    _scores(left.subplots(), result)
    _sizes(middle.subplots(), result.result["models"])
    _example(right, result)
    if title:
        data = result.result["data"]
        split = result.result["split"]
        known = "unseen in training" if unseen(split) else "not unseen in training"
        simulated = "SIMULATED data · " if data["simulated"] else ""
        figure.suptitle(
            f"{simulated}{data['name']} · {len(split['test'])} test subjects, {known}",
            fontsize=FONT + 2,
            x=0.012,
            color=SOFT,
            ha="left",
        )
    return figure


def auroc_of(model: Mapping[str, Any]) -> tuple[float | None, Any]:
    """AUROC as mean over subjects with its interval; the interval is None below five subjects."""
    test = model["test"]
    return test["by_subject"]["auroc"], test["intervals"]["by_subject"]["auroc"]


def _scores(axes: Axes, result: RunResult) -> None:
    models, split = result.result["models"], result.result["split"]
    known = ", unseen subjects" if unseen(split) else ", known subjects"
    if not split["crossing"]["known"]:
        known = ""
    plain_axes(axes, grid="x")
    for row, name in enumerate(ALL_MODELS):
        mean, pair = auroc_of(models[name])
        big = name in ALL_MODELS[:2]
        if pair is not None:
            axes.plot(
                pair,
                (row, row),
                color=COLOURS[name],
                linewidth=3 if big else 2,
                solid_capstyle="round",
                alpha=0.7,
            )
        for one in models[name]["test"]["by_subject"]["subjects"]:
            if one["auroc"] is not None:
                axes.plot(
                    one["auroc"], row + 0.24, "o", color=COLOURS[name], markersize=3, alpha=0.55
                )
        if mean is not None:
            axes.plot(mean, row, MARKS[name], color=COLOURS[name], markersize=9 if big else 7)
        axes.annotate(
            number(mean),
            (1, row),
            xytext=(6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontweight="bold" if big else "normal",
        )
    axes.set_yticks(range(len(ALL_MODELS)), [MODEL_NAMES[name] for name in ALL_MODELS])
    axes.set_ylim(len(ALL_MODELS) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(f"AUROC{known}", pad=10)
    axes.set_xlabel("mean and 95 % interval; dots: subjects")


def size_rows(models: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, float | None, str, str]]:
    """What the pruned network needs: name, share of the baseline's, and both in words."""
    base, pruned = models["baseline"], models["pruned"]
    rows = []
    for label, key, write in (
        ("Parameters", "parameters", count),
        ("MACs a window", "macs", large),
        ("File", "file_bytes", kilobytes),
    ):
        told = share(pruned[key], base[key])
        rows.append((label, told, write(base[key]), write(pruned[key])))
    before, after = (one["latency_ms"] for one in (base, pruned))
    if before is not None and after is not None:
        old, new = before["median"], after["median"]
        told = share(new, old)
        rows.append(("Time a window", told, milliseconds(old), milliseconds(new)))
    return rows


def _sizes(axes: Axes, models: Mapping[str, Mapping[str, Any]]) -> None:
    plain_axes(axes)
    rows = size_rows(models)
    for row, (label, told, before, after) in enumerate(rows):
        axes.barh(row, 100, 0.34, color=GRID)
        if told is not None:
            axes.barh(row, 100 * told, 0.34, color=COLOURS["pruned"])
        axes.text(0, row - 0.27, label, fontweight="bold", va="bottom")
        axes.text(100, row - 0.27, percent(told), ha="right", va="bottom", fontweight="bold")
        axes.text(0, row + 0.23, f"{before} → {after}", va="top", color=SOFT, fontsize=FONT - 0.5)
    axes.set_xlim(0, max(100.0, *(100 * (told or 0) for _, told, *_ in rows)))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(())
    axes.set_xticks((0, 50, 100), ("0", "50", "100 %"))
    axes.spines["left"].set_visible(False)
    axes.set_title("Size of the pruned network", pad=10)
    axes.set_xlabel("as a share of the baseline")


def _example(figure: Any, result: RunResult) -> None:
    excerpt = best_found(result)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.3, 1))
    if excerpt is None:
        for axes in (upper, lower):
            axes.set_axis_off()
        upper.text(0.5, 0.5, "no seizure to show", ha="center")
        return
    draw_traces(upper, result, excerpt, _ROWS)
    draw_probability(lower, result, excerpt)
    subjects = [one.entry.subject for one in result.material.sides["test"].prepared]
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
