"""Networks whose BatchNorms are as training leaves them: no mean of zero, no variance of one."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def shaken(network: Network, seed: int = 0) -> Network:
    """`network` itself, in evaluation mode, every BatchNorm with random statistics and weights."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.3, 3, generator=generator)
            for parameter in module.parameters():
                parameter.data.normal_(generator=generator)
    return network.eval()
