"""The network that is validated and kept: weights averaged over steps, so that it is steadier from epoch to
epoch, and BatchNorm measured afresh.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_WARM_UP = 10


class Averaged:
    """A running mean of a network's weights: w̄ ← d·w̄ + (1 − d)·w at each step.

    d is `decay`, and less in the first steps, (1 + n) / (10 + n), so that the beginning is forgotten.
    With a decay of 0 it is the network itself.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._steps = 0
        self.network = copy.deepcopy(network) if decay > 0 else network
        # both lists once: optimiser and BatchNorm change these tensors in place
        pairs = list(
            zip(self.network.state_dict().values(), network.state_dict().values(), strict=True)
        )
        self._numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    def step(self) -> None:
        """To be called after each step of the optimiser."""
        if self._decay == 0:
            return
        keep = min(self._decay, (1 + self._steps) / (_WARM_UP + self._steps))
        self._steps += 1
        with torch.no_grad():
            for mean, new in self._numbers:
                mean.lerp_(new, 1 - keep)
            for count, new in self._counts:
                count.copy_(new)


def recalibrate(network: nn.Module, batches: Iterable[NDArray[np.float32]]) -> None:
    """Take BatchNorm's means and variances anew from `batches`, without dropout; in place.

    All batches weigh alike. Nothing changes where there are no batches.
    """
    norms = [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    chosen = list(batches)
    if not norms or not chosen:
        return
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative mean over batches
        norm.train()
    with torch.no_grad():
        for batch in chosen:
            network(torch.from_numpy(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
