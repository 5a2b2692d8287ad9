"""Spoilt detectors whose checksum holds: one line of refusal, or a network that answers, and nothing else.

    python -m benchmarks.fuzz.fuzz_detectors --count 10000 --seed 0 --workers 1

As `fuzz_files`, with its workers and its bounds. `--only INDEX` opens one again, here. The table goes to
benchmarks/fuzz/detectors.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.fuzz.detector_mutations import make_detector
from benchmarks.fuzz.detector_seeds import models
from benchmarks.fuzz.examining import MEMORY, MEMORY_FACTOR, SECONDS, Outcome, examine
from benchmarks.fuzz.fuzz_files import ADDRESS_SPACE, HERE, commit, fuzz, keep, machine
from secateur.files import write_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", type=int, help="open this one again")
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz-findings"))
    parser.add_argument("--no-table", action="store_true", help="leave detectors.md as it is")
    told = parser.parse_args()
    if told.only is not None:
        case = make_detector(told.seed, told.only)
        with tempfile.TemporaryDirectory() as scratch:
            print(", ".join(case.how), examine(case, Path(scratch)), sep="\n")
        return
    began = time.monotonic()
    outcomes = []
    for outcome in fuzz(told.seed, told.count, told.workers, make_detector):
        outcomes.append(outcome)
        if outcome.what == "finding":
            keep(told.findings, make_detector(told.seed, outcome.index), outcome)
    table = table_of(outcomes, told.seed, time.monotonic() - began)
    if not told.no_table:
        write_whole(HERE / "detectors.md", table)
    print(table)
    sys.exit(any(outcome.what == "finding" for outcome in outcomes))


def table_of(outcomes: list[Outcome], seed: int, seconds: float) -> str:
    """The table in Markdown, with what it was made by."""
    lines = [
        "# Spoilt detectors",
        "",
        f"Command: `python -m benchmarks.fuzz.fuzz_detectors --count {len(outcomes)} --seed {seed}`, "
        f"commit {commit()}; {machine()}; {seconds:.0f} s. Each of {len(models())} detectors "
        f"({', '.join(models())}) spoilt by bytes, by fields of its messages, by operators, attributes, "
        "wires and weights, or in its metadata; then its checksum made right again. Opened, two windows "
        "seen, 5 s of noise gone through. Finding: anything but one line of a typed error or logits of "
        "the right shape; the end of the process; another file opened; "
        f"more than {SECONDS:g} s; more memory in Python than {MEMORY // 2**20} MB + "
        f"{MEMORY_FACTOR} × the file's size, or in the process than "
        f"{ADDRESS_SPACE >> 30} GiB of addresses.",
        "",
        "| what became of it | detectors | slowest, s | most memory in Python, MB |",
        "|---|---|---|---|",
    ]
    counts = Counter(one.what for one in outcomes)
    for what in ("typed error", "readable", "finding"):
        own = [one for one in outcomes if one.what == what]
        slowest = max((one.seconds for one in own), default=0.0)
        most = max((one.peak for one in own), default=0) / 2**20
        lines.append(f"| {what} | {counts[what]} | {slowest:.2f} | {most:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
