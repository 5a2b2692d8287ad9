"""Saved streams from anybody: refused in one line, or a stream that works, in little memory."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz.examining import examine
from benchmarks.fuzz.mutations import Case
from benchmarks.fuzz.stream_mutations import make_stream, saved_streams
from benchmarks.fuzz.workers import fuzz
from secateur.detectors import Detector
from secateur.errors import StreamError
from tests.detectors.test_stream import CHANNELS, RATE, detector, detector_of, signal

KINDS = [
    (name, scaling, rate)
    for name in ("valid", "paper")
    for scaling, rate in (("running", 100.0), ("training-set", RATE))
]


def saved(of: Detector, rate: float, samples: int = 777) -> bytes:
    stream = of.stream(CHANNELS, rate)
    stream.push(signal(30)[:, :samples])
    return stream.save()


SAVED = {kind: saved(detector_of(kind[0], kind[1]), kind[2]) for kind in KINDS}


def array(dtype: str, shape: list[int], seed: int) -> dict[str, Any]:
    """A JSON array that holds as much as it says."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    data = np.random.default_rng(seed).bytes(count) if seed else bytes(count)
    return {"dtype": dtype, "shape": shape, "data": base64.b64encode(data).decode()}


@pytest.mark.parametrize("begin", range(0, 400, 100))
def test_a_damaged_stream_is_refused_in_a_line_or_goes_on(begin: int, tmp_path: Path) -> None:
    outcomes = [examine(make_stream(0, index), tmp_path) for index in range(begin, begin + 100)]
    assert [outcome for outcome in outcomes if outcome.what == "finding"] == []
    assert {outcome.what for outcome in outcomes} == {"typed error", "readable"}


@pytest.mark.long
def test_ten_thousand_damaged_streams() -> None:
    findings = [outcome for outcome in fuzz(0, 10_000, 1, make_stream) if outcome.what == "finding"]
    assert findings == []


@pytest.mark.parametrize("name", saved_streams())
def test_what_is_damaged_was_right(name: str, tmp_path: Path) -> None:
    file, content = saved_streams()[name]
    files = {"case.stream": content, "case.onnx": file}
    assert examine(Case(0, "stream", files, (name,)), tmp_path).what == "readable"


def changed(kind: tuple[str, str, float], *path: Any, value: Any) -> bytes:
    content = json.loads(SAVED[kind])
    *outer, last = path
    inside = content
    for key in outer:
        inside = inside[key]
    inside[last] = value
    return json.dumps(content).encode()


VALID = KINDS[0]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("form",), 1, "saved by this version, or a damaged one at form"),
        (("sampling_rate",), 1e300, "damaged"),
        (("sampling_rate",), 1e-300, "damaged"),
        (("channels",), ["Fp1"], "it fits no signal"),
        (("seen",), 3, "damaged one; begin another"),
        (("windows",), 1 << 53, "damaged"),
        (("chain", "resampler.seen"), 1 << 50, "the resampler's counts"),
        (("chain", "resampler.held", "shape"), [3, 1 << 43], "damaged one at chain"),
        (("chain", "filter.state"), 0, "a number in an array's place"),
        (("chain", "filter.held"), array("<f8", [3, 256], 0), "the filter holds"),
        (("chain", "scaler.pending"), array("<f4", [3, 64], 0), "the scaling holds"),
        (("chain", "scaler.log"), array("<f8", [2], 0), "of other lengths"),
        (("chain", "scaler.second"), -1, "beyond any signal's"),
        (("network", "x"), 0, "other names"),
        (("rules", "until"), 5.0, "stand elsewhere than the windows"),
        (("rules", "until"), None, "stand elsewhere than the windows"),
        (("rules", "barrier"), 1e6, "ahead of the signal"),
        (("windows",), 3, "stand elsewhere than the windows"),
        (("rules", "recent"), [0.5] * 9, "the event rules hold more"),
        (("rules", "recent"), [1.5], "damaged one at rules"),
        (("rules", "pending"), [2.0, 1.0, 0.5, False], "the event rules"),
        (("chain", "check.moving"), array("<f8", [4], 0), "of other lengths"),
        (("chain", "check.ahead"), -5, "contradict each other"),
        (("chain", "check.blocks"), -1, "contradict each other"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        detector_of(*VALID[:2]).resume(changed(VALID, *path, value=value))


def test_no_numbers_are_refused() -> None:
    nothing = np.full((3, 16), np.nan).tobytes()
    state = {"dtype": "<f8", "shape": [3, 16], "data": base64.b64encode(nothing).decode()}
    with pytest.raises(StreamError, match="damaged one at chain"):
        detector_of(*VALID[:2]).resume(changed(VALID, "chain", "filter.state", value=state))


def test_another_detectors_state_is_refused() -> None:
    with pytest.raises(StreamError, match="another detector"):
        detector("paper").resume(SAVED[VALID])


def test_what_is_no_state_at_all_is_refused() -> None:
    content = SAVED[VALID]
    for broken in (b"", b"PK", content[:-40], b"x" * 200, b"[" * 100_000, b"\xff\xfe", b"null"):
        with pytest.raises(StreamError, match="not a stream saved by this version"):
            detector_of(*VALID[:2]).resume(broken)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [0, 1, 63, 64, 255, 300, 1500])
def test_a_state_is_saved_the_same_again(kind: tuple[str, str, float], samples: int) -> None:
    of = detector_of(*kind[:2])
    content = saved(of, kind[2], samples)
    assert of.resume(content).save() == content
