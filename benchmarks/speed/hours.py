"""What hours of recording cost a run: processor seconds of each stage, peak memory; what 1,000 h would cost.

    python -m benchmarks.speed.hours [--hours 12,48] [--set NAME=VALUE …] [--write]

Simulates a cohort of 12 subjects for each number of hours, does `secateur run` on it in a process of its own
with one thread, and deletes both (--data FOLDER: measures that folder alone, and leaves it). 48 hours need
6 GB in --work. `--write` puts the tables into benchmarks/speed/hours.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.speed.measuring import HERE, commit, machine, one_thread, table, versions
from secateur import jobs
from secateur.files import write_whole
from secateur.recordings import load_cohort
from secateur.recordings.simulated import simulate_cohort
from secateur.runs import RunSettings
from secateur.settings import assignments

SUBJECTS = 12
FAR = 1000
"""Hours that are reckoned from those measured."""
GOAL_HOURS, GOAL_SECONDS, FAR_SECONDS = 48, 1371 / 2, 6 * 3600
"""Half of what 48 hours once took, and six processor hours for 1,000."""
QUICK = (
    "training.epochs=1",
    "training.windows_per_epoch=64",
    "training.recalibration=1",
    "training.validation_windows=64",
    "network.widths=[4,4,4]",
)

STAGES: dict[str, tuple[str, ...]] = {
    "preparing": ("secateur.runs.run.prepare_cohort",),
    "arranging": ("secateur.runs.run.arrange", "secateur.runs.run.split_of"),
    "training": ("secateur.training.loop._one_pass", "secateur.training.loop.recalibrate"),
    "early stopping": ("secateur.training.loop._validated",),
    "scores after few epochs": ("secateur.runs.stages:AfterEpochs.__call__",),
    "cutting": (
        "secateur.pruning.retraining:Ranking.of",
        "secateur.pruning.retraining.cut_and_check",
        "secateur.runs.stages:CalibrationData.of",
    ),
    "validating and testing": ("secateur.runs.stages.window_probability",),
    "threshold and rules": ("secateur.runs.stages._decided",),
    "random forest, fitting": ("secateur.runs.stages.fit_forest",),
    "random forest, testing": ("secateur.runs.stages.forest_probability",),
    "latency": ("secateur.runs.result.measure_latency",),
    "scoring": ("secateur.runs.run.collect",),
    "bootstrap": (
        "secateur.detectors.evaluation.pooled_replicates",
        "secateur.runs.result.paired_intervals",
    ),
    "report": ("secateur.jobs.write_run_report",),
}
"""Functions whose processor time a stage is. What one calls that has a stage of its own counts there."""
REST = "imports and the rest"
RETRAINING = {"training": "training again", "early stopping": "early stopping, training again"}
"""What a stage is called once the baseline is trained."""


class StageClock:
    """Processor seconds by stage; only the innermost of the stages that are under way counts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._under_way = [REST]
        self._since = 0.0
        self._baseline_trained = False

    def _charge(self) -> None:
        now = time.process_time()
        self.seconds[self._under_way[-1]] += now - self._since
        self._since = now

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, its time charged to `stage`."""

        def run(*arguments: Any, **named: Any) -> Any:
            self._charge()
            self._under_way.append(RETRAINING[stage] if self._again(stage) else stage)
            try:
                return function(*arguments, **named)
            finally:
                self._charge()
                self._under_way.pop()
                # the first network of which all windows are judged is the baseline
                self._baseline_trained |= stage == "validating and testing"

        return run

    def _again(self, stage: str) -> bool:
        return self._baseline_trained and stage in RETRAINING

    @contextmanager
    def running(self) -> Iterator[None]:
        """Stages are charged while the context lasts."""
        with ExitStack() as stack:
            for stage, names in STAGES.items():
                for name in names:
                    where, _, member = name.rpartition(".")
                    owner = resolve_name(where)
                    # a method of a class comes bound, to be called without it
                    bound = isinstance(vars(owner)[member], classmethod)
                    function = self.timed(stage, getattr(owner, member))
                    replacement = staticmethod(function) if bound else function
                    stack.enter_context(patch.object(owner, member, replacement))
            yield
            self._charge()


def measure_here(data: Path, out: Path, settings: Sequence[str]) -> None:
    """Do a run in this process and print the stages' seconds as JSON."""
    clock = StageClock()
    with clock.running():
        jobs.run(data, out, settings=assignments(RunSettings, list(settings)))
    print(json.dumps(clock.seconds))


@dataclass(frozen=True)
class Measured:
    """One run: `hours` of recording, processor `seconds` by stage, `mebibytes` of memory at the peak."""

    hours: float
    seconds: dict[str, float]
    mebibytes: float

    @property
    def total(self) -> float:
        """Processor seconds of the run."""
        return sum(self.seconds.values())


def measured(hours: float, folder: Path, data: Path | None, settings: Sequence[str]) -> Measured:
    """Simulate, run, and delete what was made."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="hours-") as scratch:
        cohort = data or simulate_cohort(Path(scratch) / "cohort", SUBJECTS, hours / SUBJECTS, 1)
        command = [sys.executable, "-m", "benchmarks.speed.hours", "--measure", str(cohort)]
        command += [word for each in settings for word in ("--set", each)]
        output = Path(scratch) / "stages.json"
        with output.open("wb") as file:
            child = subprocess.Popen(
                [*command, "--work", scratch],
                stdout=file,
                env={**os.environ, "SECATEUR_CACHE": str(Path(scratch) / "cache")},
            )
            peak = 0.0
            while child.poll() is None:
                peak = max(peak, resident(child.pid))
                time.sleep(0.2)
        if child.returncode:
            raise SystemExit(f"the run on {hours:g} h failed")
        return Measured(hours, json.loads(output.read_text().splitlines()[-1]), peak)


def resident(process: int) -> float:
    """MiB of memory of a process and all that it has started; 0 where it has ended."""
    try:
        status = Path(f"/proc/{process}/statm").read_text().split()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    own = int(status[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return own + sum(resident(int(child)) for child in children)


def line(hours: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Seconds at no hour and for each hour, by least squares; neither is below 0."""
    slope, level = np.polyfit(hours, seconds, 1) if len(hours) > 1 else (0.0, seconds[0])
    if slope < 0:
        return float(np.mean(seconds)), 0.0
    return max(0.0, float(level)), float(slope)


def text_of(runs: Sequence[Measured], words: argparse.Namespace) -> str:
    """The page."""
    hours = [run.hours for run in runs]
    stages = [*STAGES, *RETRAINING.values(), REST]
    rows, far, many = [], 0.0, len(runs) > 1
    for stage in stages:
        seconds = [run.seconds.get(stage, 0.0) for run in runs]
        level, slope = line(hours, seconds)
        far += level + slope * FAR
        more = [f"{slope:.2f}", f"{level + slope * FAR:,.0f}"] if many else []
        rows.append([stage, *(f"{value:,.1f}" for value in seconds), *more])
    totals = [f"{run.total:,.0f}" for run in runs]
    rows.append(["all", *totals, *([f"{(far / FAR):.2f}", f"{far:,.0f}"] if many else [])])
    memory = [f"{run.mebibytes:,.0f}" for run in runs]
    level, slope = line(hours, [run.mebibytes for run in runs])
    more = [f"{slope:.2f}", f"{level + slope * FAR:,.0f}"] if many else []
    rows.append(["peak memory, MiB", *memory, *more])
    head = ["stage", *(f"{each:g} h" for each in hours)]
    head += ["for each hour more", f"reckoned for {FAR:,} h"] if many else []
    command = " ".join(
        [
            "python -m benchmarks.speed.hours",
            *([f"--hours {words.hours}"] if not words.data else []),
        ]
        + [f"--set {each}" for each in words.settings]
    )
    lines = [
        "# Hours: what a run costs",
        "",
        f"Command: `{command}`; commit {commit()}; {machine()}; "
        f"{versions('secateur', 'numpy', 'torch', 'onnxruntime')}.",
        "",
        f"`secateur run` on {f'{SUBJECTS} simulated subjects' if not words.data else 'recordings'}, "
        "nothing prepared, one worker; processor seconds by stage and memory of the process at its peak. "
        "For each hour more: the slope of the line of least squares through the sizes measured.",
        "",
        *table(head, rows),
        *_goals(runs, far if many else None),
    ]
    return "\n".join(lines) + "\n"


def _goals(runs: Sequence[Measured], far: float | None) -> list[str]:
    lines = []
    for run in runs:
        if run.hours == GOAL_HOURS:
            outcome = "reached" if run.total <= GOAL_SECONDS else "not reached"
            lines += [
                "",
                f"The goal for {GOAL_HOURS} h was {GOAL_SECONDS:,.0f} s, half of what they once took: "
                f"{run.total:,.0f}, {outcome}.",
            ]
    if far is not None:
        outcome = "reached" if far <= FAR_SECONDS else "not reached"
        lines += [
            "",
            f"The goal for {FAR:,} h was {FAR_SECONDS / 3600:g} processor hours: {far / 3600:.1f}, "
            f"{outcome}.",
        ]
    return lines


def main() -> None:
    """Measure and print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", default="12,48", help="how many in all, of each cohort")
    parser.add_argument(
        "--data", type=Path, help="a folder of recordings in place of simulated ones"
    )
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--work", type=Path, help="where cohorts are made")
    parser.add_argument("--quick", action="store_true", help="a tiny network on minutes of EEG")
    parser.add_argument("--write", action="store_true", help="put the tables beside this file")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.measure:
        measure_here(words.measure, words.work / "run", words.settings)
        return
    if words.quick:
        words.hours, words.settings = "0.5,1", list(QUICK)
    runs = []
    sizes = list(map(float, words.hours.split(",")))
    for hours in [load_cohort(words.data).hours] if words.data else sizes:
        runs.append(measured(hours, words.work, words.data, words.settings))
        print(f"{hours:g} h: {runs[-1].total:,.0f} s", file=sys.stderr, flush=True)
    text = text_of(runs, words)
    print(text)
    if words.write:
        write_whole(HERE / "hours.md", text)


if __name__ == "__main__":
    main()
