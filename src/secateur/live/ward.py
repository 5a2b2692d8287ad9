"""Many beds in one process: each source is asked in turn, nobody waits for another's."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from secateur.detectors import Detector
from secateur.errors import RunError, SecateurError
from secateur.live.alarm import Alarm
from secateur.live.bed import Bed, Post
from secateur.live.log import AlarmLog
from secateur.live.stream import Source

_PAUSE_A_BED, _LONGEST_PAUSE = 0.001, 0.02
"""Seconds from one turn to the next: asking a source costs something even when nothing has come."""
_WAIT = 0.05
"""Seconds that a single bed's source is waited for."""
_RETRY = 60.0
"""Seconds after which it is said again that a bed isn't watched."""


class Outbox(Protocol):
    """Takes alarms for the sinks; see `live.sinks.AlarmQueue`."""

    def put_all(self, alarms: Sequence[tuple[dict[str, Any], str]]) -> None:
        """Keep alarms, each with its key, until every sink has had them; never waits for a sink."""
        ...

    def close(self, timeout: float) -> None:
        """Let the sinks have what is left, for `timeout` seconds at most."""
        ...


@dataclass(frozen=True)
class Pace:
    """Seconds between two heartbeats of a bed, between two savings of its state, and for sinks at the end."""

    heartbeat: float = 10.0
    save: float = 60.0
    drain: float = 10.0


class _Rounds:
    """When each bed is due, evenly spread over `every` seconds."""

    def __init__(self, count: int, every: float, now: float) -> None:
        self._every = every
        self._due = [now + every * (k + 1) / count for k in range(count)]

    def due(self, now: float) -> list[int]:
        """The beds that are due, which are then due again `every` seconds later."""
        ready = [k for k, at in enumerate(self._due) if at <= now]
        for k in ready:
            self._due[k] = max(self._due[k] + self._every, now)
        return ready


def _name(label: str, others: Sequence[str]) -> str:
    """A bed's name that can be a folder's, and is no other's."""
    plain = re.sub(r"[^\w.-]+", "-", label).strip("-.")[:60] or "bed"
    names = (plain, *(f"{plain}-{k}" for k in range(2, len(others) + 2)))
    return next(name for name in names if name not in others)


class Ward:
    """Beds that share a log and an outbox.

    `listen`: is told each alarm, also those that a killed process may not have handed on.
    """

    def __init__(
        self,
        log: AlarmLog,
        outbox: Outbox | None = None,
        pace: Pace | None = None,
        listen: Callable[[Alarm], None] | None = None,
    ) -> None:
        self.beds: list[Bed] = []
        self.log = log
        self._outbox, self._pace, self._listen = outbox, pace or Pace(), listen
        self._waiting: list[Alarm] = []
        self._writer = ThreadPoolExecutor(1, "secateur-live-writer")
        self._writing: dict[tuple[str, str], Future[None]] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._complaint = ""

    def admit(self, out: Path, sources: Sequence[Source], detector: Detector) -> None:
        """Give each source a bed, called as the source calls itself, whose files lie below `out`.

        The table of a single bed lies in `out` itself. Raises as `Bed` does.
        """
        single, several = list(out.glob("events.tsv")), list(out.glob("*/events.tsv"))
        for table in several if len(sources) == 1 else single:
            raise RunError(
                f"{table}: is there, from another number of sources; the same command goes on, another needs "
                "another --out"
            )
        post = Post(self.log, self._send, self.complain)
        names: list[str] = []
        for source in sources:
            names.append(_name(source.info.name, names))
            table = out / "events.tsv" if len(sources) == 1 else out / names[-1] / "events.tsv"
            state = out / ".state" / names[-1]
            self.beds.append(Bed(names[-1], source, detector, table, state, post))

    def _send(self, alarm: Alarm) -> None:
        self._waiting.append(alarm)
        if self._listen is not None:
            self._listen(alarm)

    def complain(self, words: str) -> None:
        """Say on standard error what can't be written, once."""
        if words != self._complaint:
            print(f"secateur: {words}", file=sys.stderr, flush=True)
            self._complaint = words

    def run(self, stop: Callable[[], bool], report: Callable[[Ward], None] | None = None) -> None:
        """Watch until `stop` says so or every source has come to its end; `report` is called each turn."""
        for bed in self.beds:
            bed.begin()
            self._deliver()
            bed.save()()
        try:
            self._watch(stop, report)
        finally:
            self._close()

    def failed(self) -> dict[str, str]:
        """Beds that are no longer watched, and why."""
        return {name: reason for name, (reason, _) in self._failed.items()}

    def _watch(self, stop: Callable[[], bool], report: Callable[[Ward], None] | None) -> None:
        count, now = len(self.beds), time.monotonic()
        beats = _Rounds(count, self._pace.heartbeat, now)
        saves = _Rounds(count, self._pace.save, now)
        syncs = _Rounds(1, 1.0, now)
        pause = 0.0 if count == 1 else min(_LONGEST_PAUSE, _PAUSE_A_BED * count)
        while not stop() and any(self._watched(bed) for bed in self.beds):
            began = time.monotonic()
            for bed in self.beds:
                if self._watched(bed):
                    self._turn(bed, _WAIT if count == 1 else 0.0)
            for k in beats.due(began):
                self._beat(self.beds[k], began)
            self._deliver()
            for bed in self.beds:
                if bed.changed:
                    self._write("table", bed, bed.table)
            for k in saves.due(began):
                # a state counts alarms before it as delivered
                if self._watched(self.beds[k]) and not self._waiting:
                    self._write("state", self.beds[k], self.beds[k].save)
                    self.beds[k].changed = True  # the recording is longer
            if syncs.due(began):
                self._writer.submit(self.log.sync)
            if report is not None:
                report(self)
            rest = pause - (time.monotonic() - began)
            if rest > 0:
                time.sleep(rest)

    def _watched(self, bed: Bed) -> bool:
        return not bed.source.finished and bed.name not in self._failed

    def _turn(self, bed: Bed, timeout: float) -> None:
        """What one bed has brought; whatever goes wrong is its own."""
        try:
            bed.take(bed.source.read(timeout))
        except Exception as error:
            words = str(error) if isinstance(error, SecateurError) else repr(error)
            self._failed[bed.name] = (words, time.monotonic())
            bed.technical("refused", f"no longer watched: {words}")

    def _beat(self, bed: Bed, now: float) -> None:
        if self._watched(bed):
            bed.heartbeat()
        elif bed.name in self._failed and now - self._failed[bed.name][1] >= _RETRY:
            words = self._failed[bed.name][0]
            self._failed[bed.name] = (words, now)
            bed.technical("refused", f"no longer watched: {words}")

    def _deliver(self) -> None:
        if self._waiting and self._outbox is not None:
            self._outbox.put_all(
                [(each.model_dump(mode="json"), each.key) for each in self._waiting]
            )
        self._waiting.clear()

    def _write(self, kind: str, bed: Bed, prepare: Callable[[], Callable[[], None]]) -> None:
        """Have something written by the other thread, unless that is still busy with the last of its kind."""
        before = self._writing.get((kind, bed.name))
        if before is not None:
            if not before.done():
                return
            if (error := before.exception()) is not None:
                self._tell_disk(bed, kind, error)
        try:
            self._writing[kind, bed.name] = self._writer.submit(prepare())
        except OSError as error:
            self._tell_disk(bed, kind, error)

    def _tell_disk(self, bed: Bed, kind: str, error: BaseException) -> None:
        self._writing.pop((kind, bed.name), None)
        bed.technical("disk", f"the {kind} can't be written: {error}")
        self._deliver()

    def _close(self) -> None:
        """Everything in order: open events of sources at their end closed, states saved, sinks drained."""
        for bed in self.beds:
            if bed.source.finished and bed.name not in self._failed:
                bed.finish()
            else:
                bed.tell_gathered(everything=True)
        self._deliver()
        self._writer.shutdown(wait=True)
        for bed in self.beds:
            done = bed.source.finished and bed.name not in self._failed
            try:
                bed.table()()
                if not self._waiting:
                    bed.save(finished=done)()
            except OSError as error:
                self.complain(f"{error.filename}: {error.strerror}")
            bed.close()
        if self._outbox is not None:
            self._outbox.close(self._pace.drain)
        self.log.close()
