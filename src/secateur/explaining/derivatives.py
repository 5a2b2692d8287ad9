"""The derivative of each operator on the list of which detectors consist, written as ONNX nodes.

Each rule is called with the tape, a node and the gradient of its first output, and puts the gradients of
those inputs that depend on the window. Rules read forward results where that is less than computing again.
Definitions of the operators: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import Node
from secateur.detectors.network.shapes import ConvGeometry, Shape, axes_of, geometry_of
from secateur.explaining.pointwise import FACTORS, Factor
from secateur.explaining.rearranging import REARRANGING
from secateur.explaining.tape import Gradient, Rule, Tape, no_gradient, numbers_in

_ADDING_OPSET = 16
"""From it on ScatterElements can add."""
_MOST_WASTED = 2.0
"""A convolution over padded gradients multiplies so many times more than a transposed one, and is faster."""


def _multiplied(factor: Factor) -> Rule:
    """The rule of an operator on each number by itself."""

    def rule(tape: Tape, node: Node, gradient: Gradient) -> None:
        tape.put(node.inputs[0], tape.times(gradient, factor(tape, node), node.inputs[0]))

    return rule


def _neg(tape: Tape, node: Node, gradient: Gradient) -> None:
    tape.put(node.inputs[0], tape.scaled(gradient, -1.0))


def _moving(tape: Tape, node: Node) -> list[int]:
    return [k for k, name in enumerate(node.inputs) if name in tape.moving]


def _add(tape: Tape, node: Node, gradient: Gradient) -> None:
    for index in _moving(tape, node):
        sign = -1.0 if node.kind == "Sub" and index == 1 else 1.0
        tape.put(node.inputs[index], tape.scaled(_spread(tape, node, gradient), sign))


def _spread(tape: Tape, node: Node, gradient: Gradient) -> Gradient:
    """The gradient as wide as the output of `node`, where an input of it is to be summed over."""
    out = node.outputs[0]
    moving = [node.inputs[k] for k in _moving(tape, node)]
    narrow = any(tape.shape(name) != tape.shape(out) for name in moving)
    return tape.wide(out, gradient) if narrow else gradient


def _mul(tape: Tape, node: Node, gradient: Gradient) -> None:
    gradient, out = _spread(tape, node, gradient), node.outputs[0]
    for index in _moving(tape, node):
        other = node.inputs[1 - index]
        if numbers_in(tape.shape(other)) == 1 and other not in tape.moving:
            wide = Gradient(tape.add("Mul", gradient.name, other), gradient.shape, gradient.batched)
        else:
            wide = tape.times(tape.wide(out, gradient), other, out)
        tape.put(node.inputs[index], wide)


def _div(tape: Tape, node: Node, gradient: Gradient) -> None:
    out, (above, below) = node.outputs[0], node.inputs
    shape = tape.shape(out)
    share = tape.add("Div", tape.full(out, gradient), below)
    if above in tape.moving:
        tape.put(above, Gradient(share, shape))
    if below in tape.moving:
        tape.put(below, Gradient(tape.add("Neg", tape.add("Mul", share, out)), shape))


def _pow(tape: Tape, node: Node, gradient: Gradient) -> None:
    power = tape.value(node, 1)
    if power.size != 1:
        raise no_gradient("Pow with several exponents")
    x, exponent = node.inputs[0], float(power.reshape(-1)[0])
    raised = tape.add("Pow", x, tape.constant(exponent - 1))
    factor = tape.add("Mul", raised, tape.constant(exponent))
    tape.put(x, tape.times(gradient, factor, x))


def _shared_maximum(tape: Tape, masks: list[str]) -> list[str]:
    """Of each mask of the largest its share, where several are equal."""
    if len(masks) == 1:
        return masks
    count = tape.add("Sum", *masks)
    return [tape.add("Div", mask, count) for mask in masks]


def _max(tape: Tape, node: Node, gradient: Gradient) -> None:
    out = node.outputs[0]
    equal = (tape.add("Equal", name, out) for name in node.inputs)
    shares = _shared_maximum(tape, [tape.add("Cast", mask, to=1) for mask in equal])
    wide = tape.wide(out, gradient)
    for index in _moving(tape, node):
        tape.put(node.inputs[index], tape.times(wide, shares[index], out))


def _conv(tape: Tape, node: Node, gradient: Gradient) -> None:
    if _moving(tape, node) != [0]:
        raise no_gradient("a convolution whose kernels depend on the window")
    x, out = node.inputs[0], node.outputs[0]
    geometry, weight = geometry_of(node, tape.sizes.shapes), tape.value(node, 1)
    groups = node.integer("group", 1)
    wide = tape.full(out, gradient)
    before, after = tape.shape(x)[2:], tape.shape(out)[2:]
    if is_turned(geometry, before, after):
        name = tape.add(
            "Conv",
            wide,
            tape.constant(_turned(weight, groups)),
            group=groups,
            dilations=geometry.dilations,
            pads=_pads_of_turned(geometry),
        )
    else:
        name = _transposed(tape, (wide, tape.constant(weight)), geometry, groups, before, after)
    tape.put(x, Gradient(name, tape.shape(x)))


def is_turned(geometry: ConvGeometry, before: Shape, after: Shape) -> bool:
    """Whether the gradient of a convolution from lengths `before` to `after` is one with its kernels turned.

    That goes over zeros at the ends, and is faster all the same than a transposed one, unless they are many.
    """
    plain = set(geometry.strides) == {1} and min(_pads_of_turned(geometry)) >= 0
    return plain and math.prod(before) <= _MOST_WASTED * math.prod(after)


def _pads_of_turned(geometry: ConvGeometry) -> Shape:
    """Begins, then ends."""
    spans = [(k - 1) * d for k, d in zip(geometry.sizes, geometry.dilations, strict=True)]
    sides = (geometry.begin, geometry.end)
    return tuple(span - pad for side in sides for span, pad in zip(spans, side, strict=True))


def _turned(weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """Kernels of the convolution that gives the gradient: inputs and outputs swapped, time turned."""
    out, into, *lengths = weight.shape
    parts = weight.reshape(groups, out // groups, into, *lengths).swapaxes(1, 2)
    turned = parts.reshape(groups * into, out // groups, *lengths)
    return np.ascontiguousarray(np.flip(turned, axis=tuple(range(2, turned.ndim))))


def _transposed(
    tape: Tape,
    inputs: tuple[str, str],
    geometry: ConvGeometry,
    groups: int,
    before: tuple[int, ...],
    after: tuple[int, ...],
) -> str:
    """A transposed convolution of `inputs`, gradient and kernels, from lengths `after` to `before`."""
    axes = zip(
        before,
        after,
        geometry.begin,
        geometry.end,
        geometry.sizes,
        geometry.dilations,
        geometry.strides,
        strict=True,
    )
    padding = tuple(n + b + e - (k - 1) * d - 1 - (m - 1) * s for n, m, b, e, k, d, s in axes)
    return tape.add(
        "ConvTranspose",
        *inputs,
        group=groups,
        dilations=geometry.dilations,
        strides=geometry.strides,
        pads=(*geometry.begin, *geometry.end),
        output_padding=padding,
    )


def _relu(tape: Tape, node: Node, gradient: Gradient) -> None:
    """What came through. Where only pools read it, they have looked already: see `_max_pool`."""
    if not _pooled_alone(tape, node):
        gradient = tape.times(gradient, _passed(tape, node.outputs[0]), node.inputs[0])
    tape.put(node.inputs[0], gradient)


def _pooled_alone(tape: Tape, relu: Node) -> bool:
    """Whether nothing but pools reads what ReLU gives."""
    (out,) = relu.outputs
    kinds = {reader.kind for reader in tape.readers(out)}
    return kinds == {"MaxPool"} and out not in tape.graph.outputs


def _passed(tape: Tape, tensor: str) -> str:
    """1 where ReLU let something through, else 0; the runtime takes longer for Sign, and for Where."""
    return tape.add("Cast", tape.add("Greater", tensor, tape.constant(0.0)), to=1)


def _max_pool(tape: Tape, node: Node, gradient: Gradient) -> None:
    """Where each largest value stood, as the runtime itself tells: of equal ones the first."""
    x, out = node.inputs[0], node.outputs[0]
    if node.integer("storage_order", 0) or len(node.outputs) > 1:
        raise no_gradient("MaxPool that gives positions itself")
    positions = tape.new_name()
    index = next(k for k, other in enumerate(tape.forward) if other.outputs == node.outputs)
    tape.forward[index] = replace(node, outputs=(out, positions))
    maker = tape.maker(x)
    if maker is not None and maker.kind == "Relu" and _pooled_alone(tape, maker):
        # the largest of what ReLU gives passed it or is 0: there are fewer of these to look at
        gradient = tape.times(gradient, _passed(tape, out), out)
    geometry, wide = geometry_of(node, tape.sizes.shapes), tape.full(out, gradient)
    settings = {"kernel_shape": geometry.sizes, "strides": geometry.strides}
    if all(s >= k for s, k in zip(geometry.strides, geometry.sizes, strict=True)):
        shape = tape.add("Shape", x)
        name = tape.add("MaxUnpool", wide, positions, shape, **settings)
    elif tape.graph.opset < _ADDING_OPSET:
        raise no_gradient(f"MaxPool that overlaps, in operator set {tape.graph.opset}")
    else:
        zeros, places, values = (
            tape.add("Reshape", tensor, tape.integers(-1))
            for tensor in (tape.zeros(x), positions, wide)
        )
        spread = tape.add("ScatterElements", zeros, places, values, reduction="add")
        name = tape.add("Reshape", spread, tape.target(x))
    tape.put(x, Gradient(name, tape.shape(x)))


def _average_pool(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, out = node.inputs[0], node.outputs[0]
    geometry = geometry_of(node, tape.sizes.shapes)
    before, after = tape.shape(x)[2:], tape.shape(out)[2:]
    wide, maps = tape.full(out, gradient), tape.shape(x)[1]
    weight = np.full((maps, 1, *geometry.sizes), 1 / math.prod(geometry.sizes), dtype=np.float32)
    if not node.integer("count_include_pad", 0) and any((*geometry.begin, *geometry.end)):
        factors = _counted(geometry, before, after)
        wide = tape.add("Mul", wide, tape.constant(math.prod(geometry.sizes) / factors))
    inputs = wide, tape.constant(weight)
    name = _transposed(tape, inputs, geometry, maps, before, after)
    tape.put(x, Gradient(name, tape.shape(x)))


def _counted(
    geometry: ConvGeometry, before: tuple[int, ...], after: tuple[int, ...]
) -> NDArray[np.float64]:
    """How many numbers that are no padding each mean is over."""
    counts = np.ones((), dtype=np.float64)
    for axis, (length, outputs) in enumerate(zip(before, after, strict=True)):
        starts = np.arange(outputs) * geometry.strides[axis] - geometry.begin[axis]
        reached = starts[:, None] + np.arange(geometry.sizes[axis]) * geometry.dilations[axis]
        inside = ((reached >= 0) & (reached < length)).sum(axis=1)
        counts = counts[..., None] * inside
    return counts


def _global_average(tape: Tape, node: Node, gradient: Gradient) -> None:
    tape.put(node.inputs[0], tape.scaled(gradient, 1 / numbers_in(tape.shape(node.inputs[0])[2:])))


def _global_max(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, out = node.inputs[0], node.outputs[0]
    lead = tape.shape(x)[:2]
    flat = tape.add("Reshape", x, tape.integers(0, 0, -1))
    first = tape.add("ArgMax", flat, axis=2, keepdims=1)
    wide = tape.add("Reshape", tape.full(out, gradient), tape.integers(-1, lead[1], 1))
    zeros = tape.add("ConstantOfShape", tape.add("Shape", flat), value=np.zeros(1, "<f4"))
    spread = tape.add("ScatterElements", zeros, first, wide, axis=2)
    tape.put(x, Gradient(tape.add("Reshape", spread, tape.target(x)), tape.shape(x)))


def _reduced_axes(tape: Tape, node: Node) -> list[int]:
    return axes_of(node, tape.value, len(tape.shape(node.inputs[0])))


def _with_axes_kept(tape: Tape, node: Node, gradient: Gradient, axes: list[int]) -> Gradient:
    """The gradient of what a reduction gave, with length 1 on the axes that it reduced."""
    if node.integer("keepdims", 1):
        return gradient
    name = tape.add("Unsqueeze", gradient.name, tape.integers(*axes))
    rest = iter(gradient.shape)
    rank = len(tape.shape(node.inputs[0]))
    shape = tuple(1 if axis in axes else next(rest) for axis in range(rank))
    return Gradient(name, shape, gradient.batched)


def _reduce(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, axes = node.inputs[0], _reduced_axes(tape, node)
    kept = _with_axes_kept(tape, node, gradient, axes)
    count = numbers_in(tuple(tape.shape(x)[axis] for axis in axes))
    tape.put(x, tape.scaled(kept, 1 / count if node.kind == "ReduceMean" else 1.0))


def _reduce_max(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, axes = node.inputs[0], _reduced_axes(tape, node)
    kept = _with_axes_kept(tape, node, gradient, axes)
    largest = tape.add("ReduceMax", x, **_axes_attribute(tape, node, axes))
    mask = tape.add("Cast", tape.add("Equal", x, largest), to=1)
    count = tape.add("ReduceSum", mask, tape.integers(*axes), keepdims=1)
    tape.put(x, tape.times(kept, tape.add("Div", mask, count), x))


def _axes_attribute(tape: Tape, node: Node, axes: list[int]) -> dict[str, Any]:
    if len(node.inputs) > 1:
        raise no_gradient("ReduceMax with axes as an input")
    return {"axes": tuple(axes), "keepdims": 1}


def _turn_last(tape: Tape, name: str, rank: int) -> str:
    """A matrix product's operand with its last two axes swapped."""
    if name in tape.sizes.values:
        return tape.constant(np.swapaxes(tape.sizes.values[name], -1, -2))
    return tape.add("Transpose", name, perm=(*range(rank - 2), rank - 1, rank - 2))


def _matmul(tape: Tape, node: Node, gradient: Gradient) -> None:
    out, (left, right) = node.outputs[0], node.inputs
    wide = tape.full(out, gradient)
    ranks = [len(tape.shape(name)) for name in node.inputs]
    lead = tape.shape(out)[:-2]
    if left in tape.moving:
        name = tape.add("MatMul", wide, _turn_last(tape, right, ranks[1]))
        tape.put(left, Gradient(name, (*lead, *tape.shape(left)[-2:])))
    if right in tape.moving:
        name = tape.add("MatMul", _turn_last(tape, left, ranks[0]), wide)
        tape.put(right, Gradient(name, (*lead, *tape.shape(right)[-2:])))


def _gemm(tape: Tape, node: Node, gradient: Gradient) -> None:
    if _moving(tape, node) != [0] or node.integer("transA", 0):
        raise no_gradient("Gemm whose weights depend on the window")
    x, weight = node.inputs[0], tape.value(node, 1)
    weight = weight if node.integer("transB", 0) else weight.T
    name = tape.add("MatMul", gradient.name, tape.constant(weight * node.real("alpha", 1.0)))
    tape.put(x, Gradient(name, (gradient.shape[0], tape.shape(x)[1]), gradient.batched))


def _batch_norm(tape: Tape, node: Node, gradient: Gradient) -> None:
    if node.integer("training_mode", 0):
        raise no_gradient("BatchNormalization in training")
    x = node.inputs[0]
    scale, variance = tape.value(node, 1), tape.value(node, 4)
    factor = scale / np.sqrt(variance + node.real("epsilon", 1e-5))
    factor = factor.reshape(-1, *[1] * (len(tape.shape(x)) - 2))
    shape = np.broadcast_shapes(gradient.shape, (1, *factor.shape))
    name = tape.add("Mul", gradient.name, tape.constant(factor))
    tape.put(x, Gradient(name, shape, gradient.batched))


def _normalised(tape: Tape, node: Node, axes: list[int], scale: NDArray[Any]) -> Rule:
    """The rule of x → scale · (x − mean) / √(variance + ε), mean and variance over `axes`."""
    x = node.inputs[0]
    count = numbers_in(tuple(tape.shape(x)[axis] for axis in axes))

    def mean(name: str) -> str:
        total = tape.add("ReduceSum", name, tape.integers(*axes), keepdims=1)
        return tape.add("Mul", total, tape.constant(1 / count))

    def rule(tape: Tape, node: Node, gradient: Gradient) -> None:
        epsilon = node.real("epsilon", 1e-5)
        centred = tape.add("Sub", x, mean(x))
        variance = tape.add("Add", mean(tape.add("Mul", centred, centred)), tape.constant(epsilon))
        inverse = tape.add("Reciprocal", tape.add("Sqrt", variance))
        normal = tape.add("Mul", centred, inverse)
        wide = tape.add("Mul", tape.full(node.outputs[0], gradient), tape.constant(scale))
        along = tape.add("Mul", normal, mean(tape.add("Mul", wide, normal)))
        rest = tape.add("Sub", tape.add("Sub", wide, mean(wide)), along)
        tape.put(x, Gradient(tape.add("Mul", rest, inverse), tape.shape(x)))

    return rule


def _instance_norm(tape: Tape, node: Node, gradient: Gradient) -> None:
    rank = len(tape.shape(node.inputs[0]))
    scale = tape.value(node, 1).reshape(-1, *[1] * (rank - 2))
    _normalised(tape, node, list(range(2, rank)), scale)(tape, node, gradient)


def _layer_norm(tape: Tape, node: Node, gradient: Gradient) -> None:
    rank = len(tape.shape(node.inputs[0]))
    axes = list(range(node.integer("axis", -1) % rank, rank))
    _normalised(tape, node, axes, tape.value(node, 1))(tape, node, gradient)


def _softmax(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, y = node.inputs[0], node.outputs[0]
    axis = tape.integers(node.integer("axis", -1))
    wide = tape.full(y, gradient)
    if node.kind == "LogSoftmax":
        total = tape.add("ReduceSum", wide, axis, keepdims=1)
        name = tape.add("Sub", wide, tape.add("Mul", tape.add("Exp", y), total))
    else:
        weighted = tape.add("Mul", wide, y)
        total = tape.add("ReduceSum", weighted, axis, keepdims=1)
        name = tape.add("Sub", weighted, tape.add("Mul", y, total))
    tape.put(x, Gradient(name, tape.shape(x)))


RULES: Mapping[str, Rule] = {
    **REARRANGING,
    **{kind: _multiplied(factor) for kind, factor in FACTORS.items()},
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Div": _div,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax,
    "MatMul": _matmul,
    "Max": _max,
    "MaxPool": _max_pool,
    "Mul": _mul,
    "Neg": _neg,
    "Pow": _pow,
    "ReduceMax": _reduce_max,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "Relu": _relu,
    "Softmax": _softmax,
    "Sub": _add,
}
"""Of the list there are none for those in 8 bits, for recurrent layers, and for what gives settings."""
