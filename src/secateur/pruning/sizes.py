"""How large a network is, in what a target or a cost can be stated in.

Comes in: a network. Goes out: parameters, MACs, bytes of the ONNX model, milliseconds for one window; or
microseconds layer by layer. Next: `prune` looks for the ratio that reaches a target, or lets the knapsack
pay in them.

Times are those of ONNX Runtime on this machine: one thread, one window, the least of several medians. Bytes
are those of the network alone; a detector's file has some kilobytes of metadata beside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.networks import Network, count_macs, count_parameters, to_onnx
from secateur.networks.onnx_graph import IR_VERSION, OPSET
from secateur.pruning.settings import Budget

_RUNS = 200


def size(network: Network, what: Budget) -> float:
    """The size of `network` in the unit of `what`."""
    ways: Mapping[Budget, Callable[[], float]] = {
        "params": lambda: count_parameters(network),
        "macs": lambda: count_macs(network, network.channels, network.samples),
        "bytes": lambda: len(to_onnx(network)),
        "latency_ms": lambda: _milliseconds(
            to_onnx(network), {"windows": (1, network.channels, network.samples)}
        ),
    }
    return float(ways[what]())


def microseconds(network: Network) -> dict[str, float]:
    """Time of each convolution, linear layer and recurrent layer by itself, by name."""
    shapes: dict[str, tuple[int, ...]] = {}
    layers = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _ConvNd | nn.Linear | nn.RNNBase)
    }

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            shapes[name] = tuple(inputs[0].shape)

        return hook

    handles = [module.register_forward_pre_hook(note(name)) for name, module in layers.items()]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, network.channels, network.samples))
    finally:
        for handle in handles:
            handle.remove()
    return {
        name: 1000 * _milliseconds(_alone(layers[name], shape), {"input": shape})
        for name, shape in shapes.items()
    }


def _milliseconds(model: bytes, inputs: Mapping[str, tuple[int, ...]]) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    fed = {
        name: generator.standard_normal(shape).astype(np.float32) for name, shape in inputs.items()
    }
    taken = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        session.run(None, fed)
        taken.append(time.perf_counter() - began)
    # the least of several medians: a busy moment of the machine must not cost kernels
    return 1000 * min(float(np.median(part)) for part in np.array_split(taken[_RUNS // 10 :], 6))


def _pads(layer: _ConvNd) -> list[int]:
    """Zeros before and behind along each axis, as ONNX has them; `same` puts the odd one behind."""
    if layer.padding == "same":
        whole = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [*(each // 2 for each in whole), *(each - each // 2 for each in whole)]
    widths = [0] * len(layer.kernel_size) if isinstance(layer.padding, str) else layer.padding
    return [*widths, *widths]


def _alone(module: nn.Module, shape: tuple[int, ...]) -> bytes:
    """A model of one layer; a recurrent one as the matrix product of its inputs, which is what shrinks."""
    weight = module.weight_ih_l0 if isinstance(module, nn.RNNBase) else module.weight
    assert isinstance(weight, Tensor)
    values = weight.detach().numpy()
    if isinstance(module, _ConvNd):
        node = helper.make_node(
            "Conv",
            ["input", "weight"],
            ["output"],
            kernel_shape=list(module.kernel_size),
            strides=list(module.stride),
            dilations=list(module.dilation),
            pads=_pads(module),
            group=module.groups,
        )
    else:
        node = helper.make_node("MatMul", ["input", "weight"], ["output"])
        values = np.ascontiguousarray(values.T)
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, "weight")],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
