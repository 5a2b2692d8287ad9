"""Arrays that public functions give have the shape that their documentation states, and its type."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

import secateur
from secateur.detectors import Detector, WindowProbabilities
from secateur.detectors.stream import Step
from secateur.events import Events
from secateur.explaining import ExplainingDetector, Explanation, load_detector
from secateur.explaining.bands import BANDS, band_parts, power_by_band
from secateur.explaining.segments import EventWindows
from secateur.explaining.shares import Shares
from secateur.marking.worker import per_second
from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from secateur.recordings.recording import Recording
from secateur.windows import SignalChain
from secateur.windows.chain import sections_of
from secateur.windows.scaling import log_spread_by_second
from secateur.windows.settings import probability_of, window_starts
from tests.support.cohorts import eeg, write_edf
from tests.support.live_nights import write_detector

SECONDS, RATE = 40, 200.0
"""Of the recording; the chain takes another rate, so that one can't stand for the other."""


class Night:
    """A recording, what a detector makes of it, and how long each axis is then."""

    def __init__(self, folder: Path) -> None:
        data = eeg(SECONDS, [(10, 20)], 1, rate=RATE).astype(np.float32)
        self.recording: Recording = ArrayRecording(data, RATE, BIPOLAR_18)
        self.edf = secateur.open_recording(write_edf(folder / "a.edf", data, BIPOLAR_18, rate=RATE))
        path = write_detector(folder / "a.onnx", data, montage="bipolar-18")
        self.detector: ExplainingDetector = load_detector(path)

    @cached_property
    def chained(self) -> Any:
        return SignalChain(self.detector.info.chain, self.detector.info.scale).run(self.recording)

    @cached_property
    def probabilities(self) -> WindowProbabilities:
        return self.detector.window_probabilities(self.recording)

    @cached_property
    def step(self) -> Step:
        return self.detector.stream(BIPOLAR_18, RATE).push(self.recording.read())

    @cached_property
    def events(self) -> Events:
        return secateur.Events((secateur.Event(10.0, 10.0),), float(SECONDS))

    @cached_property
    def explanation(self) -> Explanation:
        return self.detector.explain(self.recording, secateur.Event(12.0, 6.0))

    @property
    def windows(self) -> Any:
        return np.zeros((3, 18, self.length), np.float32)

    @property
    def length(self) -> int:
        """Samples of a window."""
        return round(4 * self.detector.info.chain.sampling_rate)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Of each axis."""
        rate = self.detector.info.chain.sampling_rate
        segment = self.explanation.signal.segment.shape[1]
        return {
            "channels": 18,
            "recorded": round(SECONDS * RATE),
            "chained": round(SECONDS * rate),
            "seconds": SECONDS,
            "windows": SECONDS - 4 + 1,
            "so far": SECONDS - 4,  # the resampler waits for what comes after the last window
            "batch": 3,
            "segment": segment,
            "event": -(-segment // round(rate)),
            "bands": len(BANDS),
        }


@dataclass(frozen=True)
class Case:
    """`source`: whose documentation states the shape, as `words`. `axes`: their names in `Night.sizes`."""

    source: object
    words: str
    array: Callable[[Night], Any]
    axes: tuple[str, ...]
    dtype: DTypeLike


FLOATS = np.arange(40, dtype=np.float64)
CASES = {
    "Recording.read": Case(
        Recording.read, "channels × samples, µV, float32", lambda n: n.recording.read(),
        ("channels", "recorded"), np.float32,
    ),
    "EdfRecording.read": Case(
        Recording.read, "channels × samples, µV, float32", lambda n: n.edf.read(),
        ("channels", "recorded"), np.float32,
    ),
    "SignalChain.run": Case(
        SignalChain.run, "channels × samples", lambda n: n.chained, ("channels", "chained"), np.float32
    ),
    "window_starts": Case(
        window_starts, "shape (n,)",
        lambda n: window_starts(
            n.chained.shape[1], n.detector.info.windows, n.detector.info.chain.sampling_rate
        ),
        ("windows",), np.int64,
    ),
    "probability_of": Case(
        probability_of, "shape (n,), from logits n × 2",
        lambda n: probability_of(np.zeros((3, 2), np.float32)), ("batch",), np.float64,
    ),
    "log_spread_by_second": Case(
        log_spread_by_second, "channels × seconds",
        lambda n: log_spread_by_second(n.recording.read(), RATE), ("channels", "seconds"), np.float64,
    ),
    "Detector.probability": Case(
        Detector.probability, "windows × channels × samples",
        lambda n: n.detector.probability(n.windows), ("batch",), np.float64,
    ),
    "WindowProbabilities.begin": Case(
        WindowProbabilities, "seconds, shape (n,)", lambda n: n.probabilities.begin,
        ("windows",), np.float64,
    ),
    "WindowProbabilities.probability": Case(
        WindowProbabilities, "One probability of seizure for each window",
        lambda n: n.probabilities.probability, ("windows",), np.float64,
    ),
    "Step.probabilities": Case(
        Step, "shape (n,)", lambda n: n.step.probabilities, ("so far",), np.float64
    ),
    "Step.seconds": Case(Step, "seconds", lambda n: n.step.seconds, ("so far",), np.float64),
    "per_second": Case(
        per_second, "each second of a recording", lambda n: per_second(n.probabilities),
        ("seconds",), np.float64,
    ),
    "Events.to_mask": Case(
        Events.to_mask, "Shape (round(duration·rate),)", lambda n: n.events.to_mask(RATE),
        ("recorded",), np.bool_,
    ),
    "Events.overlap": Case(
        Events.overlap, "All of shape (n,)", lambda n: n.events.overlap(FLOATS, FLOATS + 1),
        ("seconds",), np.float64,
    ),
    "EventWindows.segment": Case(
        EventWindows, "channels × samples", lambda n: n.explanation.signal.segment,
        ("channels", "segment"), np.float32,
    ),
    "Explanation.seconds": Case(
        Explanation, "shape (seconds,)", lambda n: n.explanation.seconds, ("event",), np.float64
    ),
    "Shares.attribution": Case(
        Shares, "channels × seconds", lambda n: n.explanation.shares.attribution,
        ("channels", "event"), np.float64,
    ),
    "Shares.by_channel": Case(
        Shares, "its sums", lambda n: n.explanation.shares.by_channel, ("channels",), np.float64
    ),
    "Shares.by_second": Case(
        Shares, "its sums", lambda n: n.explanation.shares.by_second, ("event",), np.float64
    ),
    "band_parts": Case(
        band_parts, "bands × … × samples", lambda n: band_parts(n.recording.read(), RATE),
        ("bands", "channels", "recorded"), np.float32,
    ),
    "power_by_band": Case(
        power_by_band, "channels × samples to bands",
        lambda n: power_by_band(n.recording.read(), RATE), ("bands",), np.float64,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return Night(tmp_path_factory.mktemp("night"))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_an_array_has_the_shape_and_type_that_are_documented(night: Night, case: Case) -> None:
    documented = re.sub(r"\s+", " ", inspect.getdoc(case.source) or "")
    assert case.words in documented
    array = case.array(night)
    assert array.shape == tuple(night.sizes[axis] for axis in case.axes)
    assert array.dtype == case.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_samples_of_any_type_in_memory_are_read_as_float32(dtype: DTypeLike) -> None:
    recording = ArrayRecording(np.zeros((2, 400), dtype), RATE, ("Cz", "Pz"))
    assert recording.read().dtype == np.float32
    assert recording.read(0.5, 1.5, [1]).shape == (1, 200)


def test_sections_of_a_cascade_have_six_coefficients(night: Night) -> None:
    sections = sections_of(night.detector.info.chain)
    assert sections.shape[1:] == (6,)
    assert sections.dtype == np.float64
