"""Whether voltages are such as an EEG has, whatever file, array or stream they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.recordings.recording import Recording

LEAST_SPREAD, LARGEST_SPREAD = 0.1, 2_000.0
"""µV; a channel's standard deviation within some seconds lies between them wherever EEG is recorded."""

_LOOKS_A_SECOND = 2
_BLOCK = 8
"""Looks, some four seconds of them, of which a standard deviation is taken: drift within them is small."""
_STILL_SHARE, _LIMIT_SHARE = 0.5, 0.2
_LEAST_LOOKS = 40
"""Of fewer, too many are extremes by chance."""
_ENOUGH = 15
"""Blocks, a minute, after which a recording that goes on is judged."""
_BLOCKS_AT_ONCE = 40
"""Blocks of a file that are gathered before they are looked at, to spare calls."""
_STRETCHES_READ = 40

_STANDSTILL = "has stood still for"

_STATE = (
    "ahead", "held", "blocks", "moving", "logs", "low", "high", "at_low", "at_high", "still", "noted"
)  # fmt: skip


class AmplitudeCheck:
    """Looks at some two samples a second of each channel; says what is no EEG's amplitude.

    `labels`: of the channels that will be pushed. `rate`: in Hz. `live`: `fresh` will be asked for. What it
    says does not depend on how the signal is cut into pieces.
    """

    def __init__(self, labels: Sequence[str], rate: float, *, live: bool = False) -> None:
        self._at_once = _BLOCK * (1 if live else _BLOCKS_AT_ONCE)
        self._labels = tuple(labels)
        # no divisor in common with the rate, or a rhythm of whole hertz would look like a still channel
        self._stride = max(1, round(rate / _LOOKS_A_SECOND))
        while math.gcd(self._stride, round(rate)) > 1:
            self._stride += 1
        count = len(self._labels)
        self._seconds = _BLOCK * self._stride / rate
        self._ahead = 0  # samples until the next look
        self._held = np.empty((count, 0), dtype=np.float32)
        self._blocks = 0
        self._moving = np.zeros(
            count
        )  # blocks in which a channel moves, and the sum of their logarithms
        self._logs = np.zeros(count)
        self._low, self._high = np.full(count, np.inf), np.full(count, -np.inf)
        self._at_low, self._at_high = np.zeros(count), np.zeros(count)
        self._still = np.zeros(count, dtype=np.bool_)
        self._fresh: list[str] = []
        self._judged = 0  # blocks that there were when notes were last made of all
        self._noted = np.zeros(3, dtype=np.bool_)

    def restart(self) -> None:
        """A gap: what comes next does not follow what has come."""
        self._take_held(_BLOCK)
        self._held, self._ahead = self._held[:, :0], 0

    def push(self, data: NDArray[np.float32]) -> None:
        """Look at channels × any number of samples, µV."""
        length = data.shape[1]
        if self._ahead >= length:
            self._ahead -= length
            return
        looks = data[:, self._ahead :: self._stride]
        self._ahead += looks.shape[1] * self._stride - length
        self._held = np.concatenate((self._held, looks), axis=1)
        self._take_held(self._at_once)

    def _take_held(self, least: int) -> None:
        """Look at the blocks that are held, if they are so many looks."""
        held = self._held
        if held.shape[1] >= least:
            count = held.shape[1] // _BLOCK
            self._take(held[:, : count * _BLOCK].reshape(len(held), count, _BLOCK))
            self._held = held[:, count * _BLOCK :]

    def _take(self, looks: NDArray[np.float32]) -> None:
        """Channels × blocks × looks."""
        blocks = np.ascontiguousarray(looks.transpose(2, 0, 1))  # along the first axis it goes fast
        self._blocks += blocks.shape[2]
        lows, highs = blocks.min(axis=0), blocks.max(axis=0)
        above = blocks - lows
        variance = (above * above).mean(axis=0) - above.mean(axis=0) ** 2
        moves = highs > lows
        self._moving += moves.sum(axis=1)
        logs = np.log(np.where(variance > 0, variance, 1.0), dtype=np.float64)
        self._logs += logs.sum(axis=1) / 2
        low, high = lows.min(axis=1), highs.max(axis=1)
        at_low = (blocks == low[:, None]).sum(axis=(0, 2))
        at_high = (blocks == high[:, None]).sum(axis=(0, 2))
        self._at_low = at_low * (low <= self._low) + self._at_low * (low >= self._low)
        self._at_high = at_high * (high >= self._high) + self._at_high * (high <= self._high)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        if not moves.all() or self._still.any():
            for moved in moves.T:
                for k in np.flatnonzero(~moved & ~self._still):
                    self._fresh.append(f"{self._labels[k]} {_STANDSTILL} {self._seconds:.0f} s")
                self._still = ~moved

    @property
    def spread(self) -> float | None:
        """The channels' median standard deviation, µV, of those that move; None where none does."""
        some = self._moving > 0
        if not some.any():
            return None
        return float(np.median(np.exp(self._logs[some] / self._moving[some])))

    def finish(self) -> tuple[str, ...]:
        """What is to be said of all that has come, once it has."""
        self._take_held(_BLOCK)
        if self._held.shape[1] > 1:  # shorter than a block, but all there is of the end
            self._take(self._held[:, None])
            self.restart()
        return tuple(self._notes().values())

    def fresh(self, *, ended: bool = False) -> tuple[str, ...]:
        """What has come to notice since it was last asked for, while a recording goes on or has `ended`.

        Channels that stand still are named each time they begin to; all else once.
        """
        if (self._blocks >= _ENOUGH and self._blocks > self._judged) or ended:
            self._judged = self._blocks
            for kind, note in self._notes().items():
                if not self._noted[kind]:
                    self._noted[kind] = True
                    self._fresh.append(note)
        fresh, self._fresh = tuple(self._fresh), []
        return fresh

    def _notes(self) -> dict[int, str]:
        """By kind: still, at an extreme, no EEG's amplitude."""
        if not self._blocks:
            return {}
        looks = self._blocks * _BLOCK
        limited = (self._at_low + self._at_high >= _LIMIT_SHARE * looks) & (self._moving > 0)
        limited &= looks >= _LEAST_LOOKS
        still = (self._moving <= (1 - _STILL_SHARE) * self._blocks) & ~limited
        notes: dict[int, str] = {}
        if still.any():
            notes[0] = f"no variation for half of the time or more: {self._names(still)}"
        if limited.any():
            notes[1] = (
                f"at an extreme value for a fifth of the time or more: {self._names(limited)}"
            )
        spread = self.spread
        if spread is not None and not LEAST_SPREAD <= spread <= LARGEST_SPREAD:
            notes[2] = (
                f"amplitude is no EEG's: the channels' median spread is {spread:.2g} µV, where "
                f"{LEAST_SPREAD:g} to {LARGEST_SPREAD:,.0f} µV is plausible; is the unit right?"
            )
        return notes

    def _names(self, chosen: NDArray[np.bool_]) -> str:
        if chosen.all() and len(chosen) > 1:
            return "all channels"
        return ", ".join(self._labels[k] for k in np.flatnonzero(chosen))

    def state(self) -> dict[str, NDArray[np.generic] | int]:
        """All that later notes depend on."""
        return {name: copy(getattr(self, f"_{name}")) for name in _STATE}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave."""
        for name in _STATE:
            now = np.asarray(getattr(self, f"_{name}"))
            value = np.array(state[name], dtype=now.dtype)
            shape = (len(self._labels), -1) if name == "held" else now.shape
            setattr(self, f"_{name}", value.reshape(shape) if now.ndim else int(value))
        largest = 200.0 * self._blocks  # float32's logarithms are below 89
        if (
            not 0 <= self._ahead <= self._stride
            or self._held.shape[1] >= self._at_once
            or not ((self._moving >= 0) & (self._moving <= self._blocks)).all()
            or (np.abs(self._logs) > largest).any()
        ):
            raise ValueError("counts that contradict each other")


def is_standstill(note: str) -> bool:
    """Whether a note of `AmplitudeCheck.fresh` says that a channel has begun to stand still."""
    return f" {_STANDSTILL} " in note


def amplitude_notes(recording: Recording, channels: Sequence[int]) -> tuple[str, ...]:
    """What `AmplitudeCheck` says of some pieces of a recording that are spread over it.

    `channels`: indices into the recording's.
    """
    rate = recording.sampling_rate
    check = AmplitudeCheck([recording.channels[k] for k in channels], rate)
    piece = round((_BLOCK + 1) * rate / _LOOKS_A_SECOND) + 1
    firsts = np.linspace(0, max(0, recording.samples - piece), _STRETCHES_READ).astype(int)
    for first in dict.fromkeys(firsts.tolist()):
        for begin, end in recording.stretches:
            start, stop = max(first, begin), min(first + piece, end)
            if start < stop:
                check.restart()
                check.push(recording.read(start / rate, stop / rate, channels))
    return check.finish()
