"""EEGNet: filters in time, then across electrodes, then a separable convolution.

Source: V. Lawhern et al., EEGNet: a compact convolutional neural network for EEG-based brain-computer
interfaces, J. Neural Eng. 15 (2018) 056013, table 2: EEGNet-8,2 with F1 = 8, D = 2, F2 = 16, ELU, dropout
0.25 (the paper's across subjects). Its times hold at 256 Hz: the first kernel sees half a second, the first
pooling leaves 32 Hz, the second kernel sees half a second of that, the second pooling leaves 4 Hz.

Two things differ. There is no max-norm on the spatial kernels (1) and the linear layer (0.25): training
decays weights instead, and BatchNorm behind the spatial kernels makes their norm idle. Padding is the
same on both sides, so that an even kernel leaves one sample more, which pooling drops.
"""

from __future__ import annotations

from torch import Tensor, nn

from secateur.networks.layers import Dropout
from secateur.networks.network import Network
from secateur.networks.settings import NetworkSettings


class EEGNet(Network):
    """`widths`: temporal, spatial, separable kernels (F1, D·F1, F2); `kernel_sizes`: of the temporal and
    the depthwise separable convolution; `pooling`: means of so many samples, twice.

    Raises `SettingsError` where a window of `samples` is too short.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        temporal, spatial, separable = settings.widths
        first, second = settings.kernel_sizes
        once, twice = settings.pooling
        between = (samples + 2 * (first // 2) - first + 1) // once
        steps = (between + 2 * (second // 2) - second + 1) // twice
        self.require_length(between, steps)
        self.temporal = nn.Conv2d(1, temporal, (1, first), padding=(0, first // 2), bias=False)
        self.temporal_norm = nn.BatchNorm2d(temporal)
        self.spatial = nn.Conv2d(temporal, spatial, (channels, 1), groups=temporal, bias=False)
        self.spatial_norm = nn.BatchNorm2d(spatial)
        self.spatial_elu = nn.ELU()
        self.spatial_pool = nn.AvgPool1d(once)
        self.spatial_dropout = Dropout(settings.dropout)
        self.depthwise = nn.Conv1d(
            spatial, spatial, second, padding=second // 2, groups=spatial, bias=False
        )
        self.pointwise = nn.Conv1d(spatial, separable, 1, bias=False)
        self.separable_norm = nn.BatchNorm1d(separable)
        self.separable_elu = nn.ELU()
        self.separable_pool = nn.AvgPool1d(twice)
        self.separable_dropout = Dropout(settings.dropout)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(separable * steps, classes)

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        bands = self.temporal_norm(self.temporal(windows.unsqueeze(1)))
        sources = self.spatial_norm(self.spatial(bands)).squeeze(2)
        sources = self.spatial_dropout(self.spatial_pool(self.spatial_elu(sources)))
        features = self.separable_norm(self.pointwise(self.depthwise(sources)))
        features = self.separable_dropout(self.separable_pool(self.separable_elu(features)))
        logits: Tensor = self.linear(self.flatten(features))
        return logits
