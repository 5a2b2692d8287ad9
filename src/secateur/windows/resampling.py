"""Causal polyphase resampling in pieces, with its delay taken off.

Comes in: channels × samples at one rate, in pieces of any length. Goes out: the same at another rate;
output sample m stands at m / target rate seconds, as if the filter had no delay. However the signal
is cut into pieces, the output is the same to the bit. Next: `chain` puts it before its filters.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import scipy.signal
from numpy.typing import NDArray

_ZEROS_KEPT = 10
"""Zero crossings of the sinc on each side; with Kaiser's beta 5, about 60 dB of stop-band."""


class Resampler:
    """State of one signal on its way from `rate` to `target` Hz.

    Before the first sample its value is taken to have stood for ever, after the last one too, so the
    ends don't ring.
    """

    def __init__(self, rate: float, target: float) -> None:
        ratio = Fraction(target).limit_denominator(10_000) / Fraction(rate).limit_denominator(
            10_000
        )
        self.up, self.down = ratio.numerator, ratio.denominator
        steps = -(-_ZEROS_KEPT * max(self.up, self.down) // self.down)
        self._half = steps * self.down  # a multiple of `down`: the delay is whole output samples
        self.delay = self._half / (self.up * rate)
        """Seconds of signal that must follow a sample before it can be given out."""
        if self.up == self.down:
            self._half, self.delay = 0, 0.0
        else:
            self._taps = _taps(self._half, self.up, self.down)
        self._buffer: NDArray[np.float64] | None = None
        self._first = 0  # input index of the buffer's first column; always a multiple of `down`
        self._seen = 0
        self._given = 0

    def push(self, data: NDArray[np.floating]) -> NDArray[np.floating]:
        """Take in channels × any number of samples; give out what is complete by now, in float64.

        Where the rates are equal `data` itself comes back: whoever filters it copies it anyway.
        """
        if self.up == self.down or data.shape[1] == 0:
            return data
        values = np.asarray(data, dtype=np.float64)
        if self._buffer is None:
            lead = -(-2 * self._half // (self.up * self.down)) * self.down + self.down
            self._buffer = np.repeat(values[:, :1], lead, axis=1)
            self._first = -lead
        self._seen += values.shape[1]
        self._buffer = np.concatenate((self._buffer, values), axis=1)
        last = (self.up * self._seen - self._half - 1) // self.down
        return self._give(last + 1)

    def finish(self) -> NDArray[np.float64]:
        """Give out what was held back; in all there are ceil(samples · target / rate) samples."""
        if self._buffer is None:
            return np.empty((0, 0))
        wanted = -(-self._seen * self.up // self.down)
        tail = np.repeat(self._buffer[:, -1:], -(-self._half // self.up) + self.down, axis=1)
        self._buffer = np.concatenate((self._buffer, tail), axis=1)
        return self._give(wanted)

    def _give(self, until: int) -> NDArray[np.float64]:
        assert self._buffer is not None
        if until <= self._given:
            return np.empty((self._buffer.shape[0], 0))
        # aligned output m is the filter's output at m·down + half on the up-sampled axis
        offset = (self._half - self._first * self.up) // self.down
        filtered = scipy.signal.upfirdn(self._taps, self._buffer, self.up, self.down, axis=1)
        out = filtered[:, self._given + offset : until + offset].copy()
        self._given = until
        needed = (self._given * self.down - self._half) // self.up
        drop = max(0, (needed // self.down) * self.down - self._first)
        self._buffer = self._buffer[:, drop:]
        self._first += drop
        return out


@lru_cache(maxsize=8)
def _taps(half: int, up: int, down: int) -> NDArray[np.float64]:
    window = ("kaiser", 5.0)
    taps = scipy.signal.firwin(2 * half + 1, 1 / max(up, down), window=window)
    scaled: NDArray[np.float64] = np.asarray(taps * up, dtype=np.float64)
    return scaled
