"""Convolutions along time written as convolutions of planes one sample high, which run faster.

Comes in: the head of a network. Goes out: the same head, every number of it to rounding, or the head itself
where something in it isn't known to allow this. Next: `detector` opens it for the pass over recordings.

ONNX Runtime keeps the channels of planes together in memory, as many as the processor takes at once, and
convolves and pools them so without ordering them anew; for signals it has no such way. A tenth to a fifth
of the time of the networks that are built in.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from secateur.detectors.running.graph import Attribute, Graph, Node

_ALIKE = frozenset(
    ("AveragePool", "BatchNormalization", "Conv", "Elu", "Identity", "LeakyRelu", "MaxPool", "Relu",
     "Sigmoid", "Tanh")
)  # fmt: skip
"""What does to a plane one sample high what it does to a signal."""
_ONE_HIGH = ("dilations", "kernel_shape", "strides")


def in_planes(head: Graph) -> Graph:
    """`head`, which takes and gives windows × channels × samples, with planes inside."""
    if not all(_allowed(node, head) for node in head.nodes):
        return head
    (source,), (result,) = head.inputs, head.outputs
    if len(head.outputs[result]) != 3:
        return head
    height = f"{source}.height"
    new = {source: f"{source}.plane", result: f"{result}.plane"}
    weights = dict(head.weights)
    weights[height] = np.array([2], dtype=np.int64)
    nodes = [Node("Unsqueeze", (source, height), (new[source],), {}, new[source])]
    for node in head.nodes:
        attributes = {name: _raised(node, name, value) for name, value in node.attributes.items()}
        if node.kind == "Conv":
            weights[node.inputs[1]] = head.weights[node.inputs[1]][:, :, None]
        inputs, outputs = (
            tuple(new.get(name, name) for name in names) for names in (node.inputs, node.outputs)
        )
        nodes.append(Node(node.kind, inputs, outputs, attributes, node.name))
    nodes.append(Node("Squeeze", (new[result], height), (result,), {}, f"{result}.flat"))
    return replace(head, nodes=tuple(nodes), weights=weights)


def _allowed(node: Node, head: Graph) -> bool:
    if node.kind not in _ALIKE or len(node.outputs) != 1:
        return False
    if node.kind != "Conv":
        return True
    # a weight that two layers share would be raised twice
    readers = sum(node.inputs[1] in other.inputs for other in head.nodes)
    weight = head.weights.get(node.inputs[1])
    return weight is not None and weight.ndim == 3 and readers == 1


def _raised(node: Node, name: str, value: Attribute) -> Attribute:
    """An attribute for planes."""
    if name == "pads":
        begin, end = node.wholes(name, (0, 0))
        return (0, begin, 0, end)
    if name in _ONE_HIGH:
        return (1, *node.wholes(name, (1,)))
    return value
