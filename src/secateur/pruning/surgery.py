"""Cutting kernels out: the network rebuilt smaller with the weights that stay."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from secateur.errors import SurgeryError
from secateur.pruning.groups import Side, Structure

Network = TypeVar("Network", bound=nn.Module)
Kept = Mapping[str, tuple[int, ...]]
"""By group: indices, rising, of the sets of channels that stay. Groups that aren't named stay complete."""


def cut(network: Network, structure: Structure, kept: Kept) -> Network:
    """A copy of `network` in which only the channels `kept` are left, with their weights.

    Training mode, hooks, dtypes, devices, buffers and what needs gradients stay as they are. Raises
    `SurgeryError` where `kept` names an unknown group or set, or leaves a group none.
    """
    smaller = copy.deepcopy(network)
    removed: dict[tuple[str, Side], set[int]] = {}
    for name, sets in gone(structure, kept).items():
        for slot in structure[name].slots:
            places = removed.setdefault((slot.layer, slot.side), set())
            places.update(slot.places[sets].flatten().tolist())
    # kernels first: a grouped convolution left with one input a group would look like a depthwise one
    for (layer, side), places in sorted(removed.items(), key=lambda item: item[0][1] != "kernels"):
        _CUTS[side](smaller.get_submodule(layer), places)
    return smaller


def gone(structure: Structure, kept: Kept) -> dict[str, list[int]]:
    """By group that loses some: the sets of channels that go. Raises `SurgeryError` as `cut` does."""
    sets: dict[str, list[int]] = {}
    for name, indices in kept.items():
        if name not in structure.names:
            raise SurgeryError(f"there is no group {name}; there is {', '.join(structure.names)}")
        size = structure[name].size
        if not indices or sorted(set(indices)) != list(indices):
            raise SurgeryError(f"{name}: the channels that stay must rise and be at least one")
        if not 0 <= indices[0] <= indices[-1] < size:
            raise SurgeryError(f"{name}: has channels 0 to {size - 1}, got {indices[-1]}")
        if len(indices) < size:
            sets[name] = sorted(set(range(size)) - set(indices))
    return sets


def _cut_kernels(layer: nn.Module, gone: set[int]) -> None:
    assert isinstance(layer, nn.Conv1d | nn.Conv2d)
    multiplier = layer.out_channels // layer.in_channels
    _remove(layer, ("weight", "bias"), 0, gone)
    layer.out_channels -= len(gone)
    if layer.groups == layer.in_channels > 1:  # depthwise: its inputs go with their kernels
        layer.groups = layer.in_channels = layer.out_channels // multiplier


def _cut_features(layer: nn.Module, gone: set[int]) -> None:
    _remove(layer, ("weight", "bias", "running_mean", "running_var"), 0, gone)
    if isinstance(layer, nn.Linear):
        layer.out_features -= len(gone)
    elif isinstance(layer, nn.PReLU):
        layer.num_parameters -= len(gone)
    else:
        assert isinstance(layer, _NormBase)
        layer.num_features -= len(gone)


def _cut_inputs(layer: nn.Module, gone: set[int]) -> None:
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        # every group of the convolution loses the same of its inputs, and the weight knows one group
        width = layer.in_channels // layer.groups
        _remove(layer, ("weight",), 1, {position for position in gone if position < width})
        layer.in_channels -= len(gone)
    elif isinstance(layer, nn.RNNBase):
        _remove(layer, ("weight_ih_l0", "weight_ih_l0_reverse"), 1, gone)
        layer.input_size -= len(gone)
    else:
        assert isinstance(layer, nn.Linear)
        _remove(layer, ("weight",), 1, gone)
        layer.in_features -= len(gone)


_CUTS = {"kernels": _cut_kernels, "features": _cut_features, "inputs": _cut_inputs}


def _remove(layer: nn.Module, names: tuple[str, ...], axis: int, gone: set[int]) -> None:
    """Take the places `gone` out of what `layer` has of its tensors `names`."""
    for name in names:
        values = getattr(layer, name, None)
        if not isinstance(values, Tensor):
            continue
        stays = [position for position in range(values.shape[axis]) if position not in gone]
        chosen = values.detach().index_select(axis, torch.tensor(stays, device=values.device))
        if isinstance(values, nn.Parameter):
            setattr(layer, name, nn.Parameter(chosen, requires_grad=values.requires_grad))
        else:
            setattr(layer, name, chosen)
