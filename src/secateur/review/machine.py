"""What the machine says of a recording: the events of a table, or those of the detector."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from secateur.errors import EventsError
from secateur.events import Events, read_tsv, starts_differ
from secateur.files import stamp_of
from secateur.recordings import Recording, duration_of
from secateur.recordings.layouts.listing import events_path
from secateur.review.folder import FolderItem, RecordingsFolder
from secateur.review.strip import StripWorker
from secateur.review.verdicts import MachineEvents

_LIVE_TABLE = "events.tsv"
"""How `secateur live` calls its table, in a folder for each bed where there are several."""


class MachineSource:
    """Events that are to be reviewed. `tables`: a folder of TSVs; None: those beside the recordings.

    A recording without a table has the detector's events, without a detector none.
    """

    def __init__(
        self, folder: RecordingsFolder, strips: StripWorker | None, tables: Path | None = None
    ) -> None:
        self._folder, self._strips, self._tables = folder, strips, tables
        self._known: dict[str, tuple[object, Events | EventsError]] = {}

    def of(self, item: FolderItem, recording: Recording) -> MachineEvents:
        """The events as they are by now.

        Raises `EventsError` for a table that can't be read or is of another recording.
        """
        table = self._table(item)
        if table is not None:
            events = self._read(item, recording, table)
            return MachineEvents(events, "file", complete=not item.live)
        if self._strips is not None:
            strip = self._strips.strip(item, recording)
            if strip.events is not None:
                return MachineEvents(strip.events, "ours", complete=not item.live)
            if not strip.problem:
                return MachineEvents(_none(recording), "ours", complete=False)
        return MachineEvents(_none(recording), "ours", complete=not item.live)

    def _table(self, item: FolderItem) -> Path | None:
        if self._tables is None:
            return events_path(item.path)
        beside = events_path(self._tables / item.name)
        candidates = [
            *([] if beside is None else [beside]),
            (self._tables / item.name).with_suffix("") / _LIVE_TABLE,
            self._tables / item.path.stem / _LIVE_TABLE,
        ]
        if self._folder.is_single:
            candidates.append(self._tables / _LIVE_TABLE)
        return next((path for path in candidates if path.is_file()), None)

    def _read(self, item: FolderItem, recording: Recording, table: Path) -> Events:
        try:
            key = table, stamp_of([table]), recording.samples, item.live
        except OSError:
            raise EventsError(f"{table.name}: is gone; was it moved?") from None
        known = self._known.get(item.id)
        if known is None or known[0] != key:
            known = key, self._attempt(item, recording, table)
            self._known[item.id] = known
        if isinstance(known[1], EventsError):
            raise known[1]
        return known[1]

    def _attempt(self, item: FolderItem, recording: Recording, table: Path) -> Events | EventsError:
        root = self._folder.path if self._tables is None else self._tables
        if not table.resolve().is_relative_to(root.resolve()):
            return EventsError(
                f"{table.name}: is a link that leads out of the folder: not followed"
            )
        try:
            return _events_in(table, recording, item.live)
        except EventsError as error:
            # what is served may be read on another machine, which the folders are none of
            return EventsError(str(error).replace(str(table), table.name))


def _events_in(table: Path, recording: Recording, live: bool) -> Events:
    """A table's events. Raises `EventsError` where they are another recording's."""
    duration = duration_of(recording)
    by_live = table.name == _LIVE_TABLE
    if live or by_live:  # it is written sooner or later than the recording
        events = read_tsv(table)
        return Events(events.events, duration, recording.start).clipped()
    events = read_tsv(table, duration)
    if starts_differ(events.start, recording.start):
        raise EventsError(
            f"{table}: dateTime is {_time(events.start)}, the recording began at "
            f"{_time(recording.start)}; are these the events of another recording?"
        )
    return events


def _time(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%H:%M:%S")


def _none(recording: Recording) -> Events:
    return Events((), duration_of(recording), recording.start)
