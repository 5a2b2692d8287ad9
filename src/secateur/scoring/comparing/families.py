"""Many questions of one family, and the level that all of them share."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Corrected p in the order given; None stays None and counts for nothing.

    Below 5 % in a family with no true difference at most once in twenty times, whatever the dependence
    between its tests (Holm, Scandinavian Journal of Statistics 6, 1979).
    """
    order = sorted((value, position) for position, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    reached = 0.0
    for step, (value, position) in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - step) * value))
        corrected[position] = reached
    return corrected
