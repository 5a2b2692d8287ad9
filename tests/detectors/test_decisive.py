"""Events in bulk are those of a stream to the bit, also where thresholds lie at a last bit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.detectors import Detector, DetectorInfo, PostProcessing, pack
from secateur.detectors.detector import DecisiveWindows, bounds_of
from secateur.detectors.eight_bits import quantise
from secateur.detectors.event_rules import to_events
from secateur.detectors.network.run import mean_probability
from secateur.events import Event
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import ArrayRecording, Recording
from secateur.windows import ChainSettings, Scale, WindowSettings

RATE, CHANNELS, SECONDS = 64.0, ("Fp1", "Cz", "O2"), 150
Settings = dict[str, Any]
KINDS: dict[str, tuple[Settings, Settings]] = {
    "one pass": ({"widths": (27, 59, 113), "pooling": (4, 2, 2)}, {}),
    "window edges": ({"name": "tcn", "widths": (24,) * 4, "kernel_sizes": (45, 3, 3, 3)}, {}),
    "sliding": ({"name": "deep4", "widths": (8,) * 4, "kernel_sizes": (5, 3, 3, 3),
                 "pooling": (2,) * 4}, {}),
    "compressed": ({"widths": (8, 8, 8), "pooling": (4, 2, 2)},
                   {"compression": "asinh", "scaling": "running"}),
    "each": ({"widths": (4, 5, 6), "pooling": (4, 2, 2)}, {"montage": "each", "channels": ()}),
    "8 bits": ({"widths": (4, 5, 6), "pooling": (4, 2, 2)}, {}),
}  # fmt: skip
RULES: tuple[Settings, ...] = (
    {},
    {"merge_gap": 0, "shortest": 0},
    {"smoothing": 3, "merge_gap": 2},
    {"merge_gap": 0, "shortest": 1, "refractory": 7},
    {"smoothing": 2, "shortest": 0, "refractory": 4},
)


@cache
def parts(kind: str) -> tuple[bytes, dict[str, Any]]:
    torch.manual_seed(5)
    network, chain = KINDS[kind]
    count = 1 if kind == "each" else len(CHANNELS)
    samples = round(4 * RATE)
    content = to_onnx(build_network(NetworkSettings(**network), count, samples, 5).eval())
    if kind == "8 bits":
        windows = np.random.default_rng(0).normal(size=(16, count, samples)).astype(np.float32)
        content = quantise(content, [windows])
    defaults = {"montage": "as-recorded", "channels": CHANNELS, "sampling_rate": RATE, "high": 25}
    return content, {
        "secateur": "0",
        "chain": ChainSettings(**{**defaults, **chain}),
        "scale": Scale(mean=(0.0,) * count, spread=(20.0,) * count),
        "windows": WindowSettings(),
    }


def detector(kind: str, **rules: Any) -> Detector:
    content, tables = parts(kind)
    info = DetectorInfo.model_validate({**tables, "post_processing": PostProcessing(**rules)})
    return Detector(pack(content, info))


@cache
def signal(seed: int, rate: float) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    count = round(SECONDS * rate)
    loud = np.interp(np.arange(count), *_knots(generator, count))
    values = 20 * loud * generator.normal(size=(len(CHANNELS), count))
    return np.asarray(values, dtype=np.float32)


def _knots(generator: np.random.Generator, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    at = np.arange(0, count + 640, 640)
    return at, generator.uniform(0.1, 2, len(at))


def streamed(
    of: Detector, data: NDArray[np.float32], rate: float, seed: int
) -> tuple[NDArray[np.float64], tuple[Event, ...]]:
    return _in_chunks(of, CHANNELS, data, rate, seed)


def _in_chunks(
    of: Detector, channels: Sequence[str], data: NDArray[np.float32], rate: float, seed: int
) -> tuple[NDArray[np.float64], tuple[Event, ...]]:
    """Probabilities and events of a stream in chunks of chance."""
    stream = of.stream(channels, rate)
    generator = np.random.default_rng(seed)
    steps, at = [], 0
    while at < data.shape[1]:
        size = int(generator.integers(1, 1500))
        steps.append(stream.push(data[:, at : at + size]))
        at += size
    steps.append(stream.close())
    events = tuple(event for step in steps for event in step.closed)
    return np.concatenate([step.probabilities for step in steps]), events


@cache
def live_probabilities(kind: str, seed: int, rate: float) -> NDArray[np.float64]:
    return streamed(detector(kind), signal(seed, rate), rate, 0)[0]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(
    st.integers(0, 2),
    st.sampled_from((RATE, 100.0)),
    st.sampled_from(range(len(RULES))),
    st.integers(0, 10_000),
    st.integers(-1, 1),
)
def test_events_are_those_of_a_stream_whatever_the_last_bit(
    kind: str, seed: int, rate: float, rules: int, choice: int, side: int
) -> None:
    """The threshold is what a stream says of some window, to the bit or one beside it."""
    probability = live_probabilities(kind, seed, rate)
    threshold = float(
        np.sort(probability)[len(probability) // 3 + choice % (len(probability) // 2)]
    )
    threshold = float(np.nextafter(threshold, threshold + side))
    release = float(np.sort(probability)[choice % (len(probability) // 3)])
    of = detector(kind, threshold=threshold, release=min(release, threshold), **RULES[rules])
    data = signal(seed, rate)
    _, events = streamed(of, data, rate, choice)
    recording = ArrayRecording(data, rate, CHANNELS)
    assert of.detect(recording).events == events
    assert not of.window_probabilities(recording).notes


CHAINS: dict[str, Settings] = {
    "256 Hz": {},
    "resampled": {"sampling_rate": 128, "high": 40},
    "compressed": {"compression": "asinh", "scaling": "running", "notch": 50},
    "8 bits": {},
}


@cache
def clinical(kind: str) -> tuple[bytes, dict[str, Any]]:
    """Of eighteen bipolar channels."""
    chain = ChainSettings(**CHAINS[kind])
    samples = round(4 * chain.sampling_rate)
    content = to_onnx(build_network(NetworkSettings(widths=(7, 13, 29)), 18, samples, 5).eval())
    if kind == "8 bits":
        windows = np.random.default_rng(0).normal(size=(16, 18, samples)).astype(np.float32)
        content = quantise(content, [windows])
    return content, {
        "secateur": "0",
        "chain": chain,
        "scale": Scale(mean=(0.0,) * 18, spread=(30.0,) * 18),
        "windows": WindowSettings(),
    }


@pytest.mark.parametrize("kind", CHAINS)
@settings(max_examples=4)
@given(st.integers(0, 10_000), st.integers(-1, 1), st.floats(0.3, 0.9))
def test_the_same_holds_of_eeg(
    kind: str, recording: Recording, seed: int, side: int, level: float
) -> None:
    content, tables = clinical(kind)

    def at(threshold: float) -> Detector:
        rules = PostProcessing(threshold=threshold, merge_gap=2, shortest=2)
        return Detector(pack(content, DetectorInfo(**tables, post_processing=rules)))

    data = recording.read()
    live, _ = _in_chunks(at(1.0), recording.channels, data, recording.sampling_rate, seed)
    threshold = float(np.sort(live)[int(level * len(live))])
    of = at(float(np.nextafter(threshold, threshold + side)))
    _, events = _in_chunks(of, recording.channels, data, recording.sampling_rate, seed)
    assert of.detect(recording).events == events


def test_without_it_they_are_not() -> None:
    """Else the test above holds of itself."""
    probability = live_probabilities("one pass", 0, RATE)
    recording = ArrayRecording(signal(0, RATE), RATE, CHANNELS)
    flips = 0
    for level in np.sort(probability)[20:60].tolist():
        of = detector("one pass", threshold=level, shortest=0)
        shared = of.window_probabilities(recording, exact=False)
        flips += of.events(shared).events != of.detect(recording).events
    assert flips > 10


def test_few_windows_are_judged_again() -> None:
    """As many as there are events, and a window in a thousand that lies at a limit."""
    of = detector("one pass", threshold=float(np.median(live_probabilities("one pass", 0, RATE))))
    data = np.tile(signal(1, RATE), 20)
    recording = ArrayRecording(data, RATE, CHANNELS)
    shared = of.window_probabilities(recording, exact=False).probability
    exact = of.window_probabilities(recording)
    runs = len(to_events(exact.begin, exact.probability, 1.0, PostProcessing(
        threshold=of.threshold, merge_gap=0, shortest=0), exact.duration))  # fmt: skip
    assert 0 < (shared != exact.probability).sum() < 2 * runs + 0.02 * len(shared)


class _Always:
    """In a network's place: every window by itself has this probability."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.grid = detector("one pass").singly(1).grid

    def probability(self, window: NDArray[np.float32]) -> float:
        assert window.shape == (1, 3, round(4 * RATE))
        return self.value


def test_what_differs_by_more_than_allowed_for_is_counted() -> None:
    network: Any = _Always(0.6)
    windows = DecisiveWindows(network, PostProcessing(threshold=0.5), 1.0)
    signals = np.zeros((1, 3, round(6 * RATE)), dtype=np.float32)
    logits = np.array([[[0, 2.0]], [[0, 1.0]], [[0, -1.0]]], dtype=np.float32)
    windows.push(signals, logits, mean_probability(logits))
    assert windows.exact == {0: 0.6}
    assert windows.strays == 1


@given(st.lists(st.tuples(st.floats(-80, 80, width=32), st.floats(-80, 80, width=32)), min_size=1))
def test_bounds_hold_every_probability_within_the_last_bits(
    pairs: list[tuple[float, float]],
) -> None:
    logits = np.array(pairs, dtype=np.float32)[:, None]
    low, high = bounds_of(logits)
    for moved in (logits, np.nextafter(logits, np.float32(100)), logits * np.float32(1.000005)):
        probability = mean_probability(moved)
        assert (low <= probability).all()
        assert (probability <= high).all()
