"""The network over a whole recording: one pass where that is exact, else window by window.

Comes in: a signal's samples, scaled, in pieces of any length. Goes out: the logits of each window as soon
as its last sample is in; the same as of windows cut out one by one, to rounding. Next: `detector` makes
probabilities of them.

A pass works on several signals at once, which the network sees by themselves: one, of all channels, or under
montage each as many as there are channels, of one channel each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.running.costs import MOST_WINDOWS
from secateur.detectors.running.reach import Cut
from secateur.detectors.running.runtimes import Session
from secateur.errors import DetectorError

Logits = NDArray[np.float32]
_NUMBERS_AT_ONCE = 1 << 22
"""In the largest tensor of a batch: 16 MiB."""


class Pass(Protocol):
    """A network on its way through one recording."""

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """Take in signals × channels × any number of samples; logits of windows × signals × 2."""


@dataclass(frozen=True)
class Grid:
    """Where windows lie: `signals` of `channels`, windows of `length` every `hop` samples.

    `largest`: numbers in the network's largest tensor for one window.
    """

    signals: int
    channels: int
    length: int
    hop: int
    largest: int

    @property
    def batch(self) -> int:
        """Windows that go through the network at once."""
        return max(1, min(MOST_WINDOWS, _NUMBERS_AT_ONCE // self.largest))

    def empty(self) -> Logits:
        """No logits."""
        return np.empty((0, self.signals, 2), dtype=np.float32)


class SlidingPass:
    """Every window by itself."""

    def __init__(self, session: Session, grid: Grid) -> None:
        self._session, self._grid = session, grid
        self._buffer = np.empty((grid.signals, grid.channels, 0), dtype=np.float32)

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """See `Pass.push`."""
        grid = self._grid
        self._buffer = np.concatenate((self._buffer, samples), axis=2)
        ready = windows_in(self._buffer.shape[2], grid.length, grid.hop)
        if ready == 0:
            return grid.empty()
        logits = run_over(
            self._session, stretches(self._buffer, grid.length, grid.hop, ready), grid
        )
        self._buffer = self._buffer[:, :, ready * grid.hop :]
        return logits

    def state(self) -> dict[str, NDArray[np.float32]]:
        """The samples of windows that aren't complete."""
        return {"buffer": self._buffer.copy()}

    def restore(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on where another pass of the same network stood. Raises `ValueError` where none can have."""
        buffer = np.asarray(state["buffer"], dtype=np.float32)
        if buffer.shape[:2] != self._buffer.shape[:2] or buffer.shape[2] >= self._grid.length:
            raise ValueError("the network holds a window that is complete")
        self._buffer = buffer


class SharedPass:
    """The head once over all samples, the tail once for each window.

    Steps of the head that padding makes others at a window's edges are computed again for each window, from
    the stub of the window that they depend on.
    """

    def __init__(self, head: Session, tail: Session, cut: Cut, grid: Grid) -> None:
        self._head, self._tail, self._cut, self._grid = head, tail, cut, grid
        reach = cut.reach
        self._lead = -(-max(0, -reach.first) // reach.step)
        """Steps at the beginning of a stretch that reach back before it."""
        self._base = 0  # step at which the stretch to be run next begins
        self._origin = 0  # sample at which the buffer begins; always a whole step
        self._buffer = np.empty((grid.signals, grid.channels, 0), dtype=np.float32)
        # from step `_first` on; time is the last axis
        self._steps: NDArray[np.float32] | None = None
        self._first = 0
        self._window = 0  # the first that has no logits yet

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """See `Pass.push`."""
        grid, step = self._grid, self._cut.reach.step
        there = self._buffer.shape[2] + samples.shape[2]
        ready = windows_in(self._origin + there, grid.length, grid.hop) - self._window
        if ready <= 0:
            self._buffer = self._part(samples, 0, there)
            return grid.empty()
        self._run_head(samples, there)
        features = self._windows(ready)
        keep = self._base * step - self._origin
        if self._cut.padded:
            begin = self._window * grid.hop - self._origin
            whole = stretches(self._part(samples, begin, there), grid.length, grid.hop, ready)
            self._mend_edges(features, whole)
            keep = min(keep, begin + ready * grid.hop)
        self._window += ready
        self._buffer = self._part(samples, keep, there)
        self._origin += keep
        return run_over(self._tail, features, grid)

    def _part(self, samples: NDArray[np.float32], begin: int, end: int) -> NDArray[np.float32]:
        """Samples [`begin`, `end`) of the buffer and what has come behind it: copied once, and to stay."""
        held = self._buffer.shape[2]
        new = samples[:, :, max(0, begin - held) : max(0, end - held)]
        return np.concatenate((self._buffer[:, :, begin:end], new), axis=2)

    def _run_head(self, samples: NDArray[np.float32], there: int) -> None:
        """All steps that can be known by now, behind those that are known already."""
        cut, step = self._cut, self._cut.reach.step
        begin = self._base * step - self._origin
        # branches meet with equal lengths where the stretch differs from a window by whole steps
        length = there - begin - (there - begin - self._grid.length) % step
        last = (length - 1 - cut.reach.last) // step
        if last < self._lead:
            return
        found = self._head.run(self._part(samples, begin, begin + length))
        found = np.moveaxis(found, cut.reach.axis, -1)
        if self._steps is None:
            self._steps, self._first = found[..., : last + 1], 0
        else:
            self._steps = np.concatenate((self._steps, found[..., self._lead : last + 1]), axis=-1)
        self._base += last + 1 - self._lead

    def _windows(self, ready: int) -> NDArray[np.float32]:
        """The head's steps of each ready window: windows × signals × …, as the tail takes them."""
        assert self._steps is not None
        cut, each = self._cut, self._grid.hop // self._cut.reach.step
        begin = self._window * each - self._first
        if begin > 0:
            self._steps, self._first = self._steps[..., begin:], self._first + begin
        # the last steps of a padded window may not be there yet: they are computed for it alone
        lacking = (ready - 1) * each + cut.steps - self._steps.shape[-1]
        known = self._steps
        if lacking > 0:
            known = np.concatenate((known, np.zeros((*known.shape[:-1], lacking), "f4")), axis=-1)
        view = np.lib.stride_tricks.sliding_window_view(known, cut.steps, axis=-1)
        view = np.moveaxis(view[..., : (ready - 1) * each + 1 : each, :], -2, 0)
        return np.array(np.moveaxis(view, -1, cut.reach.axis + 1), order="C")  # to be written to

    def _mend_edges(self, features: NDArray[np.float32], windows: NDArray[np.float32]) -> None:
        cut, stub = self._cut, self._cut.stub(self._grid.length)
        both = np.stack((windows[..., :stub], windows[..., windows.shape[-1] - stub :]))
        found = self._head.run(both.reshape(-1, *both.shape[3:]))
        found = np.moveaxis(found, cut.reach.axis, -1)
        left, right = found.reshape(*both.shape[:3], *found.shape[1:])
        mended = np.moveaxis(features, cut.reach.axis + 1, -1)
        mended[..., : cut.left] = left[..., : cut.left]
        mended[..., cut.steps - cut.right :] = right[..., right.shape[-1] - cut.right :]


def windows_in(samples: int, length: int, hop: int) -> int:
    """How many whole windows there are in a signal."""
    return (samples - length) // hop + 1 if samples >= length else 0


def stretches(
    samples: NDArray[np.float32], length: int, hop: int, count: int
) -> NDArray[np.float32]:
    """The first `count` windows of signals × channels × samples: windows × signals × channels × length.

    A view: nothing is copied.
    """
    view = np.lib.stride_tricks.sliding_window_view(samples, length, axis=2)
    return np.moveaxis(view[:, :, : (count - 1) * hop + 1 : hop], 2, 0)


def run_over(session: Session, windows: NDArray[np.float32], grid: Grid) -> Logits:
    """Windows × signals × … through a network, a batch at a time: windows × signals × 2."""
    count, signals = windows.shape[:2]
    found = np.empty((count * signals, 2), dtype=np.float32)
    each = max(1, grid.batch // signals)
    for first in range(0, count, each):
        part = windows[first : first + each]
        flat = np.ascontiguousarray(part.reshape(-1, *part.shape[2:]))
        for start in range(0, len(flat), grid.batch):
            begin = first * signals + start
            out = _logits_of(session, flat[start : start + grid.batch])
            found[begin : begin + len(out)] = out
    return found.reshape(count, signals, 2)


def _logits_of(session: Session, windows: NDArray[np.float32]) -> Logits:
    out = session.run(windows)
    if out.shape != (len(windows), 2):
        raise DetectorError(f"the network gives {out.shape} for {len(windows)} windows")
    return out
