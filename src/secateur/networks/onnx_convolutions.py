"""Convolutions as ONNX nodes, with what can be computed beforehand.

Two things are done beforehand, in float64, since they hold for any windows:
- BatchNorm goes into the convolution before it: W' = W·γ/√(σ²+ε), b' = (b − μ)·γ/√(σ²+ε) + β;
- a filter in time and one across electrodes with nothing between them, as EEGNet, ShallowFBCSPNet and
  Deep4Net begin, are one linear map, which is done in the cheapest of three ways: as it stands; across
  electrodes first, where each spatial kernel reads one temporal kernel; or as one convolution of both, W'_jck
  = Σ_i S_jic T_ik, where that takes fewer multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateur.errors import SettingsError
from secateur.networks.onnx_graph import (
    OnnxGraph,
    UnknownOperationError,
    label,
    only_user,
    source,
    values,
)
from secateur.networks.tracing import kind_of


@dataclass(frozen=True)
class _Filter:
    """A convolution with the norm behind it. `last`: the node whose tensor it gives."""

    layer: nn.Conv1d | nn.Conv2d
    kernel: NDArray[np.float64]
    bias: NDArray[np.float64] | None
    node: fx.Node
    last: fx.Node


def convolution(graph: OnnxGraph, node: fx.Node) -> str:
    """A convolution, the norm behind it, and the filter across electrodes behind that."""
    first = _folded(graph, node)
    second = _across_electrodes(graph, first)
    out = _joined(graph, first, second) if second is not None else None
    if out is None:
        second = None
        settings = _settings(first.layer)
        out = _written(
            graph, label(node), graph.name(source(node)), (first.kernel, first.bias), settings
        )
    for written in (first, second):
        if written is not None:
            graph.names[written.node] = graph.names[written.last] = out
    return out


def factor_and_shift(norm: _BatchNorm) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """BatchNorm in evaluation mode: x ↦ factor·x + shift, for each channel."""
    if norm.running_mean is None or norm.running_var is None:
        raise SettingsError("BatchNorm without running statistics can't be written as ONNX")
    factor = 1 / np.sqrt(values(norm.running_var) + norm.eps)
    if norm.weight is not None:
        factor = factor * values(norm.weight)
    shift = -values(norm.running_mean) * factor
    return factor, shift if norm.bias is None else shift + values(norm.bias)


def _folded(graph: OnnxGraph, node: fx.Node) -> _Filter:
    layer = graph.layer(node)
    assert isinstance(layer, nn.Conv1d | nn.Conv2d)
    if layer.padding_mode != "zeros":
        raise UnknownOperationError(f"{kind_of(node, graph.traced)} padded by {layer.padding_mode}")
    kernel = values(layer.weight)
    bias = None if layer.bias is None else values(layer.bias)
    follower = only_user(node)
    if follower is None or follower.op != "call_module":
        return _Filter(layer, kernel, bias, node, node)
    norm = graph.layer(follower)
    if not isinstance(norm, _BatchNorm):
        return _Filter(layer, kernel, bias, node, node)
    factor, shift = factor_and_shift(norm)
    kernel = kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1))
    bias = (0.0 if bias is None else bias) * factor + shift
    return _Filter(layer, kernel, bias, node, follower)


def _settings(layer: nn.Conv1d | nn.Conv2d) -> dict[str, Any]:
    attributes: dict[str, Any] = {"kernel_shape": list(layer.kernel_size), "pads": _pads(layer)}
    if set(layer.stride) != {1}:
        attributes["strides"] = list(layer.stride)
    if set(layer.dilation) != {1}:
        attributes["dilations"] = list(layer.dilation)
    if layer.groups != 1:
        attributes["group"] = layer.groups
    return attributes


def _pads(layer: nn.Conv1d | nn.Conv2d) -> list[int]:
    if layer.padding == "valid":
        return [0, 0] * len(layer.kernel_size)
    if layer.padding == "same":
        widths = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [width // 2 for width in widths] + [width - width // 2 for width in widths]
    assert not isinstance(layer.padding, str)
    return [*layer.padding, *layer.padding]


def _written(
    graph: OnnxGraph,
    name: str,
    reads: str,
    weights: tuple[NDArray[np.float64], NDArray[np.float64] | None],
    settings: dict[str, Any],
) -> str:
    kernel, bias = weights
    stored = [graph.store(f"{name}.weight", kernel)]
    if bias is not None:
        stored.append(graph.store(f"{name}.bias", bias))
    return graph.add("Conv", name, reads, *stored, **settings)


def _across_electrodes(graph: OnnxGraph, first: _Filter) -> _Filter | None:
    """The filter over all rows that alone reads a filter along them; None where there is none such."""
    layer, follower = first.layer, only_user(first.last)
    along = (
        isinstance(layer, nn.Conv2d)
        and layer.in_channels == 1
        and layer.kernel_size[0] == 1
        and {*layer.stride, *layer.dilation} == {1}
        and _pads(layer)[::2] == [0, 0]
    )
    if not along or follower is None or follower.op != "call_module":
        return None
    across = graph.layer(follower)
    if kind_of(follower, graph.traced) != "Conv2d" or not isinstance(across, nn.Conv2d):
        return None
    rows = graph.shape(first.last)[2]
    covers = across.kernel_size == (rows, 1) and {*across.stride, *across.dilation} == {1}
    if not covers or any(_pads(across)):
        return None
    return _folded(graph, follower)


def _joined(graph: OnnxGraph, first: _Filter, second: _Filter) -> str | None:
    """Both filters by fewer multiplications than one after the other; None where there is no such way."""
    samples, after = graph.shape(source(first.node))[3], graph.shape(first.node)[3]
    temporal, size = first.kernel.shape[0], first.kernel.shape[3]
    spatial, each, rows, _ = second.kernel.shape
    costs = {
        "as it stands": temporal * size * rows * after + spatial * each * rows * after,
        "as one": spatial * rows * size * after,
    }
    if each == 1:
        costs["across first"] = spatial * rows * samples + spatial * size * after
    way = min(costs, key=lambda way: costs[way])
    if way == "as it stands":
        return None
    # which temporal kernels a spatial one reads
    read = np.arange(spatial)[:, None] // (spatial * each // temporal) * each + np.arange(each)
    filters, weights = first.kernel[:, 0, 0, :], second.kernel[:, :, :, 0]
    bias = np.zeros(spatial) if second.bias is None else second.bias
    if first.bias is not None:
        bias = bias + np.einsum("jic,ji->j", weights, first.bias[read])
    name, reads, pads = label(second.node), graph.name(source(first.node)), _pads(first.layer)
    if way == "as one":
        kernel = np.einsum("jic,jik->jck", weights, filters[read])[:, None]
        settings = {"kernel_shape": [rows, size], "pads": pads}
        return _written(graph, name, reads, (kernel, bias), settings)
    settings = {"kernel_shape": [rows, 1], "pads": [0] * 4}
    sources = _written(graph, f"{name}.across", reads, (second.kernel, None), settings)
    kernel = filters[read[:, 0]][:, None, None]
    settings = {"kernel_shape": [1, size], "pads": pads, "group": spatial}
    return _written(graph, name, sources, (kernel, bias), settings)
