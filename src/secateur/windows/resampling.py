"""Causal polyphase resampling in pieces, with its delay taken off.

Comes in: channels × samples at one rate, in pieces of any length. Goes out: the same at another rate;
output sample m stands at m / target rate seconds, as if the filter had no delay. However the signal
is cut into pieces, the output is the same to the bit. Next: `chain` puts it before its filters.

A block of outputs is one matrix product with the inputs that it needs. A block's product has the same shape
whether all of its inputs are there or zeros stand for the last of them: those meet weights of zero in every
output that is given out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.windows.filters import Floats, State

_ZEROS_KEPT = 10
"""Zero crossings of the sinc on each side; with Kaiser's beta 5, about 60 dB of stop-band."""

_BETA = 5.0
_TAPS_AT_ONCE = 1 << 16
_BLOCKS_TRIED = range(24, 65)
"""Outputs of a block. Fewer are more calls, more are more weights of zero."""
_MOST_KEPT = 4_000_000
"""Weights; those of a rate that has more are worked out when they are needed."""
_MOST_WORKED_OUT = 1_000_000
"""Weights that are worked out at a time."""
_MOST_INPUTS = 200_000
"""Samples of a channel that blocks worked on at a time take in."""
_MOST_EXACT = 250_000
"""Larger numbers in the ratio of two rates give way to smaller ones: the low-pass is some twenty times as
long."""
_DRIFT = 0.5 / 3600
"""Samples a second by which a ratio may be off then: half a sample an hour."""
_AT_ONCE = 64
"""Blocks worked on at a time: 18 channels of them stay in a processor's own cache."""


class Resampler:
    """State of one signal on its way from `rate` to `target` Hz.

    Before the first sample its value is taken to have stood for ever, after the last one too, so the
    ends don't ring.
    """

    def __init__(self, rate: float, target: float) -> None:
        ratio, _ = ratio_of(rate, target)
        self.up, self.down = ratio.numerator, ratio.denominator
        self._same = self.up == self.down
        self._plan = _plan(self.up, self.down)
        self.delay = 0.0 if self._same else self._plan.half / (self.up * rate)
        """Seconds of signal that must follow a sample before it can be given out."""
        self._buffer: Floats | None = None
        self._first = 0  # input index of the buffer's first column
        self._seen = 0
        self._given = 0

    def push(self, data: NDArray[np.floating]) -> NDArray[np.floating]:
        """Take in channels × any number of samples; give out what is complete by now, in float64.

        Where the rates are equal `data` itself comes back: whoever filters it copies it anyway.
        """
        if self._same or data.shape[1] == 0:
            return data
        values = np.asarray(data, dtype=np.float64)
        if self._buffer is None:
            self._first = self._plan.begin(0)
            self._buffer = np.repeat(values[:, :1], -self._first, axis=1)
        self._seen += values.shape[1]
        self._buffer = np.concatenate((self._buffer, values), axis=1)
        last = (self.up * self._seen - self._plan.half - 1) // self.down
        return self._give(last + 1)

    def finish(self) -> Floats:
        """Give out what was held back; in all there are ceil(samples · target / rate) samples."""
        if self._buffer is None:
            return np.empty((0, 0))
        wanted = -(-self._seen * self.up // self.down)
        tail = np.repeat(self._buffer[:, -1:], self._plan.inputs, axis=1)
        self._buffer = np.concatenate((self._buffer, tail), axis=1)
        return self._give(wanted)

    def _give(self, until: int) -> Floats:
        assert self._buffer is not None
        channels = len(self._buffer)
        if until <= self._given:
            return np.empty((channels, 0))
        plan, outputs = self._plan, self._plan.outputs
        begin, end = self._given // outputs, -(-until // outputs)
        short = plan.begin(end - 1) + plan.inputs - self._first - self._buffer.shape[1]
        padded = np.pad(self._buffer, ((0, 0), (0, max(0, short))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, plan.inputs, axis=1)
        out = np.empty((channels, end - begin, outputs))
        for first in range(begin, end, plan.at_once):
            blocks = np.arange(first, min(first + plan.at_once, end))
            taken = windows[:, plan.begins(blocks) - self._first].transpose(1, 0, 2)
            products = np.matmul(taken, plan.weights(blocks))
            out[:, blocks - begin] = products.transpose(1, 0, 2)
        before = begin * outputs
        given = out.reshape(channels, -1)[:, self._given - before : until - before].copy()
        self._given = until
        drop = plan.begin(until // outputs) - self._first
        self._buffer = self._buffer[:, drop:].copy()  # a view would keep all of the old one
        self._first += drop
        return given

    def state(self) -> State:
        """All that later samples depend on; no channels before the first sample."""
        held = np.empty((0, 0)) if self._buffer is None else self._buffer.copy()
        return {"held": held, "first": self._first, "seen": self._seen, "given": self._given}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave. Raises `ValueError` where it is no state of these rates."""
        held = np.array(state["held"], dtype=np.float64)
        first, seen, given = (int(np.asarray(state[name])) for name in ("first", "seen", "given"))
        if self._same or not held.size:
            fits = not (held.size or first or seen or given)
        else:
            ready = max(0, (self.up * seen - self._plan.half - 1) // self.down + 1)
            begin = self._plan.begin(ready // self._plan.outputs)
            fits = (given, first, held.shape[1]) == (ready, begin, seen - begin)
        if not fits:
            raise ValueError("the resampler's counts and samples differ")
        self._buffer = held if held.size else None
        self._first, self._seen, self._given = first, seen, given


@lru_cache(maxsize=8)
def ratio_of(rate: float, target: float) -> tuple[Fraction, bool]:
    """`target` over `rate` as a fraction, and whether that is exact.

    Where both numbers of the exact one are not small enough to filter by, the first fraction that drifts by
    at most half a sample an hour is taken.
    """
    ratio = Fraction(target).limit_denominator(10_000) / Fraction(rate).limit_denominator(10_000)
    if max(ratio.numerator, ratio.denominator) <= _MOST_EXACT:
        return ratio, True
    tolerated = ratio * Fraction(_DRIFT) / Fraction(max(rate, target))
    size = 500
    while abs((near := ratio.limit_denominator(size)) - ratio) > tolerated:
        size *= 2
    return near, False


@dataclass(frozen=True)
class _Plan:
    """Blocks of `outputs` samples, each from `inputs` samples; after `period` blocks weights come again.

    `half`: the taps before the middle one, on the up-sampled axis. `kept`: period × inputs × outputs.
    """

    up: int
    down: int
    half: int
    outputs: int
    inputs: int
    period: int
    taps: Floats
    kept: Floats | None = None

    @property
    def at_once(self) -> int:
        """Blocks worked on at a time."""
        fits = _MOST_INPUTS // self.inputs
        if self.kept is None:
            fits = min(fits, _MOST_WORKED_OUT // (self.inputs * self.outputs))
        return max(1, min(_AT_ONCE, fits))

    def begin(self, block: int) -> int:
        """Index of the first input that a block needs; below zero: before the first sample."""
        # aligned output m is the filter's output at m·down + half on the up-sampled axis
        return -((self.half - block * self.outputs * self.down) // self.up)

    def begins(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """`begin` of each."""
        return -((self.half - blocks * self.outputs * self.down) // self.up)

    def weights(self, blocks: NDArray[np.int64]) -> Floats:
        """What each of `blocks` is multiplied by: blocks × inputs × outputs."""
        if self.kept is None:
            return self._weights(blocks)
        return self.kept if self.period == 1 else self.kept[blocks % self.period]

    def _weights(self, blocks: NDArray[np.int64]) -> Floats:
        samples = blocks[:, None] * self.outputs + np.arange(self.outputs)
        needed = self.begins(blocks)[:, None] + np.arange(self.inputs)
        tap = samples[:, None] * self.down + self.half - needed[:, :, None] * self.up
        inside = (tap >= 0) & (tap < len(self.taps))
        return np.where(inside, self.taps[np.where(inside, tap, 0)], 0.0)


@lru_cache(maxsize=8)
def _plan(up: int, down: int) -> _Plan:
    steps = -(-_ZEROS_KEPT * max(up, down) // down)
    half = steps * down  # a multiple of `down`: the delay is whole output samples
    outputs = max(_BLOCKS_TRIED, key=lambda count: (gcd(count, up) / up, -abs(count - 32)))
    inputs = ((outputs - 1) * down + 2 * half) // up + 1
    period = up // gcd(outputs, up)
    plan = _Plan(up, down, half, outputs, inputs, period, _taps(half, up, down))
    if period * inputs * outputs > _MOST_KEPT:
        return plan
    return replace(plan, kept=plan._weights(np.arange(period)))


def _taps(half: int, up: int, down: int) -> Floats:
    """A low-pass below the lower of both rates' halves: a sinc under Kaiser's window, its sum `up`."""
    cutoff = 1 / max(up, down)
    taps = np.empty(2 * half + 1)
    for first in range(-half, half + 1, _TAPS_AT_ONCE):
        at = np.arange(first, min(first + _TAPS_AT_ONCE, half + 1))
        window = np.i0(_BETA * np.sqrt(1 - (at / half) ** 2.0)) / np.i0(_BETA)
        taps[at + half] = np.sinc(cutoff * at) * window
    taps *= up / taps.sum()
    return taps
