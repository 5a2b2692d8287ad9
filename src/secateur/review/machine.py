"""What the machine says of a recording: the events of a table, or those of the detector."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

from secateur.errors import EventsError, RunError
from secateur.events import Events, read_tsv, starts_differ
from secateur.files import stamp_of
from secateur.live.recorder import recording_name
from secateur.live.state import NAME as STATE
from secateur.live.state import read_state
from secateur.recordings import Recording, duration_of
from secateur.recordings.layouts.listing import events_path
from secateur.review.alarms import AlarmReader, log_of
from secateur.review.folder import FolderItem, RecordingsFolder
from secateur.review.strip import StripWorker
from secateur.review.verdicts import MachineEvents

_LIVE_TABLE = "events.tsv"
"""How `secateur live` calls its table, in a folder for each bed where there are several."""

_SETTLED = 10.0
"""Seconds after an event in which others may still join it, by the rules that detectors commonly have."""


class MachineSource:
    """Events that are to be reviewed. `tables`: a folder of TSVs; None: those beside the recordings.

    A recording without a table has the detector's events, without a detector none.
    """

    def __init__(
        self, folder: RecordingsFolder, strips: StripWorker | None, tables: Path | None = None
    ) -> None:
        self._folder, self._strips, self._tables = folder, strips, tables
        self._root = folder.path if tables is None else tables
        self._known: dict[str, tuple[object, tuple[Events, bool] | EventsError]] = {}
        self._logs: dict[str, tuple[Path, AlarmReader]] = {}

    def of(self, item: FolderItem, recording: Recording) -> MachineEvents:
        """The events as they are by now.

        Raises `EventsError` for a table that can't be read or is of another recording.
        """
        table = self._table(item)
        if table is not None:
            events, complete = self._read(item, recording, table)
            return MachineEvents(events, "file", complete=complete and not item.live)
        if self._strips is not None:
            strip = self._strips.strip(item, recording)
            if strip.events is not None:
                return MachineEvents(strip.events, "ours", complete=not item.live)
            if not strip.problem:
                return MachineEvents(_none(recording), "ours", complete=False)
        return MachineEvents(_none(recording), "ours", complete=not item.live)

    def alarms(self, item: FolderItem) -> AlarmReader | None:
        """The alarms of the bed whose table it is; None where `secateur live` did not write the table."""
        table = self._table(item)
        if table is None or table.name != _LIVE_TABLE:
            return None
        known = self._logs.get(item.id)
        if known is None or known[0] != table:
            reader = log_of(table, self._root)
            if reader is None:
                return None
            known = self._logs[item.id] = table, reader
        return known[1]

    def _table(self, item: FolderItem) -> Path | None:
        if self._tables is None:
            return events_path(item.path) or _live_table_beside(item.path)
        beside = events_path(self._tables / item.name)
        candidates = [
            *([] if beside is None else [beside]),
            (self._tables / item.name).with_suffix("") / _LIVE_TABLE,
            self._tables / item.path.stem / _LIVE_TABLE,
        ]
        if self._folder.is_single:
            candidates.append(self._tables / _LIVE_TABLE)
        return next((path for path in candidates if path.is_file()), None)

    def _read(self, item: FolderItem, recording: Recording, table: Path) -> tuple[Events, bool]:
        """A table's events, and whether no more will come."""
        try:
            stamp = stamp_of([table, *_states(table)])
            key = table, stamp, recording.samples, item.live
        except OSError:
            raise EventsError(f"{table.name}: is gone; was it moved?") from None
        known = self._known.get(item.id)
        if known is None or known[0] != key:
            known = key, self._attempt(item, recording, table)
            self._known[item.id] = known
        if isinstance(known[1], EventsError):
            raise known[1]
        return known[1]

    def _attempt(
        self, item: FolderItem, recording: Recording, table: Path
    ) -> tuple[Events, bool] | EventsError:
        if not table.resolve().is_relative_to(self._root.resolve()):
            return EventsError(
                f"{table.name}: is a link that leads out of the folder: not followed"
            )
        try:
            return _events_in(table, recording, item.live)
        except EventsError as error:
            # what is served may be read on another machine, which the folders are none of
            return EventsError(str(error).replace(str(table), table.name))


def _live_table_beside(recording: Path) -> Path | None:
    """The table of the bed whose signal `secateur live --record` has written here."""
    table = recording.with_name(_LIVE_TABLE)
    if not table.is_file():
        return None
    names = (recording_name(state.parent.name) for state in _states(table))
    return table if recording.name in names else None


def _events_in(table: Path, recording: Recording, live: bool) -> tuple[Events, bool]:
    """A table's events, and whether no more will come. Raises `EventsError` where they are another's."""
    if live or table.name == _LIVE_TABLE:  # written sooner or later than the recording
        return _events_of_live(table, recording)
    events = read_tsv(table, duration_of(recording))
    if starts_differ(events.start, recording.start):
        raise EventsError(
            f"{table}: dateTime is {_time(events.start)}, the recording began at "
            f"{_time(recording.start)}; are these the events of another recording?"
        )
    return events, True


def _events_of_live(table: Path, recording: Recording) -> tuple[Events, bool]:
    """What `secateur live` has written; an event that may go on is left out, for its end is not known yet."""
    ended = all(_has_ended(state) for state in _states(table))
    events = read_tsv(table)
    certain = math.inf if ended else events.duration - _SETTLED
    closed = tuple(event for event in events if event.end <= certain)
    return Events(closed, duration_of(recording), recording.start).clipped(), ended


def _states(table: Path) -> list[Path]:
    """The state of the bed of a table that `secateur live` writes; none for any other table."""
    if table.name != _LIVE_TABLE:
        return []
    alone = sorted(table.parent.glob(f".state/*/{STATE}"))
    return alone or [
        path
        for path in (table.parent.parent / ".state" / table.parent.name / STATE,)
        if path.is_file()
    ]


def _has_ended(state: Path) -> bool:
    try:
        return read_state(state).finished
    except RunError:
        return False


def _time(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%H:%M:%S")


def _none(recording: Recording) -> Events:
    return Events((), duration_of(recording), recording.start)
