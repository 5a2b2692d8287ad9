"""How fast a detector is on this machine, and how near to what the machine can do.

All in processor time of one thread, so that what else the machine does is left out. On simulated EEG: noise
that falls with frequency, from memory, at the detector's own rate and under its own montage. So no reading of
files and no resampling is in it; `benchmarks/speed/detect` has those.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.detector import Detector
from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.run import open_session
from secateur.errors import SettingsError
from secateur.recordings import ArrayRecording, Recording
from secateur.recordings.montage import UNIPOLAR_19

Latency = dict[str, float]

_MICROVOLTS = 30.0
_ROUNDS = 3
_LEAST = 60.0
_SIDE = 768
"""Of the square matrices: large enough for the processor to reach its rate, small enough for its cache."""
_COPIED = 1 << 26
"""Bytes; more than a processor's own cache, so memory is what is measured."""


@dataclass(frozen=True)
class MachineLimits:
    """`multiply`: float32 operations a second, a product and a sum each one. `copy`: bytes a second, each
    counted once though it is read and written.
    """

    multiply: float
    copy: float

    def share(self, macs: float, seconds: float) -> float:
        """What part of `multiply` was reached by `macs` multiply-accumulates in `seconds`."""
        return 2 * macs / seconds / self.multiply


@dataclass(frozen=True)
class BenchSettings:
    """`channels`: how many the simulated EEG has, where the montage leaves it open (None: 18, or what the
    montage has). `seconds`: length of the recording in bulk. `hops`: how many of a stream are timed.
    """

    channels: int | None = None
    seconds: float = 600.0
    hops: int = 1000


@dataclass(frozen=True)
class Bench:
    """What was measured.

    `window`, `push`: milliseconds, `median` and `p99`, of the network on one window, and of one hop pushed
    into a stream with all that is done to it. `bulk_seconds`, `network_seconds`: for a recording of
    `seconds`, all and the network alone, the best of some rounds. `resident_bytes`: of the process, at its
    largest.
    `macs`, `macs_a_hop`: multiply-accumulates of one window by itself, and of a recording for each hop of
    `hop` seconds and each of its `signals`.
    """

    way: str
    file_bytes: int
    channels: int
    signals: int
    seconds: float
    hop: float
    window: Latency
    push: Latency
    bulk_seconds: float
    network_seconds: float
    resident_bytes: int
    macs: int
    macs_a_hop: int
    limits: MachineLimits

    @property
    def hours_a_second(self) -> float:
        """Hours of EEG in a second of this machine, in bulk."""
        return self.seconds / 3600 / self.bulk_seconds

    @property
    def share_of_limit(self) -> float:
        """The part of the matrix product's rate that the network reaches in bulk."""
        macs = self.macs_a_hop * self.signals * self.seconds / self.hop
        return self.limits.share(macs, self.network_seconds)

    @property
    def patients(self) -> int:
        """How many streams one core can follow, were every push as slow as the slowest hundredth."""
        return math.floor(self.hop * 1000 / self.push["p99"])

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            **asdict(self),
            "hours_a_second": self.hours_a_second,
            "share_of_limit": self.share_of_limit,
            "patients": self.patients,
            "signal": "simulated",
            "threads": 1,
        }


def bench(detector: Detector, settings: BenchSettings | None = None) -> Bench:
    """Measure `detector`. Raises `SettingsError` for channels that its montage hasn't, or too few seconds."""
    settings = settings or BenchSettings()
    if not settings.seconds >= _LEAST or settings.hops < 1:
        raise SettingsError(f"wanted at least {_LEAST:g} seconds of EEG; got {settings.seconds:g}")
    info, rate = detector.info, detector.info.chain.sampling_rate
    labels = channel_labels(detector, settings.channels)
    _, hop = info.window_and_hop
    montage_map = detector.chain.montage_map(labels)
    signals = len(montage_map.names) if info.chain.montage == "each" else 1
    recording = simulated(labels, rate, settings.seconds)
    bulk = best_of(_ROUNDS, lambda: detector.window_probabilities(recording))
    resident = peak_resident()
    chained = detector.chain.over(recording)
    (stretch,) = chained.stretches
    pieces = [detector.as_signals(piece) for piece in chained.pieces(stretch)]

    def network() -> None:
        passing = detector.begin(signals)
        for piece in pieces:
            passing.push(piece)

    return Bench(
        way=detector.way,
        file_bytes=detector.file_bytes,
        channels=len(labels),
        signals=signals,
        seconds=settings.seconds,
        hop=hop / rate,
        window=measure_latency({"": detector})[""],
        push=_pushes(detector, recording, settings.hops),
        bulk_seconds=bulk,
        network_seconds=best_of(_ROUNDS, network),
        resident_bytes=resident,
        macs=detector.macs,
        macs_a_hop=detector.macs_a_hop,
        limits=measure_limits(),
    )


def _pushes(detector: Detector, recording: Recording, hops: int) -> Latency:
    """Milliseconds of a push of one hop, once whole windows are there."""
    length, hop = detector.info.window_and_hop
    signal = recording.read()
    stream = detector.stream(recording.channels, recording.sampling_rate)
    stream.push(signal[:, : length + hop])
    taken = []
    for number in range(hops):
        begin = number * hop % (signal.shape[1] - hop)
        chunk = np.ascontiguousarray(signal[:, begin : begin + hop])
        began = time.process_time()
        stream.push(chunk)
        taken.append(time.process_time() - began)
    return spread_of(taken)


def measure_latency(detectors: Mapping[str, Detector], runs: int = 300) -> dict[str, Latency]:
    """Milliseconds of processor time a window: one thread, batch 1; `median` and `p99` of `runs`.

    The detectors take turns, so that a busy moment of the machine falls on all of them.
    """
    inputs = {}
    generator = np.random.default_rng(0)
    for name, detector in detectors.items():
        info = detector.info
        shape = (1, len(info.scale.mean), info.window_and_hop[0])
        inputs[name] = generator.standard_normal(shape).astype(np.float32)
        for _ in range(20):
            detector.logits(inputs[name])
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(runs):
        for name, detector in detectors.items():
            began = time.process_time()
            detector.logits(inputs[name])
            times[name].append(time.process_time() - began)
    return {name: spread_of(taken) for name, taken in times.items()}


def spread_of(seconds: Sequence[float]) -> Latency:
    """Median and 99th percentile, in milliseconds."""
    middle, late = np.quantile(seconds, [0.5, 0.99]) * 1000
    return {"median": float(middle), "p99": float(late)}


def channel_labels(detector: Detector, channels: int | None) -> Sequence[str]:
    """Labels of a recording that `detector` takes. Raises `SettingsError`."""
    if detector.info.chain.montage == "each":
        count = 18 if channels is None else channels
        if not 1 <= count <= len(UNIPOLAR_19):
            raise SettingsError(f"--channels {count}: wanted 1 to {len(UNIPOLAR_19)}")
        return UNIPOLAR_19[:count]
    names = detector.chain.channel_names
    if channels is not None and channels != len(names):
        raise SettingsError(
            f"--channels {channels}: this detector takes {len(names)} ({detector.info.chain.montage})"
        )
    return names


def simulated(labels: Sequence[str], rate: float, seconds: float) -> ArrayRecording:
    """Noise whose power falls as 1/f, in µV; the same each time. It repeats after a minute."""
    length = round(_LEAST * rate)
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    generator = np.random.default_rng(0)
    spectrum = np.fft.rfft(generator.standard_normal((len(labels), length)), axis=1)
    spectrum /= np.sqrt(np.maximum(frequencies, 0.5))
    noise: NDArray[np.float64] = np.fft.irfft(spectrum, length, axis=1)
    noise *= _MICROVOLTS / noise.std(axis=1, keepdims=True)
    repeated = np.resize(noise.T.astype(np.float32), (round(seconds * rate), len(labels))).T
    return ArrayRecording(np.ascontiguousarray(repeated), rate, labels, path="simulated EEG")


def peak_resident() -> int:
    """Bytes of memory that this process had at its largest."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell the parent's, where that was larger before the start
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_limits(rounds: int = 10) -> MachineLimits:
    """Rates of this machine now: ONNX Runtime's float32 matrix product and NumPy's copy, on one thread."""
    generator = np.random.default_rng(0)
    left, right = generator.standard_normal((2, _SIDE, _SIDE)).astype(np.float32)
    shape = (_SIDE, _SIDE)
    node = Node("MatMul", ("left", "right"), ("product",))
    product = Graph((node,), {"right": right}, {"left": shape}, {"product": shape}, 17)
    session = open_session(product.to_bytes())
    source = np.ones(_COPIED // 4, dtype=np.float32)
    target = np.zeros_like(source)
    return MachineLimits(
        2 * _SIDE**3 / best_of(rounds, lambda: session.run(left)),
        _COPIED / best_of(rounds, lambda: np.copyto(target, source)),
    )


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some rounds, after one that isn't counted."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)
