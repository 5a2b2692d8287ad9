"""The probability of seizure over whole recordings, worked out in the background while they are looked at."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import SecateurError
from secateur.events import Events
from secateur.recordings import Recording, duration_of

_KEPT = 256
"""Recordings whose probabilities are kept; those of a day of EEG take a megabyte."""

_CLOSE = 1e-9

Floats = NDArray[np.float64]


class _StoppedError(Exception):
    """Another recording is looked at now, or the server ends."""


@dataclass
class Strip:
    """What is known of one recording: `windows` so far (begin and probability), and events at the end.

    `problem`: why nothing more will come.
    """

    duration: float
    hop: float
    windows: list[tuple[Floats, Floats]] = field(default_factory=list)
    seconds: float = 0.0
    events: Events | None = None
    problem: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.events is not None or bool(self.problem)

    @property
    def progress(self) -> float:
        """The share of the recording that is done; 1 once nothing more will come."""
        if self.done:
            return 1.0
        return min(0.999, self.seconds / self.duration) if self.duration else 0.0

    def thinned(self, points: int) -> tuple[Floats, Floats]:
        """Least and greatest probability in each of `points` equal parts of the recording; nan: not known."""
        least, greatest = np.full(points, np.inf), np.full(points, -np.inf)
        windows = list(self.windows)  # the worker goes on meanwhile
        if windows and self.duration > 0:
            begin = np.concatenate([begin for begin, _ in windows])
            probability = np.concatenate([probability for _, probability in windows])
            scale = points / self.duration
            first = np.floor(begin * scale + _CLOSE).astype(np.int64)
            after = np.ceil((begin + self.hop) * scale - _CLOSE).astype(np.int64)
            after = np.minimum(np.maximum(after, first + 1), points)
            for more in range(int((after - first).max(initial=0))):
                within = first + more < after
                at = first[within] + more
                np.minimum.at(least, at, probability[within])
                np.maximum.at(greatest, at, probability[within])
        known = np.isfinite(least)
        return np.where(known, least, np.nan), np.where(known, greatest, np.nan)


@dataclass(frozen=True)
class _Job:
    id: str
    recording: Recording

    @property
    def key(self) -> tuple[str, int]:
        """A recording that has grown is another."""
        return self.id, self.recording.samples


class StripWorker:
    """One thread that detects one recording at a time, the one that was opened last first.

    ONNX Runtime and the chain's matrix products let other threads run meanwhile. What is given up for another
    recording is begun again later. `changed` is told the id of a recording of which more is known.
    """

    def __init__(self, detector: Detector, changed: Callable[[str], None]) -> None:
        self._detector, self._changed = detector, changed
        self._strips: OrderedDict[tuple[str, int], Strip] = OrderedDict()
        self._waiting: deque[_Job] = deque()
        self._current: _Job | None = None
        self._hurry = False  # whether the current one is to make way
        self._condition = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="strip", daemon=True)
        self._thread.start()

    def strip(self, id: str, recording: Recording, *, first: bool = False) -> Strip:
        """What is known of a recording by now; unless all is, its turn comes, with `first` at once."""
        job = _Job(id, recording)
        with self._condition:
            strip = self._strips.get(job.key)
            if strip is None:
                hop = (
                    self._detector.info.window_and_hop[1] / self._detector.info.chain.sampling_rate
                )
                strip = self._strips[job.key] = Strip(duration_of(recording), hop)
            self._strips.move_to_end(job.key)
            if not strip.done and (self._current is None or self._current.key != job.key):
                waiting = [each for each in self._waiting if each.key == job.key]
                if first:
                    for each in waiting:
                        self._waiting.remove(each)
                    self._waiting.appendleft(job)
                    self._hurry = self._current is not None
                elif not waiting:
                    self._waiting.append(job)
                self._condition.notify()
            self._forget()
            return strip

    def close(self) -> None:
        """End the thread, at the next piece of a recording."""
        with self._condition:
            self._ended = True
            self._condition.notify()
        self._thread.join()

    def _forget(self) -> None:
        busy = {job.key for job in (*self._waiting, self._current) if job is not None}
        for key in list(self._strips)[: max(0, len(self._strips) - _KEPT)]:
            if key not in busy:
                del self._strips[key]

    def _work(self) -> None:
        while True:
            with self._condition:
                self._current, self._hurry = None, False
                self._condition.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                job = self._current = self._waiting.popleft()
                strip = self._strips[job.key]
            try:
                self._detect(job, strip)
            except _StoppedError:
                with self._condition:
                    self._waiting.append(job)
            self._changed(job.id)

    def _detect(self, job: _Job, strip: Strip) -> None:
        strip.windows, strip.seconds = [], 0.0

        def watch(begin: Floats, probability: Floats) -> None:
            strip.windows.append((begin, probability))

        def step(seconds: float) -> None:
            strip.seconds = seconds
            if self._ended or self._hurry:
                raise _StoppedError
            self._changed(job.id)

        try:
            known = self._detector.window_probabilities(job.recording, step, "note", watch=watch)
            strip.windows = [(known.begin, known.probability)]
            strip.events = self._detector.events(known)
        except SecateurError as error:
            strip.problem = getattr(error, "reason", str(error))
        except _StoppedError:
            raise
        except Exception as error:  # told on the page; the next recording goes on
            strip.problem = f"{type(error).__name__}: {error}"


def as_json(values: Floats) -> list[float | None]:
    """Numbers with four digits, null for nan."""
    return [None if math.isnan(value) else round(float(value), 4) for value in values]
