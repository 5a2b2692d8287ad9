"""Sensitivity by event over false alarms a day (FROC), as figures and tables of every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from secateur.counts import plural
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Picture,
    Table,
    bounds,
    number,
    plain,
    short_names,
)
from secateur.reporting.drawing import (
    FONT,
    handles_of,
    legend_below,
    new_figure,
    panels,
    plain_axes,
)
from secateur.reporting.style import COLOURS, DASHES, MARKS, MODEL_NAMES, PAPER, PRODUCT, SOFT
from secateur.results import Froc, TestScores
from secateur.scoring.false_alarms import HOURS_A_DAY, FalseAlarms, worst_subjects
from secateur.scoring.froc import OperatingPoint, countable_rates, hull, within

RATES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""False alarms a day at which tables tell the sensitivity, where the hours there are can tell them."""
_RATES_OF_A_SET = 3
_MOST_PANELS = 6

CAPTION = (
    "Share of seizures found over false alarms a day, at every threshold, by the event rules of each "
    "detector’s own file. Drawn is what no other threshold beats (the monotone hull): chosen in hindsight on "
    "these recordings, so it flatters. "
)


@dataclass(frozen=True)
class ModelCurve:
    """A detector's curve and its own threshold. `name`: for people; `model`: whose colours it has."""

    name: str
    model: str
    froc: Froc
    threshold: float


def curves_of(tests: Mapping[str, TestScores]) -> list[ModelCurve]:
    """Of the models of a run or a ladder, those that have one."""
    return [
        ModelCurve(MODEL_NAMES[name], name, test.froc, test.threshold)
        for name, test in tests.items()
        if test.froc is not None
    ]


def froc_blocks(curves: Sequence[ModelCurve], simulated: str = "") -> Iterable[Block]:
    """Figure and table; none where there is no seizure to be found.

    `simulated`: stands before the caption where the data are.
    """
    curves = [curve for curve in curves if curve.froc.seizures]
    if not curves:
        return
    first = curves[0].froc
    names = ", ".join(f"{data} ({background_of(first, data)})" for data in first.hours)
    yield Picture(
        "froc",
        froc_figure(curves),
        f"FROC curves of {plural(len(curves), 'model')}: sensitivity by event over false alarms a day "
        f"on {names}.",
        f"{simulated}{CAPTION}Marks: where each model works at its own threshold, with the exact 95 % "
        "(Poisson) interval of its rate. Left of the dotted line the hours that were looked at can’t tell a "
        "rate from none: no alarm in them still allows for so many (one-sided, 95 %). At the right end every "
        "window is called.",
    )
    yield froc_table(curves)


def background_of(froc: Froc, data: str) -> str:
    """What was looked at: its kind and its hours."""
    hours = f"{froc.hours[data]:.3g} h looked at"
    return ", ".join(filter(None, (froc.backgrounds.get(data, ""), hours)))


def froc_figure(curves: Sequence[ModelCurve]) -> Figure:
    """A panel a data set whose background was looked at, a line a model."""
    first = curves[0].froc
    sets = looked_at(first)
    columns = min(2, len(sets))
    figure = new_figure(7.2 if columns == 1 else 11.2, 0.7 + 4.0 * -(-len(sets) // columns))
    grid = panels(figure, len(sets), columns)
    for axes, data in zip(grid, sets, strict=True):
        prepare_axes(axes, [curve.froc for curve in curves], data)
        for curve in reversed(curves):
            points = curve.froc.points(data)
            draw_hull(axes, points, curve)
            draw_own(axes, points, curve)
    legend_below(figure, dict(reversed(handles_of(grid).items())), columns=4)
    return figure


def looked_at(froc: Froc) -> list[str]:
    """Data sets with EEG outside seizures."""
    return [data for data, hours in froc.hours.items() if hours > 0][:_MOST_PANELS]


def prepare_axes(axes: Axes, curves: Sequence[Froc], data: str) -> float:
    """Rates along a scale that has a place for none, and the highest of them.

    What was looked at, in the curve with the most hours, stands in the title.
    """
    longest = max(curves, key=lambda froc: froc.hours[data])
    hours = longest.hours[data]
    lowest = HOURS_A_DAY / hours
    rates = (point.alarms.per_day or 0.0 for froc in curves for point in froc.points(data))
    highest = max(lowest, *rates)
    plain_axes(axes, grid="both")
    axes.set_xscale("symlog", linthresh=lowest, linscale=0.6)
    ticks = [0.0, *(10.0**power for power in range(-4, 6) if lowest <= 10.0**power)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set(xlim=(-0.12 * lowest, 1.6 * highest), ylim=(-0.02, 1.04))
    limit = FalseAlarms(0, hours).limit
    if limit is not None:
        axes.axvline(limit, color=SOFT, linewidth=0.9, linestyle=":")
    axes.set_title(f"{data}\n{background_of(longest, data)}", fontsize=FONT)
    axes.set(xlabel="false alarms a day", ylabel="sensitivity by event")
    return highest


def draw_hull(axes: Axes, points: Sequence[OperatingPoint], curve: ModelCurve) -> None:
    """A model's curve: steps through the points that none beats."""
    best = hull(points)
    rates = [point.alarms.per_day or 0.0 for point in best]
    sensitivities = [point.sensitivity or 0.0 for point in best]
    last = max((point.alarms.per_day or 0.0 for point in points), default=0.0)
    axes.plot(
        [*rates, max(last, rates[-1])],
        [*sensitivities, sensitivities[-1]],
        drawstyle="steps-post",
        color=COLOURS[curve.model],
        linestyle=DASHES[curve.model],
        linewidth=2 if curve.model in PRODUCT else 1.3,
        label=curve.name,
    )


def draw_own(axes: Axes, points: Sequence[OperatingPoint], curve: ModelCurve) -> None:
    """Where a model works at its own threshold, with the interval of its rate."""
    own, colour = own_point(points, curve.threshold), COLOURS[curve.model]
    if own is None or own.alarms.interval is None:
        return
    height = own.sensitivity or 0.0
    axes.plot(own.alarms.interval, (height, height), color=colour, linewidth=1, alpha=0.45)
    axes.plot(
        own.alarms.per_day or 0.0,
        height,
        MARKS[curve.model],
        color=colour,
        markersize=7,
        markeredgecolor=PAPER,
        zorder=3,
    )


def own_point(points: Sequence[OperatingPoint], threshold: float) -> OperatingPoint | None:
    """The point at a detector's own threshold."""
    return next((point for point in points if point.threshold == threshold), None)


def rates_of(hours: Iterable[float]) -> list[float]:
    """The rates that tables tell: of each data set the lowest that its hours can tell."""
    countable = (countable_rates(each, RATES)[:_RATES_OF_A_SET] for each in hours if each > 0)
    return sorted({rate for rates in countable for rate in rates})


def worst_in_words(people: Mapping[str, FalseAlarms]) -> str:
    """The five people with the most alarms a day; a dash where there is no alarm."""
    names = short_names(list(people))
    worst = worst_subjects(people)
    return (
        ", ".join(f"{names[who]} {own.alarms} in {own.hours:.2f} h" for who, own in worst.items())
        or UNDEFINED
    )


def set_in_words(name: str, declared_seizure_free: bool) -> str:
    """A data set in a table of false alarms."""
    return f"{name}, declared free of seizures" if declared_seizure_free else name


def rate_heads(rates: Sequence[float]) -> list[str]:
    """Heads of a table's columns, the first for no alarm at all."""
    return ["No alarm seen", *(f"At most {plain(rate)} a day" for rate in rates)]


def froc_table(curves: Sequence[ModelCurve]) -> Table:
    """Sensitivity of each model at a few rates of false alarms, by data set, and at its own threshold."""
    first = curves[0].froc
    sets = looked_at(first)
    rates = rates_of(first.hours[data] for data in sets)
    rows: list[list[Cell | str]] = []
    marks = []
    for curve in curves:
        froc = curve.froc
        for data in sets:
            points = froc.points(data)
            known = countable_rates(froc.hours[data], rates)
            cells = [_at(points, 0.0)]
            cells += [_at(points, rate) if rate in known else Cell(UNDEFINED) for rate in rates]
            where = f"{data}: {background_of(froc, data)}"
            rows.append(
                [curve.name, where, *cells, *_own_cells(own_point(points, curve.threshold))]
            )
            marks.append(curve.model)
    return Table(
        "froc",
        "Sensitivity by event at few false alarms a day on each data set’s background; below it, how many of "
        "the seizures. Each cell takes the threshold that is best for it on these recordings: it flatters; "
        "the last two columns have the threshold that was chosen beforehand, and the exact 95 % (Poisson) "
        f"interval of its rate. {UNDEFINED}: too few hours to tell such a rate.",
        (
            "Model",
            "False alarms on",
            *rate_heads(rates),
            "At its own threshold",
            "False alarms a day there",
        ),
        rows,
        words=(1,),
        marks=marks,
    )


def _at(points: Sequence[OperatingPoint], rate: float) -> Cell:
    point = within(points, rate)
    # a threshold that is never reached finds nothing, and raises no alarm
    return _count_cell(point.tp if point is not None else 0, points[0].seizures)


def _count_cell(tp: int, seizures: int) -> Cell:
    return Cell(number(tp / seizures), f"({tp} of {seizures})")


def _own_cells(own: OperatingPoint | None) -> tuple[Cell, Cell]:
    if own is None:
        return Cell(UNDEFINED), Cell(UNDEFINED)
    return _count_cell(own.tp, own.seizures), Cell(
        number(own.alarms.per_day, 1), bounds(own.alarms.interval, 1)
    )
