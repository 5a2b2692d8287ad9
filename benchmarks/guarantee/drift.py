"""Finds the limits of drift, and counts false alarms and what is seen, on patients whose hours are known.

    python -m benchmarks.guarantee.drift [--patients 2000] [--only limits|check|others]

Limits come from one set of seeds, from the worst kind of patients; everything that is stated is counted on
another. Leaves drift.json and drift.md here and what `secateur.monitoring.drift` reads, drift_limits.json,
after each of three parts: the limits, the check of what is stated, and what other packages call (river,
online-cp).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

import secateur.monitoring
from benchmarks.guarantee.drift_patients import Kind, draw
from benchmarks.guarantee.drift_tables import in_tables
from secateur.files import write_whole
from secateur.monitoring.drift import LIMITS_FILE, MOST_NUMBERS, Limits, follow, reference_of

HERE = Path(__file__).parent
KEPT = HERE / "drift.json"
PACKAGE = Path(secateur.monitoring.__file__).parent / LIMITS_FILE
LEVEL = 0.05
"""Share of patients with a false alarm in a month, at most."""

MONTH = 30
"""Days after the reference."""

REFERENCE = 7
CALIBRATE, VERIFY, POWER = 1, 2, 3
"""Sets of seeds."""

BLOCK = 100
"""Patients at once: what fits a processor's cache."""

_PLAIN = {
    f"day effect {effect:g}, dependence {dependence:g}{', sleep and wake' * bool(sleep)}": Kind(
        effect, dependence, sleep
    )
    for effect in (0.0, 0.3, 0.5)
    for dependence in (0.0, 0.5, 0.8)
    for sleep in (0.0, 3.0)
}
_HARD = Kind(0.5, 0.5, 3.0)
COVERED = {
    **_PLAIN,
    "a third of the days missing": replace(_HARD, days_missing=1 / 3),
    "half of the hours missing": replace(_HARD, hours_missing=0.5),
    "hours with heavy tails": replace(_HARD, shape="t"),
    "hours skewed": replace(_HARD, shape="skewed"),
    "numbers correlated by 0.5": replace(_HARD, shared=0.5),
    "half of the numbers steady": Kind(0.5, 0.8, mixed=True),
    "one number": Kind(0.5, 0.8, 3.0, numbers=1),
    "three numbers": Kind(0.5, 0.8, 3.0, numbers=3),
}
"""Kinds of patients for which the share of false alarms is stated. Where nothing else is told, a day effect
of 0.5, a dependence of 0.5, and sleep and wake."""

OUTSIDE = {
    "day effect 1, dependence 0.5": Kind(1.0, 0.5),
    "day effect 0.5, dependence 0.9": Kind(0.5, 0.9),
    "day effect 0, dependence 0.95": Kind(0.0, 0.95),
}
"""Shown, and declared not covered."""

SHIFTS = (3.0, 2.0, 1.5, 1.0)
SEEN = {
    f"dependence {dependence:g}{', sleep and wake' * bool(sleep)}": Kind(0.3, dependence, sleep)
    for dependence in (0.0, 0.5, 0.8)
    for sleep in (0.0, 3.0)
}
"""Kinds in which a lasting shift of one number is looked for."""


PARTS = ("limits", "check", "others")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    content: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for part in PARTS:
        if arguments.only in (None, part):
            content[part] = run(part, arguments.patients, content)
            keep(content)


def run(part: str, patients: int, content: dict[str, Any]) -> dict[str, Any]:
    """One part of what drift.json holds; `content`: the parts before it."""
    begin = time.process_time()
    if part == "limits":
        result: dict[str, Any] = dict(simulated_limits(REFERENCE, patients)._asdict())
    elif part == "check":
        result = check(REFERENCE, Limits(**_limits_in(content)), patients)
    else:
        from benchmarks.guarantee.drift_others import alarms_of_others

        result = alarms_of_others()
    return {"patients": patients, **result, "seconds": round(time.process_time() - begin)}


def keep(content: dict[str, Any]) -> None:
    """Write the parts, the page, and the package's file."""
    write_whole(KEPT, json.dumps(content, indent=1, allow_nan=False) + "\n")
    write_whole(PACKAGE, json.dumps(limits_file(content), indent=1) + "\n")
    if "check" in content:
        write_whole(HERE / "drift.md", in_tables(content, LEVEL, MONTH))


def limits_file(content: dict[str, Any]) -> dict[str, Any]:
    """What the package reads."""
    patients = content["limits"]["patients"]
    return {
        "made_by": f"python -m benchmarks.guarantee.drift --patients {patients}",
        "level": LEVEL,
        "month_days": MONTH,
        "numbers": MOST_NUMBERS,
        "limits": {str(REFERENCE): _limits_in(content)},
    }


def _limits_in(content: dict[str, Any]) -> dict[str, float]:
    return {name: float(content["limits"][name]) for name in Limits._fields}


def check(count: int, limits: Limits, patients: int) -> dict[str, Any]:
    """False alarms by kind, and what is seen of shifts in a quarter as many patients."""
    false = [
        {"kind": name, "covered": covered, **false_alarms(kind, count, limits, patients)}
        for kinds, covered in ((COVERED, True), (OUTSIDE, False))
        for name, kind in kinds.items()
    ]
    seen = [
        {"kind": name, "shift": shift, **calls(kind, shift, count, limits, patients // 4)}
        for name, kind in SEEN.items()
        for shift in SHIFTS
    ]
    return {"false": false, "seen": seen}


def simulated_limits(count: int, patients: int) -> Limits:
    """Limits that both rules exceed equally often, so low that they are together at the level in the worst
    kind.

    At the level: the upper 95 % limit of the share of patients with an alarm is not above it.
    """
    maxima = [
        highest(kind, count, patients, (CALIBRATE, k)) for k, kind in enumerate(COVERED.values())
    ]
    low, high = 0.0, LEVEL
    for _ in range(20):
        tail = (low + high) / 2
        limits = _limits_at(maxima, tail)
        worst = max(int((peaks > np.array(limits)).any(axis=1).sum()) for peaks in maxima)
        if _upper(worst, patients) > LEVEL:
            high = tail
        else:
            low = tail
    return Limits(*(round(float(limit), 2) for limit in _limits_at(maxima, low)))


def _limits_at(maxima: list[NDArray[np.float64]], tail: float) -> Limits:
    quantiles = np.array([np.quantile(peaks, 1 - tail, axis=0) for peaks in maxima])
    return Limits(*(float(limit) for limit in quantiles.max(axis=0)))


def _upper(alarms: int, patients: int) -> float:
    """Clopper-Pearson, one-sided 95 %."""
    return float(beta.ppf(0.95, alarms + 1, patients - alarms))


def highest(kind: Kind, count: int, patients: int, seed: tuple[int, int]) -> NDArray[np.float64]:
    """The highest that each rule comes to in a month, patients × 2 rules."""
    parts = [
        np.stack([statistic.max(axis=(1, 2, 3)) for statistic in followed[:2]], axis=1)
        for followed in _blocks(kind, count, patients, seed)
    ]
    return np.concatenate(parts).astype(np.float64)


def _blocks(
    kind: Kind, count: int, patients: int, seed: tuple[int, int]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    generator = np.random.default_rng([*seed, count])
    for first in range(0, patients, BLOCK):
        block = min(BLOCK, patients - first)
        values = draw(kind, block, count + MONTH, count, generator)
        scores = follow(reference_of(values[:, :count]), values[:, count:], None)
        yield scores.cusum, scores.martingale


def false_alarms(kind: Kind, count: int, limits: Limits, patients: int) -> dict[str, Any]:
    """How many patients had an alarm in a month, and by each rule."""
    at = list({**COVERED, **OUTSIDE}.values()).index(kind)
    above = highest(kind, count, patients, (VERIFY, at)) > np.array(limits)
    return {
        "settings": asdict(kind),
        "patients": patients,
        "alarms": int(above.any(axis=1).sum()),
        "cusum": int(above[:, 0].sum()),
        "martingale": int(above[:, 1].sum()),
    }


def calls(kind: Kind, shift: float, count: int, limits: Limits, patients: int) -> dict[str, Any]:
    """Shares of patients in whom a lasting shift of the first number, up, is called as such, by days."""
    generator = np.random.default_rng([POWER, int(10 * shift), count])
    within = {7: 0, 14: 0, 28: 0}
    rules = {"cusum": 0, "martingale": 0}
    for first in range(0, patients, BLOCK):
        block = min(BLOCK, patients - first)
        values = draw(kind, block, count + 28, count, generator)
        values[:, count:, :, 0] += np.float32(shift)
        scores = follow(reference_of(values[:, :count]), values[:, count:], None)
        above = [
            statistic[:, :, 0, 0] > limit
            for statistic, limit in zip(scores[:2], limits, strict=True)
        ]
        for days in within:
            within[days] += int((above[0] | above[1])[:, :days].any(axis=1).sum())
        for rule, each in zip(rules, above, strict=True):
            rules[rule] += int(each.any(axis=1).sum())
    return {
        "patients": patients,
        "within": {str(days): called / patients for days, called in within.items()},
        "within_28_by": {rule: called / patients for rule, called in rules.items()},
    }


if __name__ == "__main__":
    main()
