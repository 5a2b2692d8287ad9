"""From time stamps to sample indices: jitter moves nothing, losses are gaps, nothing is taken twice."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secateur.live.stream import TroubleKind

TOLERANCE = 0.1
"""Seconds by which a time stamp may differ from what the count of samples leads to expect: below, it is
jitter; above, samples are lost, or came more than once."""
LAG = 2.0
"""Seconds from a sample's time stamp to its arrival from which it is told as late."""
_FUTURE = 0.5
"""Seconds by which a time stamp may lie ahead of this machine's clock."""
_ADAPTS = 30.0
"""Seconds in which the expected time follows a sender whose clock runs a little faster or slower."""
_GATHERED = 10.0
"""Seconds from one sentence about samples that were passed over to the next."""
_REMEMBERED = 5.0
"""Seconds of samples that are known again when they come once more."""


@dataclass
class Placed:
    """Where samples stand: (index of the first, first and one after the last of those that came)."""

    slices: list[tuple[int, int, int]] = field(default_factory=list)
    troubles: list[tuple[TroubleKind, str]] = field(default_factory=list)


class SampleClock:
    """Counts the samples of one stream of `rate` Hz, and holds the count against their time stamps.

    All times are this machine's LSL clock in seconds, where nothing else is said.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.next = 0
        self._due = math.nan  # when the next sample is expected
        self._newest = -math.inf  # the latest stamp that was taken, by the sender's clock
        self._correction = math.nan
        self._recent: deque[tuple[NDArray[np.float64], NDArray[np.generic]]] = deque()
        self._least_cut: int | None = (
            None  # the next sample stands where its time says, so far off at least
        )
        self._late = False
        self._passed: dict[str, int] = {}
        self._told_passed = -math.inf

    @property
    def begun(self) -> bool:
        """Whether a sample was ever placed, or `go_on` called."""
        return not math.isnan(self._due)

    def go_on(self, index: int, due: float) -> None:
        """What comes next has the index `index`, which was or will be due at `due`, or a later one."""
        self.next, self._due, self._least_cut = index, due, 1

    def reconnect(self) -> None:
        """Another connection: its first sample stands where its time says, and the sender's clock is new."""
        self._newest, self._correction = -math.inf, math.nan
        self._recent.clear()
        self._least_cut = 1 if self.begun else None

    def correct(self, correction: float) -> list[tuple[TroubleKind, str]]:
        """`correction`: seconds to be added to the sender's stamps; says so where it has jumped."""
        jump = correction - self._correction
        self._correction = correction
        if math.isnan(jump) or abs(jump) <= TOLERANCE:
            return []
        if self.begun and self._least_cut is None:  # the count goes on, whatever the clocks say
            self._due += jump
        return [("clock", f"the sender's clock has moved by {-jump:+.2f} s against this machine's")]

    def assign(
        self, stamps: NDArray[np.float64], values: NDArray[np.generic], now: float
    ) -> Placed:
        """Where samples stand that came together.

        `stamps`: of each sample, seconds by the sender's clock; `values`: samples × channels.
        """
        placed = Placed()
        for begin, end in _runs(stamps, self._rate):
            self._place_run(stamps, values, begin, end, now, placed)
        self._tell_passed(now, placed)
        self._tell_lag(now - float(stamps[-1]) - self._correction, placed)
        return placed

    def _place_run(
        self,
        stamps: NDArray[np.float64],
        values: NDArray[np.generic],
        begin: int,
        end: int,
        now: float,
        placed: Placed,
    ) -> None:
        begin = self._pass_over_known(stamps, values, begin, end)
        if begin == end:
            return
        if stamps[end - 1] <= self._newest:
            self._least_cut = self._least_cut or 0
            words = (
                f"{end - begin} samples came out of order, too late for their place: passed over"
            )
            placed.troubles.append(("disorder", words))
            return
        times = stamps[begin:end] + self._correction
        if not self.begun:
            self._due = float(times[0])
        begin, at = self._index(times, begin, now, placed)
        if begin == end:
            return
        count = end - begin
        placed.slices.append((at, begin, end))
        self.next = at + count
        self._due += count / self._rate
        self._newest = max(self._newest, float(stamps[end - 1]))
        self._remember(stamps[begin:end], values[begin:end])

    def _index(
        self, times: NDArray[np.float64], begin: int, now: float, placed: Placed
    ) -> tuple[int, int]:
        """The first sample of a run that is taken, and its index; sets when that sample is due."""
        off = float(times[0]) - self._due
        if now - float(times[-1]) < -_FUTURE and off > TOLERANCE:
            words = f"the sender's clock has moved by {off:+.2f} s: stamps lie in the future"
            placed.troubles.append(("clock", words))
            self._due = float(times[0])
        elif off < -TOLERANCE or (self._least_cut and off < 0):
            return self._pass_over_early(times, begin)
        elif off > TOLERANCE or self._least_cut is not None:
            lost = max(round(off * self._rate), self._least_cut or 0)
            self._due, self._least_cut = float(times[0]), None
            return begin, self.next + lost
        else:
            count = len(times)
            mean = float(times.mean()) - self._due - (count - 1) / (2 * self._rate)
            self._due += mean * (1 - math.exp(-count / (self._rate * _ADAPTS)))
        self._least_cut = None
        return begin, self.next

    def _pass_over_early(self, times: NDArray[np.float64], begin: int) -> tuple[int, int]:
        """Samples of a time of which the stream has some already: stored ones, sent again or as new."""
        passed = min(len(times), int(np.searchsorted(times, self._due - 0.5 / self._rate)))
        self._pass_over(passed, "are of a time that was taken in already")
        self._least_cut = 1
        if passed < len(times):
            self._due, self._least_cut = float(times[passed]), None
        return begin + passed, self.next + 1  # so that the cut shows

    def _pass_over_known(
        self,
        stamps: NDArray[np.float64],
        values: NDArray[np.generic],
        begin: int,
        end: int,
    ) -> int:
        """The first sample of a run that hasn't come before, stamp and values."""
        if stamps[begin] > self._newest or not self._recent:
            return begin
        known_stamps = np.concatenate([each for each, _ in self._recent])
        known_values = np.concatenate([each for _, each in self._recent])
        first = begin
        while begin < end and stamps[begin] <= self._newest + 1e-6:
            same = np.flatnonzero(np.abs(known_stamps - stamps[begin]) < 1e-6)
            if not any(
                np.array_equal(known_values[k], values[begin], equal_nan=True) for k in same
            ):
                break
            begin += 1
        self._pass_over(begin - first, "came again")
        return begin

    def _pass_over(self, count: int, why: str) -> None:
        if count:
            self._passed[why] = self._passed.get(why, 0) + count

    def _tell_passed(self, now: float, placed: Placed) -> None:
        """At once, and then in sums: a sender in disorder brings up to a hundred chunks a second."""
        if self._passed and now - self._told_passed >= _GATHERED:
            for why, count in self._passed.items():
                placed.troubles.append(("disorder", f"{count} samples {why}: passed over"))
            self._passed.clear()
            self._told_passed = now

    def _remember(self, stamps: NDArray[np.float64], values: NDArray[np.generic]) -> None:
        self._recent.append((stamps.copy(), values.copy()))
        while self._recent and self._recent[0][0][-1] < self._newest - _REMEMBERED:
            self._recent.popleft()

    def _tell_lag(self, age: float, placed: Placed) -> None:
        if not self._late and age > LAG:
            self._late = True
            placed.troubles.append(("lag", f"what comes is {age:.1f} s old"))
        elif self._late and age < LAG / 2:
            self._late = False
            placed.troubles.append(("lag", "what comes is no longer late"))


def _runs(stamps: NDArray[np.float64], rate: float) -> Iterator[tuple[int, int]]:
    """Stretches within which stamps ascend, and keep to the rate within the tolerance."""
    drift = stamps - stamps[0] - np.arange(len(stamps)) / rate
    steps = np.diff(np.floor(drift / TOLERANCE + 0.5)) != 0
    edges: Sequence[int] = (np.flatnonzero(steps | (np.diff(stamps) <= 0)) + 1).tolist()
    yield from zip([0, *edges], [*edges, len(stamps)], strict=True)
