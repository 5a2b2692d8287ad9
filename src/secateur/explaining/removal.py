"""Attribution by taking parts of a window away: a second of a channel, a band, coalitions of them.

What is taken away is replaced by the same part of the patient's own background. A network sees zeros as a
channel that fell off, so zeros never stand in. Seconds fade into each other over a tenth of a second.
Sources: M. D. Zeiler and R. Fergus, arXiv 1311.2901 (occlusion); S. M. Lundberg and S.-I. Lee, arXiv
1705.07874 (Shapley values of a model's inputs).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from secateur.explaining.bands import BANDS, band_parts
from secateur.explaining.network import ExplainedNetwork, Windows
from secateur.explaining.shapley import Shapley, shapley_values

_FADE = 0.1
"""Seconds over which one second passes into the next."""

Window = NDArray[np.float32]
"""Channels × samples."""


@lru_cache(maxsize=64)
def fades(edges: tuple[int, ...], samples: int, rate: float) -> NDArray[np.float32]:
    """How much of each sample belongs to each cell of time: cells × samples, which add up to one.

    `edges`: samples at which cells begin, the first 0.
    """
    time, half = np.arange(samples) + 0.5, max(1.0, _FADE * rate) / 2
    risen = [np.ones(samples)]
    for edge in edges[1:]:
        way = np.clip((time - edge + half) / (2 * half), 0, 1)
        risen.append((1 - np.cos(np.pi * way)) / 2)
    risen.append(np.zeros(samples))
    steps = np.stack(risen)
    return np.asarray(steps[:-1] - steps[1:], dtype=np.float32)


@dataclass(frozen=True)
class Game:
    """A window whose parts are the players, and the background that stands in for those that are absent.

    `references`: k windows of background. `cells`: fades of time, cells × samples. `players`: "cells"
    (channels × cells of time, in this order), "channels", "seconds" or "bands".
    """

    network: ExplainedNetwork
    window: Window
    references: Windows
    cells: NDArray[np.float32]
    rate: float
    players: str = "cells"

    @property
    def count(self) -> int:
        """How many players there are."""
        channels, seconds = len(self.window), len(self.cells)
        return {
            "bands": len(BANDS),
            "channels": channels,
            "seconds": seconds,
            "cells": channels * seconds,
        }[self.players]

    def worth(self, present: NDArray[np.bool_], reference: int) -> NDArray[np.float64]:
        """The margin for each coalition (coalitions × players), what is absent taken from a reference."""
        most = 64  # so many windows are put together at once
        return np.concatenate(
            [
                self.network.margins(self._windows(present[first : first + most], reference))
                for first in range(0, len(present), most)
            ]
        )

    def _windows(self, present: NDArray[np.bool_], number: int) -> Windows:
        reference = self.references[number]
        way = self.window - reference
        there = present.astype(np.float32)
        if self.players == "bands":
            parts = band_parts(way, self.rate)
            return np.asarray(reference + np.tensordot(there, parts, axes=1))
        if self.players == "channels":
            return np.asarray(reference + there[:, :, None] * way)
        if self.players == "seconds":
            return np.asarray(reference + (there @ self.cells)[:, None] * way)
        there = there.reshape(len(present), len(self.window), -1)
        return np.asarray(reference + (there @ self.cells) * way)

    def occlusion(self) -> tuple[NDArray[np.float64], float]:
        """By how much the margin falls where each player by itself is absent, shape (players,).

        And the mean margin of the references. All references count alike.
        """
        present = ~np.eye(self.count, dtype=bool)
        everybody = np.ones((1, self.count), dtype=bool)
        falls = np.zeros(self.count)
        for number in range(len(self.references)):
            worths = self.worth(np.concatenate([everybody, present]), number)
            falls += worths[0] - worths[1:]
        start = float(self.network.margins(self.references).mean())
        return falls / len(self.references), start

    def shapley(self, samples: int, generator: np.random.Generator) -> Shapley:
        """The players' Shapley values; see `shapley_values`."""
        return shapley_values(self.worth, self.count, samples, len(self.references), generator)
