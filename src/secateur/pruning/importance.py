"""How much each kernel of a convolution matters.

Comes in: a convolution. Goes out: one number a kernel, shape (kernels,), float64; small ones go first.
Next: `allocation` chooses by them, the report shows them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn


def l1(convolution: nn.Conv1d) -> NDArray[np.float64]:
    """s_j = Σ_i Σ_k |w_ijk|: the sum of a kernel's absolute weights.

    Source: H. Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017; used by arXiv 2509.05190.
    """
    weights = convolution.weight.detach().double().abs()
    return np.asarray(weights.sum(dim=(1, 2)).numpy())


def by_chance(convolution: nn.Conv1d, generator: np.random.Generator) -> NDArray[np.float64]:
    """Uniform random numbers: the control that any other importance must beat."""
    return generator.random(convolution.out_channels)
