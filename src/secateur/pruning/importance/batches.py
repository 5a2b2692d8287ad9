"""Windows for a network to be looked at with, and the network as it is left.

Comes in: a network and a source of labelled windows. Goes out: tensors, batch by batch, while the network
stands in evaluation mode. Next: `readings`, `gates` and `zeros` look at what they do inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SettingsError

Batches = Callable[[], Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]]
"""Makes the same sequence at each call: windows (n × channels × samples) and their labels (n)."""

Scores = dict[str, NDArray[np.float64]]
"""One number for each kernel, by convolution (or for each unit, by group); small ones go first."""


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


def tensors(network: nn.Module, batches: Batches | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Each batch as the network takes it: windows in the type of its weights, labels as int64.

    Raises `SettingsError` where there is no source of windows, or it gives none.
    """
    if batches is None:
        raise SettingsError("this looks at what windows do in the network: give it batches of some")
    parameter = next(network.parameters())
    seen = 0
    for windows, labels in batches():
        seen += len(labels)
        if len(labels):
            yield (
                torch.from_numpy(windows).to(parameter.dtype),
                torch.from_numpy(np.asarray(labels, dtype=np.int64)),
            )
    if not seen:
        raise SettingsError("the batches hold no window: give at least one")
