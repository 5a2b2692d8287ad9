"""A detector's network is read strictly: what was understood comes back, all else is refused in a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from secateur.detectors.network import model as wire
from secateur.detectors.network.model import Graph, parse
from secateur.errors import DetectorError
from tests.support.written_networks import MODELS, model, windows_for


def run(content: bytes, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: windows})[0])


@pytest.mark.parametrize("name", MODELS)
def test_what_was_read_is_written_as_the_same_network(name: str) -> None:
    content = model(name)
    written = parse(content).to_bytes()
    onnx.checker.check_model(onnx.load_from_string(written), full_check=True)
    windows = windows_for(content, 3)
    assert np.array_equal(run(content, windows), run(written, windows))


@pytest.mark.parametrize("name", MODELS)
def test_what_was_written_is_read_as_the_same(name: str) -> None:
    once = parse(model(name)).to_bytes()
    assert parse(once).to_bytes() == once


def relu() -> onnx.ModelProto:
    """The smallest network that is one: what the tests below spoil."""
    windows = helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["n", 2])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    add = helper.make_node("Add", ["windows", "shift"], ["moved"], name="add")
    out = helper.make_node("Relu", ["moved"], ["logits"], name="relu")
    shift = numpy_helper.from_array(np.array([1, 2], np.float32), "shift")
    graph = helper.make_graph([add, out], "g", [windows], [logits], [shift])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


RELU = relu().SerializeToString()


def refused(content: bytes) -> str:
    """The line in which `content` is refused."""
    with pytest.raises(DetectorError) as caught:
        parse(content)
    reason = str(caught.value)
    assert reason.isprintable()
    assert len(reason) < 400
    return reason


def test_the_smallest_is_read() -> None:
    graph = parse(RELU)
    assert [node.kind for node in graph.nodes] == ["Add", "Relu"]
    assert graph.weights["shift"].tolist() == [1, 2]
    assert (graph.inputs, graph.outputs) == ({"windows": (None, 2)}, {"logits": (None, 2)})


Spoiling = Callable[[onnx.ModelProto], object]


def with_function(m: onnx.ModelProto) -> None:
    body = [helper.make_node("Relu", ["a"], ["b"])]
    imports = [helper.make_opsetid("", 17)]
    m.functions.append(helper.make_function("", "Relu", ["a"], ["b"], body, imports))


def with_subgraph(m: onnx.ModelProto) -> None:
    m.graph.node[1].attribute.append(helper.make_attribute("body", m.graph.__deepcopy__()))


def outside(m: onnx.ModelProto) -> None:
    weight = m.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../etc/passwd")


def outside_unmarked(m: onnx.ModelProto) -> None:
    m.graph.initializer[0].external_data.add(key="location", value="../../etc/passwd")


def outside_in_attribute(m: onnx.ModelProto) -> None:
    held = TensorProto(data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    held.external_data.add(key="location", value="/dev/zero")
    m.graph.node[0].attribute.append(helper.make_attribute("value", held))


def sparse(m: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    m.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [9]))


def many_nodes(m: onnx.ModelProto) -> None:
    for k in range(5000):
        m.graph.node.append(helper.make_node("Relu", ["moved"], [f"x{k}"]))


SPOILT: dict[str, tuple[Spoiling, str]] = {
    "function": (with_function, "the model has a field 25"),
    "graph in a graph": (with_subgraph, "an attribute has a field 6"),
    "training": (lambda m: m.training_info.add(), "the model has a field 20"),
    "foreign domain": (
        lambda m: m.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
        "foreign domain 'com.microsoft'",
    ),
    "foreign operator": (
        lambda m: m.graph.node.append(
            helper.make_node("FusedConv", ["moved"], ["x"], domain="com.microsoft")
        ),
        "'FusedConv' of the foreign domain 'com.microsoft'",
    ),
    "overload": (lambda m: setattr(m.graph.node[0], "overload", "x"), "a node has a field 8"),
    "weights outside": (outside, "a weight has a field 13"),
    "weights outside, unmarked": (outside_unmarked, "a weight has a field 13"),
    "weights outside, in an attribute": (outside_in_attribute, "a weight has a field 13"),
    "weights outside, place not told": (
        lambda m: setattr(m.graph.initializer[0], "data_location", 1),
        "'shift' lies outside of the file",
    ),
    "sparse weights": (sparse, "the graph has a field 15"),
    "texts as weights": (
        lambda m: m.graph.initializer.append(
            TensorProto(name="s", data_type=8, dims=[1], string_data=[b"x"])
        ),
        "a weight has a field 6",
    ),
    "complex weights": (
        lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.COMPLEX64),
        "'shift' is of a type that no detector has",
    ),
    "too few numbers": (
        lambda m: setattr(m.graph.initializer[0], "raw_data", bytes(4)),
        "'shift' holds 1 numbers, its shape wants 2",
    ),
    "cut off numbers": (
        lambda m: setattr(m.graph.initializer[0], "raw_data", bytes(7)),
        "numbers are cut off",
    ),
    "length below zero": (lambda m: m.graph.initializer[0].dims.extend([-1, -1]), "impossible"),
    "lengths beyond 64 bits": (
        lambda m: m.graph.initializer[0].dims.extend([1 << 62, 1 << 62]),
        "its shape wants",
    ),
    "empty and huge": (
        lambda m: m.graph.initializer.append(TensorProto(dims=[1 << 62, 0, 1 << 62], data_type=1)),
        "impossible shape",
    ),
    "many axes": (lambda m: m.graph.initializer[0].dims.extend([1] * 9), "impossible shape"),
    "two weights of one name": (
        lambda m: m.graph.initializer.append(m.graph.initializer[0]),
        "two weights are called 'shift'",
    ),
    "two tensors of one name": (
        lambda m: m.graph.node[1].output.append("moved"),
        "two tensors are called 'moved'",
    ),
    "two inputs": (
        lambda m: m.graph.input.append(helper.make_tensor_value_info("b", 1, ["n", 2])),
        "2 inputs and 1 outputs",
    ),
    "two outputs of one name": (
        lambda m: m.graph.output.append(m.graph.output[0]),
        "two outputs are called 'logits'",
    ),
    "two attributes of one name": (
        lambda m: m.graph.node[0].attribute.extend([helper.make_attribute("axis", 1)] * 2),
        "two attributes are called 'axis'",
    ),
    "two entries of one name": (
        lambda m: [m.metadata_props.add(key="secateur", value="1") for _ in range(2)],
        "two entries of its metadata are called 'secateur'",
    ),
    "a circle": (
        lambda m: m.graph.node[0].input.__setitem__(1, "logits"),
        "'Add' reads 'logits', which nothing made before it",
    ),
    "nodes out of order": (lambda m: m.graph.node.reverse(), "reads 'moved', which nothing made"),
    "a node for nothing": (
        lambda m: m.graph.node.append(helper.make_node("Relu", [], [])),
        "gives",
    ),
    "no output": (lambda m: m.graph.node.pop(), "nothing makes its output"),
    "an output of text": (
        lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", 8),
        "'logits' is no tensor of float32",
    ),
    "an output that is a list": (
        lambda m: m.graph.output[0].type.sequence_type.elem_type.SetInParent(),
        "a type has",
    ),
    "an old operator set": (lambda m: setattr(m.opset_import[0], "version", 8), "operator set 8"),
    "a new operator set": (lambda m: setattr(m.opset_import[0], "version", 99), "operator set 99"),
    "no graph": (lambda m: m.ClearField("graph"), "it holds no graph"),
    "thousands of nodes": (many_nodes, "5002 nodes"),
}


@pytest.mark.parametrize("way", SPOILT)
def test_what_no_detector_has_is_refused_by_name(way: str) -> None:
    spoil, reason = SPOILT[way]
    spoilt = relu()
    spoil(spoilt)
    assert reason in refused(spoilt.SerializeToString())


def test_two_graphs_are_refused_where_protocol_buffers_would_merge_them() -> None:
    assert len(onnx.load_from_string(RELU + RELU).graph.node) == 4
    assert "the model has 2 times" in refused(RELU + RELU)


def test_every_beginning_of_a_file_is_refused_or_lacks_nothing() -> None:
    for length in range(len(RELU)):
        try:
            graph = parse(RELU[:length])
        except DetectorError as error:
            assert str(error).isprintable()
        else:
            assert graph.to_bytes() == parse(RELU).to_bytes()


@given(content=st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(content: bytes) -> None:
    for stored in (content, RELU + content, RELU[:50] + content):
        try:
            parse(stored)
        except DetectorError as error:
            assert "\n" not in str(error)


@given(at=st.integers(0, len(RELU) - 1), byte=st.integers(0, 255))
def test_a_file_with_another_byte_is_read_or_refused(at: int, byte: int) -> None:
    spoilt = RELU[:at] + bytes([byte]) + RELU[at + 1 :]
    try:
        graph = parse(spoilt)
    except DetectorError as error:
        assert str(error).isprintable()
    else:
        assert parse(graph.to_bytes()).to_bytes() == graph.to_bytes()


FOREIGN: dict[str, bytes] = {
    "zip": b"PK\x03\x04" + bytes(60),
    "pickle": b"\x80\x04\x95\x10" + bytes(60),
    "nothing": b"",
    "a length of 2 GiB": b"\x3a\x80\x80\x80\x80\x08",
    "a length of 2^63": b"\x3a" + b"\xff" * 8 + b"\x7f",
    "a number without end": b"\x08" + b"\xff" * 40,
    "a group": b"\x3b\x3c",
    "a field without a number": b"\x00\x00",
    "a graph that is a number": wire.integer_field(7, 1),
    "a graph of four bytes": wire.float_field(7, 1.0),
    "messages in messages": b"\x3a\x7e" * 64 + bytes(2),
    "a text that is none": wire.bytes_field(14, wire.bytes_field(1, b"\xff\xfe")),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_model_is_refused(what: str) -> None:
    assert "can't be trusted" in refused(FOREIGN[what])


def test_many_small_things_do_not_fill_the_memory() -> None:
    assert "more than 65536 fields" in refused(wire.bytes_field(7, b"") * 70_000)
    numbers = (
        wire.integer_field(2, 7) + wire.bytes_field(8, "w") + wire.bytes_field(7, bytes(70_000))
    )
    opset = wire.bytes_field(8, wire.integer_field(2, 17))
    spoilt = wire.bytes_field(7, wire.bytes_field(5, numbers)) + opset
    assert "more than 65536 whole numbers" in refused(spoilt)


def test_names_that_steer_a_terminal_are_shown_as_signs() -> None:
    spoilt = relu()
    spoilt.graph.node[1].op_type = "\x1b[2J\x1b]0;owned\x07"
    spoilt.graph.node[1].input[0] = "\x1b[31mred\r\n" * 100
    reason = refused(spoilt.SerializeToString())
    assert r"'\x1b[2J" in reason


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (TensorProto.FLOAT, {"float_data": [1.5, -2]}),
        (TensorProto.DOUBLE, {"double_data": [1.5, -2]}),
        (TensorProto.INT64, {"int64_data": [1, -2]}),
        (TensorProto.INT32, {"int32_data": [1, -2]}),
        (TensorProto.INT8, {"int32_data": [1, -2]}),
        (TensorProto.UINT8, {"int32_data": [1, 255]}),
        (TensorProto.BOOL, {"int32_data": [1, 0]}),
        (TensorProto.BOOL, {"raw_data": b"\x02\x00"}),
    ],
)
def test_numbers_are_read_wherever_they_stand(kind: int, fields: dict[str, Any]) -> None:
    tensor = TensorProto(name="w", data_type=kind, dims=[2], **fields)
    spoilt = relu()
    spoilt.graph.initializer.append(tensor)
    weight = parse(spoilt.SerializeToString()).weights["w"]
    if "raw_data" in fields:
        assert weight.view("u1").tolist() == [1, 0]
    else:
        assert np.array_equal(weight, numpy_helper.to_array(tensor))


def test_a_number_too_large_for_its_type_is_refused() -> None:
    spoilt = relu()
    spoilt.graph.initializer.append(
        TensorProto(name="w", data_type=TensorProto.INT8, dims=[1], int32_data=[200])
    )
    assert "too large for its type" in refused(spoilt.SerializeToString())


def test_nothing_but_the_graph_is_written() -> None:
    noted = relu()
    noted.producer_name = noted.doc_string = noted.graph.doc_string = "someone"
    noted.metadata_props.add(key="k", value="someone")
    graph = parse(noted.SerializeToString())
    assert graph.metadata == {"k": "someone"}
    assert isinstance(graph, Graph)
    assert b"someone" not in graph.to_bytes()
