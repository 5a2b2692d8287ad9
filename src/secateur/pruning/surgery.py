"""Cutting kernels out: the network rebuilt smaller with the weights that stay.

Comes in: a network and, for each convolution, the kernels that stay. Goes out: a new network; the old
one is untouched. Next: `equivalence` proves it, `training` retrains it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from secateur.errors import SurgeryError
from secateur.pruning.tracing import Couplings

Network = TypeVar("Network", bound=nn.Module)


def cut(
    network: Network, couplings: Mapping[str, Couplings], kept: Mapping[str, tuple[int, ...]]
) -> Network:
    """A copy of `network` in which only the kernels `kept` (indices by convolution) are left.

    Their BatchNorms and the inputs of the layers that read them go along. Raises `SurgeryError` where
    `kept` names an unknown layer or kernel, or leaves a layer none.
    """
    smaller = copy.deepcopy(network)
    for name, indices in kept.items():
        if name not in couplings:
            raise SurgeryError(f"there is no convolution {name}; there is {', '.join(couplings)}")
        convolution = smaller.get_submodule(name)
        assert isinstance(convolution, nn.Conv1d)
        if not indices or sorted(set(indices)) != list(indices):
            raise SurgeryError(f"{name}: kept kernels must rise and be at least one")
        if not 0 <= indices[0] <= indices[-1] < convolution.out_channels:
            raise SurgeryError(f"{name}: has kernels 0 to {convolution.out_channels - 1}")
        stays = torch.tensor(indices)
        _keep_kernels(convolution, stays)
        for follower in couplings[name].followers:
            norm = smaller.get_submodule(follower)
            assert isinstance(norm, nn.BatchNorm1d)
            _keep_features(norm, stays)
        for reader, per_channel in couplings[name].readers.items():
            inputs = (stays[:, None] * per_channel + torch.arange(per_channel)).flatten()
            _keep_inputs(smaller.get_submodule(reader), inputs)
    return smaller


def _select(values: torch.Tensor, stays: torch.Tensor, axis: int) -> nn.Parameter:
    selected = values.detach().index_select(axis, stays).clone()
    return nn.Parameter(selected, requires_grad=values.requires_grad)


def _keep_kernels(convolution: nn.Conv1d, stays: torch.Tensor) -> None:
    convolution.weight = _select(convolution.weight, stays, 0)
    if convolution.bias is not None:
        convolution.bias = _select(convolution.bias, stays, 0)
    convolution.out_channels = len(stays)


def _keep_features(norm: nn.BatchNorm1d, stays: torch.Tensor) -> None:
    if norm.affine:
        norm.weight = _select(norm.weight, stays, 0)
        norm.bias = _select(norm.bias, stays, 0)
    if norm.running_mean is not None and norm.running_var is not None:
        norm.running_mean = norm.running_mean[stays].clone()
        norm.running_var = norm.running_var[stays].clone()
    norm.num_features = len(stays)


def _keep_inputs(reader: nn.Module, stays: torch.Tensor) -> None:
    assert isinstance(reader, nn.Conv1d | nn.Linear)
    reader.weight = _select(reader.weight, stays, 1)
    if isinstance(reader, nn.Conv1d):
        reader.in_channels = len(stays)
    else:
        reader.in_features = len(stays)
