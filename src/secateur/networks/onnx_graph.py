"""A network as an ONNX graph, written node by node.

Comes in: a trained `BlockNetwork`. Goes out: the bytes of an ONNX model with the input `windows`
(n × channels × samples, float32) and the output `logits` (n × 2). Next: `detectors.file` adds the
metadata that makes a detector of it.

Written with onnx.helper and not by torch's exporters: it takes milliseconds, gives the same bytes for
the same weights, and holds nothing of the machine that wrote it. BatchNorm is folded into the
convolution before it, in float64: W' = W·γ/√(σ²+ε), b' = (b − μ)·γ/√(σ²+ε) + β.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from secateur.errors import SettingsError
from secateur.networks.blocks import BlockNetwork

OPSET = 17
IR_VERSION = 8
"""Old enough for every runtime of the last years, new enough for all that is used."""


class _Graph:
    """Nodes and weights as they are written; `at` is the name of the tensor that comes next."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.at = "windows"

    def store(self, name: str, values: NDArray[np.float64]) -> str:
        """Keep a weight as float32; returns its name."""
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def add(self, kind: str, name: str, *weights: str, **attributes: Any) -> None:
        """Append a node that reads the last tensor; its output has the node's name."""
        node = helper.make_node(kind, [self.at, *weights], [name], name=name, **attributes)
        self.nodes.append(node)
        self.at = name


def to_onnx(network: BlockNetwork) -> bytes:
    """The network in evaluation mode as ONNX; equal networks give equal bytes."""
    graph = _Graph()
    for number, block in enumerate(network.blocks, start=1):
        assert isinstance(block, nn.Sequential)
        _add_block(graph, f"block{number}", block)
    graph.add("GlobalAveragePool", "average")
    graph.add("Flatten", "features", axis=1)
    weight = graph.store("linear.weight", _values(network.linear.weight))
    bias = graph.store("linear.bias", _values(network.linear.bias))
    graph.add("Gemm", "logits", weight, bias, transB=1)
    shape_in: list[str | int | None] = ["n", network.channels, network.samples]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "secateur",
            [helper.make_tensor_value_info("windows", TensorProto.FLOAT, shape_in)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", network.classes])],
            graph.weights,
        ),
        producer_name="secateur",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _add_block(graph: _Graph, name: str, block: nn.Sequential) -> None:
    convolution, norm, pool = block.conv, block.norm, block.pool
    assert isinstance(convolution, nn.Conv1d)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(pool, nn.MaxPool1d)
    kernel, bias = _folded(convolution, norm)
    stored = graph.store(f"{name}.weight", kernel), graph.store(f"{name}.bias", bias)
    padding, size = _one(convolution.padding), _one(pool.kernel_size)
    shape = {"kernel_shape": [kernel.shape[2]], "pads": [padding, padding]}
    graph.add("Conv", f"{name}.conv", *stored, **shape)
    # before pooling as published: runtimes make one kernel of a convolution and the ReLU behind it
    graph.add("Relu", f"{name}.relu")
    if size > 1:
        graph.add("MaxPool", f"{name}.pool", kernel_shape=[size], strides=[_one(pool.stride)])


def _folded(
    convolution: nn.Conv1d, norm: nn.BatchNorm1d
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias of one convolution that does both."""
    if norm.running_mean is None or norm.running_var is None:
        raise SettingsError("BatchNorm without running statistics can't be written as ONNX")
    factor = _values(norm.weight) / np.sqrt(_values(norm.running_var) + norm.eps)
    kernel = _values(convolution.weight) * factor[:, None, None]
    bias = 0.0 if convolution.bias is None else _values(convolution.bias)
    return kernel, (bias - _values(norm.running_mean)) * factor + _values(norm.bias)


def _one(setting: int | str | tuple[int, ...]) -> int:
    """The single number of a one-dimensional layer's setting."""
    assert not isinstance(setting, str)
    return setting if isinstance(setting, int) else setting[0]


def _values(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().double().numpy())
