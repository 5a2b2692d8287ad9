"""Surgery removes exactly the kernels that it was told to, and that is proved on real windows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateur.networks import NAMES, BlockNetwork, NetworkSettings, build_network
from secateur.pruning import PruningSettings, prune
from secateur.pruning.allocation import kept_by_score, removed_of
from shaken import shaken


def small(name: str = "valid", seed: int = 0) -> BlockNetwork:
    made = NetworkSettings.model_validate(
        {"name": name, "widths": [5, 6, 7], "kernel_sizes": [5, 3, 3], "pooling": [2, 2, 2]}
    )
    network = build_network(made, 3, 96, seed)
    return shaken(network, seed)


WINDOWS = np.random.default_rng(0).normal(size=(6, 3, 96)).astype(np.float32)


@pytest.mark.parametrize(
    ("kernels", "ratio", "gone"),
    [
        (8, 0.5, 4),
        (5, 0.5, 3),
        (7, 0.5, 4),
        (10, 0.35, 4),
        (10, 0.34, 3),
        (3, 0.99, 2),
        (1, 0.5, 0),
        (9, 0.0, 0),
    ],
)
def test_halves_are_rounded_up_and_one_kernel_stays(kernels: int, ratio: float, gone: int) -> None:
    assert removed_of(kernels, ratio) == gone


def test_the_smallest_go_and_of_equals_the_first() -> None:
    assert kept_by_score(np.array([3.0, 1.0, 2.0, 1.0]), 2) == (0, 2)
    assert kept_by_score(np.array([1.0, 1.0, 1.0]), 1) == (1, 2)


@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 50),
    ratio=st.floats(0, 0.95),
    importance=st.sampled_from(["l1", "random"]),
)
@settings(max_examples=40)
def test_surgery_equals_masking_and_removes_what_was_asked(
    name: str, seed: int, ratio: float, importance: str
) -> None:
    network = small(name, seed)
    before = copy.deepcopy(network.state_dict())
    told = PruningSettings.model_validate({"ratio": ratio, "importance": importance})
    pruned = prune(network, told, WINDOWS, seed)
    assert pruned.equivalence_max_abs_error <= 1e-9
    expected = [n - removed_of(n, ratio) for n in (5, 6, 7)]
    assert list(pruned.network.settings.widths) == expected
    assert [len(kept) for kept in pruned.kept.values()] == expected
    assert pruned.ratio_achieved == pytest.approx(1 - sum(expected) / 18)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    output = pruned.network.eval()(torch.from_numpy(WINDOWS))
    assert output.shape == (6, 2)


def test_kept_kernels_keep_their_weights() -> None:
    network = small()
    pruned = prune(network, PruningSettings(ratio=0.5), WINDOWS)
    kept = list(pruned.kept.values())
    first, second = (network.get_submodule(f"blocks.{k}.conv") for k in (0, 1))
    small_second = pruned.network.get_submodule("blocks.1.conv")
    assert isinstance(first, nn.Conv1d)
    assert isinstance(second, nn.Conv1d)
    assert isinstance(small_second, nn.Conv1d)
    expected = second.weight[list(kept[1])][:, list(kept[0])]
    assert torch.equal(small_second.weight, expected)
    norm, small_norm = (one.get_submodule("blocks.1.norm") for one in (network, pruned.network))
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(getattr(small_norm, name), getattr(norm, name)[list(kept[1])])
    assert torch.equal(pruned.network.linear.weight, network.linear.weight[:, list(kept[2])])
    assert torch.equal(pruned.network.linear.bias, network.linear.bias)
    scores = first.weight.detach().abs().sum(dim=(1, 2)).numpy()
    gone = sorted(set(range(5)) - set(kept[0]))
    assert max(scores[gone]) <= min(scores[list(kept[0])])


def test_a_ratio_of_zero_changes_nothing() -> None:
    network = small()
    pruned = prune(network, PruningSettings(ratio=0.0), WINDOWS)
    assert pruned.ratio_achieved == 0
    for name, value in pruned.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


def test_a_pruned_network_can_be_pruned_again_and_trained() -> None:
    once = prune(small(), PruningSettings(ratio=0.4), WINDOWS).network
    twice = prune(once, PruningSettings(ratio=0.4), WINDOWS).network.train()
    loss = twice(torch.from_numpy(WINDOWS)).sum()
    loss.backward()
    assert all(parameter.grad is not None for parameter in twice.parameters())


class Flattened(nn.Module):
    """Linear after flatten without pooling: each channel is read at many inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 5, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(4 * 92, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.flatten(self.norm(self.conv(x))))
        return out


def test_a_linear_layer_after_flatten_loses_all_inputs_of_a_channel() -> None:
    network = shaken(Flattened())
    pruned = prune(network, PruningSettings(ratio=0.5), WINDOWS)
    linear = pruned.network.get_submodule("linear")
    assert isinstance(linear, nn.Linear)
    assert linear.in_features == 2 * 92
    assert pruned.equivalence_max_abs_error <= 1e-9
