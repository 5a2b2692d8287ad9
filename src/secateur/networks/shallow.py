"""ShallowFBCSPNet: filters in time and across electrodes, then the log of their power.

Source: R. T. Schirrmeister et al., Deep learning with convolutional neural networks for EEG decoding and
visualization, Hum. Brain Mapp. 38 (2017) 5391, "Shallow ConvNet": 40 temporal kernels of 25 samples (at
250 Hz), 40 spatial ones over all electrodes, BatchNorm, square, mean over 75 samples every 15, logarithm
(of at least 1e-6), dropout 0.5, and a last convolution over all that is left, which is a linear layer.
Softmax is left to the loss. Weights begin as torch's layers draw them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from secateur.networks.layers import Dropout
from secateur.networks.network import Network
from secateur.networks.settings import NetworkSettings

_OVERLAP = 5
"""Means are taken over `pooling` samples, every fifth part of that."""
_LEAST = 1e-6


class ShallowNet(Network):
    """`widths`: one number for temporal and spatial kernels; `kernel_sizes`: of the temporal ones;
    `pooling`: samples in a mean.

    Raises `SettingsError` where a window of `samples` is too short.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        (width,), (size,), (pool,) = settings.widths, settings.kernel_sizes, settings.pooling
        stride = max(1, pool // _OVERLAP)
        between = samples - size + 1
        steps = (between - pool) // stride + 1
        self.require_length(between, steps)
        self.temporal = nn.Conv2d(1, width, (1, size))
        self.spatial = nn.Conv2d(width, width, (channels, 1), bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.AvgPool1d(pool, stride)
        self.dropout = Dropout(settings.dropout)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(width * steps, classes)

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        sources = self.norm(self.spatial(self.temporal(windows.unsqueeze(1)))).squeeze(2)
        power = self.pool(torch.square(sources))
        features = self.dropout(torch.log(torch.clamp(power, min=_LEAST)))
        logits: Tensor = self.linear(self.flatten(features))
        return logits
