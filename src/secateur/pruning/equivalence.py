"""The check that surgery removed kernels and nothing else.

In float64 the logits of the smaller network must be those of the original with the removed channels zeroed
wherever they are read.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SurgeryError
from secateur.networks import kernels_of
from secateur.pruning.groups import Structure
from secateur.pruning.readers import zeroed_where_read
from secateur.pruning.surgery import Kept, cut, gone

TOLERANCE = 1e-9


def masked_logits(
    network: nn.Module, structure: Structure, kept: Kept, windows: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Logits of the uncut network with every removed channel read as zero, in float64.

    `windows`: windows × channels × samples.
    """
    masked = copy.deepcopy(network)
    with zeroed_where_read(masked, structure, gone(structure, kept)):
        return _logits(masked, windows)


def largest_difference(
    network: nn.Module,
    smaller: nn.Module,
    structure: Structure,
    kept: Kept,
    windows: NDArray[np.float32],
) -> float:
    """Largest absolute difference of logits between `smaller` and the masked `network`.

    Where logits are larger than one, as a share of the largest. What is no number in both is left out; NaN
    where nothing else is, infinity where it is no number in one alone. Raises `SurgeryError` where one of
    them doesn't run in float64, or `smaller` gives another number of outputs.
    """
    try:
        expected = masked_logits(network, structure, kept, windows)
    except RuntimeError as error:
        first = str(error).strip().split("\n")[0]
        raise SurgeryError(
            f"the network doesn't run in float64, in which surgery is shown to be right ({first}); leave "
            "out casts such as .float(), and make new tensors in the type of what comes in"
        ) from None
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
    finite = np.isfinite(expected)
    if (finite != np.isfinite(got)).any():
        return math.inf
    if not finite.any():
        return math.nan
    expected, got = expected[finite], got[finite]
    return float(np.abs(expected - got).max() / max(1.0, float(np.abs(expected).max())))


def with_random_weights(network: nn.Module) -> nn.Module:
    """A copy of `network` with weights by chance, always the same, and norms that shift and scale.

    In a trained network two kernels may be alike, dead ones above all, and a surgery that mixes them up
    changes nothing; here no two are alike.
    """
    shaken = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)

    def drawn(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like)

    with torch.no_grad():
        for parameter in shaken.parameters():
            fan = parameter.numel() // len(parameter) if parameter.ndim > 1 else 1
            parameter.copy_(drawn(parameter) / math.sqrt(fan))
        for name, buffer in shaken.named_buffers():
            if buffer.is_floating_point():
                value = drawn(buffer)
                buffer.copy_(value.abs() + 0.5 if name.endswith("running_var") else value)
    return shaken


def check(
    network: nn.Module,
    smaller: nn.Module,
    structure: Structure,
    kept: Kept,
    windows: NDArray[np.float32],
) -> float:
    """The largest difference of logits on `windows`, as `largest_difference` counts.

    Raises `SurgeryError` where other kernels went than those that aren't `kept`, where the difference is
    above `TOLERANCE` or no number, or where it is above for the same cut of random weights.
    """
    sets = gone(structure, kept)
    asked = sum(len(own) * structure[name].kernels_each for name, own in sets.items())
    went = sum(kernels_of(network).values()) - sum(kernels_of(smaller).values())
    if went != asked:
        raise SurgeryError(
            f"{asked} kernels should go and {went} did: this is a defect of Secateur, please report it"
        )
    difference = largest_difference(network, smaller, structure, kept, windows)
    require_equal(difference)
    shaken = with_random_weights(network)
    by_chance = largest_difference(shaken, cut(shaken, structure, kept), structure, kept, windows)
    if not math.isnan(by_chance):  # weights by chance may give no numbers where trained ones do
        require_equal(by_chance)
    return difference


def require_equal(difference: float) -> None:
    """Raise `SurgeryError` where a difference is above `TOLERANCE` or is no number."""
    if math.isnan(difference):
        raise SurgeryError(
            "the network gives no numbers on these windows, so it can't be shown that what was cut is all "
            "that changed; was it trained to the end, and does it keep logarithms and roots above zero?"
        )
    if not difference <= TOLERANCE:
        raise SurgeryError(
            f"the rebuilt network differs from the masked one by {difference:g}, "
            f"more than {TOLERANCE:g}: this is a defect of Secateur, please report it"
        )


def _logits(network: nn.Module, windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of `network` itself turned to float64 and evaluation."""
    network.double().eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(windows).double().to(device)).cpu().numpy())
