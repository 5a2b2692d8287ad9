"""The linear filters that a signal passes: resampling, Butterworth band-pass and notch, a block at a time.

Each works on channels × samples in pieces of any length and gives each sample as soon as it can, the same to
the bit however the signal is cut: a block is a product of matrices, of one shape whether all of its inputs
are there or zeros stand for the last of them. Those meet weights of zero in every output that is given out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic] | int]
"""What a stage of the chain is saved as: by name, all that later samples depend on."""
_Index = TypeVar("_Index", int, NDArray[np.int64])

_BLOCK, _BLOCKS = 32, 8
"""Samples of a block and blocks of a stretch. Of 16, 32 and 64, and of 4 and 8, the fastest for bulk and for
pushes of a second."""
_STRETCH = _BLOCK * _BLOCKS
_STRETCHES_AT_ONCE = 8
"""Stretches worked on at a time: 18 channels of them stay in a processor's own cache."""

_ZEROS_KEPT = 10
"""Zero crossings of the sinc on each side; with Kaiser's beta 5, about 60 dB of stop-band."""
_BETA = 5.0
_TAPS_AT_ONCE = 1 << 16
_OUTPUTS_TRIED = range(24, 65)
"""Outputs of a block of resampling. Fewer are more calls, more are more weights of zero."""
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
_MOST_NEAR = 1_100_000
"""No ratio has larger numbers: their low-pass alone would take more than 180 MB. Times drift by at most 2 ms
an hour then, half a sample at 256 Hz."""
_BLOCKS_AT_ONCE = 64
"""Blocks worked on at a time: 18 channels of them stay in a processor's own cache."""


def butterworth(order: int, low: float, high: float, rate: float) -> Floats:
    """A Butterworth band-pass from `low` to `high` Hz at `rate` Hz, of `order` poles at either edge.

    Returns sections × 6: b0, b1, b2, 1, a1, a2. The poles of the analogue prototype are taken to the band
    and then, by the bilinear transform with both edges pre-warped, to the unit circle's inside (Oppenheim
    and Schafer, Discrete-Time Signal Processing, ch. 7). Sections that hold back what is slow come first,
    so an offset does not reach the others.
    """
    below, above = 2 * np.tan(np.pi * np.array([low, high]) / rate)
    half_width = (above - below) / 2
    upper = -np.exp(1j * np.pi * np.arange(1 - order, 1, 2) / (2 * order))
    centres = half_width * upper
    reach = np.sqrt(centres**2 - below * above + 0j)
    far = np.where((centres * reach.conj()).real < 0, centres - reach, centres + reach)
    # of a pair of poles the nearer is had by their product: by their sum its digits would cancel
    slow, fast = _inside(below * above / far), _inside(far)
    rows = [[1, -2, 1, *_polynomial(pole, pole.conj())] for pole in slow[: order // 2]]
    if order % 2:  # the prototype's real pole: its two are real, or each other's conjugate
        rows.append([1, 0, -1, *_polynomial(slow[-1], fast[-1])])
    rows += [[1, 2, 1, *_polynomial(pole, pole.conj())] for pole in fast[: order // 2]]
    sections = np.array(rows)
    centre = np.exp(2j * np.arctan(np.sqrt(below * above) / 2))
    sections[0, :3] /= np.abs(_response(sections, centre))
    return sections


def _inside(analogue: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The bilinear transform, at two samples a second."""
    return (2 + analogue) / (2 - analogue)


def _polynomial(root: complex, other: complex) -> list[float]:
    """The coefficients of (z − root)(z − other), which are real."""
    return [1.0, -(root + other).real, (root * other).real]


def _response(sections: Floats, z: complex) -> complex:
    powers = np.array([1, 1 / z, 1 / z**2])
    return complex(np.prod((sections[:, :3] @ powers) / (sections[:, 3:] @ powers)))


def notch(frequency: float, quality: float, rate: float) -> Floats:
    """One section that takes out `frequency` Hz at `rate` Hz, `frequency` / `quality` Hz wide at −3 dB.

    Returns 1 × 6, as `butterworth`. Orfanidis, Introduction to Signal Processing, 11.3.
    """
    angle = 2 * np.pi * frequency / rate
    gain = 1 / (1 + np.tan(angle / quality / 2))
    middle = -2 * np.cos(angle)
    return np.array([[gain, gain * middle, gain, 1, gain * middle, 2 * gain - 1]])


def high_pass(frequency: float, rate: float) -> Floats:
    """One section of a single pole that holds back what is slower than `frequency` Hz at `rate` Hz.

    Returns 1 × 6, as `butterworth`: the analogue s / (s + ω) by the bilinear transform, pre-warped.
    """
    slow = np.tan(np.pi * frequency / rate)
    gain = 1 / (1 + slow)
    return np.array([[gain, -gain, 0, 1, (slow - 1) * gain, 0]])


def low_pass(frequency: float, rate: float) -> Floats:
    """One section of two poles, Butterworth's, that holds back what is faster than `frequency` Hz.

    Returns 1 × 6, as `butterworth`: the analogue ω² / (s² + √2 ω s + ω²) by the bilinear transform,
    pre-warped.
    """
    slow = np.tan(np.pi * frequency / rate)
    gain = 1 / (1 + np.sqrt(2) * slow + slow**2)
    level = slow**2 * gain
    near, far = 2 * (slow**2 - 1) * gain, (1 - np.sqrt(2) * slow + slow**2) * gain
    return np.array([[level, 2 * level, level, 1, near, far]])


@dataclass(frozen=True)
class BlockForm:
    """A cascade's matrices; n numbers are its state. Vectors stand in rows, so they multiply from the left.

    `outputs`: (block's samples, state) to the block's output. `gathered`: a block's samples to what they
    leave in the state. `begins`: (state, what each block leaves) to the state at each block's beginning.
    `remains`, `kept`: what the blocks leave, and what the state at the stretch's beginning becomes, at its
    end. `settled`: the state once an input of one has stood for ever.
    """

    outputs: Floats
    gathered: Floats
    begins: Floats
    remains: Floats
    kept: Floats
    settled: Floats

    @property
    def states(self) -> int:
        """Numbers of one channel's state."""
        return len(self.kept)


def block_form(sections: Floats) -> BlockForm:
    """The matrices of a cascade of second-order sections (sections × 6, a0 of one)."""
    states = 2 * len(sections)
    # a single impulse, and each number of the state by itself, a block long
    state = np.eye(1 + states, states, k=-1)
    first = np.zeros(1 + states)
    first[0] = 1
    responses = np.empty((1 + states, _BLOCK))
    gathered = np.empty((_BLOCK, states))
    for sample in range(_BLOCK):
        responses[:, sample] = _step(sections, state, first)
        gathered[_BLOCK - 1 - sample] = state[0]
        first[0] = 0
    outputs = np.zeros((_BLOCK + states, _BLOCK))
    for sample in range(_BLOCK):
        outputs[sample, sample:] = responses[0, : _BLOCK - sample]
    outputs[_BLOCK:] = responses[1:]
    powers = [np.eye(states)]  # of one block's transition
    for _ in range(_BLOCKS):
        powers.append(powers[-1] @ state[1:])
    begins = np.zeros((1 + _BLOCKS, states, _BLOCKS, states))
    for block in range(_BLOCKS):
        begins[0, :, block] = powers[block]
        for earlier in range(block):
            begins[1 + earlier, :, block] = powers[block - 1 - earlier]
    remains = np.concatenate(powers[_BLOCKS - 1 :: -1])
    return BlockForm(
        outputs,
        gathered,
        begins.reshape((1 + _BLOCKS) * states, _BLOCKS * states),
        remains,
        powers[_BLOCKS],
        _settled(sections),
    )


def _step(sections: Floats, state: Floats, values: Floats) -> Floats:
    """One sample through all sections (transposed direct form II); `state` is moved on in place."""
    for k, (b0, b1, b2, _, a1, a2) in enumerate(sections):
        near, far = state[:, 2 * k].copy(), state[:, 2 * k + 1].copy()
        out = b0 * values + near
        state[:, 2 * k] = b1 * values - a1 * out + far
        state[:, 2 * k + 1] = b2 * values - a2 * out
        values = out
    return values


def _settled(sections: Floats) -> Floats:
    state = []
    level = 1.0
    for b0, b1, b2, _, a1, a2 in sections:
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)
        state += [out - b0 * level, b2 * level - a2 * out]
        level = out
    return np.array(state)


class BlockFilter:
    """State of a cascade on its way through one signal of many channels.

    The cascade is a linear system with a small state s. Over a block of B samples x

        y = O s + H x,    s' = A^B s + R x

    (Barnes and Shinnaka, Block-shift invariance and block implementation of discrete-time filters, IEEE
    Trans. Circuits Syst. 27, 1980), so a block is two matrix products instead of B steps. Eight blocks make
    a stretch; stretches are counted from the first sample. What has come of a stretch is filtered as if
    zeros followed: H lets nothing of them into earlier samples.

    Before the first sample its value is taken to have stood for ever, so a clip's beginning doesn't ring.
    """

    def __init__(self, form: BlockForm, channels: int) -> None:
        self._form = form
        self._begun = False
        self._state = np.zeros((channels, form.states))  # at the beginning of the stretch
        self._held = np.empty((channels, 0))  # what has come of the stretch

    def push(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Filter channels × any number of samples; as many come back."""
        length = values.shape[1]
        out = np.empty((len(values), length), dtype=np.float32)
        if length and not self._begun:
            self._state = values[:, :1] * self._form.settled
            self._begun = True
        at = 0
        while at < length:
            room = _STRETCHES_AT_ONCE * _STRETCH - self._held.shape[1]
            self._filter(values[:, at : at + room], out[:, at : at + room])
            at += room
        return out

    def _filter(self, values: NDArray[np.floating], out: NDArray[np.float32]) -> None:
        before = self._held.shape[1]
        after = before + values.shape[1]
        stretches = -(-after // _STRETCH)
        fits = after == stretches * _STRETCH and before == 0
        padded: NDArray[np.floating] = values
        if not fits:
            padded = np.zeros((len(values), stretches * _STRETCH))
            padded[:, :before] = self._held
            padded[:, before:after] = values
        filtered = self._stretches(padded, after // _STRETCH)
        if fits:
            out.reshape(len(out), stretches, _STRETCH)[...] = filtered
        else:
            out[...] = filtered.reshape(padded.shape)[:, before:after]
        self._held = padded[:, after // _STRETCH * _STRETCH : after].astype(np.float64)

    def _stretches(self, values: NDArray[np.floating], complete: int) -> Floats:
        """Filter channels × stretches, of which the first `complete` have come in full.

        Returns channels × stretches × samples.
        """
        form, n = self._form, self._form.states
        channels, stretches = len(values), values.shape[1] // _STRETCH
        rows = channels * _BLOCKS
        work = np.empty((stretches, channels, _BLOCKS, _BLOCK + n))
        blocks = values.reshape(channels, stretches, _BLOCKS, _BLOCK)
        work[..., :_BLOCK] = blocks.transpose(1, 0, 2, 3)
        flat = work.reshape(stretches, rows, _BLOCK + n)
        known = np.empty((stretches, channels, (1 + _BLOCKS) * n))
        known[..., n:] = np.matmul(flat[..., :_BLOCK], form.gathered).reshape(
            stretches, channels, _BLOCKS * n
        )
        remains = np.matmul(known[..., n:], form.remains)
        for stretch in range(stretches):
            known[stretch, :, :n] = self._state
            if stretch < complete:
                self._state = self._state @ form.kept + remains[stretch]
        begins = np.matmul(known, form.begins)
        work[..., _BLOCK:] = begins.reshape(stretches, channels, _BLOCKS, n)
        outputs: Floats = np.matmul(flat, form.outputs)
        return outputs.reshape(stretches, channels, _STRETCH).transpose(1, 0, 2)

    def state(self) -> State:
        """All that later samples depend on."""
        return {"begun": int(self._begun), "state": self._state.copy(), "held": self._held.copy()}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave. Raises `ValueError` where it is no state of this filter."""
        held = np.array(state["held"], dtype=np.float64).reshape(len(self._state), -1)
        if held.shape[1] >= _STRETCH:
            raise ValueError("the filter holds a stretch that is complete")
        self._begun = bool(state["begun"])
        self._state = np.array(state["state"], dtype=np.float64).reshape(self._state.shape)
        self._held = held


class Resampler:
    """Causal polyphase resampling of one signal from `rate` to `target` Hz, with its delay taken off.

    Output sample m stands at m / `target` seconds, as if the low-pass had no delay. Before the first sample
    its value is taken to have stood for ever, and the last one's after it, so the ends don't ring.
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
        self._produced = 0

    def push(self, data: NDArray[np.floating]) -> NDArray[np.floating]:
        """Take in channels × any number of samples; give out what is complete by now, in float64.

        Where the rates are equal `data` itself comes back: whoever filters it copies it anyway.
        """
        if self._same or data.shape[1] == 0:
            return data
        values = np.asarray(data, dtype=np.float64)
        if self._buffer is None:
            self._first = self._plan.first_input(0)
            self._buffer = np.repeat(values[:, :1], -self._first, axis=1)
        self._seen += values.shape[1]
        self._buffer = np.concatenate((self._buffer, values), axis=1)
        last = (self.up * self._seen - self._plan.half - 1) // self.down
        return self._produce(last + 1)

    def finish(self) -> Floats:
        """Give out what was held back; in all there are ceil(samples · target / rate) samples."""
        if self._buffer is None:
            return np.empty((0, 0))
        total = -(-self._seen * self.up // self.down)
        tail = np.repeat(self._buffer[:, -1:], self._plan.inputs, axis=1)
        self._buffer = np.concatenate((self._buffer, tail), axis=1)
        return self._produce(total)

    def _produce(self, until: int) -> Floats:
        assert self._buffer is not None
        channels = len(self._buffer)
        if until <= self._produced:
            return np.empty((channels, 0))
        plan, outputs = self._plan, self._plan.outputs
        begin, end = self._produced // outputs, -(-until // outputs)
        short = plan.first_input(end - 1) + plan.inputs - self._first - self._buffer.shape[1]
        padded = np.pad(self._buffer, ((0, 0), (0, max(0, short))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, plan.inputs, axis=1)
        out = np.empty((channels, end - begin, outputs))
        for first in range(begin, end, plan.at_once):
            blocks = np.arange(first, min(first + plan.at_once, end))
            taken = windows[:, plan.first_input(blocks) - self._first].transpose(1, 0, 2)
            products = np.matmul(taken, plan.weights(blocks))
            out[:, blocks - begin] = products.transpose(1, 0, 2)
        before = begin * outputs
        ready = out.reshape(channels, -1)[:, self._produced - before : until - before].copy()
        self._produced = until
        drop = plan.first_input(until // outputs) - self._first
        self._buffer = self._buffer[:, drop:].copy()  # a view would keep all of the old one
        self._first += drop
        return ready

    def state(self) -> State:
        """All that later samples depend on; no channels before the first sample."""
        held = np.empty((0, 0)) if self._buffer is None else self._buffer.copy()
        return {"held": held, "first": self._first, "seen": self._seen, "given": self._produced}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave. Raises `ValueError` where it is no state of these rates."""
        held = np.array(state["held"], dtype=np.float64)
        first, seen, produced = (
            int(np.asarray(state[name])) for name in ("first", "seen", "given")
        )
        if self._same or not held.size:
            fits = not (held.size or first or seen or produced)
        else:
            ready = max(0, (self.up * seen - self._plan.half - 1) // self.down + 1)
            begin = self._plan.first_input(ready // self._plan.outputs)
            fits = (produced, first, held.shape[1]) == (ready, begin, seen - begin)
        if not fits:
            raise ValueError("the resampler's counts and samples differ")
        self._buffer = held if held.size else None
        self._first, self._seen, self._produced = first, seen, produced


@lru_cache(maxsize=8)
def ratio_of(rate: float, target: float) -> tuple[Fraction, bool]:
    """`target` over `rate` as a fraction, and whether that is exact.

    Both in Hz. Where the numbers of the exact fraction are too large to filter by, the first one that drifts
    by at most half a sample an hour is taken; at rates of some thousand hertz that may be too large as well,
    and the nearest one that is not is taken.
    """
    ratio = Fraction(target).limit_denominator(10_000) / Fraction(rate).limit_denominator(10_000)
    if max(ratio.numerator, ratio.denominator) <= _MOST_EXACT:
        return ratio, True
    tolerated = ratio * Fraction(_DRIFT) / Fraction(max(rate, target))
    size = 500
    while abs((near := ratio.limit_denominator(size)) - ratio) > tolerated:
        if 2 * size * max(ratio, Fraction(1)) > _MOST_NEAR:
            break
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
        return max(1, min(_BLOCKS_AT_ONCE, fits))

    def first_input(self, block: _Index) -> _Index:
        """Index of the first input that a block needs; below zero: before the first sample."""
        # aligned output m is the filter's output at m·down + half on the up-sampled axis
        return -((self.half - block * self.outputs * self.down) // self.up)

    def weights(self, blocks: NDArray[np.int64]) -> Floats:
        """What each of `blocks` is multiplied by: blocks × inputs × outputs."""
        if self.kept is None:
            return self._weights(blocks)
        return self.kept if self.period == 1 else self.kept[blocks % self.period]

    def _weights(self, blocks: NDArray[np.int64]) -> Floats:
        samples = blocks[:, None] * self.outputs + np.arange(self.outputs)
        needed = self.first_input(blocks)[:, None] + np.arange(self.inputs)
        tap = samples[:, None] * self.down + self.half - needed[:, :, None] * self.up
        inside = (tap >= 0) & (tap < len(self.taps))
        return np.where(inside, self.taps[np.where(inside, tap, 0)], 0.0)


@lru_cache(maxsize=8)
def _plan(up: int, down: int) -> _Plan:
    steps = -(-_ZEROS_KEPT * max(up, down) // down)
    half = steps * down  # a multiple of `down`: the delay is whole output samples
    outputs = max(_OUTPUTS_TRIED, key=lambda count: (gcd(count, up) / up, -abs(count - 32)))
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
