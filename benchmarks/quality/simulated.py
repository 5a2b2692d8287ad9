"""Network and random forest on simulated people whom neither has seen, cohort by cohort.

    python -m benchmarks.quality.simulated [--seeds 0-4] [--scratch DIR] [--table FILE]

Cohorts as large as the Makefile's, trained by configs/first-look.toml as `make run` does; the cohort's seed
alone differs. The table goes to benchmarks/quality/simulated.md.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.repeats import seeds_of
from benchmarks.speed.measuring import commit
from secateur.files import write_whole
from secateur.recordings.simulated import simulate_cohort
from secateur.recordings.simulated.background import SAMPLING_RATE
from secateur.recordings.simulated.look_alikes import add_look_alikes
from secateur.recordings.simulated.seizures import plan_seizures, simulate_seizures
from secateur.recordings.simulated.subject import draw_subject
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import RunData, gather
from secateur.runs.plan import Kind, Stage
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores
from secateur.scoring.intervals import Scores, mean_over
from secateur.windows import Cache

TOP = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".md")
CONFIG = TOP / "configs" / "first-look.toml"
MODELS: tuple[Kind, ...] = ("baseline", "random_forest")


@dataclass(frozen=True)
class Row:
    """What one cohort gave. `by_subject`: AUROC of each test subject, by model."""

    seed: int
    by_subject: dict[str, dict[str, float]]
    all_windows: dict[str, float]
    simulating: float
    ictal: float

    def mean(self, model: str) -> float:
        """AUROC by subject, unweighted mean."""
        return float(np.mean(list(self.by_subject[model].values())))

    @property
    def lead(self) -> float:
        """By how much the network stands above the forest."""
        return self.mean("baseline") - self.mean("random_forest")


PIECE = SAMPLING_RATE
"""Samples in which a peak-to-peak amplitude is taken: a second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-4", help="a range such as 0-4, or a list such as 0,3")
    parser.add_argument("--scratch", type=Path, help="keep cohorts and runs here")
    parser.add_argument("--table", type=Path, default=TABLE)
    words = parser.parse_args()
    scratch = words.scratch or Path(tempfile.mkdtemp(prefix="simulated-"))
    try:
        rows = []
        for seed in seeds_of(words.seeds):
            rows.append(measure(scratch, seed, *cohort_size()))
            print(_line(rows[-1]), flush=True)
    finally:
        if words.scratch is None:
            shutil.rmtree(scratch)
    subjects, _ = cohort_size()
    page = [*table(rows, words.seeds), "", *look_alike_table(rows[0].seed, subjects)]
    write_whole(words.table, "\n".join(page) + "\n")


def cohort_size() -> tuple[int, float]:
    """Subjects and hours each of the Makefile's cohort."""
    match = re.search(r"--subjects (\d+) --hours ([\d.]+)", (TOP / "Makefile").read_text())
    if match is None:
        raise SystemExit("simulated: the Makefile simulates no cohort with --subjects and --hours")
    return int(match[1]), float(match[2])


def measure(scratch: Path, seed: int, subjects: int, hours: float) -> Row:
    """Simulate a cohort, train both on it, score both on its test subjects."""
    began = time.process_time()
    cohort = simulate_cohort(scratch / f"cohort-{seed}", subjects, hours, seed)
    simulating = time.process_time() - began
    settings = resolve(CONFIG)
    material = gather(Source(cohort), settings, Cache(scratch / "cache"))
    folder = RunFolder(scratch / f"run-{seed}", f"simulated-{seed}")
    context = StageContext(material, settings, folder)
    by_subject: dict[str, dict[str, float]] = {}
    all_windows: dict[str, float] = {}
    for kind in MODELS:
        run_stage(Stage(kind, kind), context)
        probability = folder.arrays(kind)["test"]
        by_subject[kind], all_windows[kind] = auroc(material, probability)
    ictal = float(np.mean(material.sides["test"].labels))
    return Row(seed, by_subject, all_windows, simulating / (subjects * hours), ictal)


def auroc(material: RunData, probability: NDArray[np.floating]) -> tuple[dict[str, float], float]:
    """AUROC of each test subject, and over all test windows."""
    test = material.sides["test"]

    def score(chosen: NDArray[np.bool_]) -> Scores:
        return WindowScores(test.labels[chosen], probability[chosen], 0.5).all()

    each = mean_over(test.subject_of, score)[1]
    known = {name: own["auroc"] for name, own in each.items() if own["auroc"] is not None}
    return known, WindowScores(test.labels, probability, 0.5).auroc() or float("nan")


def _line(row: Row) -> str:
    worst = {model: min(values.values()) for model, values in row.by_subject.items()}
    cells = [
        f"{row.mean(model):.3f} | {worst[model]:.3f} | {row.all_windows[model]:.3f}"
        for model in MODELS
    ]
    return f"| {row.seed} | {' | '.join(cells)} | {row.lead:+.3f} |"


def table(rows: Sequence[Row], seeds: str) -> list[str]:
    """The page's first part."""
    subjects, hours = cohort_size()
    leads = np.array([row.lead for row in rows])
    means = {model: np.mean([row.mean(model) for row in rows]) for model in MODELS}
    return [
        "# Simulated EEG: does a network beat band powers?",
        "",
        f"Command: `python -m benchmarks.quality.simulated --seeds {seeds}`; commit {commit()}.",
        "",
        f"Cohorts of {subjects} simulated subjects, {hours:g} h each, of other seeds; `make run`'s settings "
        "(configs/first-look.toml). AUROC on subjects whom neither has seen: mean over them, the worst of "
        "them, all windows together.",
        "",
        "| cohort seed | network: by subject | worst | windows | random forest: by subject | worst | windows "
        "| network minus forest, by subject |",
        "|---" * 8 + "|",
        *map(_line, rows),
        "",
        f"Network {means['baseline']:.3f}, random forest on band powers {means['random_forest']:.3f}; the "
        f"network is above on {int((leads > 0).sum())} of {len(rows)} cohorts, by {leads.min():+.3f} to "
        f"{leads.max():+.3f}. {np.mean([row.ictal for row in rows]):.0%} of the test windows are ictal. "
        f"Simulating took {np.mean([row.simulating for row in rows]):.1f} processor seconds an hour of EEG.",
    ]


def look_alike_table(seed: int, subjects: int) -> list[str]:
    """How much of the time each look-alike takes, and how large it and seizures are, by subject."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for index in range(subjects):
        subject = draw_subject(index, seed)
        for kind, spell in subject.look_alikes.items():
            potential = np.zeros((19, 600 * SAMPLING_RATE), np.float32)
            generator = np.random.default_rng([seed, index])
            add_look_alikes(potential, subject.look_alikes, [kind], generator)
            rows.setdefault(kind, []).append((spell.rate, *_share_and_size([potential])))
        generator = np.random.default_rng([seed, index])
        seizures = plan_seizures(subject.ictogenesis, 600, 4, generator)
        ictal = simulate_seizures(seizures, subject.ictogenesis, generator)
        rows.setdefault("seizure", []).append((float("nan"), *_share_and_size(ictal)))
    lines = [
        "## What resembles a seizure",
        "",
        f"Of the {subjects} subjects of seed {seed}: least, median and most. Peak to peak in a second, at "
        "the electrode where it is largest: the median of the seconds that have it.",
        "",
        "| | Hz | share of time | µV peak to peak |",
        "|---|---|---|---|",
    ]
    for kind, values in rows.items():
        rate, share, size = (np.quantile(column, (0, 0.5, 1)) for column in np.transpose(values))
        cells = ["", ""] if kind == "seizure" else [_three(rate, ".1f"), _three(share, ".0%")]
        lines.append(f"| {kind} | {' | '.join([*cells, _three(size, '.0f')])} |")
    return lines


def _three(values: NDArray[np.floating], form: str) -> str:
    return ", ".join(format(value, form) for value in values)


def _share_and_size(potentials: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Share of seconds in which something is, and the median peak to peak of those, µV."""
    heights = np.concatenate([_peak_to_peak(potential) for potential in potentials])
    present = heights > 1
    return float(present.mean()), float(np.median(heights[present])) if present.any() else 0.0


def _peak_to_peak(potential: NDArray[np.float32]) -> NDArray[np.float32]:
    """By second, at the electrode where it is largest, shape (seconds,)."""
    seconds = potential.shape[1] // PIECE
    pieces = potential[:, : seconds * PIECE].reshape(len(potential), seconds, PIECE)
    heights: NDArray[np.float32] = np.ptp(pieces, axis=2).max(axis=0)
    return heights


if __name__ == "__main__":
    main()
