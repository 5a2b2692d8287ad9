"""A network in 8 bits: smaller, nearly the same, and a model like any other."""

from __future__ import annotations

import numpy as np
import onnxruntime

from secateur.detectors.eight_bits import quantise
from secateur.networks import NetworkSettings, build_network, to_onnx
from tests.support.shaken import shaken


def test_a_quantised_network_is_smaller_and_says_nearly_the_same() -> None:
    network = shaken(build_network(NetworkSettings(), 18, 1024, seed=1))
    windows = np.random.default_rng(0).normal(size=(64, 18, 1024)).astype(np.float32)
    float_model = to_onnx(network)
    small = quantise(float_model, [windows[:32], windows[32:]])
    assert len(small) < 0.4 * len(float_model)
    answers = [
        onnxruntime.InferenceSession(model).run(None, {"windows": windows})[0]
        for model in (float_model, small)
    ]
    spread = float(np.ptp(answers[0]))
    assert np.abs(answers[0] - answers[1]).max() < 0.15 * spread
    assert not np.array_equal(*answers)


def test_the_same_windows_give_the_same_bytes() -> None:
    network = shaken(build_network(NetworkSettings(), 4, 256, seed=2))
    windows = np.random.default_rng(0).normal(size=(16, 4, 256)).astype(np.float32)
    model = to_onnx(network)
    first, second = (quantise(model, [windows]) for _ in range(2))
    assert first == second
