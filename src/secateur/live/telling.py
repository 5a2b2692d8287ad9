"""The channels that speak most for an event, worked out window by window while it goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import SecateurError
from secateur.events import Event
from secateur.explaining.explanation import ranked
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.settings import ExplainingSettings
from secateur.explaining.writing import most_telling
from secateur.live.bed import Bed

_KEPT = 600.0
"""Seconds for which a window's shares are kept once no event goes on."""


class TellingChannels:
    """What each channel adds to the margin of an event's windows, by input × gradient, as `explain` has it.

    `channels`: of the montage. The gradient is taken as each window comes that may belong to an event: when
    one opens at many beds at once, there is one window of each to be looked at.
    """

    def __init__(self, network: ExplainedNetwork, channels: Sequence[str]) -> None:
        self._network, self._channels = network, tuple(channels)
        self._shares: dict[float, NDArray[np.float64]] = {}  # by where the window's stretch begins
        self._last: tuple[float, NDArray[np.float32]] | None = None

    def look(self, second: float, window: NDArray[np.float32], pending: bool) -> None:
        """Take in a window: see `WindowTap`."""
        self._last = second, window
        if pending:
            self._shares[second] = self._share(window)
        elif self._shares:
            self._shares = {k: each for k, each in self._shares.items() if k > second - _KEPT}

    def _share(self, window: NDArray[np.float32]) -> NDArray[np.float64]:
        rows = window.reshape(1, len(self._channels), -1)
        _, gradients = self._network.gradients(rows)
        return np.asarray((rows * gradients)[0].sum(axis=1, dtype=np.float64))

    def channels(self, event: Event) -> tuple[str, ...] | None:
        """Of the event's windows so far, the most telling first; None where no window is at hand."""
        shares = [
            share for k, share in self._shares.items() if event.onset - 1e-6 < k < event.end - 1e-6
        ]
        return self._most(np.mean(shares, axis=0)) if shares else None

    def latest(self) -> tuple[str, ...] | None:
        """The same of the last window."""
        if self._last is None:
            return None
        second, window = self._last
        known = self._shares.get(second)
        return self._most(self._share(window) if known is None else known)

    def _most(self, shares: NDArray[np.float64]) -> tuple[str, ...]:
        return tuple(most_telling(ranked(self._channels, shares)))


def explain_beds(beds: Sequence[Bed], detector: Detector) -> str | None:
    """Have each bed's alarms name channels; else give the reason why this detector's can't."""
    network = ExplainedNetwork(detector)
    try:
        network.require(ExplainingSettings().method)
    except SecateurError as error:
        return str(error)
    for bed in beds:
        bed.explain(TellingChannels(network, bed.montage))
    return None
