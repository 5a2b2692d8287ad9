"""Patients whose hours are known: days that differ, dependence, sleep, gaps, and a shift where one is asked
for.

All in hourly deviations: an hour's own part has variance one, and the reference's mean is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from secateur.monitoring.drift import HOURS, MOST_NUMBERS


@dataclass(frozen=True)
class Kind:
    """Patients of one kind.

    `day_effect`: deviation of what a whole day has in common. `dependence`: of an hour on the hour before,
    through midnight. `sleep`: by how many deviations sleep differs at most; people go to bed and get up an
    hour earlier or later from day to day. `days_missing`, `hours_missing`: shares. `shape`: of an hour's own
    part: "normal", "t" (5 degrees of freedom) or "skewed" (exponential). `shared`: correlation of the
    numbers. `mixed`: half of the numbers have neither day effect nor dependence.
    """

    day_effect: float = 0.0
    dependence: float = 0.0
    sleep: float = 0.0
    days_missing: float = 0.0
    hours_missing: float = 0.0
    shape: str = "normal"
    shared: float = 0.0
    mixed: bool = False
    numbers: int = MOST_NUMBERS


def draw(
    kind: Kind, patients: int, days: int, reference_days: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Hours of patients, patients × days × 24 × numbers, NaN where missing.

    Days that are missing in all numbers are left out, after the reference only, so that fewer come back.
    """
    shape = (patients, kind.numbers, days * HOURS)
    hours = _own_part(kind, shape, generator)
    if kind.shared:
        common = _own_part(kind, (patients, 1, days * HOURS), generator)
        hours = np.sqrt(1 - kind.shared) * hours + np.sqrt(kind.shared) * common
    values = hours.reshape(patients, kind.numbers, days, HOURS)
    effect = generator.standard_normal((patients, kind.numbers, days, 1), dtype=np.float32)
    if kind.mixed:
        effect[:, 1::2] = 0
    values += np.float32(kind.day_effect) * effect
    if kind.sleep:
        size = generator.uniform(-kind.sleep, kind.sleep, (patients, kind.numbers, 1, 1))
        values += (size * _asleep((patients, 1, days), generator)).astype(np.float32)
    if kind.hours_missing:
        gone = generator.random((patients, 1, days, HOURS)) < kind.hours_missing
        values[np.broadcast_to(gone, values.shape)] = np.nan
    stay = generator.random(days) >= kind.days_missing
    stay[:reference_days] = True
    return np.moveaxis(values[:, :, stay], 1, 3)


def _own_part(
    kind: Kind, shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[np.float32]:
    """What an hour has for itself, variance one; each depends on the one before, along the last axis."""
    if kind.shape == "t":
        noise = generator.standard_t(5, shape).astype(np.float32) / np.float32(np.sqrt(5 / 3))
    elif kind.shape == "skewed":
        noise = generator.standard_exponential(shape, dtype=np.float32) - np.float32(1)
    else:
        noise = generator.standard_normal(shape, dtype=np.float32)
    if not kind.dependence:
        return noise
    dependent = noise[:, ::2] if kind.mixed else noise
    dependent[..., 1:] *= np.float32(np.sqrt(1 - kind.dependence**2))
    taps = np.array([1.0], np.float32), np.array([1.0, -kind.dependence], np.float32)
    dependent[...] = scipy.signal.lfilter(*taps, dependent, axis=-1)
    return noise


def _asleep(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:
    """The share of each hour of the clock that is slept, shape (*shape, 24)."""
    up = 7 + generator.standard_normal((*shape, 1))
    down = 23 + generator.standard_normal((*shape, 1))
    begins = np.arange(HOURS)
    share: NDArray[np.float64] = np.clip(up - begins, 0, 1) + np.clip(begins + 1 - down, 0, 1)
    return np.minimum(share, 1)
