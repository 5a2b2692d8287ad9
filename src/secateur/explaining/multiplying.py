"""What an explanation asks of a processor, counted from the network as it is read: multiply-accumulates and
bytes moved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from secateur.detectors.network.costs import macs_of
from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import Sizes, geometry_of, sizes_of
from secateur.explaining.derivatives import is_turned

_UNMOVED = frozenset(("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"))
"""The same numbers in another shape."""


@dataclass(frozen=True)
class Work:
    """`macs`: multiply-accumulates. `bytes_moved`: that operators read and write, weights among them, as if
    each were by itself.
    """

    macs: int = 0
    bytes_moved: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.macs + other.macs, self.bytes_moved + other.bytes_moved)

    def __mul__(self, times: int) -> Work:
        return Work(self.macs * times, self.bytes_moved * times)


def inference_work(graph: Graph) -> Work:
    """Of one window through a network. `graph`: whose first axis is windows."""
    sizes = sizes_of(graph)
    moving = _moving(graph)
    macs = sum(macs_of(node, sizes) for node in graph.nodes)
    return Work(macs, sum(_bytes_of(node, sizes) for node in moving))


def gradient_work(graph: Graph) -> Work:
    """Of logits and gradient of one window.

    Going back, a layer multiplies as often as forth, but a convolution whose kernels are turned, which goes
    over the ends too. As many bytes are moved as forth: where a tensor was read its gradient is written.
    """
    sizes, forth = sizes_of(graph), inference_work(graph)
    back = sum(_macs_back(node, sizes) for node in _moving(graph))
    return forth + Work(back, forth.bytes_moved)


def _moving(graph: Graph) -> list[Node]:
    """Nodes whose output depends on the window."""
    names, nodes = set(graph.inputs), []
    for node in graph.nodes:
        if not names.isdisjoint(node.inputs):
            names.update(node.outputs)
            nodes.append(node)
    return nodes


def _macs_back(node: Node, sizes: Sizes) -> int:
    macs = macs_of(node, sizes)
    if node.kind != "Conv":
        return macs
    before, after = sizes.shapes[node.inputs[0]], sizes.shapes[node.outputs[0]]
    if not is_turned(geometry_of(node, sizes.shapes), before[2:], after[2:]):
        return macs
    return macs * math.prod(before[2:]) // math.prod(after[2:])


def _bytes_of(node: Node, sizes: Sizes) -> int:
    if node.kind in _UNMOVED:
        return 0
    read = 1 if node.kind == "DequantizeLinear" else 4
    write = 1 if node.kind == "QuantizeLinear" else 4
    numbers = sum(math.prod(sizes.shapes[name]) for name in node.inputs if name)
    return read * numbers + write * math.prod(sizes.shapes[node.outputs[0]])
