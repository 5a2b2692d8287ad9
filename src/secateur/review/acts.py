"""What a person does to the events of a recording, one act at a time, and how it is undone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from secateur.errors import ReviewError
from secateur.events import BACKGROUND, Event, Events
from secateur.reviewed import LONGEST_COMMENT, ReviewedEvent, ReviewedTable, tidy
from secateur.settings import Settings

_LENGTHS_APART = 1.0
"""Seconds by which a recording may have grown since a person said to have gone through it."""
_SHORTEST = 0.01
UNFINISHED = {
    "detection": "detection has not come to the end yet; wait until it has",
    "live": "secateur live has not come to the end yet; wait until it has, or stop it",
    "growing": "the recording has grown in the last minute; wait until it has stood still for one",
}
"""What may not have come to a recording's end, and what is said to who has gone through it all the same."""
_ADDED = re.compile(r"a(\d{1,9})")


class Act(Settings):
    """What the page asks for. `version`: of the events that the person saw."""

    version: int
    act: Literal["accept", "reject", "change", "add", "comment", "channels", "seen", "undo", "redo"]
    event: Annotated[str, Field(max_length=40)] = ""
    onset: float | None = None
    duration: float | None = None
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT)] | None = None
    channels: Annotated[
        tuple[Annotated[str, Field(max_length=80)], ...], Field(max_length=256)
    ] = ()


@dataclass(frozen=True)
class Signature:
    """Who says something, and when (UTC, `2026-11-28T15:04:05Z`)."""

    reviewer: str
    time: str


@dataclass(frozen=True)
class Step:
    """What an act did: one row as it was `before` (None: it was not there) and `after` (None: it went)."""

    before: ReviewedEvent | None
    after: ReviewedEvent | None

    def done(self, table: ReviewedTable) -> ReviewedTable:
        """The table after the act."""
        return _exchanged(table, self.before, self.after)

    def undone(self, table: ReviewedTable) -> ReviewedTable:
        """The table as it was before the act."""
        return _exchanged(table, self.after, self.before)


def _exchanged(
    table: ReviewedTable, old: ReviewedEvent | None, new: ReviewedEvent | None
) -> ReviewedTable:
    keys = {row.key for row in (old, new) if row is not None}
    rows = tuple(row for row in table.rows if row.key not in keys)
    return replace(table, rows=rows if new is None else (*rows, new))


def with_machine(table: ReviewedTable | None, machine: Events, complete: bool) -> ReviewedTable:
    """What a person has said, and beside it what the machine says now.

    An event that the machine no longer has stays where a person said something of it. Where nobody did it
    goes once the machine has come to the end (`complete`): until then the machine may come to it yet. A new
    one is open. As long as the machine has not come to the end, or where there are no events at all, an open
    row stands for all of the recording: nobody can have judged what is not there yet.
    """
    events = machine.clipped().rounded()
    rows = {_key(event): _opened(event) for event in events}
    length = events.duration
    for row in () if table is None else table.rows:
        if row.key == BACKGROUND:
            grown = abs(row.duration - length) > _LENGTHS_APART
            if row.verdict == "accepted" and complete and not grown:
                rows[row.key] = replace(row, duration=length)
        elif (
            row.reviewer
            or row.time
            or row.verdict != "open"
            or row.key in rows
            or (not complete and not any(_overlap(row, event) for event in events))
        ):
            rows[row.key] = row
    if BACKGROUND not in rows and not (rows and complete):
        rows[BACKGROUND] = ReviewedEvent(BACKGROUND, 0.0, length, "open")
    return ReviewedTable(tuple(rows.values()), length, machine.start)


def _overlap(row: ReviewedEvent, event: Event) -> bool:
    return row.onset < event.end and event.onset < row.onset + row.duration


def _key(event: Event) -> str:
    return f"m{event.onset:.2f}-{event.end:.2f}"


def _opened(event: Event) -> ReviewedEvent:
    return ReviewedEvent(_key(event), event.onset, event.duration, "open", event)


def step_of(
    act: Act, table: ReviewedTable, by: Signature, channels: Sequence[str], unfinished: str = ""
) -> Step | None:
    """What an act does to a table; None where nothing changes.

    `channels`: the recording's, of which an event's may be chosen. `unfinished`: what has not come to the
    recording's end yet, one of `UNFINISHED`; empty: all has. Raises `ReviewError` where the act can't be
    done.
    """
    if act.act == "add":
        return Step(None, _signed(_added(act, table), by))
    if act.act == "seen":
        return _seen(table, by, unfinished)
    before = next((row for row in table.events if row.key == act.event), None)
    if before is None:
        raise ReviewError(f"there is no event {act.event!r} here; look again, it may have gone")
    if act.act == "reject" and before.verdict == "added":
        return Step(before, None)  # what a person added goes when it is taken back
    after = _CHANGES[act.act](act, before, table, channels)
    return None if after == before else Step(before, _signed(after, by))


def _signed(row: ReviewedEvent, by: Signature) -> ReviewedEvent:
    return replace(row, reviewer=by.reviewer, time=by.time)


def _added(act: Act, table: ReviewedTable) -> ReviewedEvent:
    numbers = [int(match[1]) for row in table.rows if (match := _ADDED.fullmatch(row.key))]
    onset, duration = _times(act, table.duration)
    key = f"a{max(numbers, default=0) + 1}"
    return ReviewedEvent(key, onset, duration, "added", comment=tidy(act.comment or ""))


def _seen(table: ReviewedTable, by: Signature, unfinished: str) -> Step | None:
    """The recording was gone through to its end."""
    if unfinished:
        raise ReviewError(UNFINISHED[unfinished])
    if count := sum(row.verdict == "open" for row in table.events):
        words = "1 event is still open; accept, change or reject it first"
        if count > 1:
            words = f"{count} events are still open; accept, change or reject them first"
        raise ReviewError(words)
    before = table.background
    if before is not None and before.verdict == "accepted":
        return None
    row = ReviewedEvent(BACKGROUND, 0.0, table.duration, "accepted")
    return Step(before, _signed(row, by))


def _accept(
    act: Act, row: ReviewedEvent, table: ReviewedTable, channels: Sequence[str]
) -> ReviewedEvent:
    if row.verdict == "added":
        return row
    return replace(row, verdict="changed" if row.is_moved else "accepted")


def _reject(
    act: Act, row: ReviewedEvent, table: ReviewedTable, channels: Sequence[str]
) -> ReviewedEvent:
    return replace(row, verdict="rejected")


def _change(
    act: Act, row: ReviewedEvent, table: ReviewedTable, channels: Sequence[str]
) -> ReviewedEvent:
    onset, duration = _times(act, table.duration)
    row = replace(row, onset=onset, duration=duration)
    if row.verdict == "added":
        return row
    return replace(row, verdict="changed" if row.is_moved else "accepted")


def _comment(
    act: Act, row: ReviewedEvent, table: ReviewedTable, channels: Sequence[str]
) -> ReviewedEvent:
    if act.comment is None:
        raise ReviewError("a comment is a text, got none")
    return replace(row, comment=tidy(act.comment))


def _choose(
    act: Act, row: ReviewedEvent, table: ReviewedTable, channels: Sequence[str]
) -> ReviewedEvent:
    unknown = [name for name in act.channels if name not in channels]
    if unknown:
        raise ReviewError(f"the recording has no channel {unknown[0]!r}")
    if any("," in name for name in act.channels):
        raise ReviewError("a channel whose label holds a comma can't be noted in SzCORE's form")
    chosen = tuple(name for name in channels if name in act.channels)
    return replace(row, channels=() if chosen == tuple(channels) else chosen)


_Change = Callable[[Act, ReviewedEvent, ReviewedTable, Sequence[str]], ReviewedEvent]
_CHANGES: dict[str, _Change] = {
    "accept": _accept,
    "reject": _reject,
    "change": _change,
    "comment": _comment,
    "channels": _choose,
}


def _times(act: Act, length: float) -> tuple[float, float]:
    """Onset and duration as a table holds them, in seconds. Raises `ReviewError`."""
    if act.onset is None or act.duration is None:
        raise ReviewError(f"{act.act} needs onset and duration in seconds")
    onset, end = round(act.onset, 2), round(act.onset + act.duration, 2)
    duration = round(end - onset, 2)
    if not 0 <= onset <= end - _SHORTEST / 2 or end > length:
        raise ReviewError(
            f"an event lies between 0 and {length:g} s and lasts {_SHORTEST} s or more, got "
            f"{act.onset:g} s for {act.duration:g} s"
        )
    return onset, duration
