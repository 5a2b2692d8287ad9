"""Does the certificate keep its promise? Thousands of simulated studies at the very edge of the margin.

    python -m benchmarks.guarantee.guarantee [--studies 5000]

Comes in: `families` of patients. Goes out: guarantee.json and guarantee.md beside this file: how often a
network is certified that truly breaks the constraint, and how often one that keeps it is. Next:
`secateur.scoring.coverage` quotes the counts, and every certificate names what they don't cover.

Losses are judged by the functions that make certificates. The worst a ladder can be is tried: all rungs
at the edge, and mild rungs well inside with all later ones at the edge. A network at the edge is one
that must not be certified; more of them than 1 − confidence, by more than chance explains, is a failure.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from benchmarks.guarantee import clip_losses
from benchmarks.guarantee.families import FAMILIES, ladders
from benchmarks.guarantee.guarantee_tables import in_tables
from secateur.files import write_whole
from secateur.scoring.statements import harmed_bound, mean_bounds, skewness

HERE = Path(__file__).parent
KEPT = HERE / "guarantee.json"
SIZES = (8, 12, 16, 24, 60)
CONFIDENCE = 0.95
CONFIDENCES = (0.9, 0.99)
LEVELS = ("normal", "measured on the clips, AUROC")
"""Families tried at other confidences too."""

RUNGS = 4
INSIDE = -1.5
"""True mean of a mild rung, in standard deviations from the margin."""

SHARES = (0.1, 0.2, 0.3)
MARGINS = {"auroc": (0.005, 0.01, 0.02, 0.05), "macro_f1": (0.01, 0.02, 0.05, 0.1)}
BLOCK = 500
"""Studies judged at once; memory for their resamples is what limits it."""

Cell = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=5_000)
    parser.add_argument("--table-only", action="store_true", help="of the numbers there are")
    told = parser.parse_args()
    if not told.table_only:
        found = simulate(told.studies)
        write_whole(KEPT, json.dumps(found, indent=1, allow_nan=False) + "\n")
    text = in_tables(json.loads(KEPT.read_text()))
    write_whole(HERE / "guarantee.md", text)
    print(text)


def simulate(studies: int, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """All that the tables hold."""
    mean = [
        _ladder_cell(family, n, studies, CONFIDENCE, place)
        for place, family in enumerate(FAMILIES)
        for n in sizes
    ]
    levels = [
        _ladder_cell(family, n, studies, confidence, 100 + place)
        for place, family in enumerate(LEVELS)
        for confidence in CONFIDENCES
        for n in sizes
    ]
    return {
        "studies": studies,
        "confidence": CONFIDENCE,
        "rungs": RUNGS,
        "mean": mean,
        "levels": levels,
        "exact": [_exact_cell(share, n, studies) for share in SHARES for n in sizes],
        "power": [_power_cell(metric, n, studies) for metric in MARGINS for n in sizes],
        "exact_power": [_exact_power(share, n) for share in SHARES for n in sizes],
    }


def bounds_of(losses: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Upper bounds on the mean of each study, shape (studies,), a block at a time."""
    return np.concatenate(
        [
            mean_bounds(losses[first : first + BLOCK], confidence)
            for first in range(0, len(losses), BLOCK)
        ]
    )


def false_certificates(
    losses: NDArray[np.float64], inside: int, confidence: float
) -> NDArray[np.int64]:
    """Which studies certify a rung at the edge; `losses` rungs × studies × subjects, less the margin.

    The first `inside` rungs keep the constraint. Rungs are tested in order until one fails, so that a
    false certificate is one where the first rung at the edge is reached and passes.
    """
    standing = np.arange(losses.shape[1])
    for rung in losses[: inside + 1]:
        standing = (
            standing[bounds_of(rung[standing], confidence) < 0] if len(standing) else standing
        )
    return standing


def lower_limit(false: int, studies: int) -> float:
    """Lower 95 % limit of the true share of false certificates (Clopper and Pearson)."""
    return float(beta.ppf(0.05, false, studies - false + 1)) if false else 0.0


def _ladder_cell(family: str, n: int, studies: int, confidence: float, place: int) -> Cell:
    generator = np.random.default_rng([place, n, round(1000 * confidence)])
    losses = ladders(family, generator, studies, RUNGS, n)
    false = false_certificates(losses, inside=0, confidence=confidence)
    edge = len(false)
    mild = ladders(family, generator, studies, RUNGS, n)
    mild[:2] += INSIDE
    after_mild = len(false_certificates(mild, inside=2, confidence=confidence))
    worst = max(edge, after_mild)
    limit = lower_limit(worst, studies)
    return {
        "family": family,
        "n": n,
        "confidence": confidence,
        "all_at_the_edge": edge,
        "mild_then_edge": after_mild,
        "worst": worst,
        "limit": round(limit, 5),
        "covered": limit <= 1 - confidence + 1e-12,
        "skewness": [round(_median_skewness(some), 2) for some in (losses[0], losses[0][false])],
    }


def _median_skewness(studies: NDArray[np.float64]) -> float:
    """Median over studies of the skewness that the sample itself shows; 0 for no studies."""
    shown = [skewness(losses) for losses in studies]
    return float(np.median([one for one in shown if one is not None] or [0.0]))


def _exact_cell(share: float, n: int, studies: int) -> Cell:
    """The exact statement where the true share of patients harmed is the one allowed."""
    generator = np.random.default_rng([round(1000 * share), n])
    bounds = np.array([harmed_bound(k, n, CONFIDENCE) for k in range(n + 1)])
    harmed = generator.binomial(n, share, size=studies)
    false = int((bounds[harmed] < share).sum())
    most = int((bounds < share).sum())  # bounds rise with the number harmed
    limit = lower_limit(false, studies)
    return {
        "share": share,
        "n": n,
        "false": false,
        "expected": round(float(binom.cdf(most - 1, n, share)), 5),
        "limit": round(limit, 5),
        "covered": limit <= 1 - CONFIDENCE + 1e-12,
    }


def _exact_power(share: float, n: int) -> Cell:
    bounds = np.array([harmed_bound(k, n, CONFIDENCE) for k in range(n + 1)])
    most = int((bounds <= share).sum())
    return {
        "share": share,
        "n": n,
        "power": {
            str(true): round(float(binom.cdf(most - 1, n, true)), 4) for true in (0.0, 0.02, 0.05)
        },
    }


def _power_cell(metric: str, n: int, studies: int) -> Cell:
    """How often a network that keeps the constraint is certified, with the spread of the clips."""
    values = clip_losses.measured(metric)
    generator = np.random.default_rng([7, n])
    losses = generator.choice(values - values.mean(), size=(studies, n))
    bounds = bounds_of(losses, CONFIDENCE)
    return {
        "metric": metric,
        "n": n,
        "deviation": round(float(values.std(ddof=1)), 4),
        "power": {
            str(margin): [
                round(float((bounds + true < margin).mean()), 4) for true in (0.0, margin / 2)
            ]
            for margin in MARGINS[metric]
        },
    }


if __name__ == "__main__":
    main()
