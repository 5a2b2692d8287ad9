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

from secateur.detectors.decisive import DecisiveWindows, stray_notes
from secateur.detectors.event_rules import to_events
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
        """Probabilities as events, by the post-processing that the file carries."""
        events = to_events(
            probabilities.begin,
            probabilities.probability,
            probabilities.hop,
            self.info.post_processing,
            probabilities.duration,
            probabilities.restarts,
        )
        return replace(events, start=probabilities.start)

    def detect(
        self,
        recording: Any,
        sampling_rate: float | None = None,
        channels: Sequence[str] | None = None,
    ) -> Events:
        """The seizures in a recording.

        `recording`: what `open_recording` gives, MNE's Raw, or an array of channels × samples in µV with its
        `sampling_rate` in Hz and a label for each of its `channels`. Raises `SettingsError` for anything
        else, `ChannelsError` or `RecordingError`.
        """
        return self.events(
            self.window_probabilities(as_recording(recording, sampling_rate, channels))
        )

    def stream(self, channels: Sequence[str], sampling_rate: float) -> DetectorStream:
        """A recording that is still going on: `channels` (labels, in the order of the rows to be pushed).

        Raises `ChannelsError` where the montage can't be made of them.
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
