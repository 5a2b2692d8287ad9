"""Spoilt saved streams, the same for the same seed: what a disk or a stranger may make of them."""

from __future__ import annotations

import base64
import copy
import json
import math
import random
import struct
from functools import cache
from typing import Any

import numpy as np

from benchmarks.fuzz.detector_mutations import detector_file
from benchmarks.fuzz.detector_seeds import CHANNELS, info, models
from benchmarks.fuzz.mutations import ANY_WAYS, Case
from secateur.detectors import Detector

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 63, 64, 255, 256, 1 << 31, 1 << 40, 1 << 53, 1 << 62, 1 << 80,
    -(1 << 63), 0.5, 1.5, 1e-300, 1e18, 1e300, -0.0, "", "x", "\x1b[2J", "\ud800", "x" * 5000, [], [0],
    [1e9] * 50, {},
    {"dtype": "<f8", "shape": [1 << 46], "data": ""}, {"array": "array0"},
)  # fmt: skip
"""What may stand where something else was expected."""
NUMBERS = (0.0, 1.0, -1.0, 1e9, -1e9, 1e17, 1e18, -1e18, 1e30, 1e300, math.inf, math.nan, 1e-300)
"""What all of an array's numbers may be."""
_LARGEST = 1 << 20
"""Bytes of an array that is made anew."""
DTYPES = ("<f4", "<f8", "<i8", "|b1", ">f8", "O", "<U8")


@cache
def saved_streams() -> dict[str, tuple[bytes, bytes]]:
    """A detector's file and a stream saved with it, by name: each way to resample, scale and judge."""
    rules = {"smoothing": 2.0, "release": 0.3, "refractory": 3.0, "merge_gap": 2.0, "shortest": 1.0}
    streams = {}
    for name, scaling, rate, samples in (
        ("valid", "running", 100.0, 777),
        ("valid", "training-set", 64.0, 500),
        ("paper", "training-set", 100.0, 1500),
        ("paper", "running", 64.0, 30),
        ("recurrent", "running", 128.0, 900),
    ):
        settings = info()
        settings["chain"]["scaling"] = scaling
        settings["post_processing"] |= rules
        file = detector_file(models()[name], json.dumps(settings).encode())
        stream = Detector(file).stream(CHANNELS, rate)
        noise = 30 * np.random.default_rng(2).normal(size=(len(CHANNELS), samples))
        stream.push(noise.astype(np.float32))
        streams[f"{name}, {scaling}, {rate:g} Hz"] = file, stream.save()
    return streams


def make_stream(seed: int, index: int) -> Case:
    """Case `index` of `seed`: always the same by the same versions of what saves streams."""
    draw = random.Random(f"stream/{seed}/{index}")
    name = draw.choice(sorted(saved_streams()))
    file, saved = saved_streams()[name]
    if draw.random() < 0.15:
        way = draw.choice(ANY_WAYS)
        content, how = bytes(way(bytearray(saved), draw)), [way.__name__.strip("_")]
    else:
        state = json.loads(saved)
        how = [_spoil(state, draw) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
        content = json.dumps(state).encode()
    return Case(index, "stream", {"case.stream": content, "case.onnx": file}, (name, *how))


def _spoil(state: dict[str, Any], draw: random.Random) -> str:
    """Change something somewhere in the state, in place; says what."""
    inside, key = draw.choice(_places(state))
    value = inside[key]
    way = draw.random()
    if way < 0.1:
        del inside[key]
        return f"{key} lost"
    if way < 0.2 and isinstance(inside, dict):
        inside[draw.choice(("x", "\x1b[2J", *inside))] = copy.deepcopy(value)
        return f"{key} under another name"
    if way < 0.4:
        other, name = draw.choice(_places(state))
        inside[key] = copy.deepcopy(other[name])
        return f"{key} is {name}"
    if isinstance(value, dict) and "dtype" in value:
        inside[key] = _other_array(value, draw)
        return f"{key} is another array"
    if isinstance(value, int | float) and way < 0.7:
        inside[key] = value + draw.choice((1, -1, 0.5, 100, -100, 1e6))
        return f"{key} is another number"
    inside[key] = copy.deepcopy(draw.choice(VALUES))
    return f"{key} is another value"


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every object or list with each of its keys, arrays' own fields included."""
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    return [spot for key in keys for spot in ((value, key), *_places(value[key]))]


def _other_array(array: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """An array of other lengths, of another type or of other numbers, that holds as much as it says."""
    try:
        shape, dtype = [int(size) for size in array["shape"]], np.dtype(array["dtype"])
        data = base64.b64decode(array["data"])
    except (KeyError, TypeError, ValueError):
        return array
    way = draw.randrange(3)
    if way == 0 and shape:
        axis = draw.randrange(len(shape))
        shape[axis] = max(0, shape[axis] + draw.choice((1, -1, 300, -shape[axis])))
        shape = draw.choice((shape, shape, shape[:1], [*shape, 1]))
    elif way == 1:
        dtype = np.dtype(draw.choice(DTYPES))
    size = math.prod(shape) * dtype.itemsize
    if not 0 <= size <= _LARGEST:
        return array
    data = (data * (size // max(1, len(data)) + 1))[:size] if data else bytes(size)
    if way == 2 and dtype.kind == "f":
        code = "<d" if dtype.itemsize == 8 else "<f"
        number = (
            draw.choice(NUMBERS)
            if code == "<d"
            else float(np.clip(draw.choice(NUMBERS), -3e38, 3e38))
        )
        count = math.prod(shape)
        packed = struct.pack(code, number)
        at = 0 if draw.random() < 0.5 or count == 0 else draw.randrange(count) * dtype.itemsize
        data = packed * count if at == 0 else data[:at] + packed + data[at + dtype.itemsize :]
    return {"dtype": dtype.str, "shape": shape, "data": base64.b64encode(data).decode()}
