"""Detectors of every schema still load and find what they found when they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from secateur.detectors import PostProcessing, load_detector
from secateur.detectors.file import SCHEMA
from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg

FILES = Path(__file__).parent / "files"
RULES = {
    1: PostProcessing(threshold=0.59882314603425, merge_gap=5, shortest=3),
    2: PostProcessing(
        threshold=0.6, release=0.5, smoothing=2, merge_gap=4, shortest=3, refractory=9
    ),
    3: PostProcessing(
        threshold=0.66, release=0.55, smoothing=2, merge_gap=4, shortest=3, refractory=9
    ),
}
FOUND = {1: [(40, 73), (90, 103)], 2: [(41, 74), (91, 104)], 3: [(41, 73), (91, 103)]}


def test_there_is_a_file_of_every_schema() -> None:
    names = {f"schema-{number}.onnx" for number in range(1, SCHEMA + 1)}
    assert {path.name for path in FILES.iterdir()} == names
    assert set(RULES) == set(FOUND) == set(range(1, SCHEMA + 1))


@pytest.mark.parametrize("number", range(1, SCHEMA + 1))
def test_it_loads_and_finds_the_same_events(number: int) -> None:
    detector = load_detector(FILES / f"schema-{number}.onnx")
    assert f'"schema": {number}'.encode() in (FILES / f"schema-{number}.onnx").read_bytes()
    assert detector.info.post_processing == RULES[number]
    signal = eeg(120, [(40, 70), (90, 100)], seed=11)
    probabilities = detector.window_probabilities(ArrayRecording(signal, 256, BIPOLAR_18))
    assert np.abs(probabilities.probability[[0, 60]] - [0.4633, 0.9254]).max() < 0.001
    events = detector.events(probabilities)
    assert [(event.onset, event.end) for event in events] == FOUND[number]
