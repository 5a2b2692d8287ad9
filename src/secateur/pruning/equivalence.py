"""The proof that surgery removed kernels and nothing else.

Comes in: the network before and after, what stayed, and real windows. Goes out: the largest difference
between the logits of the smaller network and those of the original with the removed channels zeroed
at the input of every layer that reads them, in float64. Next: `prune` refuses what is not equal.

Zeroing at the convolution would prove nothing: BatchNorm's shift would put something back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SurgeryError
from secateur.pruning.tracing import Couplings

TOLERANCE = 1e-9


def masked_logits(
    network: nn.Module,
    couplings: Mapping[str, Couplings],
    kept: Mapping[str, tuple[int, ...]],
    windows: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Logits of the whole network with every removed channel read as zero, in float64."""
    whole = copy.deepcopy(network).double().eval()
    for name, indices in kept.items():
        convolution = whole.get_submodule(name)
        assert isinstance(convolution, nn.Conv1d)
        mask = torch.zeros(convolution.out_channels, dtype=torch.float64)
        mask[list(indices)] = 1
        for reader, per_channel in couplings[name].readers.items():
            whole.get_submodule(reader).register_forward_pre_hook(
                _multiplier(mask.repeat_interleave(per_channel))
            )
    return _logits(whole, windows)


def largest_difference(
    network: nn.Module,
    smaller: nn.Module,
    couplings: Mapping[str, Couplings],
    kept: Mapping[str, tuple[int, ...]],
    windows: NDArray[np.float32],
) -> float:
    """Largest absolute difference of logits between `smaller` and the masked `network`."""
    expected = masked_logits(network, couplings, kept, windows)
    got = _logits(copy.deepcopy(smaller).double().eval(), windows)
    return float(np.abs(expected - got).max())


def require_equal(difference: float) -> None:
    """Raise `SurgeryError` where a difference is above `TOLERANCE` or is no number."""
    if not difference <= TOLERANCE:
        raise SurgeryError(
            f"the rebuilt network differs from the masked one by {difference:g}, "
            f"more than {TOLERANCE:g}: this is a defect of Secateur, please report it"
        )


def _multiplier(
    mask: Tensor,
) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        first = inputs[0]
        shape = (1, -1) + (1,) * (first.ndim - 2)
        return (first * mask.view(shape), *inputs[1:])

    return hook


def _logits(network: nn.Module, windows: NDArray[np.float32]) -> NDArray[np.float64]:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(windows).double()).numpy())
