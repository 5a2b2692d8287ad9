"""A montage of pairs of electrodes, from the settings to the detector's file, the stream and C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.detectors import Detector, load_detector
from secateur.detectors.exporting import export
from secateur.errors import ChannelsError, SettingsError
from secateur.networks import NetworkSettings
from secateur.recordings import ArrayRecording, map_montage
from secateur.recordings.montage import (
    BIPOLAR_18,
    ELECTRODES_10_20,
    UNIPOLAR_19,
    electrodes_of,
    mirrored,
    read_pairs,
)
from secateur.runs.settings import resolve
from secateur.windows import ChainSettings, WindowSettings
from tests.support.c_detectors import compiled, detector_file, info_of, model_of, run_c
from tests.support.cohorts import eeg

HEADBAND = "F7-T3,T3-T5,T5-O1,F8-T4,T4-T6,T6-O2"
REFERENCED = tuple(f"EEG {name}-REF" for name in ELECTRODES_10_20)


@pytest.fixture(scope="module")
def data() -> NDArray[np.float32]:
    return eeg(40, [(15, 25)], 5, channels=19).astype(np.float32)


@pytest.fixture(scope="module")
def file(data: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    info = info_of(ChainSettings(montage=HEADBAND), WindowSettings())
    windows = np.random.default_rng(0).normal(0, 1, (32, 6, 1024)).astype(np.float32)
    network = NetworkSettings(name="valid", widths=(4, 5, 6))
    path = tmp_path_factory.mktemp("pairs") / "headband.onnx"
    return detector_file(path, model_of(network, info, windows), info)


@pytest.fixture(scope="module")
def detector(file: Path) -> Detector:
    return load_detector(file)


def test_the_file_keeps_pairs_and_tells_the_electrodes_they_need(detector: Detector) -> None:
    assert detector.info.chain.montage == "pairs"
    assert detector.chain.channel_names == tuple(HEADBAND.split(","))
    assert detector.electrodes == ("F7", "T3", "T5", "O1", "F8", "T4", "T6", "O2")


def test_derived_and_recorded_pairs_give_the_same(
    detector: Detector, data: NDArray[np.float32]
) -> None:
    by_name = dict(zip(ELECTRODES_10_20, data, strict=True))
    pairs = [pair.split("-") for pair in HEADBAND.split(",")]
    recorded = np.stack([by_name[plus] - by_name[minus] for plus, minus in pairs])
    turned = np.stack([recorded[0], *(-recorded[1:])])
    labels = [pairs[0], *([minus, plus] for plus, minus in pairs[1:])]
    results = [
        detector.window_probabilities(ArrayRecording(values, 256.0, names)).probability
        for values, names in (
            (data, REFERENCED),
            (recorded, tuple(HEADBAND.split(","))),
            (turned, tuple("-".join(pair) for pair in labels)),
        )
    ]
    assert len(results[0]) == 37
    assert results[0].std() > 0.005
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-6)


def test_a_stream_and_the_program_in_c_say_what_detect_says(
    detector: Detector, file: Path, data: NDArray[np.float32], tmp_path: Path
) -> None:
    recording = ArrayRecording(data, 256.0, REFERENCED)
    expected = detector.window_probabilities(recording).probability
    stream = detector.stream(REFERENCED, 256.0)
    steps = [stream.push(data[:, k : k + 500]) for k in range(0, data.shape[1], 500)]
    streamed = np.concatenate([step.probabilities for step in steps])
    np.testing.assert_allclose(streamed, expected, atol=1e-5)
    export(file, "c", tmp_path / "seizure.c")
    assert "F7-T3, T3-T5, T5-O1, F8-T4, T4-T6, T6-O2" in (tmp_path / "seizure.c").read_text()
    montage_map = map_montage(REFERENCED, "pairs", labels=HEADBAND.split(","))
    result, _ = run_c(
        compiled(tmp_path / "seizure.c"), montage_map.apply(data[[*montage_map.used]])
    )
    assert np.abs(result - expected).max() <= 1e-4


def test_a_recording_that_lacks_an_electrode_is_refused_by_the_pair(detector: Detector) -> None:
    with pytest.raises(ChannelsError, match="montage pairs lacks T6-O2"):
        detector.stream([label for label in REFERENCED if "O2" not in label], 256.0)


@pytest.mark.parametrize(
    ("montage", "words"),
    [
        ("F7-XX,T3-T5", "'XX' is no electrode"),
        ("F7-F7", "an electrode against itself"),
        ("T3-T7", "an electrode against itself"),  # one place by two names
        ("F7-T3,T7-F7", "is there already, as F7-T3"),
        ("F7-T3-T5", "not two electrodes"),
        ("F7-T3,", "not two electrodes"),
        ("A1-F3", "not two electrodes"),
        ("triple-banana", "'triple' is no electrode"),
        ("pairs", "needs its channels"),
    ],
)
def test_what_is_no_montage_of_pairs_is_refused_in_a_line(montage: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        resolve(None, {"chain.montage": montage})
    assert "\n" not in str(caught.value)


def test_a_montage_without_another_side_is_not_mirrored() -> None:
    mirror = {"training.augmentation.mirror": True}
    assert resolve(None, mirror | {"chain.montage": HEADBAND}).training.augmentation.mirror
    with pytest.raises(SettingsError, match="no counterpart of F7-T3"):
        resolve(None, mirror | {"chain.montage": "F7-T3,Fz-Cz"})
    with pytest.raises(SettingsError, match="names no electrodes"):
        resolve(None, mirror | {"chain.montage": "each"})


def test_pairs_are_written_alike_however_they_are_typed() -> None:
    assert read_pairs(["fp1–f3", " FZ-cz", "C3-a2"]) == ("Fp1-F3", "Fz-Cz", "C3-A2")
    typed = ChainSettings(montage="f7-t3, T3-T5")
    assert typed == ChainSettings(montage="pairs", channels=("F7-T3", "T3-T5"))
    assert ChainSettings.model_validate_json(typed.model_dump_json()) == typed


def test_the_other_side_of_a_montage() -> None:
    indices, signs = mirrored(BIPOLAR_18)
    assert [BIPOLAR_18[k] for k in indices[:5]] == ["Fp2-F4", "F4-C4", "C4-P4", "P4-O2", "Fp2-F8"]
    assert indices[8:10] == (8, 9)
    assert set(signs) == {1}
    assert [indices[k] for k in indices] == list(range(18))
    assert mirrored(("F3-F4", "Fz-Cz")) == ((0, 1), (-1, 1))
    assert UNIPOLAR_19[mirrored(UNIPOLAR_19)[0][0]] == "Fp2-Avg"
    with pytest.raises(SettingsError, match="no counterpart of F7-T3"):
        mirrored(("F7-T3", "Fz-Cz"))
    with pytest.raises(SettingsError, match="names no electrodes"):
        mirrored(("each channel",))
    assert len(electrodes_of(BIPOLAR_18)) == len(electrodes_of(UNIPOLAR_19)) == 19
    assert electrodes_of(("HIP1", "HIP2")) == ()
