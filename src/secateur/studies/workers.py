"""Stages in parallel processes, one thread each.

Comes in: stages that don't wait for one another. Goes out: their files, and their progress told in this
process. Next: `run` uses it where more than one worker is asked for.

Each process reads the material through the cache by itself, so nothing large is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from secateur.processes import CONTEXT, spawned
from secateur.studies.folder import RunFolder
from secateur.studies.material import Material, Source, gather
from secateur.studies.progress import Execution, Progress
from secateur.studies.settings import RunSettings
from secateur.studies.stages import run_stage
from secateur.training import Epoch
from secateur.windows import Cache

Message = tuple[str, str, int, int, str]
_state: dict[str, Any] = {}


def epoch_note(epoch: Epoch, best: float) -> str:
    """What is shown beside a stage in training."""
    return f"macro-F1 {epoch.validation_macro_f1:.3f}, best {best:.3f}"


class Relay:
    """Turns a training loop's epochs into steps of a stage."""

    def __init__(self, stage: str, progress: Progress) -> None:
        self._stage, self._progress, self._best = stage, progress, 0.0

    def __call__(self, epoch: Epoch, of: int) -> None:
        """Told after each epoch."""
        self._best = max(self._best, epoch.validation_macro_f1)
        self._progress.step(self._stage, epoch.epoch, of, epoch_note(epoch, self._best))


def run_in_processes(
    stages: Sequence[str],
    source: Source,
    settings: RunSettings,
    folder: RunFolder,
    how: Execution,
) -> None:
    """Run `stages` in up to `how.workers` processes; the first error stops all and is raised."""
    progress = how.progress
    messages: Queue[Message] = CONTEXT.Queue()
    arguments = (messages, source, settings, folder.path, folder.name, how.cache.folder)
    try:
        with spawned(min(how.workers, len(stages)), _begin, arguments) as pool:
            waiting: set[Future[None]] = {pool.submit(_work, stage) for stage in stages}
            while waiting:
                finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                _pump(messages, progress)
                for future in finished:
                    future.result()
    finally:
        _pump(messages, progress)
        messages.close()


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
    messages: Queue[Message],
    source: Source,
    settings: RunSettings,
    path: Path,
    name: str,
    cache: Path,
) -> None:
    _state.update(
        sender=_Sender(messages),
        source=source,
        settings=settings,
        folder=RunFolder(path, name),
        cache=Cache(cache),
    )


def _work(stage: str) -> None:
    material: Material | None = _state.get("material")
    if material is None:
        material = gather(_state["source"], _state["settings"], _state["cache"])
        _state["material"] = material
    do_stage(stage, material, _state["settings"], _state["folder"], _state["sender"])


def do_stage(
    stage: str,
    material: Material,
    settings: RunSettings,
    folder: RunFolder,
    progress: Progress,
) -> None:
    """One stage, with its beginning and end told."""
    of = None if stage == "trivial" else settings.training.epochs
    progress.begin(stage, of)
    run_stage(stage, material, settings, folder, Relay(stage, progress))
    record = folder.finished(stage) or {}
    note = ""
    if "best_epoch" in record:
        best = record["epochs"][record["best_epoch"] - 1]["validation_macro_f1"]
        note = f"best macro-F1 {best:.3f} in epoch {record['best_epoch']}"
    progress.end(stage, note)
