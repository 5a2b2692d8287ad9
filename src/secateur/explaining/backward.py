"""A detector's network with its backward pass: one ONNX graph that gives logits and gradient.

The backward pass is generated from the network as it was strictly read, and the same runtime runs it.
"""

from __future__ import annotations

import numpy as np

from secateur.detectors.network.model import Graph
from secateur.explaining.derivatives import RULES
from secateur.explaining.tape import Gradient, Tape, no_gradient

LOGITS, GRADIENT = "logits", "gradient"


def with_gradient(graph: Graph) -> Graph:
    """`graph`, which gives logits (n × 2), with a second output behind them.

    The second is the gradient of the seizure logit minus background's with respect to the windows, n ×
    channels × samples. Raises `SettingsError` naming an operator through which no gradient is known to go.
    """
    tape = Tape(graph)
    (windows,), (output,) = graph.inputs, graph.outputs
    for node in graph.nodes:
        if node.kind not in RULES and not tape.moving.isdisjoint(node.outputs):
            raise no_gradient(node.kind)
    tape.put(output, Gradient(tape.constant([[-1.0, 1.0]]), (1, 2), batched=False))
    for node in tape.backwards():
        known = (tape.gradient(name) for name in node.outputs if name)
        RULES[node.kind](tape, node, next(gradient for gradient in known if gradient is not None))
    gradient = tape.gradient(windows)
    if gradient is None:
        zero = tape.constant(np.zeros((1,) * len(graph.inputs[windows])))
        gradient = Gradient(zero, (1,) * len(graph.inputs[windows]), batched=False)
    name = tape.full(windows, gradient)
    outputs = {output: graph.outputs[output], name: graph.inputs[windows]}
    nodes = (*tape.forward, *tape.nodes)
    read = {name for node in nodes for name in node.inputs}
    weights = {name: weight for name, weight in tape.weights.items() if name in read}
    return Graph(nodes, weights, graph.inputs, outputs, graph.opset)
