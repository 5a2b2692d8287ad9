"""How many multiply-accumulates a network takes for a window, and for each hop of a recording.

Comes in: a `Graph`, its sizes, its `Cut` where there is one. Goes out: counts. Next: `benching` puts them
beside what the machine can do.
"""

from __future__ import annotations

import math

from secateur.detectors.operators import RECURRENT
from secateur.detectors.running.graph import Graph, Node
from secateur.detectors.running.reach import Cut, reaches
from secateur.detectors.running.shapes import Sizes


def macs_a_hop(graph: Graph, sizes: Sizes, cut: Cut | None, hop: int) -> int:
    """Multiply-accumulates that a recording costs for each of its hops of `hop` samples.

    Without a `cut` those of a whole window; else the head's for a hop, and for the edges that are computed
    again, and the tail's for a window.
    """
    if cut is None:
        return sum(macs_of(node, sizes) for node in graph.nodes)
    found = reaches(graph, sizes)
    (windows,) = graph.inputs
    length = sizes.shapes[windows][-1]
    again = 2 * cut.stub(length) / length if cut.padded else 0.0
    whole = sum(macs_of(node, sizes) for node in cut.tail.nodes)
    for node in cut.head.nodes:
        macs = macs_of(node, sizes)
        if macs:
            reach = found[node.outputs[0]]
            steps = sizes.shapes[node.outputs[0]][reach.axis]
            whole += macs // steps * hop // reach.step + round(macs * again)
    return whole


def macs_of(node: Node, sizes: Sizes) -> int:
    """Multiply-accumulates for one window, of convolutions, matrix products and recurrent layers.

    A convolution does its weights once for each position that it gives out, a product once for each row, a
    recurrent layer once for each step. Biases, norms and activations don't count.
    """
    shapes = sizes.shapes
    if node.kind in ("Conv", "Gemm", "MatMul"):
        out, weight = shapes[node.outputs[0]], shapes[node.inputs[1]]
        if node.kind == "Conv":
            return math.prod(out) * math.prod(weight[1:])
        inner = math.prod(weight) // out[-1] if node.kind == "Gemm" else weight[-2]
        return math.prod(out) * inner
    if node.kind in RECURRENT:
        time, windows, _ = shapes[node.inputs[0]]
        return time * windows * sum(math.prod(shapes[name]) for name in node.inputs[1:3])
    return 0
