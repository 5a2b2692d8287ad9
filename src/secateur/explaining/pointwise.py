"""The derivatives of operators that work on each number by itself, written as ONNX nodes.

Definitions of the operators: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from secateur.detectors.network.model import Node
from secateur.explaining.tape import Tape

Factor = Callable[[Tape, Node], str]
"""Writes what the gradient is multiplied by; returns the tensor's name."""


def _where(tape: Tape, condition: str, yes: str | float, no: str | float) -> str:
    branches = (tape.constant(x) if isinstance(x, int | float) else x for x in (yes, no))
    return tape.add("Where", condition, *branches)


def _positive(tape: Tape, tensor: str) -> str:
    return tape.add("Greater", tensor, tape.constant(0.0))


def _leaky(tape: Tape, node: Node) -> str:
    slope = node.real("alpha", 0.01)
    return _where(tape, _positive(tape, node.inputs[0]), 1.0, slope)


def _prelu(tape: Tape, node: Node) -> str:
    return _where(tape, _positive(tape, node.inputs[0]), 1.0, node.inputs[1])


def _elu(tape: Tape, node: Node) -> str:
    y, alpha = node.outputs[0], node.real("alpha", 1.0)
    return _where(tape, _positive(tape, y), 1.0, tape.add("Add", y, tape.constant(alpha)))


def _sigmoid(tape: Tape, node: Node) -> str:
    y = node.outputs[0]
    return tape.add("Sub", y, tape.add("Mul", y, y))


def _tanh(tape: Tape, node: Node) -> str:
    y = node.outputs[0]
    return tape.add("Sub", tape.constant(1.0), tape.add("Mul", y, y))


def _exp(_: Tape, node: Node) -> str:
    return node.outputs[0]


def _log(tape: Tape, node: Node) -> str:
    return tape.add("Reciprocal", node.inputs[0])


def _sqrt(tape: Tape, node: Node) -> str:
    return tape.add("Div", tape.constant(0.5), node.outputs[0])


def _abs(tape: Tape, node: Node) -> str:
    return tape.add("Sign", node.inputs[0])


def _reciprocal(tape: Tape, node: Node) -> str:
    y = node.outputs[0]
    return tape.add("Neg", tape.add("Mul", y, y))


def _sin(tape: Tape, node: Node) -> str:
    return tape.add("Cos", node.inputs[0])


def _cos(tape: Tape, node: Node) -> str:
    return tape.add("Neg", tape.add("Sin", node.inputs[0]))


def _erf(tape: Tape, node: Node) -> str:
    x = node.inputs[0]
    falling = tape.add("Exp", tape.add("Neg", tape.add("Mul", x, x)))
    return tape.add("Mul", falling, tape.constant(2 / math.sqrt(math.pi)))


def _softplus(tape: Tape, node: Node) -> str:
    return tape.add("Sigmoid", node.inputs[0])


def _between(tape: Tape, tensor: str, low: str, high: str, inside: str | float) -> str:
    """`inside` where low < tensor < high, else 0."""
    both = (tape.add("Greater", tensor, low), tape.add("Less", tensor, high))
    return _where(tape, tape.add("And", *both), inside, 0.0)


def _hard_sigmoid(tape: Tape, node: Node) -> str:
    alpha = node.real("alpha", 0.2)
    return _between(tape, node.outputs[0], tape.constant(0.0), tape.constant(1.0), alpha)


def _hard_swish(tape: Tape, node: Node) -> str:
    x = node.inputs[0]
    sloped = tape.add("Mul", x, tape.constant(1 / 3))
    sloped = tape.add("Add", sloped, tape.constant(0.5))
    ends = tape.constant(-3.0), tape.constant(3.0)
    above = _where(tape, tape.add("Less", x, ends[1]), 0.0, 1.0)
    return tape.add("Add", _between(tape, x, *ends, sloped), above)


def _clip(tape: Tape, node: Node) -> str:
    """1 at the bounds themselves, as torch has it."""
    x, outside = node.inputs[0], []
    for index, comparison in ((1, "Less"), (2, "Greater")):
        if len(node.inputs) > index and node.inputs[index]:
            outside.append(tape.add(comparison, x, node.inputs[index]))
    if not outside:
        return tape.constant(1.0)
    beyond = outside[0] if len(outside) == 1 else tape.add("Or", *outside)
    return _where(tape, beyond, 0.0, 1.0)


FACTORS: Mapping[str, Factor] = {
    "Abs": _abs,
    "Clip": _clip,
    "Cos": _cos,
    "Elu": _elu,
    "Erf": _erf,
    "Exp": _exp,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky,
    "Log": _log,
    "PRelu": _prelu,
    "Reciprocal": _reciprocal,
    "Sigmoid": _sigmoid,
    "Sin": _sin,
    "Softplus": _softplus,
    "Sqrt": _sqrt,
    "Tanh": _tanh,
}
