"""A fault is no drift, and a drift no fault: two hundred patients, from their hours' sketches to verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.monitoring.judging import PatientReport, report
from secateur.monitoring.sketch import (
    CORRELATION_UNIT,
    FEATURES,
    LEAST_MINUTES,
    UNKNOWN,
    HourSketch,
    SavedHour,
    Setup,
    Sign,
    empty_sketch,
    in_steps,
    logit_counts,
)
from secateur.monitoring.state import Patient

ELECTRODES = ("Fp1", "F3", "C3", "P3", "O1", "Fz", "Cz", "Pz")
SETUP = Setup(ELECTRODES, ELECTRODES, 256.0, "unipolar")
DAYS, CLOCK, ONSET = 13, (1, 5, 9, 13, 17, 22), 8
MIDNIGHT = 20_000 * 86_400
PATIENTS = 200

Hours = dict[tuple[int, int], HourSketch]
"""Sketches by day and hour of the clock."""


def patient_hours(generator: np.random.Generator) -> Hours:
    """A patient whose days differ by 0.3 of an hour's deviation, asleep and awake; levels in decibels."""
    channels, minutes = len(ELECTRODES), LEAST_MINUTES
    shape = (DAYS, len(CLOCK))
    asleep = np.isin(CLOCK, (1, 5, 22))[:, None] * generator.uniform(-4, 4, len(FEATURES))
    common = asleep + generator.standard_normal((*shape, len(FEATURES)))
    common += 0.3 * generator.standard_normal((DAYS, 1, len(FEATURES)))
    own = generator.uniform(-6, 6, (channels, len(FEATURES)))
    own = own + 0.5 * generator.standard_normal((*shape, channels, len(FEATURES)))
    levels = common[:, :, None] + own
    noise = 1.5 * generator.standard_normal((*levels.shape, minutes))
    features = np.sort(in_steps(levels[..., None] + noise), axis=-1)
    distance = np.abs(np.subtract.outer(np.arange(channels), np.arange(channels)))
    usual = np.array([0.8 ** distance[pair] for pair in SETUP.pairs])
    usual *= generator.uniform(0.6, 1, len(usual))
    related = np.tanh(np.arctanh(usual) + 0.05 * generator.standard_normal((*shape, 1)))
    logit = -4 + generator.standard_normal((*shape, 1)) + generator.standard_normal((*shape, 300))
    return {
        (day, hour): replace(
            empty_sketch(MIDNIGHT + 86_400 * day + 3600 * hour, SETUP),
            seconds=60 * minutes,
            features=features[day, k],
            correlations=np.stack(
                (
                    np.round(related[day, k] * minutes * CORRELATION_UNIT).astype(np.int64),
                    np.full(len(usual), minutes),
                )
            ),
            logits=logit_counts(1 / (1 + np.exp(-logit[day, k]))),
            windows=300,
            high=int((logit[day, k] > 0).sum()),
        )
        for day in range(DAYS)
        for k, hour in enumerate(CLOCK)
    }


def hidden(hour: HourSketch, channels: list[int], kind: str) -> HourSketch:
    """The hour with channels that a rule took out, as a sketch of such a signal has them."""
    features, correlations = hour.features.copy(), hour.correlations.copy()
    features[channels] = UNKNOWN
    lost = [bool(set(pair) & set(channels)) for pair in SETUP.pairs]
    correlations[:, lost] = 0
    name = " and ".join(ELECTRODES[channel] for channel in channels)
    sign = Sign(hour.minutes, 0, hour.seconds)
    return replace(
        hour, features=features, correlations=correlations, signs={f"{kind}:{name}": sign}
    )


def exchanged(hour: HourSketch, left: int, right: int) -> HourSketch:
    """The hour with two channels that changed places."""
    order = np.arange(len(ELECTRODES))
    order[[left, right]] = right, left
    place = {pair: k for k, pair in enumerate(SETUP.pairs)}
    pairs = [place[min(order[a], order[b]), max(order[a], order[b])] for a, b in SETUP.pairs]
    return replace(hour, features=hour.features[order], correlations=hour.correlations[:, pairs])


def with_fault(hours: Hours, kind: str, generator: np.random.Generator) -> Hours:
    """The same hours with a lasting fault from a day on."""
    left = int(generator.integers(len(ELECTRODES)))
    # Far enough: two neighbours that change places are too much alike to be told.
    right = (left + 4) % len(ELECTRODES)
    changed = dict(hours)
    for (day, clock), hour in hours.items():
        if day < ONSET:
            continue
        if kind == "swapped":
            changed[day, clock] = exchanged(hour, left, right)
        elif kind == "rate":
            changed[day, clock] = replace(hour, setup=replace(SETUP, rate=512.0))
        else:
            channels = sorted((left, right)) if kind == "bridged" else [left]
            changed[day, clock] = hidden(hour, channels, kind)
    return changed


def with_drift(hours: Hours, decibels: float, features: NDArray[np.int64]) -> Hours:
    """The same hours with features that are, from a day on, higher or lower at every channel."""
    steps = in_steps(np.array([decibels]))[0].astype(int) - in_steps(np.zeros(1))[0]
    changed = dict(hours)
    for (day, clock), hour in hours.items():
        if day >= ONSET:
            moved = hour.features.astype(int)
            moved[:, features] += steps
            changed[day, clock] = replace(hour, features=moved.astype(np.uint8))
    return changed


def judged(hours: Hours) -> PatientReport:
    patient = Patient("sub-01", setups=[])
    for _, hour in sorted(hours.items()):
        if hour.setup not in patient.setups:
            patient.setups.append(hour.setup)
        index = patient.setups.index(hour.setup)
        patient.saved[hour.start, index] = SavedHour.of(hour, index)
    return report(patient)


FAULTS = ("flat", "railed", "mains", "off", "bridged", "swapped", "rate")


@pytest.fixture(scope="module")
def reports() -> list[tuple[str, PatientReport]]:
    """By what befell them on the ninth day: a hundred with a fault, a hundred with a drift."""

    def each() -> Iterator[tuple[str, PatientReport]]:
        for number in range(PATIENTS):
            generator = np.random.default_rng([16, number])
            hours = patient_hours(generator)
            if number % 2:
                kind = FAULTS[number // 2 % len(FAULTS)]
                yield kind, judged(with_fault(hours, kind, generator))
            else:
                features = generator.permutation(len(FEATURES))[: generator.integers(1, 7)]
                decibels = float(generator.choice((-3, 3)))
                yield "drift", judged(with_drift(hours, decibels, features))

    return list(each())


@pytest.mark.slow
def test_a_fault_is_called_at_once_and_is_no_drift(
    reports: list[tuple[str, PatientReport]],
) -> None:
    faulty = [(kind, result) for kind, result in reports if kind != "drift"]
    assert len(faulty) == PATIENTS // 2
    for kind, result in faulty:
        assert {fault.kind for fault in result.days[ONSET].faults} == {kind}
        assert not any(day.faults for day in result.days[:ONSET])
    # 5 % of patients in a month may have a false alarm; these are six days of a hundred patients.
    false = [kind for kind, result in faulty if any(d.drift.kind == "drift" for d in result.days)]
    assert len(false) <= 3, false


@pytest.mark.slow
def test_a_drift_is_called_and_is_no_fault(reports: list[tuple[str, PatientReport]]) -> None:
    drifting = [result for kind, result in reports if kind == "drift"]
    assert not any(result.faults for result in drifting)
    assert not any(day.kind == "drift" for result in drifting for day in result.days[:ONSET])
    seen = [any(day.kind == "drift" for day in result.days[ONSET:]) for result in drifting]
    assert np.mean(seen) >= 0.9
