"""A bed as a monitor's patient: each hour of its signal is sketched and added to the monitor's state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.detectors.stream import Step
from secateur.errors import MonitorError
from secateur.events import Event, Events
from secateur.live.stream import Source
from secateur.monitoring.recording import as_sketch
from secateur.monitoring.sketching import Sketcher
from secateur.monitoring.state import Listed, Monitor

_EPOCH = datetime(1970, 1, 1)


class HourlySketches:
    """Sketches a bed's signal, hour by hour of its own clock, into `monitor`.

    `patient`: the bed's name. `complain`: is told why an hour can't be added. An hour that a killed process
    had begun counts from where the next one goes on.
    """

    def __init__(
        self,
        patient: str,
        source: Source,
        detector: Detector,
        monitor: Monitor,
        complain: Callable[[str], None],
    ) -> None:
        self._patient, self._source, self._detector = patient, source, detector
        self._monitor, self._complain = monitor, complain
        self._sketcher: Sketcher | None = None
        self._begin = self._end = self._hour = 0
        self._steps: list[Step] = []
        self._events: list[Event] = []

    def push(self, at: int, samples: NDArray[np.float32], step: Step) -> None:
        """Take in the montage's channels × samples, µV, and what the detector made of them."""
        start = datetime.fromtimestamp(self._source.start)
        rate = self._source.info.sampling_rate
        hour = int(((start - _EPOCH).total_seconds() + at / rate) // 3600)
        if self._sketcher is not None and hour != self._hour:
            self.close()
        if self._sketcher is None:
            info = self._source.info
            montage_map = self._detector.chain.montage_map(info.channels, "stream")
            labels = [info.channels[k] for k in montage_map.used]
            self._sketcher = Sketcher(labels, montage_map, rate, start)
            self._begin, self._hour, self._digest = at, hour, hashlib.sha256()
        if np.isfinite(samples.sum(dtype=np.float64)):
            self._sketcher.push(at, samples)
        else:
            for begin, end in _finite(samples):
                self._sketcher.push(at + begin, samples[:, begin:end])
        self._end = at + samples.shape[1]
        self._digest.update(np.ascontiguousarray(samples).tobytes())
        self._steps.append(step)
        self._events += step.closed

    def close(self) -> None:
        """Add what has come since the hour began."""
        if self._sketcher is None:
            return
        sketcher, self._sketcher = self._sketcher, None
        steps, self._steps = self._steps, []
        events, self._events = self._events, []
        rate = self._source.info.sampling_rate
        start = (datetime.fromtimestamp(self._source.start) - _EPOCH).total_seconds()
        hours = sketcher.finish(
            np.concatenate([step.seconds for step in steps]),
            np.concatenate([step.probabilities for step in steps]),
            Events(tuple(events), self._end / rate),
            self._detector.threshold,
        )
        begin = start + self._begin / rate
        day = datetime.fromtimestamp(self._source.start + self._begin / rate)
        name = f"{self._patient}/{day:%Y-%m-%dT%H-%M-%S}"
        item = Listed(self._patient, name, begin, (self._end - self._begin) / rate)
        undated = self._monitor.undated([item])[0]
        digest = self._digest.hexdigest()
        try:
            self._monitor.add(as_sketch(item, undated, digest, "", hours, sketcher.setup))
        except MonitorError as error:
            self._complain(str(error))


def _finite(samples: NDArray[np.float32]) -> Sequence[tuple[int, int]]:
    """Stretches in which every channel has a value."""
    good = np.concatenate(([False], np.isfinite(samples).all(axis=0), [False]))
    edges = np.flatnonzero(good[1:] != good[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
