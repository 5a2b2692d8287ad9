"""The light 1D CNN: blocks of [Conv1d, BatchNorm, ReLU, Dropout, MaxPool], average, one linear layer.

Source of the order: arXiv 2509.05190. Kernel sizes, widths, dropout and pooling aren't told there.

ReLU runs after pooling, where there is a quarter of the work; that is the same function with the same
gradients. ReLU never falls, so the ReLU of the largest value is the largest of the ReLUs; and dropout
multiplies by s = 0 or s > 0, for which relu(s·x) = s·relu(x). Where the largest value isn't above 0,
no gradient comes through in either order.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from secateur.networks.layers import Dropout, MaxPool1d
from secateur.networks.network import Network
from secateur.networks.settings import NetworkSettings


class BlockNetwork(Network):
    """`settings.name` "paper": padded convolutions; "valid": unpadded ones.

    `widths`, `kernel_sizes`, `pooling`: one for each block.

    Raises `SettingsError` where a window of `samples` is too short to come through all blocks.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        self.require_length(*settings.lengths(samples))
        blocks = []
        before = channels
        for width, size, pool in zip(
            settings.widths, settings.kernel_sizes, settings.pooling, strict=True
        ):
            padding = size // 2 if settings.name == "paper" else 0
            blocks.append(
                nn.Sequential(
                    OrderedDict(
                        conv=nn.Conv1d(before, width, size, padding=padding),
                        norm=nn.BatchNorm1d(width),
                        dropout=Dropout(settings.dropout),
                        pool=MaxPool1d(pool),
                        relu=nn.ReLU(),
                    )
                )
            )
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.average = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(before, classes)

    @property
    def settings(self) -> NetworkSettings:
        """What would build this network; its widths are those of the convolutions as they are now."""
        widths = tuple(
            module.out_channels for module in self.modules() if isinstance(module, nn.Conv1d)
        )
        return self._settings.model_copy(update={"widths": widths})

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        features: Tensor = self.flatten(self.average(self.blocks(windows)))
        logits: Tensor = self.linear(features)
        return logits
