"""What hours of recording cost a run: processor seconds of each stage, peak memory; what 1,000 h would cost.

    python -m benchmarks.speed.hours [--hours 48] [--less 3] [--set NAME=VALUE …] [--write]

Half an hour of each of 12 simulated subjects, again and again until there are `--hours` (no two recordings
have the same samples), goes through `secateur run` in a process of its own with one thread. Networks are
trained for one epoch; all epochs are reckoned, for each costs the same, whatever the hours are. What each
hour more costs tells a second run on the `--less` hours. 48 hours need 6 GB in --work, deleted afterwards.
--data FOLDER: its recordings in place of these. `--write` puts the table into benchmarks/speed/hours.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from benchmarks.speed.measuring import HERE, commit, machine, one_thread, table, versions
from secateur import jobs
from secateur.files import write_whole
from secateur.recordings import load_cohort
from secateur.recordings.simulated import simulate_cohort
from secateur.runs import RunSettings
from secateur.scoring.metrics import AFTER_EPOCHS
from secateur.settings import assignments
from secateur.training import TrainingSettings

SUBJECTS = 12
FAR = 1000
"""Hours that are reckoned from those measured."""
GOAL_HOURS, GOAL_SECONDS, FAR_SECONDS = 48, 1371 / 2, 6 * 3600.0
"""Half of what 48 hours once took, and six processor hours for 1,000."""
ONE_EPOCH = "training.epochs=1"
QUICK = (
    "training.windows_per_epoch=64",
    "training.recalibration=1",
    "training.validation_windows=64",
    "network.widths=[4,4,4]",
)
PIECE_HOURS = 0.5
"""Hours of a simulated subject that are their own; the others repeat them."""

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
    "threshold and rules": ("secateur.runs.stages.decide",),
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
BOUNDED = "random forest, fitting"
"""A forest learns from 20,000 windows at most."""
LOOKS = "scores after few epochs"


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


def cohort_of(folder: Path, hours: float) -> Path:
    """A cohort of `SUBJECTS` simulated subjects with so many hours in all."""
    copies = math.ceil(hours / SUBJECTS / PIECE_HOURS)
    simulate_cohort(folder, SUBJECTS, hours / SUBJECTS / copies, 1)
    for path in sorted(folder.rglob("*_run-00_*")):
        for number in range(1, copies):
            copy = path.with_name(path.name.replace("_run-00_", f"_run-{number:02d}_"))
            shutil.copyfile(path, copy)
            if copy.suffix == ".edf":
                with copy.open("r+b") as file:  # another first sample, or it would be prepared once
                    file.seek(int(file.read(192)[184:]))
                    file.write(number.to_bytes(2, "little"))
    return folder


def measured(
    hours: float, folder: Path | None, data: Path | None, settings: Sequence[str]
) -> Measured:
    """Make a cohort, do a run on it, and delete what was made."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="hours-") as scratch:
        cohort = data or cohort_of(Path(scratch) / "cohort", hours)
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
        run = Measured(hours, json.loads(output.read_text().splitlines()[-1]), peak)
        print(json.dumps(asdict(run)), file=sys.stderr, flush=True)
        return run


def resident(process: int) -> float:
    """MiB of memory of a process and all that it has started; 0 where it has ended."""
    try:
        status = Path(f"/proc/{process}/statm").read_text().split()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    own = int(status[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return own + sum(resident(int(child)) for child in children)


def reckoned(stage: str, hours: float, run: Measured, less: Measured | None) -> float:
    """Seconds of a stage at so many hours and all epochs, from one or two runs of one epoch."""
    seconds = run.seconds.get(stage, 0.0)
    if stage in (*RETRAINING, *RETRAINING.values()):
        return seconds * TrainingSettings().epochs
    if stage == LOOKS:
        return seconds * len(AFTER_EPOCHS) / 2  # with one epoch there are looks before and after it
    return seconds + slope(stage, run, less) * (hours - run.hours)


def slope(stage: str, run: Measured, less: Measured | None) -> float:
    """Seconds for each hour more; 0 where hours change nothing, or were not varied."""
    if less is None or stage in (*RETRAINING, *RETRAINING.values(), LOOKS, BOUNDED):
        return 0.0
    more = run.seconds.get(stage, 0.0) - less.seconds.get(stage, 0.0)
    return max(0.0, more / (run.hours - less.hours))


def text_of(run: Measured, less: Measured | None, words: argparse.Namespace) -> str:
    """The page. `less`: a run on fewer hours."""
    goals = {GOAL_HOURS: GOAL_SECONDS, FAR: FAR_SECONDS} if less else {run.hours: None}
    totals = dict.fromkeys(goals, 0.0)
    rows, growth = [], 0.0
    for stage in [*STAGES, *RETRAINING.values(), REST]:
        cells = [stage, f"{run.seconds.get(stage, 0.0):,.1f}"]
        if less:
            growth += slope(stage, run, less)
            cells += [f"{less.seconds.get(stage, 0.0):,.1f}", f"{slope(stage, run, less):.2f}"]
        for hours in goals:
            seconds = reckoned(stage, hours, run, less)
            totals[hours] += seconds
            cells.append(f"{seconds:,.0f}")
        rows.append(cells)
    head = ["processor seconds", f"{run.hours:g} h, one epoch"]
    total, memory = ["all", f"{run.total:,.0f}"], ["peak memory, MiB", f"{run.mebibytes:,.0f}"]
    if less:
        head += [f"{less.hours:g} h, one epoch", "each hour more"]
        total += [f"{less.total:,.0f}", f"{growth:.2f}"]
        each = (run.mebibytes - less.mebibytes) / (run.hours - less.hours)
        memory += [f"{less.mebibytes:,.0f}", f"{each:.2f}"]
    head += [f"{hours:g} h, all epochs" for hours in goals]
    total += [f"{seconds:,.0f}" for seconds in totals.values()]
    rows += [total, memory + [""] * len(goals)]
    sentences = [
        f"Goal for {hours:,} h: at most {goal:,.0f} s ({goal / 3600:.1f} h). Reckoned: {totals[hours]:,.0f} "
        f"s ({totals[hours] / 3600:.1f} h), {'reached' if totals[hours] <= goal else 'not reached'}."
        for hours, goal in goals.items()
        if goal
    ]
    return "\n".join([*_head(words), *table(head, rows), "", *sentences]) + "\n"


def _head(words: argparse.Namespace) -> list[str]:
    command = "python -m benchmarks.speed.hours"
    command += "" if words.data else f" --hours {words.hours:g} --less {words.less:g}"
    command += "".join(f" --set {each}" for each in words.settings)
    people = "recordings of a folder" if words.data else f"{SUBJECTS} simulated subjects"
    epochs = TrainingSettings().epochs
    return [
        "# Hours: what a run costs",
        "",
        f"Command: `{command}`; commit {commit()}; {machine()}; "
        f"{versions('secateur', 'numpy', 'torch', 'onnxruntime')}.",
        "",
        f"`secateur run` on {people}, nothing prepared, one worker: processor seconds by stage, memory of "
        "the process at its peak. Measured with one epoch of each training, the others at their defaults; "
        f"reckoned for all {epochs} (early stopping may need fewer), of which each costs the same, and along "
        "the line through both runs for other hours.",
        "",
    ]


def main() -> None:
    """Measure and print."""
    one_thread()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=48.0, help="of the whole cohort")
    parser.add_argument("--less", type=float, default=3.0, help="of the second run; 0: none")
    parser.add_argument(
        "--data", type=Path, help="a folder of recordings in place of simulated ones"
    )
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--work", type=Path, help="where cohorts are made")
    parser.add_argument("--quick", action="store_true", help="a tiny network on minutes of EEG")
    parser.add_argument("--write", action="store_true", help="put the table beside this file")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.measure:
        measure_here(words.measure, words.work / "run", words.settings)
        return
    if words.quick:
        words.hours, words.less, words.settings = 1.0, 0.5, list(QUICK)
    settings = [*words.settings, ONE_EPOCH]
    hours = load_cohort(words.data).hours if words.data else words.hours
    run, less = measured(hours, words.work, words.data, settings), None
    if words.less and not words.data:
        less = measured(words.less, words.work, None, settings)
    text = text_of(run, less, words)
    print(text)
    if words.write:
        write_whole(HERE / "hours.md", text)


if __name__ == "__main__":
    main()
