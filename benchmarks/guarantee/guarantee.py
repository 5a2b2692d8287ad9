"""Calibrates the mean statement and tries it out: thousands of simulated studies at the edge of the margin.

    python -m benchmarks.guarantee.guarantee [--studies 20000]

Critical values are taken from one set of seeds, from the worst of all families; how often a network is then
certified that should not be, and one that should, is counted on another. Leaves guarantee.json and
guarantee.md here and what certificates read, `secateur/scoring/calibration.json`. One test at the edge is
what counts: of a ladder's rungs that break the constraint the mildest must pass first.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, t

import secateur.scoring
from benchmarks.guarantee import clip_losses
from benchmarks.guarantee.families import FAMILIES, OUTSIDE, PATIENTS, studies_of
from benchmarks.guarantee.guarantee_tables import in_tables
from secateur.files import write_whole
from secateur.scoring.calibration import FILE, Design, critical_value
from secateur.scoring.statements import MeanEstimate, estimate_mean, harmed_bound

HERE = Path(__file__).parent
KEPT = HERE / "guarantee.json"
PACKAGE = Path(secateur.scoring.__file__).parent / FILE
SIZES = (8, 12, 16, 24, 60)
LEVELS = (0.05, 0.025, 0.01, 0.005)
WAYS = ((None, 1), *((folds, repeats) for folds in (3, 5) for repeats in (1, 2, 3, 5)))
"""Folds and repeats; the first is one file that judges everybody."""

LUCK = (0.0, 0.1, 0.2, 0.36)
"""Shares of a loss's variance that a fold's training makes: the intraclass correlation."""

LUCK_ALONE = ((1.0, 0.0),)
"""What is left of many subjects: beyond the last tabulated number no less than this is needed."""

REST = (0.0, 0.4)
"""Shares of what is not luck of training that is new with every repeat."""

BETWEEN = (
    Design(20, 5, 3),
    Design(40, 5, 1),
    Design(40, 5, 3),
    Design(16, 4, 3),
    Design(24, 8, 1),
    Design(60, 10, 3),
    Design(24, 5, 4),
    Design(16, 5, 8),
    Design(100, 5, 1),
    Design(240, 5, 1),
    Design(240, 5, 3),
    Design(240, 3, 2),
)
"""Designs that are not tabulated, to try what is done between and beyond."""

CONFIDENCE = 0.95
SHARES = (0.1, 0.2, 0.3)
MARGINS = (0.01, 0.02, 0.05)
POWER_REPEATS, POWER_LUCK = (1, 3, 5), (0.0, 0.1, 0.2, 0.36)
POWER_STUDIES = 4000
BLOCK = 1000
"""Studies that share a deal of the folds, judged at once."""

CALIBRATE, VERIFY = 1, 2
"""The two sets of seeds."""

Cell = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--table-only", action="store_true", help="of the numbers there are")
    words = parser.parse_args()
    if not words.table_only:
        content = simulate(words.studies)
        write_whole(KEPT, as_json(content))
        write_whole(PACKAGE, as_json(for_certificates(content)))
    text = in_tables(json.loads(KEPT.read_text()))
    write_whole(HERE / "guarantee.md", text)
    print(text)


def as_json(content: Cell) -> str:
    """One line for each design, so that the files can be compared by line."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n  ".join(json.dumps(row, allow_nan=False) for row in value)
            lines.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def simulate(studies: int) -> Cell:
    """All that the tables hold."""
    began = time.process_time()
    content: Cell = {
        "studies": studies,
        "sizes": list(SIZES),
        "levels": list(LEVELS),
        "luck": list(LUCK),
        "rest": list(REST),
        "families": list(FAMILIES),
        "outside": list(OUTSIDE),
        "losses": {metric: clip_losses.measured(metric).tolist() for metric in clip_losses.METRICS},
        "designs": [],
    }
    for folds, repeats in WAYS:
        designs = [Design(n, folds, repeats) for n in SIZES]
        critical = [calibrated(design, studies) for design in designs]
        limit = None if folds is None else calibrated(designs[-1], studies, LUCK_ALONE)
        row = {"folds": folds, "repeats": repeats, "critical": critical, "limit": limit}
        content["designs"].append(row)
    for row in content["designs"]:
        counts = {family: counted(family, row, content) for family in PATIENTS}
        row["false"] = {family: false for family, (false, _) in counts.items()}
        row["before"] = {family: before for family, (_, before) in counts.items()}
        print(row["folds"], row["repeats"], f"{time.process_time() - began:.0f} s", flush=True)
    content["between"] = [between(design, content) for design in BETWEEN]
    content["exact"] = [_exact_cell(share, n, studies) for share in SHARES for n in SIZES]
    content["exact_power"] = [_exact_power(share, n) for share in SHARES for n in SIZES]
    content["power"] = [
        _power_cell(metric, luck, Design(n, 5, repeats), content)
        for metric in clip_losses.METRICS
        for luck in POWER_LUCK
        for repeats in POWER_REPEATS
        for n in SIZES
    ]
    content["holm"] = holm(content)
    content["seconds"] = round(time.process_time() - began)
    return content


def shares_of(design: Design) -> list[tuple[float, float]]:
    """Shares of luck and of rest that are tried; where one file judges once, there is nothing to share."""
    if design.folds is None:
        return [(0.0, 0.0)]
    return [(luck, rest) for luck in LUCK for rest in REST]


def estimates(
    family: str, design: Design, shares: tuple[float, float], studies: int, seeds: int
) -> Iterator[MeanEstimate]:
    """Blocks of simulated studies, estimated by what certificates are made with."""
    key = [seeds, list(PATIENTS).index(family), design.subjects, design.folds or 0, design.repeats]
    generator = np.random.default_rng([*key, *(round(100 * share) for share in shares)])
    for first in range(0, studies, BLOCK):
        block = min(BLOCK, studies - first)
        yield estimate_mean(*studies_of(family, generator, block, design, shares))


def statistics(parts: Iterator[MeanEstimate]) -> NDArray[np.float64]:
    """The critical value above which each study is no longer certified at the edge, where the margin is 0."""
    return np.concatenate(
        [
            np.where(one.flat, -np.inf, -one.mean / np.where(one.flat, 1.0, one.error))
            for one in parts
        ]
    )


def calibrated(
    design: Design, studies: int, shares: Sequence[tuple[float, float]] | None = None
) -> list[float]:
    """Critical values by level: in every family at most so many studies, by their upper 95 % limit, pass."""
    allowed = [_most_false(level, studies) for level in LEVELS]
    worst = np.zeros(len(LEVELS))
    for family in FAMILIES:
        for each in shares or shares_of(design):
            values = np.sort(statistics(estimates(family, design, each, studies, CALIBRATE)))
            worst = np.maximum(worst, [values[-1 - most] for most in allowed])
    return [math.ceil(1e4 * value) / 1e4 for value in worst]


def _most_false(level: float, studies: int) -> int:
    counts = np.arange(studies)
    limits = beta.ppf(0.95, counts + 1, studies - counts)
    return max(int(np.count_nonzero(limits <= level)) - 1, 0)


def counted(family: str, row: Cell, content: Cell) -> tuple[list[Any], list[Any]]:
    """False certificates by size, shares and level; and at 5 % by Student's t over subjects alone."""
    false, before = [], []
    for n in SIZES:
        design = Design(n, row["folds"], row["repeats"])
        by_shares = [_counts(family, design, shares, content) for shares in shares_of(design)]
        false.append([counts for counts, _ in by_shares])
        before.append([count for _, count in by_shares])
    return false, before


def _counts(
    family: str, design: Design, shares: tuple[float, float], content: Cell
) -> tuple[list[int], int]:
    critical = [critical_value(design, level, content) for level in LEVELS]
    student = float(t.isf(LEVELS[0], design.subjects - 1))
    counts, before = np.zeros(len(LEVELS), dtype=int), 0
    for part in estimates(family, design, shares, content["studies"], VERIFY):
        counts += [int((part.bounds(c) < 0).sum()) for c in critical if c is not None]
        before += int(((part.mean + student * np.sqrt(part.between) < 0) & ~part.flat).sum())
    return counts.tolist(), before


def between(design: Design, content: Cell) -> Cell:
    """The worst false share by level of a design that isn't tabulated."""
    families = (
        "measured on the clips, AUROC",
        "skewed: gamma, skewness 2",
        "normal, luck of training skewed: gamma, skewness 1",
    )
    counts = [
        _counts(family, design, (luck, 0.0), content)[0] for family in families for luck in LUCK
    ]
    return {
        "subjects": design.subjects,
        "folds": design.folds,
        "repeats": design.repeats,
        "critical": [critical_value(design, level, content) for level in LEVELS],
        "false": np.max(counts, axis=0).tolist(),
    }


def holm(content: Cell) -> Cell:
    """Whether any cell's false rate is above its level: exact one-sided tests, Holm over all cells."""
    found = np.array(
        [
            counts
            for row in content["designs"]
            for family in FAMILIES
            for by_shares in row["false"][family]
            for counts in by_shares
        ]
        + [row["false"] for row in content["between"]]
    )
    p = np.asarray(binom.sf(found - 1, content["studies"], np.array(LEVELS)[None])).ravel()
    ordered = np.sort(p) * np.arange(p.size, 0, -1)
    return {
        "cells": int(p.size),
        "smallest_adjusted_p": float(min(1.0, ordered[0])),
        "above": int((np.maximum.accumulate(ordered) < 0.05).sum()),
        "worst": (found.max(axis=0) / content["studies"]).tolist(),
    }


def for_certificates(content: Cell) -> Cell:
    """What the package holds: critical values, the worst count over shares of luck, the measured losses."""
    kept = ("studies", "sizes", "levels", "luck", "families", "outside", "losses")
    designs = [
        {
            "folds": row["folds"],
            "repeats": row["repeats"],
            "critical": row["critical"],
            "limit": row["limit"],
            "false": {
                family: [
                    [
                        round(int(worst) / content["studies"], 5)
                        for worst in np.max(by_shares, axis=0)
                    ]
                    for by_shares in by_size
                ]
                for family, by_size in row["false"].items()
            },
        }
        for row in content["designs"]
    ]
    return {**{key: content[key] for key in kept}, "designs": designs}


def lower_limit(false: int, studies: int) -> float:
    """Lower 95 % limit of the true share of false certificates (Clopper and Pearson)."""
    return float(beta.ppf(0.05, false, studies - false + 1)) if false else 0.0


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


def _power_cell(metric: str, luck: float, design: Design, content: Cell) -> Cell:
    """Certificates for a network that loses nothing, with the spread of the clips, by margin.

    Before: Student's t over subjects alone; after: the calibrated bound at the same level.
    """
    values = clip_losses.measured(metric)
    deviation = float(values.std(ddof=1))
    family = f"measured on the clips, {'AUROC' if metric == 'auroc' else 'macro-F1'}"
    parts = list(estimates(family, design, (luck, 0.0), POWER_STUDIES, VERIFY))
    power: dict[str, list[list[float]]] = {}
    for margin in MARGINS:
        edge = margin / deviation
        power[str(margin)] = []
        for level in LEVELS[:2]:
            student = float(t.isf(level, design.subjects - 1))
            critical = critical_value(design, level, content)
            assert critical is not None
            before = np.concatenate([p.mean + student * np.sqrt(p.between) < edge for p in parts])
            after = np.concatenate([p.bounds(critical) < edge for p in parts])
            power[str(margin)].append([round(float(each.mean()), 4) for each in (before, after)])
    return {
        "metric": metric,
        "luck": luck,
        "repeats": design.repeats,
        "n": design.subjects,
        "deviation": round(deviation, 4),
        "power": power,
    }


if __name__ == "__main__":
    main()
