"""Work in several processes that end when they should, and the memory that a process keeps.

Ctrl-C goes to the whole group of a terminal's processes: it is the parent's to answer. A worker whose parent
is gone ends itself.
"""

from __future__ import annotations

import ctypes
import gc
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

# names and numbers of <malloc.h>
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_NEVER = 2**31 - 1
_LARGE = 2**30
_LARGEST_OF_OLD = 32 * 2**20
"""What older versions of glibc take at most as the size of a block that is mapped by itself."""
_PAD = 64 * 2**20


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
    warnings.showwarning = show_warning
    keep_memory()
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    if begin is not None:
        begin(*arguments)
    signal.signal(signal.SIGTERM, _leave)  # earlier, the pool would report its exit as an error


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


def keep_memory() -> None:
    """Have this process keep freed memory for itself, and what it has imported, from now on.

    Of what there is by now nothing is looked through for garbage again: over all that was imported that takes
    some 20 ms each time, a tenth of what an hour of EEG takes.

    Each step of training, and each piece of a recording, frees some megabytes that the next wants again.
    glibc hands large blocks back to the system, which gives them out anew page by page, each page zeroed: up
    to a twelfth of a step's processor time and a tenth of detecting's, by chance of earlier allocations.
    Without glibc that part is left out.
    """
    if not gc.get_freeze_count():  # again and again would keep garbage too
        gc.freeze()
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_TRIM_THRESHOLD, _NEVER)
    mallopt(_M_TOP_PAD, _PAD)
    if not mallopt(_M_MMAP_THRESHOLD, _LARGE):
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_OF_OLD)
