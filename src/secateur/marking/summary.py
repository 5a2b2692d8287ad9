"""What became of each recording, as a table.

Comes in: targets and their outcomes, as they become known. Goes out: `summary.csv`, and the numbers for a
last line. Next: people read it; `batch` keeps it.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path

from secateur.files import write_whole
from secateur.marking.items import Target
from secateur.marking.mark import DONE, FAILED, WAITING, Outcome

NAME = "summary.csv"
COLUMNS = ("path", "status", "reason", "seconds", "events", "ictal_seconds", "notes")

_EVERY = 2.0
"""Seconds between two writings while the work goes on: a long table is not to be written for each row."""


class Summary:
    """The table of one job; recordings that were not reached are `waiting`."""

    def __init__(self, out: Path, targets: Sequence[Target]) -> None:
        self.path = out / NAME
        self.targets = tuple(targets)
        self.outcomes = [Outcome(WAITING)] * len(self.targets)
        self._written = -_EVERY

    def put(self, number: int, outcome: Outcome) -> None:
        """What became of the recording `number`; the file follows soon."""
        self.outcomes[number] = outcome
        if time.monotonic() - self._written >= _EVERY:
            self.write()

    def write(self) -> None:
        """Bring the file up to date."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for target, outcome in zip(self.targets, self.outcomes, strict=True):
            table.writerow(
                (
                    target.name,
                    outcome.status,
                    outcome.reason,
                    "" if outcome.seconds is None else f"{outcome.seconds:.2f}",
                    "" if outcome.events is None else outcome.events,
                    "" if outcome.ictal is None else f"{outcome.ictal:.2f}",
                    "; ".join(outcome.notes),
                )
            )
        write_whole(self.path, text.getvalue())
        self._written = time.monotonic()

    @property
    def failed(self) -> list[tuple[Target, Outcome]]:
        """The recordings that failed."""
        both = zip(self.targets, self.outcomes, strict=True)
        return [(target, outcome) for target, outcome in both if outcome.status == FAILED]

    def count(self, status: str) -> int:
        """How many recordings have this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def totals(self) -> tuple[int, float, float]:
        """Events, seconds ictal and seconds of EEG, of all that is marked."""
        known = [one for one in self.outcomes if one.events is not None]
        return (
            sum(one.events or 0 for one in known),
            sum(one.ictal or 0.0 for one in known),
            sum(one.seconds or 0.0 for one in known),
        )

    @property
    def done(self) -> int:
        """How many were done now."""
        return self.count(DONE)
