"""Every kind of network that Secateur writes: built in, of a user, by torch's exporter, in 8 bits."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.detectors.eight_bits import quantise
from secateur.detectors.network.model import parse
from secateur.networks import NAMES, Network, NetworkSettings, build_network, to_onnx
from tests.support.shaken import shaken
from tests.support.small_networks import CHANNELS, KINDS, SAMPLES


class Own(Network):
    """A small network as a user's own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__(NetworkSettings(name="small:network"), CHANNELS, SAMPLES)
        self.inner = inner

    def forward(self, windows: Tensor) -> Tensor:
        out: Tensor = self.inner(windows)
        return out


MODELS = (*NAMES, *KINDS, "valid int8", "eegnet int8", "Residual int8")


@cache
def model(name: str) -> bytes:
    """Every kind of network that Secateur writes; GRU, LSTM, RNN and Moved are of torch's exporter."""
    name, small, _ = name.partition(" int8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in KINDS:
            content = to_onnx(Own(shaken(KINDS[name]())).eval())
        else:
            content = to_onnx(shaken(build_network(NetworkSettings(name=name), 18, 1024, 1)))
    return quantise(content, [windows_for(content, 8)]) if small else content


def windows_for(content: bytes, count: int) -> NDArray[np.float32]:
    (shape,) = parse(content).inputs.values()
    noise = np.random.default_rng(0).normal(size=(count, *(length or 1 for length in shape[1:])))
    return noise.astype(np.float32)
