"""How large every tensor gets is known before anything runs; what is too much is refused in a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import shape_inference

from secateur.detectors.network.costs import affordable
from secateur.detectors.network.model import Graph, Node, parse
from secateur.detectors.network.shapes import sizes_of
from secateur.errors import DetectorError
from tests.support.written_networks import MODELS, model, windows_for

FLOAT32 = onnx.TensorProto.FLOAT


def every_tensor(graph: Graph, windows: NDArray[np.float32]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that ONNX Runtime makes."""
    inferred = shape_inference.infer_shapes(onnx.load_from_string(graph.to_bytes()))
    known = {output.name for output in inferred.graph.output}
    names = [name for node in graph.nodes for name in node.outputs if name and name not in known]
    inferred.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(inferred.SerializeToString(), options)
    tensors = session.run(names, {"windows": windows})
    return {name: tensor.shape for name, tensor in zip(names, tensors, strict=True)}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, 5])
def test_every_tensor_has_the_shape_that_was_foretold(name: str, count: int) -> None:
    graph = parse(model(name))
    expected = sizes_of(graph, count).shapes
    for tensor, shape in every_tensor(graph, windows_for(model(name), count)).items():
        assert expected[tensor] == shape, tensor


@pytest.mark.parametrize("name", MODELS)
def test_every_network_of_ours_can_be_afforded(name: str) -> None:
    sizes = affordable(parse(model(name)))
    assert sizes.largest <= sizes.together < 1 << 20


def network(*nodes: Node, **weights: Any) -> Graph:
    """A network from windows of 3 channels × 64 samples to whatever the last node gives."""
    stored = {name: np.asarray(weight) for name, weight in weights.items()}
    return Graph(
        (*nodes, Node("Identity", (nodes[-1].outputs[0],), ("logits",), {}, "last")),
        stored,
        {"windows": (None, 3, 64)},
        {"logits": (None, 2)},
        17,
    )


def node(kind: str, *inputs: str, **attributes: Any) -> Node:
    return Node(kind, inputs, ("x",), attributes, "n")


def integers(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)


KERNEL = np.zeros((4, 3, 5), np.float32)
TOO_MUCH: dict[str, tuple[Graph, str]] = {
    "an operator not on the list": (network(node("Loop", "windows")), "'Loop' is not on the list"),
    "an operator with a name for terminals": (
        network(node("\x1b[2J", "windows")),
        r"'\x1b[2J' is not on the list",
    ),
    "huge padding": (
        network(node("Conv", "windows", "w", pads=(1 << 40, 0)), w=KERNEL),
        "a setting of (1099511627776, 0)",
    ),
    "padding below zero": (network(node("Conv", "windows", "w", pads=(-9, 0)), w=KERNEL), "-9"),
    "huge stride": (network(node("Conv", "windows", "w", strides=(1 << 31,)), w=KERNEL), "setting"),
    "stride of nothing": (
        network(node("MaxPool", "windows", kernel_shape=(2,), strides=(0,))),
        "(0,)",
    ),
    "huge dilation": (
        network(node("Conv", "windows", "w", dilations=(1 << 31,)), w=KERNEL),
        "a setting of",
    ),
    "a kernel longer than the window": (
        network(node("Conv", "windows", "w"), w=np.zeros((4, 3, 80), np.float32)),
        "'x' would have the shape (1, 4, -15)",
    ),
    "another number of channels": (
        network(node("Conv", "windows", "w"), w=np.zeros((4, 2, 5), np.float32)),
        "Conv 'n' does not fit",
    ),
    "groups below one": (network(node("Conv", "windows", "w", group=-3), w=KERNEL), "Conv 'n'"),
    "an attribute of another kind": (
        network(node("Conv", "windows", "w", group="1"), w=KERNEL),
        "its group is no whole number",
    ),
    "padding that names no numbers": (
        network(node("Conv", "windows", "w", auto_pad="SAME_UPPER"), w=KERNEL),
        "auto_pad",
    ),
    "Expand": (
        network(node("Expand", "windows", "to"), to=integers(1 << 20, 3, 64)),
        "'x' would have the shape (1048576, 3, 64)",
    ),
    "Pad": (
        network(node("Pad", "windows", "by"), by=integers(0, 0, 0, 0, 0, 1 << 40)),
        "a setting",
    ),
    "ConstantOfShape": (
        network(node("ConstantOfShape", "to"), to=integers(1 << 30, 1 << 30)),
        "would have the shape",
    ),
    "ConstantOfShape below zero": (
        network(node("ConstantOfShape", "to"), to=integers(-1)),
        "ConstantOfShape 'n'",
    ),
    "lengths beyond 64 bits": (
        network(node("Expand", "windows", "to"), to=integers(*[1 << 40] * 4, 1, 1)),
        "Expand 'n' does not fit",
    ),
    "very many axes": (
        network(node("Unsqueeze", "windows", "to"), to=integers(*range(1, 3000))),
        "Unsqueeze 'n' does not fit",
    ),
    "whole numbers by zero": (
        network(
            Node("Cast", ("windows",), ("i",), {"to": 7}),
            node("Div", "i", "zero"),
            zero=integers(0),
        ),
        "Div 'n' does not fit",
    ),
    "whole numbers by what is not known": (
        network(Node("Cast", ("windows",), ("i",), {"to": 6}), node("Div", "i", "i")),
        "Div 'n' does not fit",
    ),
    "numbers to texts": (network(node("Cast", "windows", to=8)), "Cast 'n' does not fit"),
    "a choice outside": (network(node("Gather", "windows", "at"), at=integers(7)), "Gather 'n'"),
    "a choice by the signal": (network(node("Gather", "windows", "windows")), "Gather 'n'"),
    "more states than weights": (
        network(
            node("GRU", "windows", "w", "r", hidden_size=1 << 20),
            w=np.zeros((1, 12, 64), np.float32),
            r=np.zeros((1, 12, 4), np.float32),
        ),
        "GRU 'n' does not fit",
    ),
    "another output": (network(node("Relu", "windows")), "its output has the shape (1, 3, 64)"),
    "steps of nothing": (
        network(node("Slice", "windows", "a", "b", "a", "a"), a=integers(0), b=integers(9)),
        "Slice 'n' does not fit",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_does_not_fit_or_gets_too_large_is_refused_by_name(what: str) -> None:
    graph, reason = TOO_MUCH[what]
    with pytest.raises(DetectorError) as caught:
        sizes_of(graph)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_doubling_again_and_again_ends_early() -> None:
    nodes = [Node("Concat", ("seed", "seed"), ("x0",), {"axis": 0})]
    nodes += [Node("Concat", (f"x{k}",) * 2, (f"x{k + 1}",), {"axis": 0}) for k in range(4000)]
    graph = network(*nodes, seed=np.zeros(1000, np.float32))
    with pytest.raises(DetectorError, match=r"would have the shape \(32768000,\)"):
        sizes_of(graph)


def doubled(count: int) -> list[Node]:
    return [Node("Relu", (f"x{k}",), (f"x{k + 1}",)) for k in range(count)]


def refused(graph: Graph) -> str:
    with pytest.raises(DetectorError) as caught:
        affordable(graph)
    return str(caught.value)


def ending(*nodes: Node, **weights: Any) -> Graph:
    """`nodes`, which don't matter, beside a network that gives logits."""
    stored = {"last": np.zeros((2, 3, 64), np.float32), **weights}
    conv = Node("Conv", ("windows", "last"), ("c",))
    flat = Node("Flatten", ("c",), ("logits",))
    return Graph(
        (*nodes, conv, flat), stored, {"windows": (None, 3, 64)}, {"logits": (None, 2)}, 17
    )


def test_many_large_tensors_are_too_many() -> None:
    grow = Node("ConstantOfShape", ("to",), ("x0",), {"value": np.zeros(1, np.float32)})
    assert "numbers together" in refused(ending(grow, *doubled(20), to=integers(1 << 23)))


def test_a_network_that_takes_minutes_a_window_is_refused() -> None:
    first = Node("ConstantOfShape", ("to",), ("x0",))
    nodes = [
        Node("MaxPool", (f"x{k}",), (f"x{k + 1}",), {"kernel_shape": (4095,), "pads": (2047,) * 2})
        for k in range(60)
    ]
    graph = ending(first, *nodes, to=integers(1, 16, 1 << 16))
    assert "multiplications" in refused(graph)


def test_a_convolution_that_lays_out_gigabytes_is_refused() -> None:
    kernel = np.zeros((1, 1, 1 << 14), np.float32)
    first = Node("ConstantOfShape", ("to",), ("x",))
    graph = ending(
        first, Node("Conv", ("x", "w"), ("y",), {}, "n"), w=kernel, to=integers(1, 1, 1 << 17)
    )
    assert "Conv 'n' reads" in refused(graph)


def test_windows_do_not_meet() -> None:
    """Or memory would grow with the square of a batch, and answers hang on the neighbours."""
    to_rows = Node("Reshape", ("windows", "rows"), ("a",))
    turned = Node("Transpose", ("a",), ("b",), {"perm": (1, 0)})
    squared = Node("MatMul", ("a", "b"), ("d",))
    reason = refused(ending(to_rows, turned, squared, rows=integers(-1, 192)))
    assert "'d' does not keep windows apart" in reason


def test_an_answer_that_forgets_the_windows_is_refused() -> None:
    graph = ending(Node("ReduceMean", ("windows",), ("x",), {"axes": (0,), "keepdims": 1}))
    assert affordable(graph)  # it reaches nothing
    constant = Graph((), {"logits": np.zeros((1, 2), np.float32)}, graph.inputs, graph.outputs, 17)
    with pytest.raises(DetectorError, match="its output has the shape"):
        affordable(constant)
