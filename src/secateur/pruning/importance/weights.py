"""Importance that is read from the weights alone.

Comes in: a network and its structure (batches are taken and not looked at, so that all importances have
the same inputs). Goes out: by convolution one number a kernel, float64. Next: `score_units` adds up what
goes together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateur.errors import SurgeryError
from secateur.pruning.importance.batches import Batches, Scores
from secateur.pruning.structure import Group, Structure


def convolutions(network: nn.Module, structure: Structure) -> Iterator[tuple[str, nn.Module]]:
    """Every layer that owns kernels which can go, once each, by name, in the order in which they run."""
    names = dict.fromkeys(slot.layer for group in structure.groups for slot in group.convolutions)
    return ((name, network.get_submodule(name)) for name in names)


def l1(network: nn.Module, structure: Structure, batches: Batches | None = None) -> Scores:
    """s_j = Σ_i Σ_k |w_ijk|: the sum of a kernel's absolute weights.

    Source: H. Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017; used by arXiv 2509.05190.
    """
    return _each(network, structure, lambda kernels: kernels.abs().sum(dim=1))


def l2(network: nn.Module, structure: Structure, batches: Batches | None = None) -> Scores:
    """s_j = √(Σ_i Σ_k w_ijk²): the length of a kernel, all its weights being one vector.

    Source: Y. He et al., Soft Filter Pruning, IJCAI 2018 (there with p = 2).
    """
    return _each(network, structure, lambda kernels: kernels.square().sum(dim=1).sqrt())


def geometric_median(
    network: nn.Module, structure: Structure, batches: Batches | None = None
) -> Scores:
    """s_j = Σ_m ‖w_j − w_m‖₂ over the kernels m of the same convolution.

    What lies nearest to all others is what the others can stand in for. Source: Y. He et al., Filter
    Pruning via Geometric Median (FPGM), CVPR 2019.
    """

    def distances(kernels: Tensor) -> Tensor:
        # row by row: cdist's shortcut through products loses digits, and all rows at once are large
        return torch.stack([(kernels - one).square().sum(dim=1).sqrt().sum() for one in kernels])

    return _each(network, structure, distances)


def by_chance(
    network: nn.Module, structure: Structure, batches: Batches | None = None, *, seed: int = 0
) -> Scores:
    """Uniform random numbers, the same for the same seed: the control that any other must beat."""
    generator = np.random.default_rng([seed, 2])
    return {
        name: generator.random(len(_kernels(module)))
        for name, module in convolutions(network, structure)
    }


def batchnorm(network: nn.Module, structure: Structure, batches: Batches | None = None) -> Scores:
    """s_j = |γ_j|: the factor by which BatchNorm scales a kernel's output.

    Tied kernels share, in equal parts, the sum over all BatchNorms that scale their channel. Source: Z.
    Liu et al., Network Slimming, ICCV 2017 (there γ was trained under an L1 penalty; here it is as it
    is). Raises `SurgeryError` where no BatchNorm with weights follows a convolution.
    """
    units: Scores = {}
    for group in structure.groups:
        factors = np.zeros(group.units)
        norms = 0
        for slot in group.slots:
            norm = network.get_submodule(slot.layer)
            if slot.side == "features" and isinstance(norm, _BatchNorm) and norm.affine:
                weight = np.abs(norm.weight.detach().double().numpy())
                factors += weight[slot.places].sum(axis=1)
                norms += 1
        if not norms:
            raise SurgeryError(
                f"importance batchnorm reads the weights of BatchNorm, and none follows the convolution "
                f"{group.name}: l1, activation or taylor need no BatchNorm"
            )
        units[group.name] = factors
    return shared(network, structure, units)


def shared(network: nn.Module, structure: Structure, units: Scores) -> Scores:
    """Scores of kernels from scores of units: each of a unit's kernels has the same part of it.

    A kernel that can't go, because part of its convolution is held fast, has 0.
    """
    scores = {
        name: np.zeros(len(_kernels(module))) for name, module in convolutions(network, structure)
    }
    for group in structure.groups:
        part = units[group.name] / group.kernels_per_unit
        for slot in group.convolutions:
            scores[slot.layer][slot.places] = part[:, None]
    return scores


def summed(group: Group, scores: Scores) -> NDArray[np.float64]:
    """A group's units: the sum over all kernels that go with each, shape (units,)."""
    total = np.zeros(group.units)
    for slot in group.convolutions:
        total += scores[slot.layer][slot.places].sum(axis=1)
    return total


def _each(network: nn.Module, structure: Structure, score: Callable[[Tensor], Tensor]) -> Scores:
    """`score` of every convolution's kernels, each as a row of float64."""
    return {
        name: np.asarray(score(_kernels(module)).numpy())
        for name, module in convolutions(network, structure)
    }


def _kernels(module: nn.Module) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight.detach().double().flatten(1)
