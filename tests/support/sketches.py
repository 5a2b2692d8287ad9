"""Hours of simulated patients as sketches, without any signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np

from secateur.monitoring.sketch import (
    CORRELATION_UNIT,
    FEATURES,
    HourSketch,
    Setup,
    empty_sketch,
    in_steps,
    logit_counts,
)
from secateur.monitoring.state import Patient
from secateur.recordings.montage import BIPOLAR_18

LEVELS = np.array([22.0, 24.0, 18.0, 17.0, 14.0, 8.0])
"""dB, by `FEATURES`: what EEG of adults has, roughly."""


def hour_of(
    rng: np.random.Generator,
    channels: Sequence[str],
    start: int,
    shift: np.ndarray | float = 0.0,
    logit: float = -4.0,
) -> HourSketch:
    """An hour whose minutes scatter as those of EEG do; `shift`: dB, channels × features or broadcast."""
    setup = Setup(tuple(channels), tuple(channels), 256.0)
    count = len(channels)
    minutes = rng.normal(0, 2.5, (count, len(FEATURES), 60)) + rng.normal(0, 2.0, (1, 1, 60))
    values = LEVELS[None, :, None] + np.broadcast_to(shift, (count, len(FEATURES)))[..., None]
    related = neighbourhood(count)
    noisy = np.tanh(np.arctanh(related) + rng.normal(0, 0.05, len(related)))
    correlations = np.stack((60 * np.round(CORRELATION_UNIT * noisy), np.full(len(related), 60)))
    probability = 1 / (1 + np.exp(-rng.normal(logit, 1.5, 360)))
    empty = empty_sketch(start, setup)
    return HourSketch(
        start,
        setup,
        3600,
        np.sort(in_steps(values + minutes), axis=2),
        empty.bad_seconds,
        correlations.astype(np.int64),
        10 * logit_counts(probability),
        3600,
        10 * int((probability >= 0.5).sum()),
    )


@cache
def neighbourhood(count: int) -> np.ndarray:
    """Correlations of `count` channels, two by two: no two channels are like each other to all the others."""
    places = np.random.default_rng(7).normal(size=(count, 3))
    distance = np.sum((places[:, None] - places[None]) ** 2, axis=2)
    return np.asarray(0.9 * np.exp(-distance[np.triu_indices(count, 1)] / 3))


class RememberedPatient(Patient):
    """A patient whose sketches were never packed."""

    sketches: list[HourSketch]

    def hours(self) -> Iterator[HourSketch]:
        """The sketches."""
        return iter(self.sketches)


BEGIN = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())


def days_of(
    rng: np.random.Generator,
    days: int,
    shift: Callable[[int], np.ndarray] | None = None,
    alarms: tuple[int, int] = (0, 0),
) -> list[HourSketch]:
    """Days of eight hours. `shift`: dB by feature; `alarms`: an hour, and thousandths expected to be true."""
    sketches = []
    for day in range(days):
        for hour in range(0, 24, 3):
            own = rng.normal(0, 1.0, len(FEATURES)) + (0 if shift is None else shift(day))
            sketch = hour_of(rng, BIPOLAR_18, BEGIN + 86_400 * day + 3600 * hour, own)
            sketches.append(replace(sketch, alarms=alarms[0], expected=alarms[1]))
    return sketches
