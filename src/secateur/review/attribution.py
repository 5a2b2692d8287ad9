"""Why an event was called, as the page shows it behind the traces, beside the head and by band."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import SettingsError
from secateur.events import Event
from secateur.explaining import ExplainingSettings, Explanation, explain_events
from secateur.explaining.drawing import head_svg
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.settings import Method
from secateur.recordings import Recording
from secateur.recordings.recording import Stretches

LONGEST = 1800.0
"""Seconds of the longest event that is explained while somebody waits."""
_BEFORE = 60.0
"""Seconds before an event's first window with which the chain's filters settle."""
_KEPT = 64
_METHODS: tuple[Method, ...] = ("gradient", "contributions")
"""What needs nothing but the event itself; the first that the network allows is taken."""


class Attributions:
    """A detector's attributions of events, each worked out when it is asked for, the last ones kept."""

    def __init__(self, detector: Detector) -> None:
        self._network = ExplainedNetwork(detector)
        self._method: Method | None = None
        self._known: OrderedDict[tuple[str, float, float], dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, id: str, recording: Recording, event: Event) -> dict[str, Any]:
        """What the page shows of an event of the recording `id`.

        Raises `SettingsError` where the network allows no such method or the event is too long, and
        `EventsError` or `RecordingError` as `explain_events` does.
        """
        if event.duration > LONGEST:
            raise SettingsError(
                f"the event lasts {event.duration:g} s; at most {LONGEST:g} s are explained here, more by "
                "`secateur explain`"
            )
        key = id, event.onset, event.end
        with self._lock:
            if key not in self._known:
                self._known[key] = shares_of(self._explained(recording, event))
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
            return self._known[key]

    def _explained(self, recording: Recording, event: Event) -> Explanation:
        detector = self._network.detector
        recording, _ = detector.chain.source(recording)
        length = detector.info.window_and_hop[0] / detector.info.chain.sampling_rate
        excerpt = RecordingExcerpt(
            recording, event.onset - length - _BEFORE, event.end + 2 * length
        )
        settings = ExplainingSettings(method=self._allowed())
        return explain_events(self._network, excerpt, [event], settings, too_slow="note")[0]

    def _allowed(self) -> Method:
        if self._method is None:
            refusals = []
            for method in _METHODS:
                try:
                    self._network.require(method)
                except SettingsError as error:
                    refusals.append(str(error))
                else:
                    self._method = method
                    return method
            raise SettingsError(refusals[0])
        return self._method


class RecordingExcerpt:
    """A recording of which all but a part counts as lost, so that no more is read.

    `begin`, `end`: of the part, seconds. Times are the recording's own; see `Recording` for its members.
    """

    def __init__(self, recording: Recording, begin: float, end: float) -> None:
        self._recording = recording
        rate = recording.sampling_rate
        first = max(0, round(begin * rate))
        last = min(recording.samples, round(end * rate))
        self.path, self.channels, self.start = (
            recording.path,
            recording.channels,
            recording.start,
        )
        self.sampling_rate, self.samples, self.notes = rate, last, recording.notes
        self.stretches: Stretches = tuple(
            (max(a, first), min(b, last))
            for a, b in recording.stretches
            if min(b, last) > max(a, first)
        )

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`."""
        if stop is None:
            stop = self.samples / self.sampling_rate
        return self._recording.read(start, stop, channels)


def shares_of(why: Explanation) -> dict[str, Any]:
    """An explanation as the page takes it: shares of the largest, −1 to 1, by trace, second and band."""
    values = why.attribution
    channels = np.zeros(len(why.channels)) if why.by_channel is None else why.by_channel
    bands = np.array(list(why.by_band.values()))
    return {
        "method": why.method,
        "margin": round(why.margin, 4),
        "labels": list(why.channels),
        "begin": float(why.seconds[0]),
        "step": 1.0,
        "values": [] if values is None else [_shares(row, np.abs(values).max()) for row in values],
        "bands": _named(why.by_band.keys(), bands),
        "channels": [
            {"label": each["name"], "share": each["share"]}
            for each in _named(why.channels, channels)
        ],
        "head": head_svg(why),
    }


def _shares(values: NDArray[np.float64], most: float) -> list[float]:
    return [round(float(value), 4) for value in values / (most or 1.0)]


def _named(names: Iterable[str], values: NDArray[np.float64]) -> list[dict[str, Any]]:
    shares = _shares(values, float(np.abs(values).max(initial=0.0)))
    return [{"name": name, "share": share} for name, share in zip(names, shares, strict=True)]
