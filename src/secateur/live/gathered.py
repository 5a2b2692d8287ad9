"""What may be wrong with every piece of a signal: told at once, and then together every ten seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping

EVERY = 10.0
"""Seconds between two records about the same trouble."""
MOST = 100
"""In a record; with so many it is told sooner, so that none becomes too long to be read."""


class Gathered:
    """Sentences by trouble that wait for their record."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}  # when the trouble was last told
        self._waiting: dict[str, list[str]] = {}

    def add(self, trouble: str, words: str) -> None:
        """Something happened."""
        self._waiting.setdefault(trouble, []).append(words)

    def due(self, now: float, *, everything: bool = False) -> list[tuple[str, str]]:
        """What is to be told at `now`, in seconds of a clock that only goes on: troubles and words."""
        records = []
        for trouble, sentences in list(self._waiting.items()):
            if (
                not everything
                and len(sentences) < MOST
                and now - self._last.get(trouble, -math.inf) < EVERY
            ):
                continue
            self._last[trouble] = now
            del self._waiting[trouble]
            often = f"{len(sentences)} times: " if len(sentences) > 1 else ""
            records.append((trouble, often + "; ".join(dict.fromkeys(sentences))))
        return records

    def state(self) -> dict[str, tuple[str, ...]]:
        """What waits; `restore` takes it."""
        return {trouble: tuple(sentences) for trouble, sentences in self._waiting.items()}

    def restore(self, state: Mapping[str, tuple[str, ...]]) -> None:
        """Go on from what `state` gave."""
        self._waiting = {trouble: list(sentences) for trouble, sentences in state.items()}
