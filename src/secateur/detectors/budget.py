"""A threshold by what may be called falsely: so many alarms a day on validation background, at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.evaluation import WindowTable
from secateur.detectors.event_rules import PostProcessing, to_events
from secateur.recordings import Entry
from secateur.scoring import compare
from secateur.scoring.false_alarms import HOURS_A_DAY, FalseAlarms

_STEPS = 12
"""Halvings of the list of candidates."""
_HIGHEST = 0.999999


@dataclass(frozen=True)
class Budget:
    """The threshold that keeps a budget. `allowed`: alarms that it leaves in the hours there are."""

    threshold: float
    per_day: float
    allowed: int
    alarms: FalseAlarms

    def as_dict(self) -> dict[str, Any]:
        """The numbers under the names that JSON has."""
        return {
            "per_day": self.per_day,
            "allowed": self.allowed,
            "alarms": {"alarms": self.alarms.alarms, "hours": self.alarms.hours},
            "threshold": self.threshold,
            "words": self.words,
        }

    @property
    def words(self) -> str:
        """What the budget came to."""
        can_tell = "" if self.allowed else ", so few hours that one alarm is over the budget"
        return (
            f"threshold {self.threshold:.4g} by a budget of {self.per_day:g} false alarms a day; on "
            f"validation background {self.alarms.words}{can_tell}"
        )


def within_budget(
    entries: Sequence[Entry],
    table: WindowTable,
    probability: NDArray[np.floating],
    hop: float,
    rules: PostProcessing,
    per_day: float,
) -> Budget:
    """The lowest threshold by which `rules` raise at most `per_day` false alarms a day.

    The windows of `entries` stand in `table` and follow each other without a gap; `probability`: of each,
    shape (n,). Alarms are counted as false as timescoring does. Where the background is too short for one
    alarm within the budget it is the lowest threshold with none.
    """
    own = [(entry, table.rows(entry.key)) for entry in entries]
    parts = [(entry, table.second[k], np.asarray(probability[k], np.float64)) for entry, k in own]
    hours = sum(max(0.0, entry.duration - entry.events.seconds) for entry in entries) / 3600

    def alarms(threshold: float) -> int:
        moved = rules.moved_to(threshold)
        return sum(
            compare(
                entry.events.clipped(), to_events(begin, p, hop, moved, entry.duration)
            ).events.fp
            for entry, begin, p in parts
        )

    allowed = int(per_day * hours / HOURS_A_DAY)
    candidates = np.unique(np.concatenate([p for _, _, p in parts] or [np.empty(0)]))
    threshold = _lowest(candidates, lambda value: alarms(value) <= allowed)
    return Budget(threshold, per_day, allowed, FalseAlarms(alarms(threshold), hours))


def _lowest(candidates: NDArray[np.float64], fits: Callable[[float], bool]) -> float:
    """The lowest threshold from which on all fit; between candidates nothing changes.

    A higher threshold may split an alarm in two, so the number of alarms does not fall everywhere: it is
    looked at from above, first in steps, then closer.
    """
    middles = np.append((candidates[:-1] + candidates[1:]) / 2, _HIGHEST)
    good = len(middles) - 1
    step = max(1, len(middles) // (1 << _STEPS // 2))
    while step:
        while good - step >= 0 and fits(float(middles[good - step])):
            good -= step
        step //= 2
    return float(middles[good])
