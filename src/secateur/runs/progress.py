"""How a run is carried out, and the protocol by which it says what it is doing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from secateur.windows import Cache


class Progress(Protocol):
    """Told of each stage's beginning, steps and end; may be called for two stages in turn."""

    def begin(self, stage: str, of: int | None) -> None:
        """A stage begins; `of` steps at most, where that is known."""

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        """A stage has done so many steps; `note` is its best score, or empty."""

    def end(self, stage: str, note: str) -> None:
        """A stage is finished, or was found finished."""


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, of: int | None) -> None:
        """See `Progress`."""

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        """See `Progress`."""

    def end(self, stage: str, note: str) -> None:
        """See `Progress`."""


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; nothing here changes a number.

    `workers`: processes that train at once. `command`: what the report tells as the way to make it
    again (None: made up from the settings).
    """

    workers: int = 1
    cache: Cache = field(default_factory=Cache)
    progress: Progress = field(default_factory=Silent)
    command: str | None = None
