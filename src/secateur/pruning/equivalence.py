"""The proof that surgery removed kernels and nothing else.

Comes in: the network before and after, what stayed, and real windows. Goes out: the largest difference
between the logits of the smaller network and those of the original with the removed channels zeroed
at the input of every layer that reads them, in float64. Next: `prune` refuses what is not equal.

Zeroing at the convolution would prove nothing: BatchNorm's shift, a logarithm or the other branch of an
add would put something back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SurgeryError
from secateur.pruning.structure import Structure
from secateur.pruning.surgery import Kept, removed_places

TOLERANCE = 1e-9


def masked_logits(
    network: nn.Module, structure: Structure, kept: Kept, windows: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Logits of the whole network with every removed channel read as zero, in float64.

    `windows`: windows × channels × samples.
    """
    whole = copy.deepcopy(network)
    for (name, side), places in removed_places(structure, kept).items():
        if side == "inputs":
            reader = whole.get_submodule(name)
            reader.register_forward_pre_hook(_zeroing(reader, sorted(places)))
    return _logits(whole, windows)


def largest_difference(
    network: nn.Module,
    smaller: nn.Module,
    structure: Structure,
    kept: Kept,
    windows: NDArray[np.float32],
) -> float:
    """Largest absolute difference of logits between `smaller` and the masked `network`.

    Where logits are larger than one, as a share of the largest. NaN where either gives no numbers.
    Raises `SurgeryError` where `smaller` doesn't run or gives another number of outputs.
    """
    expected = masked_logits(network, structure, kept, windows)
    try:
        got = _logits(copy.deepcopy(smaller), windows)
    except (RuntimeError, ValueError, IndexError) as error:
        first = str(error).strip().split("\n")[0]
        raise SurgeryError(
            f"the network doesn't run without those kernels, it counts on their number: {first}"
        ) from None
    if got.shape != expected.shape:
        raise SurgeryError(
            f"the network without those kernels gives {got.shape}, with them {expected.shape}: "
            "it counts on their number"
        )
    return float(np.abs(expected - got).max() / max(1.0, float(np.abs(expected).max())))


def require_equal(difference: float) -> None:
    """Raise `SurgeryError` where a difference is above `TOLERANCE` or is no number."""
    if not difference <= TOLERANCE:
        raise SurgeryError(
            f"the rebuilt network differs from the masked one by {difference:g}, "
            f"more than {TOLERANCE:g}: this is a defect of Secateur, please report it"
        )


def _zeroing(
    reader: nn.Module, places: list[int]
) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    # convolutions read the axis before the ones that they slide along, all others the last
    sliding = {nn.Conv1d: 1, nn.Conv2d: 2}
    behind = next((axes for kind, axes in sliding.items() if isinstance(reader, kind)), 0)

    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        read = inputs[0].clone()
        read.movedim(-1 - behind, 0)[places] = 0
        return (read, *inputs[1:])

    return hook


def _logits(network: nn.Module, windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of `network` itself turned to float64 and evaluation."""
    network.double().eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(windows).double().to(device)).cpu().numpy())
