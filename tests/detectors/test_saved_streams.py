"""Saved streams from anybody: refused in one line, or a stream that works, in little memory."""

from __future__ import annotations

import base64
import copy
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secateur.detectors import Detector
from secateur.detectors.stream import DetectorStream
from secateur.errors import StreamError
from tests.detectors.test_stream import CHANNELS, RATE, detector, detector_of, signal

KINDS = [
    (name, scaling, rate)
    for name in ("valid", "paper")
    for scaling, rate in (("running", 100.0), ("training-set", RATE))
]
NASTY: list[Any] = [
    None, True, 0, 1, -1, 3, 255, 256, 1 << 31, 1 << 53, 1 << 62, 1 << 80, -(1 << 63),
    0.5, 1e-300, 1e300, -0.0,
    "", "x", "\x1b[2J", [], [0], [1e9] * 50, {}, {"dtype": "<f8", "shape": [1 << 46], "data": ""},
]  # fmt: skip
MEMORY = 64 << 20


def saved(of: Detector, rate: float, samples: int = 777) -> bytes:
    stream = of.stream(CHANNELS, rate)
    stream.push(signal(30)[:, :samples])
    return stream.save()


SAVED = {kind: saved(detector_of(kind[0], kind[1]), kind[2]) for kind in KINDS}


def paths(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where everything in a JSON value stands."""
    keys = (
        value.keys()
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    return [so_far, *(path for key in keys for path in paths(value[key], (*so_far, key)))]


def array(dtype: str, shape: list[int], seed: int) -> dict[str, Any]:
    """A JSON array that holds as much as it says."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    data = np.random.default_rng(seed).bytes(count) if seed else bytes(count)
    return {"dtype": dtype, "shape": shape, "data": base64.b64encode(data).decode()}


@st.composite
def other_values(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and "dtype" in value and draw(st.booleans()):
        shape = [abs(size + draw(st.sampled_from([0, 0, 1, -1, 300]))) for size in value["shape"]]
        shape = shape[: draw(st.sampled_from([9, 1]))] + [1] * draw(st.sampled_from([0, 0, 1]))
        return array(
            draw(st.sampled_from(["<f4", "<f8", value["dtype"], "|b1"])),
            shape,
            draw(st.integers(0, 3)),
        )
    return copy.deepcopy(draw(st.sampled_from(NASTY)))


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A saved stream with a value, name or array changed, or lost, or some bytes."""
    if draw(st.integers(0, 9)) == 0:
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        return content[:at] + draw(st.binary(max_size=8)) + content[min(end, at + 20) :]
    told = json.loads(content)
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        *outer, last = draw(st.sampled_from(paths(told)[1:]))
        inside = told
        for key in outer:
            inside = inside[key]
        way = draw(st.integers(0, 5))
        if way == 0:
            del inside[last]
        elif way == 1 and isinstance(inside, dict):
            inside[draw(st.sampled_from(["x", "\x1b[2J", *inside]))] = inside[last]
        else:
            inside[last] = draw(other_values(inside[last]))
    return json.dumps(told).encode()


def goes_on(stream: DetectorStream) -> None:
    """Whatever was taken for a state, what follows are probabilities and events."""
    data = signal(12, 5, rows=len(stream.channels))
    for step in (stream.push(data[:, :300]), stream.push(data[:, 300:]), stream.close()):
        assert ((step.probabilities >= 0) & (step.probabilities <= 1)).all()
        assert np.isfinite(step.seconds).all()
        assert all(event.duration >= 0 for event in step.closed)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(choice=st.data())
def test_a_damaged_stream_is_refused_in_a_line_or_goes_on(
    kind: tuple[str, str, float], choice: st.DataObject
) -> None:
    content = choice.draw(damaged(SAVED[kind]))
    tracemalloc.start()
    try:
        try:
            stream = detector_of(*kind[:2]).resume(content)
        except StreamError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 200
        else:
            goes_on(stream)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def changed(kind: tuple[str, str, float], *path: Any, value: Any) -> bytes:
    told = json.loads(SAVED[kind])
    *outer, last = path
    inside = told
    for key in outer:
        inside = inside[key]
    inside[last] = value
    return json.dumps(told).encode()


VALID = KINDS[0]


@pytest.mark.parametrize(
    ("path", "value", "said"),
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
        (("rules", "recent"), [0.5] * 9, "the event rules hold more"),
        (("rules", "recent"), [1.5], "damaged one at rules"),
        (("rules", "pending"), [2.0, 1.0, 0.5, False], "the event rules"),
        (("watch", "last"), array("<f4", [4], 0), "of other lengths"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[Any, ...], value: Any, said: str) -> None:
    with pytest.raises(StreamError, match=said):
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
