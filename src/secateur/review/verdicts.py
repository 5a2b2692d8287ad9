"""One reviewer's word on the events of one recording: kept in a table beside it, written at each act.

The table is the truth. What can be undone is in a hidden file beside it, which holds the hash of the table
that it belongs to: where that is another one, because a process ended between both or somebody edited the
table, nothing is lost but undoing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from secateur.errors import EventsError, ReviewError
from secateur.events import Events
from secateur.files import locked, write_whole
from secateur.recordings.layouts.listing import SUFFIXES
from secateur.review.acts import Act, Signature, Step, step_of, with_machine
from secateur.reviewed import (
    ReviewedTable,
    checked_initials,
    read_reviewed,
    reviewed_path,
    reviewed_tables,
    table_stem,
)
from secateur.settings import checked

_MOST_STEPS = 500
"""Acts that can be undone."""
_LARGEST = 1 << 23
"""Bytes of a history; a larger one is forgotten."""
_LENGTHS_APART = 1.0

Json = dict[str, Any]


@dataclass(frozen=True)
class MachineEvents:
    """What is to be reviewed.

    `unfinished`: what has not come to the recording's end yet, one of `acts.UNFINISHED`; empty: all has.
    `table`: the name of the file that the events are from. `unjudged`: why the detector can't judge the
    recording, or not all of it; empty: it can.
    """

    events: Events
    source: Literal["ours", "file"] = "file"
    unfinished: str = ""
    table: str = ""
    unjudged: str = ""

    @property
    def complete(self) -> bool:
        """Whether machine and recording have come to the end."""
        return not self.unfinished


class ConflictError(ReviewError):
    """An act on events that are others by now: another window, or another process, was faster.

    `answer`: the events as they are.
    """

    def __init__(self, answer: Json) -> None:
        super().__init__("the events have changed meanwhile; look at them again")
        self.answer = answer


@dataclass(frozen=True)
class _History:
    """Acts, of which the first `position` are done. `table`: hash of the table that goes with it.

    `previous_table`, `previous_position`: before the last writing, for it may not have come to its end.
    """

    steps: tuple[Step, ...] = ()
    position: int = 0
    table: str = ""
    previous_table: str = ""
    previous_position: int = 0

    def at(self, table: str) -> _History:
        """The history as it goes with the table of this hash; an empty one where it doesn't."""
        if table == self.table:
            return self
        if table == self.previous_table:
            return replace(self, position=self.previous_position)
        return _History()

    def after(self, step: Step) -> _History:
        """With one more act; what was undone can't be done again."""
        steps = (*self.steps[: self.position], step)[-_MOST_STEPS:]
        return replace(self, steps=steps, position=len(steps))


_HISTORIES = TypeAdapter(_History)


class Review:
    """One reviewer's word on one recording. `channels`: its labels; `now`: the clock.

    Any number of processes may have the same review open: each act is done under a lock, on what is on the
    disk. Raises `EventsError` where initials can't stand in a name, and `ReviewError` where another recording
    beside this one would have the same table.
    """

    def __init__(
        self,
        recording: Path,
        reviewer: str = "",
        channels: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.recording, self.reviewer = recording, checked_initials(reviewer)
        self.channels, self._now = tuple(channels), now
        self.path = reviewed_path(recording, self.reviewer)
        self._history_path = self.path.with_name(f".{self.path.stem}.history.json")
        self._lock_path = self.path.with_name(f".{self.path.stem}.lock")
        _refuse_shared_table(recording)

    def table(self, machine: MachineEvents) -> ReviewedTable:
        """All events as they are now. Raises `EventsError` where the file on the disk can't be read."""
        return self._read(machine)[0]

    def answer(self, machine: MachineEvents) -> Json:
        """The events, their version, and who else has reviewed, as the page takes them."""
        return self._answer(self.table(machine), machine)

    def act(self, request: Mapping[str, Any], machine: MachineEvents) -> Json:
        """Do what the page asks for, write the table, and answer as `answer` does.

        Raises `SettingsError` or `ReviewError` for what can't be done, `ConflictError` where the events are
        no longer those that the person saw.
        """
        act = checked(Act, dict(request), None)
        with self._held():
            table, history, digest = self._read(machine)
            answer = self._answer(table, machine)
            if act.version != answer["version"]:
                raise ConflictError(answer)
            step, following = self._next(act, table, history, machine.unfinished)
            if step is None:
                return answer
            table = step.undone(table) if act.act == "undo" else step.done(table)
            table = with_machine(table, machine.events, machine.complete)
            previous = following.position + (1 if act.act == "undo" else -1)
            self._write(
                table, replace(following, previous_table=digest, previous_position=previous)
            )
        return self._answer(table, machine)

    def _next(
        self, act: Act, table: ReviewedTable, history: _History, unfinished: str
    ) -> tuple[Step | None, _History]:
        """The step that is to be done or undone, and the history after it."""
        position = history.position
        if act.act == "undo":
            if position == 0:
                return None, history
            return history.steps[position - 1], replace(history, position=position - 1)
        if act.act == "redo":
            if position == len(history.steps):
                return None, history
            return history.steps[position], replace(history, position=position + 1)
        time = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        step = step_of(act, table, Signature(self.reviewer, time), self.channels, unfinished)
        return step, history if step is None else history.after(step)

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            with locked(self._lock_path, wait=True):
                yield
        except OSError as error:
            raise ReviewError(
                f"{self.path}: the review can't be kept there ({error.strerror}); is the folder "
                "read-only, or the disk full?"
            ) from None

    def _read(self, machine: MachineEvents) -> tuple[ReviewedTable, _History, str]:
        """The table with the machine's events, its history, and the hash of the file."""
        if self.path.is_symlink():
            raise ReviewError(f"{self.path}: is a link; a review is kept in a file of its own")
        if not self.path.exists():
            return with_machine(None, machine.events, machine.complete), self._history(""), ""
        saved, digest = read_reviewed(self.path), _digest(self.path.read_bytes())
        length, own = machine.events.duration, saved.duration
        background = saved.background
        growing = background is not None and background.verdict == "open"
        if own > length + _LENGTHS_APART or (own < length - _LENGTHS_APART and not growing):
            raise EventsError(
                f"{self.path}: of a recording of {own:g} s, this one lasts {length:g} s; are these "
                "the events of another recording?"
            )
        table = with_machine(saved, machine.events, machine.complete)
        return table, self._history(digest), digest

    def _history(self, table: str) -> _History:
        path = self._history_path
        try:
            if path.stat().st_size > _LARGEST:
                return _History()
            return _HISTORIES.validate_json(path.read_bytes()).at(table)
        except (OSError, ValidationError):
            return _History()

    def _write(self, table: ReviewedTable, history: _History) -> None:
        content = table.tsv().encode()
        history = replace(history, table=_digest(content))
        write_whole(self._history_path, _HISTORIES.dump_json(history), durable=False)
        write_whole(self.path, content)

    def _answer(self, table: ReviewedTable, machine: MachineEvents) -> Json:
        background = table.background
        seen = background is not None and background.verdict == "accepted"
        return {
            "version": int(_digest(repr(table.rows).encode())[:12], 16),
            "source": machine.source,
            "table": machine.table or None,
            "unfinished": machine.unfinished or None,
            "events": [row.as_dict() for row in table.events],
            "seen": {"reviewer": background.reviewer, "time": background.time}
            if background is not None and seen
            else None,
            "others": self._others(),
        }

    def _others(self) -> list[Json]:
        """Who else has reviewed; `events` is None where their table can't be read."""
        others: list[Json] = []
        for reviewer, path in reviewed_tables(self.recording).items():
            if reviewer == self.reviewer:
                continue
            try:
                count: int | None = len(read_reviewed(path).events)
            except EventsError:
                count = None
            others.append({"reviewer": reviewer, "events": count})
        return others


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse_shared_table(recording: Path) -> None:
    """Raise `ReviewError` where another recording in the folder would have the same reviewed table."""
    stem, endings = table_stem(recording), (*SUFFIXES, *map(str.upper, SUFFIXES))
    names = (f"{stem}{part}{ending}" for part in ("", "_eeg", "_ieeg") for ending in endings)
    for other in (recording.with_name(name) for name in names if name != recording.name):
        if other.is_file() and not (recording.exists() and other.samefile(recording)):
            raise ReviewError(
                f"{recording}: {other.name} would have the same reviewed table; rename one of both"
            )
