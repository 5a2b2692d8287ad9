"""Convolutions as ONNX nodes, with what can be computed beforehand.

Comes in: a `Sheet` and a node of the traced graph that runs a convolution. Goes out: the name of the tensor
that it gives, its nodes and weights being on the sheet. Next: `onnx_layers` counts it among the layers.

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
from secateur.networks.onnx_sheet import (
    Sheet,
    UnknownOperationError,
    kind_of,
    label,
    only_user,
    source,
    values,
)


@dataclass(frozen=True)
class _Filter:
    """A convolution with the norm behind it. `last`: the node whose tensor it gives."""

    layer: nn.Conv1d | nn.Conv2d
    kernel: NDArray[np.float64]
    bias: NDArray[np.float64] | None
    node: fx.Node
    last: fx.Node


def convolution(sheet: Sheet, node: fx.Node) -> str:
    """A convolution, the norm behind it, and the filter across electrodes behind that."""
    first = _folded(sheet, node)
    second = _across_electrodes(sheet, first)
    out = _joined(sheet, first, second) if second is not None else None
    if out is None:
        second = None
        settings = _settings(first.layer)
        out = _written(
            sheet, label(node), sheet.name(source(node)), (first.kernel, first.bias), settings
        )
    for done in (first, second):
        if done is not None:
            sheet.names[done.node] = sheet.names[done.last] = out
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


def _folded(sheet: Sheet, node: fx.Node) -> _Filter:
    layer = sheet.module(node)
    assert isinstance(layer, nn.Conv1d | nn.Conv2d)
    if layer.padding_mode != "zeros":
        raise UnknownOperationError(f"{kind_of(node, sheet.graph)} padded by {layer.padding_mode}")
    kernel = values(layer.weight)
    bias = None if layer.bias is None else values(layer.bias)
    follower = only_user(node)
    if follower is None or follower.op != "call_module":
        return _Filter(layer, kernel, bias, node, node)
    norm = sheet.module(follower)
    if not isinstance(norm, _BatchNorm):
        return _Filter(layer, kernel, bias, node, node)
    factor, shift = factor_and_shift(norm)
    kernel = kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1))
    bias = (0.0 if bias is None else bias) * factor + shift
    return _Filter(layer, kernel, bias, node, follower)


def _settings(layer: nn.Conv1d | nn.Conv2d) -> dict[str, Any]:
    told: dict[str, Any] = {"kernel_shape": list(layer.kernel_size), "pads": _pads(layer)}
    if set(layer.stride) != {1}:
        told["strides"] = list(layer.stride)
    if set(layer.dilation) != {1}:
        told["dilations"] = list(layer.dilation)
    if layer.groups != 1:
        told["group"] = layer.groups
    return told


def _pads(layer: nn.Conv1d | nn.Conv2d) -> list[int]:
    if layer.padding == "valid":
        return [0, 0] * len(layer.kernel_size)
    if layer.padding == "same":
        whole = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [one // 2 for one in whole] + [one - one // 2 for one in whole]
    assert not isinstance(layer.padding, str)
    return [*layer.padding, *layer.padding]


def _written(
    sheet: Sheet,
    name: str,
    reads: str,
    weights: tuple[NDArray[np.float64], NDArray[np.float64] | None],
    settings: dict[str, Any],
) -> str:
    kernel, bias = weights
    stored = [sheet.store(f"{name}.weight", kernel)]
    if bias is not None:
        stored.append(sheet.store(f"{name}.bias", bias))
    return sheet.add("Conv", name, reads, *stored, **settings)


def _across_electrodes(sheet: Sheet, first: _Filter) -> _Filter | None:
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
    across = sheet.module(follower)
    if kind_of(follower, sheet.graph) != "Conv2d" or not isinstance(across, nn.Conv2d):
        return None
    rows = sheet.shape(first.last)[2]
    whole = across.kernel_size == (rows, 1) and {*across.stride, *across.dilation} == {1}
    if not whole or any(_pads(across)):
        return None
    return _folded(sheet, follower)


def _joined(sheet: Sheet, first: _Filter, second: _Filter) -> str | None:
    """Both filters by fewer multiplications than one after the other; None where there is no such way."""
    samples, after = sheet.shape(source(first.node))[3], sheet.shape(first.node)[3]
    temporal, size = first.kernel.shape[0], first.kernel.shape[3]
    spatial, each, rows, _ = second.kernel.shape
    costs = {
        "as it stands": temporal * size * rows * after + spatial * each * rows * after,
        "as one": spatial * rows * size * after,
    }
    if each == 1:
        costs["across first"] = spatial * rows * samples + spatial * size * after
    way = min(costs, key=lambda one: costs[one])
    if way == "as it stands":
        return None
    # which temporal kernels a spatial one reads
    read = np.arange(spatial)[:, None] // (spatial * each // temporal) * each + np.arange(each)
    filters, weights = first.kernel[:, 0, 0, :], second.kernel[:, :, :, 0]
    bias = np.zeros(spatial) if second.bias is None else second.bias
    if first.bias is not None:
        bias = bias + np.einsum("jic,ji->j", weights, first.bias[read])
    name, reads, pads = label(second.node), sheet.name(source(first.node)), _pads(first.layer)
    if way == "as one":
        kernel = np.einsum("jic,jik->jck", weights, filters[read])[:, None]
        settings = {"kernel_shape": [rows, size], "pads": pads}
        return _written(sheet, name, reads, (kernel, bias), settings)
    settings = {"kernel_shape": [rows, 1], "pads": [0] * 4}
    sources = _written(sheet, f"{name}.across", reads, (second.kernel, None), settings)
    kernel = filters[read[:, 0]][:, None, None]
    settings = {"kernel_shape": [1, size], "pads": pads, "group": spatial}
    return _written(sheet, name, sources, (kernel, bias), settings)
