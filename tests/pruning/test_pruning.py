"""Surgery removes exactly the kernels that it was told to, and that is proved on real windows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateur.errors import SurgeryError
from secateur.networks import NAMES, BlockNetwork, NetworkSettings, build_network
from secateur.pruning import PruningSettings, Structure, cut, prune, trace
from secateur.pruning.allocation import kept_by_score, removed_of
from secateur.pruning.equivalence import largest_difference, require_equal
from secateur.pruning.importance import l1
from shaken import shaken


def small(name: str = "valid", seed: int = 0) -> BlockNetwork:
    made = NetworkSettings.model_validate(
        {"name": name, "widths": [5, 6, 7], "kernel_sizes": [5, 3, 3], "pooling": [2, 2, 2]}
    )
    network = build_network(made, 3, 96, seed)
    return shaken(network, seed)


WINDOWS = np.random.default_rng(0).normal(size=(6, 3, 96)).astype(np.float32)


def test_l1_is_the_sum_of_absolute_weights_by_hand() -> None:
    convolution = nn.Conv1d(2, 3, 2)
    convolution.weight.data = torch.tensor(
        [[[1.0, -2.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, -0.25]], [[3.0, 3.0], [-3.0, 3.0]]]
    )
    assert l1(convolution).tolist() == [3.5, 0.25, 12.0]


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
    scores = l1(first)
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


def test_zeroing_at_the_convolution_would_not_have_been_proof() -> None:
    """BatchNorm's shift leaks: a kernel of zeros is not a kernel that is gone."""
    network = small()
    structure = trace(network, 3, 96)
    kept = {name: tuple(range(2)) for name in structure.names}
    smaller = cut(network, structure, kept)
    assert largest_difference(network, smaller, structure, kept, WINDOWS) <= 1e-9
    zeroed = copy.deepcopy(network).double().eval()
    for name, indices in kept.items():
        weight = zeroed.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        gone = [k for k in range(len(weight)) if k not in indices]
        weight.data[gone] = 0
    with torch.inference_mode():
        one = zeroed(torch.from_numpy(WINDOWS).double())
        other = copy.deepcopy(smaller).double().eval()(torch.from_numpy(WINDOWS).double())
    assert float((one - other).abs().max()) > 1e-3


def test_layers_of_ours_are_followed_as_the_ones_they_derive_from() -> None:
    network = small()
    plain = copy.deepcopy(network)
    for block in plain.blocks:
        assert isinstance(block, nn.Sequential)
        block.dropout, block.pool = nn.Dropout(0.2), nn.MaxPool1d(_size_of(block))
    assert in_words(trace(network, 3, 96)) == in_words(trace(plain, 3, 96))


def in_words(structure: Structure) -> dict[str, list[tuple[str, str, list[list[int]]]]]:
    """By group: layer, side and places of each slot, which can be compared."""
    return {
        group.name: [(slot.layer, slot.side, slot.places.tolist()) for slot in group.slots]
        for group in structure.groups
    }


def _size_of(block: nn.Sequential) -> int:
    assert isinstance(block.pool, nn.MaxPool1d)
    assert isinstance(block.pool.kernel_size, int)
    return block.pool.kernel_size


def test_a_wrong_surgery_is_noticed() -> None:
    network = small()
    structure = trace(network, 3, 96)
    kept = dict.fromkeys(structure.names, (0, 2))
    wrong = cut(network, structure, dict.fromkeys(structure.names, (0, 1)))
    difference = largest_difference(network, wrong, structure, kept, WINDOWS)
    assert difference > 1e-6
    for bad in (difference, float("nan")):
        with pytest.raises(SurgeryError, match="differs"):
            require_equal(bad)


def test_kernels_that_are_not_there_are_refused() -> None:
    network = small()
    structure = trace(network, 3, 96)
    first = structure.names[0]
    for kept in ({first: ()}, {first: (0, 9)}, {first: (2, 1)}, {"nowhere": (0,)}):
        with pytest.raises(SurgeryError):
            cut(network, structure, kept)


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


class Odd(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv1d(3, 4, 5)
        self.again = nn.Conv1d(4, 4, 5, padding=2)
        self.softmax = nn.Softmax(dim=1)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        if self.kind == "output":
            return y
        if self.kind == "twice":
            y = self.again(self.again(y))
        if self.kind == "softmax":
            y = self.softmax(y)
        if self.kind == "branch" and y.sum() > 0:
            y = y * 2
        if self.kind == "mean":
            y = y + y.mean(dim=1, keepdim=True)
        out: Tensor = self.linear(y.mean(dim=2))
        return out


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("output", "no convolution whose kernels could go"),
        ("twice", "again is used twice"),
        ("softmax", "softmax, a Softmax"),
        ("branch", "can't be traced"),
        ("mean", "operation mean: it runs along the channels"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(kind: str, said: str) -> None:
    with pytest.raises(SurgeryError, match=said):
        trace(Odd(kind), 3, 96)


def test_a_network_without_convolutions_is_refused() -> None:
    with pytest.raises(SurgeryError, match="no convolution"):
        trace(nn.Sequential(nn.Flatten(), nn.Linear(3 * 96, 2)), 3, 96)
