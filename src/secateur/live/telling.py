"""The channels that speak most for an event, from the signal of the last minutes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import SecateurError
from secateur.events import Event
from secateur.explaining import ExplainingSettings, explain_events
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.writing import most_of
from secateur.recordings import ArrayRecording

KEPT = 120.0
"""Seconds of signal; of a longer event its end is explained."""
_SETTLING = 2.0
"""Seconds that filters take, where the signal at hand begins in the middle of a stretch."""


class TellingChannels:
    """Explains a stream's events by the default method.

    `labels`: of the channels that will be pushed, all that the montage needs. Raises `SettingsError` where
    the detector's network doesn't allow the method.
    """

    def __init__(self, network: ExplainedNetwork, labels: Sequence[str], rate: float) -> None:
        network.require(ExplainingSettings().method)
        self._network, self._labels, self._rate = network, tuple(labels), rate
        info = network.detector.info
        self._length, self._hop = (n / info.chain.sampling_rate for n in info.window_and_hop)
        self._parts: list[NDArray[np.float32]] = []
        self._held = 0
        self._next = self._origin = 0  # the sample to come, and where the stretch begins

    @classmethod
    def of(cls, detector: Detector, labels: Sequence[str], rate: float) -> TellingChannels:
        """For one bed; several share an `ExplainedNetwork`."""
        return cls(ExplainedNetwork(detector), labels, rate)

    def push(self, at: int, samples: NDArray[np.float32]) -> None:
        """Take in channels × samples, µV; `at`: the stream's index of the first."""
        if at != self._next:
            self._restart(at)
        self._next = at + samples.shape[1]
        if not np.isfinite(samples.sum(dtype=np.float64)):
            last = int(np.flatnonzero(~np.isfinite(samples).all(axis=0))[-1])
            samples = samples[:, last + 1 :]
            self._restart(self._next - samples.shape[1])
        self._parts.append(samples)
        self._held += samples.shape[1]
        while self._parts and self._held - self._parts[0].shape[1] >= KEPT * self._rate:
            self._held -= self._parts.pop(0).shape[1]

    def _restart(self, at: int) -> None:
        self._parts, self._held, self._origin = [], 0, at

    def channels(self, event: Event) -> tuple[str, ...]:
        """The most telling first; none where the signal of the event is not at hand."""
        if not self._held:
            return ()
        # windows lie where the stream's lie
        first = self._next - self._held
        hops = int(np.ceil((first - self._origin) / self._rate / self._hop - 1e-9))
        begin = self._origin + round(hops * self._hop * self._rate)
        signal = np.concatenate(self._parts, axis=1)[:, begin - first :]
        offset = begin / self._rate
        least = self._length - self._hop + (_SETTLING if hops else 0.0)
        onset = max(event.onset - offset, least)
        end = min(event.end - offset, signal.shape[1] / self._rate)
        if end - onset < self._hop / 2:
            return ()
        recording = ArrayRecording(signal, self._rate, self._labels)
        try:
            (explanation,) = explain_events(
                self._network, recording, [Event(onset, end - onset)], too_slow="note"
            )
        except SecateurError:  # the signal at hand is too short to decide about it
            return ()
        return tuple(most_of(explanation)[0])
