"""Jobs done in processes of this machine, with joblib's executor (loky).

Each worker is an executor of one process: when it dies, exactly one job was in it, so nobody has to guess
which of several brought the others down, and they work on.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Any, Generic, TypeVar

from secateur.errors import MissingExtraError
from secateur.processes import GRACE, begin_worker, shielded
from secateur.studies.backends.retry_queue import RetryQueue, Task

try:
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.backend import resource_tracker
    from joblib.externals.loky.backend.context import LokyContext
    from joblib.externals.loky.backend.process import LokyProcess
    from joblib.externals.loky.process_executor import BrokenProcessPool
except ModuleNotFoundError:
    raise MissingExtraError("joblib", "study", "doing jobs in parallel") from None

J = TypeVar("J")
D = TypeVar("D")

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""Numerical libraries read these when they are imported."""


def carry_out(
    jobs: Sequence[J], do: Callable[[J], D], lost: Callable[[J, str], D], workers: int
) -> Generator[D, None, None]:
    """Do jobs in processes of this machine, and yield what came of each as they finish.

    Jobs are begun in their order, each when a worker is free for it. A job whose worker dies is tried again.
    When the iterator is closed or this process is interrupted, the workers are ended at once.

    `jobs`: what `do` is called with, pickled. `do`: a function of a module; what it raises is raised
    here, and ends all. `lost(job, reason)` is yielded in the stead of a job whose third worker died.
    `workers`: processes, at least one.
    """
    # loky replaces a worker whose memory has grown, between two jobs: no concern of the reader's
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    pool = _WorkerPool(jobs, do, lost, workers)
    complete = False
    try:
        pool.hand_out()
        while pool.at_work:
            outcomes = pool.finished()
            pool.hand_out()  # before whoever reads the outcomes takes time for it
            yield from outcomes
        complete = True
    finally:
        pool.end(at_once=not complete)


class _WorkerPool(Generic[J, D]):
    """Workers, the queue of tasks before them, and who is at which."""

    def __init__(
        self, jobs: Sequence[J], do: Callable[[J], D], lost: Callable[[J, str], D], workers: int
    ) -> None:
        self._do, self._queue = do, RetryQueue(jobs, lost)
        self._idle = [_Worker() for _ in range(min(max(1, workers), len(jobs)))]
        self.at_work: dict[Future[D], tuple[_Worker, Task[J]]] = {}

    def hand_out(self) -> None:
        """Give each idle worker a task, as far as there are any."""
        while self._queue and self._idle:
            worker, task = self._idle.pop(), self._queue.take()
            self.at_work[worker.begin(self._do, task.job)] = worker, task

    def finished(self) -> list[D]:
        """Wait for a worker; what came of its task, if it isn't to be tried again."""
        outcomes: list[D] = []
        for future in wait(self.at_work, return_when=FIRST_COMPLETED).done:
            worker, task = self.at_work[future]
            try:
                outcomes.append(future.result())
            except (BrokenProcessPool, SystemExit) as error:
                outcomes += self._queue.died(task, _how(error))
            del self.at_work[future]
            self._idle.append(worker)
        return outcomes

    def end(self, at_once: bool) -> None:
        """End all workers; `at_once`: in the middle of their tasks."""
        workers = [*self._idle, *(worker for worker, _ in self.at_work.values())]
        processes = [process for worker in workers for process in worker.processes()]
        last_resort = threading.Timer(GRACE, _kill, (processes,))
        last_resort.daemon = True
        if at_once:
            for process in processes:
                process.terminate()
            last_resort.start()
        for worker in workers:
            worker.end()
        last_resort.cancel()


class _Worker:
    """One process, and after its death another."""

    def __init__(self) -> None:
        self._executor = _executor()

    def begin(self, do: Callable[[J], D], job: J) -> Future[D]:
        try:
            future = self._executor.submit(do, job)
        except BrokenProcessPool:  # it died in its last task, or with none
            self.end()
            self._executor = _executor()
            future = self._executor.submit(do, job)
        begun: Future[D] = future
        return begun

    def processes(self) -> list[Any]:
        return list(self._executor._processes.values())

    def end(self) -> None:
        self._executor.shutdown(wait=True)


class _Process(LokyProcess):  # type: ignore[misc]  # joblib has no types
    """A process that Ctrl-C does not reach."""

    def start(self) -> None:
        with shielded():
            super().start()

    def kill(self) -> None:
        """Loky asks for it where there is no `pgrep`, and hasn't got it."""
        _kill([self])


class _Context(LokyContext):  # type: ignore[misc]
    Process = _Process


def _executor() -> Any:
    resource_tracker.ensure_running()
    return ProcessPoolExecutor(
        1,
        context=_Context(),
        env=ONE_THREAD,
        initializer=begin_worker,
        initargs=(os.getpid(),),
    )


def _kill(processes: Sequence[Any]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _how(error: BaseException) -> str:
    """How a worker ended, in a word or a sentence."""
    if isinstance(error, SystemExit):
        return "SIGTERM"  # the worker's answer to it
    codes = re.search(r"\{(\w+)\(-?\d+\)\}", str(error))
    return codes[1] if codes else " ".join(str(error).split())
