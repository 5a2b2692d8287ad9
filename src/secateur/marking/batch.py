"""Detection in many recordings, in several processes.

Comes in: targets, a detector's file, what is wanted. Goes out: the targets' files, `summary.csv`, and a
`Summary`. Next: `secateur detect` tells it.

Largest recordings first, so that none is begun last that all others would wait for. A recording that
can't be read, or whose process dies, fails alone. Interrupted or killed, what is finished stays; the same
call does what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any

from secateur.detectors.detector import Detector, load_detector
from secateur.detectors.running.runtimes import Runtime
from secateur.errors import MissingExtraError, RecordingError, SecateurError
from secateur.files import sweep
from secateur.marking.items import Target, targets_of
from secateur.marking.mark import (
    FAILED,
    Outcome,
    Wanted,
    annotate,
    check_own,
    clear,
    found_before,
    mark,
)
from secateur.marking.provenance import Maker, claim, maker_of
from secateur.marking.summary import Summary
from secateur.processes import keep_memory, spawned
from secateur.recordings import duration_of, open_recording

Told = Callable[[float, float], None]
"""Told how many seconds of EEG are done, and of how many."""

_LOOK = 0.2
"""Seconds between two looks at how far the processes are."""


@dataclass(frozen=True)
class BatchSettings:
    """How a folder is worked through. `redo`: also what is there, and what another detector found."""

    wanted: Wanted = field(default_factory=Wanted)
    runtime: Runtime = "onnxruntime"
    workers: int = 1
    redo: bool = False


@dataclass(frozen=True)
class _Task:
    """One recording to do. `found`: its outcome, where only the annotated copy is missing."""

    number: int
    target: Target
    found: Outcome | None


def detect_in(
    inputs: Sequence[Path],
    detector: Path,
    out: Path,
    settings: BatchSettings,
    progress: Told | None = None,
) -> Summary:
    """Mark all recordings in `inputs` (files and folders) into the folder `out`.

    Raises `SecateurError` where nothing can be begun: no recording, no detector, a folder of others.
    """
    load_detector(detector, settings.runtime)
    maker = maker_of(detector, settings.runtime)
    targets = targets_of(inputs, out)
    for target in targets:
        check_own(target)
    claim(out, maker, redo=settings.redo)
    sweep(out)
    summary = Summary(out, targets)
    job = _Job(detector, maker, settings.wanted, summary, progress)
    try:
        job.survey(redo=settings.redo)
        if settings.workers > 1 and len(job.left) > 1:
            job.run_in_processes(settings.workers)
        else:
            job.run_here()
    finally:
        summary.write()
        sweep(out)  # what the processes of a run that was killed a moment ago may have left since
    return summary


class _Job:
    """One call's work: what is left, how far each recording is, and the table."""

    def __init__(
        self,
        detector: Path,
        maker: Maker,
        wanted: Wanted,
        summary: Summary,
        progress: Told | None,
    ) -> None:
        self._work = (detector, maker, wanted)
        self._summary, self._progress = summary, progress
        self.left: list[_Task] = []
        # shared without a lock: one that a killed process had held would stop all others
        self._seconds = RawArray("d", len(summary.targets))
        self._whole = 0.0

    def survey(self, *, redo: bool) -> None:
        """Look at every recording: what is there, what can't be opened, what is left to do."""
        _, maker, wanted = self._work
        for number, target in enumerate(self._summary.targets):
            found = None if redo else found_before(target, wanted, maker)
            if found is not None and (target.annotated.is_file() or not wanted.annotated):
                self._summary.put(number, found)
                continue
            if found is None:
                clear(target)
            try:
                self._whole += duration_of(open_recording(target.source))
            except (RecordingError, MissingExtraError) as error:
                self._summary.put(number, failure(error))
                continue
            self.left.append(_Task(number, target, found))
        self._summary.write()
        self.left.sort(key=lambda task: (-task.target.bytes, task.number))

    def run_here(self) -> None:
        """One after the other, in this process."""
        if not self.left:
            return
        hands = _Hands(*self._work)
        while self.left:
            task = self.left.pop(0)
            self._finish(task, hands.do(task, partial(self._reach, task)))

    def run_in_processes(self, workers: int) -> None:
        """At most `workers` at once. Where one dies, each that was in work is tried again by itself."""
        suspects = self._round(self.left, workers)
        for task in suspects:
            if self._round([task], 1):
                reason = "the process that worked on it ended twice; is there enough memory?"
                self._finish(task, Outcome(FAILED, reason))

    def _round(self, left: list[_Task], workers: int) -> list[_Task]:
        """Do all that is `left`; returns those that were in work when a process ended."""
        suspects: list[_Task] = []
        while left:
            waiting: dict[Future[Outcome], _Task] = {}
            try:
                count = min(workers, len(left))
                with spawned(count, _begin, (self._seconds, *self._work)) as pool:
                    while left or waiting:
                        while left and len(waiting) < count:
                            task = left[0]
                            waiting[pool.submit(_do, task)] = task
                            left.pop(0)
                        finished, _ = wait(waiting, _LOOK, FIRST_COMPLETED)
                        for future in finished:
                            outcome = future.result()
                            self._finish(waiting.pop(future), outcome)
                        self._tell()
            except BrokenProcessPool:
                suspects += waiting.values()
                sweep(self._summary.path.parent)
        return suspects

    def _finish(self, task: _Task, outcome: Outcome) -> None:
        self._summary.put(task.number, outcome)
        if outcome.seconds is not None:
            self._reach(task, outcome.seconds)

    def _reach(self, task: _Task, seconds: float) -> None:
        self._seconds[task.number] = seconds
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(min(sum(self._seconds), self._whole), self._whole)


class _Hands:
    """What a process works with; the detector is opened when it is first needed."""

    def __init__(self, detector: Path, maker: Maker, wanted: Wanted) -> None:
        self._path, self._maker, self._wanted = detector, maker, wanted
        keep_memory()
        self._detector: Detector | None = None

    def do(self, task: _Task, progress: Callable[[float], None]) -> Outcome:
        """One recording; whatever goes wrong with it is its outcome."""
        outcome = task.found
        try:
            if outcome is None:
                if self._detector is None:
                    self._detector = load_detector(self._path, self._maker.runtime)
                outcome = mark(task.target, self._detector, self._maker, self._wanted, progress)
            return annotate(task.target, outcome) if self._wanted.annotated else outcome
        except Exception as error:
            return failure(error)


def failure(error: Exception) -> Outcome:
    """An error as an outcome, its reason in one line without local paths."""
    if isinstance(error, RecordingError):
        reason = error.reason
    elif isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
    elif isinstance(error, SecateurError):
        reason = str(error)
    else:
        reason = f"{type(error).__name__}: {error}"
    return Outcome(FAILED, " ".join(reason.split()))


_state: dict[str, Any] = {}


def _begin(seconds: Any, detector: Path, maker: Maker, wanted: Wanted) -> None:
    _state.update(seconds=seconds, hands=_Hands(detector, maker, wanted))


def _do(task: _Task) -> Outcome:
    hands: _Hands = _state["hands"]

    def reached(done: float) -> None:
        _state["seconds"][task.number] = done

    return hands.do(task, reached)
