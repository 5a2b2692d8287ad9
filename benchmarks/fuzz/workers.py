"""Cases examined in processes of their own: one that takes too long or too much memory is ended and noted."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.fuzz.examining import SECONDS, Outcome, examine
from benchmarks.fuzz.mutations import Case

Making = Callable[[int, int], Case]
"""From a seed and an index to a case."""

ADDRESS_SPACE = 4 * 2**30
PATIENCE = 30 * SECONDS
"""Seconds on the clock until a worker is ended; what takes longer than `SECONDS` of its own it notes."""


@dataclass
class Worker:
    """A process that examines cases, and what it is busy with."""

    process: BaseProcess
    connection: Connection
    index: int = -1
    since: float = 0.0

    def give(self, index: int) -> None:
        """Let it examine case `index`."""
        self.index, self.since = index, time.monotonic()
        self.connection.send(index)

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def fuzz(seed: int, count: int, workers: int, make: Making) -> Iterator[Outcome]:
    """Examine `count` cases in `workers` processes; whoever takes too long is ended."""
    left = iter(range(count))
    busy = [worker for _ in range(workers) if _next(worker := _start(seed, make), left)]
    while busy:
        answered = wait([worker.connection for worker in busy], timeout=0.1)
        for worker in list(busy):
            late = time.monotonic() - worker.since > PATIENCE
            if worker.connection not in answered and not late:
                continue
            busy.remove(worker)
            outcome = _outcome(worker) if worker.connection in answered else None
            if outcome is None:
                reason = f"ended after {PATIENCE:g} s" if late else "its process died"
                outcome = _finding(make(seed, worker.index), reason)
                worker.end()
                worker = _start(seed, make)
            if _next(worker, left):
                busy.append(worker)
            yield outcome


def _next(worker: Worker, left: Iterator[int]) -> bool:
    index = next(left, None)
    if index is None:
        worker.end()
        return False
    worker.give(index)
    return True


def _outcome(worker: Worker) -> Outcome | None:
    try:
        answer = worker.connection.recv()
    except (EOFError, OSError):
        return None
    assert isinstance(answer, Outcome)
    return answer


def _finding(case: Case, reason: str) -> Outcome:
    return Outcome(case.index, case.kind, "finding", reason, PATIENCE, 0, case.size)


def _start(seed: int, make: Making) -> Worker:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, seed, make), daemon=True)
    process.start()
    there.close()
    return Worker(process, here)


def _work(connection: Connection, seed: int, make: Making) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with tempfile.TemporaryDirectory() as scratch:
        while True:
            try:
                index = connection.recv()
            except EOFError:
                return
            outcome = examine(make(seed, index), Path(scratch))
            connection.send(replace(outcome, message=outcome.message.replace(scratch, "")))
