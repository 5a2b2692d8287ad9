"""What the page asks for, answered for one folder and one detector: recordings, pages, strips, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from secateur.detectors import Detector
from secateur.errors import EventsError, RecordingError, ReviewError, SettingsError
from secateur.events import Event
from secateur.files import kind_of
from secateur.recordings import Recording, duration_of
from secateur.review.agreement import Agreement
from secateur.review.alarms import no_alarms
from secateur.review.attribution import Attributions
from secateur.review.folder import FolderItem, RecordingsFolder
from secateur.review.machine import MachineSource
from secateur.review.montages import ReadMontage, montages_of
from secateur.review.strip import StripWorker, as_json
from secateur.review.traces import PageRequest, TracePage, filters_of, lost_within, page_of
from secateur.review.verdicts import MachineEvents, Review
from secateur.reviewed import checked_initials

Json = dict[str, Any]
MOST_POINTS = 8192
"""Points of a strip."""

_OF_A_RECORDING = (
    *("duration", "events", "reviewed", "complete", "seen"),
    *("unfinished", "unjudged", "problem"),
)
"""What the list tells of each recording; None where it is not known."""


class ReviewSession:
    """One folder being reviewed.

    `tables`: a folder of TSVs with the events, or the only recording's table; None: those beside the
    recordings. Raises `EventsError` for initials that can't stand in a file's name. Methods raise
    `SecateurError` with a line for the page.
    """

    def __init__(
        self,
        folder: RecordingsFolder,
        detector: Detector | None = None,
        tables: Path | None = None,
        reviewer: str = "",
    ) -> None:
        self.folder, self.detector = folder, detector
        self.reviewer = checked_initials(reviewer)
        if tables is not None:
            _require_tables(tables, folder)
        self._attributions = None if detector is None else Attributions(detector)
        self._strips = None if detector is None else StripWorker(detector)
        self._machine = MachineSource(folder, self._strips, tables)
        self._states: dict[str, tuple[object, int]] = {}

    def fits_tables(self) -> bool:
        """Whether any recording has a table."""
        return any(self._machine.table(item) is not None for item in self.folder.items())

    def close(self) -> None:
        """End the work in the background."""
        if self._strips is not None:
            self._strips.close()

    def recordings(self) -> Json:
        """All recordings of the folder.

        `complete`: nothing is open; `seen`: somebody has gone through all of it; `unfinished`: one of
        `acts.UNFINISHED`; `unjudged`: why the detector could not judge it; `problem`: why one, or where
        `duration` is known its events, can't be read.
        """
        rows = []
        for item in self.folder.items():
            row: Json = {"id": item.id, "name": item.name}
            row |= dict.fromkeys(_OF_A_RECORDING)
            try:
                recording = self.folder.open(item)
                row["duration"] = duration_of(recording)
                machine = self._machine.of(item, recording)
                row["unfinished"] = machine.unfinished or None
                row["unjudged"] = machine.unjudged or None
                table = self._review(item, recording).table(machine)
                if machine.unfinished != "detection" or len(table.events):
                    row["events"] = len(table.events)
                    row["reviewed"] = sum(event.verdict != "open" for event in table.events)
                    row["complete"] = table.is_complete
                    background = table.background
                    row["seen"] = background is not None and background.verdict == "accepted"
            except RecordingError as error:
                row["problem"] = error.reason
            except (EventsError, ReviewError) as error:
                row["problem"] = self.without_folder(str(error))
            rows.append(row)
        name = None if self.detector is None else self.detector.path.name
        return {"reviewer": self.reviewer, "detector": name, "recordings": rows}

    def agreement(self) -> Json:
        """How far reviewer and machine agree, in all and by recording; what can't be read is left out.

        `unfinished`: recordings in which detection has not come to the end; `unjudged`: those that the
        detector could not judge, which have no part in false alarms a day. Of both `events` are None.
        """
        rows, total, unfinished, unjudged = [], Agreement(), 0, 0
        for item in self.folder.items():
            try:
                recording = self.folder.open(item)
                machine = self._machine.of(item, recording)
                agreement = Agreement.of(self._review(item, recording).table(machine))
            except (RecordingError, EventsError, ReviewError):
                continue  # the list of recordings says why
            if machine.unjudged:
                agreement = replace(agreement, complete_seconds=0.0, false_alarms=0)
            total += agreement
            row = {"id": item.id, "name": item.name, **agreement.as_dict()}
            if machine.unfinished == "detection":  # what it will call is not known
                row |= {"events": None, "open": None}
                unfinished += 1
            elif machine.unjudged:
                row["events"] = None
                unjudged += 1
            rows.append(row)
        counts = {"unfinished": unfinished, "unjudged": unjudged}
        return {**total.as_dict(), **counts, "recordings": rows}

    def describe(self, id: str) -> Json:
        """A recording: its channels, montages, filters, gaps; its strip is begun."""
        item, recording = self._recording(id)
        if self._strips is not None:
            self._strips.strip(item, recording, first=True)
        start = recording.start
        return {
            "id": id,
            "name": item.name,
            "duration": duration_of(recording),
            "rate": recording.sampling_rate,
            "start": None if start is None else start.strftime("%H:%M:%S"),
            "channels": list(recording.channels),
            "montages": [
                {
                    "key": montage.key,
                    "name": montage.name,
                    "traces": [asdict(trace) for trace in montage.traces],
                }
                for montage in montages_of(recording.channels)
            ],
            "filters": filters_of(recording.sampling_rate),
            "lost": lost_within(recording, 0.0, duration_of(recording)),
            "notes": list(recording.notes),
            "live": item.live,
        }

    def traces(self, id: str, montage: str, request: PageRequest) -> TracePage:
        """A page of a recording. `montage`: its key; empty: the first one."""
        _, recording = self._recording(id)
        return page_of(recording, self._montage(recording, montage), request)

    def probability(self, id: str, points: int) -> Json:
        """The strip of a recording as far as it is known, in `points` parts."""
        if not 1 <= points <= MOST_POINTS:
            raise SettingsError(f"points is {points}; wanted 1 to {MOST_POINTS}")
        item, recording = self._recording(id)
        if self._strips is None or self.detector is None:
            nothing = [None] * points
            return {"progress": 1.0, "threshold": None, "least": nothing, "greatest": nothing}
        strip = self._strips.strip(item, recording)
        least, greatest = strip.thinned(points)
        return {
            "progress": strip.progress,
            "threshold": self.detector.threshold,
            "least": as_json(least),
            "greatest": as_json(greatest),
            "problem": strip.problem or None,
        }

    def events(self, id: str) -> Json:
        """The events of a recording, and what was said of them."""
        item, recording = self._recording(id)
        return self._review(item, recording).answer(self._machine.of(item, recording))

    def alarms(self, id: str) -> Json:
        """What `secateur live` told while it recorded; see `AlarmReader.answer`."""
        item, _ = self._recording(id)
        reader = self._machine.alarms(item)
        return no_alarms() if reader is None else reader.answer()

    def act(self, id: str, request: Mapping[str, Any]) -> Json:
        """What a person does to the events; answers as `events` does. See `Review.act`."""
        item, recording = self._recording(id)
        return self._review(item, recording).act(request, self._machine.of(item, recording))

    def attribution(self, id: str, onset: float, duration: float) -> Json:
        """Why the detector called, or didn't call, the stretch from `onset` on; see `Attributions.of`."""
        if self._attributions is None:
            raise SettingsError("there is no detector here whose calls could be explained")
        _, recording = self._recording(id)
        return self._attributions.of(id, recording, Event(onset, duration))

    def state(self, id: str) -> tuple[int, float, float, int, bool]:
        """What `changes` tells.

        Version of the events, the recording's duration, the strip's progress, version of the alarms, and
        whether the recording grows.
        """
        item, recording = self._recording(id)
        progress = 1.0
        if self._strips is not None:
            progress = self._strips.strip(item, recording).progress
        machine = self._machine.of(item, recording)
        version = self._version(item, recording, machine)
        reader = self._machine.alarms(item)
        alarms = 0 if reader is None else reader.version()
        return version, duration_of(recording), progress, alarms, item.live

    def _version(self, item: FolderItem, recording: Recording, machine: MachineEvents) -> int:
        """The version of the events; worked out anew only where something has changed."""
        review = self._review(item, recording)
        try:
            status = review.path.stat()
            stamp: object = status.st_mtime_ns, status.st_ino, status.st_size
        except OSError:
            stamp = None
        key = stamp, machine, recording.samples
        known = self._states.get(item.id)
        if known is None or known[0] != key:
            known = key, int(review.answer(machine)["version"])
            self._states[item.id] = known
        return known[1]

    def _review(self, item: FolderItem, recording: Recording) -> Review:
        labels = dict.fromkeys(label.strip() for label in recording.channels)
        for montage in montages_of(recording.channels):
            labels |= dict.fromkeys(trace.label for trace in montage.traces)
        return Review(item.path, self.reviewer, tuple(labels))

    def without_folder(self, text: str) -> str:
        """A message as others may read it, too: without the way to the folder."""
        return text.replace(f"{self.folder.path}/", "")

    def _recording(self, id: str) -> tuple[FolderItem, Recording]:
        item = self.folder.item(id)
        return item, self.folder.open(item)

    def _montage(self, recording: Recording, key: str) -> ReadMontage:
        montages = montages_of(recording.channels)
        for montage in montages:
            if key in ("", montage.key):
                return montage
        known = ", ".join(montage.key for montage in montages)
        raise SettingsError(f"montage {key!r} can't be made here; there is {known}")


def _require_tables(tables: Path, folder: RecordingsFolder) -> None:
    """Raise `SettingsError` where `tables` is neither a folder nor the table of the only recording."""
    if not tables.exists():
        raise SettingsError(f"--events {tables}: there is no such folder of tables")
    if not tables.is_dir() and not folder.is_single:
        raise SettingsError(
            f"--events {tables}: is one table, and {folder.path} holds several recordings; name the "
            "folder of the tables, or the recording"
        )
    if not tables.is_dir() and tables.suffix.lower() != ".tsv":
        raise SettingsError(
            f"--events {tables}: is {kind_of(tables)}, wanted a folder of tables, or a .tsv"
        )
