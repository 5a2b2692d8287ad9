"""How fast a detector is on this machine, and how near to what the machine can do.

Comes in: an opened detector. Goes out: a `Bench`: times of a window, of a hop in a stream and of recordings
in bulk, memory, and the machine's limits measured beside them. Next: `secateur bench` prints it.

All in processor time, so that what else the machine does is left out: on one thread that is what it would
take with nothing beside it. On simulated EEG: noise that falls with frequency, from memory, at the
detector's own rate and under its own montage. So no reading of files and no resampling is in it;
`benchmarks/speed/detect` has those.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.detector import Detector
from secateur.detectors.limits import Limits, best_of, measure_limits
from secateur.detectors.timing import Latency, measure_latency, spread_of
from secateur.errors import SettingsError
from secateur.recordings import ArrayRecording, Recording
from secateur.recordings.montage import UNIPOLAR_19
from secateur.windows import window_samples

_MICROVOLTS = 30.0
_ROUNDS = 3
_LEAST = 60.0


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
    limits: Limits

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

    def told(self) -> dict[str, Any]:
        """All of it as JSON has it."""
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
    asked = settings or BenchSettings()
    if not asked.seconds >= _LEAST or asked.hops < 1:
        raise SettingsError(f"wanted at least {_LEAST:g} seconds of EEG; got {asked.seconds:g}")
    info, rate = detector.info, detector.info.chain.sampling_rate
    labels = channel_labels(detector, asked.channels)
    _, hop = window_samples(info.windows, rate)
    montage_map = detector.chain.montage_map(labels)
    signals = len(montage_map.names) if info.chain.montage == "each" else 1
    recording = simulated(labels, rate, asked.seconds)
    bulk = best_of(_ROUNDS, lambda: detector.window_probabilities(recording))
    resident = peak_resident()
    pieces = [detector.as_signals(piece) for piece in detector.chain.pieces(recording)]

    def network() -> None:
        passing = detector.begin(signals)
        for piece in pieces:
            passing.push(piece)

    return Bench(
        way=detector.way,
        file_bytes=detector.file_bytes,
        channels=len(labels),
        signals=signals,
        seconds=asked.seconds,
        hop=hop / rate,
        window=measure_latency({"": detector})[""],
        push=_pushes(detector, recording, asked.hops),
        bulk_seconds=bulk,
        network_seconds=best_of(_ROUNDS, network),
        resident_bytes=resident,
        macs=detector.macs,
        macs_a_hop=detector.macs_a_hop,
        limits=measure_limits(),
    )


def _pushes(detector: Detector, recording: Recording, hops: int) -> Latency:
    """Milliseconds of a push of one hop, once whole windows are there."""
    length, hop = window_samples(detector.info.windows, recording.sampling_rate)
    whole = recording.read()
    stream = detector.stream(recording.channels, recording.sampling_rate)
    stream.push(whole[:, : length + hop])
    taken = []
    for number in range(hops):
        begin = number * hop % (whole.shape[1] - hop)
        chunk = np.ascontiguousarray(whole[:, begin : begin + hop])
        began = time.process_time()
        stream.push(chunk)
        taken.append(time.process_time() - began)
    return spread_of(taken)


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
    whole = np.resize(noise.T.astype(np.float32), (round(seconds * rate), len(labels))).T
    return ArrayRecording(np.ascontiguousarray(whole), rate, labels, path="simulated EEG")


def peak_resident() -> int:
    """Bytes of memory that this process had at its largest."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell the parent's, where that was larger before the start
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
