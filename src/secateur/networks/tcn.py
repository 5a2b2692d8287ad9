"""A temporal convolutional network: residual blocks whose convolutions look ever further.

Source: S. Bai, J. Z. Kolter and V. Koltun, An empirical evaluation of generic convolutional and recurrent
networks for sequence modeling, arXiv 1803.01271: blocks of two dilated convolutions, ReLU and dropout,
added to what came in (through a convolution of one sample where widths differ); dilation 1, 2, 4 and so on.

What differs, and why:
- a strided convolution comes first and leaves 32 Hz of 256: at the full rate each block would cost eight
  times as much and three more of them be needed to see as far. Five blocks see 125 such samples, all of 4 s;
- BatchNorm in place of weight normalisation: it goes into the convolution before it when training is
  over, and surgery can follow it;
- padding on both sides: a window is judged when it is complete, so nothing is won by looking back alone;
- the mean over time goes to the linear layer, not the last sample: a seizure may stand anywhere in a window.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from secateur.networks.layers import Dropout
from secateur.networks.network import Network
from secateur.networks.settings import NetworkSettings


class ResidualBlock(nn.Module):
    """Two dilated convolutions beside the way past them; the length stays."""

    def __init__(self, before: int, width: int, size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        padding = dilation * (size // 2)
        self.first = nn.Conv1d(before, width, size, padding=padding, dilation=dilation, bias=False)
        self.first_norm = nn.BatchNorm1d(width)
        self.first_relu = nn.ReLU()
        self.first_dropout = Dropout(dropout)
        self.second = nn.Conv1d(width, width, size, padding=padding, dilation=dilation, bias=False)
        self.second_norm = nn.BatchNorm1d(width)
        self.second_relu = nn.ReLU()
        self.second_dropout = Dropout(dropout)
        self.past = nn.Identity() if before == width else nn.Conv1d(before, width, 1)
        self.relu = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        """`features`: windows × `before` × samples. Returns windows × `width` × samples."""
        inner = self.first_dropout(self.first_relu(self.first_norm(self.first(features))))
        inner = self.second_dropout(self.second_relu(self.second_norm(self.second(inner))))
        out: Tensor = self.relu(inner + self.past(features))
        return out


class TemporalNetwork(Network):
    """`widths`, `kernel_sizes`: of the first convolution, then of each residual block; `pooling`: the first
    convolution's stride.

    Raises `SettingsError` where a window of `samples` is too short.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        (stride,) = settings.pooling
        self.require_length(samples // stride)
        width, size = settings.widths[0], settings.kernel_sizes[0]
        self.stem = nn.Conv1d(channels, width, size, stride, padding=size // 2, bias=False)
        self.stem_norm = nn.BatchNorm1d(width)
        self.stem_relu = nn.ReLU()
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, size, 2**number, settings.dropout)
                for number, ((before, after), size) in enumerate(
                    zip(pairwise(settings.widths), settings.kernel_sizes[1:], strict=True)
                )
            )
        )
        self.average = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(settings.widths[-1], classes)

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        features = self.blocks(self.stem_relu(self.stem_norm(self.stem(windows))))
        logits: Tensor = self.linear(self.flatten(self.average(features)))
        return logits
