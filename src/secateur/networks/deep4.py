"""Deep4Net: filters in time and across electrodes, then three more blocks of convolution and pooling.

Source: R. T. Schirrmeister et al., Deep learning with convolutional neural networks for EEG decoding and
visualization, Hum. Brain Mapp. 38 (2017) 5391, "Deep ConvNet": 25 temporal kernels of 10 samples, 25
spatial ones over all electrodes, then 50, 100 and 200 kernels of 10 samples; behind each BatchNorm, ELU and
the largest of 3 samples; dropout 0.5 before every convolution but the first. The last convolution, over all
that is left, is a linear layer here. Softmax is left to the loss.

ELU runs after pooling, on a third of the samples. It never falls, so the ELU of the largest value is the
largest of the ELUs.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from secateur.networks.layers import Dropout, MaxPool1d
from secateur.networks.network import Network
from secateur.networks.settings import NetworkSettings


class Deep4Net(Network):
    """`widths`, `kernel_sizes`, `pooling`: one for each block; the first width is that of the temporal and
    of the spatial kernels.

    Raises `SettingsError` where a window of `samples` is too short.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        lengths = settings.lengths(samples)
        self.require_length(*lengths)
        width, *widths = settings.widths
        size, *sizes = settings.kernel_sizes
        pool, *pools = settings.pooling
        self.temporal = nn.Conv2d(1, width, (1, size))
        self.spatial = nn.Conv2d(width, width, (channels, 1), bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pool = MaxPool1d(pool)
        self.elu = nn.ELU()
        blocks = []
        for after, size, pool in zip(widths, sizes, pools, strict=True):
            blocks.append(
                nn.Sequential(
                    OrderedDict(
                        dropout=Dropout(settings.dropout),
                        conv=nn.Conv1d(width, after, size, bias=False),
                        norm=nn.BatchNorm1d(after),
                        pool=MaxPool1d(pool),
                        elu=nn.ELU(),
                    )
                )
            )
            width = after
        self.blocks = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(width * lengths[-1], classes)

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        sources = self.norm(self.spatial(self.temporal(windows.unsqueeze(1)))).squeeze(2)
        features = self.blocks(self.elu(self.pool(sources)))
        logits: Tensor = self.linear(self.flatten(features))
        return logits
