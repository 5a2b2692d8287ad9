"""A study's comparisons drawn: mean differences with every subject, subject by subject, and ranks.

Comes in: a `Family`. Goes out: figures, or None where nothing can be compared yet. Next: `contents`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.study.words import rows_of
from secateur.reporting.style import COLOURS, GRID, INK, SOFT, short_names, signed
from secateur.scoring.comparing import Ranks
from secateur.scoring.metrics import label_of
from secateur.studies import Answer, At, Family

_MOST_ROWS = 40
"""More would not be legible; the table has all."""


def differences(family: Family) -> Figure | None:
    """A row a comparison: dots for subjects, the mean over folds with its interval, the margin."""
    answers = [one for one in family.answers if one.comparison.difference is not None]
    answers = answers[:_MOST_ROWS]
    if not answers:
        return None
    figure = new_figure(11.2, 1.5 + 0.42 * len(answers))
    axes = plain_axes(figure.subplots(), grid="x")
    axes.axvline(0, color=SOFT, linewidth=0.9)
    margins = {one.comparison.noninferior.margin for one in answers if one.comparison.noninferior}
    for margin in sorted(margins):
        axes.axvline(-margin, color=INK, linewidth=1.2, linestyle="--")
    for row, one in enumerate(answers):
        _row(axes, row, one)
    axes.set_yticks(range(len(answers)), rows_of(answers))
    axes.set_ylim(len(answers) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(8))
    metrics = list(dict.fromkeys(label_of(one.metric) for one in answers))
    axes.set_xlabel(f"difference in {' / '.join(metrics)}; right of 0 is better")
    handles = {
        "mean over folds, 95 %": Line2D([], [], color=INK, marker="D", markersize=5.5),
        "a subject": Line2D(
            [], [], color=COLOURS["pruned"], marker="o", linestyle="", alpha=0.5, markersize=5
        ),
    }
    if margins:
        handles["what may be lost"] = Line2D([], [], color=INK, linestyle="--")
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
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
    if compared.interval is not None:
        axes.plot(compared.interval, (row - 0.16, row - 0.16), color=INK, linewidth=1.6)
    axes.plot(compared.difference or 0.0, row - 0.16, "D", color=INK, markersize=5.5)


def subject_by_subject(family: Family) -> Figure | None:
    """A row a comparison, a column a subject, coloured by who gained and who lost."""
    answers = [one for one in family.answers if one.comparison.by_subject.subjects][:_MOST_ROWS]
    names = sorted({name for one in answers for name in one.comparison.by_subject.subjects})
    if not answers or len(names) < 2:
        return None
    table = np.array(
        [
            [one.comparison.by_subject.subjects.get(name, np.nan) for name in names]
            for one in answers
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
    known = [(at, one) for at, one in ranks if one.average]
    if not known:
        return None
    columns = min(3, len(known))
    lines = -(-len(known) // columns)
    most = max(len(one.average) for _, one in known)
    figure = new_figure(11.2, (1.1 + 0.34 * most) * lines + 0.5)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(known) :]:
        axes.set_visible(False)
    for axes, (at, one) in zip(grid.flat, known, strict=False):
        _ranked(plain_axes(axes, grid="x"), at, one)
    return figure


def _ranked(axes: Axes, at: At, ranks: Ranks) -> None:
    order = sorted(ranks.average.items(), key=lambda pair: pair[1])
    half = (ranks.critical_difference or 0.0) / 2
    best = order[0][1]
    axes.axvspan(best - half, best + half, color=GRID, linewidth=0)
    for row, (_, place) in enumerate(order):
        axes.plot((place - half, place + half), (row, row), color=INK, linewidth=1.6)
        axes.plot(place, row, "D", color=COLOURS["pruned"], markersize=6)
    axes.set_yticks(range(len(order)), [name for name, _ in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    words = ", ".join(f"{name} {value}" for name, value in at.items())
    axes.set_title(words or "All runs")
    axes.set_xlabel(f"average rank over {ranks.blocks} folds (1 is best)")
