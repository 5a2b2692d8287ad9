"""Many recordings into a monitor's state: whose they are, on which day, and what is known of them already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from secateur.errors import MonitorError, SecateurError
from secateur.files import ContentHashes, cache_folder
from secateur.marking.batch import work_items
from secateur.marking.worker import (
    FAILED,
    THERE,
    ExecutionOptions,
    Outcome,
    Progress,
    Worker,
    WorkItem,
    failure,
)
from secateur.monitoring.judging import PatientReport, reports
from secateur.monitoring.patients import mark_of, patient_of
from secateur.monitoring.recording import as_sketch, listed
from secateur.monitoring.state import Listed, Monitor, Patient, opened
from secateur.processes import spawned
from secateur.recordings import files_of
from secateur.recordings.opening import open_with_own_labels


@dataclass(frozen=True)
class _Plan:
    """What is known of a recording before it is sketched."""

    listed: Listed
    undated: str
    mark: str


class Watch:
    """A monitor's state while recordings are marked; see `marking.worker.Watcher`.

    `items`: all of them. `problems`: why some can't be opened, can't be judged by the worker's detector or
    are another patient's, by their names.
    """

    def __init__(self, monitor: Monitor, items: Sequence[WorkItem], worker: Worker) -> None:
        self.monitor = monitor
        self._hashes = ContentHashes(cache_folder() / "hashes")
        self._plans: dict[str, _Plan] = {}
        self.problems: dict[str, Outcome] = {}
        listings: list[tuple[WorkItem, Listed]] = []
        for item in items:
            try:
                recording, reading = open_with_own_labels(item.source, worker.options.reading)
                # what can't be judged is on no day, so none that can is a copy of it
                worker.detector().chain.over(recording, reading.too_slow)
            except (SecateurError, OSError) as error:
                self.problems[item.name] = failure(error, item.source)
                continue
            key = patient_of(item.name, item.source.resolve().parent.name)
            listings.append((item, listed(key, item.name, recording)))
        reasons = monitor.undated([each for _, each in listings])
        patients: dict[str, Patient] = {}
        for (item, each), reason in zip(listings, reasons, strict=True):
            known = monitor.patients.get(each.patient) or Patient(each.patient)
            patient = patients.setdefault(each.patient, Patient(each.patient, known.mark))
            mark = mark_of(item.source)
            try:
                patient.check(each.name, mark)  # in the order of names, whichever is done first
            except MonitorError as error:
                self.problems[item.name] = failure(error, item.source)
                continue
            patient.mark = patient.mark or mark
            self._plans[item.name] = _Plan(each, reason, mark)

    def wants(self, item: WorkItem) -> bool:
        """Whether a recording has not been sketched. Raises `OSError` or `RecordingError`."""
        plan = self._plans.get(item.name)
        if plan is None:
            return False
        return not self.monitor.knows(plan.listed.patient, self._hashes.of(files_of(item.source)))

    def seconds(self, item: WorkItem) -> float:
        """How long a recording is."""
        return self._plans[item.name].listed.seconds if item.name in self._plans else 0.0

    def take(self, item: WorkItem, outcome: Outcome) -> Outcome:
        """Add what an outcome brought; returns it without that, and with a note where there is one."""
        sketch = outcome.sketch
        outcome = replace(outcome, sketch=None)
        if sketch is None:
            return outcome
        if item.name in self.problems:
            note = f"not monitored: {self.problems[item.name].reason}"
            return replace(outcome, notes=(*outcome.notes, note))
        plan = self._plans[item.name]
        self.monitor.add(
            as_sketch(
                plan.listed, plan.undated, sketch.sha256, plan.mark, sketch.hours, sketch.setup
            )
        )
        if plan.undated:
            note = f"belongs to no day ({plan.undated}): only its faults are known"
            return replace(outcome, notes=(*outcome.notes, note))
        return outcome


class Watching:
    """Opens the state's file `state` for recordings; `patients`: what is said of each once all are done."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.patients: tuple[PatientReport, ...] = ()

    @contextmanager
    def __call__(self, worker: Worker, items: Sequence[WorkItem]) -> Iterator[Watch]:
        """The state, written when the block ends. Raises as `opened` does."""
        with opened(self.state, worker.generated_by.sha256) as monitor:
            yield Watch(monitor, items, worker)
            self.patients = tuple(reports(monitor))


@dataclass(frozen=True)
class Monitored:
    """What a call of `monitor_folder` did, and what is to be said of each patient.

    `notes`: what lay in folders and was passed over.
    """

    outcomes: tuple[tuple[WorkItem, Outcome], ...]
    patients: tuple[PatientReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> list[tuple[WorkItem, Outcome]]:
        """Recordings that could not be sketched."""
        return [each for each in self.outcomes if each[1].status == FAILED]


def monitor_folder(
    inputs: Sequence[Path],
    state: Path,
    detector: Path,
    options: ExecutionOptions,
    progress: Progress | None = None,
) -> Monitored:
    """Sketch all recordings in `inputs` that `state` does not know, and judge each patient's days.

    A recording that can't be read fails alone. Interrupted or killed, what is finished stays; the same call
    does what is missing. Raises `SecateurError` where nothing can be begun.
    """
    worker = Worker(detector, options)
    worker.detector()  # one that is none leaves no state behind
    items, notes = work_items(inputs, state)
    if progress is not None:
        progress(0, 0)
    watching = Watching(state)
    with watching(worker, items) as watch:
        outcomes = dict(watch.problems)
        waiting = [item for item in items if watch.wants(item)]
        for item in items:
            outcomes.setdefault(item.name, Outcome(THERE, seconds=watch.seconds(item)))
        total = sum(watch.seconds(item) for item in waiting)
        done = 0.0

        def finish(item: WorkItem, outcome: Outcome) -> None:
            nonlocal done
            outcomes[item.name] = watch.take(item, outcome)
            done += watch.seconds(item)
            if progress is not None:
                progress(done, total)

        _sketch_all(waiting, worker, detector, finish)
    judged = tuple((item, outcomes[item.name]) for item in items)
    return Monitored(judged, watching.patients, notes)


def _sketch_all(
    items: list[WorkItem],
    worker: Worker,
    detector: Path,
    finish: Callable[[WorkItem, Outcome], None],
) -> None:
    """Sketch recordings, in this process or several; one whose process dies fails alone."""
    count = min(worker.options.workers, len(items))
    if count < 2:
        for item in items:
            finish(item, worker.attempt_sketch(item))
        return
    suspects = _round(items, count, worker, detector, finish)
    for item in suspects:
        if _round([item], 1, worker, detector, finish):
            reason = "the process that worked on it ended twice; is there enough memory?"
            finish(item, Outcome(FAILED, reason))


def _round(
    items: list[WorkItem],
    count: int,
    worker: Worker,
    detector: Path,
    finish: Callable[[WorkItem, Outcome], None],
) -> list[WorkItem]:
    """Do all `items`; returns those that were in work when a process ended."""
    waiting = list(items)
    suspects: list[WorkItem] = []
    while waiting:
        running: dict[Future[Outcome], WorkItem] = {}
        try:
            with spawned(count, _begin, (detector, worker.options, worker.generated_by)) as pool:
                while waiting or running:
                    while waiting and len(running) < count:
                        running[pool.submit(_do, waiting[0])] = waiting[0]
                        waiting.pop(0)
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        outcome = future.result()
                        finish(running.pop(future), outcome)
        except BrokenProcessPool:
            suspects += running.values()
    return suspects


_state: dict[str, Worker] = {}
"""What a worker process works with."""


def _begin(detector: Path, options: ExecutionOptions, by: Any) -> None:
    _state["worker"] = Worker(detector, options, by)


def _do(item: WorkItem) -> Outcome:
    return _state["worker"].attempt_sketch(item)
