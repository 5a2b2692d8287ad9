"""What a network is to a chip: blocks of convolution, ReLU and pooling, a mean over time, a linear layer.

A network in 8 bits is one whose file has pairs of QuantizeLinear and DequantizeLinear around each operation,
as `eight_bits` writes it. Here each pair becomes the integers that stand between: that is also how ONNX
Runtime runs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import Graph, Node
from secateur.errors import DetectorError

WRITES = "unpadded Conv along time, Relu, MaxPool, GlobalAveragePool, Flatten and Gemm"


@dataclass(frozen=True)
class Steps:
    """How 8 bits stand for a number: (integer − `zero`) · `scale`."""

    scale: np.float32
    zero: int


@dataclass(frozen=True)
class Weights:
    """Of a convolution, kernels × channels × size, or of the linear layer, classes × kernels.

    `scale`: per kernel, None where the values are float32. `bias` is float32, or int32 in units of the
    input's scale times `scale` where activations have 8 bits.
    """

    values: NDArray[Any]
    bias: NDArray[Any]
    scale: NDArray[np.float32] | None = None

    def in_8_bits(self) -> Weights:
        """The nearest integers from −127 to 127, one scale for each kernel; activations stay floats."""
        if self.scale is not None:
            return self
        largest = np.abs(self.values).reshape(len(self.values), -1).max(axis=1)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        rounded = np.rint(self.values / scale.reshape(-1, *[1] * (self.values.ndim - 1)))
        return Weights(np.clip(rounded, -127, 127).astype(np.int8), self.bias, scale)


@dataclass(frozen=True)
class Block:
    """A convolution and what follows it: `relu`, the largest of each `pool` outputs (1: none), 8 bits."""

    weights: Weights
    stride: int
    relu: bool = False
    pool: int = 1
    after: Steps | None = None

    @property
    def size(self) -> int:
        """Input steps that one output looks at."""
        return int(self.weights.values.shape[2])

    def steps(self, length: int) -> int:
        """Outputs that come of `length` inputs."""
        return ((length - self.size) // self.stride + 1) // self.pool


@dataclass(frozen=True)
class Layers:
    """A network. `samples`: of its window. `input`, `average`, `logits`: None where all are floats."""

    channels: int
    samples: int
    blocks: tuple[Block, ...]
    linear: Weights
    input: Steps | None = None
    average: Steps | None = None
    logits: Steps | None = None

    @property
    def step(self) -> int:
        """Samples from one feature to the next."""
        return math.prod(block.stride * block.pool for block in self.blocks)

    @property
    def features(self) -> int:
        """Steps of the last block in one window."""
        length = self.samples
        for block in self.blocks:
            length = block.steps(length)
        return length

    def weights_in_8_bits(self) -> Layers:
        """The same with weights in 8 bits and float arithmetic."""
        blocks = tuple(replace(block, weights=block.weights.in_8_bits()) for block in self.blocks)
        return replace(self, blocks=blocks, linear=self.linear.in_8_bits())


def weights_in_8_bits(graph: Graph) -> dict[str, NDArray[Any]]:
    """The weights of `graph` by name, those of layers as `Weights.in_8_bits` rounds them."""
    weights = dict(graph.weights)
    for node in graph.nodes:
        if node.kind in ("Conv", "Gemm"):
            turned = node.kind == "Gemm" and not node.integer("transB", 0)
            values = weights[node.inputs[1]].T if turned else weights[node.inputs[1]]
            small = Weights(values, np.empty(0)).in_8_bits()
            assert small.scale is not None
            near = small.values * small.scale.reshape(-1, *[1] * (values.ndim - 1))
            weights[node.inputs[1]] = np.ascontiguousarray(near.T if turned else near)
    return weights


def layers_of(graph: Graph) -> Layers:
    """The layers of `graph`. Raises `DetectorError` for a network of other operations."""
    try:
        return _Reader(graph).read()
    except DetectorError as error:
        raise DetectorError(f"can't be written as C: {error}; C has {WRITES}") from None


class _Reader:
    """Goes along the one path from windows to logits."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        (self._at,) = graph.inputs  # the tensor that the next node must read
        self._steps: Steps | None = None  # of that tensor
        self._blocks: list[Block] = []
        self._input: Steps | None = None
        self._average: Steps | None = None
        self._averaged = False
        self._linear: Weights | None = None
        self._weights: dict[str, Weights | NDArray[Any]] = dict(graph.weights)

    def read(self) -> Layers:
        shape = next(iter(self._graph.inputs.values()))
        if len(shape) != 3 or shape[1] is None or shape[2] is None:
            raise DetectorError("its windows aren't channels × samples of fixed number")
        for node in self._graph.nodes:
            if not self._constant(node):
                self._along(node)
        if self._linear is None or not self._averaged or not self._blocks:
            raise DetectorError("it has no convolution, no average over time or no linear layer")
        if self._linear.values.shape[0] != 2:
            raise DetectorError(f"it has {self._linear.values.shape[0]} classes, not 2")
        layers = Layers(
            shape[1], shape[2], tuple(self._blocks), self._linear, self._input, self._average,
            self._steps,
        )  # fmt: skip
        self._check_bits(layers)
        return layers

    @staticmethod
    def _check_bits(layers: Layers) -> None:
        """Either everything has 8 bits or nothing."""
        marks: list[object] = [block.after for block in layers.blocks]
        marks += [block.weights.scale for block in layers.blocks]
        marks += [layers.input, layers.average, layers.logits, layers.linear.scale]
        if len({mark is None for mark in marks}) != 1:
            raise DetectorError("it is in 8 bits in part, in floats in part")

    def _constant(self, node: Node) -> bool:
        """Weights in 8 bits, taken as what they are stored as."""
        if node.kind != "DequantizeLinear" or node.inputs[0] not in self._graph.weights:
            return False
        values, scale = (self._graph.weights[name] for name in node.inputs[:2])
        zero = self._graph.weights[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(1)
        if np.any(zero) or values.dtype not in (np.int8, np.int32):
            raise DetectorError(f"the weights {node.inputs[0]} aren't signed integers about 0")
        if scale.size > 1 and node.integer("axis", 1) != 0:
            raise DetectorError(f"the weights {node.inputs[0]} aren't scaled by kernel")
        each = np.broadcast_to(scale.ravel().astype(np.float32), len(values)).copy()
        self._weights[node.outputs[0]] = Weights(values, np.empty(0), each)
        return True

    def _along(self, node: Node) -> None:
        if node.inputs[0] != self._at:
            raise DetectorError(f"{node.kind} doesn't read what stands before it")
        rule = getattr(self, f"_{node.kind.lower()}", None)
        if rule is None:
            raise DetectorError(f"the operation {node.kind}")
        rule(node)
        self._at = node.outputs[0]

    def _conv(self, node: Node) -> None:
        weights = self._weights_of(node)
        if weights.values.ndim != 3 or node.integer("group", 1) != 1:
            raise DetectorError("the operation Conv in groups or over more than time")
        if any(node.integers("pads", (0, 0))):
            raise DetectorError(f"the operation Conv with padding ({node.outputs[0]})")
        if node.integers("dilations", (1,)) != (1,):
            raise DetectorError(f"the operation Conv with dilation ({node.outputs[0]})")
        self._blocks.append(Block(weights, node.integers("strides", (1,))[0]))

    def _relu(self, node: Node) -> None:
        self._change(node, relu=True)  # of a largest value too: ReLU never falls

    def _maxpool(self, node: Node) -> None:
        size = node.integers("kernel_shape", (1,))
        plain = (
            node.integers("strides", (1,)) == size
            and not any(node.integers("pads", (0, 0)))
            and node.integers("dilations", (1,)) == (1,)
            and not node.integer("ceil_mode", 0)
            and len(node.outputs) == 1
        )
        if not plain:
            raise DetectorError(
                f"the operation MaxPool that overlaps, is padded or rounds up ({node.outputs[0]})"
            )
        before = self._blocks[-1].pool if self._blocks else 1
        self._change(node, pool=before * size[0])

    def _change(self, node: Node, **changes: Any) -> None:
        if not self._blocks or self._averaged:
            raise DetectorError(f"the operation {node.kind} not after a convolution")
        self._blocks[-1] = replace(self._blocks[-1], **changes)

    def _globalaveragepool(self, node: Node) -> None:
        self._averaged = True

    def _flatten(self, node: Node) -> None:
        if not self._averaged or node.integer("axis", 1) != 1:
            raise DetectorError("the operation Flatten before the average over time")

    def _gemm(self, node: Node) -> None:
        weights = self._weights_of(node)
        plain = all(node.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta"))
        if not self._averaged or self._linear or not plain or node.integer("transA", 0):
            raise DetectorError("the operation Gemm but once, at the end, unscaled")
        if not node.integer("transB", 0):
            if weights.scale is not None:
                raise DetectorError("the operation Gemm in 8 bits, transposed")
            weights = replace(weights, values=weights.values.T)
        self._linear = weights

    def _quantizelinear(self, node: Node) -> None:
        scale, zero = (self._graph.weights[name] for name in node.inputs[1:3])
        if scale.size != 1 or zero.dtype != np.uint8:
            raise DetectorError("activations that aren't unsigned 8 bits of one scale")
        steps = Steps(np.float32(scale.ravel()[0]), int(zero.ravel()[0]))
        if self._linear is not None:
            self._steps = steps
        elif self._averaged and self._average is None:
            self._average = steps
        elif not self._blocks:
            self._input = steps
        elif not self._averaged and self._blocks[-1].after is None:
            self._blocks[-1] = replace(self._blocks[-1], after=steps)
        elif steps != (self._average if self._averaged else self._blocks[-1].after):
            raise DetectorError("activations that change their scale between two operations")

    def _dequantizelinear(self, node: Node) -> None:
        """Its scale is that of the quantising before it."""

    def _weights_of(self, node: Node) -> Weights:
        stored = [self._weights.get(name) for name in node.inputs[1:]]
        if not stored or any(weights is None for weights in stored):
            raise DetectorError(f"{node.kind} whose weights aren't fixed")
        values, bias = stored[0], stored[1] if len(stored) > 1 else None
        if isinstance(values, Weights):
            none = np.zeros(len(values.values))
            integers = bias.values if isinstance(bias, Weights) else none
            return replace(values, bias=integers.astype(np.int32))
        assert values is not None
        kernels = values.shape[0 if node.kind == "Conv" else node.integer("transB", 0) - 1]
        if isinstance(bias, Weights):
            raise DetectorError(f"{node.kind} with weights in floats and a bias in 8 bits")
        flat = np.zeros(kernels) if bias is None else np.ravel(bias)
        return Weights(values.astype(np.float32), flat.astype(np.float32))
