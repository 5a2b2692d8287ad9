"""Seizures as stretches of time: between seconds, masks and SzCORE's TSV files.

Comes in: onsets and durations in seconds, a mask at some rate, or an `_events.tsv`. Goes out: an
immutable `Events`, sorted, with the recording's length; or the TSV. Next: `windows` labels with them,
`detectors` make them, `scoring` compares them. Needs NumPy alone.

The file format is the one of SzCORE (https://epilepsybenchmarks.com): tab-separated, columns onset,
duration, eventType, confidence, channels, dateTime, recordingDuration; a recording without a seizure
has one `bckg` row. Event types beginning with `sz` are seizures (HED-SCORE names them so).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import EventsError
from secateur.files import write_whole

COLUMNS = (
    "onset",
    "duration",
    "eventType",
    "confidence",
    "channels",
    "dateTime",
    "recordingDuration",
)
"""SzCORE's columns, in SzCORE's order."""

DEFAULT_START = datetime(2000, 1, 1)
"""Stands in a TSV where a recording does not tell when it began."""

_MEANT = re.compile(r"^(?!.*(?:inter|pre|post|non)).*(?:seiz|ictal|sz$)", re.IGNORECASE)
"""Types that mean a seizure in other vocabularies: taken for background they would train the opposite."""

LONGEST = 366 * 86400
"""Seconds: whatever is told to last longer would ask for memory that no file's size bounds."""

_DATE_AND_TIME = len("2016-11-06 13:43:04")


@dataclass(frozen=True)
class Event:
    """A seizure: `onset` and `duration` in seconds from the recording's start."""

    onset: float
    duration: float
    kind: str = "sz"
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.onset) and math.isfinite(self.duration)):
            raise EventsError(
                f"an event needs finite times, got {self.onset} for {self.duration} s"
            )
        if self.onset < 0 or self.duration < 0:
            raise EventsError(
                f"an event begins at 0 s or later and lasts 0 s or more, "
                f"got onset {self.onset} s and duration {self.duration} s"
            )

    @property
    def end(self) -> float:
        """Seconds from the recording's start."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Events:
    """All seizures of one recording, sorted by onset.

    `duration` is the recording's length in seconds; `start` when it began, or None. Events may touch
    or overlap, as annotators' do; `merged` joins them.

    Raises `EventsError` where the length is not a positive, finite number.
    """

    events: tuple[Event, ...]
    duration: float
    start: datetime | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise EventsError(f"a recording lasts a finite number of seconds, got {self.duration}")
        object.__setattr__(self, "events", tuple(sorted(self.events, key=_place)))

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    @property
    def seconds(self) -> float:
        """Time inside at least one event, in seconds, within the recording."""
        return math.fsum(event.duration for event in self.merged().clipped().events)

    def clipped(self) -> Events:
        """The events cut at the recording's end; those wholly beyond it are dropped."""
        inside = (
            Event(e.onset, min(e.end, self.duration) - e.onset, e.kind, e.confidence)
            for e in self.events
            if e.onset < self.duration
        )
        return Events(tuple(inside), self.duration, self.start)

    def merged(self, gap: float = 0.0) -> Events:
        """Events that overlap, touch or lie at most `gap` seconds apart, joined into one."""
        joined: list[Event] = []
        for event in self.events:
            if joined and event.onset - joined[-1].end <= gap:
                last = joined[-1]
                end = max(last.end, event.end)
                joined[-1] = Event(
                    last.onset,
                    end - last.onset,
                    last.kind,
                    _larger(last.confidence, event.confidence),
                )
            else:
                joined.append(event)
        return Events(tuple(joined), self.duration, self.start)

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
        found = (
            Event(float(a / rate), float((b - a) / rate))
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
        return cls(tuple(found), len(flags) / rate, start)

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

    def tsv(self) -> str:
        """SzCORE's TSV as text. Times have two digits; no event ends after the recording, nor by rounding."""
        start = (self.start or DEFAULT_START).replace(tzinfo=None)
        length = round(self.duration, 2)
        rows = [_rounded(event, length) for event in self.events]
        if not rows:
            rows = [(0.0, length, "bckg", "n/a")]
        lines = ["\t".join(COLUMNS)]
        for onset, duration, kind, confidence in rows:
            lines.append(
                "\t".join(
                    (
                        f"{onset:.2f}",
                        f"{duration:.2f}",
                        kind,
                        confidence,
                        "all",
                        start.isoformat(" ", "seconds"),
                        f"{length:.2f}",
                    )
                )
            )
        return "\n".join(lines) + "\n"

    def write_tsv(self, path: Path | str) -> None:
        """Write SzCORE's TSV; the file appears whole or not at all."""
        write_whole(Path(path), self.tsv())


def _rounded(event: Event, length: float) -> tuple[float, float, str, str]:
    """A row's onset, duration, type and confidence; the end is rounded, the duration what is between."""
    onset, end = round(event.onset, 2), round(event.end, 2)
    if event.end <= length + 0.01:  # one that its annotator let end later stays as it was told
        end = min(end, length)
    confidence = "n/a" if event.confidence is None else f"{event.confidence:.2f}"
    return min(onset, end), max(0.0, end - onset), event.kind, confidence


def _place(event: Event) -> tuple[float, float, str, float]:
    """What events are sorted by: one without confidence comes before one that has some."""
    return (
        event.onset,
        event.duration,
        event.kind,
        -math.inf if event.confidence is None else event.confidence,
    )


def _larger(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known) if known else None


def read_tsv(path: Path | str, duration: float | None = None, *, cut: bool = True) -> Events:
    """The seizures in an `_events.tsv`.

    `duration`: the recording's length in seconds; where None, it is taken from the column
    recordingDuration. `cut`: an event that reaches beyond the end is cut there. Events of other types are
    passed over, but not those that some name means a seizure by (`seizure`, `ictal`, `fnsz`).

    Raises `EventsError` with the file's name and the line where something is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EventsError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    except OSError as error:
        raise EventsError(f"{path}: cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise EventsError(f"{path}: not a text file (it holds zero bytes)")
    try:
        rows = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise EventsError(f"{path}: not a tab-separated table ({error})") from None
    if not rows:
        raise EventsError(f"{path}: empty; wanted the columns {', '.join(COLUMNS)}")
    header = {name.strip(): index for index, name in enumerate(rows[0])}
    lacking = [name for name in ("onset", "duration", "eventType") if name not in header]
    if lacking:
        raise EventsError(
            f"{path}: the column {lacking[0]} is missing; found {', '.join(rows[0]) or 'none'}"
        )
    table = _Table(path, header)
    found: list[Event] = []
    start: datetime | None = None
    told: float | None = None
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        start = start or table.time(row)
        recorded = table.number(row, line, "recordingDuration")
        told = recorded if recorded is not None else told
        event = table.event(row, line)
        if event is not None:
            found.append(event)
    length = duration if duration is not None else told
    if length is None:
        raise EventsError(
            f"{path}: no recordingDuration, and the recording's length was not given otherwise"
        )
    latest = max((event.onset for event in found), default=0.0)
    if duration is None and latest > length + 1:
        raise EventsError(
            f"{path}: an event begins at {latest:g} s, after the end of the recording, "
            f"which is told to last {length:g} s"
        )
    if not 0 <= length <= LONGEST:
        raise EventsError(
            f"{path}: a recording of {length:g} s; 0 to {LONGEST} s (a year) are believable"
        )
    whole = Events(tuple(found), length, start)
    return whole.clipped() if cut else whole


@dataclass(frozen=True)
class _Table:
    """One TSV's columns, and how to read its cells."""

    path: Path
    header: dict[str, int]

    def cell(self, row: list[str], name: str) -> str:
        index = self.header.get(name)
        if index is None or index >= len(row):
            return "n/a"
        return row[index].strip() or "n/a"

    def number(self, row: list[str], line: int, name: str) -> float | None:
        cell = self.cell(row, name)
        if cell.lower() == "n/a":
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise EventsError(f"{self.path}, line {line}: {name} is {cell!r}, wanted a number")
        return value

    def event(self, row: list[str], line: int) -> Event | None:
        kind = self.cell(row, "eventType")
        if not kind.lower().startswith("sz"):
            if _MEANT.search(kind):
                raise EventsError(
                    f"{self.path}, line {line}: eventType is {kind!r}; a seizure's begins with sz, "
                    "as in SzCORE and HED-SCORE"
                )
            return None
        onset = self.number(row, line, "onset")
        duration = self.number(row, line, "duration")
        if onset is None or duration is None:
            raise EventsError(f"{self.path}, line {line}: a seizure needs onset and duration")
        confidence = self.number(row, line, "confidence")
        try:
            return Event(onset, duration, kind, confidence)
        except ValueError as error:
            raise EventsError(f"{self.path}, line {line}: {error}") from None

    def time(self, row: list[str]) -> datetime | None:
        cell = self.cell(row, "dateTime")
        try:
            told = datetime.fromisoformat(cell)
        except ValueError:
            return None
        return told if len(cell) >= _DATE_AND_TIME and told.tzinfo is None else None
