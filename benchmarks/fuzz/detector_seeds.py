"""Detectors that are right, to be spoilt: our own layers, torch's exporter, 8 bits, and operators by hand.

Models are for windows of 3 channels × 64 samples.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from secateur.detectors import DetectorInfo, PostProcessing
from secateur.detectors.eight_bits import quantise
from secateur.detectors.network.model import Graph, Node
from secateur.networks import Network, NetworkSettings, build_network, to_onnx
from secateur.windows import ChainSettings, Scale, WindowSettings

CHANNELS, SAMPLES, RATE = ("F3-C3", "C3-P3", "P3-O1"), 64, 64.0
_BLOCKS: dict[str, dict[str, Any]] = {
    "valid": {"widths": (4, 4), "kernel_sizes": (5, 3), "pooling": (2, 2)},
    "paper": {"widths": (4, 4), "kernel_sizes": (5, 3), "pooling": (4, 4)},
    "tcn": {"widths": (4, 4), "kernel_sizes": (5, 3), "pooling": (4,)},
    "separable": {"widths": (4, 4), "kernel_sizes": (5, 3), "pooling": (4, 2)},
}


class _Recurrent(Network):
    """Written by torch's exporter."""

    def __init__(self) -> None:
        super().__init__(NetworkSettings(name="own:recurrent"), len(CHANNELS), SAMPLES)
        self.conv, self.linear = nn.Conv1d(3, 4, 5, stride=4), nn.Linear(3, 2)
        self.recurrent = nn.GRU(4, 3, batch_first=True)

    def forward(self, windows: Tensor) -> Tensor:
        hidden, _ = self.recurrent(self.conv(windows).permute(0, 2, 1))
        out: Tensor = self.linear(hidden[:, -1])
        return out


def _by_hand() -> bytes:
    """Operators that the others don't use, one behind the other."""
    steps: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
        ("Slice", ("start", "end", "axes", "steps"), {}),
        ("Pad", ("pads",), {"mode": "constant"}),
        ("Gather", ("order",), {"axis": 1}),
        ("LayerNormalization", ("scale", "scale"), {"axis": -1, "epsilon": 1e-5}),
        ("InstanceNormalization", ("three", "three"), {}),
        ("Softmax", (), {"axis": 2}),
        ("Unsqueeze", ("axes",), {}),
        ("Expand", ("wide",), {}),
        ("Transpose", (), {"perm": (0, 1, 3, 2)}),
        ("AveragePool", (), {"kernel_shape": (3, 1), "strides": (2, 1), "pads": (1, 0, 1, 0)}),
        ("ReduceMax", (), {"axes": (3,), "keepdims": 0}),
        ("PRelu", ("slope",), {}),
        ("Clip", ("low", "high"), {}),
        ("Reshape", ("flat",), {}),
        ("MatMul", ("last",), {}),
    ]
    names = ["windows", *(f"x{k}" for k in range(1, len(steps))), "logits"]
    nodes = tuple(
        Node(kind, (names[k], *more), (names[k + 1],), attributes, f"n{k}")
        for k, (kind, more, attributes) in enumerate(steps)
    )
    integers = {
        "start": (0,), "end": (60,), "axes": (2,), "steps": (2,), "pads": (0, 0, 1, 0, 0, 1),
        "order": (2, 0, 1), "wide": (1, 3, 2, 32), "flat": (0, -1),
    }  # fmt: skip
    weights: dict[str, Any] = {
        name: np.array(values, np.int64) for name, values in integers.items()
    }
    weights |= {
        "scale": np.ones(32, np.float32), "three": np.ones(3, np.float32),
        "slope": np.full((3, 1), 0.1, np.float32), "low": np.float32(-1) * np.ones((), np.float32),
        "high": np.ones((), np.float32), "last": np.ones((48, 2), np.float32),
    }  # fmt: skip
    inputs = {"windows": (None, len(CHANNELS), SAMPLES)}
    return Graph(nodes, weights, inputs, {"logits": (None, 2)}, 17).to_bytes()


@cache
def models() -> dict[str, bytes]:
    """By name."""
    torch.set_num_threads(1)
    written = {
        name: to_onnx(build_network(NetworkSettings(name=name, **numbers), 3, SAMPLES, 1).eval())
        for name, numbers in _BLOCKS.items()
    }
    noise = np.random.default_rng(0).normal(size=(8, 3, SAMPLES)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch's exporter wrote it
        torch.manual_seed(0)
        written["recurrent"] = to_onnx(_Recurrent().eval())
    return {**written, "int8": quantise(written["valid"], [noise]), "by hand": _by_hand()}


def info() -> dict[str, Any]:
    """What stands beside a network, as JSON has it."""
    content = DetectorInfo(
        secateur="0",
        chain=ChainSettings(
            montage="as-recorded", channels=CHANNELS, sampling_rate=RATE, low=0.5, high=20
        ),
        scale=Scale(mean=(0.0,) * 3, spread=(20.0,) * 3),
        windows=WindowSettings(length=1, hop=0.5),
        post_processing=PostProcessing(),
    )
    return content.model_dump(mode="json", by_alias=True)
