"""The windows that decided about events, and windows of the same recording's background, read in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import EventsError, RecordingError
from secateur.events import Event, Events
from secateur.explaining.network import ExplainedNetwork, Windows
from secateur.recordings import Recording, duration_of
from secateur.windows import TooSlow

_CANDIDATES = 48
"""Windows of background that are looked at."""
_AWAY = (60.0, 10.0, 0.0)
"""Seconds from any event that background keeps, the first of these for which there is some."""
_CLOSE = 1e-6


@dataclass(frozen=True)
class EventWindows:
    """The windows that decided about an event.

    `segment`: channels × samples, scaled as the network takes it, from the first window's first sample to the
    last one's last. `begin`: where that stands in the recording, seconds. `starts`: first sample of each
    window in `segment`, shape (n,). `length`: samples of a window. `rate`: in Hz.
    """

    event: Event
    channels: tuple[str, ...]
    segment: NDArray[np.float32]
    begin: float
    starts: NDArray[np.int64]
    length: int
    rate: float

    def windows(self, chosen: NDArray[np.int64]) -> Windows:
        """Windows × channels × samples, of those at `chosen` indices."""
        view = np.lib.stride_tricks.sliding_window_view(self.segment, self.length, axis=1)
        return np.ascontiguousarray(view[:, self.starts[chosen]].swapaxes(0, 1))

    @property
    def edges(self) -> NDArray[np.int64]:
        """First sample of each second of the segment, and the segment's end."""
        samples = self.segment.shape[1]
        count = max(1, int(np.ceil(samples / self.rate - _CLOSE)))
        edges = np.round(np.arange(count + 1) * self.rate).astype(np.int64)
        edges[-1] = samples
        return edges

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Where each second begins in the recording, shape (seconds,)."""
        return np.asarray(self.begin + self.edges[:-1] / self.rate)

    def cells(self, window: int) -> tuple[int, list[int]]:
        """Which second of the segment a window begins in, and where in the window its seconds begin."""
        start = int(self.starts[window])
        first = int(np.searchsorted(self.edges, start, side="right")) - 1
        inside = (int(edge) - start for edge in self.edges[first + 1 : -1])
        return first, [0, *(edge for edge in inside if 0 < edge < self.length)]


@dataclass(frozen=True)
class Background:
    """Windows of the same recording without an event, which stand in for what is taken away.

    `begins`: where each begins, seconds. `away`: how far from any event they are, seconds, at least.
    """

    windows: Windows
    begins: tuple[float, ...]
    away: float

    @property
    def words(self) -> str:
        """What stands in, for reports."""
        at = ", ".join(f"{begin:.0f}" for begin in self.begins)
        away = f", {self.away:g} s or more from any event given" if self.away else ""
        return (
            "the same recording's own background, windows that the detector doesn't call, beginning at "
            f"{at} s{away}"
        )


class Segments:
    """One recording with one detector: what is to be kept of it, then the pass that keeps it.

    Raises `EventsError` naming an event that lies outside of `recording`, across a gap, or about which no
    window decides.
    """

    def __init__(
        self,
        detector: Detector,
        recording: Recording,
        events: Sequence[Event],
        others: Events | None = None,
        too_slow: TooSlow = "refuse",
    ) -> None:
        self._detector, self._chained = detector, detector.chain.over(recording, too_slow)
        self.rate = detector.info.chain.sampling_rate
        self.length, self.hop = detector.info.window_and_hop
        self._stretches = [
            (begin / self._chained.rate, self._chained.samples((begin, end)))
            for begin, end in self._chained.stretches
        ]
        self._path, self._duration = recording.path, duration_of(recording)
        self._events = list(events)
        self._avoid = [*events, *(others or ())]
        self.channels = tuple(self._chained.montage_map.names)
        self._located = [self._locate(event) for event in events]

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be put right to read the recording."""
        return self._chained.notes

    def read(self, background: bool) -> tuple[list[EventWindows], list[NDArray[np.float32]]]:
        """The events' windows, and windows that may be background where that is asked for."""
        stretches = [(stretch, first, last) for stretch, first, last, _ in self._located]
        self._candidates = self._spread() if background else []
        stretches += [(stretch, at, at + self.length) for stretch, at in self._candidates]
        parts = self._kept(stretches)
        explained = [
            EventWindows(
                event,
                self.channels,
                part,
                self._stretches[stretch][0] + first / self.rate,
                starts - first,
                self.length,
                self.rate,
            )
            for event, part, (stretch, first, _, starts) in zip(
                self._events, parts, self._located, strict=False
            )
        ]
        return explained, parts[len(self._located) :]

    def background(
        self, network: ExplainedNetwork, candidates: list[NDArray[np.float32]], count: int
    ) -> Background:
        """Of the candidates that the detector doesn't call, the `count` nearest to their median margin.

        Raises `RecordingError` where there is none.
        """
        windows = np.stack(candidates) if candidates else np.empty((0, 1, 1), dtype=np.float32)
        margins = network.margins(windows) if candidates else np.empty(0)
        probabilities = 0.5 * (1 + np.tanh(margins / 2))
        quiet = np.flatnonzero(probabilities < self._detector.threshold)
        if not len(quiet):
            raise RecordingError(
                self._path,
                "holds no background without an event that could stand in for what is taken away; gradient "
                "and contributions need none",
            )
        order = quiet[np.argsort(np.abs(margins[quiet] - np.median(margins[quiet])), kind="stable")]
        chosen = np.sort(order[:count])
        begins = tuple(
            self._stretches[self._candidates[k][0]][0] + self._candidates[k][1] / self.rate
            for k in chosen
        )
        return Background(windows[chosen], begins, self._away)

    def _locate(self, event: Event) -> tuple[int, int, int, NDArray[np.int64]]:
        """Stretch, first sample, one after the last, and each window's first: of the windows of an event."""
        words = f"{self._path}: the event at {event.onset:g} s for {event.duration:g} s"
        if event.end > self._duration + 1 / self.rate + 0.01:
            raise EventsError(
                f"{words} lies outside of the recording, which lasts {self._duration:g} s"
            )
        ends = [begin + count / self.rate for begin, count in self._stretches]
        inside = [
            number
            for number, (begin, _) in enumerate(self._stretches)
            if begin < event.end - _CLOSE and event.onset + _CLOSE < ends[number]
        ]
        slack = 1 / self.rate + 0.01  # events' times have two digits
        if (
            len(inside) != 1
            or event.onset < self._stretches[inside[0]][0] - slack
            or event.end > ends[inside[0]] + slack
        ):
            raise EventsError(f"{words} reaches into a gap; explain what lies before and after it")
        begin, count = self._stretches[inside[0]]
        starts = np.arange(0, count - self.length + 1, self.hop, dtype=np.int64)
        middle = begin + (starts + self.length - self.hop / 2) / self.rate
        chosen = starts[(middle > event.onset - _CLOSE) & (middle < event.end + _CLOSE)]
        if not len(chosen):
            raise EventsError(
                f"{words} has no window that decides about it: windows of {self.length / self.rate:g} s "
                f"every {self.hop / self.rate:g} s, each about its last {self.hop / self.rate:g} s, in "
                f"{count / self.rate:g} s without a gap"
            )
        return inside[0], int(chosen[0]), int(chosen[-1]) + self.length, chosen

    def _spread(self) -> list[tuple[int, int]]:
        """Stretch and first sample of windows evenly spread over what lies away from events."""
        for away in _AWAY:
            free = [
                (number, int(start))
                for number, (begin, count) in enumerate(self._stretches)
                for start in range(0, count - self.length + 1, self.length)
                if self._is_free(begin + start / self.rate, away)
            ]
            if free:
                self._away = away
                taken = np.unique(np.linspace(0, len(free) - 1, _CANDIDATES).round().astype(int))
                return [free[k] for k in taken]
        return []

    def _is_free(self, begin: float, away: float) -> bool:
        end = begin + self.length / self.rate
        return all(end + away <= event.onset or begin >= event.end + away for event in self._avoid)

    _away = 0.0
    _candidates: list[tuple[int, int]]

    def _kept(self, stretches: Iterable[tuple[int, int, int]]) -> list[NDArray[np.float32]]:
        """Stretches of the chained recording, each channels × samples: (stretch, first, last) each."""
        order = list(stretches)
        parts = [
            np.empty((len(self.channels), last - first), dtype=np.float32)
            for _, first, last in order
        ]
        for number, stretch in enumerate(self._chained.stretches):
            here = [k for k, (own, _, _) in enumerate(order) if own == number]
            if not here:
                continue
            until, at = max(order[k][2] for k in here), 0
            for piece in self._chained.pieces(stretch):
                for k in here:
                    _, first, last = order[k]
                    begin, end = max(first, at), min(last, at + piece.shape[1])
                    if begin < end:
                        parts[k][:, begin - first : end - first] = piece[:, begin - at : end - at]
                at += piece.shape[1]
                if at >= until:
                    break
        return parts
