"""Detectors to be explained: of random networks, or of one that looks at known channels alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from secateur.detectors import DetectorInfo, PostProcessing, pack
from secateur.detectors.network.model import parse
from secateur.explaining import ExplainingDetector
from secateur.networks import Network, NetworkSettings, build_network, to_onnx
from secateur.recordings import ArrayRecording
from secateur.windows import ChainSettings, Scale, WindowSettings
from tests.support.shaken import shaken

RATE = 256.0


def opened(model: bytes, threshold: float = 0.5, **chain: Any) -> ExplainingDetector:
    """See `packed`."""
    return ExplainingDetector(packed(model, threshold, **chain))


def packed(model: bytes, threshold: float = 0.5, **chain: Any) -> bytes:
    """A detector's file with the network `model`, whose windows overlap by half or by all but a second."""
    (shape,) = parse(model).inputs.values()
    channels, samples = int(shape[1] or 0), int(shape[2] or 0)
    names = tuple(f"C{k}" for k in range(channels))
    chain = {"montage": "as-recorded", "channels": names, **chain}
    length = samples / RATE
    info = DetectorInfo(
        secateur="0",
        chain=ChainSettings.model_validate({"sampling_rate": RATE, **chain}),
        scale=Scale(mean=(0.0,) * channels, spread=(20.0,) * channels),
        windows=WindowSettings(length=length, hop=min(1.0, length / 2)),
        post_processing=PostProcessing(threshold=threshold),
    )
    return pack(model, info)


def noise(count: int, channels: int, samples: int, seed: int = 0) -> NDArray[np.float32]:
    shape = count, channels, samples
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def built(name: str, channels: int = 18) -> Network:
    """A built-in network as training might leave it."""
    return shaken(build_network(NetworkSettings(name=name), channels, 1024, 1))


def looking_at(channel: int, channels: int = 4) -> bytes:
    """A network that rises with the amplitude of one channel and knows nothing of the others."""
    network = built("valid", channels)
    convolution: Any = network.get_submodule("blocks.0.conv")
    linear: Any = network.get_submodule("linear")
    with torch.no_grad():
        for k in range(channels):
            if k != channel:
                convolution.weight[:, k] = 0
        linear.weight[1] = linear.weight[1].abs()
        linear.weight[0] = -linear.weight[1]
    return to_onnx(network)


def recording_of(
    seconds: int, channels: int = 4, loud: tuple[int, int, int] | None = None, seed: int = 0
) -> ArrayRecording:
    """Noise of 20 µV. `loud`: a channel, and from which second to which it is eight times as loud at 6 Hz."""
    data = 20 * noise(1, channels, round(seconds * RATE), seed)[0]
    if loud is not None:
        channel, begin, end = loud
        time = np.arange(round((end - begin) * RATE)) / RATE
        part = data[channel, round(begin * RATE) : round(end * RATE)]
        part += (160 * np.sin(2 * np.pi * 6 * time)).astype(np.float32)
    return ArrayRecording(data, RATE, [f"C{k}" for k in range(channels)], path="night.edf")
