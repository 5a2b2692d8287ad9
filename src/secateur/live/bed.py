"""One bed: pieces of signal go through the detector, and what comes of them is written and told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.detectors.saved_stream import from_saved, to_saved
from secateur.detectors.stream import Step
from secateur.errors import RunError, SecateurError
from secateur.events import Event, Events
from secateur.files import write_whole
from secateur.live.alarm import Alarm, Kind, clock
from secateur.live.faults import FaultChange, FaultWatch
from secateur.live.gathered import Gathered
from secateur.live.log import AlarmLog
from secateur.live.recorder import SignalRecorder
from secateur.live.spool import Spool, last_number, pieces_since
from secateur.live.state import NAME, SavedBed, SavedEvent, read_state
from secateur.live.stream import Piece, Source, Trouble
from secateur.windows.plausibility import is_standstill

_STALE = 2.0
"""Seconds after which a window says nothing of now."""
_Content = tuple[Kind, str, float | None, float | None, str]
"""What an alarm says, whenever it was made."""


class Explainer(Protocol):
    """Names the channels that speak most for a seizure; see `live.telling`."""

    def look(self, second: float, window: NDArray[np.float32], pending: bool) -> None:
        """Take in a window: see `WindowTap`."""
        ...

    def channels(self, event: Event) -> tuple[str, ...] | None:
        """Of an event, the most telling first; None where they aren't known."""
        ...

    def latest(self) -> tuple[str, ...] | None:
        """Of the last window."""
        ...


class Observer(Protocol):
    """Looks on; see `live.watching`."""

    def push(self, at: int, samples: NDArray[np.float32], step: Step) -> None:
        """Take in channels × samples, µV, and what the detector made of them."""
        ...

    def close(self) -> None:
        """Nothing comes any more."""
        ...


@dataclass(frozen=True)
class Post:
    """Where a bed's alarms go: into the log, and to `send`, which hands them to the sinks.

    `complain`: is told in a sentence why the log can't be written.
    """

    log: AlarmLog
    send: Callable[[Alarm], None]
    complain: Callable[[str], None]


class Bed:
    """A source, a detector's stream, and what is known by now.

    `events`: where the table of events is written; `folder`: of the state and the spool. Where that holds the
    state that an earlier process left, `begin` goes on from it. Raises `RunError` where it is another
    detector's or source's, or where there are events and no state; `ChannelsError` where the montage can't
    be made of the source's channels.
    """

    def __init__(
        self, name: str, source: Source, detector: Detector, events: Path, folder: Path, post: Post
    ) -> None:
        self.name, self.source, self.detector = name, source, detector
        self._explainer: Explainer | None = None
        self.observer: Observer | None = None
        self.recorder: SignalRecorder | None = None
        self._table, self._folder, self._post = events, folder, post
        info = source.info
        self._stream = detector.stream(info.channels, info.sampling_rate)
        used = detector.chain.montage_map(info.channels, "stream").used
        self._used = list(used)
        self._faults = FaultWatch(self.labels, info.sampling_rate)
        self._spool: Spool | None = None
        self._number = 0
        self._closed: list[Event] = []
        self._open: Event | None = None
        self._known: set[_Content] = set()  # by a process that was killed
        self._gathered = Gathered()
        self._arrived = time.time()
        self._latest: tuple[float, float] | None = None  # a window's end, and its probability
        self._kept = True
        self.changed = True  # since the table of events was last written
        self._saved = self._earlier()

    def _earlier(self) -> SavedBed | None:
        path = self._folder / NAME
        if not path.exists():
            if self._table.exists():
                raise RunError(
                    f"{self._table}: is there, but no state to go on from; choose another --out"
                )
            return None
        saved = read_state(path)
        saved.require(
            self._table.parent, self.source.address, self.source.info, self.detector.fingerprint
        )
        if saved.finished:
            raise RunError(
                f"{self._table}: is complete, its source came to its end; choose another --out"
            )
        return saved

    def begin(self) -> None:
        """Begin, or go on: what an earlier process took in since it last saved goes through again.

        Then `save` must be called.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.recorder is not None:
            self.recorder.begin(anew=self._saved is None)
        if self._saved is not None:
            self._resume(self._saved)
        least = -1 if self._saved is None else self._saved.spool
        self._spool = Spool(self._folder, last_number(self._folder, least) + 1)

    def _resume(self, saved: SavedBed) -> None:
        try:
            self._stream = self.detector.resume(saved.stream.encode())
            self._stream.tap = None if self._explainer is None else self._look
            self._faults.restore(from_saved(saved.faults, self._faults.state()))
        except ValueError as error:
            raise RunError(
                f"{self._folder / NAME}: damaged ({error}); choose another --out"
            ) from None
        self._gathered.restore(saved.gathered)
        self._number = saved.number
        self._closed = [event.event() for event in saved.closed]
        self._open = None if saved.open is None else saved.open.event()
        for alarm in self._post.log.since(saved.log_size):
            if alarm.bed == self.name:
                self._known.add(_content(alarm))
                self._number = max(self._number, int(alarm.key.rpartition("-")[2]) + 1)
                self._post.send(alarm)
        if self.recorder is not None and self._stream.samples and not saved.recorded:
            raise RunError(
                f"{self._table.parent}: was begun or went on without --record; leave it out, or choose "
                "another --out"
            )
        last = saved.time
        for piece in pieces_since(self._folder, saved.spool):
            if piece.at >= self._stream.samples:  # others had not filled a record when it was saved
                self._judge(piece)
            self._record(piece, saved.start)
            last = max(last, piece.arrived)
        # an event comes once, but what is technical may come again in the same words
        self._known = {each for each in self._known if each[0] != "technical"}
        self.source.seek(self._stream.samples, saved.start)
        down = max(0.0, time.time() - last)
        self.technical(
            "restart", f"detection was down for {down:.1f} s, at {self.seconds:.1f} s of the signal"
        )

    @property
    def montage(self) -> tuple[str, ...]:
        """Names of the montage's channels."""
        return self._stream.montage

    def explain(self, explainer: Explainer) -> None:
        """Have alarms name channels."""
        self._explainer, self._stream.tap = explainer, self._look

    def _look(self, second: float, window: NDArray[np.float32], pending: bool) -> None:
        if self._explainer is None:
            return
        try:
            self._explainer.look(second, window, pending)
        except SecateurError as error:
            self._no_longer_explained(error)

    def _no_longer_explained(self, error: SecateurError) -> None:
        """Detection goes on."""
        self._explainer = None
        self._post.complain(f"{self.name}: alarms no longer name channels: {error}")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the channels that the montage needs: the rows that explainers and observers get."""
        return tuple(self.source.info.channels[k] for k in self._used)

    @property
    def folder(self) -> Path:
        """Where the table of events is written."""
        return self._table.parent

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be put right about the channels and the rate."""
        return self._stream.notes

    @property
    def seconds(self) -> float:
        """How far the stream has come."""
        return self._stream.samples / self._stream.sampling_rate

    @property
    def events(self) -> Events:
        """All events so far; of one that goes on, what is certain."""
        events = (*self._closed, *((self._open,) if self._open else ()))
        return Events(events, self.seconds, datetime.fromtimestamp(self.source.start))

    def take(self, items: Sequence[Piece | Trouble]) -> None:
        """What the source gave, which may be nothing."""
        self.tell_gathered()
        for item in items:
            if isinstance(item, Trouble):
                self.technical(item.kind, item.words)
            elif (piece := self._new(item)) is not None:
                if self._stream.samples == 0:
                    self.save()()  # only now the source knows when its sample 0 was
                self._keep(piece)
                self._judge(piece)
                self._record(piece, self.source.start)

    def _new(self, piece: Piece) -> Piece | None:
        """What is new in a piece; None where nothing is, or it is not of this stream."""
        info, values = self.source.info, piece.values
        if values.ndim != 2 or len(values) != len(info.channels) or piece.at < 0:
            self._often(
                "refused",
                f"wanted {len(info.channels)} channels, got an array of shape {values.shape}",
            )
            return None
        known = min(self._stream.samples - piece.at, values.shape[1])
        if known > 0:
            self._often("disorder", f"{known} samples came again, or too late: passed over")
            piece = Piece(values[:, known:], piece.at + known, piece.arrived)
        return piece if piece.values.shape[1] else None

    def _keep(self, piece: Piece) -> None:
        """On disk before anything is made of it, so that after a kill the same comes of it."""
        assert self._spool is not None
        try:
            self._spool.write(piece)
            self._kept = True
        except OSError as error:
            if self._kept:
                self.technical("disk", f"the signal can't be kept for a restart: {error.strerror}")
            self._kept = False

    def _judge(self, piece: Piece) -> None:
        self._arrived = piece.arrived
        info = self.source.info
        lost = piece.at - self._stream.samples
        known = len(self._stream.notes) if self._stream.samples == 0 else 0
        if lost > 0:
            begin, end = self.seconds, piece.at / info.sampling_rate
            words = f"{lost} samples lost, from {begin:.2f} to {end:.2f} s"
            self._often("lost", words)
            self._faults.restart(piece.at)
        step = self._stream.push(piece.values, at=piece.at)
        self._tell_notes(step.notes[known + (lost > 0) :])
        used = piece.values[self._used]
        for change in self._faults.push(used):
            self._tell_fault(change)
        self._tell_events(step)
        if len(step.seconds):
            self._latest = float(step.seconds[-1]) + step.hop, float(step.probabilities[-1])
        if self.observer is not None:
            self.observer.push(piece.at, used, step)

    def _record(self, piece: Piece, start: float) -> None:
        if self.recorder is not None:
            for trouble, words in self.recorder.push(piece.at, piece.values, start):
                self.technical(trouble, words)

    def _tell_notes(self, notes: Sequence[str]) -> None:
        for note in notes:
            if not is_standstill(note):  # of which `FaultWatch` tells, and also when it is over
                self._often("signal", note)

    def _tell_fault(self, change: FaultChange) -> None:
        self.technical(change.kind, change.words, change.channels)

    def _tell_events(self, step: Step) -> None:
        acts = [(event, "closed") for event in step.closed]
        acts += [(event, "opened") for event in step.opened]
        for event, kind in sorted(acts, key=lambda act: (act[0].onset, act[1] == "closed")):
            if kind == "opened":
                self._open = event
                self._tell_event("opened", f"seizure since {event.onset:.1f} s", event)
            else:
                self._open = None
                self._closed.append(event)
                self._tell_event(
                    "closed", f"seizure from {event.onset:.1f} to {event.end:.1f} s", event
                )
            self.changed = True

    def technical(self, trouble: str, words: str, channels: tuple[str, ...] = ()) -> None:
        """Something is wrong with the signal, or is no longer."""
        self._tell("technical", words, trouble=trouble, channels=channels or None)

    def _often(self, trouble: str, words: str) -> None:
        """Something that may come with every piece."""
        self._gathered.add(trouble, words)
        self.tell_gathered()

    def tell_gathered(self, *, everything: bool = False) -> None:
        """Tell what may come with every piece, where it is time for that, or it is the last time."""
        for trouble, words in self._gathered.due(time.monotonic(), everything=everything):
            self.technical(trouble, words)

    def heartbeat(self) -> None:
        """All goes on; with what the last window says, where that is of now."""
        ago = max(0.0, time.time() - self._arrived)
        words = f"{self.seconds:.1f} s of signal, the last came {ago:.1f} s ago"
        confidence, channels = None, None
        if self._latest is not None and ago < _STALE:
            end, probability = self._latest
            if self.seconds - end < self._stream.hop + _STALE:
                confidence, channels = probability, self._named(None)
        self._tell("heartbeat", words, confidence=confidence, channels=channels)

    def _named(self, event: Event | None) -> tuple[str, ...] | None:
        """The channels that speak most for an event, or in the last window."""
        if self._explainer is None:
            return None
        try:
            return self._explainer.latest() if event is None else self._explainer.channels(event)
        except SecateurError as error:
            self._no_longer_explained(error)
            return None

    def _tell_event(self, kind: Kind, words: str, event: Event) -> None:
        span, channels = (event.onset, event.duration), self._named(event)
        self._tell(kind, words, span=span, confidence=event.confidence, channels=channels)

    def _tell(
        self,
        kind: Kind,
        words: str,
        *,
        span: tuple[float, float] | None = None,
        confidence: float | None = None,
        channels: tuple[str, ...] | None = None,
        trouble: str = "",
    ) -> None:
        onset, duration = span or (None, None)
        if (kind, trouble, onset, duration, words) in self._known:
            return
        alarm = Alarm(
            key=f"{self.name}-{self._number:06d}",
            bed=self.name,
            kind=kind,
            time=clock(time.time()),
            stream_seconds=self.seconds,
            onset=onset,
            duration=duration,
            confidence=confidence,
            channels=channels,
            trouble=trouble,
            words=words,
        )
        self._number += 1
        try:
            self._post.log.write(alarm)
        except OSError as error:
            self._post.complain(f"{self._post.log.path}: {error.strerror}")
        self._post.send(alarm)

    def save(self, *, finished: bool = False) -> Callable[[], None]:
        """Put the state aside; what is returned writes it, and may be called from another thread.

        Alarms so far must have reached the sinks' queue.
        """
        assert self._spool is not None
        stream = self._stream.save().decode() if not finished else ""
        number = self._spool.turn()
        if self.recorder is not None and (unwritten := self.recorder.unwritten) is not None:
            at, values = unwritten
            self._keep(Piece(values, at, self._arrived))
        state = SavedBed(
            bed=self.name,
            address=self.source.address,
            detector=self.detector.fingerprint,
            channels=self.source.info.channels,
            sampling_rate=self.source.info.sampling_rate,
            start=self.source.start,
            time=time.time(),
            number=self._number,
            log_size=self._post.log.size,
            spool=number,
            closed=tuple(SavedEvent.of(event) for event in self._closed),
            open=None if self._open is None else SavedEvent.of(self._open),
            stream=stream,
            faults=to_saved(self._faults.state()),
            gathered=self._gathered.state(),
            finished=finished,
            recorded=self.recorder is not None,
        )
        spool, recorder = self._spool, self.recorder

        def write() -> None:
            if recorder is not None:  # the spool, from which it could be written again, goes
                recorder.sync()
            write_whole(self._folder / NAME, state.model_dump_json())
            spool.drop_before(number)

        return write

    def table(self) -> Callable[[], None]:
        """What writes the table of events as it is now, and may be called from another thread."""
        events = self.events
        self.changed = False
        return lambda: events.write_tsv(self._table)

    def close(self) -> None:
        """Let go of the source and of files."""
        if self.observer is not None:
            self.observer.close()
        if self.recorder is not None:
            try:
                self.recorder.close()
            except OSError as error:
                self._post.complain(f"{self.recorder.path}: {error.strerror}")
        if self._spool is not None:
            self._spool.close()
        self.source.close()

    def finish(self) -> None:
        """The source has come to its end: what was still open closes."""
        step = self._stream.close()
        self.changed = True
        self._tell_notes(step.notes)
        self._tell_events(step)
        if self.observer is not None:
            nothing = np.empty((len(self._used), 0), dtype=np.float32)
            self.observer.push(self._stream.samples, nothing, step)
        self.tell_gathered(everything=True)
        self.technical("ended", f"the source came to its end at {self.seconds:.1f} s")


def _content(alarm: Alarm) -> _Content:
    return alarm.kind, alarm.trouble, alarm.onset, alarm.duration, alarm.words
