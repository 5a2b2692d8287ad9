"""The network in a detector's file, read strictly, without any ONNX library.

Comes in: bytes from anybody. Goes out: a `Graph` of nodes and weights, or a `DetectorError` that names what
is not allowed; and bytes again. Next: `shapes` says how large its tensors get, `reach` and `passes` run it
over whole recordings, `exporting` writes it in other forms.

What ONNX Runtime opens is what `Graph.to_bytes` writes, never the bytes that came: so nothing reaches it that
was not understood here. Refused: operators that aren't on the list of `shapes`, operators of other domains,
functions, graphs inside of graphs, weights outside of the file, and fields that no detector has.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.running import wire
from secateur.detectors.running.wire import Message, WireError
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

    def whole(self, name: str, default: int) -> int:
        """An attribute that is one whole number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise DetectorError(f"{self.kind} {self.name[:60]!r}: its {name} is no whole number")
        return value

    def wholes(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute that is a row of whole numbers, as many as `default` has."""
        value = self.attributes.get(name, default)
        if not (
            isinstance(value, tuple)
            and len(value) == len(default)
            and all(isinstance(one, int) for one in value)
        ):
            raise DetectorError(
                f"{self.kind} {self.name[:60]!r}: its {name} is not {len(default)} numbers"
            )
        return tuple(int(one) for one in value)


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run, weights by name, and the shapes of input and output.

    A length of None in `inputs` and `outputs` is told at run time.
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, NDArray[Any]]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    opset: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """An ONNX model of this and nothing more; without metadata."""
        body = b"".join(wire.text(1, _node(node)) for node in self.nodes)
        body += wire.text(2, "detector")
        body += b"".join(wire.text(5, _tensor(name, one)) for name, one in self.weights.items())
        for number, told in ((11, self.inputs), (12, self.outputs)):
            body += b"".join(wire.text(number, _value(name, shape)) for name, shape in told.items())
        opset = wire.text(8, wire.whole(2, self.opset))
        return wire.whole(1, _IR_VERSION) + wire.text(7, body) + opset


def parse(content: bytes, path: Path | str = "detector") -> Graph:
    """The network in an ONNX model. Raises `DetectorError` naming what is broken or not allowed."""
    try:
        return _model(memoryview(content))
    except (WireError, DetectorError) as error:
        raise DetectorError(f"{path}: its network can't be trusted: {error}") from None


_MODEL = {1: "ir_version", 2: "producer", 3: "producer_version", 5: "model_version", 6: "doc_string",
          7: "graph", 8: "opset", 14: "metadata"}  # fmt: skip
_GRAPH = {
    1: "node",
    2: "name",
    5: "weight",
    10: "doc_string",
    11: "input",
    12: "output",
    13: "told",
}
_NODE = {
    1: "input",
    2: "output",
    3: "name",
    4: "kind",
    5: "attribute",
    6: "doc_string",
    7: "domain",
}
_ATTRIBUTE = {
    1: "name",
    2: "f",
    3: "i",
    4: "s",
    5: "t",
    7: "floats",
    8: "ints",
    9: "strings",
    20: "type",
}
_TENSOR = {1: "dims", 2: "type", 4: "float_data", 5: "int32_data", 7: "int64_data", 8: "name",
           9: "raw_data", 10: "double_data", 12: "doc_string", 14: "location"}  # fmt: skip


def _model(message: memoryview) -> Graph:
    model = Message("the model", message, _MODEL, "opset metadata")
    if not model.has("graph"):
        raise WireError("it holds no graph")
    opset = 0
    for value in model.all("opset"):
        told = Message("an operator set", value, {1: "domain", 2: "version"})
        if told.text("domain") not in _OWN_DOMAINS:
            raise DetectorError(f"operators of the foreign domain {told.text('domain')[:60]!r}")
        opset = max(opset, told.whole("version"))
    if not _OLDEST_OPSET <= opset <= _NEWEST_OPSET:
        raise DetectorError(
            f"operator set {opset}; {_OLDEST_OPSET} to {_NEWEST_OPSET} are understood"
        )
    entries = (Message("metadata", one, {1: "key", 2: "value"}) for one in model.all("metadata"))
    metadata = _only(
        "entries of its metadata", ((one.text("key"), one.text("value")) for one in entries)
    )
    graph = Message("the graph", next(model.all("graph")), _GRAPH, "node weight input output told")
    nodes = tuple(_read_node(value) for value in graph.all("node"))
    weights = _only("weights", map(_read_tensor, graph.all("weight")))
    if len(nodes) > _MOST_NODES or len(weights) > _MOST_WEIGHTS:
        raise DetectorError(
            f"{len(nodes)} nodes and {len(weights)} weights; no detector has so many"
        )
    inputs = _only("inputs", map(_read_value, graph.all("input")))
    outputs = _only("outputs", map(_read_value, graph.all("output")))
    made = Graph(
        nodes,
        weights,
        {name: shape for name, shape in inputs.items() if name not in weights},
        outputs,
        opset,
        metadata,
    )
    _check_order(made)
    return made


Named = TypeVar("Named")


def _only(what: str, named: Iterable[tuple[str, Named]]) -> dict[str, Named]:
    """What is told by name, each once."""
    found: dict[str, Named] = {}
    for name, one in named:
        if name in found:
            raise DetectorError(f"two {what} are called {name[:60]!r}")
        found[name] = one
    return found


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


def _read_node(value: memoryview) -> Node:
    told = Message("a node", value, _NODE, "input output attribute")
    kind = told.text("kind")
    if told.text("domain") not in _OWN_DOMAINS:
        raise DetectorError(f"{kind[:60]!r} of the foreign domain {told.text('domain')[:60]!r}")
    attributes = _only("attributes", map(_read_attribute, told.all("attribute")))
    return Node(
        kind, tuple(told.texts("input")), tuple(told.texts("output")), attributes, told.text("name")
    )


def _read_attribute(value: memoryview) -> tuple[str, Attribute]:
    told = Message("an attribute", value, _ATTRIBUTE, "floats ints strings")
    name, kind = told.text("name"), told.whole("type")
    readers: dict[int, Callable[[], Attribute]] = {
        1: lambda: float(told.floats("f").item()) if told.has("f") else 0.0,
        2: lambda: told.whole("i"),
        3: lambda: told.text("s"),
        4: lambda: _read_tensor(next(told.all("t"), memoryview(b"")))[1],
        6: lambda: tuple(float(one) for one in told.floats("floats")),
        7: lambda: tuple(told.wholes("ints")),
        8: lambda: tuple(told.texts("strings")),
    }
    if kind not in readers:
        raise DetectorError(f"the attribute {name[:60]!r} is of a kind that no detector has")
    try:
        return name, readers[kind]()
    except ValueError as error:
        raise DetectorError(f"the attribute {name[:60]!r}: {error}") from None


def _read_tensor(value: memoryview) -> tuple[str, NDArray[Any]]:
    told = Message("a weight", value, _TENSOR, "dims float_data int32_data int64_data double_data")
    name, shape = told.text("name"), tuple(told.wholes("dims"))
    if told.whole("location"):
        raise DetectorError(f"the weight {name[:60]!r} lies outside of the file")
    if told.whole("type") not in TYPES:
        raise DetectorError(f"the weight {name[:60]!r} is of a type that no detector has")
    kind = np.dtype(TYPES[told.whole("type")])
    empty = 0 in shape and len(shape) > 1
    if len(shape) > MOST_AXES or any(length < 0 for length in shape) or empty:
        raise DetectorError(f"the weight {name[:60]!r} has an impossible shape")
    stored = _stored(told, kind)
    count = 1
    for length in shape:
        count *= length
    if count != len(stored):
        raise DetectorError(
            f"the weight {name[:60]!r} holds {len(stored)} numbers, its shape wants {count}"
        )
    return name, stored.reshape(shape)


def _stored(told: Message, kind: np.dtype[Any]) -> NDArray[Any]:
    """A tensor's numbers, wherever of the places that ONNX has for them they stand."""
    if told.has("raw_data"):
        raw = next(told.all("raw_data"))
        if len(raw) % kind.itemsize:
            raise WireError("a weight's numbers are cut off")
        numbers = np.frombuffer(bytes(raw), dtype=kind)
        return numbers.view("u1") != 0 if kind == np.dtype("?") else numbers
    if kind == np.dtype("<f4"):
        return told.floats("float_data").astype(kind)
    if kind == np.dtype("<f8"):
        return told.floats("double_data", "<f8").astype(kind)
    told_one_by_one = told.wholes("int64_data" if kind == np.dtype("<i8") else "int32_data")
    if kind == np.dtype("?"):
        return np.array([bool(one) for one in told_one_by_one], dtype=kind)
    limits = np.iinfo(kind)
    if any(not limits.min <= one <= limits.max for one in told_one_by_one):
        raise DetectorError("a weight's number is too large for its type")
    return np.array(told_one_by_one, dtype=kind)


def _read_value(value: memoryview) -> tuple[str, tuple[int | None, ...]]:
    told = Message("an input or output", value, {1: "name", 2: "type", 3: "doc_string"})
    tensor = Message(
        "a type", next(told.all("type"), memoryview(b"")), {1: "tensor", 6: "denotation"}
    )
    shaped = Message(
        "a tensor", next(tensor.all("tensor"), memoryview(b"")), {1: "type", 2: "shape"}
    )
    if shaped.whole("type") != _FLOAT:
        raise DetectorError(f"{told.text('name')[:60]!r} is no tensor of float32")
    sizes = Message("a shape", next(shaped.all("shape"), memoryview(b"")), {1: "dim"}, "dim")
    shape: list[int | None] = []
    for one in sizes.all("dim"):
        dim = Message("a length", one, {1: "value", 2: "name", 3: "denotation"})
        shape.append(dim.whole("value") if dim.has("value") else None)
    return told.text("name"), tuple(shape)


def _node(node: Node) -> bytes:
    parts = [wire.text(1, name) for name in node.inputs]
    parts += [wire.text(2, name) for name in node.outputs]
    parts += [wire.text(3, node.name), wire.text(4, node.kind)]
    parts += [wire.text(5, _attribute(name, value)) for name, value in node.attributes.items()]
    return b"".join(parts)


def _attribute(name: str, value: Attribute) -> bytes:
    kind, body = _written(value)
    return wire.text(1, name) + body + wire.whole(20, kind)


def _written(value: Attribute) -> tuple[int, bytes]:
    if isinstance(value, np.ndarray):
        return 4, wire.text(5, _tensor("", value))
    if isinstance(value, str):
        return 3, wire.text(4, value)
    if isinstance(value, float):
        return 1, wire.single(2, value)
    if isinstance(value, int):
        return 2, wire.whole(3, value)
    if value and isinstance(value[0], float):
        return 6, b"".join(map(partial(wire.single, 7), value))
    if value and isinstance(value[0], str):
        return 8, b"".join(wire.text(9, str(one)) for one in value)
    return 7, b"".join(wire.whole(8, int(one)) for one in value)


def _tensor(name: str, numbers: NDArray[Any]) -> bytes:
    kind = numbers.dtype.newbyteorder("<")
    head = b"".join(wire.whole(1, length) for length in numbers.shape)
    head += wire.whole(2, _NUMBER_OF[kind]) + wire.text(8, name)
    return head + wire.text(9, np.ascontiguousarray(numbers, dtype=kind).tobytes())


def _value(name: str, shape: tuple[int | None, ...]) -> bytes:
    dims = [
        wire.text(2, f"{name}_{axis}") if length is None else wire.whole(1, length)
        for axis, length in enumerate(shape)
    ]
    sizes = b"".join(wire.text(1, dim) for dim in dims)
    tensor = wire.whole(1, _FLOAT) + wire.text(2, sizes)
    return wire.text(1, name) + wire.text(2, wire.text(1, tensor))
