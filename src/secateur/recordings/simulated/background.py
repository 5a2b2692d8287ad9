"""The background: 1/f activity, the subject's alpha, and stretches of slow waves.

Noise is shaped in the frequency domain, a run at once: a second of simulated EEG costs less than a
millisecond that way. Slow waves and alpha come in stretches of high amplitude, because in real recordings
seizures are not what is largest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from secateur.recordings.simulated.head import ELECTRODES, conduction, index_of

SAMPLING_RATE = 256
"""Samples a second of every simulated recording."""

Shape = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""An amplitude spectrum: from frequencies in Hz to relative amplitudes."""

_ALPHA_SEATS = ("O1", "O2", "Pz")
_ELECTRODE_NOISE = np.float32(1.5)  # µV, each electrode's own
_SLOW_SEATS = ("Fz", "C3", "C4", "Pz")


@dataclass(frozen=True)
class Rhythms:
    """What is a subject's own in the background. Amplitudes are RMS in µV."""

    noise_amplitude: float
    noise_exponent: float
    alpha_frequency: float
    alpha_amplitude: float
    slow_frequency: float
    slow_amplitude: float


def draw_rhythms(generator: np.random.Generator) -> Rhythms:
    """A subject's rhythms."""
    return Rhythms(
        noise_amplitude=generator.uniform(15, 24),
        noise_exponent=generator.uniform(1.3, 1.9),
        alpha_frequency=generator.uniform(8.5, 11.5),
        alpha_amplitude=generator.uniform(15, 38),
        slow_frequency=generator.uniform(1.2, 2.4),
        slow_amplitude=generator.uniform(45, 70),
    )


def simulate_background(
    rhythms: Rhythms, samples: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Background in µV at the electrodes, shape (19, samples)."""
    count = len(ELECTRODES)
    noise = shaped_noise(count, samples, one_over_f(rhythms.noise_exponent), generator)
    potential = _SPREAD_OF_NOISE @ noise
    potential *= np.float32(rhythms.noise_amplitude) * _drift(samples, generator)
    potential += _ELECTRODE_NOISE * generator.standard_normal((count, samples), dtype=np.float32)
    alpha = shaped_noise(len(_ALPHA_SEATS), samples, band(rhythms.alpha_frequency, 0.7), generator)
    alpha *= np.float32(rhythms.alpha_amplitude) * stretches(samples, (12.0, 14.0), generator)
    potential += topography(_ALPHA_SEATS, 0.6) @ alpha
    slow = shaped_noise(len(_SLOW_SEATS), samples, band(rhythms.slow_frequency, 0.6), generator)
    slow *= np.float32(rhythms.slow_amplitude) * stretches(samples, (14.0, 30.0), generator)
    potential += topography(_SLOW_SEATS, 0.55) @ slow
    return potential


def shaped_noise(
    rows: int, samples: int, shape: Shape, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Gaussian noise of unit RMS with an amplitude spectrum, shape (rows, samples)."""
    length = scipy.fft.next_fast_len(samples, real=True)
    frequencies = scipy.fft.rfftfreq(length, 1 / SAMPLING_RATE)
    amplitude = shape(frequencies)
    amplitude[0] = 0
    amplitude *= length / np.sqrt(2 * 2 * np.sum(amplitude**2))
    spectrum = generator.standard_normal((rows, 2 * len(frequencies)), dtype=np.float32)
    waves = spectrum.view(np.complex64)
    waves *= amplitude.astype(np.float32)
    noise: NDArray[np.float32] = scipy.fft.irfft(waves, length, axis=1, overwrite_x=True)
    return noise[:, :samples]


def stretches(
    samples: int, lengths: tuple[float, float], generator: np.random.Generator
) -> NDArray[np.float32]:
    """An envelope that is 1 for some seconds and 0 for some, with soft edges. Shape (samples,).

    `lengths`: mean seconds on and off.
    """
    seconds = samples / SAMPLING_RATE
    times, levels, now = [0.0], [0.0], 0.0
    on = bool(generator.random() < lengths[0] / sum(lengths))
    levels[0] = float(on)
    while now < seconds:
        now += 2.0 + generator.exponential(lengths[0 if on else 1])
        times += [now, now + 1.5]
        levels += [float(on), float(not on)]
        now += 1.5
        on = not on
    clock = np.arange(samples) / SAMPLING_RATE
    return np.interp(clock, times, levels).astype(np.float32)


def one_over_f(exponent: float) -> Shape:
    """Power falling as 1/f^exponent above 1 Hz, level below, and nothing under 0.3 Hz."""
    return lambda frequencies: np.where(
        frequencies < 0.3, 0.0, np.maximum(frequencies, 1.0) ** (-exponent / 2)
    )


def band(centre: float, width: float) -> Shape:
    """A Gaussian peak; `width` is its standard deviation in Hz."""
    return lambda frequencies: np.exp(-((frequencies - centre) ** 2) / (2 * width**2))


def topography(seats: tuple[str, ...], width: float) -> NDArray[np.float32]:
    """How sources below these electrodes reach all of them, shape (19, seats)."""
    return conduction(width)[:, index_of(*seats)].astype(np.float32)


def _drift(samples: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Amplitude that wanders by a quarter over a minute or so, as vigilance does. Shape (samples,)."""
    knots = 2 + samples // (20 * SAMPLING_RATE)
    levels = np.exp(0.25 * generator.standard_normal(knots))
    return np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, knots), levels).astype(
        np.float32
    )


def _spread_of_noise() -> NDArray[np.float32]:
    weights = conduction(0.45)
    # Rows of unit length: every electrode sees the same power, wherever it sits.
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights.astype(np.float32)


_SPREAD_OF_NOISE = _spread_of_noise()
