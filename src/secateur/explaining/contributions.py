"""Each second's share of a margin, where a network ends in an average over time and a linear layer.

The margin is then a sum over the steps of the last feature maps: w·mean(h) + b = Σ w·h(t) / T + b. So what
each step adds is known exactly, and costs one small product more than the inference itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.costs import fields_of
from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import Sizes, axes_of
from secateur.errors import SettingsError
from secateur.explaining.eight_bits import dequantised

_PASSING = frozenset(
    ("DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze")
)
"""What may stand between average, linear layer and output: the same numbers in another shape, or rounded."""


@dataclass(frozen=True)
class Contributions:
    """`graph`: the network, with what each step adds as its second output, n × 1 × steps.

    `centres`: the sample in the middle of what each step sees, shape (steps,). `bias`: what the margin is
    without any step.
    """

    graph: Graph
    centres: NDArray[np.int64]
    bias: float


def with_contributions(graph: Graph, sizes: Sizes) -> Contributions:
    """`graph` with its contributions. Raises `SettingsError` where it doesn't end in average and linear."""
    (windows,), (output,) = graph.inputs, graph.outputs
    makers = {name: node for node in graph.nodes for name in node.outputs}
    linear = _behind(output, makers)
    average = None if linear is None else _behind(linear.inputs[0], makers)
    if linear is None or linear.kind != "Gemm":
        raise _no_average()
    if average is None or not _over_time(average, sizes):
        raise _no_average()
    features = average.inputs[0]
    shape, field = sizes.shapes[features], fields_of(graph, sizes).get(features)
    weight, bias = _linear(linear, makers, sizes)
    # time must be the only axis that the average is over, and stand last
    if field is None or shape[field.axis] != math.prod(shape[2:]) or weight.shape[1] != shape[1]:
        raise _no_average()
    steps = shape[field.axis]
    names = {name for node in graph.nodes for name in (*node.inputs, *node.outputs)}
    row, flat, target, shares = _new_names(names, "contribution", 4)
    weights = dict(graph.weights)
    weights[row] = ((weight[1] - weight[0]) / steps)[None].astype("<f4")
    weights[target] = np.array([0, shape[1], steps], dtype="<i8")
    nodes = (
        *graph.nodes,
        Node("Reshape", (features, target), (flat,), {}, flat),
        Node("MatMul", (row, flat), (shares,), {}, shares),
    )
    outputs = {**graph.outputs, shares: (None, 1, steps)}
    middle = (field.first + field.last) / 2
    centres = np.round(np.arange(steps) * field.step + middle).astype(np.int64)
    centres = np.clip(centres, 0, sizes.shapes[windows][-1] - 1)
    extended = replace(graph, nodes=nodes, weights=weights, outputs=outputs, metadata={})
    return Contributions(extended, centres, float(bias[1] - bias[0]))


def _behind(tensor: str, makers: Mapping[str, Node]) -> Node | None:
    """The node that computes a tensor, past those that only reshape or round it."""
    node = makers.get(tensor)
    while node is not None and node.kind in _PASSING:
        node = makers.get(node.inputs[0])
    return node


def _over_time(node: Node, sizes: Sizes) -> bool:
    """Whether a node is the mean over all axes behind windows and feature maps."""
    if node.kind == "GlobalAveragePool":
        return True
    rank = len(sizes.shapes[node.inputs[0]])
    if node.kind != "ReduceMean" or rank < 3:
        return False
    axes = axes_of(node, lambda reader, index: sizes.values[reader.inputs[index]], rank)
    return sorted(axes) == list(range(2, rank))


def _linear(
    node: Node, makers: Mapping[str, Node], sizes: Sizes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The linear layer's weights, classes × features, and its bias, those of 8 bits as real numbers."""
    values = [_real(name, makers, sizes) for name in node.inputs[1:] if name]
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    weight = values[0] if node.integer("transB", 0) else values[0].T
    bias = values[1] * beta if len(values) > 1 else np.zeros(2)
    return weight * alpha, np.broadcast_to(bias.reshape(-1), (2,))


def _real(name: str, makers: Mapping[str, Node], sizes: Sizes) -> NDArray[np.float64]:
    """A weight's value, also where it is stored in 8 bits and made a real number by a node."""
    if name in sizes.values:
        return np.asarray(sizes.values[name], dtype=np.float64)
    node = makers.get(name)
    if node is None or node.kind != "DequantizeLinear":
        raise _no_average()
    parts = [_real(part, makers, sizes) for part in node.inputs if part]
    return dequantised(parts, node.integer("axis", 1))[0]


def _new_names(names: set[str], stem: str, count: int) -> list[str]:
    numbers = (f"{stem}.{k}" for k in range(len(names) + count))
    return [name for name in numbers if name not in names][:count]


def _no_average() -> SettingsError:
    return SettingsError(
        "contributions are known of networks that end in an average over time and a linear layer, and this "
        "one doesn't; explain with gradient, occlusion or shap"
    )
