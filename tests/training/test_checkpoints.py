"""A checkpoint is the network again, whatever was cut from it; weights of others come in by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from secateur.errors import SettingsError, TrainingError
from secateur.networks import (
    NAMES,
    Network,
    NetworkSettings,
    build_network,
    kernels_of,
    reinitialised,
    to_onnx,
)
from secateur.pruning import cut, trace
from secateur.training import load_network, save_network
from secateur.training.checkpoints import load_weights
from tests.support.shaken import shaken

SMALLER: Mapping[str, tuple[int, ...]] = {
    "valid": (3, 7, 5),
    "paper": (3, 7, 5),
    "eegnet": (3, 6, 5),
    "shallow": (7,),
    "deep4": (3, 9, 4, 5),
    "tcn": (5,) * 6,
    "separable": (3, 5, 7, 2),
}
OWN = """
from torch import nn

class Mine(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.convolution = nn.Conv1d(channels, 8, 5, stride=4)
        self.recurrent = nn.GRU(8, 6, batch_first=True)
        self.linear = nn.Linear(6, classes)

    def forward(self, windows):
        features = self.convolution(windows).relu().transpose(1, 2)
        return self.linear(self.recurrent(features)[0][:, -1])

def build(channels, samples, classes):
    return Mine(channels, classes)
"""


def cut_down(name: str) -> Network:
    """A network that was built large, its layers replaced by smaller ones, as surgery leaves it."""
    network, small = (
        build_network(NetworkSettings.model_validate({"name": name, **told}), 4, 512, 1)
        for told in ({}, {"widths": SMALLER[name]})
    )
    for part, layer in small.named_children():
        setattr(network, part, layer)
    return shaken(network, 2)


def equal(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_network_comes_back_to_the_bit(name: str, tmp_path: Path) -> None:
    network, path = cut_down(name), tmp_path / "a.safetensors"
    save_network(network, path)
    again = load_network(path)
    assert equal(network, again)
    assert kernels_of(again) == kernels_of(network)
    assert again.settings == network.settings
    window = torch.randn(2, 4, 512)
    assert torch.equal(again(window), network(window))
    first = path.read_bytes()
    save_network(again, path)
    assert path.read_bytes() == first
    # and it can be trained on
    again.train()(torch.randn(4, 4, 512)).sum().backward()
    assert all(parameter.grad is not None for parameter in again.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_what_surgery_leaves_comes_back_to_the_bit(name: str, tmp_path: Path) -> None:
    network = shaken(build_network(NetworkSettings(name=name), 4, 512, 1))
    structure = trace(network, 4, 512)
    kept = {group.name: tuple(range(0, group.size, 3)) for group in structure.groups}
    smaller, path = cut(network, structure, kept), tmp_path / "a.safetensors"
    save_network(smaller, path)
    again = load_network(path)
    assert equal(smaller, again)
    windows = np.random.default_rng(0).normal(size=(3, 4, 512)).astype(np.float32)
    with torch.inference_mode():
        expected = again(torch.from_numpy(windows)).numpy()
        assert np.array_equal(expected, smaller(torch.from_numpy(windows)).numpy())
        # the same sizes with other weights
        fresh = reinitialised(again, 5).eval()
        assert fresh(torch.from_numpy(windows)).shape == (3, 2)
    assert kernels_of(fresh) == kernels_of(smaller)
    content = to_onnx(again)
    assert content == to_onnx(smaller)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    got = session.run(None, {"windows": windows})[0]
    assert np.abs(got - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NetworkSettings:
    (tmp_path / "checkpointed_network.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return NetworkSettings(name="checkpointed_network:build")


def test_a_network_of_ones_own_with_another_input_of_its_recurrent_layer(
    own: NetworkSettings, tmp_path: Path
) -> None:
    network = build_network(own, 3, 64, 1)
    mine: Any = network.get_submodule("own")
    mine.convolution = nn.Conv1d(3, 5, 5, stride=4)
    mine.recurrent = nn.GRU(5, 6, batch_first=True)
    network.eval()
    save_network(network, tmp_path / "a.safetensors")
    again = load_network(tmp_path / "a.safetensors")
    assert equal(network, again)
    window = torch.randn(2, 3, 64)
    assert torch.equal(again(window), network(window))


def test_code_that_has_changed_since_is_told(own: NetworkSettings, tmp_path: Path) -> None:
    network, path = build_network(own, 3, 64, 1), tmp_path / "a.safetensors"
    network.get_submodule("own").add_module("further", nn.Linear(2, 2))
    save_network(network, path)
    with pytest.raises(TrainingError, match="does not fit the network checkpointed_network:build"):
        load_network(path)


def written(tensors: dict[str, Tensor], path: Path) -> Path:
    safetensors.torch.save_file(tensors, path)
    return path


def test_weights_come_in_by_the_names_of_the_users_network(
    own: NetworkSettings, tmp_path: Path
) -> None:
    donor, network = build_network(own, 3, 64, 1), build_network(own, 3, 64, 2)
    mine = donor.get_submodule("own")
    load_weights(network, written(dict(mine.state_dict()), tmp_path / "w.safetensors"))
    assert equal(network, donor)
    other = build_network(own, 3, 64, 3)
    save_network(donor, tmp_path / "checkpoint.safetensors")
    load_weights(other, tmp_path / "checkpoint.safetensors")
    assert equal(other, donor)


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    network = build_network(NetworkSettings(name="eegnet"), 4, 512, 1)
    whole, path = dict(network.state_dict()), tmp_path / "w.safetensors"
    lacking = {key: one for key, one in whole.items() if not key.startswith("spatial_norm")}
    for tensors, reason in (
        (lacking, r"lacks spatial_norm\.weight, spatial_norm\.bias, .*running_mean and 1 more$"),
        (
            {**whole, "head.weight": torch.ones(2)},
            r"it has head\.weight, which the network has not",
        ),
        ({**whole, "linear.bias": torch.ones(3)}, r"linear\.bias is 3, the network's is 2"),
    ):
        with pytest.raises(SettingsError, match=reason):
            load_weights(network, written(tensors, path))
    torch.save(whole, tmp_path / "w.pt")
    with pytest.raises(SettingsError, match="not safetensors; write one with"):
        load_weights(network, tmp_path / "w.pt")
    with pytest.raises(SettingsError, match="there is no such file"):
        load_weights(network, tmp_path / "none.safetensors")
    counts = {key: one for key, one in whole.items() if "num_batches" not in key}
    load_weights(network, written(counts, path))
