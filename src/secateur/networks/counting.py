"""How large a network is: parameters, and multiply-accumulates for one window.

Comes in: a network and the shape of a window. Goes out: counts. Next: `studies` puts them in the table.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

_COUNTED = (_ConvNd, nn.Linear, nn.RNNBase)


def count_parameters(network: nn.Module) -> int:
    """Numbers that training adjusts (BatchNorm's running statistics are not among them)."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, channels: int, samples: int) -> int:
    """Multiply-accumulates of all convolutions, linear and recurrent layers for one window.

    A convolution does its weights once for each position that it gives out, a linear layer once for each
    row that it reads, a recurrent one once for each step. Biases, norms and activations don't count.
    """
    total = 0

    def add(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        if isinstance(module, nn.RNNBase):
            features = inputs[0]
            weights = sum(w.numel() for name, w in module.named_parameters() if "weight" in name)
            total += weights * math.prod(features.shape[:-1])
        elif isinstance(module, nn.Linear):
            total += module.weight.numel() * math.prod(output.shape[:-1])
        elif isinstance(module, _ConvNd):
            seen = inputs[0] if module.transposed else output
            total += module.weight.numel() * math.prod(seen.shape[2:])

    hooks = [
        module.register_forward_hook(add)
        for module in network.modules()
        if isinstance(module, _COUNTED)
    ]
    modes = {module: module.training for module in network.modules()}
    try:
        network.eval()
        parameter = next(network.parameters())
        with torch.no_grad():
            network(torch.zeros(1, channels, samples, dtype=parameter.dtype))
    finally:
        for module, mode in modes.items():
            module.training = mode
        for hook in hooks:
            hook.remove()
    return total
