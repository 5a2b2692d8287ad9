"""False alarms in a study's report: FROC curves over runs, and what pruning costs, by data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from secateur.counts import plural
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Picture,
    Table,
    bounds,
    number,
    percent,
    signed,
)
from secateur.reporting.drawing import handles_of, legend_below, new_figure
from secateur.reporting.froc import (
    background_of,
    looked_at,
    prepare_axes,
    rate_heads,
    rates_of,
    set_in_words,
    worst_in_words,
)
from secateur.reporting.style import COLOURS, MODEL_NAMES
from secateur.results import Froc
from secateur.scoring.false_alarms import HOURS_A_DAY
from secateur.scoring.froc import CurveSpread, countable_rates, spread_over

if TYPE_CHECKING:
    from secateur.studies import Condition, Findings

_MOST_ROWS = 8
"""Conditions that are drawn; the table has all."""
_RATES_DRAWN = 80


def false_alarm_blocks(findings: Findings) -> Iterable[Block]:
    """Curves, operating points and false alarms of every condition; none where no run tells them."""
    drawn = [condition for condition in findings.conditions if condition.froc]
    if drawn:
        some = drawn[:_MOST_ROWS]
        names = ", ".join(
            f"{data} ({background_of(first, data)})" for data, first in _sets(some).items()
        )
        both = ", before pruning and pruned" if findings.study.pruned else ""
        left_out = f" Of {len(drawn)} conditions the first {len(some)}." * (len(drawn) > len(some))
        yield Picture(
            "froc",
            froc_figure(some),
            f"FROC curves of {plural(len(some), 'condition')}: sensitivity by event over false alarms a day.",
            f"Share of seizures found over false alarms a day, at every threshold{both}. "
            "Of each run it is what no other threshold beats (the monotone hull), chosen in hindsight on its "
            "test side, so it flatters; the line is the mean over runs, the band reaches from the lowest run "
            f"to the highest. Background looked at in the first run: {names}. Left of the dotted line these "
            f"hours can’t tell a rate from none.{left_out}",
        )
        yield froc_table(drawn)
    counted = [condition for condition in findings.conditions if condition.alarms]
    if counted:
        yield alarms_table(counted) if findings.study.pruned else _trained_alarms(counted)


def _sets(conditions: Sequence[Condition]) -> dict[str, Froc]:
    """The data sets that any condition looked at, each with the first curve that did."""
    sets: dict[str, Froc] = {}
    for condition in conditions:
        for froc in chain.from_iterable(condition.froc.values()):
            for data in looked_at(froc):
                sets.setdefault(data, froc)
    return sets


def froc_figure(conditions: Sequence[Condition]) -> Figure:
    """A row a condition, a column a data set."""
    sets = list(_sets(conditions))
    width = 7.2 if len(sets) == 1 else 5.6 * len(sets)
    figure = new_figure(width, 0.7 + 3.6 * len(conditions))
    grid = figure.subplots(len(conditions), len(sets), squeeze=False)
    for row, condition in zip(grid, conditions, strict=True):
        for axes, data in zip(row, sets, strict=True):
            if data not in _sets([condition]):
                axes.set_visible(False)
                continue
            _panel(axes, condition, data)
            title = axes.get_title(loc="left")
            axes.set_title(f"{condition.name}: {title}" if len(conditions) > 1 else title)
    legend_below(figure, handles_of(grid.flat))
    return figure


def _panel(axes: Axes, condition: Condition, data: str) -> None:
    known = [froc for froc in chain.from_iterable(condition.froc.values()) if data in froc.hours]
    highest = prepare_axes(axes, known, data)
    lowest = HOURS_A_DAY / max(froc.hours[data] for froc in known)
    rates = [0.0, *np.geomspace(lowest, highest, _RATES_DRAWN)]
    for model, curves in condition.froc.items():
        spread = spread_over([froc.points(data) for froc in curves if data in froc.hours], rates)
        axes.fill_between(
            rates,
            [at.lowest for at in spread],
            [at.highest for at in spread],
            color=COLOURS[model],
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(
            rates,
            [at.mean for at in spread],
            color=COLOURS[model],
            linewidth=2,
            label=f"{MODEL_NAMES[model]} ({plural(len(curves), 'run')})",
        )


def froc_table(conditions: Sequence[Condition]) -> Table:
    """Sensitivity at a few rates: means over runs, and the lowest and highest run."""
    sets = _sets(conditions)
    rates = rates_of(first.hours[data] for data, first in sets.items())
    rows: list[list[Cell | str]] = []
    marks = []
    for condition in conditions:
        for model, curves in condition.froc.items():
            for data in sets:
                known = [froc for froc in curves if froc.hours.get(data)]
                if not known:
                    continue
                least = min(froc.hours[data] for froc in known)
                countable = {0.0, *countable_rates(least, rates)}
                spread = spread_over([froc.points(data) for froc in known], [0.0, *rates])
                cells = [_cell(at) if at.per_day in countable else Cell(UNDEFINED) for at in spread]
                name = f"{MODEL_NAMES[model]}, {plural(len(known), 'run')}"
                rows.append([condition.name, name, data, *cells])
                marks.append(model)
    return Table(
        "froc",
        "Sensitivity by event at few false alarms a day on each data set’s background: means over runs, in "
        "brackets the lowest and the highest run. Thresholds are chosen in hindsight, which flatters. "
        f"{UNDEFINED}: too few hours in a run to tell such a rate.",
        ("Condition", "Network", "False alarms on", *rate_heads(rates)),
        rows,
        words=(1, 2),
        marks=marks,
    )


def _cell(at: CurveSpread) -> Cell:
    return Cell(number(at.mean), bounds((at.lowest, at.highest)))


def alarms_table(conditions: Sequence[Condition]) -> Table:
    """False alarms a day at each network's own threshold, and pruned minus before by person."""
    rows: list[list[Cell | str]] = []
    for condition in conditions:
        for name, alarms in condition.alarms.items():
            cost = alarms.cost
            rows.append(
                [
                    condition.name,
                    set_in_words(name, alarms.declared_seizure_free),
                    _range(alarms.hours, 2),
                    *(_range(alarms.rates[model], 1) for model in ("baseline", "pruned")),
                    percent(_mean(alarms.shares["pruned"]), 1),
                    UNDEFINED
                    if cost is None
                    else Cell(signed(cost.per_day, 1), bounds(cost.interval, 1, sign=True)),
                    *(worst_in_words(alarms.people[model]) for model in ("baseline", "pruned")),
                ]
            )
    return Table(
        "false-alarms",
        "False alarms a day at each network’s own threshold, by data set: means over runs, in brackets the "
        "lowest and the highest run. Windows called: of those outside seizures, pruned. Pruned minus before: "
        "inside each person over all runs, then the mean over people, in brackets 95 % (bootstrap over "
        "people; none below five). Most alarms: over all runs, the worst five people.",
        (
            "Condition",
            "Data set",
            "Hours a run",
            "A day, before",
            "A day, pruned",
            "Windows called",
            "Pruned minus before",
            "Most alarms, before",
            "Most alarms, pruned",
        ),
        rows,
        words=(1, 7, 8),
    )


def _trained_alarms(conditions: Sequence[Condition]) -> Table:
    """The same where nothing is pruned."""
    rows: list[list[Cell | str]] = [
        [
            condition.name,
            set_in_words(name, alarms.declared_seizure_free),
            _range(alarms.hours, 2),
            _range(alarms.rates["baseline"], 1),
            percent(_mean(alarms.shares["baseline"]), 1),
            worst_in_words(alarms.people["baseline"]),
        ]
        for condition in conditions
        for name, alarms in condition.alarms.items()
    ]
    return Table(
        "false-alarms",
        "False alarms a day at each network’s own threshold, by data set: means over runs, in brackets the "
        "lowest and the highest run. Windows called: of those outside seizures. Most alarms: over all runs, "
        "the worst five people.",
        ("Condition", "Data set", "Hours a run", "A day", "Windows called", "Most alarms"),
        rows,
        words=(1, 5),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _range(values: Sequence[float], digits: int) -> Cell:
    if not values:
        return Cell(UNDEFINED)
    return Cell(number(_mean(values), digits), bounds((min(values), max(values)), digits))
