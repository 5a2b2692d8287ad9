"""A detector's file from a stranger: one line of refusal or an answer; nothing is run, nothing else is read.

The first 200 spoilt detectors of benchmarks/fuzz here, its 10,000 in `make test-all`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz.detector_mutations import detector_file, make_detector
from benchmarks.fuzz.detector_seeds import CHANNELS, RATE, SAMPLES, info, models
from benchmarks.fuzz.examining import examine
from benchmarks.fuzz.mutations import Case
from benchmarks.fuzz.workers import fuzz
from secateur.detectors import Detector, load_detector
from secateur.detectors.network.model import Graph, Node
from secateur.errors import DetectorError
from secateur.recordings import ArrayRecording


@pytest.mark.parametrize("begin", range(0, 200, 50))
def test_a_spoilt_detector_is_refused_in_a_line_or_answers(begin: int, tmp_path: Path) -> None:
    outcomes = [examine(make_detector(0, index), tmp_path) for index in range(begin, begin + 50)]
    assert [outcome for outcome in outcomes if outcome.what == "finding"] == []
    assert {outcome.what for outcome in outcomes} == {"typed error", "readable"}


@pytest.mark.long
def test_ten_thousand_spoilt_detectors() -> None:
    findings = [
        outcome for outcome in fuzz(0, 10_000, 2, make_detector) if outcome.what == "finding"
    ]
    assert findings == []


@pytest.mark.parametrize("name", sorted(models()))
def test_what_is_spoilt_was_right(name: str, tmp_path: Path) -> None:
    content = detector_file(models()[name], json.dumps(info()).encode())
    assert (
        examine(Case(0, "detector", {"case.onnx": content}, (name,)), tmp_path).what == "readable"
    )


def file_with(content: str | bytes, model: bytes | None = None) -> bytes:
    return detector_file(
        model or models()["valid"], content.encode() if isinstance(content, str) else content
    )


def changed(path: str, value: Any) -> str:
    """The metadata with another value at a path such as chain.low."""
    content = info()
    *outer, last = path.split(".")
    inside = content
    for name in outer:
        inside = inside[name]
    inside[last] = value
    return json.dumps(content)


def refused(content: bytes) -> str:
    with pytest.raises(DetectorError) as caught:
        Detector(content, "d.onnx")
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 500
    return text


UNREADABLE = {
    "nothing": "",
    "no object": "[1]",
    "nested beyond measure": "[" * 2_000_000,
    "nested a little": changed("provenance.network", json.loads("[" * 30 + "]" * 30)),
    "not a number": changed("scale.mean", [float("nan")] * 3),
    "without bounds": changed("provenance.network", {"a": float("inf")}),
    "a number of thousands of digits": '{"schema": ' + "9" * 10_000 + "}",
    "a name twice": '{"schema": 1, "schema": 2}',
    "signs that steer a terminal": changed("provenance.model", "\x1b]0;owned\x07"),
    "a line more": changed("provenance.data", "one\ntwo"),
    "text that runs backwards": changed("provenance.data", "\u202egpj.exe"),
    "half a sign": changed("provenance.data", "\ud800"),
    "a name that steers": changed("\x1b[2J", 1),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_metadata_that_no_detector_has_is_not_read(what: str) -> None:
    content = refused(file_with(UNREADABLE[what].encode("utf-8", "surrogatepass")))
    assert "not a detector of Secateur" in content


def test_metadata_of_megabytes_is_not_read() -> None:
    assert "longer than 4 MiB" in refused(file_with(changed("provenance.data", "x" * (5 << 20))))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema", "x" * 500, "written by schema 'xxx"),
        ("schema", True, "written by schema True"),
        ("x" * 500, 1, "Extra inputs are not permitted"),
        ("chain.sampling_rate", 64.0003, "can't be reached by resampling"),
        ("chain.channels", ["F3-C3"] * 100_000, "100000 channels, its scale is of 3"),
        ("chain.montage", "each", "channels go with montage as-recorded or pairs alone"),
        ("windows.length", 120, "does not take windows of 3 channels × 7680 samples"),
        ("post_processing.threshold", "high", "post_processing.threshold: Input should be"),
        ("post_processing.merge_gap", 1e300, "post_processing.merge_gap: Input should be"),
        ("post_processing.shortest", 86_401, "post_processing.shortest: Input should be"),
        ("post_processing.refractory", 1e300, "post_processing.refractory: Input should be"),
        ("windows.hop", 1 / 200, "windows of 1 s every 0.005 s are no whole sample at 64 Hz"),
        ("windows.length", 1e-9, "a hop of 0.5 s leaves gaps"),
        ("chain.low", 1e-300, "too slow or too narrow to filter"),
        ("chain.low", 19.999, "too slow or too narrow to filter"),
        ("scale.spread", [20, 1e-300, 20], "spreads lie from 0.001 to 1e+09 µV"),
        ("scale.spread", [20, 1e300, 20], "spreads lie from 0.001 to 1e+09 µV"),
        ("scale.mean", [0, -1e300, 0], "means lie within 1e+09 µV"),
    ],
)
def test_metadata_that_does_not_fit_is_refused_by_name(path: str, value: Any, message: str) -> None:
    assert message in refused(file_with(changed(path, value)))


def test_a_chain_slower_than_a_sample_a_second_is_refused() -> None:
    """Running scaling works by the second; it divided by the samples of one, zero."""
    content = info()
    slow = {"sampling_rate": 0.4, "low": 0.05, "high": 0.1, "scaling": "running"}
    content["chain"] |= slow
    content["windows"] = {"length": 120, "hop": 120}
    assert "chain.sampling_rate: Input should be" in refused(file_with(json.dumps(content)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scaling", ["running", "training-set"])
@pytest.mark.parametrize(
    "extreme",
    [
        {"chain.low": 64e-6, "chain.order": 10},
        {"chain.low": 19.8, "chain.order": 10},
        {"scale.spread": [1e-3, 20, 1e9], "scale.mean": [1e9, 0, -1e9]},
        {"windows.hop": 1 / RATE},
        {"post_processing.merge_gap": 86_400, "post_processing.threshold": 0},
        {"post_processing.refractory": 86_400, "post_processing.shortest": 0},
    ],
)
def test_settings_at_their_bounds_work(extreme: dict[str, Any], scaling: str) -> None:
    content = info()
    for path, value in {**extreme, "chain.scaling": scaling}.items():
        room, name = path.split(".")
        content[room][name] = value
    detector = Detector(file_with(json.dumps(content)))
    signal = 30 * np.random.default_rng(1).normal(size=(3, 700)).astype(np.float32)
    events = detector.detect(signal, 128.0, CHANNELS)
    stream = detector.stream(CHANNELS, 128.0)
    closed = [*stream.push(signal).closed, *stream.close().closed]
    assert [(e.onset, e.end) for e in closed] == [(e.onset, e.end) for e in events]
    probabilities = detector.window_probabilities(ArrayRecording(signal, 128.0, CHANNELS))
    assert np.isfinite(probabilities.probability).all()


def test_windows_of_minutes_at_the_highest_rate_are_too_large() -> None:
    """18 channels × 120 s × 20 kHz: 43 million numbers before the first layer."""
    length = 120 * 20_000
    node = Node("Flatten", ("windows",), ("logits",))
    shape = {"windows": (None, 18, length)}
    model = Graph((node,), {}, shape, {"logits": (None, 2)}, 17).to_bytes()
    content = info()
    content["chain"] = {"montage": "bipolar-18", "sampling_rate": 20_000}
    content["windows"] = {"length": 120, "hop": 1}
    content["scale"] = {"mean": [0] * 18, "spread": [1] * 18}
    assert "'windows' would have the shape (1, 18, 2400000)" in refused(
        file_with(json.dumps(content), model)
    )


def test_a_network_that_can_not_keep_up_is_refused() -> None:
    """Three gigamultiplications a window are slow; at a window each sample nobody could wait."""
    wide = np.zeros((1024, len(CHANNELS), 62), np.float32)
    deep = np.zeros((1024, 1024, 1), np.float32)
    nodes = [Node("Conv", ("windows", "w"), ("x0",))]
    nodes += [Node("Conv", (f"x{k}", "v"), (f"x{k + 1}",)) for k in range(1000)]
    nodes += [
        Node("GlobalAveragePool", ("x1000",), ("y",)),
        Node("Flatten", ("y",), ("z",)),
        Node("MatMul", ("z", "last"), ("logits",)),
    ]
    weights = {"w": wide, "v": deep, "last": np.zeros((1024, 2), np.float32)}
    inputs = {"windows": (None, len(CHANNELS), SAMPLES)}
    model = Graph(tuple(nodes), weights, inputs, {"logits": (None, 2)}, 17).to_bytes()
    content = refused(file_with(changed("windows.hop", 1 / RATE), model))
    assert "its hop is too short" in content


def test_windows_that_the_runtime_refuses_are_refused_in_a_line() -> None:
    detector = Detector(file_with(json.dumps(info())))
    with pytest.raises(DetectorError, match="ONNX Runtime can't run the network"):
        detector.logits(np.zeros((1, 2, 64), np.float32))


WATCH = """
import sys
import numpy
from secateur.detectors import load_detector
path = sys.argv[1]
load_detector(path)  # what is imported late is here now
seen = []
sys.addaudithook(lambda event, told: seen.append((event, str(told[:1]))) if seen is not None else None)
detector = load_detector(path)
detector.detect(numpy.zeros((3, 1280), numpy.float32), 256.0, detector.chain.channel_names)
watched = ("open", "socket", "subprocess", "os.", "exec", "compile", "import", "pickle", "ctypes")
found = [one for one in list(seen) if one[0].startswith(watched)]
print(len([one for one in found if one[0] == "open" and path in one[1]]))
print([one for one in found if not (one[0] == "open" and path in one[1])])
"""


@pytest.mark.parametrize("name", ["valid", "recurrent", "int8"])
def test_nothing_but_the_file_is_read_and_nothing_is_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    path.write_bytes(detector_file(models()[name], json.dumps(info()).encode()))
    assert load_detector(path).file_bytes == path.stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(path)], capture_output=True, text=True, check=True
    )
    opened, others = done.stdout.splitlines()
    assert int(opened) == 1
    assert others == "[]"
