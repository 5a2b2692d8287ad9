"""A trained network fitted to a few minutes of other recordings: its BatchNorm statistics, its last layer,
or all.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateur.errors import TrainingError
from secateur.networks import Network, count_macs
from secateur.networks.network import uses_of
from secateur.training.averaging import recalibrate
from secateur.training.loop import Between, TrainingHooks, reproducible, train
from secateur.training.settings import TrainingSettings
from secateur.windows import WindowSet

RelearningMethod = Literal["bn", "head", "full"]

PRIOR_WINDOWS = 512
"""What a network's own BatchNorm statistics count for beside those of new windows."""
LEARNING_RATE = {"head": 1e-3, "full": 2e-4}
"""Adam's step: the last layer's is training's own, all weights together move more slowly."""
_PASSES = 3
"""Of a window that weights are learned from, forward and back: the way back costs twice the way there (D.
Amodei and D. Hernandez, AI and Compute, 2018)."""
_BATCH = 64
_MOST_VALIDATED = 256


def adapt_network(
    network: Network,
    windows: WindowSet,
    method: RelearningMethod,
    epochs: int,
    seed: int,
    watch: Between | None = None,
) -> int:
    """Fit `network` to `windows` in place; returns the multiply-accumulates that it took.

    `epochs`: of head and full, which draw as many windows as there are, classes alike; none is kept but the
    last, for nothing is held out to choose by. `watch`: called after each with its number and the network.

    Raises `TrainingError` where the network has nothing of what is to be fitted, or a class is missing.
    """
    if method == "bn":
        return _adapt_statistics(network, windows, seed)
    settings = TrainingSettings(
        epochs=epochs,
        least_epochs=epochs,
        patience=epochs,
        learning_rate=LEARNING_RATE[method],
        windows_per_epoch=max(2, len(windows)),
        validation_windows=_MOST_VALIDATED,
        recalibration=0 if method == "head" else -(-len(windows) // _BATCH),
    )
    learning: nn.Module = network if method == "full" else _LastLayer(network)
    train(learning, windows, windows, settings, seed, TrainingHooks(watch=watch))
    network.requires_grad_(True)
    network.eval()
    each = count_macs(network, network.channels, network.samples)
    passes = 1 if method == "head" else _PASSES
    recalibrated = settings.recalibration * _BATCH
    looked_at = min(len(windows), _MOST_VALIDATED)
    return epochs * each * (passes * settings.windows_per_epoch + recalibrated + looked_at)


def _adapt_statistics(network: Network, windows: WindowSet, seed: int) -> int:
    """Means and variances of BatchNorm between the network's own, for `PRIOR_WINDOWS`, and those of the
    windows.

    S. Schneider et al., Improving robustness against common corruptions by covariate shift adaptation,
    NeurIPS 2020, equation 2.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    norms = [norm for norm in norms if norm.track_running_stats]
    if not norms:
        raise TrainingError(
            f"a network of the kind {network.settings.name} has no BatchNorm, so --method bn has nothing to "
            "adapt; take threshold, head or full"
        )
    before = [tuple(value.clone() for value in _statistics(norm)) for norm in norms]
    order = np.random.default_rng([seed, 9]).permutation(len(windows))
    parts = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    with reproducible(seed):
        recalibrate(network, (windows.batch(part) for part in parts if len(part) > 1))
    kept = PRIOR_WINDOWS / (PRIOR_WINDOWS + len(windows))
    with torch.no_grad():
        for norm, old in zip(norms, before, strict=True):
            for value, earlier in zip(_statistics(norm), old, strict=True):
                value.lerp_(earlier, kept)
    return len(windows) * count_macs(network, network.channels, network.samples)


def _statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    return mean, variance


class _LastLayer(nn.Module):
    """A network of which only the last layer that multiplies learns; all before it stays as in evaluation."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self._last: nn.Module = uses_of(network, network.channels, network.samples)[-1].layer
        network.requires_grad_(False)
        self._last.requires_grad_(True)

    def train(self, mode: bool = True) -> _LastLayer:
        """Without dropout, and with BatchNorm's statistics as they are."""
        super().train(False)
        self._last.train(mode)
        return self

    def forward(self, windows: Tensor) -> Tensor:
        logits: Tensor = self.network(windows)
        return logits
