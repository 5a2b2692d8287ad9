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
_Key = tuple[str, bool]


class _StoppedError(Exception):
    """Another recording is looked at now, or the server ends."""


@dataclass
class Strip:
    """What is known of one recording: `windows` so far (begin and probability), and events.

    `seconds`: how much is done. `events`: None before the end; of a recording that goes on those that are
    closed. `earlier`: those that were known before the recording was worked anew. `problem`: why nothing more
    will come. `stream`, `closed`: of a recording that goes on.
    """

    duration: float
    hop: float
    windows: list[tuple[Floats, Floats]] = field(default_factory=list)
    seconds: float = 0.0
    events: Events | None = None
    earlier: Events | None = None
    problem: str = ""
    stream: DetectorStream | None = None
    closed: list[Event] = field(default_factory=list)

    @property
    def known_events(self) -> Events | None:
        """The events, or, as long as there are none yet, those that were known before."""
        return self.earlier if self.events is None else self.events

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
    strip: Strip

    @property
    def key(self) -> _Key:
        return _key(self.item)


def _key(item: FolderItem) -> _Key:
    """One that goes on is worked out as a stream, and in one pass once it is complete."""
    return item.id, item.live


def _same(before: Recording, now: Recording, live: bool) -> bool:
    """Whether what is known of a recording as it was opened `before` holds for it now."""
    if not live:
        return before is now
    return (
        before.start == now.start
        and before.channels == now.channels
        and before.sampling_rate == now.sampling_rate
        and before.samples <= now.samples
    )


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
        self._strips: OrderedDict[_Key, tuple[Recording, Strip]] = OrderedDict()
        self._waiting: deque[_Job] = deque()
        self._current: _Job | None = None
        self._hurry = False  # whether the current one is to make way
        self._condition = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="strip", daemon=True)
        self._thread.start()

    def strip(self, item: FolderItem, recording: Recording, *, first: bool = False) -> Strip:
        """What is known of a recording by now; unless all is, its turn comes, with `first` at once."""
        key = _key(item)
        with self._condition:
            known = self._strips.get(key)
            if known is None or not _same(known[0], recording, item.live):
                strip = Strip(0.0, self._hop, earlier=self._earlier(item, recording))
                replaced = None if known is None else known[1]
                if self._current is not None and self._current.strip is replaced:
                    self._hurry = True
            else:
                strip = known[1]
            self._strips[key] = recording, strip
            strip.duration = duration_of(recording)
            self._strips.move_to_end(key)
            # of recordings that nobody looked at for long events alone are kept
            if strip.progress < 1 and (first or item.live or strip.events is None):
                self._enqueue(_Job(item, recording, strip), first)
            self._forget()
            return strip

    def _earlier(self, item: FolderItem, recording: Recording) -> Events | None:
        """Events of the recording while it went on, once it is complete, and the other way round."""
        other = self._strips.get((item.id, not item.live))
        if other is None or not _same(other[0], recording, live=True):
            return None
        return other[1].known_events

    def close(self) -> None:
        """End the thread, at the next piece of a recording."""
        with self._condition:
            self._ended = True
            self._condition.notify()
        self._thread.join()

    def _enqueue(self, job: _Job, first: bool) -> None:
        if self._current is not None and self._current.strip is job.strip:
            return
        waiting = [each for each in self._waiting if each.strip is job.strip]
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
            _, strip = self._strips[key]
            if key not in busy and strip.windows and not strip.problem:
                strip.windows, strip.seconds = [], 0.0
                strip.stream, strip.closed = None, []

    def _work(self) -> None:
        while True:
            with self._condition:
                self._current, self._hurry = None, False
                self._condition.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                job = self._current = self._waiting.popleft()
                strip = job.strip
                if not self._is_wanted(job):
                    continue
            try:
                (self._follow if job.item.live else self._detect)(job, strip)
            except _StoppedError:
                with self._condition:
                    self._waiting.append(job)
            except SecateurError as error:
                strip.problem = getattr(error, "reason", str(error))
            except Exception as error:  # told on the page; the next recording goes on
                strip.problem = f"{type(error).__name__}: {error}"

    def _is_wanted(self, job: _Job) -> bool:
        """Whether the recording is still the one that was asked for, and not another in its place."""
        known = self._strips.get(job.key)
        return known is not None and known[1] is job.strip

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
        if strip.stream is None:
            strip.windows, strip.seconds, strip.closed = [], 0.0, []
            strip.stream = self._detector.stream(recording.channels, rate)
        stream, closed = strip.stream, strip.closed
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
