"""From probabilities to events, in bulk and live: smooth, call, join, drop the short, keep a refractory time.

Where an event begins is decided in `called` alone; `EventBuilder` joins calls and lets a refractory time
move an onset to its end. All stretches of a recording go through it at once, or those that a stream brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from secateur.events import Event, Events
from secateur.settings import Settings

_DAY = 86_400.0
_TOLERANCE = 1e-9
"""Seconds, so that a gap of exactly `merge_gap` doesn't depend on rounding."""
_GAP = 1e-6
"""Seconds: stretches that lie further apart don't follow each other."""

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class PostProcessing(Settings):
    """From probabilities to events, in this order: smooth, call, join, drop, keep a refractory time."""

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """An event begins at this probability or above."""
    release: Annotated[float, Field(ge=0, le=1)] | None = None
    """An event goes on until the probability falls below this; none: the threshold."""
    smoothing: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Each probability becomes the mean of those of the last so many seconds (fewer at first); 0: none."""
    merge_gap: Annotated[float, Field(ge=0, le=_DAY)] = 5.0
    """Events at most so many seconds apart are joined."""
    shortest: Annotated[float, Field(ge=0, le=_DAY)] = 3.0
    """Events shorter than so many seconds are dropped."""
    refractory: Annotated[float, Field(ge=0, le=_DAY)] = 0.0
    """For so many seconds after an event there is no other; one that begins inside begins at its end, and is
    dropped where less than `shortest` is left."""

    @model_validator(mode="after")
    def _release_is_not_above(self) -> Self:
        if self.release is not None and self.release > self.threshold:
            raise ValueError(
                f"release is {self.release:g}, above the threshold of {self.threshold:g}; an event would "
                "end where it begins"
            )
        return self

    @property
    def lower(self) -> float:
        """Below it an event ends."""
        return self.threshold if self.release is None else self.release

    def moved_to(self, threshold: float) -> PostProcessing:
        """The same rules at another threshold; the release keeps its share of it."""
        share = None if self.release is None else self.release / (self.threshold or 1.0)
        release = None if share is None else min(share * threshold, threshold)
        rules = {name: getattr(self, name) for name in PostProcessing.model_fields}
        return PostProcessing(**{**rules, "threshold": threshold, "release": release})


def smooth(probability: Floats, before: Floats, count: int) -> Floats:
    """The mean of each value and the `count` − 1 before it, of fewer at the beginning: shape (n,).

    `before`: the last values that came before `probability`, `count` − 1 of them or all that there were.
    """
    if count == 1:
        return probability
    values = np.concatenate((before, probability))
    total = np.zeros(len(values))
    for back in range(min(count, len(values)) - 1, -1, -1):  # the oldest first, however cut
        total[back:] += values[: len(values) - back]
    means = total / np.minimum(np.arange(1, len(values) + 1), count)
    return np.asarray(means[len(before) :])


def called(mean: Floats, rules: PostProcessing, calling: bool) -> tuple[Indices, Indices]:
    """Where calls begin, and the index behind each one's end: two arrays of shape (calls,).

    A call begins at the first value at the threshold or above and goes on until one lies below the release.
    `calling`: whether one went on right before the first value.
    """
    strong = mean >= rules.threshold
    if not calling and not strong.any():
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    above = np.zeros(len(mean) + 2, dtype=np.bool_)
    np.greater_equal(mean, rules.lower, out=above[1:-1])
    strong[0] |= calling and above[1]
    hits = strong.nonzero()[0]
    if not len(hits):
        return hits, hits
    edges = (above[1:] != above[:-1]).nonzero()[0]
    starts, ends = edges[::2], edges[1::2]
    first = hits.searchsorted(starts)
    real = first < hits.searchsorted(ends)
    return hits[first[real]], ends[real]


def peaks(mean: Floats, first: Indices, after: Indices) -> Floats:
    """The largest value of each call, shape (calls,)."""
    edges = np.concatenate((first, after)).reshape(2, -1).T.ravel()
    return np.asarray(np.maximum.reduceat(np.append(mean, 0.0), edges)[::2])


def smoothed_over(rules: PostProcessing, hop: float) -> int:
    """How many stretches smoothing looks at: those that fit whole, at least the last."""
    return max(1, int(rules.smoothing / hop + _TOLERANCE))


@dataclass
class _Pending:
    """An event that can still grow. `lasts`: it is long enough, and has been reported as opened."""

    onset: float
    end: float
    confidence: float
    lasts: bool = False


class EventBuilder:
    """Turns probabilities into events while they come in, any number at a time.

    Push stretches of `hop` seconds in order of time; then `finish`. What was closed on the way and what
    `finish` gives are the events of `to_events`.
    """

    def __init__(self, rules: PostProcessing, hop: float) -> None:
        self.rules, self.hop = rules, hop
        self._count = smoothed_over(rules, hop)
        self._recent = np.empty(0)
        self._until: float | None = None
        self._calling = False
        self._pending: _Pending | None = None
        self._barrier = 0.0

    @property
    def pending(self) -> bool:
        """Whether there is what may become an event, or part of one that goes on."""
        return self._pending is not None

    def push(
        self, begin: Floats, probability: Floats
    ) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
        """Take in stretches that follow each other; give what is now (opened, closed).

        `begin`: where each begins, in seconds, shape (n,), n ≥ 1; a first one that does not begin where the
        last one ended comes after a gap. Opened: certain to be an event, each told once, as it is after the
        last of these stretches. Closed: final; nothing that comes later changes it.
        """
        closed: tuple[Event, ...] = ()
        if self._until is not None and abs(begin[0] - self._until) > _GAP:
            closed = self.gap()
        mean = smooth(probability, self._recent, self._count)
        if self._count > 1:
            self._recent = np.concatenate((self._recent, probability))[1 - self._count :]
        self._until = float(begin[-1]) + self.hop
        first, after = called(mean, self.rules, self._calling)
        self._calling = len(after) > 0 and bool(after[-1] == len(mean))
        opened: tuple[Event, ...] = ()
        if len(first):
            largest = peaks(mean, first, after)
            for k, j, peak in zip(first.tolist(), after.tolist(), largest.tolist(), strict=True):
                onset, end = float(begin[k]), float(begin[j - 1]) + self.hop
                closed += self._close_before(onset)
                if onset < self._barrier:
                    later = begin[k:j] + self.hop > self._barrier
                    peak = float(mean[k:j].max(where=later, initial=0.0))
                opened += self._join(onset, end, peak)
        return opened, closed + self._close_before(self._until)

    def _close_before(self, now: float) -> tuple[Event, ...]:
        """Close what no call that begins `now` or later can join."""
        if self._pending is None or now - self._pending.end <= self.rules.merge_gap + _TOLERANCE:
            return ()
        return self._close()

    def _join(self, onset: float, end: float, confidence: float) -> tuple[Event, ...]:
        """A call begins an event or makes the pending one longer; give it where it lasts from now on."""
        event = self._pending = self._pending or _Pending(onset, end, 0.0)
        event.end, event.confidence = end, max(event.confidence, confidence)
        duration = end - max(event.onset, self._barrier)
        if event.lasts or duration < self.rules.shortest - _TOLERANCE or duration <= _TOLERANCE:
            return ()
        event.lasts = True
        return (self._event(event),)

    def _close(self) -> tuple[Event, ...]:
        """The pending event is final, or dropped where little is left; then the refractory time begins."""
        event, self._pending = self._pending, None
        if event is None or not event.lasts or event.end <= max(event.onset, self._barrier):
            return ()
        final = self._event(event)
        self._barrier = final.end + self.rules.refractory
        return (final,)

    def _event(self, event: _Pending) -> Event:
        onset = max(event.onset, self._barrier)
        return Event(onset, event.end - onset, "sz", event.confidence)

    def gap(self) -> tuple[Event, ...]:
        """The signal stops here or goes on later: what is open closes, smoothing begins anew."""
        self._recent = self._recent[:0]
        self._until, self._calling = None, False
        return self._close()

    def finish(self, duration: float) -> tuple[Event, ...]:
        """The end of a recording of `duration` seconds: events that were still open, cut there."""
        if self._pending is not None:
            self._pending.end = min(self._pending.end, duration)
        return self.gap()

    def state(self) -> dict[str, Any]:
        """All that decides what comes next, for JSON; `restore` takes it."""
        event = self._pending
        return {
            "recent": self._recent.tolist(),
            "until": self._until,
            "calling": self._calling,
            "pending": event and [event.onset, event.end, event.confidence, event.lasts],
            "barrier": self._barrier,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the builder of the same rules and hop that gave `state` stopped.

        Raises `ValueError` where none can have.
        """
        pending, recent = state["pending"], np.array(state["recent"], dtype=np.float64)
        now = state["until"] or 0.0
        if len(recent) >= self._count or (pending and not pending[0] < pending[1] <= now):
            raise ValueError("the event rules hold more than they can")
        self._recent, self._until, self._calling = recent, state["until"], state["calling"]
        self._pending = pending and _Pending(*pending)
        self._barrier = state["barrier"]


def stretches_of(begin: Floats, hop: float, restarts: Sequence[int] = ()) -> list[tuple[int, int]]:
    """First index, and the one behind the last, of windows that follow each other without a gap.

    See `to_events` for the arguments.
    """
    gaps = np.flatnonzero(np.abs(begin[1:] - (begin[:-1] + hop)) > _GAP) + 1
    return list(pairwise(sorted({0, *gaps.tolist(), *restarts, len(begin)})))


def to_events(
    begin: Floats,
    probability: NDArray[np.floating],
    hop: float,
    rules: PostProcessing,
    duration: float,
    restarts: Sequence[int] = (),
) -> Events:
    """Events of one recording.

    `begin`: where the stretch that each window speaks for begins, in seconds, rising; it is `hop` seconds
    long. `duration`: the recording's, in seconds. `restarts`: indices of windows that come first after a gap,
    for gaps that `begin` doesn't show, as no time was lost. An event's confidence is its largest
    probability, smoothed where the rules smooth.
    """
    builder = EventBuilder(rules, hop)
    begin = np.asarray(begin, dtype=np.float64)
    values: Floats = np.asarray(probability, dtype=np.float64)
    events: list[Event] = []
    for first, after in stretches_of(begin, hop, restarts):
        events += builder.gap() + builder.push(begin[first:after], values[first:after])[1]
    events += builder.finish(duration)
    return Events(tuple(events), duration)
