"""What the speed benchmarks share: taking turns, ratios, and what machine and commit a table names.

Comes in: contestants, each a function that does its work once and says how long it took. Goes out:
seconds by round, ratios with their spread, words for a table. Next: `training`, `preparing`, `detect`.

The machine may be busy with other things. So processor time counts, which with one thread is the time that
it would take on a machine of one's own; contestants take turns, and a ratio is taken within each
round, between neighbours in time; what is told is the median of the rounds and their quartiles.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

HERE = Path(__file__).parent

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def one_thread() -> None:
    """Start this command again with one thread for each library, where it wasn't started so.

    Libraries look when they are imported, so setting it later would do nothing.
    """
    if any(os.environ.get(name) != "1" for name in _THREADS):
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def in_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant in each round; every second round goes the other way round."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            seconds[name].append(contestants[name]())
    return seconds


@contextmanager
def timed(stages: dict[str, tuple[Any, str]]) -> Iterator[dict[str, float]]:
    """Adds up how long calls of the functions named take while the context lasts."""
    took = dict.fromkeys(stages, 0.0)

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*given, **named)
            finally:
                took[name] += time.process_time() - began

        return run

    with ExitStack() as stack:
        for name, (owner, member) in stages.items():
            stack.enter_context(patch.object(owner, member, wrapped(name, getattr(owner, member))))
        yield took


def spread(values: list[float], digits: int = 2) -> str:
    """Median and, in brackets, lower and upper quartile."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratio(slower: list[float], faster: list[float]) -> str:
    """How many times as long the first took: median and quartiles over rounds."""
    return spread([a / b for a, b in zip(slower, faster, strict=True)]) + "×"


def machine() -> str:
    """The processor and how many of its cores there are."""
    model = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, one thread used"


def commit() -> str:
    """The commit that is checked out, and whether files differ from it (but for the tables here)."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!*.md")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (
        " with changes that aren't committed" if changed else ""
    )


def versions(*packages: str) -> str:
    """Names and versions of what was measured."""
    return ", ".join(
        [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in packages)]
    )


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
