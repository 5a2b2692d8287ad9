"""Dropout and max-pooling as torch has them, quicker on a processor.

Half of a training step went into these two. torch draws one random number for each activation and,
where gradients are wanted, looks for each maximum value by value.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 2**16
"""Steps in which a share is dropped: a decision takes 16 random bits."""


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` that makes four decisions of each random number of 64 bits.

    The share `p` is rounded to 1/65536, and what stays is divided by the rounded share that stays, so
    that the expectation is exact. Numbers come from torch's generator. Never in place.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Activations of any shape; in evaluation mode they come back as they are."""
        dropped = min(round(self.p * _LEVELS), _LEVELS - 1)
        if not self.training or dropped == 0:
            return input
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64)
        words.random_(-(2**63), None)  # all 64 bits
        drawn = words.view(torch.int16)[: input.numel()].view(input.shape)
        # in place a comparison stays 16 bits wide and runs on vectors; one that makes bools doesn't
        factors = drawn.ge_(dropped - _LEVELS // 2).to(input.dtype)
        return input * factors.mul_(_LEVELS / (_LEVELS - dropped))


class MaxPool1d(nn.MaxPool1d):
    """`torch.nn.MaxPool1d` without overlap and padding; of equal values the first gets the gradient."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__(kernel_size)
        self._size = kernel_size

    def forward(self, input: Tensor) -> Tensor:
        """Windows × channels × samples; a rest shorter than the kernel is left out."""
        pooled: Tensor = _Maximum.apply(input, self._size)  # type: ignore[no-untyped-call]
        return pooled


class _Maximum(torch.autograd.Function):
    """Maximum of each `size` neighbours.

    Without gradients torch has a kernel on vectors and with them one of a twentieth of its speed that
    notes where each maximum stood. Here the first runs, and the way back looks again.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, size: int) -> Tensor:
        pooled = functional.max_pool1d(input, size)
        ctx.save_for_backward(input, pooled)
        ctx.size = size
        return pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        input, pooled = ctx.saved_tensors
        count, size = pooled.shape[-1], ctx.size
        result = torch.empty_like(input)
        result[..., count * size :] = 0
        values, places = (
            tensor[..., : count * size].unflatten(-1, (count, size)) for tensor in (input, result)
        )
        rest = gradients[0].clone()  # what no earlier neighbour has taken
        for k in range(size - 1):
            own = values[..., k].contiguous().eq_(pooled).mul_(rest)
            rest -= own
            places[..., k] = own
        places[..., size - 1] = rest
        return result, None
