"""Butterworth band-pass and notch as second-order sections, run a block of samples at a time.

Comes in: a band, an order, a rate; then channels × samples in pieces of any length. Goes out: the same,
filtered, each sample as soon as it is in; the same bits however the signal is cut. Next: `chain` puts it
after resampling.

The cascade is a linear system with a small state s. Over a block of B samples x

    y = O s + H x,    s' = A^B s + R x

(Barnes and Shinnaka, Block-shift invariance and block implementation of discrete-time filters, IEEE
Trans. Circuits Syst. 27, 1980), so a block is two matrix products instead of B steps. Eight blocks make a
stretch; stretches are counted from the first sample. What has come of a stretch is filtered as if zeros
followed: H lets nothing of them into earlier samples, and as each product has the same shape whether the
stretch is full or not, a sample's bits don't depend on how much came with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK, _BLOCKS = 32, 8
"""Samples of a block and blocks of a stretch. Of 16, 32 and 64, and of 4 and 8, the fastest for bulk and for
pushes of a second."""
_STRETCH = _BLOCK * _BLOCKS
_AT_ONCE = 8
"""Stretches worked on at a time: 18 channels of them stay in a processor's own cache."""

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic] | int]
"""What a stage of the chain is saved as: by name, all that later samples depend on."""


def butterworth(order: int, low: float, high: float, rate: float) -> Floats:
    """A Butterworth band-pass from `low` to `high` Hz at `rate` Hz.

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


def _polynomial(one: complex, other: complex) -> list[float]:
    """The coefficients of (z − one)(z − other), which are real."""
    return [1.0, -(one + other).real, (one * other).real]


def _response(sections: Floats, z: complex) -> complex:
    powers = np.array([1, 1 / z, 1 / z**2])
    return complex(np.prod((sections[:, :3] @ powers) / (sections[:, 3:] @ powers)))


def notch(frequency: float, quality: float, rate: float) -> Floats:
    """One section that takes out `frequency` Hz; it is `frequency` / `quality` Hz wide at −3 dB.

    Returns 1 × 6, as `butterworth`. Orfanidis, Introduction to Signal Processing, 11.3.
    """
    angle = 2 * np.pi * frequency / rate
    gain = 1 / (1 + np.tan(angle / quality / 2))
    middle = -2 * np.cos(angle)
    return np.array([[gain, gain * middle, gain, 1, gain * middle, 2 * gain - 1]])


@dataclass(frozen=True)
class BlockForm:
    """A cascade's matrices; n numbers are its state. Vectors stand in rows, so they multiply from the left.

    `outputs`: (block's samples, state) to the block's output. `gathered`: a block's samples to what they
    leave in the state. `begins`: (state, what each block leaves) to the state at each block's beginning.
    `left`, `kept`: what the blocks leave, and what the state at the stretch's beginning becomes, at its
    end. `settled`: the state once an input of one has stood for ever.
    """

    outputs: Floats
    gathered: Floats
    begins: Floats
    left: Floats
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
    left = np.concatenate(powers[_BLOCKS - 1 :: -1])
    return BlockForm(
        outputs,
        gathered,
        begins.reshape((1 + _BLOCKS) * states, _BLOCKS * states),
        left,
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
            room = _AT_ONCE * _STRETCH - self._held.shape[1]
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

    def _stretches(self, values: NDArray[np.floating], whole: int) -> Floats:
        """Filter channels × stretches, of which the first `whole` have come in full.

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
        left = np.matmul(known[..., n:], form.left)
        for stretch in range(stretches):
            known[stretch, :, :n] = self._state
            if stretch < whole:
                self._state = self._state @ form.kept + left[stretch]
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
