"""Spoilt files, detectors and saved streams: an error in one line, or something that works.

    python -m benchmarks.fuzz files --count 20000 --seed 0 --workers 2
    python -m benchmarks.fuzz detectors
    python -m benchmarks.fuzz streams

Findings go to --findings, each with the files that caused it; `--only INDEX` examines one case again, here,
with its traceback. The tables go to benchmarks/fuzz/files.md, detectors.md and streams.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.detector_mutations import make_detector
from benchmarks.fuzz.detector_seeds import models
from benchmarks.fuzz.examining import MEMORY, MEMORY_FACTOR, SECONDS, Outcome, examine
from benchmarks.fuzz.mutations import KINDS, Case, make_case
from benchmarks.fuzz.seeds import brainvision_seeds, seeds
from benchmarks.fuzz.stream_mutations import make_stream, saved_streams
from benchmarks.fuzz.workers import ADDRESS_SPACE, Making, fuzz
from secateur.files import write_whole

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Target:
    """What is spoilt: how a case is made, how many by default, the table's title."""

    make: Making
    count: int
    title: str


TARGETS = {
    "files": Target(make_case, 20_000, "Spoilt files"),
    "detectors": Target(make_detector, 10_000, "Spoilt detectors"),
    "streams": Target(make_stream, 10_000, "Spoilt streams"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", type=int, help="examine this one again")
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz-findings"))
    parser.add_argument("--no-table", action="store_true", help="leave the table as it is")
    words = parser.parse_args()
    target = TARGETS[words.target]
    if words.only is not None:
        case = target.make(words.seed, words.only)
        with tempfile.TemporaryDirectory() as scratch:
            print(case.kind, ", ".join(case.how), examine(case, Path(scratch)), sep="\n")
        return
    began = time.monotonic()
    outcomes = []
    for outcome in fuzz(words.seed, words.count or target.count, words.workers, target.make):
        outcomes.append(outcome)
        if outcome.what == "finding":
            keep(words.findings, target.make(words.seed, outcome.index), outcome)
    table = table_of(words.target, outcomes, words.seed, time.monotonic() - began)
    if not words.no_table:
        write_whole(HERE / f"{words.target}.md", table)
    print(table)
    sys.exit(any(outcome.what == "finding" for outcome in outcomes))


def keep(folder: Path, case: Case, outcome: Outcome) -> None:
    """Write a finding's files beside what they caused."""
    stem = folder / f"{case.kind}-{case.index}"
    for name, content in case.files.items():
        write_whole(stem / name, content)
    write_whole(stem / "finding.txt", f"{', '.join(case.how)}\n{outcome.message}\n")
    print(f"finding {outcome.index} ({case.kind}: {', '.join(case.how)}): {outcome.message}")


def table_of(name: str, outcomes: list[Outcome], seed: int, seconds: float) -> str:
    """The table in Markdown, with what it was made by."""
    lines = [
        f"# {TARGETS[name].title}",
        "",
        f"Command: `python -m benchmarks.fuzz {name} --count {len(outcomes)} --seed {seed}`, commit "
        f"{commit()}; {machine()}; {seconds:.0f} s. {_ways(name)} Finding: anything else; the end of the "
        f"process; another file opened; more than {SECONDS:g} s; more memory than {MEMORY // 2**20} MB + "
        f"{MEMORY_FACTOR} × the case's size in Python, or {ADDRESS_SPACE >> 30} GiB of addresses.",
        "",
        "| kind | cases | typed errors | readable | findings | slowest, s | most memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = dict.fromkeys(KINDS) if name == "files" else dict.fromkeys(o.kind for o in outcomes)
    for kind in (*kinds, "all") if len(kinds) > 1 else kinds:
        own = [outcome for outcome in outcomes if kind in (outcome.kind, "all")]
        counts = Counter(outcome.what for outcome in own)
        slowest = max((outcome.seconds for outcome in own), default=0.0)
        most = max((outcome.peak for outcome in own), default=0) / 2**20
        lines.append(
            f"| {kind} | {len(own)} | {counts['typed error']} | {counts['readable']} | "
            f"{counts['finding']} | {slowest:.2f} | {most:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _ways(name: str) -> str:
    """How the cases are made, and what is allowed to become of them."""
    if name == "files":
        counts = {kind: len(files) for kind, files in seeds().items()}
        counts["brainvision"] = len(brainvision_seeds())
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        return (
            f"Files that were right: {kinds}. Each spoilt file once: a typed error in one line, or a "
            "recording or table that can be read."
        )
    if name == "detectors":
        return (
            f"Each of {len(models())} detectors ({', '.join(models())}) spoilt by bytes, by fields of its "
            "messages, by operators, attributes, wires and weights, or in its metadata; then its checksum "
            "made right again. Opened, two windows seen, 5 s of noise gone through: a typed error in one "
            "line, or logits of the right shape."
        )
    return (
        f"Each of {len(saved_streams())} saved streams ({'; '.join(saved_streams())}) spoilt by bytes or in "
        "its structure: values, names and arrays other, lost, moved, doubled. Resumed, 5 s of noise pushed: "
        "a typed error in one line, or probabilities of a stream."
    )


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
