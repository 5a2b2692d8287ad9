"""Layers as ONNX nodes.

Comes in: a `Sheet` and a node of the traced graph that runs a layer of torch.nn. Goes out: the name of the
tensor that the layer gives, its nodes and weights being on the sheet. Next: `onnx_graph` calls them by the
layer's class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateur.networks.onnx_convolutions import convolution, factor_and_shift
from secateur.networks.onnx_sheet import (
    Sheet,
    UnknownOperationError,
    kind_of,
    label,
    only_user,
    source,
    values,
)

NOTHING = ("Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "Identity")
"""Layers that do nothing once training is over."""
_RELU = ("ReLU", "relu", "relu_")


def _norm(sheet: Sheet, node: fx.Node) -> str:
    """BatchNorm that stands behind no convolution: a factor and a shift."""
    layer = sheet.module(node)
    assert isinstance(layer, _BatchNorm)
    factor, shift = factor_and_shift(layer)
    shape, name = (-1, *[1] * (len(sheet.shape(node)) - 2)), label(node)
    scaled = sheet.add(
        "Mul",
        f"{name}.scaled",
        sheet.name(source(node)),
        sheet.store(f"{name}.factor", factor.reshape(shape)),
    )
    return sheet.add("Add", name, scaled, sheet.store(f"{name}.shift", shift.reshape(shape)))


def _layer_norm(sheet: Sheet, node: fx.Node) -> str:
    layer = sheet.module(node)
    assert isinstance(layer, nn.LayerNorm)
    name, shape = label(node), tuple(layer.normalized_shape)
    ones = np.ones(shape) if layer.weight is None else values(layer.weight)
    stored = [sheet.name(source(node)), sheet.store(f"{name}.weight", ones)]
    if layer.bias is not None:
        stored.append(sheet.store(f"{name}.bias", values(layer.bias)))
    axis = -len(shape)
    return sheet.add("LayerNormalization", name, *stored, axis=axis, epsilon=layer.eps)


def _linear(sheet: Sheet, node: fx.Node) -> str:
    layer = sheet.module(node)
    assert isinstance(layer, nn.Linear)
    name, before, weight = label(node), sheet.name(source(node)), values(layer.weight)
    bias = [] if layer.bias is None else [values(layer.bias)]
    if len(sheet.shape(node)) == 2:
        stored = [sheet.store(f"{name}.weight", weight)]
        stored += [sheet.store(f"{name}.bias", one) for one in bias]
        return sheet.add("Gemm", name, before, *stored, transB=1)
    stored = [sheet.store(f"{name}.weight", weight.T)]
    if not bias:
        return sheet.add("MatMul", name, before, *stored)
    product = sheet.add("MatMul", f"{name}.product", before, *stored)
    return sheet.add("Add", name, product, sheet.store(f"{name}.bias", bias[0]))


def _max_pool(sheet: Sheet, node: fx.Node) -> str:
    layer: Any = sheet.module(node)
    if layer.return_indices or layer.ceil_mode:
        raise UnknownOperationError(f"{kind_of(node, sheet.graph)} with indices or ceil_mode")
    told = _pooled(sheet, node)
    if set(_several(layer.dilation, told["kernel_shape"])) != {1}:
        told["dilations"] = _several(layer.dilation, told["kernel_shape"])
    name, before = label(node), sheet.name(source(node))
    relu = _relu_behind(sheet, node)
    if relu is not None and sheet.made_by(before) == "Conv":
        # ReLU never falls, so it may go first; runtimes make one of a convolution and the ReLU behind it
        before = sheet.add("Relu", label(relu), before)
    else:
        relu = None
    out = before
    if not set(told["kernel_shape"]) == {1} == set(told["strides"]):
        out = sheet.add("MaxPool", name, before, **told)
    if relu is not None:
        sheet.names[relu] = out
    return out


def _relu_behind(sheet: Sheet, node: fx.Node) -> fx.Node | None:
    """The ReLU that alone reads a node's tensor, past layers that do nothing."""
    follower = only_user(node)
    while follower is not None and kind_of(follower, sheet.graph) in NOTHING:
        follower = only_user(follower)
    if follower is None or kind_of(follower, sheet.graph) not in _RELU:
        return None
    return follower


def _average_pool(sheet: Sheet, node: fx.Node) -> str:
    layer: Any = sheet.module(node)
    if layer.ceil_mode or getattr(layer, "divisor_override", None):
        raise UnknownOperationError(
            f"{kind_of(node, sheet.graph)} with ceil_mode or a divisor of its own"
        )
    told = _pooled(sheet, node) | {"count_include_pad": int(layer.count_include_pad)}
    return sheet.add("AveragePool", label(node), sheet.name(source(node)), **told)


def _pooled(sheet: Sheet, node: fx.Node) -> dict[str, Any]:
    layer: Any = sheet.module(node)
    size = _several(layer.kernel_size, [0] * (len(sheet.shape(node)) - 2))
    stride = _several(layer.kernel_size if layer.stride is None else layer.stride, size)
    told: dict[str, Any] = {"kernel_shape": size, "strides": stride}
    padding = _several(layer.padding, size)
    if any(padding):
        told["pads"] = [*padding, *padding]
    return told


def _several(setting: int | tuple[int, ...], like: list[int]) -> list[int]:
    """A layer's setting for each of its dimensions."""
    return [setting] * len(like) if isinstance(setting, int) else list(setting)


def _adaptive(kind: str) -> Callable[[Sheet, fx.Node], str]:
    """Pooling to a length that is told: of everything, or of equal parts."""

    def write(sheet: Sheet, node: fx.Node) -> str:
        before, after = sheet.shape(source(node))[2:], sheet.shape(node)[2:]
        name, reads = label(node), sheet.name(source(node))
        if set(after) == {1}:
            return sheet.add(f"Global{kind}Pool", name, reads)
        if any(long % short for long, short in zip(before, after, strict=True)):
            raise UnknownOperationError(f"{kind_of(node, sheet.graph)} of unequal parts")
        parts = [long // short for long, short in zip(before, after, strict=True)]
        return sheet.add(f"{kind}Pool", name, reads, kernel_shape=parts, strides=parts)

    return write


def _pad(sheet: Sheet, node: fx.Node) -> str:
    layer: Any = sheet.module(node)
    padding = _several(layer.padding, [0] * (2 * len(sheet.shape(node)) - 4))
    value = float(getattr(layer, "value", 0.0))
    return pad(sheet, node, padding, value)


def pad(sheet: Sheet, node: fx.Node, padding: list[int], value: float) -> str:
    """Constant padding, told as torch does: before and after, last dimension first; below 0 it crops."""
    name, dimensions = label(node), len(sheet.shape(node))
    lengths, reads = sheet.shape(source(node)), sheet.name(source(node))
    before, after = [0] * dimensions, [0] * dimensions
    for place in range(len(padding) // 2):
        before[-1 - place], after[-1 - place] = padding[2 * place : 2 * place + 2]
    cropped = {
        axis: slice(max(0, -before[axis]), lengths[axis] + min(0, after[axis]), 1)
        for axis in range(dimensions)
        if min(before[axis], after[axis]) < 0
    }
    widths = [max(0, one) for one in before + after]
    if cropped:
        reads = sheet.slice(f"{name}.cropped" if any(widths) else name, reads, cropped)
        if not any(widths):
            return reads
    pads = sheet.store_integers(f"{name}.pads", widths)
    constant = sheet.store(f"{name}.value", np.asarray(value))
    return sheet.add("Pad", name, reads, pads, constant)


def _reshaped(sheet: Sheet, node: fx.Node) -> str:
    return sheet.reshape(node, sheet.name(source(node)))


def _gelu(sheet: Sheet, node: fx.Node) -> str:
    layer: Any = sheet.module(node)
    return gelu(sheet, node, layer.approximate)


def gelu(sheet: Sheet, node: fx.Node, approximate: str) -> str:
    """x·Φ(x); D. Hendrycks and K. Gimpel, arXiv 1606.08415, exactly or by tanh."""
    name, reads = label(node), sheet.name(source(node))

    def by(kind: str, tag: str, one: str, number: float) -> str:
        return sheet.add(
            kind, f"{name}.{tag}", one, sheet.store(f"{name}.{tag}.by", np.asarray(number))
        )

    if approximate == "none":
        raised = sheet.add("Erf", f"{name}.erf", by("Mul", "scaled", reads, math.sqrt(0.5)))
    else:
        cubed = by("Pow", "cubed", reads, 3.0)
        inner = sheet.add("Add", f"{name}.sum", reads, by("Mul", "small", cubed, 0.044715))
        raised = sheet.add(
            "Tanh", f"{name}.tanh", by("Mul", "scaled", inner, math.sqrt(2 / math.pi))
        )
    half = by("Mul", "half", reads, 0.5)
    return sheet.add("Mul", name, half, by("Add", "one", raised, 1.0))


def silu(sheet: Sheet, node: fx.Node) -> str:
    """x·σ(x)."""
    name, reads = label(node), sheet.name(source(node))
    return sheet.add("Mul", name, reads, sheet.add("Sigmoid", f"{name}.sigmoid", reads))


def _prelu(sheet: Sheet, node: fx.Node) -> str:
    layer = sheet.module(node)
    assert isinstance(layer, nn.PReLU)
    name = label(node)
    slope = values(layer.weight).reshape(-1, *[1] * (len(sheet.shape(node)) - 2))
    return sheet.add("PRelu", name, sheet.name(source(node)), sheet.store(f"{name}.slope", slope))


def _hardtanh(sheet: Sheet, node: fx.Node) -> str:
    layer: Any = sheet.module(node)
    name = label(node)
    ends = [
        sheet.store(f"{name}.{end}", np.asarray(float(number)))
        for end, number in (("min", layer.min_val), ("max", layer.max_val))
    ]
    return sheet.add("Clip", name, sheet.name(source(node)), *ends)


def _simple(kind: str, **settings: str) -> Callable[[Sheet, fx.Node], str]:
    """A layer that is one ONNX node; `settings`: ONNX attributes by the layer's own."""

    def write(sheet: Sheet, node: fx.Node) -> str:
        layer = sheet.module(node)
        told = {theirs: getattr(layer, ours) for theirs, ours in settings.items()}
        return sheet.add(kind, label(node), sheet.name(source(node)), **told)

    return write


def _softplus(sheet: Sheet, node: fx.Node) -> str:
    layer: Any = sheet.module(node)
    if layer.beta != 1:
        raise UnknownOperationError("Softplus with a beta of its own")
    return sheet.add("Softplus", label(node), sheet.name(source(node)))


def _hard_sigmoid(sheet: Sheet, node: fx.Node) -> str:
    reads = sheet.name(source(node))
    return sheet.add("HardSigmoid", label(node), reads, alpha=1 / 6, beta=0.5)


def _softmax(kind: str) -> Callable[[Sheet, fx.Node], str]:
    def write(sheet: Sheet, node: fx.Node) -> str:
        layer: Any = sheet.module(node)
        if layer.dim is None:
            raise UnknownOperationError(f"{kind} without dim")
        return sheet.add(kind, label(node), sheet.name(source(node)), axis=layer.dim)

    return write


LAYERS: dict[str, Callable[[Sheet, fx.Node], str]] = {
    "Conv1d": convolution,
    "Conv2d": convolution,
    "BatchNorm1d": _norm,
    "BatchNorm2d": _norm,
    "LayerNorm": _layer_norm,
    "Linear": _linear,
    "MaxPool1d": _max_pool,
    "MaxPool2d": _max_pool,
    "AvgPool1d": _average_pool,
    "AvgPool2d": _average_pool,
    "AdaptiveAvgPool1d": _adaptive("Average"),
    "AdaptiveAvgPool2d": _adaptive("Average"),
    "AdaptiveMaxPool1d": _adaptive("Max"),
    "AdaptiveMaxPool2d": _adaptive("Max"),
    "ConstantPad1d": _pad,
    "ConstantPad2d": _pad,
    "ZeroPad1d": _pad,
    "ZeroPad2d": _pad,
    "Flatten": _reshaped,
    "Unflatten": _reshaped,
    "ReLU": _simple("Relu"),
    "ELU": _simple("Elu", alpha="alpha"),
    "LeakyReLU": _simple("LeakyRelu", alpha="negative_slope"),
    "PReLU": _prelu,
    "GELU": _gelu,
    "SiLU": silu,
    "Sigmoid": _simple("Sigmoid"),
    "Tanh": _simple("Tanh"),
    "Softplus": _softplus,
    "Hardswish": _simple("HardSwish"),
    "Hardsigmoid": _hard_sigmoid,
    "Hardtanh": _hardtanh,
    "ReLU6": _hardtanh,
    "Softmax": _softmax("Softmax"),
    "LogSoftmax": _softmax("LogSoftmax"),
}
"""What is written for each class of layer."""
