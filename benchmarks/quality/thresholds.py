"""What becomes of macro-F1 by each way of choosing a threshold, where seizures are common and where rare.

python -m benchmarks.quality.thresholds --data ../shared/data/chbmit-clips

Simulated: networks that learned classes alike. A subject's windows have log odds of normal distribution
around ± d²/2 with deviation d (so they are calibrated), times a confidence, plus an offset of the subject.
Three subjects validate; macro-F1 over all windows of subjects to come is computed, not drawn. On the clips:
a baseline is trained in each of five folds, and windows of both sides are weighed to each share.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from secateur.files import write_whole
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import gather
from secateur.runs.plan import Stage
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores, best_threshold, chosen_threshold
from secateur.windows import Cache

PREVALENCES = (0.45, 0.17, 0.02, 0.003)
STUDIES = 100
SUBJECTS = 3
WINDOWS = {0.45: 1500, 0.17: 1500, 0.02: 10_000, 0.003: 30_000}
SEIZURE = 40
"""Windows of one seizure, which are alike."""
FAMILIES = {
    "calibrated, d = 2": (2.0, 0.7, 1.0),
    "calibrated, d = 3": (3.0, 0.7, 1.0),
    "too sure, d = 3, subjects further apart": (3.0, 1.2, 1.5),
    "not sure enough, d = 2": (2.0, 0.7, 0.6),
}
"""d, deviation of subjects' offsets, and confidence."""

Windows = tuple[NDArray[np.bool_], NDArray[np.float64]]
Way = Callable[[Windows, float], float]


def _weights(truth: NDArray[np.bool_], prevalence: float) -> NDArray[np.float64]:
    share = truth.mean()
    return np.asarray(np.where(truth, prevalence / share, (1 - prevalence) / (1 - share)))


def _best(windows: Windows, prevalence: float) -> float:
    return best_threshold(*windows, _weights(windows[0], prevalence))


WAYS: Mapping[str, Way] = {
    "at 0.5": lambda windows, prevalence: 0.5,
    "best on validation": _best,
    "half way from 0.5 (before)": lambda w, p: float(expit(logit(_best(w, p)) / 2)),
    "the anchor": lambda w, p: chosen_threshold(*w, prevalence=p, shrinkage=1),
    "half way to the anchor (now)": lambda w, p: chosen_threshold(*w, prevalence=p),
}


def _study(
    family: tuple[float, float, float], validated: float, prevalence: float, seed: int
) -> dict[str, float]:
    """Macro-F1 on subjects to come by each way, and the largest there is."""
    distance, offsets, confidence = family
    generator = np.random.default_rng(seed)

    def subjects(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        distances = distance * np.exp(generator.normal(0, 0.2, count))
        return generator.normal(0, offsets, count), np.maximum(0.5, distances)

    truth, scores = [], []
    for offset, d in zip(*subjects(SUBJECTS), strict=True):
        ictal = max(5, int(generator.poisson(validated * WINDOWS[validated])))
        background = WINDOWS[validated] - ictal
        seizures = generator.normal(0, d / 2, max(1, ictal // SEIZURE))
        own = seizures[generator.integers(0, len(seizures), ictal)]
        scores += [
            generator.normal(d**2 / 2, d * np.sqrt(0.75), ictal) + own + offset,
            generator.normal(-(d**2) / 2, d, background) + offset,
        ]
        truth += [np.ones(ictal, dtype=np.bool_), np.zeros(background, dtype=np.bool_)]
    windows = np.concatenate(truth), expit(confidence * np.concatenate(scores))
    others, distances = subjects(2000)

    def macro_f1(log_odds: float) -> float:
        limit = log_odds / confidence
        hits = prevalence * np.mean(norm.sf(limit - others, distances**2 / 2, distances))
        false = np.mean(norm.sf(limit - others, -(distances**2) / 2, distances)) * (1 - prevalence)
        quiet = 1 - prevalence - false
        ictal = 2 * hits / (hits + false + prevalence)
        return float(ictal + 2 * quiet / (2 * quiet + false + prevalence - hits)) / 2

    found = {name: macro_f1(float(logit(way(windows, prevalence)))) for name, way in WAYS.items()}
    grid = np.linspace(-4, 14, 200) * max(1.0, confidence)
    return {**found, "the most there is": max(map(macro_f1, grid))}


def simulated() -> list[str]:
    """A table for each family."""
    lines = []
    for name, family in FAMILIES.items():
        lines += ["", f"### Simulated: {name}", "", *_head()]
        cells = [(share, share) for share in PREVALENCES]
        for validated, prevalence in [*cells, (0.45, 0.02), (0.45, 0.003)]:
            studies = [_study(family, validated, prevalence, seed) for seed in range(STUDIES)]
            means = {key: np.mean([study[key] for study in studies]) for key in studies[0]}
            lines.append(_row(validated, prevalence, means))
    return lines


def on_clips(data: Path, seeds: int) -> list[str]:
    """A table over folds and seeds."""
    found: dict[float, list[dict[str, float]]] = {share: [] for share in PREVALENCES}
    shares = []
    for seed in range(seeds):
        for fold in range(1, 6):
            chosen = {"seed": seed, "split.by": "folds", "split.folds": 5, "split.fold": fold}
            settings = resolve(None, chosen)
            material = gather(Source(data), settings, Cache())
            with tempfile.TemporaryDirectory() as scratch:
                folder = RunFolder(Path(scratch), "thresholds")
                run_stage(Stage("baseline", "baseline"), StageContext(material, settings, folder))
                chance = folder.arrays("baseline")
            truth = {side: material.sides[side].labels for side in ("validation", "test")}
            shares.append(truth["validation"].mean())
            for prevalence, rows in found.items():
                scores = WindowScores(truth["test"], chance["test"], 0.5)
                weights = _weights(truth["test"], prevalence)

                def macro_f1(threshold: float, scores=scores, weights=weights) -> float:  # type: ignore[no-untyped-def]
                    return scores.confusion(weights, threshold).macro_f1 or 0.0

                windows = truth["validation"], chance["validation"]
                of_ways = {key: macro_f1(way(windows, prevalence)) for key, way in WAYS.items()}
                most = macro_f1(best_threshold(truth["test"], chance["test"], weights))
                rows.append({**of_ways, "the most there is": most})
            print(f"seed {seed}, fold {fold}", flush=True)
    lines = [
        "",
        f"### The clips: {5 * seeds} baselines, five folds",
        "",
        f"Validation sides are {100 * min(shares):.0f} to {100 * max(shares):.0f} % ictal; windows are "
        "weighed to each share.",
        "",
        *_head(),
    ]
    for prevalence, rows in found.items():
        means = {key: np.mean([row[key] for row in rows]) for key in rows[0]}
        lines.append(_row(prevalence, prevalence, means))
    lines += [
        "",
        "Half way to the anchor minus half way from 0.5, by fold (mean, least, most):",
        "",
    ]
    before, now = list(WAYS)[2], list(WAYS)[4]
    for prevalence, rows in found.items():
        gains = [row[now] - row[before] for row in rows]
        lines.append(
            f"- {100 * prevalence:g} %: {np.mean(gains):+.4f} ({min(gains):+.4f} to {max(gains):+.4f})"
        )
    return lines


def _head() -> list[str]:
    names = ["validated", "works at", *WAYS, "the most there is"]
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]


def _row(validated: float, prevalence: float, means: Mapping[str, np.floating]) -> str:
    shares = [f"{100 * validated:g} %", f"{100 * prevalence:g} %"]
    return "| " + " | ".join([*shares, *(f"{value:.3f}" for value in means.values())]) + " |"


def main() -> None:
    """Write thresholds.md beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the clips; without them their table is left out")
    parser.add_argument("--seeds", type=int, default=1)
    words = parser.parse_args()
    lines = [
        "# Which threshold",
        "",
        "Macro-F1 over all windows, by how the threshold was chosen on three validation subjects "
        f"(`python -m benchmarks.quality.thresholds --data …`; {STUDIES} simulated studies a row). *Works "
        "at*: the share of ictal windows where it is judged, `--prevalence-expected`. The anchor is the "
        "threshold of a calibrated network for macro-F1 at that share "
        "(`secateur.scoring.threshold_anchor`).",
        *(on_clips(words.data, words.seeds) if words.data else ()),
        *simulated(),
    ]
    write_whole(Path(__file__).with_suffix(".md"), "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
