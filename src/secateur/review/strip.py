"""The probability of seizure over whole recordings, worked out in the background while they are looked at."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.detectors.stream import DetectorStream
from secateur.errors import SecateurError
from secateur.events import Event, Events
from secateur.recordings import Recording, duration_of
from secateur.review.folder import FolderItem

_KEPT = 256
"""Recordings whose probabilities are kept, a megabyte for a day of EEG; events are kept of all."""
_PIECE = 48.0
"""Seconds of a recording that goes on which are taken at once."""
_CLOSE = 1e-9

Floats = NDArray[np.float64]
_Key = tuple[str, int]


class _StoppedError(Exception):
    """Another recording is looked at now, or the server ends."""


@dataclass
class Strip:
    """What is known of one recording: `windows` so far (begin and probability), and events.

    `seconds`: how much is done. `events`: None before the end; of a recording that goes on those that are
    closed. `problem`: why nothing more will come.
    """

    duration: float
    hop: float
    windows: list[tuple[Floats, Floats]] = field(default_factory=list)
    seconds: float = 0.0
    events: Events | None = None
    problem: str = ""

    @property
    def progress(self) -> float:
        """The share of the recording that is done; 1 once nothing more will come."""
        if self.problem or self.seconds >= self.duration:
            return 1.0
        return min(0.999, self.seconds / self.duration)

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
    item: FolderItem
    recording: Recording

    @property
    def key(self) -> _Key:
        """Of a recording that goes on always the same; one that has grown since is another."""
        return self.item.id, -1 if self.item.live else self.recording.samples


class StripWorker:
    """One thread that detects one recording at a time, the one that was opened last first.

    ONNX Runtime and the chain's matrix products let other threads run meanwhile. What is given up for another
    recording is begun again later. A recording that goes on goes through a stream, which takes in what is
    new.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        info = detector.info
        self._hop = info.window_and_hop[1] / info.chain.sampling_rate
        self._strips: OrderedDict[_Key, Strip] = OrderedDict()
        self._followed: dict[str, tuple[DetectorStream, list[Event]]] = {}
        self._waiting: deque[_Job] = deque()
        self._current: _Job | None = None
        self._hurry = False  # whether the current one is to make way
        self._condition = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="strip", daemon=True)
        self._thread.start()

    def strip(self, item: FolderItem, recording: Recording, *, first: bool = False) -> Strip:
        """What is known of a recording by now; unless all is, its turn comes, with `first` at once."""
        job = _Job(item, recording)
        with self._condition:
            strip = self._strips.get(job.key)
            if strip is None:
                strip = self._strips[job.key] = Strip(0.0, self._hop)
            strip.duration = duration_of(recording)
            self._strips.move_to_end(job.key)
            # of recordings that nobody looked at for long events alone are kept
            if strip.progress < 1 and (first or item.live or strip.events is None):
                self._enqueue(job, first)
            self._forget()
            return strip

    def close(self) -> None:
        """End the thread, at the next piece of a recording."""
        with self._condition:
            self._ended = True
            self._condition.notify()
        self._thread.join()

    def _enqueue(self, job: _Job, first: bool) -> None:
        if self._current is not None and self._current.key == job.key:
            return
        waiting = [each for each in self._waiting if each.key == job.key]
        if first:
            for each in waiting:
                self._waiting.remove(each)
            self._waiting.appendleft(job)
            self._hurry = self._current is not None
        elif not waiting:
            self._waiting.append(job)
        self._condition.notify()

    def _forget(self) -> None:
        busy = {job.key for job in (*self._waiting, self._current) if job is not None}
        for key in list(self._strips)[: max(0, len(self._strips) - _KEPT)]:
            strip = self._strips[key]
            if key not in busy and strip.windows and not strip.problem:
                strip.windows, strip.seconds = [], 0.0
                self._followed.pop(key[0], None)

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
                (self._follow if job.item.live else self._detect)(job, strip)
            except _StoppedError:
                with self._condition:
                    self._waiting.append(job)
            except SecateurError as error:
                strip.problem = getattr(error, "reason", str(error))
            except Exception as error:  # told on the page; the next recording goes on
                strip.problem = f"{type(error).__name__}: {error}"

    def _stop_if_asked(self) -> None:
        if self._ended or self._hurry:
            raise _StoppedError

    def _detect(self, job: _Job, strip: Strip) -> None:
        """All of a recording, in one pass."""
        strip.windows, strip.seconds = [], 0.0

        def watch(begin: Floats, probability: Floats) -> None:
            strip.windows.append((begin, probability))

        def step(seconds: float) -> None:
            strip.seconds = min(seconds, 0.999 * strip.duration)
            self._stop_if_asked()

        known = self._detector.window_probabilities(job.recording, step, "note", watch=watch)
        strip.windows = [(known.begin, known.probability)]
        strip.events = self._detector.events(known)
        strip.seconds = strip.duration

    def _follow(self, job: _Job, strip: Strip) -> None:
        """What has come since the last time."""
        recording, _ = self._detector.chain.source(job.recording)
        rate = recording.sampling_rate
        if job.item.id not in self._followed:
            strip.windows, strip.seconds = [], 0.0
            stream = self._detector.stream(recording.channels, rate)
            self._followed[job.item.id] = stream, []
        stream, closed = self._followed[job.item.id]
        for first, last in recording.stretches:
            for at in range(max(first, stream.samples), last, max(1, round(_PIECE * rate))):
                end = min(at + max(1, round(_PIECE * rate)), last)
                step = stream.push(recording.read(at / rate, end / rate), at=at)
                closed.extend(step.closed)
                if len(step.probabilities):
                    strip.windows.append((step.seconds, step.probabilities))
                strip.seconds = end / rate
                self._stop_if_asked()
        strip.events = Events(tuple(closed), recording.samples / rate, recording.start)


def as_json(values: Floats) -> list[float | None]:
    """Numbers with four digits, null for nan."""
    return [None if math.isnan(value) else round(float(value), 4) for value in values]
