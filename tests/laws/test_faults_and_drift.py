"""On 200 simulated patients: a fault is called no drift, a drift no fault, and nothing where all stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from secateur.monitoring.judging import PatientReport, report
from secateur.monitoring.sketch import FEATURES, UNKNOWN, HourSketch, Sign
from secateur.recordings.montage import BIPOLAR_18
from tests.support.sketches import BEGIN, RememberedPatient, hour_of

DAYS, HOURS = 14, tuple(range(0, 24, 3))
"""Eight hours a day are enough to be judged, and spare two thirds of the time."""
CHANGE = 9
"""The day on which a patient's change begins; seven are the reference."""


def patient(number: int, kind: str) -> PatientReport:
    """A patient of sleep and wake, whose days differ, with a change of a `kind` from day `CHANGE` on."""
    rng = np.random.default_rng(number)
    own = rng.normal(0, 3, (len(BIPOLAR_18), len(FEATURES)))
    channel = int(rng.integers(len(BIPOLAR_18)))
    known = RememberedPatient(f"{kind}-{number}")
    known.sketches = []
    for day in range(DAYS):
        # days differ by 0.3 of an hour's deviation
        today = rng.normal(0, 0.3, len(FEATURES))
        for hour in HOURS:
            asleep = 4.0 * (hour < 7) * np.array([1, 1, 0.5, -0.5, -0.5, 0])
            shift = own + today + asleep + rng.normal(0, 1.0, len(FEATURES))
            if kind == "drift" and day >= CHANGE:
                # 3 deviations of an hour: of channels' common scatter
                shift = shift + np.array([0, 0, 4.5, 0, 0, 0])
            start = BEGIN + 86_400 * day + 3600 * hour
            sketch = hour_of(rng, BIPOLAR_18, start, shift)
            if day >= CHANGE:
                sketch = damaged(sketch, kind, channel)
            known.sketches.append(sketch)
    return report(known)


def damaged(sketch: HourSketch, kind: str, channel: int) -> HourSketch:
    """The sketch with a fault of `channel`."""
    name = BIPOLAR_18[channel]
    if kind in ("flat", "off", "mains"):
        # what `Sketcher` leaves of a channel at fault, see tests/monitoring/test_sketching.py
        features = sketch.features.copy()
        features[channel] = UNKNOWN
        pairs = np.array([channel in pair for pair in sketch.setup.pairs])
        correlations = np.where(pairs, 0, sketch.correlations)
        return replace(
            sketch,
            features=features,
            correlations=correlations,
            logits=0 * sketch.logits,
            signs={f"{kind}:{name}": Sign(60, 0, 3600)},
        )
    if kind == "swapped":
        other = (channel + 7) % len(BIPOLAR_18)
        order = list(range(len(BIPOLAR_18)))
        order[channel], order[other] = other, channel
        index = {pair: k for k, pair in enumerate(sketch.setup.pairs)}
        moved = [
            index[min(order[i], order[j]), max(order[i], order[j])] for i, j in sketch.setup.pairs
        ]
        return replace(
            sketch, features=sketch.features[order], correlations=sketch.correlations[:, moved]
        )
    return sketch


def drifting(result: PatientReport) -> bool:
    return any(day.drift.kind == "drift" for day in result.days)


KINDS = ("flat", "off", "mains", "swapped", "drift", "none")


@pytest.mark.parametrize(
    "counts", [(1,) * 6, pytest.param((30, 30, 30, 30, 40, 40), marks=pytest.mark.slow)]
)
def test_a_fault_is_no_drift_and_a_drift_no_fault(counts: tuple[int, ...]) -> None:
    results = {
        kind: [patient(number, kind) for number in range(count)]
        for kind, count in zip(KINDS, counts, strict=True)
    }
    for kind in KINDS[:4]:
        for result in results[kind]:
            called = {day.date: {fault.kind for fault in day.faults} for day in result.days}
            expected = [False] * CHANGE + [True] * (DAYS - CHANGE)
            assert [bool(faults) for faults in called.values()] == expected, result.key
            assert set.union(*called.values()) == {kind}, result.key
        assert sum(map(drifting, results[kind])) <= 0.1 * len(results[kind]), kind
    assert not any(result.faults for result in (*results["drift"], *results["none"]))
    assert sum(map(drifting, results["drift"])) >= 0.9 * len(results["drift"])
    assert sum(map(drifting, results["none"])) <= 0.1 * len(results["none"])
