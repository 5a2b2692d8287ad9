"""A network as an ONNX graph, written node by node.

Comes in: a trained `Network`. Goes out: the bytes of an ONNX model with the input `windows`
(n × channels × samples, float32) and the output `logits` (n × 2). Next: `detectors.file` adds the
metadata that makes a detector of it.

Written from the torch.fx graph with onnx.helper and not by torch's exporters: it takes milliseconds, gives
the same bytes for the same weights, and holds nothing of the machine that wrote it. Operations that aren't
known here go to torch's exporter, and that is said.
"""

from __future__ import annotations

import copy
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import fx

from secateur.errors import SettingsError
from secateur.networks.network import Network
from secateur.networks.onnx_export import export
from secateur.networks.onnx_functions import FUNCTIONS, function_named, layer_of
from secateur.networks.onnx_layers import LAYERS, NOTHING
from secateur.networks.onnx_sheet import (
    INPUT,
    OUTPUT,
    Sheet,
    UnknownOperationError,
    kind_of,
    source,
)
from secateur.networks.tracing import trace, values_of

OPSET = 17
IR_VERSION = 8
"""Old enough for every runtime of the last years, new enough for all that is used."""
_PARITY = 1e-4
"""Largest difference to torch that is let pass, relative to the largest logit above 1."""


def to_onnx(network: Network) -> bytes:
    """The network in evaluation mode as ONNX; equal networks give equal bytes.

    A network of the user's own is run in ONNX Runtime and must give what torch gives. Raises
    `SettingsError` naming the operation that can't be written, or where the two differ.
    """
    whole = copy.deepcopy(network).eval()
    try:
        content = _written(whole)
    except UnknownOperationError as unknown:
        content = export(whole, str(unknown), OPSET)
        warnings.warn(
            f"{network.settings.name}: {unknown} isn't known to Secateur; the ONNX file was written by "
            f"torch {torch.__version__}",
            stacklevel=2,
        )
    if network.settings.own:
        _require_parity(whole, content)
    return content


def _written(network: Network) -> bytes:
    graph = trace(network)
    dtype = next(network.parameters()).dtype
    few, more = (
        values_of(graph, torch.zeros(n, network.channels, network.samples, dtype=dtype))
        for n in (2, 3)
    )
    sheet = Sheet(graph, few, more)
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            sheet.begin(node)
        elif node.op == "output":
            _finish(sheet, node)
        elif sheet.depends(node) and isinstance(sheet.value(node), torch.Tensor):
            sheet.require_windows_first(node)
            if node not in sheet.names:
                sheet.names[node] = _write(sheet, node)
    shape_in: list[str | int | None] = ["n", network.channels, network.samples]
    model = helper.make_model(
        helper.make_graph(
            sheet.nodes,
            "secateur",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape_in)],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", network.classes])],
            sheet.weights,
        ),
        producer_name="secateur",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _write(sheet: Sheet, node: fx.Node) -> str:
    """Put one operation on the sheet; returns the name of the tensor that it gives."""
    kind = kind_of(node, sheet.graph)
    if node.op == "call_module":
        if kind in NOTHING:
            return sheet.name(source(node))
        write = LAYERS.get(kind)
    else:
        name = function_named(node) or ""
        write = FUNCTIONS.get(name)
        layer = layer_of(node, name)
        if layer is not None:
            sheet.take_as(node, layer)
            write = LAYERS[type(layer).__name__]
    if write is None:
        raise UnknownOperationError(kind)
    return write(sheet, node)


def _finish(sheet: Sheet, node: fx.Node) -> None:
    """Give the last tensor the output's name."""
    last = sheet.name(node.args[0])
    if sheet.nodes and sheet.nodes[-1].output[0] == last:
        sheet.nodes[-1].output[0] = sheet.nodes[-1].name = OUTPUT
    else:
        sheet.add("Identity", OUTPUT, last)


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
    apart = float(np.abs(got - expected).max())
    if not apart <= _PARITY * max(1.0, float(np.abs(expected).max())):
        raise SettingsError(
            f"{network.settings.name}: its ONNX file differs from torch by {apart:g} on random windows; "
            "what it does depends on more than its weights"
        )
