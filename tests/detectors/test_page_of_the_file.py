"""docs/reference/detector-file.md is enough for a reader of one's own, of scipy and ONNX Runtime alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

from secateur.detectors import load_detector
from secateur.networks import NetworkSettings
from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import ChainSettings, WindowSettings
from tests.support.c_detectors import detector_file, info_of, model_of
from tests.support.cohorts import eeg

RATE = 128.0


def as_the_page_says(path: Path, microvolts: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probabilities of channels × samples at the chain's rate, after the montage."""
    entries = {each.key: each.value for each in onnx.load(path).metadata_props}
    info = json.loads(entries["secateur"])
    chain, windows = info["chain"], info["windows"]
    rate = chain["sampling_rate"]
    band = [chain["low"], chain["high"]]
    sections = butter(chain["order"], band, "bandpass", fs=rate, output="sos")
    if chain["notch"] is not None:
        last = tf2sos(*iirnotch(chain["notch"], 30, fs=rate))
        sections = np.concatenate((sections, last))
    state = sosfilt_zi(sections)[:, None, :] * microvolts[None, :, :1]
    filtered, _ = sosfilt(sections, microvolts.astype(np.float64), axis=1, zi=state)
    scaled = _scaled(filtered, info["scale"], chain["scaling"], int(rate))
    if chain["compression"] == "asinh":
        scaled = np.arcsinh(scaled)
    length, hop = round(windows["length"] * rate), round(windows["hop"] * rate)
    starts = range(0, scaled.shape[1] - length + 1, hop)
    batch = np.stack([scaled[:, start : start + length] for start in starts])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"windows": batch.astype(np.float32)})
    return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])), dtype=np.float64)


def _scaled(
    values: NDArray[np.float64], scale: dict[str, list[float]], scaling: str, rate: int
) -> NDArray[np.float64]:
    mean, spread = np.array(scale["mean"])[:, None], np.array(scale["spread"])[:, None]
    if scaling == "training-set":
        return np.asarray((values - mean) / spread)
    c, pieces = np.log(spread), []
    for k in range(-(-values.shape[1] // rate)):
        second = values[:, k * rate : (k + 1) * rate]
        pieces.append(second * np.exp(-c))
        size = 1.4826 * np.median(np.abs(second), axis=1, keepdims=True)
        q = np.clip(np.log(size), c - np.log(8), c + np.log(8))
        c = np.where(size < 0.1, c, c + (q - c) / min(k + 31, 300))
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize(("scaling", "notch"), [("training-set", None), ("running", 50.0)])
def test_a_reader_made_from_the_page_gives_the_detectors_probabilities(
    scaling: Literal["training-set", "running"], notch: float | None, tmp_path: Path
) -> None:
    chain = ChainSettings(sampling_rate=RATE, scaling=scaling, notch=notch)
    info = info_of(chain, WindowSettings(length=4, hop=1))
    typical = np.random.default_rng(3).normal(size=(32, 18, int(4 * RATE))).astype(np.float32)
    model = model_of(NetworkSettings(widths=(6, 6, 6)), info, typical)
    path = detector_file(tmp_path / "d.onnx", model, info)
    data = eeg(60, [(20, 40)], 5, channels=18, rate=RATE, rhythm=8).astype(np.float32) + 100
    data[3, 2000:3000] = 0  # seconds that are flat
    recording = ArrayRecording(data, RATE, BIPOLAR_18)
    expected = load_detector(path).window_probabilities(recording).probability
    got = as_the_page_says(path, data)
    assert got.shape == expected.shape
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
