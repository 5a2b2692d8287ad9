"""From probabilities to events: the same whether they come all at once or one by one.

Comes in: a probability for each stretch of `hop` seconds. Goes out: `Events`, or, while a recording
goes on, events as they become certain and as they become final. Next: `detector` and `evaluation` use
it, so that what is scored is what is detected.

In this order: smooth, call (with hysteresis), join, drop the short, keep a refractory time. `to_events`
does the first two over a whole array, `EventBuilder` stretch by stretch; the rest is one code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.metadata import PostProcessing
from secateur.events import Event, Events

_HAIR = 1e-9
"""Seconds of tolerance, so that a gap of exactly `merge_gap` doesn't depend on rounding."""

_APART = 1e-6
"""Seconds: stretches that lie further apart don't follow each other."""


@dataclass
class _Pending:
    """An event that can still grow, as joined so far. `told`: it has been reported as opened."""

    onset: float
    end: float
    peak: float
    told: bool = False


class EventBuilder:
    """Turns probabilities into events while they come in.

    Push stretches of `hop` seconds in order of time; then `finish`. What was closed on the way and what
    `finish` gives are the events of `to_events`. A stretch that does not begin where the last one ended
    is taken as after a gap.
    """

    def __init__(self, rules: PostProcessing, hop: float) -> None:
        self.rules, self.hop = rules, hop
        self._recent: deque[float] = deque(maxlen=smoothed_over(rules, hop))
        self._until: float | None = None
        self._calling = False
        self._pending: _Pending | None = None
        self._barrier = 0.0

    def push(self, begin: float, probability: float) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
        """Take the stretch from `begin`; give what is now (opened, closed).

        Opened: certain to be an event, each told once, with its onset and its length and confidence so
        far. Closed: final; nothing that comes later changes it.
        """
        closed: tuple[Event, ...] = ()
        if self._until is not None and begin - self._until > _APART:
            closed = self.gap()
        self._recent.append(float(probability))
        total = 0.0
        for one in self._recent:  # by hand: sum() rounds otherwise from Python 3.12 on
            total += one
        mean = total / len(self._recent)
        end = begin + self.hop
        self._until = end
        self._calling = mean >= (self.rules.lower if self._calling else self.rules.threshold)
        if not self._calling:
            return (), closed + self._settle(end)
        closed += self._settle(begin)
        return self._extend(begin, end, mean if end > self._barrier else 0.0), closed

    def gap(self) -> tuple[Event, ...]:
        """The signal stops here or goes on later: what is open closes, smoothing begins anew."""
        self._recent.clear()
        self._until, self._calling = None, False
        return self._close()

    def finish(self, duration: float) -> tuple[Event, ...]:
        """The end of a recording of `duration` seconds: events that were still open, cut there."""
        if self._pending is not None:
            self._pending.end = min(self._pending.end, duration)
        return self.gap()

    def state(self) -> dict[str, Any]:
        """All that decides what comes next, for JSON; `restore` takes it."""
        pending = self._pending
        return {
            "recent": list(self._recent),
            "until": self._until,
            "calling": self._calling,
            "pending": None
            if pending is None
            else [pending.onset, pending.end, pending.peak, pending.told],
            "barrier": self._barrier,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the maker of the same rules and hop that gave `state` stopped.

        Raises `ValueError` where none can have.
        """
        pending, until = state["pending"], state["until"]
        if len(state["recent"]) > (self._recent.maxlen or 0) or (
            pending is not None and not pending[0] < pending[1]
        ):
            raise ValueError("the event rules hold more than they can")
        self._recent.clear()
        self._recent.extend(state["recent"])
        self._until, self._calling = until, state["calling"]
        self._pending = None if pending is None else _Pending(*pending)
        self._barrier = state["barrier"]

    def _settle(self, now: float) -> tuple[Event, ...]:
        """Close what nothing that begins at `now` or later can join."""
        if self._pending is None or now - self._pending.end <= self.rules.merge_gap + _HAIR:
            return ()
        return self._close()

    def _extend(self, begin: float, end: float, peak: float) -> tuple[Event, ...]:
        """A stretch that is called, after `_settle`: it begins an event or joins the one that is pending."""
        if self._pending is None:
            self._pending = _Pending(begin, end, peak)
        else:
            self._pending.end = end
            self._pending.peak = max(self._pending.peak, peak)
        if self._pending.told or not self._lasts(self._pending):
            return ()
        self._pending.told = True
        return (self._event(self._pending),)

    def _close(self) -> tuple[Event, ...]:
        pending, self._pending = self._pending, None
        if pending is None or not pending.told or pending.end <= max(pending.onset, self._barrier):
            return ()  # or cut to nothing at the recording's end
        event = self._event(pending)
        self._barrier = event.end + self.rules.refractory
        return (event,)

    def _lasts(self, pending: _Pending) -> bool:
        left = pending.end - max(pending.onset, self._barrier)
        return left >= self.rules.shortest - _HAIR and left > _HAIR

    def _event(self, pending: _Pending) -> Event:
        onset = max(pending.onset, self._barrier)
        return Event(onset, max(0.0, pending.end - onset), "sz", pending.peak)

    def _take(self, begin: NDArray[np.float64], probability: NDArray[np.float64]) -> list[Event]:
        """Push stretches that follow each other, from a beginning or after a gap; what closes on the way."""
        mean = _smoothed(probability, smoothed_over(self.rules, self.hop))
        closed: list[Event] = []
        for first, after, peak in _called(mean, self.rules):
            onset = float(begin[first])
            closed += self._settle(onset)
            if onset < self._barrier:
                left = begin[first:after] + self.hop > self._barrier
                peak = float(np.max(mean[first:after], where=left, initial=0.0))
            self._extend(onset, float(begin[after - 1]) + self.hop, peak)
        return closed


def to_events(
    begin: NDArray[np.float64],
    probability: NDArray[np.floating],
    hop: float,
    rules: PostProcessing,
    duration: float,
    start: datetime | None = None,
) -> Events:
    """Events of one recording.

    `begin`: where the stretch that each window speaks for begins, in seconds, rising; it is `hop`
    seconds long. `duration`: the recording's, in seconds. An event's confidence is its largest
    probability, smoothed where the rules smooth.
    """
    maker = EventBuilder(rules, hop)
    begin = np.asarray(begin, dtype=np.float64)
    chance: NDArray[np.float64] = np.asarray(probability, dtype=np.float64)
    apart = np.flatnonzero(begin[1:] - (begin[:-1] + hop) > _APART) + 1
    found: list[Event] = []
    for first, after in zip([0, *apart], [*apart, len(begin)], strict=True):
        found += maker.gap()
        found += maker._take(begin[first:after], chance[first:after])
    found += maker.finish(duration)
    return Events(tuple(found), duration, start)


def smoothed_over(rules: PostProcessing, hop: float) -> int:
    """How many stretches smoothing looks at: those that fit whole, at least the last."""
    return max(1, int(rules.smoothing / hop + _HAIR))


def _smoothed(probability: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Mean over the last `count` values, fewer at the beginning; added oldest first, as `push` does."""
    if count == 1:
        return probability
    total = np.zeros(len(probability))
    for back in range(min(count, len(probability)) - 1, -1, -1):
        total[back:] += probability[: len(probability) - back]
    return np.asarray(total / np.minimum(np.arange(1, len(total) + 1), count))


def _called(mean: NDArray[np.float64], rules: PostProcessing) -> Iterator[tuple[int, int, float]]:
    """Runs of stretches that are called: first, after the last, largest value."""
    loud = np.concatenate(([False], mean >= rules.lower, [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(loud))
    starts, stops = edges[::2], edges[1::2]
    strong = np.flatnonzero(mean >= rules.threshold)
    place = np.searchsorted(strong, starts)
    real = place < np.searchsorted(strong, stops)
    if not real.any():
        return
    firsts, stops = strong[place[real]], stops[real]
    peaks = np.maximum.reduceat(np.append(mean, 0.0), np.stack((firsts, stops), axis=1).ravel())
    yield from zip(firsts.tolist(), stops.tolist(), peaks[::2].tolist(), strict=True)
