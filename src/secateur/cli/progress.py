"""Progress for people, on standard error: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from secateur.runs import Progress


class PlainProgress:
    """A line for each stage and each step that takes long; for files, pipes and CI."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._reported = 0.0
        self._done: dict[str, int] = {}

    def begin(self, stage: str, of: int | None) -> None:
        """See `runs.Progress`."""
        self._began[stage] = time.monotonic()
        self._say(f"{stage}: begins")

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        """A line for each epoch; for uncommented counting at most every five seconds, and none again."""
        now = time.monotonic()
        if not note and ((now - self._reported < 5 and done < of) or self._done.get(stage) == done):
            return
        self._done[stage] = done
        self._reported = now
        remaining = ""
        if 0 < done < of and stage in self._began:
            seconds = (now - self._began[stage]) / done * (of - done)
            remaining = f", at most {seconds:.0f} s left"
        self._say(f"{stage}: {done} of {of}{f', {note}' if note else ''}{remaining}")

    def end(self, stage: str, note: str) -> None:
        """See `runs.Progress`."""
        text = f": {note}" if note else ""
        if stage in self._began:
            text = f" in {time.monotonic() - self._began[stage]:.1f} s{text}"
        self._say(f"{stage}: done{text}")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class LiveProgress:
    """A bar for each stage: how far, best score, time left."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def begin(self, stage: str, of: int | None) -> None:
        """See `runs.Progress`."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=of or None, note="")

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        """See `runs.Progress`; the last note stays until another comes."""
        self.begin(stage, of)
        task = self._tasks[stage]
        self._bars.update(task, completed=done, total=of)
        if note:
            self._bars.update(task, note=note)

    def end(self, stage: str, note: str) -> None:
        """Fills the bar: early stopping leaves epochs undone."""
        self.begin(stage, 1)
        task = self._tasks[stage]
        done = self._bars.tasks[self._bars.task_ids.index(task)].completed or 1
        self._bars.update(task, completed=done, total=done, note=f"✓ {note}")
        self._bars.stop_task(task)


@contextmanager
def progress_display() -> Iterator[Progress]:
    """A progress display fit for where standard error goes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress()
        return
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=console) as bars:
        yield LiveProgress(bars)
