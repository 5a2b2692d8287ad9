"""What the machine says of a recording: the events of a table, or those of the detector."""

from __future__ import annotations

import math
import os
import time
from datetime import datetime
from pathlib import Path

from secateur.errors import EventsError, RunError
from secateur.events import Events, read_tsv, starts_differ
from secateur.files import stamp_of
from secateur.live.recorder import recording_name
from secateur.live.state import LOCK, read_state
from secateur.live.state import NAME as STATE
from secateur.recordings import Recording, duration_of
from secateur.recordings.layouts.listing import events_path
from secateur.review.alarms import AlarmReader, log_of
from secateur.review.folder import FolderItem, RecordingsFolder
from secateur.review.strip import StripWorker
from secateur.review.verdicts import MachineEvents

_LIVE_TABLE = "events.tsv"
"""How `secateur live` calls its table, in a folder for each bed where there are several."""

_QUIET = 180.0
"""Seconds after which a bed whose state isn't saved has none who saves it: that is done each minute."""
_SETTLED = 10.0
"""Seconds after an event in which others may still join it, by the rules that detectors commonly have."""


class MachineSource:
    """Events that are to be reviewed.

    `tables`: a folder of TSVs, or the table of the only recording; None: those beside the recordings. A
    recording without a table has the detector's events, without a detector none.
    """

    def __init__(
        self, folder: RecordingsFolder, strips: StripWorker | None, tables: Path | None = None
    ) -> None:
        self._folder, self._strips = folder, strips
        self._tables = None if tables is None else _absolute(tables)
        self._root = _absolute(folder.path) if self._tables is None else self._tables
        if self._root.is_file():
            self._root = self._root.parent
        self._known: dict[str, tuple[object, tuple[Events, bool] | EventsError]] = {}
        self._logs: dict[str, tuple[Path, AlarmReader]] = {}

    def of(self, item: FolderItem, recording: Recording) -> MachineEvents:
        """The events as they are by now.

        Raises `EventsError` for a table that can't be read or is of another recording.
        """
        table = self.table(item)
        growing = "growing" if item.live else ""
        if table is not None:
            events, complete = self._read(item, recording, table)
            return MachineEvents(events, "file", growing if complete else "live", table.name)
        if self._strips is None:
            return MachineEvents(_none(recording), "ours", growing)
        strip = self._strips.strip(item, recording)
        events = _none(recording) if strip.known_events is None else strip.known_events
        if strip.events is None and not strip.problem:
            return MachineEvents(events, "ours", "detection")
        return MachineEvents(events, "ours", growing, unjudged=strip.problem)

    def alarms(self, item: FolderItem) -> AlarmReader | None:
        """The alarms of the bed whose table it is; None where `secateur live` did not write the table."""
        table = self.table(item)
        if table is None or table.name != _LIVE_TABLE:
            return None
        known = self._logs.get(item.id)
        if known is None or known[0] != table:
            reader = log_of(table, self._root)
            if reader is None:
                return None
            known = self._logs[item.id] = table, reader
        return known[1]

    def table(self, item: FolderItem) -> Path | None:
        """The recording's table; None where there is none."""
        path, tables = _absolute(item.path), self._tables
        if tables is None:
            return events_path(path) or _live_table_beside(path)
        if tables.is_file():
            return tables if self._folder.is_single else None
        beside = events_path(tables / item.name)
        candidates = [
            *([] if beside is None else [beside]),
            (tables / item.name).with_suffix("") / _LIVE_TABLE,
            tables / item.path.stem / _LIVE_TABLE,
        ]
        if self._folder.is_single or tables.name == item.path.stem:
            candidates.append(tables / _LIVE_TABLE)
        return next((path for path in candidates if path.is_file()), None)

    def _read(self, item: FolderItem, recording: Recording, table: Path) -> tuple[Events, bool]:
        """A table's events, and whether no more will come."""
        try:
            states = _states(table)
            writing = any(_is_written(state) for state in states)
            key = table, stamp_of([table, *states]), writing, recording.samples, item.live
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
    ended = not any(_is_written(state) and not _is_finished(state) for state in _states(table))
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


def _is_written(state: Path) -> bool:
    """Whether `secateur live` still goes on there, as far as can be seen; stopped, it may go on later."""
    if not (state.parents[2] / LOCK).exists():
        return False
    try:
        return time.time() - state.stat().st_mtime < _QUIET  # a kill leaves the lock behind
    except FileNotFoundError:  # the bed was taken away meanwhile
        return False


def _is_finished(state: Path) -> bool:
    """Whether a bed's source came to its end, be there others that go on."""
    try:
        return read_state(state).finished
    except RunError:
        return False


def _absolute(path: Path) -> Path:
    """With the names of all folders above, which "." has none of."""
    return Path(os.path.abspath(path))  # noqa: PTH100  (links stay as they are)


def _time(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%H:%M:%S")


def _none(recording: Recording) -> Events:
    return Events((), duration_of(recording), recording.start)
