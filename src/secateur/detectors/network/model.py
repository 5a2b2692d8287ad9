"""The network in a detector's file, read strictly and written anew, without any ONNX library.

What ONNX Runtime opens is what `Graph.to_bytes` writes, never the bytes that came: so nothing reaches it that
was not understood here. Refused: operators of other domains, functions, graphs inside of graphs, weights
outside of the file, and fields that no detector has.

Formats: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from secateur.errors import DetectorError

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | NDArray[Any]

TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 11: "<f8"}
_NUMBER_OF = {np.dtype(name): number for number, name in TYPES.items()}
_FLOAT = 1
MOST_AXES = 8
_MOST_NODES, _MOST_WEIGHTS = 4096, 8192
_OWN_DOMAINS = ("", "ai.onnx")
_OLDEST_OPSET, _NEWEST_OPSET = 13, 24
_IR_VERSION = 8


@dataclass(frozen=True)
class Node:
    """One operation: what it reads and gives, by name; "" where an input that may be left out is."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""

    def integer(self, name: str, default: int) -> int:
        """An attribute that is one whole number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise DetectorError(f"{self.kind} {self.name[:60]!r}: its {name} is no whole number")
        return value

    def real(self, name: str, default: float) -> float:
        """An attribute that is one number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise DetectorError(f"{self.kind} {self.name[:60]!r}: its {name} is no number")
        return float(value)

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute that is a row of whole numbers, as many as `default` has."""
        value = self.attributes.get(name, default)
        if not (
            isinstance(value, tuple)
            and len(value) == len(default)
            and all(isinstance(number, int) for number in value)
        ):
            raise DetectorError(
                f"{self.kind} {self.name[:60]!r}: its {name} is not {len(default)} numbers"
            )
        return tuple(int(number) for number in value)


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run, weights by name, and the shapes of input and output.

    A length of None in `inputs` and `outputs` is known at run time alone.
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, NDArray[Any]]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    opset: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """An ONNX model of this and nothing more; without metadata."""
        body = b"".join(bytes_field(1, _node(node)) for node in self.nodes)
        body += bytes_field(2, "detector")
        body += b"".join(bytes_field(5, _tensor(*weight)) for weight in self.weights.items())
        for number, values in ((11, self.inputs), (12, self.outputs)):
            body += b"".join(bytes_field(number, _value(*value)) for value in values.items())
        opset = bytes_field(8, integer_field(2, self.opset))
        return integer_field(1, _IR_VERSION) + bytes_field(7, body) + opset


def parse(content: bytes, path: Path | str = "detector") -> Graph:
    """The network in an ONNX model. Raises `DetectorError` naming what is broken or not allowed."""
    with trusted(path):
        return _model(memoryview(content))


@contextmanager
def trusted(path: Path | str) -> Iterator[None]:
    """What is refused in this block is the network in the file `path`. Raises `DetectorError`."""
    try:
        yield
    except (WireError, DetectorError) as error:
        raise DetectorError(f"{path}: its network can't be trusted: {error}") from None


_MODEL = {1: "ir_version", 2: "producer", 3: "producer_version", 5: "model_version", 6: "doc_string",
          7: "graph", 8: "opset", 14: "metadata"}  # fmt: skip
_GRAPH = {1: "node", 2: "name", 5: "weight", 10: "doc_string", 11: "input", 12: "output",
          13: "value_info"}  # fmt: skip
_REPEATED = "node weight input output value_info"
_NODE = {1: "input", 2: "output", 3: "name", 4: "kind", 5: "attribute", 6: "doc_string",
         7: "domain"}  # fmt: skip
_ATTRIBUTE = {1: "name", 2: "f", 3: "i", 4: "s", 5: "t", 7: "floats", 8: "ints", 9: "strings",
              20: "type"}  # fmt: skip
_TENSOR = {1: "dims", 2: "type", 4: "float_data", 5: "int32_data", 7: "int64_data", 8: "name",
           9: "raw_data", 10: "double_data", 12: "doc_string", 14: "location"}  # fmt: skip


def _model(message: memoryview) -> Graph:
    model = Message("the model", message, _MODEL, "opset metadata")
    if not model.has("graph"):
        raise WireError("it holds no graph")
    opset = 0
    for value in model.all("opset"):
        operators = Message("an operator set", value, {1: "domain", 2: "version"})
        if operators.text("domain") not in _OWN_DOMAINS:
            raise DetectorError(
                f"operators of the foreign domain {operators.text('domain')[:60]!r}"
            )
        opset = max(opset, operators.integer("version"))
    if not _OLDEST_OPSET <= opset <= _NEWEST_OPSET:
        raise DetectorError(
            f"operator set {opset}; {_OLDEST_OPSET} to {_NEWEST_OPSET} are understood"
        )
    metadata = _by_name("entries of its metadata", map(_read_entry, model.all("metadata")))
    graph = Message("the graph", model.first("graph"), _GRAPH, _REPEATED)
    nodes = tuple(_read_node(value) for value in graph.all("node"))
    weights = _by_name("weights", map(_read_tensor, graph.all("weight")))
    if len(nodes) > _MOST_NODES or len(weights) > _MOST_WEIGHTS:
        raise DetectorError(
            f"{len(nodes)} nodes and {len(weights)} weights; no detector has so many"
        )
    inputs = _by_name("inputs", map(_read_value, graph.all("input")))
    outputs = _by_name("outputs", map(_read_value, graph.all("output")))
    inputs = {name: shape for name, shape in inputs.items() if name not in weights}
    result = Graph(nodes, weights, inputs, outputs, opset, metadata)
    _check_order(result)
    return result


Named = TypeVar("Named")


def _by_name(kind: str, named: Iterable[tuple[str, Named]]) -> dict[str, Named]:
    """`named` as a dictionary; a name that comes twice is refused."""
    result: dict[str, Named] = {}
    for name, value in named:
        if name in result:
            raise DetectorError(f"two {kind} are called {name[:60]!r}")
        result[name] = value
    return result


def _check_order(graph: Graph) -> None:
    """Every tensor has one name, one origin, and is made before it is read."""
    known = {*graph.weights, *graph.inputs}
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise DetectorError(
            f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs; a detector has one each"
        )
    for node in graph.nodes:
        if not any(node.outputs):
            raise DetectorError(f"{node.kind[:60]!r} gives nothing")
        for name in node.inputs:
            if name and name not in known:
                raise DetectorError(
                    f"{node.kind[:60]!r} reads {name[:60]!r}, which nothing made before it"
                )
        for name in node.outputs:
            if name and name in known:
                raise DetectorError(f"two tensors are called {name[:60]!r}")
            known.add(name)
    if not set(graph.outputs) <= known:
        raise DetectorError("nothing makes its output")


def _read_entry(value: memoryview) -> tuple[str, str]:
    entry = Message("metadata", value, {1: "key", 2: "value"})
    return entry.text("key"), entry.text("value")


def _read_node(value: memoryview) -> Node:
    message = Message("a node", value, _NODE, "input output attribute")
    kind = message.text("kind")
    if message.text("domain") not in _OWN_DOMAINS:
        raise DetectorError(f"{kind[:60]!r} of the foreign domain {message.text('domain')[:60]!r}")
    attributes = _by_name("attributes", map(_read_attribute, message.all("attribute")))
    inputs, outputs = (tuple(message.texts(name)) for name in ("input", "output"))
    return Node(kind, inputs, outputs, attributes, message.text("name"))


def _read_attribute(value: memoryview) -> tuple[str, Attribute]:
    message = Message("an attribute", value, _ATTRIBUTE, "floats ints strings")
    name, kind = message.text("name"), message.integer("type")
    readers: dict[int, Callable[[], Attribute]] = {
        1: lambda: float(message.floats("f").item()) if message.has("f") else 0.0,
        2: lambda: message.integer("i"),
        3: lambda: message.text("s"),
        4: lambda: _read_tensor(message.first("t"))[1],
        6: lambda: tuple(float(number) for number in message.floats("floats")),
        7: lambda: tuple(message.integers("ints")),
        8: lambda: tuple(message.texts("strings")),
    }
    if kind not in readers:
        raise DetectorError(f"the attribute {name[:60]!r} is of a kind that no detector has")
    try:
        return name, readers[kind]()
    except ValueError as error:
        raise DetectorError(f"the attribute {name[:60]!r}: {error}") from None


def _read_tensor(value: memoryview) -> tuple[str, NDArray[Any]]:
    message = Message(
        "a weight", value, _TENSOR, "dims float_data int32_data int64_data double_data"
    )
    name, shape = message.text("name"), tuple(message.integers("dims"))
    if message.integer("location"):
        raise DetectorError(f"the weight {name[:60]!r} lies outside of the file")
    if message.integer("type") not in TYPES:
        raise DetectorError(f"the weight {name[:60]!r} is of a type that no detector has")
    kind = np.dtype(TYPES[message.integer("type")])
    empty = 0 in shape and len(shape) > 1
    if len(shape) > MOST_AXES or any(length < 0 for length in shape) or empty:
        raise DetectorError(f"the weight {name[:60]!r} has an impossible shape")
    stored = _stored(message, kind)
    count = math.prod(shape)
    if count != len(stored):
        raise DetectorError(
            f"the weight {name[:60]!r} holds {len(stored)} numbers, its shape wants {count}"
        )
    return name, stored.reshape(shape)


def _stored(message: Message, kind: np.dtype[Any]) -> NDArray[Any]:
    """A tensor's numbers, in whichever of ONNX's fields for them they stand."""
    if message.has("raw_data"):
        raw = message.first("raw_data")
        if len(raw) % kind.itemsize:
            raise WireError("a weight's numbers are cut off")
        stored = np.frombuffer(bytes(raw), dtype=kind)
        return stored.view("u1") != 0 if kind == np.dtype("?") else stored
    if kind == np.dtype("<f4"):
        return message.floats("float_data").astype(kind)
    if kind == np.dtype("<f8"):
        return message.floats("double_data", "<f8").astype(kind)
    numbers = message.integers("int64_data" if kind == np.dtype("<i8") else "int32_data")
    if kind == np.dtype("?"):
        return np.array([bool(number) for number in numbers], dtype=kind)
    limits = np.iinfo(kind)
    if any(not limits.min <= number <= limits.max for number in numbers):
        raise DetectorError("a weight's number is too large for its type")
    return np.array(numbers, dtype=kind)


def _read_value(value: memoryview) -> tuple[str, tuple[int | None, ...]]:
    message = Message("an input or output", value, {1: "name", 2: "type", 3: "doc_string"})
    tensor = Message("a type", message.first("type"), {1: "tensor", 6: "denotation"})
    shaped = Message("a tensor", tensor.first("tensor"), {1: "type", 2: "shape"})
    if shaped.integer("type") != _FLOAT:
        raise DetectorError(f"{message.text('name')[:60]!r} is no tensor of float32")
    sizes = Message("a shape", shaped.first("shape"), {1: "dim"}, "dim")
    shape: list[int | None] = []
    for value in sizes.all("dim"):
        dim = Message("a length", value, {1: "value", 2: "name", 3: "denotation"})
        shape.append(dim.integer("value") if dim.has("value") else None)
    return message.text("name"), tuple(shape)


def _node(node: Node) -> bytes:
    parts = [bytes_field(1, name) for name in node.inputs]
    parts += [bytes_field(2, name) for name in node.outputs]
    parts += [bytes_field(3, node.name), bytes_field(4, node.kind)]
    parts += [bytes_field(5, _attribute(name, value)) for name, value in node.attributes.items()]
    return b"".join(parts)


def _attribute(name: str, value: Attribute) -> bytes:
    kind, body = _written(value)
    return bytes_field(1, name) + body + integer_field(20, kind)


def _written(value: Attribute) -> tuple[int, bytes]:
    if isinstance(value, np.ndarray):
        return 4, bytes_field(5, _tensor("", value))
    if isinstance(value, str):
        return 3, bytes_field(4, value)
    if isinstance(value, float):
        return 1, float_field(2, value)
    if isinstance(value, int):
        return 2, integer_field(3, value)
    if value and isinstance(value[0], float):
        return 6, b"".join(map(partial(float_field, 7), value))
    if value and isinstance(value[0], str):
        return 8, b"".join(bytes_field(9, str(text)) for text in value)
    return 7, b"".join(integer_field(8, int(number)) for number in value)


def _tensor(name: str, numbers: NDArray[Any]) -> bytes:
    kind = numbers.dtype.newbyteorder("<")
    head = b"".join(integer_field(1, length) for length in numbers.shape)
    head += integer_field(2, _NUMBER_OF[kind]) + bytes_field(8, name)
    return head + bytes_field(9, np.ascontiguousarray(numbers, dtype=kind).tobytes())


def _value(name: str, shape: tuple[int | None, ...]) -> bytes:
    dims = [
        bytes_field(2, f"{name}_{axis}") if length is None else integer_field(1, length)
        for axis, length in enumerate(shape)
    ]
    sizes = b"".join(bytes_field(1, dim) for dim in dims)
    tensor = integer_field(1, _FLOAT) + bytes_field(2, sizes)
    return bytes_field(1, name) + bytes_field(2, bytes_field(1, tensor))


VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MOST = 1 << 16
"""Fields of one message, and numbers written as varints in one field: each takes much more memory here."""

Field = tuple[int, int, "int | memoryview"]
"""A field's number, its wire type, and its value: a number, or the bytes of the others."""


class WireError(ValueError):
    """Bytes that are no message. Its text says in what way."""


def message_fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order. Raises `WireError`."""
    at, end, count = 0, len(message), 0
    while at < end:
        tag, at = _read_varint(message, at)
        number, kind, count = tag >> 3, tag & 7, count + 1
        if count > _MOST:
            raise WireError(f"a message of more than {_MOST} fields")
        if number == 0:
            raise WireError("a field has no number")
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _read_varint(message, at)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise WireError(f"a field of kind {kind}")
        if length > end - at:
            raise WireError("a field is longer than what it stands in")
        yield number, kind, message[at : at + length]
        at += length


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(at, min(at + _LONGEST_VARINT, len(message))):
        byte = message[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), index + 1
        shift += 7
    raise WireError("a number does not end")


def _signed(value: int) -> int:
    """A number of 64 bits as one that may be below zero."""
    return value - 2**64 if value >= 2**63 else value


def _integers(kind: int, value: int | memoryview) -> list[int]:
    """Repeated whole numbers, packed or one by one. Raises `WireError`."""
    if isinstance(value, int):
        return [_signed(value)]
    if kind != BYTES:
        raise WireError("a whole number of another kind")
    result: list[int] = []
    at = 0
    while at < len(value):
        if len(result) == _MOST:
            raise WireError(f"more than {_MOST} whole numbers in a field that is slow to read")
        number, at = _read_varint(value, at)
        result.append(_signed(number))
    return result


def _floats(value: int | memoryview, kind: str = "<f4") -> NDArray[np.floating]:
    """Repeated float32 (or `kind` "<f8") numbers, packed or one by one. Raises `WireError`."""
    if isinstance(value, int) or len(value) % np.dtype(kind).itemsize:
        raise WireError("broken floating-point numbers")
    result: NDArray[np.floating] = np.frombuffer(value, dtype=kind)
    return result


class Message:
    """A message's fields by name; a field that has none is refused.

    `title`: what errors call it. `names`: of fields by number. `repeated`: names of those that may come more
    than once. Its methods raise `WireError` where a field is of another kind.
    """

    def __init__(
        self, title: str, message: memoryview, names: dict[int, str], repeated: str = ""
    ) -> None:
        self._title = title
        allowed = set(repeated.split())
        self._values: dict[str, list[tuple[int, int | memoryview]]] = {}
        for number, kind, value in message_fields(message):
            if number not in names:
                raise WireError(f"{title} has a field {number}, which no detector has")
            self._values.setdefault(names[number], []).append((kind, value))
        for name, values in self._values.items():
            if len(values) > 1 and name not in allowed:
                raise WireError(f"{title} has {len(values)} times {name}")

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in self._values

    def all(self, name: str) -> Iterator[memoryview]:
        """Messages and texts, which are stored with their lengths."""
        for kind, value in self._values.get(name, ()):
            if kind != BYTES or isinstance(value, int):
                raise WireError(f"{name} of {self._title} is a number")
            yield value

    def first(self, name: str) -> memoryview:
        """The first message of that name; empty where there is none."""
        return next(self.all(name), memoryview(b""))

    def text(self, name: str) -> str:
        """A text; "" where there is none."""
        return next(self.texts(name), "")

    def texts(self, name: str) -> Iterator[str]:
        """All texts of that name."""
        for value in self.all(name):
            try:
                yield bytes(value).decode()
            except UnicodeDecodeError:
                raise WireError(f"{name} of {self._title} is no text") from None

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number."""
        for _, value in self._values.get(name, ()):
            if not isinstance(value, int):
                raise WireError(f"{name} of {self._title} is no number")
            return _signed(value)
        return default

    def integers(self, name: str) -> list[int]:
        """Whole numbers, packed or not."""
        return [
            number
            for kind, value in self._values.get(name, ())
            for number in _integers(kind, value)
        ]

    def floats(self, name: str, kind: str = "<f4") -> NDArray[np.floating]:
        """Floating-point numbers, packed or not."""
        parts = [_floats(value, kind) for _, value in self._values.get(name, ())]
        return np.concatenate(parts) if parts else np.empty(0, dtype=kind)


def varint(number: int) -> bytes:
    """A number as it is written; one below zero takes ten bytes."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer_field(number: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(number << 3 | VARINT) + varint(value)


def bytes_field(number: int, value: str | bytes) -> bytes:
    """A field with bytes, or text as UTF-8, or a message that is written already."""
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def float_field(number: int, value: float) -> bytes:
    """A field with a float32."""
    return varint(number << 3 | FIXED32) + struct.pack("<f", value)
