"""Detection in many recordings, in this process or several.

Largest recordings first, so that none is begun last that all others would wait for. A recording that
can't be read, or whose process dies, fails alone. Interrupted or killed, what is finished stays; the same
call does what is missing. The folder's state is in its files and nowhere else.

The folder mirrors its input: `a/b/night.edf` becomes `a/b/night_events.tsv`, BIDS's `..._eeg.edf` becomes
`..._events.tsv`. Of several inputs each folder stands under its own name; no two recordings share a file.
"""

from __future__ import annotations

import csv
import io
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from pathlib import Path, PurePosixPath
from typing import Any

from secateur.errors import RecordingError, RecordingNotFoundError, SecateurError, SettingsError
from secateur.files import kind_of, sweep, write_json, write_whole
from secateur.marking.worker import (
    DONE,
    EDITED,
    FAILED,
    WAITING,
    ExecutionOptions,
    GeneratedBy,
    OpensWatcher,
    Outcome,
    Progress,
    Watcher,
    Worker,
    WorkItem,
    alone,
    check_owned,
    clear,
    failure,
    generator,
    is_edited,
    read_json,
)
from secateur.processes import spawned
from secateur.recordings import duration_of
from secateur.recordings.bonn import SEGMENT
from secateur.recordings.layouts.bids import no_eeg_notes, other_than_eeg
from secateur.recordings.layouts.listing import SUFFIXES, Folder, walk
from secateur.recordings.opening import READABLE, open_with_own_labels, readable

DESCRIPTION = "dataset_description.json"
SUMMARY = "summary.csv"
COLUMNS = ("path", "status", "reason", "seconds", "events", "ictal_seconds", "notes")

_LOOK = 0.2
"""Seconds between two looks at how far the processes are."""

_EVERY = 2.0
"""Seconds between two writings of the table: a long one is not to be written for each row."""


def mark_folder(
    inputs: Sequence[Path],
    out: Path,
    detector: Path,
    options: ExecutionOptions,
    progress: Progress | None = None,
    watch: OpensWatcher | None = None,
) -> Summary:
    """Mark all recordings in `inputs` (files and folders) into the folder `out`.

    `progress` is called with (0, 0) once paths have been looked at. `watch`: opens what is handed the sketch
    of each recording.

    Raises `SecateurError` where nothing can be begun: no recording, no detector, a folder of others, or one
    that another process works in.
    """
    worker = Worker(detector, options)
    worker.require_explainable()  # a detector that is none leaves no folder behind
    items, notes = work_items(inputs, out)
    if progress is not None:
        progress(0, 0)
    with alone(out / ".secateur-detect.lock", out):
        for item in items:
            check_owned(item)
        claim(out, worker.generated_by, redo=options.redo)
        sweep(out)
        summary = Summary(out, items, notes)
        with ExitStack() as stack:
            watcher = None if watch is None else stack.enter_context(watch(worker, items))
            job = _Job(detector, worker, summary, progress, watcher)
            try:
                job.survey()
                if options.workers > 1 and len(job.tasks) > 1:
                    job.run_in_processes()
                else:
                    job.run_here()
            finally:
                summary.write()
                # processes of a run that was killed a moment ago may have left more since
                sweep(out)
    return summary


def claim(out: Path, by: GeneratedBy, *, redo: bool) -> None:
    """Make `out` the folder of what `by` generates; without a word where it is so already.

    Raises `SettingsError` where it is another's, `redo` makes it `by`'s; never a folder of other things.
    """
    path = out / DESCRIPTION
    before = generator(read_json(path))
    if before is None and path.exists():
        raise SettingsError(f"--out {out}: is another data set's folder; choose one of its own")
    reason = "" if before is None else by.difference(before)
    if reason and not redo:
        raise SettingsError(
            f"--out {out}: holds what {reason} found; choose another folder, or --redo"
        )
    if before is None or reason:
        name = "Seizures found by a detector"
        about = {"Name": name, "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
        write_json(path, {**about, "GeneratedBy": [by.described()]})


def work_items(inputs: Sequence[Path], out: Path) -> tuple[list[WorkItem], tuple[str, ...]]:
    """The recordings in `inputs`, in the order of their names, each with its files below `out`.

    In folders whatever is no recording is passed over, hidden files, `derivatives` and `out` itself too.
    Returned beside them: notes on recordings that can't be read or are no EEG. Raises
    `RecordingNotFoundError`, `RecordingError` or `SettingsError`.
    """
    sources: list[tuple[PurePosixPath, Path]] = []
    notes: list[str] = []
    tops: Counter[str] = Counter()
    visited: set[Path] = set()
    for path in inputs:
        if not path.exists():
            raise RecordingNotFoundError(path, "there is no such file or folder")
        if path.resolve() == out.resolve():
            raise SettingsError(f"--out {out}: is what is to be read; choose another folder")
        top = PurePosixPath()
        if path.is_dir():
            name = path.resolve().name
            tops[name] += 1
            if len(inputs) > 1:
                top = PurePosixPath(name if tops[name] == 1 else f"{name}-{tops[name]}")
            folder = walk(path, "")
            notes += [f"{path}: {note}" for note in (*no_eeg_notes(folder), *folder.notes)]
            recordings = _recordings_in(folder, out)
            inner = [(top / source.relative_to(path), source) for source in recordings]
        elif readable(path):
            inner = [(top / path.name, path)]
        else:
            raise RecordingError(path, f"is {kind_of(path)}; wanted a folder, or {READABLE}")
        for inner_name, source in inner:
            if source.resolve() not in visited:
                visited.add(source.resolve())
                sources.append((inner_name, source))
    if not sources:
        listed = ", ".join(map(str, inputs))
        passed_over = "".join(f"; {note}" for note in notes)
        raise SettingsError(
            f"{listed}: there is no recording in it; wanted {READABLE}{passed_over}"
        )
    return _with_files(sorted(sources), out), tuple(notes)


def _recordings_in(folder: Folder, out: Path) -> list[Path]:
    """Those that can be read. Of text files those are taken that are named as Bonn's."""
    outside = out.resolve()
    return [
        path
        for path in folder.files
        if (path.suffix.lower() in SUFFIXES or SEGMENT.fullmatch(path.name))
        and not other_than_eeg(path)
        and not path.resolve().is_relative_to(outside)
    ]


def _with_files(sources: Sequence[tuple[PurePosixPath, Path]], out: Path) -> list[WorkItem]:
    """Recordings that would share their files' names get the ends of their own in them, then numbers."""
    alike: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name, _ in sources:
        alike[_key(name.with_name(_stem(name)))].append(name)
    taken = {key for key, names in alike.items() if len(names) == 1}
    items = []
    for name, path in sources:
        base = name.with_name(_stem(name))
        if len(alike[_key(base)]) > 1:
            plain = f"{name.stem}_{name.suffix[1:].lower()}"
            base, number = name.with_name(plain), 1
            while _key(base) in taken:
                number += 1
                base = name.with_name(f"{plain}_{number}")
            taken.add(_key(base))
        items.append(WorkItem(path, name.as_posix(), out / f"{base}_events.tsv"))
    return items


def _stem(name: PurePosixPath) -> str:
    return name.stem.removesuffix("_eeg").removesuffix("_ieeg") or name.stem


def _key(name: PurePosixPath) -> str:
    """Some disks don't tell capitals from small letters."""
    return name.as_posix().casefold()


class Summary:
    """What became of each recording, and the table `summary.csv`; those not reached are `waiting`.

    `notes`: what was passed over beside them.
    """

    def __init__(self, out: Path, items: Sequence[WorkItem], notes: tuple[str, ...] = ()) -> None:
        self.path = out / SUMMARY
        self.notes = notes
        self.items = tuple(items)
        self.outcomes = [Outcome(WAITING)] * len(self.items)
        self._written = -_EVERY

    def put(self, number: int, outcome: Outcome) -> None:
        """What became of the recording `number`; the file follows soon."""
        self.outcomes[number] = outcome
        if time.monotonic() - self._written >= _EVERY:
            self.write()

    def write(self) -> None:
        """Bring the file up to date."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for item, outcome in zip(self.items, self.outcomes, strict=True):
            table.writerow(
                (
                    item.name,
                    outcome.status,
                    outcome.reason,
                    "" if outcome.seconds is None else f"{outcome.seconds:.2f}",
                    "" if outcome.events is None else outcome.events,
                    "" if outcome.ictal is None else f"{outcome.ictal:.2f}",
                    "; ".join(outcome.notes),
                )
            )
        write_whole(self.path, text.getvalue())
        self._written = time.monotonic()

    @property
    def failed(self) -> list[tuple[WorkItem, Outcome]]:
        """The recordings that failed."""
        both = zip(self.items, self.outcomes, strict=True)
        return [(item, outcome) for item, outcome in both if outcome.status == FAILED]

    def count(self, status: str) -> int:
        """How many recordings have this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def totals(self) -> tuple[int, float, float]:
        """Events, seconds ictal and seconds of EEG, of all that is marked."""
        known = [outcome for outcome in self.outcomes if outcome.events is not None]
        return (
            sum(outcome.events or 0 for outcome in known),
            sum(outcome.ictal or 0.0 for outcome in known),
            sum(outcome.seconds or 0.0 for outcome in known),
        )

    @property
    def done(self) -> int:
        """How many were done now."""
        return self.count(DONE)


@dataclass(frozen=True)
class _Task:
    """One recording to do. `known`: its outcome, where only its annotated copy or its sketch is missing."""

    number: int
    item: WorkItem
    known: Outcome | None
    sketch: bool = False


class _Job:
    """One call's work: what is left, how far each recording is, and the table."""

    def __init__(
        self,
        detector: Path,
        worker: Worker,
        summary: Summary,
        progress: Progress | None,
        watcher: Watcher | None,
    ) -> None:
        self._detector, self._worker, self._watcher = detector, worker, watcher
        self._summary, self._progress = summary, progress
        self.tasks: list[_Task] = []
        # shared without a lock: one that a killed process had held would stop all others
        self._seconds = RawArray("d", len(summary.items))
        self._total = 0.0

    def survey(self) -> None:
        """Look at every recording: what is there, what can't be opened, what is left to do."""
        options = self._worker.options
        for number, item in enumerate(self._summary.items):
            known = None if options.redo else self._worker.known(item)
            sketch = known is not None and self._watcher is not None and self._watcher.wants(item)
            complete = item.annotated.is_file() or not options.outputs.annotated
            if known is not None and complete and not sketch:
                self._summary.put(number, known)
                continue
            if known is None and is_edited(item):
                self._summary.put(number, Outcome(FAILED, EDITED))
                continue
            try:
                if known is None:
                    clear(item)
                recording, _ = open_with_own_labels(item.source, options.reading)
                self._total += duration_of(recording)
            except (SecateurError, OSError) as error:
                self._summary.put(number, failure(error, item.source))
                continue
            self.tasks.append(_Task(number, item, known, sketch))
        self._summary.write()
        self.tasks.sort(key=lambda task: (-task.item.bytes, task.number))

    def run_here(self) -> None:
        """One after the other, in this process."""
        while self.tasks:
            task = self.tasks.pop(0)

            def reach(seconds: float, _: float, task: _Task = task) -> None:
                self._reach(task, seconds)

            outcome = self._worker.attempt(task.item, task.known, reach, sketch=task.sketch)
            self._finish(task, outcome)

    def run_in_processes(self) -> None:
        """Several at once. Where a process dies, each that was in work is tried again by itself."""
        suspects = self._round(self.tasks, self._worker.options.workers)
        for task in suspects:
            if self._round([task], 1):
                reason = "the process that worked on it ended twice; is there enough memory?"
                self._finish(task, Outcome(FAILED, reason))

    def _round(self, tasks: list[_Task], workers: int) -> list[_Task]:
        """Do all `tasks`; returns those that were in work when a process ended."""
        suspects: list[_Task] = []
        worker = (self._detector, self._worker.options, self._worker.generated_by)
        while tasks:
            waiting: dict[Future[Outcome], _Task] = {}
            try:
                count = min(workers, len(tasks))
                with spawned(count, _begin, (self._seconds, *worker)) as pool:
                    while tasks or waiting:
                        while tasks and len(waiting) < count:
                            waiting[pool.submit(_do, tasks[0])] = tasks[0]
                            tasks.pop(0)
                        finished, _ = wait(waiting, _LOOK, FIRST_COMPLETED)
                        for future in finished:
                            outcome = future.result()
                            self._finish(waiting.pop(future), outcome)
                        self._report()
            except BrokenProcessPool:
                suspects += waiting.values()
                sweep(self._summary.path.parent)
        return suspects

    def _finish(self, task: _Task, outcome: Outcome) -> None:
        if self._watcher is not None:
            outcome = self._watcher.take(task.item, outcome)
        self._summary.put(task.number, outcome)
        if outcome.seconds is not None:
            self._reach(task, outcome.seconds)

    def _reach(self, task: _Task, seconds: float) -> None:
        self._seconds[task.number] = seconds
        self._report()

    def _report(self) -> None:
        if self._progress:
            self._progress(min(sum(self._seconds), self._total), self._total)


_state: dict[str, Any] = {}
"""What a worker process works with."""


def _begin(seconds: Any, detector: Path, options: ExecutionOptions, by: GeneratedBy) -> None:
    _state.update(seconds=seconds, worker=Worker(detector, options, by))


def _do(task: _Task) -> Outcome:
    def reach(done: float, _: float) -> None:
        _state["seconds"][task.number] = done

    worker: Worker = _state["worker"]
    return worker.attempt(task.item, task.known, reach, sketch=task.sketch)
