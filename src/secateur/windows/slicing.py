"""Where windows begin, what they speak for, what they are labelled, and how likely logits call them ictal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.events import Events
from secateur.windows.settings import WindowSettings


def window_samples(settings: WindowSettings, rate: float) -> tuple[int, int]:
    """Length and hop of a window in samples at `rate` Hz. Raises `SettingsError` where one is none."""
    length, hop = round(settings.length * rate), round(settings.hop * rate)
    if hop < 1 or length < 1:
        raise SettingsError(
            f"windows of {settings.length:g} s every {settings.hop:g} s are no whole sample at {rate:g} Hz"
        )
    return length, hop


def window_starts(samples: int, settings: WindowSettings, rate: float) -> NDArray[np.int64]:
    """First sample of each whole window in a signal of `samples`; empty where it is too short."""
    length, hop = window_samples(settings, rate)
    return np.arange(0, samples - length + 1, hop, dtype=np.int64)


@dataclass(frozen=True)
class Labels:
    """Truth for each window, shape (n,): `ictal`, and `edge` where an event begins or ends inside it."""

    ictal: NDArray[np.bool_]
    edge: NDArray[np.bool_]


def label_windows(
    begin: NDArray[np.float64], events: Events, settings: WindowSettings, rate: float
) -> Labels:
    """Label windows that begin at `begin` (seconds) by their share inside an event."""
    length, _ = window_samples(settings, rate)
    inside = events.overlap(begin, begin + length / rate) / (length / rate)
    # a hair of tolerance, or rounding decides about windows that lie exactly half inside
    ictal = inside >= settings.label_share - 1e-9
    edge = (inside > 1e-9) & (inside < 1 - 1e-9)
    return Labels(ictal, edge)


def decision_interval(
    starts: NDArray[np.int64], settings: WindowSettings, rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The stretch of time, in seconds, about which each window decides: its last hop."""
    length, hop = window_samples(settings, rate)
    stop = (starts + length) / rate
    return stop - hop / rate, stop


def probability_of(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probability of seizure from logits n × 2 (background, seizure): softmax's second part."""
    gap = np.asarray(logits[:, 1], dtype=np.float64) - logits[:, 0]
    return np.asarray(0.5 * (1 + np.tanh(gap / 2)))  # the logistic function, without overflow
