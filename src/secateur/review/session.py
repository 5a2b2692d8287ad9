"""What the page asks for, answered for one folder and one detector: recordings, pages, strips, events."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from secateur.detectors import Detector
from secateur.errors import EventsError, RecordingError, SettingsError
from secateur.events import Event, Events, read_tsv
from secateur.recordings import Recording, duration_of
from secateur.recordings.layouts.listing import events_path
from secateur.review.attribution import Attributions
from secateur.review.folder import FolderItem, RecordingsFolder
from secateur.review.montages import ReadMontage, montages_of
from secateur.review.strip import Strip, StripWorker, as_json
from secateur.review.traces import PageRequest, TracePage, filters_of, lost_within, page_of

Json = dict[str, Any]
MOST_POINTS = 8192
"""Points of a strip."""


@dataclass(frozen=True)
class EventsSource:
    """The events that a review begins with. `source`: whose they are."""

    events: Events
    source: str


class ReviewSession:
    """One folder being reviewed. `events`: a folder of TSVs, as `secateur detect` lays them out.

    Methods raise `SecateurError` with a line for the page.
    """

    def __init__(
        self,
        folder: RecordingsFolder,
        detector: Detector | None = None,
        events: Path | None = None,
        reviewer: str = "",
    ) -> None:
        self.folder, self.detector, self.reviewer = folder, detector, reviewer
        self._events = events
        self._changes: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._attributions = None if detector is None else Attributions(detector)
        self._strips = None if detector is None else StripWorker(detector, self._changed)

    def close(self) -> None:
        """End the work in the background."""
        if self._strips is not None:
            self._strips.close()

    def _changed(self, id: str) -> None:
        self._changes[id] += 1

    def recordings(self) -> Json:
        """All recordings of the folder; those that can't be read with the reason."""
        rows = []
        for item in self.folder.items():
            row: Json = {
                "id": item.id,
                "name": item.name,
                "duration": None,
                "events": None,
                "reviewed": None,
                "problem": None,
            }
            try:
                recording = self.folder.open(item)
                row["duration"] = duration_of(recording)
                source = self._source(item, recording)
                row["events"] = None if source is None else len(source.events)
            except RecordingError as error:
                row["problem"] = error.reason
            except EventsError as error:
                row["problem"] = str(error)
            rows.append(row)
        name = None if self.detector is None else self.detector.path.name
        return {"reviewer": self.reviewer, "detector": name, "recordings": rows}

    def describe(self, id: str) -> Json:
        """A recording: its channels, montages, filters, gaps; its strip is begun."""
        item, recording = self._recording(id)
        if self._strips is not None:
            self._strips.strip(id, recording, first=True)
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
                for montage in montages_of(recording)
            ],
            "filters": filters_of(recording.sampling_rate),
            "lost": lost_within(recording, 0.0, duration_of(recording)),
            "notes": list(recording.notes),
            "live": False,
        }

    def traces(self, id: str, montage: str, request: PageRequest) -> TracePage:
        """A page of a recording. `montage`: its key; empty: the first one."""
        _, recording = self._recording(id)
        return page_of(recording, self._montage(recording, montage), request)

    def probability(self, id: str, points: int) -> Json:
        """The strip of a recording as far as it is known, in `points` parts."""
        if not 1 <= points <= MOST_POINTS:
            raise SettingsError(f"points is {points}; wanted 1 to {MOST_POINTS}")
        _, recording = self._recording(id)
        if self._strips is None or self.detector is None:
            nothing = [None] * points
            return {"progress": 1.0, "threshold": None, "least": nothing, "greatest": nothing}
        strip = self._strips.strip(id, recording)
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
        source = self._source(item, recording)
        rows = [] if source is None else [_row(n, e) for n, e in enumerate(source.events)]
        return {
            "version": 0 if source is None else 1,
            "source": "ours" if source is None else source.source,
            "events": rows,
            "others": [],
        }

    def attribution(self, id: str, onset: float, duration: float) -> Json:
        """Why the detector called, or didn't call, the stretch from `onset` on; see `Attributions.of`."""
        if self._attributions is None:
            raise SettingsError("there is no detector here whose calls could be explained")
        _, recording = self._recording(id)
        return self._attributions.of(id, recording, Event(onset, duration))

    def state(self, id: str) -> tuple[int, float, float]:
        """Version of the events, the recording's duration, and the strip's progress."""
        item, recording = self._recording(id)
        strip = self._strip(id, recording)
        version = 0 if self._source(item, recording) is None else 1
        return version, duration_of(recording), 1.0 if strip is None else strip.progress

    def _recording(self, id: str) -> tuple[FolderItem, Recording]:
        item = self.folder.item(id)
        return item, self.folder.open(item)

    def _montage(self, recording: Recording, key: str) -> ReadMontage:
        montages = montages_of(recording)
        for montage in montages:
            if key in ("", montage.key):
                return montage
        known = ", ".join(montage.key for montage in montages)
        raise SettingsError(f"montage {key!r} can't be made here; there is {known}")

    def _strip(self, id: str, recording: Recording) -> Strip | None:
        return None if self._strips is None else self._strips.strip(id, recording)

    def _source(self, item: FolderItem, recording: Recording) -> EventsSource | None:
        """The events to be reviewed; None where the detector hasn't come to an end yet."""
        path = events_path(item.path)
        if self._events is not None:
            path = events_path((self._events / item.name).with_suffix(item.path.suffix))
        if path is not None:
            return EventsSource(read_tsv(path, duration_of(recording)), "file")
        strip = self._strip(item.id, recording)
        if strip is None:
            return EventsSource(Events((), duration_of(recording), recording.start), "ours")
        return None if strip.events is None else EventsSource(strip.events, "ours")


def _row(number: int, event: Event) -> Json:
    return {
        "id": str(number),
        "onset": event.onset,
        "duration": event.duration,
        "confidence": event.confidence,
        "verdict": "open",
        "reviewer": "",
        "time": None,
        "comment": "",
        "channels": [],
        "machine": {"onset": event.onset, "duration": event.duration},
    }
