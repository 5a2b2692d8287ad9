"""A detector's network as a LiteRT (TensorFlow Lite) model.

Comes in: a `Graph` in floats. Goes out: the bytes of a .tflite file that takes one window, 1 × channels ×
samples, and gives 1 × 2 logits. Next: LiteRT on a phone or a board runs it.

No converter is needed: the file is put together from the graph with the tables that come with the package
ai-edge-litert. TensorFlow's layers have their channels last. So a tensor that is windows × channels ×
samples in the graph is windows × 1 × samples × channels here, and one with electrodes on an axis of their
own is windows × electrodes × samples × channels.

Format: https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.exporting.litert_model import LiteRtModel
from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import Shape, geometry_of, sizes_of
from secateur.errors import DetectorError

_MOVED = (0, 3, 2, 1)
"""From windows × 1 × samples × channels to windows × channels × samples × 1: channels become electrodes."""


def litert_of(graph: Graph) -> bytes:
    """The network of `graph` as a .tflite file.

    Raises `MissingExtraError`, or `DetectorError` naming the operation that isn't written.
    """
    return _Translation(graph).write()


class _Translation:
    """Takes the graph's nodes one after the other to LiteRT's operators."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._shapes = sizes_of(graph).shapes
        self._model = LiteRtModel()
        self._place: dict[str, int] = {}  # a tensor's number in the model, by its name here

    def write(self) -> bytes:
        if any(node.kind == "QuantizeLinear" for node in self._graph.nodes):
            raise DetectorError(
                "in 8 bits it can't be written for LiteRT; export the detector that it was made from"
            )
        (windows,), (logits,) = self._graph.inputs, self._graph.outputs
        _, channels, samples = self._shapes[windows]
        given = self._model.tensor(windows, (1, channels, samples))
        turned = self._model.permute(given, (0, 2, 1), (1, samples, channels))
        self._place[windows] = self._model.reshape(turned, (1, 1, samples, channels))
        for node in self._graph.nodes:
            rule = _RULES.get(node.kind)
            if rule is None:
                raise DetectorError(
                    f"can't be written for LiteRT: the operation {node.kind}; it has "
                    f"{', '.join(sorted(_RULES))}"
                )
            self._place[node.outputs[0]] = rule(self, node)
        return self._model.finish([given], [self._place[logits]])

    def _weight(self, name: str) -> NDArray[np.float32]:
        if name not in self._graph.weights:
            raise DetectorError("can't be written for LiteRT: weights that aren't fixed")
        return self._graph.weights[name].astype(np.float32)

    def _inside(self, name: str) -> Shape:
        """The shape that the tensor `name` has in the model."""
        return inside(self._shapes[name])

    def padded(self, node: Node) -> int:
        """What `node` slides over, with zeros set in at the edges where it wants them."""
        geometry = geometry_of(node, self._shapes)
        place, shape = self._place[node.inputs[0]], self._inside(node.inputs[0])
        if not any((*geometry.begin, *geometry.end)):
            return place
        edges = [
            (0, 0),
            *_two(list(zip(geometry.begin, geometry.end, strict=True)), (0, 0)),
            (0, 0),
        ]
        longer = tuple(n + sum(edge) for n, edge in zip(shape, edges, strict=True))
        return self._model.pad(place, edges, longer)

    def conv(self, node: Node) -> int:
        geometry = geometry_of(node, self._shapes)
        weight = self._weight(node.inputs[1])
        if weight.ndim == 3:
            weight = weight[:, :, None]
        bias = self._weight(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(len(weight), "f4")
        channels, group = self._inside(node.inputs[0])[3], node.integer("group", 1)
        strides, dilations = _two(geometry.strides, 1), _two(geometry.dilations, 1)
        options = {"strideH": strides[0], "strideW": strides[1],
                   "dilationHFactor": dilations[0], "dilationWFactor": dilations[1]}  # fmt: skip
        if group == 1:
            kind, kernels = "CONV_2D", weight.transpose(0, 2, 3, 1)
        elif group == channels:
            kind, kernels = "DEPTHWISE_CONV_2D", weight.transpose(1, 2, 3, 0)
            options["depthMultiplier"] = len(weight) // channels
        else:
            raise DetectorError("can't be written for LiteRT: the operation Conv in groups")
        inputs = [self.padded(node), self._model.constant(kernels), self._model.constant(bias)]
        return self._model.slide(kind, inputs, options, self._inside(node.outputs[0]))

    def pool(self, node: Node) -> int:
        geometry = geometry_of(node, self._shapes)
        padded = any((*geometry.begin, *geometry.end))
        if len(node.outputs) > 1 or node.integer("ceil_mode", 0) or set(geometry.dilations) != {1}:
            raise DetectorError(f"can't be written for LiteRT: {node.kind} that isn't plain")
        if padded and not (node.kind == "AveragePool" and node.integer("count_include_pad", 0)):
            raise DetectorError(f"can't be written for LiteRT: the operation {node.kind}, padded")
        strides, sizes = _two(geometry.strides, 1), _two(geometry.sizes, 1)
        options = {"strideH": strides[0], "strideW": strides[1],
                   "filterHeight": sizes[0], "filterWidth": sizes[1]}  # fmt: skip
        kind = "MAX_POOL_2D" if node.kind == "MaxPool" else "AVERAGE_POOL_2D"
        return self._model.slide(kind, [self.padded(node)], options, self._inside(node.outputs[0]))

    def average(self, node: Node) -> int:
        shape = self._inside(node.inputs[0])
        return self._model.mean(self._place[node.inputs[0]], (1, 2), (1, 1, 1, shape[3]))

    def flatten(self, node: Node) -> int:
        shape, place = self._inside(node.inputs[0]), self._place[node.inputs[0]]
        if math.prod(shape[1:3]) > 1:  # the graph has channels first
            order = (0, 3, 1, 2)
            place = self._model.permute(place, order, tuple(shape[axis] for axis in order))
        return self._model.reshape(place, (1, math.prod(shape)))

    def reshape(self, node: Node) -> int:
        before, after = (self._shapes[name] for name in (node.inputs[0], node.outputs[0]))
        place = self._place[node.inputs[0]]
        if len(before) == 3 and after == (1, 1, *before[1:]):
            shape = inside(before)
            return self._model.permute(place, _MOVED, tuple(shape[axis] for axis in _MOVED))
        if len(before) == 4 and before[2] == 1 and after == (1, before[1], before[3]):
            return place
        if len(after) == 2:
            return self.flatten(node)
        raise DetectorError(f"can't be written for LiteRT: Reshape of {before} to {after}")

    def linear(self, node: Node) -> int:
        plain = all(node.attributes.get(one, 1.0) == 1.0 for one in ("alpha", "beta"))
        if not plain or node.integer("transA", 0):
            raise DetectorError("can't be written for LiteRT: Gemm that is scaled or turned")
        weight = self._weight(node.inputs[1])
        weight = weight if node.integer("transB", 0) else weight.T
        bias = self._weight(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(len(weight), "f4")
        inputs = [self._place[node.inputs[0]], self._model.constant(weight),
                  self._model.constant(np.ravel(bias))]  # fmt: skip
        return self._model.linear(inputs, (1, len(weight)))

    def each(self, kind: str, node: Node) -> int:
        inputs = [self._place.get(name, -1) for name in node.inputs]
        if -1 in inputs:
            raise DetectorError(f"can't be written for LiteRT: {node.kind} with a fixed part")
        return self._model.each(kind, inputs, self._inside(node.outputs[0]))

    def clip(self, node: Node) -> int:
        place, shape = self._place[node.inputs[0]], self._inside(node.inputs[0])
        for kind, name in zip(("MAXIMUM", "MINIMUM"), node.inputs[1:], strict=False):
            if name:
                limit = self._model.constant(self._weight(name).reshape(()))
                place = self._model.each(kind, [place, limit], shape)
        return place


def inside(shape: Shape) -> Shape:
    """The shape that a tensor of the graph has with channels last."""
    if len(shape) == 3:
        return 1, 1, shape[2], shape[1]
    if len(shape) == 4:
        return 1, shape[2], shape[3], shape[1]
    return shape


def _two(told: Sequence[Any], missing: Any) -> tuple[Any, Any]:
    """Settings along electrodes and time, where the graph may tell those along time alone."""
    return (told[0], told[1]) if len(told) == 2 else (missing, told[0])


def _each(kind: str) -> Callable[[_Translation, Node], int]:
    return lambda translation, node: translation.each(kind, node)


_RULES: Mapping[str, Callable[[_Translation, Node], int]] = {
    "Add": _each("ADD"),
    "AveragePool": _Translation.pool,
    "Clip": _Translation.clip,
    "Conv": _Translation.conv,
    "Elu": _each("ELU"),
    "Flatten": _Translation.flatten,
    "Gemm": _Translation.linear,
    "GlobalAveragePool": _Translation.average,
    "Log": _each("LOG"),
    "MaxPool": _Translation.pool,
    "Mul": _each("MUL"),
    "Relu": _each("RELU"),
    "Reshape": _Translation.reshape,
    "Sigmoid": _each("LOGISTIC"),
    "Tanh": _each("TANH"),
}
