"""Spoilt EDF files, event tables and seizure lists: a typed error or a readable part, and nothing else.

    python -m benchmarks.fuzz.fuzz_files --count 20000 --seed 0 --workers 2

Each file is read in a process of its own kind; one that takes longer than 2 s is ended and told as a
finding. Findings go to --findings, each with the file that caused it; `--only INDEX` reads one file again,
here, with its traceback. The table goes to benchmarks/fuzz/files.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.fuzz.examining import ENDINGS, MEMORY, MEMORY_FACTOR, SECONDS, Outcome, examine
from benchmarks.fuzz.mutations import KINDS, Case, make_case
from benchmarks.fuzz.seeds import seeds
from secateur.files import write_whole

HERE = Path(__file__).parent
Making = Callable[[int, int], Case]
ADDRESS_SPACE = 4 * 2**30
PATIENCE = 5 * SECONDS
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="read this one file again")
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz-findings"))
    parser.add_argument("--no-table", action="store_true", help="leave files.md as it is")
    told = parser.parse_args()
    if told.only is not None:
        case = make_case(told.seed, told.only)
        with tempfile.TemporaryDirectory() as scratch:
            print(case.kind, ", ".join(case.how), examine(case, Path(scratch)), sep="\n")
        return
    began = time.monotonic()
    outcomes = []
    for outcome in fuzz(told.seed, told.count, told.workers):
        outcomes.append(outcome)
        if outcome.what == "finding":
            keep(told.findings, make_case(told.seed, outcome.index), outcome)
    table = table_of(outcomes, told.seed, time.monotonic() - began)
    if not told.no_table:
        write_whole(HERE / "files.md", table)
    print(table)
    sys.exit(any(outcome.what == "finding" for outcome in outcomes))


def fuzz(seed: int, count: int, workers: int, make: Making = make_case) -> Iterator[Outcome]:
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
                said = f"ended after {PATIENCE:g} s" if late else "its process died"
                outcome = _finding(make(seed, worker.index), said)
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


def _finding(case: Case, said: str) -> Outcome:
    return Outcome(case.index, case.kind, "finding", said, PATIENCE, 0, len(case.content))


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
            connection.send(replace(outcome, told=outcome.told.replace(scratch, "")))


def keep(folder: Path, case: Case, outcome: Outcome) -> None:
    """Write a finding's file beside what it caused."""
    stem = f"{case.kind}-{case.index}"
    write_whole(folder / f"{stem}{ENDINGS[case.kind]}", case.content)
    write_whole(folder / f"{stem}.txt", f"{', '.join(case.how)}\n{outcome.told}\n")
    print(f"finding {outcome.index} ({case.kind}: {', '.join(case.how)}): {outcome.told}")


def table_of(outcomes: list[Outcome], seed: int, seconds: float) -> str:
    """The table in Markdown, with what it was made by."""
    lines = [
        "# Spoilt files",
        "",
        f"Command: `python -m benchmarks.fuzz.fuzz_files --count {len(outcomes)} --seed {seed}`, "
        f"commit {commit()}; {machine()}; {seconds:.0f} s. {_right()}. Each spoilt file once: a "
        "typed error in one line, or a recording that can be read. Finding: anything else, more than "
        f"{SECONDS:g} s, or more memory than {MEMORY // 2**20} MB + {MEMORY_FACTOR} × the file's size.",
        "",
        "| kind | cases | typed errors | readable | findings | slowest, s | most memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in (*dict.fromkeys(KINDS), "all"):
        own = [one for one in outcomes if kind in (one.kind, "all")]
        counts = Counter(one.what for one in own)
        slowest = max((one.seconds for one in own), default=0.0)
        most = max((one.peak for one in own), default=0) / 2**20
        lines.append(
            f"| {kind} | {len(own)} | {counts['typed error']} | {counts['readable']} | "
            f"{counts['finding']} | {slowest:.2f} | {most:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _right() -> str:
    kinds = (f"{len(files)} {kind}" for kind, files in seeds().items())
    return f"Files that were right: {', '.join(kinds)}"


def commit() -> str:
    """Of the checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """Processor and cores; no names of hosts or folders."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    return f"{model}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
