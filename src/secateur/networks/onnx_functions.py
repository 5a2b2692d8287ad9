"""Functions and methods of tensors as ONNX nodes.

Comes in: a `Sheet` and a node of the traced graph that calls a function of torch, torch.nn.functional or
operator, or a tensor's method. Goes out: the name of the tensor that it gives. Next: `onnx_graph` calls
them by the function's name.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from secateur.networks.onnx_layers import gelu, pad, silu
from secateur.networks.onnx_sheet import (
    Sheet,
    UnknownOperationError,
    argument,
    axes_of,
    kind_of,
    label,
    source,
)


def function_named(node: fx.Node) -> str | None:
    """The name under which a node's function stands in `FUNCTIONS`; None where it is another's."""
    if node.op == "call_method":
        return str(node.target)
    name = getattr(node.target, "__name__", "")
    rooms = (torch, functional, operator)
    return name if any(getattr(room, name, None) is node.target for room in rooms) else None


def layer_of(node: fx.Node, name: str) -> nn.Module | None:
    """A pooling function's call as the layer that does the same; None for other functions."""
    kind = _POOLS.get(name)
    if kind is None:
        return None
    told = {key: value for key, value in node.kwargs.items() if key != "input"}
    if len(node.args) > _ALIKE:  # functions and layers have the rest in another order
        raise UnknownOperationError(f"{name} with so many arguments by place")
    made: nn.Module = kind(*node.args[1:], **told)
    return made


def _simple(kind: str) -> Callable[[Sheet, fx.Node], str]:
    def write(sheet: Sheet, node: fx.Node) -> str:
        return sheet.add(kind, label(node), sheet.name(source(node)))

    return write


def _binary(kind: str) -> Callable[[Sheet, fx.Node], str]:
    def write(sheet: Sheet, node: fx.Node) -> str:
        if node.kwargs.keys() - {"input", "other"}:
            raise UnknownOperationError(f"{node.name} with {', '.join(node.kwargs)}")
        both = argument(node, 0, "input"), argument(node, 1, "other")
        return sheet.add(kind, label(node), *map(sheet.name, both))

    return write


def _square(sheet: Sheet, node: fx.Node) -> str:
    reads = sheet.name(source(node))
    return sheet.add("Mul", label(node), reads, reads)


def _power(sheet: Sheet, node: fx.Node) -> str:
    exponent = argument(node, 1, "exponent")
    if exponent == 2:
        return _square(sheet, node)
    return sheet.add("Pow", label(node), sheet.name(source(node)), sheet.name(exponent))


def _clamp(sheet: Sheet, node: fx.Node) -> str:
    ends = argument(node, 1, "min"), argument(node, 2, "max")
    names = ["" if end is None else sheet.name(end) for end in ends]
    return sheet.add("Clip", label(node), sheet.name(source(node)), *names)


def _reduced(kind: str, as_attribute: bool = True) -> Callable[[Sheet, fx.Node], str]:
    """A mean, sum or maximum along axes; ONNX 17 wants a sum's axes as an input."""

    def write(sheet: Sheet, node: fx.Node) -> str:
        told = argument(node, 1, "dim")
        if told is None:
            raise UnknownOperationError(f"{node.name} over everything")
        axes = axes_of(told, len(sheet.shape(source(node))))
        keep = int(bool(argument(node, 2, "keepdim", False)))
        name, reads = label(node), sheet.name(source(node))
        if as_attribute:
            return sheet.add(kind, name, reads, axes=axes, keepdims=keep)
        return sheet.add(
            kind, name, reads, sheet.store_integers(f"{name}.axes", axes), keepdims=keep
        )

    return write


def _variance(root: bool) -> Callable[[Sheet, fx.Node], str]:
    """Variance along axes, or its root: the mean square about the mean, times n / (n − correction)."""

    def write(sheet: Sheet, node: fx.Node) -> str:
        along, lengths = argument(node, 1, "dim"), sheet.shape(source(node))
        if along is None:
            raise UnknownOperationError(f"{node.name} over everything")
        axes = axes_of(along, len(lengths))
        correction = float(node.kwargs.get("correction", argument(node, 2, "unbiased", True)))
        count = math.prod(lengths[axis] for axis in axes)
        if count <= correction:
            raise UnknownOperationError(f"{node.name} of {count} numbers")
        keep = int(bool(argument(node, 3, "keepdim", False)))
        name, reads = label(node), sheet.name(source(node))
        mean = sheet.add("ReduceMean", f"{name}.mean", reads, axes=axes, keepdims=1)
        centred = sheet.add("Sub", f"{name}.centred", reads, mean)
        square = sheet.add("Mul", f"{name}.square", centred, centred)
        mean = sheet.add("ReduceMean", f"{name}.biased", square, axes=axes, keepdims=keep)
        factor = sheet.store(f"{name}.factor", np.asarray(count / (count - correction)))
        out = sheet.add("Mul", f"{name}.variance" if root else name, mean, factor)
        return sheet.add("Sqrt", name, out) if root else out

    return write


def _joined(sheet: Sheet, node: fx.Node) -> str:
    parts = argument(node, 0, "tensors")
    (axis,) = axes_of(argument(node, 1, "dim", 0), len(sheet.shape(node)))
    return sheet.add("Concat", label(node), *map(sheet.name, parts), axis=axis)


def _transposed(sheet: Sheet, node: fx.Node) -> str:
    dimensions = len(sheet.shape(node))
    order = list(range(dimensions))
    one, other = axes_of((argument(node, 1, "dim0"), argument(node, 2, "dim1")), dimensions)
    order[one], order[other] = other, one
    return sheet.add("Transpose", label(node), sheet.name(source(node)), perm=order)


def _permuted(sheet: Sheet, node: fx.Node) -> str:
    told: Any = node.kwargs.get("dims", node.args[1:])
    if len(told) == 1 and not isinstance(told[0], int):
        told = told[0]
    dimensions = len(sheet.shape(node))
    order = [int(axis) % dimensions for axis in told]
    if order[0] != 0:
        raise UnknownOperationError("permute that moves windows")
    return sheet.add("Transpose", label(node), sheet.name(source(node)), perm=order)


def _reshaped(sheet: Sheet, node: fx.Node) -> str:
    return sheet.reshape(node, sheet.name(source(node)))


def _same(sheet: Sheet, node: fx.Node) -> str:
    return sheet.name(source(node))


def _dropout(sheet: Sheet, node: fx.Node) -> str:
    if argument(node, 2, "training", True):
        raise UnknownOperationError("functional dropout that doesn't end with training")
    return sheet.name(source(node))


def _padded(sheet: Sheet, node: fx.Node) -> str:
    if argument(node, 2, "mode", "constant") != "constant":
        raise UnknownOperationError("pad that isn't constant")
    padding = [int(one) for one in argument(node, 1, "pad")]
    return pad(sheet, node, padding, float(argument(node, 3, "value") or 0.0))


def _softmax(kind: str) -> Callable[[Sheet, fx.Node], str]:
    def write(sheet: Sheet, node: fx.Node) -> str:
        # torch.softmax(input, dim), functional.softmax(input, dim)
        (axis,) = axes_of(argument(node, 1, "dim"), len(sheet.shape(node)))
        return sheet.add(kind, label(node), sheet.name(source(node)), axis=axis)

    return write


def _gelu(sheet: Sheet, node: fx.Node) -> str:
    return gelu(sheet, node, str(node.kwargs.get("approximate", "none")))


def _sloped(kind: str, name: str, default: float) -> Callable[[Sheet, fx.Node], str]:
    def write(sheet: Sheet, node: fx.Node) -> str:
        slope = float(argument(node, 1, name, default))
        return sheet.add(kind, label(node), sheet.name(source(node)), alpha=slope)

    return write


def _taken(sheet: Sheet, node: fx.Node) -> str:
    """Indexing by slices and numbers; axes that a number takes away are reshaped away."""
    told: Any = node.args[1]
    if not isinstance(sheet.value(source(node)), torch.Tensor):
        raise UnknownOperationError(kind_of(source(node), sheet.graph))
    parts = list(told) if isinstance(told, tuple) else [told]
    lengths = sheet.shape(source(node))
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(lengths) - len(parts) + 1)
    if not parts or parts[0] != slice(None):
        raise UnknownOperationError("indexing of windows")
    taken: dict[int, slice] = {}
    for axis, part in enumerate(parts):
        if isinstance(part, int):
            begin = part % lengths[axis]
            chosen = range(begin, begin + 1)
        elif isinstance(part, slice) and (part.step is None or part.step > 0):
            chosen = range(*part.indices(lengths[axis]))
        else:
            raise UnknownOperationError(f"indexing by {part!r}")
        if part != slice(None):
            taken[axis] = slice(chosen.start, chosen.stop, chosen.step)
    name, out = label(node), sheet.name(source(node))
    if taken:
        out = sheet.slice(f"{name}.slice", out, taken)
    if any(isinstance(part, int) for part in parts):
        return sheet.reshape(node, out)
    return out


_POOLS: dict[str, Any] = {
    "max_pool1d": nn.MaxPool1d,
    "max_pool2d": nn.MaxPool2d,
    "avg_pool1d": nn.AvgPool1d,
    "avg_pool2d": nn.AvgPool2d,
    "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d,
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
    "adaptive_max_pool1d": nn.AdaptiveMaxPool1d,
}
_ALIKE = 4

_IN_PLACE = {"relu": "relu_", "add": "iadd", "mul": "imul", "sub": "isub", "truediv": "itruediv"}

FUNCTIONS: dict[str, Callable[[Sheet, fx.Node], str]] = {
    "relu": _simple("Relu"),
    "sigmoid": _simple("Sigmoid"),
    "tanh": _simple("Tanh"),
    "hardswish": _simple("HardSwish"),
    "log": _simple("Log"),
    "exp": _simple("Exp"),
    "sqrt": _simple("Sqrt"),
    "abs": _simple("Abs"),
    "neg": _simple("Neg"),
    "elu": _sloped("Elu", "alpha", 1.0),
    "leaky_relu": _sloped("LeakyRelu", "negative_slope", 0.01),
    "gelu": _gelu,
    "silu": silu,
    "softmax": _softmax("Softmax"),
    "log_softmax": _softmax("LogSoftmax"),
    "add": _binary("Add"),
    "sub": _binary("Sub"),
    "mul": _binary("Mul"),
    "multiply": _binary("Mul"),
    "div": _binary("Div"),
    "truediv": _binary("Div"),
    "matmul": _binary("MatMul"),
    "bmm": _binary("MatMul"),
    "square": _square,
    "pow": _power,
    "clamp": _clamp,
    "mean": _reduced("ReduceMean"),
    "sum": _reduced("ReduceSum", as_attribute=False),
    "amax": _reduced("ReduceMax"),
    "var": _variance(root=False),
    "std": _variance(root=True),
    "cat": _joined,
    "concat": _joined,
    "transpose": _transposed,
    "permute": _permuted,
    "flatten": _reshaped,
    "unflatten": _reshaped,
    "reshape": _reshaped,
    "view": _reshaped,
    "squeeze": _reshaped,
    "unsqueeze": _reshaped,
    "contiguous": _same,
    "detach": _same,
    "clone": _same,
    "dropout": _dropout,
    "pad": _padded,
    "getitem": _taken,
}
"""What is written for each function or method, by its name."""
FUNCTIONS |= {second: FUNCTIONS[first] for first, second in _IN_PLACE.items()}
