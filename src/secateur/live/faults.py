"""Channels that are flat or at their converter's limit, second by second while the signal comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.monitoring.faults import WORDS
from secateur.monitoring.signs import seconds_at_fault, stride_of

KINDS = ("flat", "railed")
_ROWS = [0, 2]  # of what `seconds_at_fault` gives
LASTING = 10
"""Seconds in a row after which a fault is told, and after which it is over."""


@dataclass(frozen=True)
class FaultChange:
    """Channels whose fault is told at `second` of the stream, or is over there. `kind`: one of `KINDS`."""

    kind: str
    channels: tuple[str, ...]
    second: float
    begins: bool

    @property
    def words(self) -> str:
        """The change in a sentence."""
        names = ", ".join(self.channels)
        if self.begins:
            return f"{names}: {WORDS[self.kind]} for {LASTING} s, until {self.second:.1f} s"
        return f"{names}: no longer {self.kind}, for {LASTING} s, until {self.second:.1f} s"


class FaultWatch:
    """Looks at `labels`' channels by the rules of monitoring; seconds count from where a stretch begins.

    What it says does not depend on the pieces in which the signal comes. A fault outlasts a gap.
    """

    def __init__(self, labels: Sequence[str], rate: float) -> None:
        self._labels, self._rate = tuple(labels), rate
        self._second = np.empty((len(self._labels), int(np.ceil(rate)) + 1), dtype=np.float32)
        self._held = 0
        self._origin, self._seconds = (
            0,
            0,
        )  # sample where the stretch begins, seconds of it looked at
        shape = (len(KINDS), len(self._labels))
        self._at_fault = np.zeros(shape, dtype=np.bool_)
        self._against = np.zeros(shape, dtype=np.int64)  # seconds in a row that speak for a change

    def restart(self, at: int) -> None:
        """A stretch begins at the stream's sample `at`."""
        self._origin, self._seconds, self._held = at, 0, 0

    def push(self, samples: NDArray[np.float32]) -> list[FaultChange]:
        """Take in channels × any number of samples, µV, that follow those before."""
        changes: list[FaultChange] = []
        if not np.isfinite(samples.sum(dtype=np.float64)):
            samples = np.nan_to_num(samples, posinf=0.0, neginf=0.0)  # no value is no signal
        at = 0
        while at < samples.shape[1]:
            edges = (round((self._seconds + k) * self._rate) for k in (0, 1))
            length = -next(edges) + next(edges)
            count = min(length - self._held, samples.shape[1] - at)
            self._second[:, self._held : self._held + count] = samples[:, at : at + count]
            self._held += count
            at += count
            if self._held == length:
                changes += self._look(length)
        return changes

    def _look(self, length: int) -> list[FaultChange]:
        looks = self._second[:, : length : stride_of(float(length))]
        bad = seconds_at_fault(looks, float(length), 1)[_ROWS, :, 0]
        self._held = 0
        self._seconds += 1
        self._against = np.where(bad != self._at_fault, self._against + 1, 0)
        changed = self._against >= LASTING
        if not changed.any():
            return []
        self._at_fault ^= changed
        self._against[changed] = 0
        second = self._origin / self._rate + self._seconds
        return [
            FaultChange(kind, tuple(self._labels[k] for k in np.flatnonzero(mine)), second, begins)
            for begins in (False, True)
            for kind, row, now in zip(KINDS, changed, self._at_fault, strict=True)
            if (mine := row & (now == begins)).any()
        ]

    def state(self) -> dict[str, Any]:
        """All that later changes depend on."""
        return {
            "origin": self._origin,
            "seconds": self._seconds,
            "at_fault": self._at_fault,
            "against": self._against,
            "second": self._second[:, : self._held].copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave. Raises `ValueError` for what none can have given."""
        second = np.asarray(state["second"], dtype=np.float32)
        at_fault = np.asarray(state["at_fault"], dtype=np.bool_)
        against = np.asarray(state["against"], dtype=np.int64)
        if (
            second.ndim != 2
            or len(second) != len(self._labels)
            or second.shape[1] >= self._second.shape[1]
            or not at_fault.shape == against.shape == self._at_fault.shape
        ):
            raise ValueError("faults of other channels")
        self._origin, self._seconds = int(state["origin"]), int(state["seconds"])
        self._held = second.shape[1]
        self._second[:, : self._held] = second
        self._at_fault, self._against = at_fault.copy(), against.copy()
