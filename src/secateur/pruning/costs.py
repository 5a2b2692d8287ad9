"""How large a network is and what it costs, in what a target or an allocation can be stated in: parameters,
MACs, bytes of the ONNX model, milliseconds for one window, microseconds layer by layer; and the cost of any
number of channels kept, without cutting.

A layer's multiply-accumulates are factor · outputs · inputs, and channels of two groups meet in it: those
that it makes and those that it reads. Times are those of ONNX Runtime on this machine: one thread, one
window, the least of several medians. Bytes are those of the network alone; a detector's file has some
kilobytes of metadata beside.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.errors import SettingsError
from secateur.networks import Network, count_macs, count_parameters, to_onnx
from secateur.networks.network import uses_of
from secateur.networks.onnx_graph import IR_VERSION, OPSET
from secateur.pruning.groups import Structure
from secateur.pruning.settings import Budget

_RUNS = 200


def size(network: Network, what: Budget) -> float:
    """The size of `network` in the unit of `what`."""
    measures: Mapping[Budget, Callable[[], float]] = {
        "params": lambda: count_parameters(network),
        "macs": lambda: count_macs(network, network.channels, network.samples),
        "bytes": lambda: len(to_onnx(network)),
        "latency_ms": lambda: _milliseconds(
            to_onnx(network), {"windows": (1, network.channels, network.samples)}
        ),
    }
    return float(measures[what]())


def microseconds(network: Network) -> dict[str, float]:
    """Time of each convolution, linear layer and recurrent layer by itself, by name."""
    return {
        use.name: 1000 * _milliseconds(_alone(use.layer, use.reads), {"input": use.reads})
        for use in uses_of(network, network.channels, network.samples)
    }


def _milliseconds(model: bytes, inputs: Mapping[str, tuple[int, ...]]) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    inputs_of = {
        name: generator.standard_normal(shape).astype(np.float32) for name, shape in inputs.items()
    }
    times = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        session.run(None, inputs_of)
        times.append(time.perf_counter() - began)
    # the least of several medians: a busy moment of the machine must not cost kernels
    return 1000 * min(float(np.median(part)) for part in np.array_split(times[_RUNS // 10 :], 6))


def _pads(layer: _ConvNd) -> list[int]:
    """Zeros before and behind along each axis, as ONNX has them; `same` puts the odd one behind."""
    if layer.padding == "same":
        widths = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [*(each // 2 for each in widths), *(each - each // 2 for each in widths)]
    if isinstance(layer.padding, str):
        return [0] * 2 * len(layer.kernel_size)
    return [*layer.padding, *layer.padding]


def _alone(module: nn.Module, shape: tuple[int, ...]) -> bytes:
    """A model of one layer; a recurrent one as the matrix product of its inputs, which is what shrinks."""
    weight = module.weight_ih_l0 if isinstance(module, nn.RNNBase) else module.weight
    assert isinstance(weight, Tensor)
    values = weight.detach().numpy()
    if isinstance(module, _ConvNd):
        node = helper.make_node(
            "ConvTranspose" if module.transposed else "Conv",
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


@dataclass(frozen=True)
class Extent:
    """Channels along one side of a layer: `fixed`, and for each kept set of a group some more."""

    fixed: int
    per_set: Mapping[str, int]

    def of(self, kept: Mapping[str, int]) -> int:
        """Channels with so many sets kept."""
        return self.fixed + sum(count * kept[name] for name, count in self.per_set.items())


@dataclass(frozen=True)
class LayerCost:
    """`factor` · outputs · inputs + `fixed`: what one layer costs."""

    layer: str
    factor: float
    outputs: Extent
    inputs: Extent
    fixed: float = 0.0

    def of(self, kept: Mapping[str, int]) -> float:
        """Cost with so many sets kept."""
        return self.factor * self.outputs.of(kept) * self.inputs.of(kept) + self.fixed

    def times(self, price: float) -> LayerCost:
        """The same at another price."""
        return replace(self, factor=self.factor * price, fixed=self.fixed * price)


@dataclass(frozen=True)
class CostModel:
    """The cost of one window in the whole network: MACs, or microseconds after `priced`."""

    layers: tuple[LayerCost, ...]
    sizes: Mapping[str, int]

    def of(self, removed: Mapping[str, int]) -> float:
        """Cost without `removed` sets of channels, by group; groups that aren't named are complete."""
        kept = {name: size - removed.get(name, 0) for name, size in self.sizes.items()}
        return sum(layer.of(kept) for layer in self.layers)

    def priced(self, prices: Mapping[str, float]) -> CostModel:
        """The same with each layer's cost at full size set to `prices[layer]`, such as measured microseconds.

        A layer's time is then taken to shrink as its MACs do. Raises `SettingsError` where a layer has no
        price.
        """
        missing = [layer.layer for layer in self.layers if layer.layer not in prices]
        if missing:
            raise SettingsError(
                f"there is no measured time for {', '.join(missing)}: measure every layer"
            )
        return replace(
            self,
            layers=tuple(
                layer.times(prices[layer.layer] / layer.of(self.sizes)) for layer in self.layers
            ),
        )


def macs_of(network: nn.Module, structure: Structure, channels: int, samples: int) -> CostModel:
    """MACs of `network` for one window of channels × samples, as `networks.count_macs` counts them.

    A layer that runs along an axis which is not the channels' is counted with all the places that it has
    before the cut, even where a cut leaves fewer.
    """
    uses = {use.name: use for use in uses_of(network, channels, samples)}
    layers = tuple(_layer_cost(structure, use.name, use.layer, use.times) for use in uses.values())
    return CostModel(layers, {group.name: group.size for group in structure.groups})


def _layer_cost(structure: Structure, name: str, module: nn.Module, positions: int) -> LayerCost:
    per_output: dict[str, int] = {}
    per_input: dict[str, int] = {}
    for group in structure.groups:
        for slot in group.slots:
            if slot.layer == name:
                side = per_input if slot.side == "inputs" else per_output
                side[group.name] = side.get(group.name, 0) + slot.places.shape[1]
    weights = {key: value for key, value in module.named_parameters() if "weight" in key}
    if isinstance(module, nn.RNNBase):
        read = [value for key, value in weights.items() if key.startswith("weight_ih_l0")]
        rows = sum(len(value) for value in read)
        rest = sum(value.numel() for value in weights.values()) - rows * module.input_size
        inputs = _extent(structure, module.input_size, per_input, 1)
        return LayerCost(name, positions, Extent(rows, {}), inputs, float(positions * rest))
    shape = weights["weight"].shape
    return LayerCost(
        name,
        positions * math.prod(shape[2:]),
        _extent(structure, shape[0], per_output, 1),
        _extent(
            structure, shape[1], per_input, module.groups if isinstance(module, _ConvNd) else 1
        ),
    )


def _extent(structure: Structure, now: int, per_set: Mapping[str, int], groups: int) -> Extent:
    # a depthwise kernel reads one channel however many there are, so its side stays 1
    shares = {name: count // groups for name, count in per_set.items() if count // groups}
    return Extent(now - sum(count * structure[name].size for name, count in shares.items()), shares)
