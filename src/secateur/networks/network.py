"""What all networks are: a torch module that knows how it was built and what it reads.

Comes in: settings and the shape of a window. Goes out: the base class `Network` of all that `building`
makes, and questions that any network answers. Next: `eegnet` and its neighbours derive from it;
`training`, `pruning` and `studies` take any of them.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.errors import SettingsError
from secateur.networks.settings import NetworkSettings


class Network(nn.Module):
    """Windows × channels × samples in, windows × `classes` logits out, background first.

    `settings` say how it was built. After surgery its layers are smaller than that: `kernels_of` tells
    their sizes now, and a checkpoint holds them.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__()
        self._settings = settings
        self.channels, self.samples, self.classes = channels, samples, classes

    @property
    def settings(self) -> NetworkSettings:
        """What would build this network as it was before any surgery."""
        return self._settings

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        raise NotImplementedError

    def require_length(self, *left: int) -> None:
        """Raise `SettingsError` where one of the lengths that the layers leave is below 1."""
        if min(left) < 1:
            raise SettingsError(
                f"a window of {self.samples} samples is too short for this network: its blocks leave "
                f"{', '.join(map(str, left))} samples"
            )


Built = TypeVar("Built", bound=nn.Module)


def kernels_of(network: nn.Module) -> dict[str, int]:
    """Kernels (output channels) of each convolution as they are now, by its name, in order."""
    return {
        name: module.out_channels
        for name, module in network.named_modules()
        if isinstance(module, _ConvNd)
    }


def reinitialised(network: Built, seed: int) -> Built:
    """A copy of the same layers and sizes with fresh weights, each by its layer's `reset_parameters`.

    The same for the same seed; where no layer was resized, it is what `build_network` gives for that
    seed. Torch's own generator is left as is. Raises `SettingsError` naming a parameter that stands in no
    layer which could draw it.
    """
    fresh = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in fresh.named_modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            elif own := [key for key, _ in module.named_parameters(name, recurse=False)]:
                raise SettingsError(
                    f"{own[0]} can't be drawn afresh: {type(module).__name__} has no "
                    "reset_parameters; give it one"
                )
    return fresh
