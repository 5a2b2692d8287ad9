"""One detector says the same however a signal comes: in one pass, window by window, in any chunks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.detectors import Detector, DetectorInfo, PostProcessing, pack
from secateur.detectors.eight_bits import quantise
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.networks.network import Network
from secateur.recordings import ArrayRecording, load_cohort
from secateur.windows import ChainSettings, Scale, WindowSettings

RATE, CHANNELS = 64.0, ("Fp1", "Cz", "O2")
LENGTH = 4.0
SAMPLES = round(RATE * LENGTH)
NAMES = ("valid", "paper", "eegnet", "shallow", "deep4", "tcn", "separable")
SMALL: dict[str, dict[str, Any]] = {
    "valid": {"widths": (4, 5, 6), "pooling": (4, 2, 2)},
    "paper": {"widths": (4, 5, 6), "pooling": (4, 2, 2)},
    "eegnet": {"kernel_sizes": (16, 8)},
    "shallow": {"widths": (6,), "kernel_sizes": (9,), "pooling": (24,)},
    "deep4": {"widths": (4, 4, 4, 4), "kernel_sizes": (5, 3, 3, 3), "pooling": (2, 2, 2, 2)},
    "tcn": {"widths": (4,) * 4, "kernel_sizes": (7, 3, 3, 3)},
    "separable": {"widths": (4, 6, 6, 6)},
}


class Branches(Network):
    """Unpadded branches that look back differently far and meet: added, and side by side."""

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(NetworkSettings(), channels, samples)
        self.stem = nn.Conv1d(channels, 4, 5, stride=2)
        self.long = nn.Conv1d(4, 4, 3, dilation=3)
        self.short = nn.Conv1d(4, 4, 7)
        self.side = nn.Conv1d(4, 2, 7)
        self.pool = nn.AvgPool1d(4, stride=2)
        self.linear = nn.Linear(6, 2)

    def forward(self, windows: Tensor) -> Tensor:
        stem = torch.relu(self.stem(windows))
        met = torch.cat((torch.relu(self.long(stem) + self.short(stem)), self.side(stem)), dim=1)
        out: Tensor = self.linear(self.pool(met).mean(dim=2))
        return out


class Shortcut(Network):
    """A padded layer beside the way past it: lengths agree, what the steps look back on doesn't."""

    def __init__(self, channels: int, samples: int) -> None:
        super().__init__(NetworkSettings(), channels, samples)
        self.stem = nn.Conv1d(channels, 4, 3, stride=4)
        self.branch = nn.Conv1d(4, 4, 5, padding=2)
        self.linear = nn.Linear(4, 2)

    def forward(self, windows: Tensor) -> Tensor:
        stem = self.stem(windows)
        out: Tensor = self.linear((self.branch(stem).tanh() + stem).mean(dim=2))
        return out


def model(name: str) -> bytes:
    torch.manual_seed(3)
    if name == "branches":
        return to_onnx(Branches(len(CHANNELS), SAMPLES).eval())
    if name == "shortcut":
        return to_onnx(Shortcut(len(CHANNELS), SAMPLES).eval())
    settings_ = NetworkSettings(name=name, **SMALL[name])
    return to_onnx(build_network(settings_, len(CHANNELS), SAMPLES, 3).eval())


@cache
def detector(name: str, hop: float = 1.0, scaling: str = "running") -> Detector:
    kind, _, int8 = name.partition(" ")
    content = model(kind)
    if int8:
        windows = np.random.default_rng(0).normal(size=(16, len(CHANNELS), SAMPLES))
        content = quantise(content, [windows.astype(np.float32)])
    info = DetectorInfo.model_validate(
        {
            "secateur": "0",
            "chain": ChainSettings(
                montage="as-recorded",
                channels=CHANNELS,
                sampling_rate=RATE,
                high=25,
                scaling=scaling,
            ),
            "scale": Scale(mean=(0.0,) * 3, spread=(20.0,) * 3),
            "windows": WindowSettings(length=LENGTH, hop=hop),
            "post_processing": PostProcessing(threshold=0.5, merge_gap=2, shortest=2, smoothing=2),
        }
    )
    return Detector(pack(content, info), name)


def signal(seed: int, seconds: float, rate: float = RATE) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(len(CHANNELS), round(seconds * rate)))
    loud = np.exp(generator.normal(size=noise.shape[1] // 40 + 1).cumsum()[:, None] * 0.3)
    signal = 20 * noise * loud.repeat(40, axis=1).reshape(-1)[: noise.shape[1]]
    return np.asarray(signal, dtype=np.float32)


def sliding(of: Detector, recording: ArrayRecording) -> NDArray[np.float64]:
    """Each window cut out and judged by itself."""
    chained = of.chain.run(recording)
    length = round(LENGTH * RATE)
    hop = round(of.info.windows.hop * RATE)
    starts = range(0, chained.shape[1] - length + 1, hop)
    if not starts:
        return np.empty(0)
    return np.concatenate([of.probability(chained[None, :, k : k + length].copy()) for k in starts])


def streamed(
    of: Detector, data: NDArray[np.float32], rate: float, sizes: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Any], list[Any]]:
    stream = of.stream(CHANNELS, rate)
    steps, at, turn = [], 0, 0
    while at < data.shape[1]:
        steps.append(stream.push(data[:, at : at + sizes[turn % len(sizes)]]))
        at += sizes[turn % len(sizes)]
        turn += 1
    steps.append(stream.close())
    return (
        np.concatenate([step.seconds for step in steps]),
        np.concatenate([step.probabilities for step in steps]),
        [event for step in steps for event in step.opened],
        [event for step in steps for event in step.closed],
    )


EVERY = (*NAMES, "branches", "shortcut", "valid int8", "paper int8", "branches int8")


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=6)
@given(
    st.integers(0, 1000),
    st.floats(0.5, 40),
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
    st.sampled_from((64.0, 100.0, 173.61)),
)
def test_one_pass_sliding_and_stream_agree(
    name: str, seed: int, seconds: float, sizes: list[int], rate: float
) -> None:
    of = detector(name)
    data = signal(seed, seconds, rate)
    recording = ArrayRecording(data, rate, CHANNELS)
    probabilities = of.window_probabilities(recording)
    expected = sliding(of, recording)
    begin, live, opened, closed = streamed(of, data, rate, sizes)
    assert probabilities.probability.shape == expected.shape == live.shape
    assert np.array_equal(begin, probabilities.begin)
    if len(expected) == 0:
        return
    assert np.abs(probabilities.probability - expected).max() <= 1e-5
    assert np.abs(live - expected).max() <= 1e-5
    assert tuple(closed) == of.events(probabilities).events
    assert [event.onset for event in opened] == [event.onset for event in closed]


@pytest.mark.parametrize("name", ["valid", "paper", "branches", "shortcut", "tcn"])
@pytest.mark.parametrize("hop", [0.25, 0.5, 0.75, 1.0, 1.5, 4.0, 0.671875])
def test_any_hop(name: str, hop: float) -> None:
    of, data = detector(name, hop, "training-set"), signal(1, 30)
    recording = ArrayRecording(data, RATE, CHANNELS)
    expected = sliding(of, recording)
    assert len(expected) > 3
    assert np.abs(of.window_probabilities(recording).probability - expected).max() <= 1e-5
    assert np.abs(streamed(of, data, RATE, [37, 211])[1] - expected).max() <= 1e-5


def test_who_goes_which_way() -> None:
    ways = {name: detector(name).way for name in EVERY}
    assert ways["valid"] == ways["valid int8"] == ways["branches"] == "one pass"
    assert ways["paper"] == ways["shortcut"] == "one pass, window edges again"
    # 43 samples a hop: no step but the first layers' divides them
    assert detector("valid", 0.671875).way == "sliding"


def test_one_pass_on_real_eeg_and_on_joined_clips(clips: Any) -> None:
    cohort = load_cohort(clips)
    of = bipolar()
    entries = [entry for entry in cohort.entries if entry.subject == cohort.subjects[0]][:4]
    recordings = [entry.open() for entry in entries]
    joined = join(recordings)
    for recording in (*recordings, joined):
        chained = of.chain.run(recording)
        starts = range(0, chained.shape[1] - 1024 + 1, 256)
        expected = np.concatenate(
            [of.probability(chained[None, :, k : k + 1024].copy()) for k in starts]
        )
        result = of.window_probabilities(recording)
        assert np.abs(result.probability - expected).max() <= 1e-5
        stream = of.stream(recording.channels, recording.sampling_rate)
        data = recording.read()
        steps = [stream.push(data[:, k : k + 100]) for k in range(0, data.shape[1], 100)]
        steps.append(stream.close())
        live = np.concatenate([step.probabilities for step in steps])
        assert np.abs(live - expected).max() <= 1e-5
        assert tuple(e for step in steps for e in step.closed) == of.events(result).events


@cache
def bipolar() -> Detector:
    network = build_network(NetworkSettings(widths=(8, 8, 8)), 18, 1024, 1).eval()
    info = DetectorInfo(
        secateur="0",
        chain=ChainSettings(),
        scale=Scale(mean=(0.0,) * 18, spread=(30.0,) * 18),
        windows=WindowSettings(),
        post_processing=PostProcessing(threshold=0.5),
    )
    return Detector(pack(to_onnx(network), info), "bipolar")


def join(recordings: list[Any]) -> ArrayRecording:
    """Clips of one subject, one after the other, as one recording of the channels that all have."""
    names = recordings[0].channels
    alike = [recording for recording in recordings if recording.channels == names]
    data = np.concatenate([recording.read() for recording in alike], axis=1)
    return ArrayRecording(data, recordings[0].sampling_rate, names)
