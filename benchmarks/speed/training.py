"""Windows trained in a second: Secateur's loop against a plain one.

    python -m benchmarks.speed.training --data FOLDER [--rounds 7] [--write]

Trains the two networks on windows of 18 channels × 4 s from the clips in the folder (a simulated cohort
without --data), one pass a turn, one thread, loops taking turns. `--write` puts the table into
benchmarks/speed/training.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.speed.loops import (
    ALIKE,
    BATCH,
    DEFAULT,
    KEPT,
    PARTS,
    PLAIN,
    VALIDATION,
    Order,
    serve,
)
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

LOOPS = (PLAIN, ALIKE, KEPT, DEFAULT)
WIDTHS = ((32, 64, 128), (16, 32, 64))
GOAL = 1.4


def main() -> None:
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of clips; without it, simulated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--windows", type=int, default=1920, help="in a pass")
    parser.add_argument("--quick", action="store_true", help="32 windows, one round")
    parser.add_argument("--write", action="store_true", help="put the table beside this file")
    told = parser.parse_args()
    windows, rounds = (32, 1) if told.quick else (told.windows, told.rounds)
    size = (2, 0.05) if told.quick else (12, 0.2)
    loops = (PLAIN, ALIKE, DEFAULT) if told.quick else LOOPS
    sections: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        cohort = told.data or simulate_cohort(Path(scratch) / "cohort", *size, 0)
        for widths in WIDTHS[1:] if told.quick else WIDTHS:
            orders = [Order(name, widths, cohort, Path(scratch) / "c", windows) for name in loops]
            with ExitStack() as stack:
                pipes = {order.loop: stack.enter_context(_process(order)) for order in orders}
                sections += _section(widths, pipes, windows, rounds)
    text = "\n".join([*_head(told, windows, rounds), *sections]) + "\n"
    print(text)
    if told.write:
        write_whole(HERE / "training.md", text)


@contextmanager
def _process(order: Order) -> Iterator[Connection]:
    """A process that serves `order` and says "ready" first; ended with the context."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, order), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _section(
    widths: tuple[int, ...], pipes: dict[str, Connection], windows: int, rounds: int
) -> list[str]:
    """Measure one network; lines of its tables."""

    def turn(pipe: Connection) -> Callable[[], float]:
        def ask() -> float:
            pipe.send("turn")
            return float(pipe.recv())

        return ask

    for pipe in pipes.values():
        assert pipe.recv() == "ready"
    turns = {name: turn(pipe) for name, pipe in pipes.items()}
    in_turns(turns, 1)
    took = in_turns(turns, rounds)
    middle = float(np.median(np.divide(took[PLAIN], took[ALIKE])))
    return [
        "",
        f"## Kernels {'-'.join(map(str, widths))}",
        "",
        *table(
            ["loop", "windows a second", "times as fast as the plain loop"],
            [
                [name, spread([windows / one for one in seconds], 0), ratio(took[PLAIN], seconds)]
                for name, seconds in took.items()
            ],
        ),
        "",
        f"The goal was {GOAL:g} times: {middle:.2f}, "
        f"{'reached' if middle >= GOAL else 'not reached'}.",
        "",
        "Where the time goes, milliseconds for a step of the batch:",
        "",
        *_parts(pipes),
    ]


def _parts(pipes: dict[str, Connection]) -> list[str]:
    names = (PLAIN, ALIKE, DEFAULT)
    found: dict[str, dict[str, float]] = {}
    for name in names:
        pipes[name].send("profile")
        found[name] = pipes[name].recv()
    rows = [
        [part, *(f"{found[name][part]:.1f}" if found[name][part] else "–" for name in names)]
        for part in PARTS
    ]
    rest = [found[name]["whole"] - sum(found[name][part] for part in PARTS) for name in names]
    rows.append(["validating, the rest", *(f"{one:.1f}" for one in rest)])
    rows.append(["whole, profiler included", *(f"{found[name]['whole']:.1f}" for name in names)])
    return table(["ms", *names], rows)


def _head(told: argparse.Namespace, windows: int, rounds: int) -> list[str]:
    command = "python -m benchmarks.speed.training" + (" --data FOLDER" if told.data else "")
    return [
        "# Training: windows a second",
        "",
        f"Command: `{command} --rounds {rounds} --windows {windows}`; commit {commit()}; {machine()}; "
        f"{versions('secateur', 'numpy', 'torch')}.",
        "",
        f"Windows of 18 channels × 1024 samples ({'real EEG' if told.data else 'simulated'}); a turn is "
        f"a pass over {windows} of them in batches of {BATCH} and validation on {VALIDATION}. Median of "
        f"{rounds} rounds in turns (quartiles in brackets). Seconds are of processor time (the parts: by the "
        "clock). Each loop is a process of its own, because how memory is kept is "
        "decided for a process; only one works at a time.",
        "",
        f"- {PLAIN}: TensorDataset and DataLoader over windows in memory (no workers), torch's Conv1d, "
        "BatchNorm1d, ReLU, Dropout, MaxPool1d in the published order, Adam.",
        f"- {ALIKE}: `secateur.training.train` without averaging, recalibration and changed windows; "
        "every window once; windows read from disk for each batch, deterministic.",
        f"- {KEPT}: the same where freed memory goes back to the system as usual.",
        f"- {DEFAULT}: balanced draws, changed windows, averaged weights, recalibrated BatchNorm "
        "(24 batches of 64 after each pass; the default pass has 1920 windows).",
    ]


if __name__ == "__main__":
    main()
