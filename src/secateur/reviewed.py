"""Tables of events with what a person said of them: `*_desc-reviewed_events.tsv`, found, read and written.

SzCORE's columns come first, so that every reader of events takes the right ones for seizures: the type of a
rejected event is `bckg`. Behind them stands who said what and when, and what the machine had said.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from secateur.errors import EventsError
from secateur.events import BACKGROUND, Event, Events, EventTable, event_order

COLUMNS = ("event", "verdict", "reviewer", "reviewed", "comment", "machineOnset", "machineDuration",
           "machineType")  # fmt: skip
"""The columns behind SzCORE's."""

LONGEST_COMMENT = 500
_LONGEST_CHANNELS = 4000
_LONGEST_KEY = 40
_INITIALS = re.compile(r"[A-Za-z0-9]{0,8}")
_NAME = re.compile(r"(?P<stem>.+)_desc-reviewed(?P<reviewer>[A-Za-z0-9]{0,8})_events\.tsv")
_FORMULA = "=+-@＝＋－＠"
"""What a cell begins with that a spreadsheet would compute; the wide signs too."""


@dataclass(frozen=True)
class ReviewedEvent:
    """An event under review, or the row that stands for all of the recording (its key is `BACKGROUND`).

    `onset`, `duration`: in seconds, as the reviewer has them. `verdict`: one of `events.VERDICTS`. `machine`:
    what the machine said, None for an event that a person added. `reviewer`: initials; `time`: of the last
    act, in UTC; both are empty where nobody has said anything. `channels`: none: all.
    """

    key: str
    onset: float
    duration: float
    verdict: str
    machine: Event | None = None
    reviewer: str = ""
    time: str = ""
    comment: str = ""
    channels: tuple[str, ...] = ()

    @property
    def event(self) -> Event:
        """As a table of events has it; of type `bckg` where it is no seizure."""
        machine = self.machine
        confidence = None if machine is None else machine.confidence
        if self.verdict == "rejected" or self.key == BACKGROUND:
            return Event(self.onset, self.duration, "bckg", confidence)
        kind = "sz" if machine is None else machine.kind
        return Event(self.onset, self.duration, kind, confidence)

    @property
    def is_moved(self) -> bool:
        """Whether its times are not the machine's."""
        times = self.onset, self.duration
        return self.machine is not None and times != (self.machine.onset, self.machine.duration)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        machine = self.machine
        return {
            "id": self.key,
            "onset": self.onset,
            "duration": self.duration,
            "confidence": None if machine is None else machine.confidence,
            "verdict": self.verdict,
            "reviewer": self.reviewer,
            "time": self.time,
            "comment": self.comment,
            "channels": list(self.channels),
            "machine": None
            if machine is None
            else {"onset": machine.onset, "duration": machine.duration},
        }


@dataclass(frozen=True)
class ReviewedTable:
    """All events of a recording under review. `duration` and `start` are the recording's."""

    rows: tuple[ReviewedEvent, ...]
    duration: float
    start: datetime | None = None

    def __post_init__(self) -> None:
        ordered = sorted(self.rows, key=lambda row: (event_order(row.event), row.key))
        object.__setattr__(self, "rows", tuple(ordered))

    @property
    def events(self) -> tuple[ReviewedEvent, ...]:
        """The events without the row for all of the recording."""
        return tuple(row for row in self.rows if row.key != BACKGROUND)

    @property
    def background(self) -> ReviewedEvent | None:
        """The row for all of the recording: accepted once a person has said to have gone through it."""
        return next((row for row in self.rows if row.key == BACKGROUND), None)

    @property
    def open(self) -> int:
        """Rows of which nobody has said anything yet."""
        return sum(row.verdict == "open" for row in self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether a person has come to the end: nothing is open, and something was said."""
        return bool(self.rows) and not self.open

    @property
    def seizures(self) -> Events:
        """Events accepted, changed and added. Raises `EventsError` where one is open."""
        if self.open:
            raise EventsError(f"{self.open} of {len(self.rows)} events are open")
        seizures = tuple(row.event for row in self.events if row.verdict != "rejected")
        return Events(seizures, self.duration, self.start)

    @property
    def machine(self) -> Events:
        """What the machine had said."""
        events = tuple(row.machine for row in self.events if row.machine is not None)
        return Events(events, self.duration, self.start)

    def tsv(self) -> str:
        """As text; the same events are the same text."""
        columns = zip(*(_cells(row) for row in self.rows), strict=True)
        more = dict(zip(COLUMNS, map(list, columns), strict=False))
        more["channels"] = [_cell(",".join(row.channels)) or "all" for row in self.rows]
        events = tuple(row.event for row in self.rows)
        return Events(events, self.duration, self.start).tsv(more)


def _cells(row: ReviewedEvent) -> tuple[str, ...]:
    """A row's cells in the order of `COLUMNS`."""
    texts = row.key, row.verdict, row.reviewer, row.time, row.comment
    machine = ("n/a",) * 3
    if row.machine is not None:
        onset, duration = f"{row.machine.onset:.2f}", f"{row.machine.duration:.2f}"
        machine = onset, duration, row.machine.kind
    return (*(_cell(text) or "n/a" for text in texts), *machine)


def read_reviewed(path: Path | str) -> ReviewedTable:
    """A reviewed table as it was written; events may be open. Raises `EventsError` with the line."""
    table = EventTable(Path(path))
    if not table.is_reviewed:
        raise EventsError(f"{path}: nobody has reviewed it, it lacks the columns {COLUMNS[:4]}")
    rows = tuple(_row(table, line) for line in table.lines)
    key, count = max(Counter(row.key for row in rows).items(), key=itemgetter(1), default=("", 0))
    if count > 1:
        raise EventsError(f"{path}: the event {key} is there twice; which counts?")
    return ReviewedTable(rows, table.length(None), table.start())


def _row(table: EventTable, line: int) -> ReviewedEvent:
    verdict, key = table.verdict(line), table.cell(line, "event")[:_LONGEST_KEY]
    onset, duration = table.number(line, "onset"), table.number(line, "duration")
    if not key or onset is None or duration is None:
        raise table.error(line, "wanted event, onset and duration")
    begin, length = table.number(line, "machineOnset"), table.number(line, "machineDuration")
    both = begin is not None and length is not None
    if key != BACKGROUND and both == (verdict == "added"):
        what = "what the machine said" if both else "no machineOnset and machineDuration"
        raise table.error(line, f"verdict is {verdict}, and there is {what}")
    try:
        machine = None
        if begin is not None and length is not None:
            kind = table.cell(line, "machineType") or "sz"
            machine = Event(begin, length, kind, table.number(line, "confidence"))
        row = ReviewedEvent(
            key,
            onset,
            duration,
            verdict,
            machine,
            table.cell(line, "reviewer")[:8],
            table.cell(line, "reviewed")[:_LONGEST_KEY],
            tidy(table.cell(line, "comment")[: LONGEST_COMMENT + 1]),
            _channels(table.cell(line, "channels")),
        )
        _ = row.event
    except EventsError as error:
        raise table.error(line, str(error)) from None
    return row


def _channels(cell: str) -> tuple[str, ...]:
    if cell == "all":
        return ()
    names = _uncell(cell)[:_LONGEST_CHANNELS].split(",")
    return tuple(name.strip() for name in names if name.strip())


def tidy(text: str) -> str:
    """A comment in one line, without signs that steer a terminal, a table or the direction of writing."""
    text = text.replace('"', "'")
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    return _uncell(" ".join(text.split()))


def _cell(text: str) -> str:
    """A cell in one line that no spreadsheet computes."""
    text = tidy(text)
    return f"'{text}" if text[:1] and text[0] in _FORMULA else text


def _uncell(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in _FORMULA else cell


def table_stem(recording: Path) -> str:
    """What names of tables beside a recording begin with: of BIDS' names all but the last part."""
    return recording.stem.removesuffix("_eeg").removesuffix("_ieeg")


def checked_initials(reviewer: str) -> str:
    """A reviewer's initials in capitals; empty: none. Raises `EventsError`.

    BIDS lets the label of an entity (`desc-`) hold letters and digits alone.
    """
    if _INITIALS.fullmatch(reviewer) is None:
        raise EventsError(
            f"initials are up to 8 letters A to Z or digits, for they stand in a file's name, got "
            f"{reviewer[:20]!r}"
        )
    return reviewer.upper()


def reviewed_path(recording: Path, reviewer: str = "") -> Path:
    """Where a reviewer's word on a recording is kept. Raises `EventsError` for initials that can't be."""
    initials = checked_initials(reviewer)
    return recording.with_name(f"{table_stem(recording)}_desc-reviewed{initials}_events.tsv")


def reviewer_of(table: Path) -> tuple[str, str] | None:
    """By a table's name: the stem of its recording, and the reviewer; None where it is no reviewed table."""
    match = _NAME.fullmatch(table.name)
    return None if match is None else (match["stem"], match["reviewer"].upper())


def reviewed_tables(recording: Path) -> dict[str, Path]:
    """The reviewed tables beside a recording by reviewer, sorted. Raises `EventsError` where one is twice."""
    stem = table_stem(recording)
    try:
        names = [entry.name for entry in os.scandir(recording.parent)]
    except OSError:
        return {}
    prefix = f"{stem}_desc-reviewed"
    return by_reviewer(recording.with_name(name) for name in names if name.startswith(prefix))


def by_reviewer(tables: Iterable[Path]) -> dict[str, Path]:
    """Reviewed tables of one recording by reviewer, sorted. Raises `EventsError` where one is there twice."""
    tables_by: dict[str, Path] = {}
    for path in sorted(tables):
        name = reviewer_of(path)
        if name is None:
            continue
        if name[1] in tables_by:
            raise EventsError(
                f"{path}: {tables_by[name[1]].name} is of the same reviewer; which counts?"
            )
        tables_by[name[1]] = path
    return dict(sorted(tables_by.items()))


def chosen_table(tables: Mapping[str, Path], reviewer: str | None) -> Path | None:
    """The table of `reviewer`, or None where there is none; `reviewer` None: the only one there.

    Raises `EventsError` where several have reviewed and none of them was chosen.
    """
    if reviewer is not None:
        return tables.get(checked_initials(reviewer))
    if len(tables) > 1:
        raise EventsError(
            f"reviewed by {in_words(tables)}: choose one with --reviewer (in Python reviewer)"
        )
    return next(iter(tables.values()), None)


def in_words(reviewers: Iterable[str]) -> str:
    """Reviewers' initials as a list."""
    names: Sequence[str] = [name or "one without initials" for name in reviewers]
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
