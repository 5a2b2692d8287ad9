"""What all networks are: a torch module that knows how it was built and what it reads; how large one is."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

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

    def require_length(self, *lengths: int) -> None:
        """Raise `SettingsError` where one of the lengths that the layers leave is below 1."""
        if min(lengths) < 1:
            raise SettingsError(
                f"a window of {self.samples} samples is too short for this network: its blocks leave "
                f"{', '.join(map(str, lengths))} samples"
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


def count_parameters(network: nn.Module) -> int:
    """Numbers that training adjusts (BatchNorm's running statistics are not among them)."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, channels: int, samples: int) -> int:
    """Multiply-accumulates of all convolutions, linear and recurrent layers for one window.

    A convolution does its weights once for each position that it gives out, a linear layer once for each
    row that it reads, a recurrent one once for each step. Biases, norms and activations don't count.
    """
    return sum(
        use.times * sum(w.numel() for key, w in use.layer.named_parameters() if "weight" in key)
        if isinstance(use.layer, nn.RNNBase)
        else use.times * use.layer.weight.numel()
        for use in uses_of(network, channels, samples)
    )


@dataclass(frozen=True)
class Use:
    """One call of a layer that multiplies. `times`: how often it uses each of its weights; `reads`: the
    shape of what it reads, of one window.
    """

    name: str
    layer: Any
    times: int
    reads: tuple[int, ...]


def uses_of(network: nn.Module, channels: int, samples: int) -> list[Use]:
    """Every call of a convolution, linear or recurrent layer for one window, in order."""
    uses: list[Use] = []

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            reads = tuple(inputs[0].shape)
            if isinstance(layer, _ConvNd):
                shape = (reads if layer.transposed else output.shape)[2:]
            else:
                shape = reads[:-1]
            uses.append(Use(name, layer, math.prod(shape), reads))

        return hook

    handles = [
        module.register_forward_hook(hook_of(name))
        for name, module in network.named_modules()
        if isinstance(module, _ConvNd | nn.Linear | nn.RNNBase)
    ]
    try:
        parameter = next(network.parameters())
        with evaluating(network), torch.no_grad():
            network(torch.zeros(1, channels, samples, dtype=parameter.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return uses


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for as long as the block lasts; then every layer's own mode again."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
