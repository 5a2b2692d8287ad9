"""How each operation but convolution is written as ONNX: a layer's call or a function's, by the same words.

Each of these takes the `OnnxGraph` and a node of the traced network, puts its nodes and weights there and
returns the name of the tensor that it gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, fx, nn

from secateur.networks.onnx_convolutions import factor_and_shift
from secateur.networks.onnx_graph import (
    OnnxGraph,
    UnknownOperationError,
    argument,
    axes_of,
    label,
    source,
    values,
)
from secateur.networks.tracing import kind_of

Write = Callable[[OnnxGraph, fx.Node], str]


def _reads(graph: OnnxGraph, node: fx.Node) -> str:
    return graph.name(source(node))


def plain(kind: str) -> Write:
    """One ONNX node without settings."""
    return lambda graph, node: graph.add(kind, label(node), _reads(graph, node))


def same(graph: OnnxGraph, node: fx.Node) -> str:
    """What does nothing once training is over."""
    return _reads(graph, node)


def dropout(graph: OnnxGraph, node: fx.Node) -> str:
    """Nothing, where it ends with training."""
    if node.op != "call_module" and argument(node, 2, "training", True):
        raise UnknownOperationError("functional dropout that doesn't end with training")
    return _reads(graph, node)


def reshaped(graph: OnnxGraph, node: fx.Node) -> str:
    """A flatten, a squeeze or any other new shape of the same numbers."""
    return graph.reshape(node, _reads(graph, node))


def linear(graph: OnnxGraph, node: fx.Node) -> str:
    """A linear layer: Gemm for rows, a product and a sum for more axes."""
    layer = graph.layer(node)
    name, before, weight = label(node), _reads(graph, node), values(layer.weight)
    bias = [] if layer.bias is None else [values(layer.bias)]
    if len(graph.shape(node)) == 2:
        stored = [graph.store(f"{name}.weight", weight)]
        stored += [graph.store(f"{name}.bias", numbers) for numbers in bias]
        return graph.add("Gemm", name, before, *stored, transB=1)
    stored = [graph.store(f"{name}.weight", weight.T)]
    if not bias:
        return graph.add("MatMul", name, before, *stored)
    product = graph.add("MatMul", f"{name}.product", before, *stored)
    return graph.add("Add", name, product, graph.store(f"{name}.bias", bias[0]))


def batch_norm(graph: OnnxGraph, node: fx.Node) -> str:
    """BatchNorm that stands behind no convolution: a factor and a shift."""
    factor, shift = factor_and_shift(graph.layer(node))
    shape, name = (-1, *[1] * (len(graph.shape(node)) - 2)), label(node)
    scaled = graph.add(
        "Mul",
        f"{name}.scaled",
        _reads(graph, node),
        graph.store(f"{name}.factor", factor.reshape(shape)),
    )
    return graph.add("Add", name, scaled, graph.store(f"{name}.shift", shift.reshape(shape)))


def layer_norm(graph: OnnxGraph, node: fx.Node) -> str:
    """LayerNorm over the last axes; without weights, by ones."""
    layer = graph.layer(node)
    name, shape = label(node), tuple(layer.normalized_shape)
    ones = np.ones(shape) if layer.weight is None else values(layer.weight)
    stored = [_reads(graph, node), graph.store(f"{name}.weight", ones)]
    if layer.bias is not None:
        stored.append(graph.store(f"{name}.bias", values(layer.bias)))
    axis = -len(shape)
    return graph.add("LayerNormalization", name, *stored, axis=axis, epsilon=layer.eps)


def prelu(graph: OnnxGraph, node: fx.Node) -> str:
    """PReLU with one slope or one a feature map."""
    name = label(node)
    slope = values(graph.layer(node).weight).reshape(-1, *[1] * (len(graph.shape(node)) - 2))
    return graph.add("PRelu", name, _reads(graph, node), graph.store(f"{name}.slope", slope))


def sloped(kind: str, setting: str, default: float) -> Write:
    """An activation with one setting, `alpha` in ONNX."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        slope = float(graph.setting(node, 1, setting, default))
        return graph.add(kind, label(node), _reads(graph, node), alpha=slope)

    return write


def bounded(low: float, high: float) -> Write:
    """Hardtanh, ReLU6: numbers outside of two bounds are put onto them."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        name = label(node)
        six = kind_of(node, graph.traced) == "relu6"  # its second argument is no bound
        bounds = (
            ("min", low if six else graph.setting(node, 1, "min_val", low)),
            ("max", high if six else graph.setting(node, 2, "max_val", high)),
        )
        ends = [graph.store(f"{name}.{end}", np.asarray(float(number))) for end, number in bounds]
        return graph.add("Clip", name, _reads(graph, node), *ends)

    return write


def gelu(graph: OnnxGraph, node: fx.Node) -> str:
    """x·Φ(x); D. Hendrycks and K. Gimpel, arXiv 1606.08415, exactly or by tanh."""
    name, reads = label(node), _reads(graph, node)

    def by(kind: str, tag: str, before: str, number: float) -> str:
        factor = graph.store(f"{name}.{tag}.by", np.asarray(number))
        return graph.add(kind, f"{name}.{tag}", before, factor)

    if graph.setting(node, 1, "approximate", "none") == "none":
        raised = graph.add("Erf", f"{name}.erf", by("Mul", "scaled", reads, math.sqrt(0.5)))
    else:
        cubed = by("Pow", "cubed", reads, 3.0)
        inner = graph.add("Add", f"{name}.sum", reads, by("Mul", "small", cubed, 0.044715))
        raised = graph.add(
            "Tanh", f"{name}.tanh", by("Mul", "scaled", inner, math.sqrt(2 / math.pi))
        )
    half = by("Mul", "half", reads, 0.5)
    return graph.add("Mul", name, half, by("Add", "one", raised, 1.0))


def silu(graph: OnnxGraph, node: fx.Node) -> str:
    """x·σ(x)."""
    name, reads = label(node), _reads(graph, node)
    return graph.add("Mul", name, reads, graph.add("Sigmoid", f"{name}.sigmoid", reads))


def softplus(graph: OnnxGraph, node: fx.Node) -> str:
    """log(1 + eˣ), without a scale of its own."""
    if graph.setting(node, 1, "beta", 1) != 1:
        raise UnknownOperationError("Softplus with a beta of its own")
    return graph.add("Softplus", label(node), _reads(graph, node))


def hard_sigmoid(graph: OnnxGraph, node: fx.Node) -> str:
    """max(0, min(1, x / 6 + ½))."""
    return graph.add("HardSigmoid", label(node), _reads(graph, node), alpha=1 / 6, beta=0.5)


def softmax(kind: str) -> Write:
    """Softmax or its logarithm along one axis."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        dim = graph.setting(node, 1, "dim")
        if dim is None:
            raise UnknownOperationError(f"{kind} without dim")
        (axis,) = axes_of(dim, len(graph.shape(node)))
        return graph.add(kind, label(node), _reads(graph, node), axis=axis)

    return write


def binary(kind: str) -> Write:
    """An operation of two tensors, or of one and a number."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        if node.kwargs.keys() - {"input", "other"}:
            raise UnknownOperationError(f"{node.name} with {', '.join(node.kwargs)}")
        both = argument(node, 0, "input"), argument(node, 1, "other")
        return graph.add(kind, label(node), *map(graph.name, both))

    return write


def square(graph: OnnxGraph, node: fx.Node) -> str:
    """x·x."""
    reads = _reads(graph, node)
    return graph.add("Mul", label(node), reads, reads)


def power(graph: OnnxGraph, node: fx.Node) -> str:
    """A power; the second is a product."""
    exponent = argument(node, 1, "exponent")
    if exponent == 2:
        return square(graph, node)
    return graph.add("Pow", label(node), _reads(graph, node), graph.name(exponent))


def clamp(graph: OnnxGraph, node: fx.Node) -> str:
    """Bounds, of which either may be left out."""
    ends = argument(node, 1, "min"), argument(node, 2, "max")
    names = ["" if end is None else graph.name(end) for end in ends]
    return graph.add("Clip", label(node), _reads(graph, node), *names)


def max_pool(graph: OnnxGraph, node: fx.Node) -> str:
    """The largest of neighbours; a ReLU behind it goes before it, where a convolution stands before both."""
    layer = graph.layer(node)
    if layer.return_indices or layer.ceil_mode:
        raise UnknownOperationError(f"{kind_of(node, graph.traced)} with indices or ceil_mode")
    attributes = _window(graph, node)
    dilation = _several(layer.dilation, attributes["kernel_shape"])
    if set(dilation) != {1}:
        attributes["dilations"] = dilation
    name, before = label(node), _reads(graph, node)
    relu = graph.relu_behind(node)
    if relu is not None and graph.operator_of(before) == "Conv":
        # ReLU never falls, so it may go first; runtimes make one of a convolution and the ReLU behind it
        before = graph.add("Relu", label(relu), before)
    else:
        relu = None
    out = before
    if not set(attributes["kernel_shape"]) == {1} == set(attributes["strides"]):
        out = graph.add("MaxPool", name, before, **attributes)
    if relu is not None:
        graph.names[relu] = out
    return out


def average_pool(graph: OnnxGraph, node: fx.Node) -> str:
    """The mean of neighbours."""
    layer = graph.layer(node)
    if layer.ceil_mode or getattr(layer, "divisor_override", None):
        kind = kind_of(node, graph.traced)
        raise UnknownOperationError(f"{kind} with ceil_mode or a divisor of its own")
    attributes = _window(graph, node) | {"count_include_pad": int(layer.count_include_pad)}
    return graph.add("AveragePool", label(node), _reads(graph, node), **attributes)


def _window(graph: OnnxGraph, node: fx.Node) -> dict[str, Any]:
    layer = graph.layer(node)
    size = _several(layer.kernel_size, [0] * (len(graph.shape(node)) - 2))
    stride = _several(layer.kernel_size if layer.stride is None else layer.stride, size)
    padding = _several(layer.padding, size)
    pads = {"pads": [*padding, *padding]} if any(padding) else {}
    return {"kernel_shape": size, "strides": stride, **pads}


def _several(setting: int | tuple[int, ...], like: list[int]) -> list[int]:
    """A layer's setting for each of its dimensions."""
    return [setting] * len(like) if isinstance(setting, int) else list(setting)


def adaptive(kind: str) -> Write:
    """Pooling to a length that is told: of everything, or of equal parts."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        before, after = graph.shape(source(node))[2:], graph.shape(node)[2:]
        name, reads = label(node), _reads(graph, node)
        if set(after) == {1}:
            return graph.add(f"Global{kind}Pool", name, reads)
        if any(long % short for long, short in zip(before, after, strict=True)):
            raise UnknownOperationError(f"{kind_of(node, graph.traced)} of unequal parts")
        parts = [long // short for long, short in zip(before, after, strict=True)]
        return graph.add(f"{kind}Pool", name, reads, kernel_shape=parts, strides=parts)

    return write


def as_layer(node: fx.Node, layer: Callable[..., nn.Module]) -> nn.Module:
    """A pooling function's call as the layer that does the same."""
    if len(node.args) > 4:  # functions and layers have the rest in another order
        raise UnknownOperationError(f"{node.name} with so many arguments by position")
    settings = {key: value for key, value in node.kwargs.items() if key != "input"}
    return layer(*node.args[1:], **settings)


def padded(graph: OnnxGraph, node: fx.Node) -> str:
    """Constant padding, told as torch does: before and after, last dimension first; below 0 it crops."""
    name, dimensions = label(node), len(graph.shape(node))
    if node.op == "call_module":
        layer = graph.layer(node)
        padding = _several(layer.padding, [0] * (2 * dimensions - 4))
        value = float(getattr(layer, "value", 0.0))
    else:
        if argument(node, 2, "mode", "constant") != "constant":
            raise UnknownOperationError("pad that isn't constant")
        padding = [int(width) for width in argument(node, 1, "pad")]
        value = float(argument(node, 3, "value") or 0.0)
    lengths, reads = graph.shape(source(node)), _reads(graph, node)
    before, after = [0] * dimensions, [0] * dimensions
    for position in range(len(padding) // 2):
        before[-1 - position], after[-1 - position] = padding[2 * position : 2 * position + 2]
    cropped = {
        axis: slice(max(0, -before[axis]), lengths[axis] + min(0, after[axis]), 1)
        for axis in range(dimensions)
        if min(before[axis], after[axis]) < 0
    }
    widths = [max(0, width) for width in before + after]
    if cropped:
        reads = graph.slice(f"{name}.cropped" if any(widths) else name, reads, cropped)
        if not any(widths):
            return reads
    pads = graph.store_integers(f"{name}.pads", widths)
    constant = graph.store(f"{name}.value", np.asarray(value))
    return graph.add("Pad", name, reads, pads, constant)


def reduced(kind: str, as_attribute: bool = True) -> Write:
    """A mean, sum or maximum along axes; ONNX 17 wants a sum's axes as an input."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        axes, keep, name, reads = *_reduction(graph, node, 2), label(node), _reads(graph, node)
        if as_attribute:
            return graph.add(kind, name, reads, axes=axes, keepdims=keep)
        stored = graph.store_integers(f"{name}.axes", axes)
        return graph.add(kind, name, reads, stored, keepdims=keep)

    return write


def variance(root: bool) -> Write:
    """Variance along axes, or its root: the mean square about the mean, times n / (n − correction)."""

    def write(graph: OnnxGraph, node: fx.Node) -> str:
        axes, keep = _reduction(graph, node, 3)
        correction = float(node.kwargs.get("correction", argument(node, 2, "unbiased", True)))
        count = math.prod(graph.shape(source(node))[axis] for axis in axes)
        if count <= correction:
            raise UnknownOperationError(f"{node.name} of {count} numbers")
        name, reads = label(node), _reads(graph, node)
        mean = graph.add("ReduceMean", f"{name}.mean", reads, axes=axes, keepdims=1)
        centred = graph.add("Sub", f"{name}.centred", reads, mean)
        squares = graph.add("Mul", f"{name}.square", centred, centred)
        mean = graph.add("ReduceMean", f"{name}.biased", squares, axes=axes, keepdims=keep)
        factor = graph.store(f"{name}.factor", np.asarray(count / (count - correction)))
        out = graph.add("Mul", f"{name}.variance" if root else name, mean, factor)
        return graph.add("Sqrt", name, out) if root else out

    return write


def _reduction(graph: OnnxGraph, node: fx.Node, keepdim_at: int) -> tuple[list[int], int]:
    """The axes that are reduced, and whether they stay with length 1."""
    dim = argument(node, 1, "dim")
    if dim is None:
        raise UnknownOperationError(f"{node.name} over everything")
    keep = int(bool(argument(node, keepdim_at, "keepdim", False)))
    return axes_of(dim, len(graph.shape(source(node)))), keep


def joined(graph: OnnxGraph, node: fx.Node) -> str:
    """Tensors one behind the other along an axis."""
    parts = argument(node, 0, "tensors")
    (axis,) = axes_of(argument(node, 1, "dim", 0), len(graph.shape(node)))
    return graph.add("Concat", label(node), *map(graph.name, parts), axis=axis)


def transposed(graph: OnnxGraph, node: fx.Node) -> str:
    """Two axes in each other's position."""
    dimensions = len(graph.shape(node))
    order = list(range(dimensions))
    first, second = axes_of((argument(node, 1, "dim0"), argument(node, 2, "dim1")), dimensions)
    order[first], order[second] = second, first
    return graph.add("Transpose", label(node), _reads(graph, node), perm=order)


def permuted(graph: OnnxGraph, node: fx.Node) -> str:
    """All axes in another order, that of windows first."""
    dims: Any = node.kwargs.get("dims", node.args[1:])
    if len(dims) == 1 and not isinstance(dims[0], int):
        dims = dims[0]
    order = [int(axis) % len(graph.shape(node)) for axis in dims]
    if order[0] != 0:
        raise UnknownOperationError("permute that moves windows")
    return graph.add("Transpose", label(node), _reads(graph, node), perm=order)


def indexed(graph: OnnxGraph, node: fx.Node) -> str:
    """Indexing by slices and numbers; axes that a number takes away are reshaped away."""
    index: Any = node.args[1]
    if not isinstance(graph.value(source(node)), Tensor):
        raise UnknownOperationError(kind_of(source(node), graph.traced))
    parts = list(index) if isinstance(index, tuple) else [index]
    lengths = graph.shape(source(node))
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(lengths) - len(parts) + 1)
    if not parts or parts[0] != slice(None):
        raise UnknownOperationError("indexing of windows")
    slices: dict[int, slice] = {}
    for axis, part in enumerate(parts):
        if isinstance(part, int):
            begin = part % lengths[axis]
            chosen = range(begin, begin + 1)
        elif isinstance(part, slice) and (part.step is None or part.step > 0):
            chosen = range(*part.indices(lengths[axis]))
        else:
            raise UnknownOperationError(f"indexing by {part!r}")
        if part != slice(None):
            slices[axis] = slice(chosen.start, chosen.stop, chosen.step)
    name, out = label(node), _reads(graph, node)
    if slices:
        out = graph.slice(f"{name}.slice", out, slices)
    return graph.reshape(node, out) if any(isinstance(part, int) for part in parts) else out
