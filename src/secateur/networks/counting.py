"""How large a network is: parameters, and multiply-accumulates for one window.

Comes in: a network and the shape of a window. Goes out: counts. Next: `studies` puts them in the table.
"""

from __future__ import annotations

import torch
from torch import nn


def count_parameters(network: nn.Module) -> int:
    """Numbers that training adjusts (BatchNorm's running statistics are not among them)."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, channels: int, samples: int) -> int:
    """Multiply-accumulates of all convolutions and linear layers for one window."""
    total = 0

    def add(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv1d):
            total += output.shape[-1] * module.weight.numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel()

    hooks = [
        module.register_forward_hook(add)
        for module in network.modules()
        if isinstance(module, nn.Conv1d | nn.Linear)
    ]
    mode = network.training
    try:
        network.eval()
        parameter = next(network.parameters())
        with torch.no_grad():
            network(torch.zeros(1, channels, samples, dtype=parameter.dtype))
    finally:
        network.train(mode)
        for hook in hooks:
            hook.remove()
    return total
