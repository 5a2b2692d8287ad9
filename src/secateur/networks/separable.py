"""Depthwise separable convolutions along time, as MobileNet has them across images.

Source: A. G. Howard et al., MobileNets, arXiv 1704.04861: a plain strided convolution, then blocks of a
depthwise convolution (one kernel a channel, strided) and a pointwise one (one sample), each with BatchNorm
and ReLU, then the mean over time, dropout and a linear layer. Kernels are longer than the 3 of images: 15
samples at 256 Hz, then 9 at 64, 32 and 16 Hz; a seizure's rhythm of 3 Hz needs a fifth of a second and more.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from secateur.networks.layers import Dropout
from secateur.networks.network import Network
from secateur.networks.settings import NetworkSettings


class SeparableNetwork(Network):
    """`widths`, `kernel_sizes`, `pooling` (strides): of the first convolution, then of each block.

    Raises `SettingsError` where a window of `samples` is too short.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        blocks = []
        before, lengths = channels, [samples]
        for number, (width, size, stride) in enumerate(
            zip(settings.widths, settings.kernel_sizes, settings.pooling, strict=True)
        ):
            block = _plain if number == 0 else _separable
            blocks.append(block(before, width, size, stride))
            before = width
            lengths.append(lengths[-1] // stride)
        self.require_length(*lengths)
        self.blocks = nn.Sequential(*blocks)
        self.average = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.dropout = Dropout(settings.dropout)
        self.linear = nn.Linear(before, classes)

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        features = self.flatten(self.average(self.blocks(windows)))
        logits: Tensor = self.linear(self.dropout(features))
        return logits


def _plain(before: int, width: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv1d(before, width, size, stride, padding=size // 2, bias=False),
            norm=nn.BatchNorm1d(width),
            relu=nn.ReLU(),
        )
    )


def _separable(before: int, width: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            depthwise=nn.Conv1d(
                before, before, size, stride, padding=size // 2, groups=before, bias=False
            ),
            depthwise_norm=nn.BatchNorm1d(before),
            depthwise_relu=nn.ReLU(),
            pointwise=nn.Conv1d(before, width, 1, bias=False),
            norm=nn.BatchNorm1d(width),
            relu=nn.ReLU(),
        )
    )
