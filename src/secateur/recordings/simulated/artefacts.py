"""What is in an EEG and not of the brain: blinks, muscle, movement, line noise, electrode pops.

Artefacts know nothing of seizures: they come at the same rate inside and outside, so that they can hide
one but never give one away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.recordings.simulated.background import (
    SAMPLING_RATE,
    band,
    shaped_noise,
    topography,
)
from secateur.recordings.simulated.head import ELECTRODES, conduction, index_of

_BLINK_WEIGHTS = {"Fp1": 1.0, "Fp2": 1.0, "F7": 0.35, "F8": 0.35, "F3": 0.4, "F4": 0.4, "Fz": 0.4}
_MUSCLE_SEATS = ("Fp1", "Fp2", "F7", "F8", "T3", "T4", "T5", "T6")


@dataclass(frozen=True)
class Nuisances:
    """How often (mean seconds between two) and how large (µV) a subject's artefacts are."""

    blink_pause: float
    blink_amplitude: float
    muscle_pause: float
    muscle_amplitude: float
    movement_pause: float
    movement_amplitude: float
    pop_pause: float
    line_frequency: int
    line_amplitude: float


def draw_nuisances(generator: np.random.Generator) -> Nuisances:
    """A subject's artefacts."""
    return Nuisances(
        blink_pause=generator.uniform(4, 12),
        blink_amplitude=generator.uniform(60, 140),
        muscle_pause=generator.uniform(20, 50),
        muscle_amplitude=generator.uniform(12, 35),
        movement_pause=generator.uniform(40, 90),
        movement_amplitude=generator.uniform(50, 120),
        pop_pause=generator.uniform(60, 180),
        line_frequency=int(generator.choice((50, 60))),
        line_amplitude=generator.uniform(0.5, 4),
    )


def add_artefacts(
    potential: NDArray[np.float32], nuisances: Nuisances, generator: np.random.Generator
) -> None:
    """Add all artefacts to potentials in µV of shape (19, samples), in place."""
    _add_blinks(potential, nuisances, generator)
    _add_muscle(potential, nuisances, generator)
    _add_movement(potential, nuisances, generator)
    _add_pops(potential, nuisances, generator)
    _add_line(potential, nuisances, generator)


def moments(samples: int, pause: float, generator: np.random.Generator) -> list[int]:
    """Samples at which something happens, on average every `pause` seconds."""
    count = generator.poisson(samples / SAMPLING_RATE / pause)
    return sorted(int(moment) for moment in generator.integers(0, samples, count))


def add_at(potential: NDArray[np.float32], moment: int, burst: NDArray[np.floating]) -> None:
    """Add a burst (19, length) from a sample on, cut at the recording's end."""
    length = min(burst.shape[1], potential.shape[1] - moment)
    potential[:, moment : moment + length] += burst[:, :length].astype(np.float32)


def _add_blinks(
    potential: NDArray[np.float32], nuisances: Nuisances, generator: np.random.Generator
) -> None:
    for moment in moments(potential.shape[1], nuisances.blink_pause, generator):
        weights, lobe = blink(int(SAMPLING_RATE * generator.uniform(0.25, 0.45)))
        size = nuisances.blink_amplitude * generator.uniform(0.6, 1.3)
        add_at(potential, moment, size * weights * lobe)


def blink(length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One blink: its weights at the electrodes, shape (19, 1), and its lobe, shape (length,)."""
    weights = np.zeros((len(ELECTRODES), 1))
    weights[index_of(*_BLINK_WEIGHTS), 0] = list(_BLINK_WEIGHTS.values())
    # A lid closes faster than it opens: the lobe's time is bent towards its start.
    return weights, np.sin(np.pi * np.linspace(0, 1, length) ** 0.75) ** 2


def _add_muscle(
    potential: NDArray[np.float32], nuisances: Nuisances, generator: np.random.Generator
) -> None:
    for moment in moments(potential.shape[1], nuisances.muscle_pause, generator):
        length = int(SAMPLING_RATE * generator.uniform(1, 7))
        seat = index_of(str(generator.choice(_MUSCLE_SEATS)))[0]
        burst = shaped_noise(len(ELECTRODES), length, band(65, 30), generator)
        reach = conduction(0.3)[:, [seat]] + 0.05
        size = nuisances.muscle_amplitude * generator.uniform(0.6, 1.6)
        add_at(potential, moment, size * reach * burst * np.hanning(length) ** 0.5)


def _add_movement(
    potential: NDArray[np.float32], nuisances: Nuisances, generator: np.random.Generator
) -> None:
    for moment in moments(potential.shape[1], nuisances.movement_pause, generator):
        length = int(SAMPLING_RATE * generator.uniform(2, 8))
        seats = tuple(str(name) for name in generator.choice(ELECTRODES, 3, replace=False))
        sway = shaped_noise(len(seats), length, band(1.0, 0.8), generator)
        size = nuisances.movement_amplitude * generator.uniform(0.5, 1.4)
        add_at(potential, moment, size * topography(seats, 0.4) @ sway * np.hanning(length))


def _add_pops(
    potential: NDArray[np.float32], nuisances: Nuisances, generator: np.random.Generator
) -> None:
    for moment in moments(potential.shape[1], nuisances.pop_pause, generator):
        # The contact jumps and the amplifier's high-pass lets it creep back.
        fall = np.exp(-np.arange(3 * SAMPLING_RATE) / (SAMPLING_RATE * generator.uniform(0.1, 0.7)))
        where = np.zeros((len(ELECTRODES), 1))
        where[generator.integers(len(ELECTRODES))] = generator.choice((-1.0, 1.0))
        add_at(potential, moment, generator.uniform(80, 350) * where * fall)


def _add_line(
    potential: NDArray[np.float32], nuisances: Nuisances, generator: np.random.Generator
) -> None:
    """Hum at the mains frequency: each electrode picks up its own share of one wave."""
    samples = potential.shape[1]
    shares = nuisances.line_amplitude * generator.uniform(0.3, 1.7, (len(ELECTRODES), 1))
    # A second holds a whole number of periods, so one second of the wave repeats.
    turn = 2 * np.pi * nuisances.line_frequency / SAMPLING_RATE
    wave = np.sin(turn * np.arange(SAMPLING_RATE) + generator.uniform(0, 2 * np.pi))
    hum = np.resize(wave.astype(np.float32), samples)
    potential += shares.astype(np.float32) * hum
