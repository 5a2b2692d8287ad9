"""The bands of EEG as parts of a window that add up to it.

A window is taken apart by the Fourier transform of it and its own mirror image behind it: no edge appears
that wasn't there. Where two bands meet, the one falls as the other rises, over half a hertz on each side.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BANDS = ("delta", "theta", "alpha", "beta", "gamma")
EDGES = (4.0, 8.0, 13.0, 30.0)
"""Hz between two bands; delta holds all that is slower, gamma all that is faster."""
_HALF = 0.5


@lru_cache(maxsize=4)
def _weights(samples: int, rate: float) -> NDArray[np.float32]:
    """How much of each frequency of a mirrored signal belongs to each band: bands × (samples + 1)."""
    frequency = np.arange(samples + 1) * rate / (2 * samples)
    risen = [np.ones(samples + 1)]
    for edge in EDGES:
        way = np.clip((frequency - edge + _HALF) / (2 * _HALF), 0, 1)
        risen.append((1 - np.cos(np.pi * way)) / 2)
    risen.append(np.zeros(samples + 1))
    steps = np.stack(risen)
    return np.asarray(steps[:-1] - steps[1:], dtype=np.float32)


def _spectrum(signal: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The Fourier transform of a signal followed by itself turned round."""
    return np.asarray(np.fft.rfft(np.concatenate((signal, signal[..., ::-1]), axis=-1)))


def band_parts(signal: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """`signal` (… × samples) as bands × … × samples, which add up to it."""
    samples = signal.shape[-1]
    shape = (len(BANDS), *[1] * (signal.ndim - 1), samples + 1)
    parts = np.fft.irfft(_weights(samples, rate).reshape(shape) * _spectrum(signal), 2 * samples)
    return np.asarray(parts[..., :samples], dtype=np.float32)


def products_by_band(
    signal: NDArray[np.float32], weights: NDArray[np.float32], rate: float
) -> NDArray[np.float64]:
    """The sum over channels and samples of signal × weights, by the signal's bands.

    `signal`, `weights`: n × channels × samples. Returns n × bands, which add up to the sum over all. By
    Parseval's theorem: no band is computed as a signal.
    """
    samples = signal.shape[-1]
    both = (_spectrum(signal) * _spectrum(weights).conj()).real.sum(axis=-2, dtype=np.float64)
    both[:, 1:-1] *= 2  # the negative frequencies
    return np.asarray(both @ _weights(samples, rate).T.astype(np.float64) / (4 * samples))


def power_by_band(signal: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    """Share of the signal's power in each band: channels × samples to bands."""
    power = products_by_band(signal[None], signal[None], rate)[0]
    total = power.sum()
    return np.asarray(power / total if total > 0 else power)
