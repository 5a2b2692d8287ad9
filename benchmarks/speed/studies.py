"""What the engine of studies costs for each run, with joblib and with Ray, and what a second worker brings.

    python -m benchmarks.speed.studies [--rounds 5] [--write]

Empty jobs tell the engine's own cost; twelve equal jobs of one thread, one worker against two, tell what
parallel work is worth; a study of small runs tells how much of it is not the runs themselves. `--write` puts
the tables into benchmarks/speed/studies.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.speed.measuring import (
    HERE,
    commit,
    in_turns,
    machine,
    one_thread,
    ratio,
    spread,
    table,
    versions,
)
from secateur.files import write_whole
from secateur.recordings.simulated import simulate_cohort
from secateur.runs import Source
from secateur.studies import ExecutionOptions, StudyFile, carry_out
from secateur.studies.backends import cluster, local
from secateur.windows import Cache

EMPTY = 200
EQUAL = 12
GOAL = 1.8
Outcomes = Generator[float, None, None]


def main() -> None:
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few small jobs, one round")
    parser.add_argument("--write", action="store_true", help="put the tables beside this file")
    told = parser.parse_args()
    rounds = 1 if told.quick else told.rounds
    number, size = (8, 20) if told.quick else (EMPTY, 700)
    lines = [
        "# Studies: what the engine costs",
        "",
        f"Command: `python -m benchmarks.speed.studies --rounds {rounds}`; commit {commit()}; {machine()} a "
        f"worker; {versions('secateur', 'joblib', 'ray', 'torch')}. Seconds by the clock, for several "
        f"processes work; median of {rounds} rounds in turns (quartiles in brackets).",
        "",
        *_empty(number, rounds),
        "",
        *_equal(size, rounds),
        "",
        *_study(told.quick),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if told.write:
        write_whole(HERE / "studies.md", text)


def work(size: int) -> float:
    """Multiply matrices of `size`, again and again, for about a second where it is 700; 0 does nothing."""
    if size:
        values = np.random.default_rng(0).normal(size=(size, size))
        for _ in range(60):
            values = values @ values
            values /= np.abs(values).max()
    return time.time()


def _lost(size: int, reason: str) -> float:
    raise RuntimeError(f"{size}: {reason}")


def _here(jobs: Sequence[int], workers: int) -> Outcomes:
    return local.carry_out(jobs, work, _lost, workers)


def _cluster(jobs: Sequence[int], workers: int) -> Outcomes:
    return cluster.carry_out(jobs, work, _lost, None, workers)


def _empty(number: int, rounds: int) -> list[str]:
    """Two workers; the first job of each is its start."""
    rows = []
    for name, way in (("joblib", _here), ("Ray, this machine", _cluster)):
        starts, each = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            outcomes = way([0] * (number + 4), 2)
            for _ in range(4):
                next(outcomes)
            started = time.perf_counter()
            each.append(1000 * (_last(outcomes) - started) / number)
            starts.append(started - began)
        rows.append([name, spread(starts), spread(each, 1)])
    return [
        "## Jobs that do nothing",
        "",
        f"Two workers, {number} jobs handed out one by one. Starting: until four jobs are done, Python and "
        "libraries of the workers included; then for each job after that.",
        "",
        *table(["backend", "s to start", "ms a job"], rows),
    ]


def _equal(size: int, rounds: int) -> list[str]:
    rows = []
    for name, way in (("joblib", _here), ("Ray, this machine", _cluster)):
        took = in_turns({str(n): _busy(way, size, n) for n in (1, 2)}, rounds)
        gains = [one / two for one, two in zip(took["1"], took["2"], strict=True)]
        reached = "reached" if float(np.median(gains)) >= GOAL else "not reached"
        rows.append(
            [name, spread(took["1"]), spread(took["2"]), ratio(took["1"], took["2"]), reached]
        )
    return [
        f"## {EQUAL} equal jobs",
        "",
        "Each about a second of one thread (products of matrices). From the first job's end to the last "
        f"one's, one worker against two; the goal was {GOAL:g} times.",
        "",
        *table(["backend", "s, one", "s, two", "times as fast", "goal"], rows),
    ]


def _busy(
    way: Callable[[Sequence[int], int], Outcomes], size: int, workers: int
) -> Callable[[], float]:
    """One job a worker first, so that starting doesn't count."""

    def once() -> float:
        outcomes = way([1] * workers + [size] * EQUAL, workers)
        for _ in range(workers):
            next(outcomes)
        began = time.perf_counter()
        return _last(outcomes) - began

    return once


def _last(outcomes: Outcomes) -> float:
    """When the last outcome came; ending the workers takes time after that."""
    came = time.perf_counter()
    for _ in outcomes:
        came = time.perf_counter()
    return came


def _study(quick: bool) -> list[str]:
    """A study of small runs, one worker: what is not in the runs' own processor seconds."""
    study = StudyFile.model_validate(
        {
            "name": "speed",
            "question": "What does the engine cost?",
            "axes": {"ratio": (0.5,) if quick else (0.25, 0.5, 0.75), "seed": (1, 2)},
            "fixed": {"epochs": 1, "least-epochs": 1, "at-most": 500, "widths": (4, 6, 8)},
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch)
        cohort = simulate_cohort(room / "cohort", 8, 0.1, 0)
        options = ExecutionOptions(workers=1, cache=Cache(room / "cache"))
        began = time.perf_counter()
        plan = carry_out(study, {"data": Source(cohort)}, str(room / "out"), options)
        whole = time.perf_counter() - began
        results = [json.loads(p.read_text()) for p in (room / "out" / "runs").glob("*.json")]
        again = time.perf_counter()
        carry_out(study, {"data": Source(cohort)}, str(room / "out"), options)
        again = time.perf_counter() - again
    shared = {run["split"]["seed"]: run["seconds"]["baseline"] for run in results}
    spent = sum(shared.values()) + sum(
        run["seconds"]["material"] + run["seconds"]["pruned"] for run in results
    )
    return [
        "## A study of small runs",
        "",
        f"{len(plan.runs)} runs of networks of 4-6-8 kernels on simulated EEG, one worker, nothing prepared: "
        f"{whole:.1f} s by the clock, of which {spent:.1f} s of processor time are in the runs; the rest is "
        "preparing recordings, importing PyTorch once, handing out. Asked for again, with all runs "
        f"finished: {again:.1f} s.",
    ]


if __name__ == "__main__":
    main()
