"""Seizures as stretches of time: between seconds, masks and SzCORE's TSV files.

The file format is the one of SzCORE (https://epilepsybenchmarks.com): tab-separated, columns onset,
duration, eventType, confidence, channels, dateTime, recordingDuration; a recording without a seizure
has one `bckg` row. Event types `sz` and `sz_...` are seizures (HED-SCORE names them so).
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import EventsError
from secateur.files import kind_of_content, write_whole

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime",
           "recordingDuration")  # fmt: skip
"""SzCORE's columns, in SzCORE's order."""

DEFAULT_START = datetime(2000, 1, 1)
"""Stands in a TSV where a recording does not tell when it began."""

_SEIZURE = re.compile(r"sz(_\w+)?", re.IGNORECASE)
_DOUBTFUL = re.compile(
    r"^(?!.*(?:inter|pre|post|non)).*(?:se[iz]{2}|ictal|sz|anfall|krampf|cris[ei]|convuls)",
    re.IGNORECASE,
)
"""Types that mean a seizure in other vocabularies: taken for background they would train the opposite."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_LARGEST = 1 << 26
"""Bytes of a table."""
_NEEDED = ("onset", "duration", "eventType")

VERDICTS = ("open", "accepted", "rejected", "changed", "added")
"""What a person may have said of an event; open: nothing yet."""
BACKGROUND = "background"
"""What the column event calls the row that stands for all of a recording."""
_REVIEWED = ("event", "verdict", "reviewed")
"""Columns by which a table is known as one that a person has gone through."""
_LENGTHS_APART = 1.0
"""Seconds by which the column recordingDuration may differ from the recording's own length."""
_ROWS_APART = 0.01
"""Seconds by which it may differ from row to row."""

LONGEST = 366 * 86400
"""Seconds in a year: anything longer would ask for memory that no file's size bounds."""

_DATE_AND_TIME = len("2016-11-06 13:43:04")


@dataclass(frozen=True)
class Event:
    """A seizure: `onset` and `duration` in seconds from the recording's start.

    Raises `EventsError` where it begins before 0 s or has no length: none can be trained on or scored.
    """

    onset: float
    duration: float
    kind: str = "sz"
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.onset) and math.isfinite(self.duration)):
            raise EventsError(
                f"an event needs finite times, got {self.onset} for {self.duration} s"
            )
        if not 0 <= self.onset < self.end:
            raise EventsError(
                f"an event begins at 0 s or later and lasts more than 0 s, "
                f"got onset {self.onset:g} s and duration {self.duration:g} s"
            )

    @property
    def end(self) -> float:
        """Seconds from the recording's start."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Events:
    """All seizures of one recording, sorted by onset.

    `duration` is the recording's length in seconds; `start` when it began, or None. Events may touch
    or overlap, as annotators' do; `merged` joins them. `other_types`: types of a table's rows that were
    passed over as no seizures, `bckg` apart. `notes`: what a detector had to put right in the recording,
    or found odd about it, such as amplitudes that are no EEG's.

    Raises `EventsError` where the length is not a positive, finite number.
    """

    events: tuple[Event, ...]
    duration: float
    start: datetime | None = None
    other_types: tuple[str, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise EventsError(f"a recording lasts a finite number of seconds, got {self.duration}")
        object.__setattr__(self, "events", tuple(sorted(self.events, key=event_order)))

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    @property
    def seconds(self) -> float:
        """Time inside at least one event, in seconds, within the recording."""
        return math.fsum(event.duration for event in self.merged().clipped().events)

    def clipped(self) -> Events:
        """The events cut at the recording's end; those entirely beyond it are dropped."""
        inside = (
            Event(e.onset, min(e.end, self.duration) - e.onset, e.kind, e.confidence)
            for e in self.events
            if e.onset < min(e.end, self.duration)
        )
        return replace(self, events=tuple(inside))

    def merged(self, gap: float = 0.0) -> Events:
        """Events that overlap, touch or lie at most `gap` seconds apart, joined into one."""
        joined: list[Event] = []
        for event in self.events:
            if joined and event.onset - joined[-1].end <= gap:
                last = joined[-1]
                length = max(last.end, event.end) - last.onset
                confidence = _larger(last.confidence, event.confidence)
                joined[-1] = Event(last.onset, length, last.kind, confidence)
            else:
                joined.append(event)
        return replace(self, events=tuple(joined))

    def to_mask(self, rate: float) -> NDArray[np.bool_]:
        """One value for each 1/`rate` seconds: True where an event stands. Shape (round(duration·rate),).

        An event from a to b covers the samples round(a·rate) to round(b·rate) − 1.
        """
        mask = np.zeros(round(self.duration * rate), dtype=np.bool_)
        for event in self.events:
            mask[round(event.onset * rate) : round(event.end * rate)] = True
        return mask

    @classmethod
    def from_mask(
        cls, mask: NDArray[np.bool_], rate: float, start: datetime | None = None
    ) -> Events:
        """The runs of True in `mask` (shape (n,), `rate` values a second) as events."""
        flags = np.asarray(mask, dtype=np.bool_)
        if flags.ndim != 1:
            raise EventsError(f"a mask has one dimension, got {flags.ndim}")
        if not rate > 0:
            raise EventsError(f"a mask's rate is more than 0 Hz, got {rate}")
        edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
        runs = (
            Event(float(a / rate), float((b - a) / rate))
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
        return cls(tuple(runs), len(flags) / rate, start)

    def overlap(
        self, starts: NDArray[np.float64], stops: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Seconds of each stretch [starts, stops) that lie inside an event. All of shape (n,)."""
        inside = np.zeros(len(starts), dtype=np.float64)
        for event in self.merged():
            inside += np.clip(
                np.minimum(stops, event.end) - np.maximum(starts, event.onset), 0, None
            )
        return inside

    def tsv(self, more: Mapping[str, Sequence[str]] | None = None) -> str:
        """SzCORE's TSV as text. Times have two digits; no event ends after the recording, nor by rounding.

        `more`: further columns by name, a cell for each event; SzCORE leaves them to whoever writes. Cells
        for `channels` take the place of `all`.
        """
        more = dict(more or {})
        start = (self.start or DEFAULT_START).replace(tzinfo=None)
        length = round(self.duration, 2)
        rows = [_rounded(event, length) for event in self.events]
        channels = more.pop("channels", ["all"] * len(rows))
        if not rows:
            rows, channels = [(0.0, length, "bckg", "n/a")], ["all"]
        same = start.isoformat(" ", "seconds"), f"{length:.2f}"
        lines = ["\t".join((*COLUMNS, *more))]
        for number, (onset, duration, kind, confidence) in enumerate(rows):
            own = [cells[number] if self.events else "n/a" for cells in more.values()]
            times = f"{onset:.2f}", f"{duration:.2f}"
            lines.append("\t".join((*times, kind, confidence, channels[number], *same, *own)))
        return "\n".join(lines) + "\n"

    def rounded(self) -> Events:
        """The events as a table holds them: times and confidence with two digits, none of no length."""
        length = round(self.duration, 2)
        events = []
        for event in self.events:
            onset, duration, kind, _ = _rounded(event, length)
            confidence = None if event.confidence is None else round(float(event.confidence), 2)
            events.append(Event(float(onset), round(float(duration), 2), kind, confidence))
        return replace(self, events=tuple(events), duration=length)

    def write_tsv(self, path: Path | str) -> None:
        """Write SzCORE's TSV; the file appears whole or not at all."""
        write_whole(Path(path), self.tsv())


def _rounded(event: Event, length: float) -> tuple[float, float, str, str]:
    """A row's onset, duration, type and confidence; the end is rounded, the duration what is between.

    An event keeps a length: a row of 0 s could not be read again.
    """
    onset, end = round(event.onset, 2), round(event.end, 2)
    if event.end <= length + 0.01:  # one that its annotator let end later stays as it was
        onset = min(onset, max(0.0, round(length - 0.01, 2)))
        end = min(max(end, round(onset + 0.01, 2)), length)
    confidence = "n/a" if event.confidence is None else f"{event.confidence:.2f}"
    return min(onset, end), max(0.0, end - onset), event.kind, confidence


def event_order(event: Event) -> tuple[float, float, str, float]:
    """What events are sorted by: of two alike, the one without confidence comes first."""
    confidence = -math.inf if event.confidence is None else event.confidence
    return event.onset, event.duration, event.kind, confidence


def _larger(*confidences: float | None) -> float | None:
    known = [value for value in confidences if value is not None]
    return max(known) if known else None


def read_tsv(path: Path | str, duration: float | None = None, *, cut: bool = True) -> Events:
    """The seizures in an `_events.tsv`, in UTF-8 or in UTF-16 with its byte order mark.

    `duration`: the recording's length in seconds; where None, the column recordingDuration tells it. `cut`:
    an event that reaches beyond the end is cut there, and one that begins later is refused. Events of other
    types are passed over, but not those whose name means a seizure (`seizure`, `ictal`, `fnsz`). Of a table
    that a person has gone through (`secateur.reviewed`) the events accepted, changed and added are seizures,
    and one that has an open event is refused: what stands there is only what a machine said.

    Raises `EventsError` with the file's name and the line where something is wrong, or could be
    read in two ways.
    """
    table = EventTable(Path(path))
    table.refuse_open()
    events = [event for line in table.lines if (event := table.event(line)) is not None]
    length = table.length(duration)
    latest = max((event.onset for event in events), default=0.0)
    if cut and latest > length + _LENGTHS_APART:
        raise EventsError(
            f"{path}: an event begins at {latest:g} s, after the end of the recording, which lasts "
            f"{length:g} s"
        )
    complete = Events(tuple(events), length, table.start(), table.other_types())
    return complete.clipped() if cut else complete


def starts_differ(written: datetime | None, start: datetime | None) -> bool:
    """Whether two times of day differ. Dates are often moved on purpose, and midnight stands for unknown."""
    if written is None or start is None or time() in (written.time(), start.time()):
        return False
    seconds = abs(written - datetime.combine(written.date(), start.time())).total_seconds()
    return min(seconds, 86400 - seconds) > 1


def has_event_columns(path: Path | str) -> bool:
    """Whether a file is a table whose first line names the columns onset, duration and eventType."""
    try:
        return set(_NEEDED) <= set(_cells(_text(Path(path)).split("\n", 1)[0]))
    except EventsError:
        return False


def _text(path: Path) -> str:
    """A file's text, with line ends as Python has them. Raises `EventsError`."""
    if path.is_dir():
        raise EventsError(f"{path}: is a folder, wanted a table of events (.tsv)")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= _LARGEST else b""
    except OSError as error:
        raise EventsError(f"{path}: cannot be read ({error.strerror})") from None
    if size > _LARGEST:
        raise EventsError(f"{path}: larger than {_LARGEST >> 20} MiB, no table of events is")
    kind = kind_of_content(content[:1024])
    if kind not in ("a text file", "a binary file", "an empty file"):
        raise EventsError(f"{path}: is {kind}, wanted a table of events (.tsv)")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EventsError(
            f"{path}, line {line}: not text in {'UTF-16' if wide else 'UTF-8'} ({error.reason}); other "
            "encodings, such as Latin-1, can't be told apart: save it as UTF-8"
        ) from None
    if "\0" in text:
        raise EventsError(
            f"{path}: not text in UTF-8 (it holds zero bytes); UTF-16 needs its byte order mark"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cells(line: str, most: int = -1) -> list[str]:
    """A line's cells, without blanks around them and without the quotes that some programs put there.

    `most`: so many are taken apart; what is left is the last.
    """
    return [_unquoted(cell.strip()) for cell in line.split("\t", most)]


def _unquoted(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


class EventTable:
    """A TSV's rows by line number, and how their cells are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        header, *rows = _text(path).split("\n")
        names = _cells(header)
        if not any(names):
            raise EventsError(f"{path}: empty; wanted the columns {', '.join(COLUMNS)}")
        lacking = [name for name in _NEEDED if name not in names]
        if lacking:
            readable = [name[:20] for name in names if name and name.isprintable()][:10]
            raise EventsError(
                f"{path}: the column {lacking[0]} is missing; found {', '.join(readable) or 'none'}"
            )
        folded = [name.casefold() for name in names]
        twice = [name for name in COLUMNS if folded.count(name.casefold()) > 1]
        if twice:
            raise EventsError(f"{path}: the column {twice[0]} is there twice; which counts?")
        self._index = {name: index for index, name in enumerate(names)}
        cells = ((line, _cells(row, len(names))) for line, row in enumerate(rows, start=2))
        self._rows = {line: row for line, row in cells if any(row)}
        for line, row in self._rows.items():
            self._check(line, row, names)

    @property
    def lines(self) -> Sequence[int]:
        """Numbers of the lines that hold something, the header's apart."""
        return list(self._rows)

    def _check(self, line: int, row: list[str], names: list[str]) -> None:
        if any(row[len(names) :]):
            raise self.error(line, f"more cells than the {len(names)} columns of the header")
        if row[self._index["onset"]] == "onset":
            raise self.error(line, "the header again; were two files joined?")
        for name in COLUMNS:
            if '"' in self.cell(line, name):
                raise self.error(line, f"{name} holds a quote, wanted it around all of it or none")

    def error(self, line: int, reason: str) -> EventsError:
        """What is wrong in a line."""
        return EventsError(f"{self.path}, line {line}: {reason}")

    def cell(self, line: int, name: str) -> str:
        """What stands in a column; empty where nothing does, or n/a."""
        row, index = self._rows[line], self._index.get(name, -1)
        cell = row[index] if 0 <= index < len(row) else ""
        return "" if cell.lower() == "n/a" else cell

    def number(self, line: int, name: str) -> float | None:
        """A finite number, or None where there is none."""
        cell = self.cell(line, name)
        if not cell:
            return None
        value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
        if not math.isfinite(value):
            raise self.error(line, f"{name} is {cell[:40]!r}, wanted a number such as 12.5")
        return value

    def length(self, duration: float | None) -> float:
        """The recording's length in seconds: `duration`, or what all rows of recordingDuration agree on."""
        length, above = duration, None
        for line in self.lines:
            value = self.number(line, "recordingDuration")
            if value is None:
                continue
            length = value if length is None else length
            above = value if above is None else above
            for other, known, tolerance in (
                ("the rows above have", above, _ROWS_APART),
                ("the recording lasts", length, _LENGTHS_APART),
            ):
                if abs(value - known) > tolerance:
                    raise self.error(
                        line,
                        f"recordingDuration is {value:g} s, {other} {known:g} s; are these "
                        "the events of another recording?",
                    )
        if length is None:
            raise EventsError(
                f"{self.path}: no recordingDuration, and the recording's length was not given otherwise"
            )
        if not 0 <= length <= LONGEST:
            raise EventsError(
                f"{self.path}: a recording of {length:g} s; 0 to {LONGEST} s (a year) are believable"
            )
        return length

    def event(self, line: int) -> Event | None:
        """A row's seizure; None where it is of another type."""
        kind = self.cell(line, "eventType")
        if not kind:
            raise self.error(line, "no eventType; is it a seizure (sz) or background (bckg)?")
        if _SEIZURE.fullmatch(kind) is None:
            if _DOUBTFUL.search(kind):
                raise self.error(
                    line,
                    f"eventType is {kind[:40]!r}; a seizure's is sz or sz_..., as in SzCORE and HED-SCORE",
                )
            return None
        onset, duration = self.number(line, "onset"), self.number(line, "duration")
        if onset is None or duration is None:
            raise self.error(line, "a seizure needs onset and duration")
        if duration == 0:
            raise self.error(line, "a seizure of 0 s: how long it was is not known")
        confidence = self.number(line, "confidence")
        try:
            return Event(onset, duration, kind, confidence)
        except ValueError as error:
            raise self.error(line, str(error)) from None

    @property
    def is_reviewed(self) -> bool:
        """Whether it has the columns of a table that a person has gone through."""
        return all(name in self._index for name in _REVIEWED)

    def verdict(self, line: int) -> str:
        """What a person said of a row's event, as in `VERDICTS`; the type must agree with it."""
        verdict = self.cell(line, "verdict")
        if verdict not in VERDICTS:
            raise self.error(
                line, f"verdict is {verdict[:40]!r}, wanted one of {', '.join(VERDICTS)}"
            )
        kind = self.cell(line, "eventType")
        seizure = _SEIZURE.fullmatch(kind) is not None
        background = self.cell(line, "event") == BACKGROUND
        if seizure == (verdict == "rejected" or background):
            raise self.error(
                line, f"verdict is {verdict} and eventType {kind[:40]!r}: which of both counts?"
            )
        return verdict

    def refuse_open(self) -> None:
        """Raise `EventsError` where a person has begun to go through the events and not come to the end."""
        if not self.is_reviewed:
            return
        verdicts = [self.verdict(line) for line in self.lines]
        if count := verdicts.count("open"):
            raise EventsError(
                f"{self.path}: {count} of {len(verdicts)} rows are open, nobody has said yet whether "
                "they are seizures; go through them with secateur review"
            )

    def other_types(self) -> tuple[str, ...]:
        """Types of rows that are no seizures, `bckg` apart; those that can be printed, sorted."""
        types = {self.cell(line, "eventType")[:40] for line in self._rows}
        others = (kind for kind in types if not _SEIZURE.fullmatch(kind) and kind.isprintable())
        return tuple(sorted(kind for kind in others if kind.lower() != "bckg"))

    def start(self) -> datetime | None:
        """When the recording began, by the first row that tells."""
        times = (self._time(line) for line in self.lines)
        return next((time for time in times if time is not None), None)

    def _time(self, line: int) -> datetime | None:
        """When the recording began, where the row has date and time without a zone."""
        cell = self.cell(line, "dateTime")
        try:
            time = datetime.fromisoformat(cell)
        except ValueError:
            return None
        return time if len(cell) >= _DATE_AND_TIME and time.tzinfo is None else None
