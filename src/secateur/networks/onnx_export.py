"""A network as the bytes of an ONNX model: input `windows` (n × channels × samples, float32), output `logits`
(n × 2).

It is written node by node from the torch.fx graph, and not by torch's exporters: that takes milliseconds,
gives the same bytes for the same weights, and holds nothing of the machine that wrote it. A network with an
operation that isn't known goes to torch's exporter, and that is said.
"""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import fx

from secateur.detectors.network.shapes import refusal
from secateur.errors import SettingsError
from secateur.networks.network import Network
from secateur.networks.onnx_graph import (
    INPUT,
    IR_VERSION,
    OPSET,
    OUTPUT,
    OnnxGraph,
    UnknownOperationError,
)
from secateur.networks.onnx_operations import as_layer
from secateur.networks.operations import written_operation
from secateur.networks.tracing import kind_of, trace, values_of

_PARITY = 1e-4
"""Largest difference to torch that is let pass, relative to the largest logit above 1."""


def to_onnx(network: Network) -> bytes:
    """The network in evaluation mode as ONNX; equal networks give equal bytes.

    A network of the user's own is run in ONNX Runtime and must give what torch gives. Raises
    `SettingsError` naming the operation that can't be written, or where the two differ.
    """
    evaluated = copy.deepcopy(network).eval()
    try:
        content = _written(evaluated)
    except UnknownOperationError as unknown:
        content = _exported(evaluated, str(unknown))
        warnings.warn(
            f"{network.settings.name}: {unknown} isn't known to Secateur; the ONNX file was written by "
            f"torch {torch.__version__}",
            stacklevel=2,
        )
    if network.settings.own:
        _require_parity(evaluated, content)
    return content


def _written(network: Network) -> bytes:
    traced = trace(network)
    dtype = next(network.parameters()).dtype
    few, more = (
        values_of(traced, torch.zeros(n, network.channels, network.samples, dtype=dtype))
        for n in (2, 3)
    )

    def role(node: fx.Node) -> str:
        operation = written_operation(node, traced)
        return "" if operation is None else operation.relu

    graph = OnnxGraph(traced, few, more, role)
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            graph.begin(node)
        elif node.op == "output":
            _finish(graph, node)
        elif graph.depends(node) and isinstance(graph.value(node), torch.Tensor):
            graph.require_windows_first(node)
            if node not in graph.names:
                graph.names[node] = _write(graph, node)
    shape_in: list[str | int | None] = ["n", network.channels, network.samples]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "secateur",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape_in)],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", network.classes])],
            graph.weights,
        ),
        producer_name="secateur",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _write(graph: OnnxGraph, node: fx.Node) -> str:
    """Put one operation into the graph; returns the name of the tensor that it gives."""
    operation = written_operation(node, graph.traced)
    if operation is None or operation.write is None:
        raise UnknownOperationError(kind_of(node, graph.traced))
    if operation.effect == "pooling" and node.op != "call_module":
        graph.take_as(node, as_layer(node, operation.layers[0]))
    return operation.write(graph, node)


def _finish(graph: OnnxGraph, node: fx.Node) -> None:
    """Give the last tensor the output's name."""
    last = graph.name(node.args[0])
    if graph.nodes and graph.nodes[-1].output[0] == last:
        graph.nodes[-1].output[0] = graph.nodes[-1].name = OUTPUT
    else:
        graph.add("Identity", OUTPUT, last)


def _require_parity(network: Network, content: bytes) -> None:
    """Raise `SettingsError` where ONNX Runtime's logits aren't torch's."""
    shape = 5, network.channels, network.samples
    windows = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    got = session.run(None, {INPUT: windows})[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(windows)).numpy()
    difference = float(np.abs(got - expected).max())
    if not difference <= _PARITY * max(1.0, float(np.abs(expected).max())):
        raise SettingsError(
            f"{network.settings.name}: its ONNX file differs from torch by {difference:g} on random "
            "windows; what it does depends on more than its weights"
        )


def _exported(network: Network, unknown: str) -> bytes:
    """`network` as torch writes it, with the same names of input and output, for the sake of `unknown`.

    By the older exporter (`dynamo=False`): it takes a third of a second, keeps weights inside and needs no
    further package. Raises `SettingsError` naming the operation where torch can't write it, or writes an
    operator that no detector may have.
    """
    buffer: Any = io.BytesIO()  # torch takes it, its types say otherwise
    parameter = next(network.parameters())
    windows = torch.zeros(2, network.channels, network.samples, dtype=parameter.dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own age and of every shape it reads
            torch.onnx.export(
                network,
                (windows,),
                buffer,
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
                opset_version=OPSET,
            )
    except Exception as error:  # whatever torch raises for an operation that it doesn't know
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SettingsError(
            f"{network.settings.name}: {unknown} can't be written as ONNX, neither by Secateur nor by "
            f"torch.onnx.export ({lines[0]})"
        ) from None
    model = onnx.load_from_string(buffer.getvalue())
    for node in model.graph.node:
        node.doc_string = ""  # it may hold paths of the machine
        _require_listed(node, network.settings.name, unknown)
    return bytes(model.SerializeToString(deterministic=True))


def _require_listed(node: onnx.NodeProto, name: str, unknown: str) -> None:
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    texts = {key: each.decode() for key, each in attributes.items() if isinstance(each, bytes)}
    reason = refusal(node.op_type, {**attributes, **texts})
    if reason is not None:
        raise SettingsError(
            f"{name}: no detector can run {unknown} ({reason}); docs/reference/networks.md says what they can"
        )
