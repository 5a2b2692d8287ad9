"""A detector is one file: what it says holds, damage is found, bulk and windows agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateur.detectors import (
    Detector,
    DetectorInfo,
    PostProcessing,
    evaluate,
    load_detector,
    pack,
    read_verified,
    write_detector,
)
from secateur.detectors.benching import measure_latency
from secateur.detectors.event_rules import to_events
from secateur.detectors.file import SCHEMA
from secateur.errors import ChannelsError, DetectorError, RecordingError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import ArrayRecording, load_cohort
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import ChainSettings, Scale, SignalChain, WindowSettings
from tests.support.cohorts import PATIENT, eeg


def info(**fields: Any) -> DetectorInfo:
    return DetectorInfo.model_validate(
        {
            "secateur": "0",
            "chain": ChainSettings(),
            "scale": Scale(mean=(0.0,) * 18, spread=(20.0,) * 18),
            "windows": WindowSettings(),
            "post_processing": PostProcessing(threshold=0.5, merge_gap=0, shortest=0),
            **fields,
        }
    )


MODEL = to_onnx(build_network(NetworkSettings(widths=(4, 4, 4)), 18, 1024, 1).eval())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "d.onnx"
    write_detector(file, MODEL, info())
    return file


def test_any_onnx_tool_opens_it_and_reads_its_metadata(path: Path) -> None:
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    fields = json.loads(metadata["secateur"])
    assert fields["schema"] == SCHEMA
    assert fields["windows"]["length"] == 4
    assert DetectorInfo.model_validate(fields) == info()


def test_the_checksum_is_of_the_bytes_with_its_own_digits_as_zeros(path: Path) -> None:
    content = path.read_bytes()
    digest = {e.key: e.value for e in onnx.load(str(path)).metadata_props}["secateur.sha256"]
    assert len(digest) == 64
    zeroed = content.replace(digest.encode(), b"0" * 64)
    assert hashlib.sha256(zeroed).hexdigest() == digest
    assert pack(MODEL, info()) == content


@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_file_changed_by_any_bit_is_refused(at: int, bit: int) -> None:
    import tempfile

    content = bytearray(pack(MODEL, info()))
    content[at % len(content)] ^= 1 << bit
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "d.onnx"
        file.write_bytes(content)
        with pytest.raises(DetectorError) as caught:
            load_detector(file)
    assert "\n" not in str(caught.value)


@given(length=st.integers(0, 10**9))
def test_a_file_cut_off_is_refused(length: int) -> None:
    import tempfile

    content = pack(MODEL, info())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "d.onnx"
        file.write_bytes(content[: length % len(content)])
        with pytest.raises(DetectorError):
            load_detector(file)


def test_what_is_no_detector_is_refused_in_one_line(tmp_path: Path) -> None:
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(MODEL)
    cases: list[tuple[Path, str]] = [
        (tmp_path / "none.onnx", "no such file"),
        (tmp_path, "is a folder, wanted a detector's file"),
        (plain, "no checksum"),
    ]
    for path, message in cases:
        with pytest.raises(DetectorError, match=message):
            load_detector(path)
    content = pack(MODEL, info())
    twice = tmp_path / "twice.onnx"
    twice.write_bytes(content + content[len(MODEL) :])
    with pytest.raises(DetectorError, match="two checksums"):
        read_verified(twice)


def test_metadata_that_lies_is_refused_by_field(tmp_path: Path) -> None:
    good = info().model_dump(mode="json", by_alias=True)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"schema": 99}, "schema 99"),
        ({"surprise": 1}, "surprise"),
        ({"windows": {"length": 4, "hop": 9}}, "windows"),
        ({"scale": {"mean": [0], "spread": [0]}}, "scale|spread"),
        ({"windows": {"length": 2}}, "does not take windows of 18 channels × 512"),
    ]

    class Raw:
        def __init__(self, fields: dict[str, Any]) -> None:
            self.fields = fields

        def model_dump(self, **_: object) -> dict[str, Any]:
            return self.fields

    for change, message in cases:
        file = tmp_path / "lies.onnx"
        file.write_bytes(pack(MODEL, Raw({**good, **change})))  # type: ignore[arg-type]
        with pytest.raises(DetectorError, match=message):
            load_detector(file)


@given(
    seconds=st.floats(0.5, 200),
    rate=st.sampled_from([200.0, 256.0, 512.0]),
    hop=st.sampled_from([0.5, 1.0, 2.0]),
    seed=st.integers(0, 9),
)
@settings(max_examples=15)
def test_probabilities_are_those_of_every_window_by_itself(
    seconds: float, rate: float, hop: float, seed: int
) -> None:
    detector = Detector(pack(MODEL, info(windows=WindowSettings(hop=hop))))
    recording = ArrayRecording(eeg(seconds, [], seed, rate=rate), rate, BIPOLAR_18)
    probabilities = detector.window_probabilities(recording)
    chained = SignalChain(detector.info.chain, detector.info.scale).run(recording)
    step = round(hop * 256)
    expected = [
        detector.probability(chained[None, :, start : start + 1024])[0]
        for start in range(0, chained.shape[1] - 1023, step)
    ]
    assert len(probabilities.begin) == len(expected)
    assert np.allclose(probabilities.probability, expected, atol=1e-5)
    assert np.allclose(probabilities.begin, 4 - hop + np.arange(len(expected)) * hop)


def test_a_recording_shorter_than_a_window_has_no_event() -> None:
    detector = Detector(pack(MODEL, info()))
    events = detector.detect(ArrayRecording(eeg(2, [], 0), 256, BIPOLAR_18))
    assert len(events) == 0
    assert events.duration == 2


def test_a_recording_that_lacks_channels_is_refused() -> None:
    detector = Detector(pack(MODEL, info()))
    with pytest.raises(ChannelsError, match="lacks T6-O2"):
        detector.detect(ArrayRecording(eeg(8, [], 0, channels=17), 256, BIPOLAR_18[:17]))


def test_events_by_hand() -> None:
    begin = np.arange(3.0, 20.0)
    chance = np.array([0, 0.9, 0.8, 0, 0, 0.7, 0, 0, 0, 0, 0, 0, 0.6, 0.95, 0.6, 0, 0.6])

    def result(**fields: float) -> list[tuple[float, float]]:
        rules = PostProcessing(**{"threshold": 0.6, "merge_gap": 0, "shortest": 0, **fields})
        return [(e.onset, e.end) for e in to_events(begin, chance, 1.0, rules, 19.5)]

    assert result() == [(4, 6), (8, 9), (15, 18), (19, 19.5)]
    assert result(merge_gap=2) == [(4, 9), (15, 19.5)]
    assert result(shortest=2) == [(4, 6), (15, 18)]
    assert result(merge_gap=1, shortest=4) == [(15, 19.5)]
    assert result(threshold=0.99) == []
    (event, *_) = to_events(begin, chance, 1.0, PostProcessing(merge_gap=0, shortest=0), 19.5)
    assert event.confidence == 0.9


def test_evaluation_scores_every_window_and_says_what_it_left_out(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "c"
    shutil.copytree(tiny_cohort, folder)
    edfs = sorted(folder.rglob("*.edf"))
    edfs[0].write_bytes(edfs[0].read_bytes()[:100])
    result = evaluate(Detector(pack(MODEL, info())), load_cohort(folder))
    assert len(result.table.label) == 5 * 57
    test = result.report["test"]
    assert test["windows"] == 5 * 57
    assert result.report["problems"][0]["recording"].startswith("sub-01/")
    assert len(test["by_subject"]["subjects"]) == 5
    assert test["intervals"]["what"] == "95 %, bootstrap over subjects"
    assert test["events"]["timescoring"] == "0.0.7"
    assert test["events"]["always_firing"]["sensitivity"] == 1
    assert sum(map(sum, test["confusion"])) == 5 * 57
    text = json.dumps(result.report, allow_nan=False)
    assert str(tmp_path) not in text
    assert PATIENT.split()[1] not in text


def test_a_cohort_without_a_readable_recording_is_refused(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "c"
    shutil.copytree(tiny_cohort, folder)
    cohort = load_cohort(folder)
    for entry in cohort:
        entry.path.unlink()
    with pytest.raises(RecordingError, match="no recording could be evaluated"):
        evaluate(Detector(pack(MODEL, info())), cohort)


def test_latency_is_told_for_each(path: Path) -> None:
    taken = measure_latency({"a": load_detector(path), "b": load_detector(path)}, runs=5)
    assert set(taken) == {"a", "b"}
    assert 0 < taken["a"]["median"] <= taken["a"]["p99"]
