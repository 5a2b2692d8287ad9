"""The windows on which an event hangs, judged in bulk to the same bit as in a stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.event_rules import Floats, PostProcessing, smooth, smoothed_over
from secateur.detectors.network.run import Logits, SingleWindows, mean_probability

_SLACK = 2e-5
"""Logits by which two ways through a network may differ, as a share of the larger one (at least 1).

Those measured differ by 9e-7 of it at most; what differs by more than allowed for is noted.
"""
_CLOSE = 1e-6
"""Of a hop, so that lengths of exactly so many don't depend on rounding."""
_ROUNDING = 4e-16
"""What rounding may add to the bounds of a probability."""


class DecisiveWindows:
    """Goes through a stretch beside a pass, and judges by itself each window on which an event hangs.

    In one pass over a recording, and in batches, a runtime adds up in another order than over a window by
    itself, as a stream has to: logits differ in their last bits. They change an event only where a
    probability may lie on the other side of threshold or release, or is an event's largest. Those windows are
    judged as in a stream: the same call of the runtime with the same numbers. All others are known to lie on
    the right side, and below the largest, whatever the last bits are.

    `exact`: the probabilities of these windows, by index in the stretch. `strays`: how many of them lie
    further from the pass's than allowed for, so that the events may not be those of a stream.
    """

    def __init__(self, network: SingleWindows, rules: PostProcessing, hop: float) -> None:
        self._network, self._rules = network, rules
        self._count = smoothed_over(rules, hop)
        self._shortest, self._merged = rules.shortest / hop, rules.merge_gap / hop
        self._signals: NDArray[np.float32] | None = None  # the last that a window may need, a ring
        self._samples = self._windows = 0  # all that came before those at hand
        # of the last windows, at which smoothing looks back
        self._recent: Logits = np.empty((0, network.grid.signals, 2), dtype=np.float32)
        self._largest = 0.0  # of a call that may go on
        self.exact: dict[int, float] = {}
        self.strays = 0

    def push(
        self, signals: NDArray[np.float32], logits: Logits, probability: NDArray[np.float64]
    ) -> None:
        """Take in signals × channels × samples as the pass did, and what it gave for them."""
        if len(logits):
            count = len(logits)
            if self._before:
                probability = np.concatenate((mean_probability(self._recent), probability))
                logits = np.concatenate((self._recent, logits))
            if self._largest or not self._far_below(logits, probability):
                self._judge(signals, logits)
            self._windows += count
            if self._count > 1:
                self._recent = logits[1 - self._count :]
        self._keep(signals)

    def _far_below(self, logits: Logits, probability: NDArray[np.float64]) -> bool:
        """Whether all is as far from any event as most of a recording, which can be seen fast."""
        if self._count > 1 and len(probability) > self._count:
            total = np.concatenate(([0.0], probability.cumsum()))
            # those before a recording's begin don't count, so its first means are larger
            probability = np.append(
                (total[self._count :] - total[: -self._count]) / self._count,
                probability[: self._count] if self._windows < self._count else 0.0,
            )
        slack = _SLACK * max(1.0, float(np.abs(logits).max())) + _CLOSE
        return float(probability.max()) < self._rules.lower - slack

    @property
    def _before(self) -> int:
        """Windows that smoothing looks back at, and that were judged before."""
        return len(self._recent)

    def _judge(self, signals: NDArray[np.float32], logits: Logits) -> None:
        before = self._before
        bounds = bounds_of(logits)
        for k in range(before):
            bounds[:, k] = self.exact.get(self._windows - before + k, bounds[:, k])
        means = self._means(bounds)
        for lines in (self._undecided, self._candidates):
            windows = np.flatnonzero(lines(*means)).tolist()
            for k in windows:
                for j in range(max(0, before + k - self._count + 1), before + k + 1):
                    self._settle(bounds[:, j], self._windows - before + j, signals)
            if windows:
                means = self._means(bounds)
        self._largest = self._largest_so_far(means[0])

    def _largest_so_far(self, low: Floats) -> float:
        """Of the call that goes on behind the last window; 0 where none does."""
        if not low[-1] >= self._rules.lower:
            return 0.0
        first, after = _stretches_above(low, self._rules.lower)[-1]
        return max(float(low[first:after].max()), self._largest if first == 0 else 0.0)

    def _means(self, bounds: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Bounds of what the rules compare, of the windows at hand."""
        before = self._before
        low, high = (smooth(row[before:], row[:before], self._count) for row in bounds)
        return low, high

    def _undecided(self, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """Where threshold or release lies within the bounds."""
        threshold, release = self._rules.threshold, self._rules.lower
        return np.asarray(
            ((low < threshold) & (high >= threshold)) | ((low < release) & (high >= release))
        )

    def _candidates(self, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """What may be a call's largest, or its rest's where a refractory time may cut its beginning off."""
        mask = np.zeros(len(low), dtype=np.bool_)
        if not (high >= self._rules.threshold).any():
            return mask
        for first, after in self._lasting(_stretches_above(low, self._rules.lower), len(low)):
            run = slice(first, after)
            least = np.maximum.accumulate(low[run][::-1])[::-1]
            if least[0] < self._rules.threshold:
                continue
            if not self._rules.refractory:
                least = np.maximum(least[0], self._largest if first == 0 else 0.0)
            mask[run] = (high[run] >= least) & (low[run] < high[run])
        return mask

    def _lasting(self, runs: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
        """Those of which an event may come: with what they may be joined to they last long enough."""
        lasting: list[tuple[int, int]] = []
        group: list[tuple[int, int]] = []
        for run in [*runs, (count, count)]:
            if group and (run[0] == count or run[0] - group[-1][1] > self._merged + _CLOSE):
                first, after = group[0][0], group[-1][1]
                alone = min(first, count - after) > self._merged + _CLOSE
                if not alone or after - first >= self._shortest - _CLOSE:
                    lasting += group
                group = []
            group.append(run)
        return lasting

    def _settle(
        self, bounds: NDArray[np.float64], index: int, signals: NDArray[np.float32]
    ) -> None:
        if bounds[0] == bounds[1]:
            return
        value = self._network.probability(self._window(index, signals))
        self.strays += not bounds[0] <= value <= bounds[1]
        self.exact[index] = value
        bounds[:] = value

    def _window(self, index: int, signals: NDArray[np.float32]) -> NDArray[np.float32]:
        begin, length = index * self._network.grid.hop, self._network.grid.length
        known = min(length, max(0, self._samples - begin))
        first = begin + known - self._samples
        new = signals[:, :, first : first + length - known]
        if not known:
            return new
        assert self._signals is not None
        slots = np.arange(begin, begin + known) % self._signals.shape[2]
        return np.concatenate((self._signals[:, :, slots], new), axis=2)

    def _keep(self, signals: NDArray[np.float32]) -> None:
        """What later windows begin with, and those at which smoothing looks back."""
        grid = self._network.grid
        if self._signals is None:
            size = grid.length + self._count * grid.hop
            self._signals = np.empty((*signals.shape[:2], size), dtype=np.float32)
        size, count = self._signals.shape[2], signals.shape[2]
        at = max(0, count - size)
        while at < count:
            slot = (self._samples + at) % size
            part = signals[:, :, at : at + size - slot]
            self._signals[:, :, slot : slot + part.shape[2]] = part
            at += part.shape[2]
        self._samples += count


def bounds_of(logits: Logits) -> NDArray[np.float64]:
    """Between what a window's probability by itself lies: two rows, from windows × signals × 2 of a pass."""
    gap = logits[..., 1].astype(np.float64) - logits[..., 0]
    slack = _SLACK * np.maximum(1.0, np.abs(logits).max(axis=-1))
    bounds: NDArray[np.float64] = 0.5 * (1 + np.tanh(np.stack((gap - slack, gap + slack)) / 2))
    bounds = bounds.mean(axis=-1)
    wide = np.where(bounds[0] < bounds[1], _ROUNDING, 0.0)
    return np.asarray((bounds + np.stack((-wide, wide))).clip(0.0, 1.0))


def _stretches_above(values: Floats, level: float) -> list[tuple[int, int]]:
    """First index, and the one behind the last, of each stretch of values at `level` or above."""
    above = np.zeros(len(values) + 2, dtype=np.bool_)
    np.greater_equal(values, level, out=above[1:-1])
    edges = np.flatnonzero(above[1:] != above[:-1]).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def stray_notes(strays: int) -> Sequence[str]:
    """What there is to note of `DecisiveWindows.strays`."""
    if not strays:
        return ()
    return (
        f"{strays} windows by themselves differ from one pass by more than {_SLACK:g} of a logit: a "
        "stream may find other events",
    )
