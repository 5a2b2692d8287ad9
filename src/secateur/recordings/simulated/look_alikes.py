"""What resembles a seizure and is none: rhythms and artefacts as large, as rhythmic and as widespread as one.

They reach a seizure's band powers without its waveform, and know nothing of seizures: they come at the same
rate inside and outside. Rates, lengths and sizes after

- rhythms of drowsiness: Santamaria and Chiappa (1987), J Clin Neurophysiol 4:327-382; arch-shaped ones of
  6 to 11 Hz (wickets): Reiher and Lebel (1977), Can J Neurol Sci 4:39-47;
- spindles: De Gennaro and Ferrara (2003), Sleep Med Rev 7:423-440;
- chewing, tapped electrodes, eyelid flutter, rocking: Tatum, Dworetzky and Schomer (2011), J Clin
  Neurophysiol 28:252-263; White and Van Cott (2010), Am J Electroneurodiagnostic Technol 50:8-25.

Drowsy rhythms take half of the time, more than in most people, so that a few minutes teach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.recordings.simulated.artefacts import add_at, blink, moments
from secateur.recordings.simulated.background import (
    SAMPLING_RATE,
    Shape,
    band,
    shaped_noise,
    topography,
)
from secateur.recordings.simulated.head import DISTANCES, ELECTRODES, conduction

_SPINDLE_SEATS = ("Fz", "Cz", "C3", "C4")
_CHEWING_SEATS = ("F7", "F8", "T3", "T4", "T5", "T6")
_REACH_OF_PATCH = 0.35  # head radii, as a seizure's patches
_EDGE = 0.5  # seconds in which a spell comes and goes


@dataclass(frozen=True)
class Spell:
    """A subject's own of one kind. `pause`: mean seconds between two; `lasts`: seconds, least and most;
    `rate` in Hz; `amplitude` in µV of a source.
    """

    pause: float
    lasts: tuple[float, float]
    rate: float
    amplitude: float


Sources = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Weights at the electrodes, shape (19, sources), and waves of unit size, shape (sources, length)."""


def draw_look_alikes(generator: np.random.Generator) -> dict[str, Spell]:
    """A subject's look-alikes, by kind."""
    uniform = generator.uniform
    return {
        "drowsy": Spell(uniform(10, 22), (4, 14), uniform(5.5, 9), uniform(10, 30)),
        "spindle": Spell(uniform(15, 40), (0.6, 2), uniform(11.5, 15), uniform(30, 60)),
        "chewing": Spell(uniform(50, 120), (5, 15), uniform(1, 2), uniform(40, 90)),
        "tapping": Spell(uniform(60, 150), (4, 14), uniform(2, 6), uniform(80, 250)),
        "flutter": Spell(uniform(60, 150), (3, 8), uniform(2, 4), uniform(60, 140)),
        "rocking": Spell(uniform(60, 150), (5, 15), uniform(1, 4), uniform(40, 100)),
    }


def add_look_alikes(
    potential: NDArray[np.float32],
    spells: Mapping[str, Spell],
    kinds: Iterable[str],
    generator: np.random.Generator,
) -> None:
    """Add spells of these kinds to potentials in µV of shape (19, samples), in place."""
    for kind in kinds:
        spell = spells[kind]
        for moment in moments(potential.shape[1], spell.pause, generator):
            length = int(SAMPLING_RATE * generator.uniform(*spell.lasts))
            size = spell.amplitude * generator.uniform(0.7, 1.3)
            weights, waves = _SOURCES[kind](spell, length, generator)
            edge = np.minimum(np.arange(length), np.arange(length)[::-1]) / (_EDGE * SAMPLING_RATE)
            add_at(potential, moment, size * weights @ (waves * np.minimum(edge, 1)))


def _drowsy(spell: Spell, length: int, generator: np.random.Generator) -> Sources:
    """Rhythmic theta or arches, widespread around anywhere."""
    seats = np.argsort(DISTANCES[generator.integers(len(ELECTRODES))])
    seats = seats[: generator.integers(9, 18)]
    rate = spell.rate * generator.uniform(0.85, 1.15)
    rhythm = _harmonics(rate, generator.uniform(0.009, 0.015))
    waves = shaped_noise(len(seats) + 1, length, rhythm, generator)
    # Neighbours share some of it; each has its own size.
    waves = waves[1:] + np.float32(0.4) * waves[:1]
    waves *= generator.uniform(0.2, 1.4, (len(seats), 1)).astype(np.float32)
    return conduction(_REACH_OF_PATCH)[:, seats], waves


def _harmonics(rate: float, width: float) -> Shape:
    """The spectrum of spikes `width` seconds wide (standard deviation) at a rate in Hz that wavers.

    Drawn as noise its phases are independent: a sharp rhythm's band powers without its sharpness.
    """

    def shape(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        comb = sum(band(k * rate, 0.12 * k * rate)(frequencies) / k**0.8 for k in range(1, 7))
        return np.asarray(comb * np.exp(-0.5 * (2 * np.pi * frequencies * width) ** 2))

    return shape


def _spindle(spell: Spell, length: int, generator: np.random.Generator) -> Sources:
    rhythm = band(spell.rate * generator.uniform(0.95, 1.05), 0.5)
    waves = shaped_noise(len(_SPINDLE_SEATS), length, rhythm, generator)
    return topography(_SPINDLE_SEATS, 0.45), waves


def _chewing(spell: Spell, length: int, generator: np.random.Generator) -> Sources:
    """Temporal muscle in each closing of the jaw, and the tongue's slow potential."""
    turns = 2 * np.pi * _turns(spell, length, generator)
    muscle = shaped_noise(len(_CHEWING_SEATS), length, band(45, 30), generator)
    waves = muscle * np.maximum(np.sin(turns), 0) + 0.5 * np.sin(turns + 1)
    return topography(_CHEWING_SEATS, 0.4), waves


def _tapping(spell: Spell, length: int, generator: np.random.Generator) -> Sources:
    """Knocks on one to three electrodes, each a jump from which the contact comes back."""
    seats = generator.choice(len(ELECTRODES), generator.integers(1, 4), replace=False)
    fall = generator.uniform(0.03, 0.1)
    since = _turns(spell, length, generator) % 1 / spell.rate
    knocks = np.exp(-since / fall) - fall * spell.rate
    weights = np.zeros((len(ELECTRODES), 1))
    weights[seats, 0] = generator.uniform(0.3, 1, len(seats))
    return weights, knocks[np.newaxis]


def _flutter(spell: Spell, length: int, generator: np.random.Generator) -> Sources:
    """Eyelids that blink in rhythm."""
    turns = _turns(spell, length, generator) % 1
    weights, lobe = blink(SAMPLING_RATE)
    lids = np.interp(turns, np.linspace(0, 1, len(lobe)), lobe) - lobe.mean()
    return weights, lids[np.newaxis]


def _rocking(spell: Spell, length: int, generator: np.random.Generator) -> Sources:
    """Cables and head that move in rhythm: one wave, to each electrode its own share."""
    waves = np.sin(2 * np.pi * _turns(spell, length, generator))
    weights = conduction(0.4) @ generator.standard_normal((len(ELECTRODES), 1))
    return 0.5 * weights, waves[np.newaxis]


def _turns(spell: Spell, length: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Periods that have passed, at a rate that wanders by a tenth, shape (length,)."""
    knots = 2 + int(length / SAMPLING_RATE)
    rates = spell.rate * np.exp(0.1 * generator.standard_normal(knots))
    rate = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, knots), rates)
    return np.asarray(np.cumsum(rate) / SAMPLING_RATE)


_SOURCES: Mapping[str, Callable[[Spell, int, np.random.Generator], Sources]] = {
    "drowsy": _drowsy,
    "spindle": _spindle,
    "chewing": _chewing,
    "tapping": _tapping,
    "flutter": _flutter,
    "rocking": _rocking,
}

BRAIN = ("drowsy", "spindle")
"""Kinds that are part of the background, which a seizure hushes."""

ARTEFACTS = ("chewing", "tapping", "flutter", "rocking")
"""Kinds that lie over all."""
