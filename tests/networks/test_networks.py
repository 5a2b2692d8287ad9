from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from secateur.errors import SettingsError
from secateur.networks import (
    BlockNetwork,
    NetworkSettings,
    build_network,
    count_macs,
    count_parameters,
    to_onnx,
)
from tests.support.shaken import shaken

BLOCKS = ("valid", "paper")


@given(
    name=st.sampled_from(BLOCKS),
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    pool=st.integers(1, 4),
    size=st.sampled_from([1, 3, 7]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_onnx_equals_torch(name: str, widths: list[int], pool: int, size: int, seed: int) -> None:
    made = NetworkSettings.model_validate(
        {
            "name": name,
            "widths": widths,
            "kernel_sizes": [size] * len(widths),
            "pooling": [pool] * len(widths),
        }
    )
    network = shaken(build_network(made, 3, 1024, seed), seed)
    windows = np.random.default_rng(seed).normal(size=(5, 3, 1024)).astype(np.float32)
    session = onnxruntime.InferenceSession(to_onnx(network), providers=["CPUExecutionProvider"])
    got = session.run(None, {"windows": windows})[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(windows)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    assert np.abs(got - expected).max() <= 1e-5 * scale
    chance = [
        np.exp(x[:, 1]) / np.exp(x).sum(axis=1)
        for x in (np.clip(got, -50, 50), np.clip(expected, -50, 50))
    ]
    assert np.abs(chance[0] - chance[1]).max() <= 1e-5


def test_the_same_network_gives_the_same_bytes_and_holds_no_path() -> None:
    network = shaken(build_network(NetworkSettings(), 18, 1024, 1))
    content = to_onnx(network)
    assert content == to_onnx(network)
    assert str(Path.cwd()).encode() not in content
    assert str(Path.home()).encode() not in content
    model = onnx.load_from_string(content)
    assert not model.functions
    assert {node.domain for node in model.graph.node} == {""}


def test_the_same_seed_builds_the_same_network_and_leaves_torchs_generator() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other = (build_network(NetworkSettings(), 18, 1024, 4) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    different = build_network(NetworkSettings(), 18, 1024, 5)
    assert not torch.equal(next(one.parameters()), next(different.parameters()))


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_hold_the_published_layers_with_relu_last(name: str) -> None:
    network = build_network(NetworkSettings.model_validate({"name": name}), 18, 1024)
    assert isinstance(network, BlockNetwork)
    kinds = [[type(layer).__name__ for layer in block.children()] for block in network.blocks]
    assert kinds == [["Conv1d", "BatchNorm1d", "Dropout", "MaxPool1d", "ReLU"]] * 3
    assert [m.out_channels for m in network.modules() if isinstance(m, nn.Conv1d)] == [32, 64, 128]


def test_sizes_are_those_of_paper_and_pencil() -> None:
    settings_ = NetworkSettings(widths=(2, 3), kernel_sizes=(5, 3), pooling=(2, 2))
    network = build_network(settings_, 4, 20)
    # convolutions 4·2·5+2 and 2·3·3+3, norms 2·2 and 2·3, linear 3·2+2
    assert count_parameters(network) == 42 + 4 + 21 + 6 + 8
    # 16 positions of 4·2·5; pooled to 8; 6 positions of 2·3·3; linear 3·2
    assert count_macs(network, 4, 20) == 16 * 40 + 6 * 18 + 6
    padded = build_network(settings_.model_copy(update={"name": "paper"}), 4, 20)
    assert count_macs(padded, 4, 20) == 20 * 40 + 10 * 18 + 6


def test_a_window_too_short_is_refused_with_what_the_blocks_leave() -> None:
    with pytest.raises(SettingsError, match="window of 60 samples is too short"):
        build_network(NetworkSettings(), 18, 60)


def test_settings_that_do_not_fit_together_are_refused() -> None:
    for wrong in (
        {"widths": [8, 8]},
        {"widths": [0, 1, 2]},
        {"name": "paper", "kernel_sizes": [4, 4, 4]},
        {"dropout": 1.0},
        {"name": "transformer"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            NetworkSettings.model_validate(wrong)
