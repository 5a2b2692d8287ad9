"""Importance by what the loss would do: Taylor's first term and the diagonal of Fisher's matrix.

Comes in: a network, its structure, labelled windows. Goes out: by convolution one number a kernel,
float64. Next: `score_units`.

All start from ∂L_n/∂g_u, the slope of window n's loss with a gate on unit u (`gates`): closing the gate
changes L_n by −∂L_n/∂g_u to first order. Tied kernels share their unit's number in equal parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from secateur.errors import SettingsError
from secateur.pruning.importance.batches import Batches, Scores
from secateur.pruning.importance.gates import gate_slopes
from secateur.pruning.importance.weights import shared
from secateur.pruning.structure import Structure


def taylor(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """s_u = mean over windows of |Σ a · ∂L_n/∂a|, the sum over all places where the unit is read.

    The absolute value is taken for each window before the mean: over many windows of a trained network
    the signed mean tends to 0 for every kernel. Source: P. Molchanov et al., Pruning Convolutional
    Neural Networks for Resource Efficient Inference, ICLR 2017 (its Taylor criterion), without
    its division by the length of the feature map, which is the same for all kernels of a layer.
    """
    units = {
        name: np.abs(slope).mean(axis=0) for name, slope in _all(network, structure, batches)[1]
    }
    return shared(network, structure, units)


def taylor_by_class(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """s_u = max over classes c of t_uc / mean_u t_uc, with t_uc `taylor` over the windows of class c.

    Each class's numbers are divided by their mean in the layer, so a class of few windows or of small
    slopes counts as much as any other: a kernel that only serves the rare class keeps its place. Own
    variant of Molchanov 2017. Raises `SettingsError` where the windows are all of one class.
    """
    labels, slopes = _all(network, structure, batches)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise SettingsError(
            f"importance taylor-by-class needs windows of both classes, all are of class "
            f"{classes[0]}: give some of the other, or take taylor"
        )
    units = {}
    for name, slope in slopes:
        by_class = np.stack([np.abs(slope[labels == one]).mean(axis=0) for one in classes])
        mean = by_class.mean(axis=1, keepdims=True)
        relative = np.divide(by_class, mean, out=np.zeros_like(by_class), where=mean > 0)
        units[name] = relative.max(axis=0)
    return shared(network, structure, units)


def fisher(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """s_u = ½ · mean over windows of (Σ a · ∂L_n/∂a)²: the loss that closing the gate adds, to second order.

    The Hessian is taken as the diagonal of the empirical Fisher matrix. Source: L. Theis et al., Faster
    Gaze Prediction with Dense Networks and Fisher Pruning, 2018 (arXiv 1801.05787).
    """
    units = {
        name: np.square(slope).mean(axis=0) / 2
        for name, slope in _all(network, structure, batches)[1]
    }
    return shared(network, structure, units)


def _all(
    network: nn.Module, structure: Structure, batches: Batches | None
) -> tuple[NDArray[np.int64], list[tuple[str, NDArray[np.float64]]]]:
    """Labels of all windows and, by group, all their slopes (windows × units)."""
    parts = list(gate_slopes(network, structure, batches))
    return (
        np.concatenate([labels for labels, _ in parts]),
        [(name, np.concatenate([slopes[name] for _, slopes in parts])) for name in structure.names],
    )
