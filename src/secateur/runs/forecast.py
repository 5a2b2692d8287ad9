"""How long a job will still take, from what its finished stages took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping

from secateur.runs.plan import Kind
from secateur.runs.progress import Progress

ALL = "all stages"
"""The name of the whole job where its steps are told."""

_LIKE: Mapping[Kind, tuple[Kind, ...]] = {
    "retrained": ("baseline",),
    "unstructured": ("baseline",),
    "scratch-long": ("baseline", "pruned"),
}
"""Stages that take as long as others together; those that aren't here are taken for a cut with retraining."""

Key = tuple[str, str]


class Forecast:
    """Tells `progress` after each of some stages how many are done, and once a network has been cut and
    retrained how long the others will take.

    `kinds`: of the stages that are to be done. `workers`: how many are done at once.
    """

    def __init__(self, kinds: Mapping[Key, Kind], workers: int, progress: Progress) -> None:
        self._kinds, self._undone = kinds, dict(kinds)
        self._workers, self._progress = max(1, workers), progress
        self._began: dict[Key, float] = {}
        self._seconds: dict[Kind, list[float]] = defaultdict(list)

    def begin(self, key: Key) -> None:
        """A stage begins."""
        self._began[key] = time.monotonic()

    def end(self, key: Key) -> None:
        """A stage has ended."""
        self._seconds[self._undone.pop(key)].append(time.monotonic() - self._began[key])
        remaining = self.remaining()
        note = "" if remaining is None or not self._undone else f"about {in_words(remaining)} left"
        done = len(self._kinds) - len(self._undone)
        self._progress.step(ALL, done, len(self._kinds), note)

    def remaining(self) -> float | None:
        """Seconds until all are done; None before a network has been cut and retrained."""
        if not self._seconds["pruned"]:
            return None
        return sum(map(self._expected, self._undone.values())) / self._workers

    def _expected(self, kind: Kind) -> float:
        if self._seconds[kind]:
            return self._mean(kind)
        return sum(map(self._mean, _LIKE.get(kind, ("pruned",))))

    def _mean(self, kind: Kind) -> float:
        seconds = self._seconds[kind] or self._seconds["pruned"]
        return sum(seconds) / len(seconds)


def in_words(seconds: float) -> str:
    """A duration in a unit that gives few digits."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 120 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
