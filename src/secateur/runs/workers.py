"""Stages carried out: one after another, or in parallel processes of one thread each.

Each process reads its data through the cache by itself, so nothing large is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from secateur.processes import CONTEXT, spawned
from secateur.runs.data import PreparedCohort, RunData, Source, arrange, prepare_cohort, split_of
from secateur.runs.folder import RunFolder
from secateur.runs.forecast import Forecast
from secateur.runs.plan import Part, Stage
from secateur.runs.progress import Progress
from secateur.runs.settings import RunSettings
from secateur.runs.stages import StageContext, run_stage
from secateur.training import Epoch
from secateur.windows import Cache

Message = tuple[str, str, int, int, str]
Task = tuple[Part, Stage]
_state: dict[str, Any] = {}
_LONG = 7200
"""Windows of a side from which judging it has a progress of its own."""


def epoch_note(epoch: Epoch, best: float | None) -> str:
    """What is shown beside a stage in training; `best`: of the epochs that count, None before the first."""
    score = f"macro-F1 {epoch.validation_macro_f1:.3f}"
    return score if best is None else f"{score}, best {best:.3f}"


class Relay:
    """Turns a training loop's epochs into steps of a stage, and long judging into a stage of its own.

    `least_epochs`: none before counts.
    """

    def __init__(self, stage: str, progress: Progress, least_epochs: int) -> None:
        self._stage, self._progress, self._least = stage, progress, least_epochs
        self._best: float | None = None
        self._begun: set[str] = set()

    def __call__(self, epoch: Epoch, of: int) -> None:
        """Told after each epoch."""
        if epoch.epoch >= min(self._least, of):
            self._best = max(self._best or 0.0, epoch.validation_macro_f1)
        self._progress.step(self._stage, epoch.epoch, of, epoch_note(epoch, self._best))

    def judging(self, side: str, done: int, of: int) -> None:
        """Told after each recording how many of a side's windows are judged."""
        if of < _LONG:
            return
        label = f"{self._stage}, {side} side"
        if label not in self._begun:
            self._progress.begin(label, of)
            self._begun.add(label)
        self._progress.step(label, done, of, "")
        if done == of:
            self._progress.end(label, "")


class Work:
    """What parts are worked on with: a source, settings, and the run's name.

    Materials are arranged when a part first needs them, from one stock of recordings.
    """

    def __init__(
        self,
        source: Source,
        settings: RunSettings,
        name: str,
        cache: Cache,
        stock: PreparedCohort | None = None,
    ) -> None:
        self.source, self.settings, self.name, self.cache = source, settings, name, cache
        self._stock = stock
        self.materials: dict[str, RunData] = {}

    def material(self, part: Part) -> RunData:
        """The windows of a part's sides."""
        if part.name not in self.materials:
            if self._stock is None:
                # whether the network can be pruned was asked by the process that hands out
                self._stock = prepare_cohort(self.source, self.settings, self.cache, pruned=False)
            split = part.split or split_of(self._stock, self.settings)
            self.materials[part.name] = arrange(self._stock, self.settings, split)
        return self.materials[part.name]

    def folder(self, part: Part) -> RunFolder:
        """Where a part's files are."""
        return RunFolder(part.path, self.name)


def run_parts(parts: Sequence[Part], work: Work, workers: int, progress: Progress) -> None:
    """Do every stage of every part that isn't finished, in so many processes.

    The first error stops all and is raised.
    """
    tasks: list[Task] = []
    for part in parts:
        for stage in part.stages:
            if work.folder(part).finished(stage.name) is None:
                tasks.append((part, stage))
            else:
                progress.end(part.label(stage), "found finished")
    if workers > 1 and len(tasks) > 1:
        _in_processes(tasks, work, workers, progress)
        return
    forecast = _forecast(tasks, 1, progress)
    for part, stage in tasks:
        forecast.begin((part.name, stage.name))
        do_stage(part, stage, work, progress)
        forecast.end((part.name, stage.name))


def _forecast(tasks: Sequence[Task], workers: int, progress: Progress) -> Forecast:
    kinds = {(part.name, stage.name): stage.kind for part, stage in tasks}
    return Forecast(kinds, workers, progress)


def _in_processes(tasks: list[Task], work: Work, workers: int, progress: Progress) -> None:
    messages: Queue[Message] = CONTEXT.Queue()
    arguments = (messages, work.source, work.settings, work.name, work.cache.folder)
    workers = min(workers, len(tasks))
    forecast = _forecast(tasks, workers, progress)
    undone = {(part.name, stage.name) for part, stage in tasks}
    try:
        with spawned(workers, _begin, arguments) as pool:
            waiting: dict[Future[None], tuple[str, str]] = {}
            while tasks or waiting:
                for task in _ready(tasks, undone)[: workers - len(waiting)]:
                    tasks.remove(task)
                    key = (task[0].name, task[1].name)
                    forecast.begin(key)
                    waiting[pool.submit(_work, *task)] = key
                finished, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                _pump(messages, progress)
                for future in finished:
                    future.result()
                    forecast.end(waiting[future])
                    undone.discard(waiting.pop(future))
    finally:
        _pump(messages, progress)
        messages.close()


def _ready(tasks: Sequence[Task], undone: set[tuple[str, str]]) -> list[Task]:
    """Tasks that wait for nothing, in their order."""
    return [
        (part, stage)
        for part, stage in tasks
        if not any((part.name, need) in undone for need in stage.needs)
    ]


def _pump(messages: Queue[Message], progress: Progress) -> None:
    with contextlib.suppress(
        Exception
    ):  # an empty queue, or one whose writer was ended in mid-word
        while True:
            kind, stage, number, of, note = messages.get_nowait()
            if kind == "begin":
                progress.begin(stage, of)
            elif kind == "step":
                progress.step(stage, number, of, note)
            else:
                progress.end(stage, note)


class _Sender:
    """A `Progress` that speaks to the parent process."""

    def __init__(self, messages: Queue[Message]) -> None:
        self._messages = messages

    def begin(self, stage: str, of: int | None) -> None:
        self._messages.put(("begin", stage, 0, of or 0, ""))

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        self._messages.put(("step", stage, done, of, note))

    def end(self, stage: str, note: str) -> None:
        self._messages.put(("end", stage, 0, 0, note))


def _begin(
    messages: Queue[Message], source: Source, settings: RunSettings, name: str, cache: Path
) -> None:
    _state.update(sender=_Sender(messages), work=Work(source, settings, name, Cache(cache)))


def _work(part: Part, stage: Stage) -> None:
    do_stage(part, stage, _state["work"], _state["sender"])


def do_stage(part: Part, stage: Stage, work: Work, progress: Progress) -> None:
    """One stage, with its beginning and end told."""
    label, folder = part.label(stage), work.folder(part)
    progress.begin(label, work.settings.training.epochs if stage.trains else None)
    relay = Relay(label, progress, work.settings.training.least_epochs)
    weights = work.source.weights
    seed = (work.settings.seed + part.seed_step) % 2**31
    settings = work.settings.model_copy(update={"seed": seed})
    context = StageContext(
        work.material(part), settings, folder, relay, weights, judging=relay.judging
    )
    run_stage(stage, context)
    record = folder.finished(stage.name) or {}
    note = ""
    if record.get("epochs"):
        kept = record["best_epoch"]  # the best of those that count: none before `least_epochs` does
        score = record["epochs"][kept - 1]["validation_macro_f1"]
        note = f"epoch {kept} is kept, macro-F1 {score:.3f}"
    progress.end(label, note)
