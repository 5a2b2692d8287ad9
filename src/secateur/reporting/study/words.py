"""How a study's report names things and writes numbers.

Comes in: keys, values and intervals. Goes out: text and cells. Next: `contents`, and the figures.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from secateur.reporting.study.document import Cell
from secateur.reporting.style import UNDEFINED, bounds, number, signed
from secateur.scoring.comparing import Summary
from secateur.scoring.intervals import Interval
from secateur.scoring.metrics import metric_of
from secateur.studies import Answer, Condition, Curve, Value


def scored(summary: Summary, metric: str, *, sign: bool = False) -> Cell:
    """A mean with its interval."""
    write = signed if sign else number
    middle = write(summary.mean, metric_of(metric).digits)
    if summary.interval is None:
        return Cell(middle)
    return Cell(middle, bounds(summary.interval, metric_of(metric).digits, sign=sign))


def apart(value: float | None, interval: Interval | None, digits: int = 3) -> Cell:
    """A difference with its interval."""
    if value is None:
        return Cell(UNDEFINED)
    return Cell(
        signed(value, digits), "" if interval is None else bounds(interval, digits, sign=True)
    )


def chance(p: float | None) -> Cell:
    """A p."""
    if p is None:
        return Cell(UNDEFINED)
    return Cell("< 0.001" if p < 0.001 else number(p))


def rows_of(answers: Sequence[Answer]) -> list[str]:
    """What each row of a family's tables and figures compares: without what all of them share."""
    shared = [
        set(one.at.items()).intersection(*(other.at.items() for other in answers))
        for one in answers[:1]
    ]
    return [_sides(one, shared[0] if len(answers) > 1 else set()) for one in answers]


def _sides(answer: Answer, shared: Set[tuple[str, Value]]) -> str:
    at = told(tuple(pair for pair in answer.at.items() if pair not in shared))
    theirs = answer.theirs.removeprefix("the network ")
    return f"{answer.ours} − {theirs}" + (f" ({at})" if at else "")


def apart_from(condition: Condition | Curve, axis: str) -> tuple[tuple[str, object], ...]:
    """The values of all other axes."""
    return tuple((name, value) for name, value in condition.at.items() if name != axis)


def told(values: tuple[tuple[str, object], ...]) -> str:
    """Values of axes in words."""
    return ", ".join(f"{name} {value}" for name, value in values)
