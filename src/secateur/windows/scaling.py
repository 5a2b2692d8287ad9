"""Bringing microvolts to the order of one, on the bench as at the bedside: each channel is divided by a
spread that was known before its sample came; then large values are compressed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.settings import Settings
from secateur.windows.filters import State
from secateur.windows.settings import ChainSettings

PRIOR, MEMORY = 30, 300
"""Seconds."""
REACH = math.log(8.0)
TO_DEVIATION = 1.4826
"""For normal noise the median of |x| times this is the standard deviation."""
FLAT = 0.1
"""µV; a second of less is none of EEG."""
LEAST = 1e-3
"""µV; below it a channel is taken as dead and is not blown up."""
_LARGEST_LOG = math.log(float(np.finfo(np.float32).max))


class Scale(Settings):
    """Mean and spread of each channel over the training subjects, µV."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def repeated(self, count: int) -> Scale:
        """The scale of one channel for `count` channels (montage each)."""
        return Scale(mean=self.mean * count, spread=self.spread * count)


class ScaleFit:
    """Mean and spread per channel over many recordings, one after the other.

    `robust`: the spread is the mean over whole seconds of log(1.4826 · median |x|), which is what
    running scaling starts from; else it is the standard deviation (over recordings by the pairwise update of
    Chan, Golub and LeVeque, Algorithms for computing the sample variance, Am. Stat. 37, 1983; in float64).
    """

    def __init__(self, channels: int, *, robust: bool) -> None:
        self._robust = robust
        self._count = 0
        self._mean = np.zeros(channels)
        self._square = np.zeros(channels)
        self._seconds = np.zeros(channels)
        self._logs = np.zeros(channels)

    def add(self, data: NDArray[np.float32], rate: float) -> None:
        """Take in one recording: channels × samples, µV, at `rate` Hz."""
        values = data.astype(np.float64)
        count = values.shape[1]
        if count == 0:
            return
        mean = values.mean(axis=1)
        square = ((values - mean[:, None]) ** 2).sum(axis=1)
        total = self._count + count
        gap = mean - self._mean
        self._square += square + gap**2 * self._count * count / total
        self._mean += gap * count / total
        self._count = total
        if self._robust:
            logs = log_spread_by_second(data, rate)
            heard = ~_flat(logs)
            self._logs += np.where(heard, logs, 0.0).sum(axis=1)
            self._seconds += heard.sum(axis=1)

    def scale(self) -> Scale:
        """The scale so far. A channel without any signal gets a spread of 1 µV."""
        deviation = np.sqrt(self._square / max(1, self._count))
        if self._robust:
            robust = np.exp(self._logs / np.maximum(1, self._seconds))
            deviation = np.where(self._seconds > 0, robust, deviation)
        deviation = np.where(deviation < 1.001 * LEAST, 1.0, deviation)
        mean = np.zeros_like(self._mean) if self._robust else self._mean
        return Scale(mean=tuple(mean.tolist()), spread=tuple(deviation.tolist()))


def log_spread_by_second(data: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    """log(1.4826 · median |x|) of each whole second of channels × samples, µV: channels × seconds."""
    per_second = round(rate)
    seconds = data.shape[1] // per_second
    blocks = np.abs(data[:, : seconds * per_second]).reshape(len(data), seconds, per_second)
    blocks.sort(axis=2)  # twice to ten times as fast as np.median, and the same number
    lower, upper = blocks[:, :, (per_second - 1) // 2], blocks[:, :, per_second // 2]
    middle = ((lower + upper) / 2).astype(np.float64)
    return np.asarray(np.log(np.maximum(TO_DEVIATION * middle, LEAST)))


def _flat(logs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of these seconds are flat."""
    return logs < math.log(FLAT)


class _Running:
    """The spread in use for each channel, its own recent one; moved at the end of each whole second.

    That used during second k depends on the seconds before k only. It begins at the training subjects'
    spread; seconds are counted from the first sample:

        q_k     = log(1.4826 · median |x| over second k), kept within ± log 8 of c_k
        c_{k+1} = c_k + (q_k − c_k) / min(PRIOR + k + 1, MEMORY)

    so the training spread weighs as much as the first `PRIOR` seconds, and after `MEMORY` seconds old ones
    fade. Working on logarithms of medians, a pop or a burst moves it little. A second that is flat (its
    spread is below `FLAT`) moves nothing, so what follows a disconnected hour is scaled as what came before.
    """

    def __init__(self, scale: Scale) -> None:
        self._log = np.log(np.asarray(scale.spread, dtype=np.float64))
        self._second = 0

    def state(self) -> State:
        """All that later gains depend on."""
        return {"log": self._log.copy(), "second": self._second}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave. Raises `ValueError` where no signal can have led there."""
        log, second = np.array(state["log"], dtype=np.float64), int(np.asarray(state["second"]))
        if log.shape != self._log.shape or (np.abs(log) > _LARGEST_LOG).any() or second < 0:
            raise ValueError("the scaling's spreads are beyond any signal's")
        self._log, self._second = log, second

    @property
    def gain(self) -> NDArray[np.float32]:
        """One over the spread, channels × 1."""
        return np.exp(-self._log).astype(np.float32)[:, None]

    def end_second(self, logs: NDArray[np.float64]) -> None:
        """Take in what `log_spread_by_second` says of the second that has ended."""
        q = np.clip(np.where(_flat(logs), self._log, logs), self._log - REACH, self._log + REACH)
        self._log = self._log + (q - self._log) / min(PRIOR + self._second + 1, MEMORY)
        self._second += 1


def constants(scale: Scale) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What training-set scaling subtracts and then multiplies by: channels × 1 each."""
    return np.asarray(scale.mean, dtype=np.float32)[:, None], _Running(scale).gain


class Scaler:
    """State of scaling on its way through one recording at `settings.sampling_rate`.

    "training-set" takes off each channel's mean and divides by its standard deviation, both over the
    training subjects, as the published method has it; "running" divides by the channel's own recent spread.
    Compression is not part of it: training changes windows between the two.
    """

    def __init__(self, settings: ChainSettings, scale: Scale) -> None:
        self._running = settings.scaling == "running"
        self._per_second = round(settings.sampling_rate)
        self._spread = _Running(scale)
        self._mean, self._gain = constants(scale)
        self._pending = np.empty((len(scale.mean), 0), dtype=np.float32)

    def push(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale channels × any number of samples (µV), in place; gives `data` back."""
        if not self._running:
            np.subtract(data, self._mean, out=data)
            return np.multiply(data, self._gain, out=data)
        held, length = self._pending.shape[1], self._per_second
        joined = np.concatenate((self._pending, data), axis=1) if held else data
        logs = log_spread_by_second(joined, length)
        self._pending = joined[:, logs.shape[1] * length :].copy()
        for second in range(-(-joined.shape[1] // length)):
            begin, end = max(0, second * length - held), (second + 1) * length - held
            np.multiply(data[:, begin:end], self._gain, out=data[:, begin:end])
            if second < logs.shape[1]:
                self._spread.end_second(logs[:, second])
                self._gain = self._spread.gain
        return data

    def state(self) -> State:
        """All that later samples depend on; training-set scaling has nothing to remember."""
        return {**self._spread.state(), "pending": self._pending.copy()} if self._running else {}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave. Raises `ValueError` where no signal can have led there."""
        if self._running:
            self._spread.restore(state)
            self._gain = self._spread.gain
            pending = np.array(state["pending"], dtype=np.float32).reshape(len(self._gain), -1)
            if pending.shape[1] >= self._per_second:
                raise ValueError("the scaling holds a second that is complete")
            self._pending = pending


def gains_by_second(
    scale: Scale, pieces: Iterable[NDArray[np.float32]], rate: float
) -> NDArray[np.float32]:
    """What running scaling multiplies each second of a recording by: channels × seconds.

    `pieces`: channels × samples, µV, at `rate` Hz; of whole seconds, but for the last. A last second that
    isn't whole has its column too.
    """
    spread = _Running(scale)
    gains = [spread.gain]
    for piece in pieces:
        for logs in log_spread_by_second(piece, rate).T:
            spread.end_second(logs)
            gains.append(spread.gain)
    return np.concatenate(gains, axis=1)


def compress(settings: ChainSettings, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `settings.compression` says, value by value, in place; gives `scaled` back."""
    return asinh(scaled, out=scaled) if settings.compression == "asinh" else scaled


_UNIT, _SQUARE_FITS = np.float32(1), np.float32(1e18)
_SIGN: dict[Any, Any] = {np.int64: np.int64(-(2**63) + 2**31), np.int32: np.int32(-(2**31))}
"""The signs of two float32 values, and of one."""
_AT_ONCE = 1 << 16
"""Values of which all that is worked with stays in a processor's own cache, and calls cost little."""


def asinh(
    values: NDArray[np.float32], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The inverse of sinh in float32, to 3e-7, up to 1e18: sign(x) · log(|x| + √(x² + 1)).

    NumPy's is fast on some processors alone, and rounds otherwise there. Signs are taken off and put back as
    the bits that they are, of two values at once: `np.copysign` takes one at a time.
    """
    if out is None:
        out = np.empty(values.shape, dtype=np.float32)
    elif not out.flags.c_contiguous:  # a reshaped copy would be filled in its place
        out[...] = asinh(values)
        return out
    flat, result = np.ascontiguousarray(values).reshape(-1), out.reshape(-1)
    size = np.empty(min(_AT_ONCE, flat.size), dtype=np.float32)
    signs = np.empty_like(size)
    for first in range(0, flat.size, _AT_ONCE):
        part, to = flat[first : first + _AT_ONCE], result[first : first + _AT_ONCE]
        pairs: Any = np.int32 if len(part) % 2 else np.int64
        if len(part) < len(size):
            size, signs = size[: len(part)], signs[: len(part)]
        np.abs(part, size)
        np.bitwise_and(part.view(pairs), _SIGN[pairs], signs.view(pairs))
        if np.maximum.reduce(size) > _SQUARE_FITS:
            np.minimum(size, _SQUARE_FITS, out=size)
        np.multiply(size, size, to)
        np.add(to, _UNIT, to)
        np.sqrt(to, to)
        np.add(to, size, to)
        np.log(to, to)
        bits = to.view(pairs)
        np.bitwise_or(bits, signs.view(pairs), bits)
    return out
