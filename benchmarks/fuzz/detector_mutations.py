"""Spoilt detectors, the same for the same seed: what a stranger who knows the format may write."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

from benchmarks.fuzz.detector_seeds import info, models
from benchmarks.fuzz.mutations import NASTY, Case
from secateur.detectors.file import CHECKSUM_KEY, INFO_KEY
from secateur.detectors.network import model as wire
from secateur.detectors.network.shapes import OPERATORS

NUMBERS = (
    0, 1, 2, 3, 5, 7, 16, 64, 127, 128, 255, 1000, 4096, 65535, 65536, 1 << 20, 1 << 24, (1 << 31) - 1,
    1 << 31, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, -1, -2, -3, -64, -(1 << 31), -(1 << 63),
)  # fmt: skip
WORDS = (
    "", "windows", "logits", "x1", "x2", "ai.onnx.ml", "com.microsoft", "If", "Loop", "FusedConv",
    "SAME_UPPER", "VALID", "reflect", "edge", "wrap", "bidirectional", "reverse", "axis", "axes", "group",
    "kernel_shape", "ceil_mode", "../../etc/passwd", "\x1b[2J", "x" * 5000,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 99, 10**30, 1e308, -1e308, 1e-308, 256.0003, 19999.9999, 0.001, "", "each",
    "bipolar-18", "running", "\x1b[31m", "\ud800", "x" * 5000, [], {}, [[[[]]]], [0.0] * 5000, *NASTY[:12],
)  # fmt: skip

Spoiling = Callable[[bytes, random.Random], bytes]


def make_detector(seed: int, index: int) -> Case:
    """Case `index` of `seed`: always the same by the same versions of what writes networks."""
    draw = random.Random(f"detector/{seed}/{index}")
    name = draw.choice(sorted(models()))
    model, text = models()[name], json.dumps(info()).encode()
    how = [name]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if draw.random() < 0.2:
            text = draw.choice((_a_setting, _a_setting, _a_setting, _bytes))(text, draw)
            how.append("metadata")
        else:
            way = draw.choice(_WAYS)
            model = way(model, draw)
            how.append(way.__name__.strip("_"))
    return Case(index, "detector", {"case.onnx": detector_file(model, text)}, tuple(how))


def detector_file(model: bytes, text: bytes) -> bytes:
    """A detector's file with a checksum that holds."""
    content = model + wire.bytes_field(
        14, wire.bytes_field(1, INFO_KEY) + wire.bytes_field(2, text)
    )
    content += wire.bytes_field(
        14, wire.bytes_field(1, CHECKSUM_KEY) + wire.bytes_field(2, "0" * 64)
    )
    return content[:-64] + hashlib.sha256(content).hexdigest().encode()


Fields = list[tuple[int, int, "int | bytes"]]


def _split(message: bytes) -> Fields:
    return [
        (number, kind, value if isinstance(value, int) else bytes(value))
        for number, kind, value in wire.message_fields(memoryview(message))
    ]


def _joined(fields: Fields) -> bytes:
    written = b""
    for number, kind, value in fields:
        if isinstance(value, int):
            written += wire.integer_field(number, value)
        elif kind == wire.BYTES:
            written += wire.bytes_field(number, value)
        else:
            written += wire.varint(number << 3 | kind) + value
    return written


def _a_field(message: bytes, draw: random.Random, depth: int = 6) -> bytes:
    """Some field of the model or of a message inside it: other, lost, doubled, moved."""
    try:
        fields = _split(message)
    except wire.WireError:
        return _bytes(message, draw)
    if not fields:
        return message
    k = draw.randrange(len(fields))
    number, kind, value = fields[k]
    deeper = isinstance(value, bytes) and kind == wire.BYTES and depth and draw.random() < 0.9
    if deeper and isinstance(value, bytes) and len(value) > 3 and _is_message(value):
        fields[k] = number, kind, _a_field(value, draw, depth - 1)
        return _joined(fields)
    way = draw.randrange(6)
    if way == 0:
        del fields[k]
    elif way == 1:
        fields.insert(draw.randrange(len(fields) + 1), fields[k])
    elif way == 2:
        fields[k] = draw.randint(1, 26), kind, value
    elif isinstance(value, int):
        fields[k] = number, kind, draw.choice(NUMBERS)
    else:
        fields[k] = number, kind, _other(value, kind, draw)
    return _joined(fields)


def _is_message(content: bytes) -> bool:
    try:
        return all(0 < number < 30 for number, _, _ in wire.message_fields(memoryview(content)))
    except wire.WireError:
        return False


def _other(content: bytes, kind: int, draw: random.Random) -> bytes:
    if kind != wire.BYTES or draw.random() < 0.3:
        return _bytes(content, draw)[: len(content)].ljust(len(content), b"\xff")
    return draw.choice((*WORDS, *sorted(OPERATORS))).encode()


def _in_graph(
    model: bytes, number: int, spoil: Callable[[Fields], Fields], draw: random.Random
) -> bytes:
    """One of the graph's messages of a kind (1 node, 5 weight) taken apart and spoilt."""
    try:
        fields = _split(model)
        (at,) = [k for k, field in enumerate(fields) if field[0] == 7]
        graph = _split(bytes(fields[at][2]))
        own = [k for k, field in enumerate(graph) if field[0] == number]
        k = draw.choice(own)
        spoilt = _joined(spoil(_split(bytes(graph[k][2]))))
    except (wire.WireError, ValueError, IndexError):
        return model
    graph[k] = number, wire.BYTES, spoilt
    fields[at] = 7, wire.BYTES, _joined(graph)
    return _joined(fields)


def _an_operator(model: bytes, draw: random.Random) -> bytes:
    """Another operator in a node's place."""
    word = draw.choice(sorted(OPERATORS)).encode()
    return _in_graph(model, 1, lambda f: [(n, k, word if n == 4 else v) for n, k, v in f], draw)


def _an_attribute(model: bytes, draw: random.Random) -> bytes:
    """Other numbers in a node's attribute, or one more attribute."""

    def spoil(fields: Fields) -> Fields:
        own = [k for k, field in enumerate(fields) if field[0] == 5]
        if not own or draw.random() < 0.2:
            name = draw.choice(
                ("axis", "group", "keepdims", "ceil_mode", "count_include_pad", "layout")
            )
            more = (
                wire.bytes_field(1, name)
                + wire.integer_field(3, draw.choice(NUMBERS))
                + wire.integer_field(20, 2)
            )
            return [*fields, (5, wire.BYTES, more)]
        k = draw.choice(own)
        inner = _split(bytes(fields[k][2]))
        places = [j for j, field in enumerate(inner) if field[0] in (3, 8)]
        if places:
            j = draw.choice(places)
            number = draw.choice(NUMBERS)
            inner[j] = (inner[j][0], wire.VARINT, number)
            if draw.random() < 0.3:
                inner.insert(j, inner[j])
        fields[k] = 5, wire.BYTES, _joined(inner)
        return fields

    return _in_graph(model, 1, spoil, draw)


def _a_wire(model: bytes, draw: random.Random) -> bytes:
    """A node reads or gives something else, more, or less."""
    names = ["windows", "logits", "", *(f"x{k}" for k in range(12))]

    def spoil(fields: Fields) -> Fields:
        own = [k for k, field in enumerate(fields) if field[0] in (1, 2)]
        k = draw.choice(own)
        other = draw.choice(
            [bytes(f[2]) for f in fields if f[0] in (1, 2)] + [n.encode() for n in names]
        )
        if draw.random() < 0.5:
            fields[k] = fields[k][0], wire.BYTES, other
        else:
            fields.insert(k, (fields[k][0], wire.BYTES, other))
        return fields

    return _in_graph(model, 1, spoil, draw)


def _a_weight(model: bytes, draw: random.Random) -> bytes:
    """A weight of other lengths or types, with as many numbers as that wants; or other numbers."""

    def spoil(fields: Fields) -> Fields:
        sizes = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 11: 8}
        kind = next(int(v) for n, _, v in fields if n == 2 and isinstance(v, int))
        dims = [int(v) for n, _, v in fields if n == 1 and isinstance(v, int)]
        if draw.random() < 0.3:
            kind = draw.choice(list(sizes))
        if draw.random() < 0.6:
            dims = draw.choice(
                (dims[::-1], [1, *dims], dims[1:], [*dims, 1], [2 * d for d in dims])
            )
        count = 1
        for length in dims:
            count *= length
        if not 0 <= count <= 1 << 20:
            return fields
        if kind == 7:
            raw = b"".join(
                (draw.choice(NUMBERS) & (1 << 64) - 1).to_bytes(8, "little") for _ in range(count)
            )
        else:
            raw = draw.randbytes(sizes.get(kind, 4) * count)
        kept = [field for field in fields if field[0] == 8]
        lengths: Fields = [(1, wire.VARINT, length) for length in dims]
        return [*lengths, (2, wire.VARINT, kind), *kept, (9, wire.BYTES, raw)]

    return _in_graph(model, 5, spoil, draw)


def _bytes(content: bytes, draw: random.Random) -> bytes:
    """Bits flipped, a piece lost, a piece twice, the end lost."""
    if not content:
        return content
    at, way = draw.randrange(len(content)), draw.randrange(4)
    if way == 0:
        flipped = bytearray(content)
        for _ in range(draw.choice((1, 1, 4, 40))):
            flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        return bytes(flipped)
    piece = draw.choice((1, 4, 16, 100))
    if way == 1:
        return content[:at] + content[at + piece :]
    if way == 2:
        return content[: at + piece] + content[at:]
    return content[:at]


def _a_setting(text: bytes, draw: random.Random) -> bytes:
    """Another value somewhere in the JSON, a name lost, or one more."""
    try:
        settings = json.loads(text)
    except ValueError:
        return _bytes(text, draw)
    inside = settings
    while isinstance(inside, dict) and inside:
        name = draw.choice(sorted(inside))
        value = inside[name]
        if isinstance(value, dict) and value and draw.random() < 0.9:
            inside = value
            continue
        way = draw.random()
        if way < 0.1:
            del inside[name]
        elif way < 0.2:
            inside[draw.choice(WORDS)] = draw.choice(VALUES)
        elif isinstance(value, list) and value and way < 0.6:
            value[draw.randrange(len(value))] = draw.choice(VALUES)
        else:
            inside[name] = draw.choice(VALUES)
        break
    return json.dumps(settings).encode()


_WAYS: tuple[Spoiling, ...] = (
    _bytes, _a_field, _a_field, _a_field, _an_operator, _an_operator, _an_attribute, _an_attribute,
    _an_attribute, _a_wire, _a_wire, _a_weight, _a_weight,
)  # fmt: skip
