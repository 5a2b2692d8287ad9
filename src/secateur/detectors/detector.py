"""A detector at work: from a recording to probabilities and events, or a stream. Needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.event_rules import (
    Floats,
    PostProcessing,
    smooth,
    smoothed_over,
    to_events,
)
from secateur.detectors.file import DetectorInfo, check_demands, parse_info, read_verified
from secateur.detectors.network.costs import (
    SplitNetwork,
    affordable,
    fits_in_bulk,
    macs_a_hop,
    split,
)
from secateur.detectors.network.model import Graph, parse, trusted
from secateur.detectors.network.run import (
    Grid,
    Logits,
    Pass,
    Runtime,
    Session,
    SharedPass,
    SingleWindows,
    SlidingPass,
    WindowBuffer,
    in_planes,
    mean_probability,
    open_session,
)
from secateur.detectors.stream import DetectorStream
from secateur.errors import SettingsError
from secateur.events import Events
from secateur.recordings import ArrayRecording, MontageMap, Recording, duration_of, from_raw
from secateur.recordings.montage import electrodes_of
from secateur.windows import (
    SignalChain,
    Tap,
    TooSlow,
    decision_interval,
    probability_of,
)

_SLACK = 2e-5
"""Logits by which two ways through a network may differ, as a share of the larger one (at least 1).

Those measured differ by 9e-7 of it at most; what differs by more than allowed for is noted.
"""
_CLOSE = 1e-6
"""Of a hop, so that lengths of exactly so many don't depend on rounding."""
_ROUNDING = 4e-16
"""What rounding may add to the bounds of a probability."""


@dataclass(frozen=True)
class WindowProbabilities:
    """One probability of seizure for each window of a recording.

    `begin`: where the stretch that a window speaks for begins (seconds, shape (n,)); it lasts `hop`
    seconds. `notes`: what had to be put right to read the recording. `restarts`: indices of windows that come
    first after a gap.
    """

    begin: NDArray[np.float64]
    probability: NDArray[np.float64]
    hop: float
    duration: float
    start: datetime | None
    notes: tuple[str, ...]
    restarts: tuple[int, ...] = ()


class Detector:
    """A detector's file, opened. Make one with `load_detector`.

    Its network is read strictly and written anew before `runtime` opens it (see `network.model`).
    """

    def __init__(
        self, content: bytes, path: Path | str = "detector", runtime: Runtime = "onnxruntime"
    ) -> None:
        self.path = Path(path)
        self.file_bytes = len(content)
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self._graph = parse(content, path)
        with trusted(path):
            self._sizes = affordable(self._graph)
        self._open: Callable[[bytes], Session] = partial(open_session, runtime=runtime, path=path)
        self._session = self._open(self._graph.to_bytes())
        self.info: DetectorInfo = parse_info(self._graph.metadata, path)
        with trusted(path):
            check_demands(self.info, self._graph, self._sizes)
        self.chain = SignalChain(self.info.chain, self.info.scale)

    @property
    def network(self) -> Graph:
        """The network as it was strictly read; what reads it must not change it."""
        return self._graph

    @property
    def threshold(self) -> float:
        """At or above it a window is called ictal."""
        return self.info.post_processing.threshold

    def logits(self, windows: NDArray[np.float32]) -> Logits:
        """The network alone: windows × channels × samples, scaled, to windows × 2."""
        return self._session.run(windows)

    def probability(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of seizure for scaled windows (windows × channels × samples)."""
        return probability_of(self.logits(windows))

    @cached_property
    def _parts(self) -> tuple[SplitNetwork, Session, Session] | None:
        """The network in two with the sessions of both; None where only sliding is exact or worth it."""
        bulk = fits_in_bulk(self._sizes, self.info.windows.length)
        parts = split(self._graph, self._sizes, self.info.window_and_hop[1]) if bulk else None
        if parts is None:
            return None
        head = self._open(in_planes(parts.head).to_bytes())
        return parts, head, self._open(parts.tail.to_bytes())

    def _grid(self, signals: int) -> Grid:
        length, hop = self.info.window_and_hop
        return Grid(signals, len(self.info.scale.mean), length, hop, self._sizes.largest)

    @property
    def way(self) -> str:
        """How recordings are gone through: "one pass", "one pass, window edges again" or "sliding"."""
        if self._parts is None:
            return "sliding"
        return "one pass, window edges again" if self._parts[0].padded else "one pass"

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the network for one window by itself."""
        return macs_a_hop(self._graph, self._sizes, None, 1)

    @property
    def macs_a_hop(self) -> int:
        """Multiply-accumulates that a recording costs for each hop, gone through as `way` says."""
        parts = None if self._parts is None else self._parts[0]
        return macs_a_hop(self._graph, self._sizes, parts, self.info.window_and_hop[1])

    def begin(self, signals: int) -> Pass:
        """The network at the beginning of a recording of `signals` (one but under montage each)."""
        if self._parts is None:
            return SlidingPass(self._session, self._grid(signals))
        parts, head, tail = self._parts
        return SharedPass(head, tail, parts, self._grid(signals))

    def windows(self, signals: int) -> WindowBuffer:
        """What cuts windows out of `signals` that come in pieces."""
        return WindowBuffer(self._grid(signals))

    def singly(self, signals: int) -> SingleWindows:
        """The network for windows one by one, each of `signals`: as a stream judges them."""
        return SingleWindows(self._session, self._grid(signals))

    @property
    def electrodes(self) -> tuple[str, ...]:
        """The electrodes that the montage needs; none where its channels' labels name none."""
        return electrodes_of(self.chain.channel_names)

    def as_signals(self, chained: NDArray[np.float32]) -> NDArray[np.float32]:
        """What comes out of the chain as a pass takes it: signals × channels × samples."""
        return chained[:, None] if self.info.chain.montage == "each" else chained[None]

    def window_probabilities(
        self,
        recording: Recording,
        progress: Callable[[float], None] | None = None,
        too_slow: TooSlow = "refuse",
        tap: Callable[[Recording, MontageMap], Tap] | None = None,
        watch: Callable[[NDArray[np.float64], NDArray[np.float64]], None] | None = None,
        exact: bool = True,
    ) -> WindowProbabilities:
        """A probability for each hop of `recording`; memory doesn't grow with its length.

        A network of one channel (montage each) looks at every EEG channel of the recording by itself, and
        the mean of their probabilities counts. After a gap chain and network begin anew. `progress` is told
        how many seconds are done. `tap`: from the recording as it is read, and how the montage is made of it,
        to what is handed each piece on the way. `watch` is told windows as they come: `begin` and
        `probability`. `exact`: windows on which an event hangs are judged as a stream does, so that events
        are those of a stream to the bit (see `DecisiveWindows`); else all are as the pass has them. Raises
        `ChannelsError`, or `RecordingError`, also for a sampling rate too low for the chain's band unless
        `too_slow` is "note".
        """
        settings, rate = self.info.windows, self.info.chain.sampling_rate
        hop = self.info.window_and_hop[1]
        chained = self.chain.over(recording, too_slow)
        signals = len(chained.montage_map.names) if self.info.chain.montage == "each" else 1
        look = None if tap is None else tap(chained.recording, chained.montage_map)
        begins: list[NDArray[np.float64]] = []
        probabilities: list[NDArray[np.float64]] = []
        restarts: list[int] = []
        exactly: dict[int, float] = {}
        strays = total = 0
        for stretch in chained.stretches:
            network = self.begin(signals)
            decisive = DecisiveWindows(self.singly(signals), self.info.post_processing, hop / rate)
            origin, seen, windows = stretch[0] / chained.rate, 0, 0
            restarts.append(total)
            for piece in chained.pieces(stretch, look):
                seen += piece.shape[1]
                logits = network.push(self.as_signals(piece))
                probability = mean_probability(logits)
                if exact:
                    decisive.push(self.as_signals(piece), logits, probability)
                starts = hop * np.arange(windows, windows + len(probability))
                begin = decision_interval(starts, settings, rate)[0] + origin
                windows += len(probability)
                begins.append(begin)
                probabilities.append(probability)
                if watch:
                    watch(begin, probability)
                if progress:
                    progress(origin + seen / rate)
            exactly |= {total + k: value for k, value in decisive.exact.items()}
            strays += decisive.strays
            total += windows
        probability = np.concatenate(probabilities)
        probability[list(exactly)] = list(exactly.values())
        return WindowProbabilities(
            np.concatenate(begins),
            probability,
            hop / rate,
            duration_of(chained.recording),
            recording.start,
            (*chained.notes, *stray_notes(strays)),
            tuple(restarts[1:]),
        )

    def events(self, probabilities: WindowProbabilities) -> Events:
        """Probabilities as events, with their notes, by the post-processing that the file carries."""
        events = to_events(
            probabilities.begin,
            probabilities.probability,
            probabilities.hop,
            self.info.post_processing,
            probabilities.duration,
            probabilities.restarts,
        )
        return replace(events, start=probabilities.start, notes=probabilities.notes)

    def detect(
        self,
        recording: Any,
        sampling_rate: float | None = None,
        channels: Sequence[str] | None = None,
    ) -> Events:
        """The seizures in a recording.

        `recording`: what `open_recording` gives, MNE's Raw, or an array of channels × samples in µV with its
        `sampling_rate` in Hz and a label for each of its `channels`. What is odd about it (volts in place
        of microvolts, say) stands in the events' `notes`. Raises `SettingsError` for anything else,
        `ChannelsError` or `RecordingError`.
        """
        return self.events(
            self.window_probabilities(as_recording(recording, sampling_rate, channels))
        )

    def stream(self, channels: Sequence[str], sampling_rate: float) -> DetectorStream:
        """A recording that is still going on: `channels` (labels, in the order of the rows to be pushed).

        Raises `ChannelsError` where the montage can't be made of them, `SettingsError` where they are no list
        of labels, `RecordingError` where the rate is too low for the chain's band.
        """
        return DetectorStream(self, channels, sampling_rate)

    def resume(self, saved: bytes) -> DetectorStream:
        """A stream that `DetectorStream.save` has put aside, to the bit. Raises `StreamError`."""
        return DetectorStream.resumed(self, saved)


def as_recording(
    recording: Any, sampling_rate: float | None, channels: Sequence[str] | None
) -> Recording:
    """What `Detector.detect` takes, as a `Recording`."""
    if isinstance(recording, np.ndarray):
        if sampling_rate is None or channels is None:
            raise SettingsError(
                "an array needs its sampling_rate (Hz) and channels (a label a row)"
            )
        return ArrayRecording(recording, sampling_rate, channels)
    if sampling_rate is not None or channels is not None:
        raise SettingsError("sampling_rate and channels go with an array; a recording has its own")
    if hasattr(recording, "get_data") and hasattr(recording, "info"):
        return from_raw(recording)
    if isinstance(recording, Recording):
        return recording
    raise SettingsError(
        f"got {type(recording).__name__}; wanted a recording (secateur.open_recording), MNE's Raw, or an "
        "array of channels × samples in µV with sampling_rate and channels"
    )


def load_detector(path: Path | str, runtime: Runtime = "onnxruntime") -> Detector:
    """Open a detector's file, once its checksum has been recomputed. Raises `DetectorError`."""
    return Detector(read_verified(path), path, runtime)


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
