"""Work in several processes that end when they should.

Comes in: how many, and what each does at its beginning. Goes out: a pool that is ended, with what it is
doing, when the block it serves ends in an error. Next: `windows.filling` and `studies.workers` use it,
`studies.backends` its parts.

Ctrl-C goes to the whole group of a terminal's processes: it is the parent's to answer. A worker whose parent
is gone ends itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TextIO


@contextmanager
def shielded() -> Iterator[None]:
    """Ctrl-C does not reach processes that are started in this block, not even in their beginning."""
    resource_tracker.ensure_running()  # it would lift the shield again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield  # the signals that are blocked here are blocked there
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


GRACE = 1.0
"""Seconds that a worker which was told to end has for it."""


class _Shielded(SpawnProcess):
    """A process that Ctrl-C does not reach, also while it is still being started."""

    def start(self) -> None:
        """See `multiprocessing.Process.start`."""
        with shielded():
            super().start()


class _Context(SpawnContext):
    Process = _Shielded


CONTEXT = _Context()
"""Forked processes would inherit threads of numerical libraries in whatever state they are."""


@contextmanager
def spawned(
    workers: int, begin: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool of `workers` processes, each of which first calls `begin(*arguments)`."""
    pool = ProcessPoolExecutor(
        workers,
        mp_context=CONTEXT,
        initializer=begin_worker,
        initargs=(os.getpid(), begin, arguments),
    )
    done = False
    try:
        yield pool
        done = True
    finally:
        if not done:
            for process in list(pool._processes.values()):
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def begin_worker(
    parent: int, begin: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> None:
    """What a worker of the process `parent` does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    warnings.showwarning = show_warning
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _leave(*_: object) -> None:
    """Ended by the parent, a worker tidies up, or locks of other libraries are told as leaked.

    But not for ever: tidying may wait for a lock that what was interrupted here holds.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, GRACE)
    sys.exit(1)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Takes the place of `warnings.showwarning` where people read along: one line, no place in the code."""
    print(f"secateur: note: {' '.join(str(message).split())}", file=file or sys.stderr)
