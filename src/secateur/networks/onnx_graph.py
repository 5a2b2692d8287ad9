"""A network as an ONNX graph, written node by node.

Comes in: a trained `BlockNetwork`. Goes out: the bytes of an ONNX model with the input `windows`
(n × channels × samples, float32) and the output `logits` (n × 2). Next: `detectors.file` adds the
metadata that makes a detector of it.

Written with onnx.helper and not by torch's exporters: it takes milliseconds, gives the same bytes for
the same weights, and holds nothing of the machine that wrote it. BatchNorm is folded into the
convolution before it, in float64: W' = W·γ/√(σ²+ε), b' = (b − μ)·γ/√(σ²+ε) + β.
"""

from __future__ import annotations

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


def to_onnx(network: BlockNetwork) -> bytes:
    """The network in evaluation mode as ONNX; equal networks give equal bytes."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def store(name: str, values: NDArray[np.float64]) -> str:
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    at = "windows"
    for number, block in enumerate(network.blocks, start=1):
        assert isinstance(block, nn.Sequential)
        convolution, norm, pool = block.conv, block.norm, block.pool
        assert isinstance(convolution, nn.Conv1d)
        assert isinstance(norm, nn.BatchNorm1d)
        assert isinstance(pool, nn.MaxPool1d)
        kernel, bias = _folded(convolution, norm)
        name = f"block{number}"
        inputs = [at, store(f"{name}.weight", kernel), store(f"{name}.bias", bias)]
        size, pad = _one(pool.kernel_size), _one(convolution.padding)
        nodes += [
            helper.make_node(
                "Conv",
                inputs,
                [f"{name}.conv"],
                name=f"{name}.conv",
                kernel_shape=[kernel.shape[2]],
                pads=[pad, pad],
            ),
            helper.make_node("Relu", [f"{name}.conv"], [f"{name}.relu"], name=f"{name}.relu"),
        ]
        at = f"{name}.relu"
        if size > 1:
            nodes.append(
                helper.make_node(
                    "MaxPool",
                    [at],
                    [f"{name}.pool"],
                    name=f"{name}.pool",
                    kernel_shape=[size],
                    strides=[_one(pool.stride)],
                )
            )
            at = f"{name}.pool"
    linear = network.linear
    nodes += [
        helper.make_node("GlobalAveragePool", [at], ["average"], name="average"),
        helper.make_node("Flatten", ["average"], ["features"], name="features", axis=1),
        helper.make_node(
            "Gemm",
            [
                "features",
                store("linear.weight", _values(linear.weight)),
                store("linear.bias", _values(linear.bias)),
            ],
            ["logits"],
            name="linear",
            transB=1,
        ),
    ]
    shape_in: list[str | int | None] = ["n", network.channels, network.samples]
    graph = helper.make_graph(
        nodes,
        "secateur",
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", network.classes])],
        weights,
    )
    model = helper.make_model(
        graph,
        producer_name="secateur",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


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
