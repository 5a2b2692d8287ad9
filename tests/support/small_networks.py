"""One small network of each kind in the field, for tests: each reads windows × 3 channels × 64 samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from secateur.networks.layers import Dropout, MaxPool1d

CHANNELS, SAMPLES = 3, 64


class Chain(nn.Module):
    """Convolutions in a row, our own layers between them, linear after flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 6, 5, bias=False)
        self.norm = nn.BatchNorm1d(6)
        self.second = nn.Conv1d(6, 5, 3, stride=2, padding=1)
        self.between = nn.Sequential(Dropout(0.2), MaxPool1d(4), nn.PReLU(5))
        self.linear = nn.Linear(5 * 7, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(self.second(functional.elu(self.norm(self.first(x)))))
        out: Tensor = self.linear(torch.flatten(x, 1))
        return out


class Residual(nn.Module):
    """Dilated convolutions beside the way past them, as in a TCN; one way past has a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(3, 6, 3)
        self.one = nn.Conv1d(6, 6, 3, dilation=2, padding=2)
        self.one_norm = nn.BatchNorm1d(6)
        self.two = nn.Conv1d(6, 4, 3, dilation=4, padding=4)
        self.two_norm = nn.BatchNorm1d(4)
        self.past = nn.Conv1d(6, 4, 1)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + torch.relu(self.one_norm(self.one(x)))
        y = self.two_norm(self.two(x))
        y += self.past(x)
        out: Tensor = self.linear(y.relu().mean(-1))
        return out


class Joined(nn.Module):
    """Kernels of several lengths side by side, and what came in beside what came out."""

    def __init__(self) -> None:
        super().__init__()
        self.short = nn.Conv1d(3, 4, 3, padding=1)
        self.long = nn.Conv1d(3, 5, 9, padding=4)
        self.norm = nn.BatchNorm1d(9)
        self.mixed = nn.Conv1d(12, 6, 3)
        self.drop = nn.Dropout1d(0.3)
        self.linear = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        both = self.norm(torch.cat([self.short(x), self.long(x)], dim=1))
        y = self.mixed(torch.cat((x, functional.leaky_relu(both)), 1))
        y = functional.adaptive_max_pool1d(self.drop(y), 1).squeeze(2)
        out: Tensor = self.linear(y)
        return out


class Dense(nn.Module):
    """Each convolution reads all that came before (DenseNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(3, 4, 3)
        self.norm = nn.BatchNorm1d(9)
        self.one, self.two = nn.Conv1d(4, 5, 3, padding=1), nn.Conv1d(9, 3, 3, padding=1)
        self.linear = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.norm(torch.cat([x, self.one(x).relu()], 1))
        out: Tensor = self.linear(torch.cat([self.two(x), x], 1).mean(2))
        return out


class Excited(nn.Module):
    """Squeeze-excitation twice: of linear layers, and of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 5)
        self.down, self.up = nn.Linear(8, 3), nn.Linear(3, 8)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.narrow, self.wide = nn.Conv1d(8, 4, 1), nn.Conv1d(4, 8, 1)
        self.linear = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        weights = torch.sigmoid(self.up(torch.relu(self.down(x.mean(dim=2)))))
        x = x * weights.unsqueeze(-1)
        x = x * self.wide(torch.tanh(self.narrow(self.pool(x)))).sigmoid()
        out: Tensor = self.linear(self.pool(functional.gelu(x)).flatten(1))
        return out


class Depthwise(nn.Module):
    """Electrodes on an axis of their own, two kernels across them for each in time (EEGNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, 4, (1, 9), padding=(0, 4), bias=False)
        self.temporal_norm = nn.BatchNorm2d(4)
        self.spatial = nn.Conv2d(4, 8, (3, 1), groups=4, bias=False)
        self.spatial_norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, (1, 5), padding=(0, 2), groups=8, bias=False)
        self.pointwise = nn.Conv2d(8, 6, 1, bias=False)
        self.last_norm = nn.BatchNorm2d(6)
        self.pool, self.drop = nn.AvgPool2d((1, 4)), nn.Dropout2d(0.25)
        self.linear = nn.Linear(6 * 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.temporal_norm(self.temporal(x.unsqueeze(1)))
        x = self.drop(self.pool(functional.elu(self.spatial_norm(self.spatial(x)))))
        x = self.last_norm(self.pointwise(self.depthwise(x)))
        x = functional.avg_pool2d(functional.elu(x), (1, 4))
        out: Tensor = self.linear(x.view(x.size(0), -1))
        return out


class Grouped(nn.Module):
    """Grouped convolutions, and a depthwise one with three kernels each."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 8, 3)
        self.grouped = nn.Conv1d(8, 12, 3, groups=2)
        self.again = nn.Conv1d(12, 6, 3, groups=3)
        self.tripled = nn.Conv1d(6, 18, 3, groups=6)
        self.linear = nn.Linear(18, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(functional.relu(self.grouped(torch.tanh(self.first(x)))))
        out: Tensor = self.linear(self.tripled(x).amax(dim=-1))
        return out


class Power(nn.Module):
    """Squares, means and logarithms; the classifier is a convolution (ShallowFBCSPNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, 5, (1, 7))
        self.spatial = nn.Conv2d(5, 6, (3, 1), bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.pool = nn.AvgPool2d((1, 20), (1, 5))
        self.classifier = nn.Conv2d(6, 2, (1, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.spatial(self.temporal(x[:, None, :, :])))
        x = torch.log(torch.clamp(self.pool(torch.square(x)), min=1e-6))
        x = torch.log_softmax(self.classifier(x), dim=1)
        return x.squeeze(3).squeeze(2)


class Recurrent(nn.Module):
    """Convolutions, then a recurrent layer that reads them sample by sample."""

    def __init__(self, kind: str = "GRU") -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 6, 5, stride=4)
        self.norm = nn.InstanceNorm1d(6, affine=True)
        self.recurrent = getattr(nn, kind)(6, 4, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.recurrent(self.norm(self.conv(x)).permute(0, 2, 1))
        out: Tensor = self.linear(hidden[:, -1])
        return out


class Moved(nn.Module):
    """Axes moved, split and merged; linear layers across time and across channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 6, 5)
        self.time = nn.Linear(60, 12)
        self.time_norm = nn.LayerNorm(12)
        self.channels = nn.Linear(6, 5)
        self.linear = nn.Linear(30, 2)
        self.second = nn.Conv2d(6, 4, (1, 3))
        self.flat = nn.Linear(4 * 3 * 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        n, _, _ = x.shape
        x = self.time_norm(self.time(self.conv(x)))
        x = functional.pad(x[..., 1:11], (1, 1))
        one = self.channels(x.transpose(1, 2)).reshape(n, 12, 5)[:, ::2].flatten(1)
        first, second = x.view(n, -1, 3, 4).chunk(2, dim=3)
        stacked = torch.stack([first, second], dim=-1).flatten(-2)
        two = self.second(stacked).permute(2, 3, 0, 1).reshape(-1, n, self.second.out_channels)
        out: Tensor = self.linear(one) + self.flat(two.movedim(1, 0).reshape(n, -1))
        return out


class Scaled(nn.Module):
    """Part of the kernels is tied to what can't go: the network's input, a parameter of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv1d(3, 3, 3, padding=1)
        self.two = nn.Conv1d(3, 5, 3, padding=1)
        self.three = nn.Conv1d(3, 8, 3, padding=1)
        self.four = nn.Conv1d(8, 6, 3)
        self.shift = nn.Parameter(torch.ones(6, 1))
        self.five = nn.Conv1d(6, 4, 3)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.one(x)  # tied to the input
        y = torch.cat([x, self.two(x)], 1) + self.three(x)  # three: in part
        y = self.five(self.four(y) + self.shift)
        out: Tensor = self.linear(2 * y.abs().sqrt().sum(2) / 60)
        return out


KINDS: dict[str, Callable[[], nn.Module]] = {
    **{
        build.__name__: build
        for build in (
            Chain,
            Residual,
            Joined,
            Dense,
            Excited,
            Depthwise,
            Grouped,
            Power,
            Moved,
            Scaled,
        )
    },
    **{kind: lambda kind=kind: Recurrent(kind) for kind in ("GRU", "LSTM", "RNN")},  # type: ignore[misc]
}
