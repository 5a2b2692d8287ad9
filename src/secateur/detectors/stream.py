"""A detector on a recording that is still going on: chunks of samples come in, what they bring goes out.

The same chain, network and event rules as over a file; all closed events together are those of
`Detector.detect`. What can go wrong with a signal that comes in chunks, and what is done then, is in
docs/how-to/streaming.md; nothing is ever filled in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.event_rules import EventBuilder
from secateur.detectors.saved_stream import (
    SavedRules,
    StreamState,
    from_saved,
    read_state,
    to_saved,
)
from secateur.errors import SecateurError, StreamError
from secateur.events import Event
from secateur.settings import names_in
from secateur.windows import decision_interval
from secateur.windows.plausibility import AmplitudeCheck

if TYPE_CHECKING:
    from secateur.detectors.detector import Detector

_FASTEST = 1e6
_ENOUGH = (
    "a stream must hold the band; once recorded, secateur detect --force takes it, or in Python "
    'window_probabilities(recording, too_slow="note")'
)
"""What to do about a rate that is too slow."""
WindowTap = Callable[[float, NDArray[np.float32], bool], None]
"""Takes a window as it was judged: where the stretch begins that it speaks for, in seconds; signals ×
channels × samples, scaled, not to be changed; and whether it may belong to an event."""


@dataclass(frozen=True)
class Step:
    """What a chunk brought.

    `probabilities`: one for each window that it completed, shape (n,); `seconds`: where the stretch of `hop`
    seconds begins that each speaks for, counted from the stream's first sample. `opened`: events that are
    certain by now, each reported once, with their length so far. `closed`: events that nothing can change any
    more. `notes`: what was wrong with the signal; those of the first samples begin with the stream's own.
    """

    seconds: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    hop: float
    opened: tuple[Event, ...] = ()
    closed: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()


class DetectorStream:
    """One recording as it comes. Made by `Detector.stream`.

    `notes`: what had to be put right about its channels and its rate, as a recording's notes say it. `tap`:
    is handed each window, before the step that brought it comes back.
    """

    tap: WindowTap | None = None

    def __init__(self, detector: Detector, channels: Sequence[str], sampling_rate: float) -> None:
        rate = float(sampling_rate)
        if not 0 < rate <= _FASTEST:
            raise StreamError(
                f"a sampling rate is above 0 Hz, and {_FASTEST:g} Hz at most; got {sampling_rate}"
            )
        self._detector, self.channels = detector, names_in(channels, "channels")
        self.sampling_rate = rate
        info = detector.info
        self._montage_map = detector.chain.montage_map(self.channels, "stream")
        self.notes = (
            *self._montage_map.notes,
            *detector.chain.rate_notes(rate, "stream", "refuse", _ENOUGH),
        )
        self._signals = len(self._montage_map.names) if info.chain.montage == "each" else 1
        self.hop = info.window_and_hop[1] / info.chain.sampling_rate
        self._network = detector.singly(self._signals)
        self._builder = EventBuilder(info.post_processing, self.hop)
        self._seen = 0
        self._closed = False
        self._origin = 0  # the input's sample at which this stretch without gaps begins
        used = [self.channels[k] for k in self._montage_map.used]
        self._check = AmplitudeCheck(used, rate, live=True)
        self._begin(0)

    def _begin(self, origin: int) -> None:
        """The chain and the network anew, from the input's sample `origin` on."""
        self._origin = origin
        self._chain = self._detector.chain.begin(
            self.channels, self.sampling_rate, "stream", check=self._check
        )
        self._buffer = self._detector.windows(self._signals)
        self._windows = 0

    @property
    def montage(self) -> tuple[str, ...]:
        """Names of the montage's channels, the rows of a window."""
        return self._montage_map.names

    @property
    def samples(self) -> int:
        """Samples of each channel so far, lost ones too: the index of the next."""
        return self._seen

    def push(
        self, chunk: NDArray[np.floating], at: int | None = None, sampling_rate: float | None = None
    ) -> Step:
        """Take in channels × any number of samples, µV, of all `channels`.

        `at`: the index of the chunk's first sample, counted from the stream's first, where the device states
        it: then lost and repeated samples are noticed. `sampling_rate`: where the device states it with each
        chunk. Raises `StreamError` for a chunk that isn't of this stream; the stream is as it was before.
        """
        values = self._checked(chunk, sampling_rate)
        step = _StepBuilder(self.hop)
        if self._seen == 0 < values.shape[1]:
            step.notes += self.notes
        if at is not None:
            values = self._new_samples(values, int(at), step)
        used = values[list(self._montage_map.used)]
        if math.isfinite(used.sum(dtype=np.float64)):  # then each of them is
            self._take(used, step)
        else:
            self._take_around(used, step)
        return step.build()

    def close(self) -> Step:
        """The end of the recording: the last probabilities and the events that were still open."""
        self._require_open()
        step = _StepBuilder(self.hop)
        self._flush(step)
        step.closed += self._builder.finish(self._seen / self.sampling_rate)
        step.notes += self._check.fresh(ended=True)
        self._closed = True
        return step.build()

    def _require_open(self) -> None:
        if self._closed:
            raise StreamError("this stream is closed; begin another with Detector.stream")

    def _checked(
        self, chunk: NDArray[np.floating], sampling_rate: float | None
    ) -> NDArray[np.float32]:
        self._require_open()
        values = np.asarray(chunk)
        numbers = values.ndim == 2 and values.dtype.kind in "fiu"
        if not numbers or values.shape[0] != len(self.channels):
            raise StreamError(
                f"wanted {len(self.channels)} channels × samples in µV; got an array of "
                f"{values.dtype} of shape {values.shape}"
            )
        if sampling_rate is not None and float(sampling_rate) != self.sampling_rate:
            raise StreamError(
                f"the stream was begun at {self.sampling_rate:g} Hz, this chunk is stated to be sampled at "
                f"{sampling_rate:g} Hz; close it and begin another"
            )
        return values.astype(np.float32, copy=False)

    def _new_samples(
        self, values: NDArray[np.float32], at: int, step: _StepBuilder
    ) -> NDArray[np.float32]:
        """What is new in a chunk that begins at sample `at`; a gap before it is closed off."""
        if at < 0:
            raise StreamError(f"a chunk can't begin before the stream, at sample {at}")
        if at > self._seen:
            lost = at - self._seen
            step.notes += (f"{lost} samples lost before second {at / self.sampling_rate:g}",)
            self._cut_off(lost, step)
        elif at < self._seen:
            known = min(self._seen - at, values.shape[1])
            step.notes += (f"{known} samples came again and were passed over",)
            values = values[:, known:]
        return values

    def _take_around(self, used: NDArray[np.float32], step: _StepBuilder) -> None:
        """Samples without a value in a channel that the network needs are a gap."""
        good: NDArray[np.bool_] = np.asarray(np.isfinite(used).all(axis=0))
        edges = np.flatnonzero(np.diff(good)) + 1
        for begin, end in zip([0, *edges], [*edges, len(good)], strict=True):
            if good[begin]:
                self._take(used[:, begin:end], step)
                continue
            lacking = ~np.isfinite(used[:, begin:end]).all(axis=1)
            names = [self.channels[self._montage_map.used[k]] for k in np.flatnonzero(lacking)]
            step.notes += (
                f"no signal in {', '.join(names)} for {end - begin} samples from second "
                f"{self._seen / self.sampling_rate:g}: nothing is judged there",
            )
            self._cut_off(int(end - begin), step)

    def _cut_off(self, lost: int, step: _StepBuilder) -> None:
        """End the stretch before a gap of `lost` samples as if the recording had ended; begin anew after."""
        if self._seen > self._origin:
            self._flush(step)
            step.closed += self._builder.gap()
        self._seen += lost
        self._begin(self._seen)

    def _take(self, used: NDArray[np.float32], step: _StepBuilder) -> None:
        if used.shape[1] == 0:
            return
        self._seen += used.shape[1]
        self._judge(self._chain.push(used), step)
        step.notes += self._check.fresh()

    def _flush(self, step: _StepBuilder) -> None:
        self._judge(self._chain.finish(), step)

    def _judge(self, chained: NDArray[np.float32], step: _StepBuilder) -> None:
        windows = self._buffer.push(self._detector.as_signals(chained))
        if len(windows) == 0:
            return
        seconds = self._seconds(self._windows, len(windows))
        self._windows += len(windows)
        # one by one: neither a probability nor what is reported depends on the chunks
        probabilities = np.array([self._network.probability(window) for window in windows])
        step.seconds.append(seconds)
        step.probabilities.append(probabilities)
        for k in range(len(seconds)):
            opened, closed = self._builder.push(seconds[k : k + 1], probabilities[k : k + 1])
            step.opened += opened
            step.closed += closed
            if self.tap is not None:
                self.tap(float(seconds[k]), windows[k], self._builder.pending)

    def _seconds(self, first: int, count: int) -> NDArray[np.float64]:
        """Where the stretches begin that `count` windows speak for, counted from the stream's beginning."""
        info = self._detector.info
        hop = info.window_and_hop[1]
        starts = np.arange(first * hop, (first + count) * hop, hop)
        begin, _ = decision_interval(starts, info.windows, info.chain.sampling_rate)
        return begin + self._origin / self.sampling_rate

    def save(self) -> bytes:
        """All that later steps depend on; `Detector.resume` goes on from it to the bit."""
        self._require_open()
        return StreamState(
            detector=self._detector.fingerprint,
            channels=self.channels,
            sampling_rate=self.sampling_rate,
            seen=self._seen,
            origin=self._origin,
            windows=self._windows,
            chain=to_saved(self._chain.state()),
            network=to_saved(self._buffer.state()),
            rules=SavedRules(**self._builder.state()),
        ).to_bytes()

    @classmethod
    def resumed(cls, detector: Detector, saved: bytes) -> DetectorStream:
        """See `Detector.resume`."""
        state = read_state(saved)
        if state.detector != detector.fingerprint:
            raise StreamError("this stream was saved with another detector")
        try:
            stream = cls(detector, state.channels, state.sampling_rate)
            stream._restore(state)
        except ValueError as error:
            reason = str(error) if not isinstance(error, SecateurError) else "it fits no signal"
            raise StreamError(f"not a saved stream, or a damaged one: {reason}") from None
        return stream

    def _restore(self, state: StreamState) -> None:
        self._begin(state.origin)
        self._seen, self._windows = state.seen, state.windows
        last = self._seconds(state.windows - 1, 1)[0] + self.hop if state.windows else None
        until, now = state.rules.until, state.seen / self.sampling_rate
        if (last is None) != (until is None) or abs((last or 0.0) - (until or 0.0)) > self.hop / 2:
            raise ValueError("the event rules stand elsewhere than the windows")
        if (until or 0.0) > now + self.hop or state.rules.barrier > (
            now + self.hop + self._detector.info.post_processing.refractory
        ):
            raise ValueError("the event rules are ahead of the signal")
        self._buffer.restore(from_saved(state.network, self._buffer.state()))
        self._builder.restore(state.rules.model_dump())
        # stages learn some lengths from their first sample
        begun = self._detector.chain.begin(self.channels, self.sampling_rate, "stream")
        if self._seen > self._origin:
            begun.push(np.zeros((len(self._montage_map.used), 1), dtype=np.float32))
        self._chain.restore(from_saved(state.chain, begun.state()))


class _StepBuilder:
    """A step as it is gathered."""

    def __init__(self, hop: float) -> None:
        self._hop = hop
        self.seconds: list[NDArray[np.float64]] = []
        self.probabilities: list[NDArray[np.float64]] = []
        self.opened: tuple[Event, ...] = ()
        self.closed: tuple[Event, ...] = ()
        self.notes: tuple[str, ...] = ()

    def build(self) -> Step:
        seconds, probabilities = (
            parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0)
            for parts in (self.seconds, self.probabilities)
        )
        return Step(seconds, probabilities, self._hop, self.opened, self.closed, self.notes)
