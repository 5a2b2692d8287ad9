"""Importance by what comes out of a kernel: mean activation, share of zeros.

Comes in: a network, its structure, windows (labels aren't looked at). Goes out: by convolution one number
a kernel, float64. Next: `score_units`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.pruning.importance.batches import Batches, Scores, evaluating, tensors
from secateur.pruning.importance.gates import channel_axis, looking, readers
from secateur.pruning.importance.weights import shared
from secateur.pruning.structure import Structure


def activation(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """s_u = mean |a| over all windows and all places where the unit is read.

    Read by the next layers, hence after BatchNorm, nonlinearity and pooling; several readers' means are
    averaged; what nobody reads has 0. Tied kernels share their unit's number in equal parts. Means are
    taken in the network's type, summed in float64. Source: one of the criteria that P. Molchanov et al.
    compare, ICLR 2017.
    """
    totals: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, int] = {}

    def look(name: str, module: nn.Module, read: Tensor) -> None:
        axis = channel_axis(module) % read.ndim
        others = [k for k in range(read.ndim) if k != axis]
        each = read.numel() // read.shape[axis]
        total = read.abs().mean(dim=others).double().numpy() * each
        totals[name] = totals[name] + total if name in totals else total
        counts[name] = counts.get(name, 0) + each

    with evaluating(network), looking(network, structure, look), torch.inference_mode():
        for windows, _ in tensors(network, batches):
            network(windows)
    units = {}
    for group in structure.groups:
        means = [
            totals[slot.layer][slot.places].mean(axis=1) / counts[slot.layer]
            for slot in readers(group)
        ]
        units[group.name] = np.mean(means, axis=0) if means else np.zeros(group.units)
    return shared(network, structure, units)
