"""Surgery removes exactly the kernels that it was pruning to, and that is proved on real windows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from secateur.networks import BlockNetwork, NetworkSettings, build_network, kernels_of
from secateur.pruning import CalibrationData, PruningSettings
from secateur.pruning.allocation import kept_by_score, removed_of
from secateur.pruning.costs import microseconds, size
from secateur.pruning.prune import prune
from tests.support.shaken import shaken


def small(name: str = "valid", seed: int = 0) -> BlockNetwork:
    form = NetworkSettings.model_validate(
        {"name": name, "widths": [5, 6, 7], "kernel_sizes": [5, 3, 3], "pooling": [2, 2, 2]}
    )
    network = build_network(form, 3, 96, seed)
    assert isinstance(network, BlockNetwork)
    return shaken(network, seed)


FORMS = ("valid", "eegnet", "shallow", "tcn", "separable")
WINDOWS = np.random.default_rng(0).normal(size=(6, 3, 96)).astype(np.float32)
CALIBRATION = CalibrationData(WINDOWS)


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
    name=st.sampled_from(["paper", "valid"]),
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
    pruning = PruningSettings.model_validate({"ratio": ratio, "importance": importance})
    pruned = prune(network, pruning, CalibrationData(WINDOWS, seed=seed))
    assert pruned.equivalence_max_abs_error <= 1e-9
    expected = [n - removed_of(n, ratio) for n in (5, 6, 7)]
    assert list(kernels_of(pruned.network).values()) == expected
    assert [len(kept) for kept in pruned.kept.values()] == expected
    assert pruned.ratio_achieved == pytest.approx(1 - sum(expected) / 18)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    output = pruned.network.eval()(torch.from_numpy(WINDOWS))
    assert output.shape == (6, 2)


def test_kept_kernels_keep_their_weights() -> None:
    network = small()
    pruned = prune(network, PruningSettings(ratio=0.5), CALIBRATION)
    kept = list(pruned.kept.values())
    first, second = (network.get_submodule(f"blocks.{k}.conv") for k in (0, 1))
    small_second = pruned.network.get_submodule("blocks.1.conv")
    assert isinstance(first, nn.Conv1d)
    assert isinstance(second, nn.Conv1d)
    assert isinstance(small_second, nn.Conv1d)
    expected = second.weight[list(kept[1])][:, list(kept[0])]
    assert torch.equal(small_second.weight, expected)
    before, after = network.state_dict(), pruned.network.state_dict()
    for name in ("weight", "bias", "running_mean", "running_var"):
        key = f"blocks.1.norm.{name}"
        assert torch.equal(after[key], before[key][list(kept[1])])
    assert torch.equal(after["linear.weight"], before["linear.weight"][:, list(kept[2])])
    assert torch.equal(after["linear.bias"], before["linear.bias"])
    scores = first.weight.detach().abs().sum(dim=(1, 2)).numpy()
    gone = sorted(set(range(5)) - set(kept[0]))
    assert max(scores[gone]) <= min(scores[list(kept[0])])


def test_a_ratio_of_zero_changes_nothing() -> None:
    network = small()
    pruned = prune(network, PruningSettings(ratio=0.0), CALIBRATION)
    assert pruned.ratio_achieved == 0
    for name, value in pruned.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


def test_a_pruned_network_can_be_pruned_again_and_trained() -> None:
    once = prune(small(), PruningSettings(ratio=0.4), CALIBRATION).network
    twice = prune(once, PruningSettings(ratio=0.4), CALIBRATION).network.train()
    loss = twice(torch.from_numpy(WINDOWS)).sum()
    loss.backward()
    assert all(parameter.grad is not None for parameter in twice.parameters())


def test_an_allocation_decided_elsewhere_is_kept_to() -> None:
    network = small()
    gone = dict(zip(kernels_of(network), (0, 1, 2), strict=True))
    pruned = prune(network, PruningSettings(importance="random"), CALIBRATION, gone)
    assert list(kernels_of(pruned.network).values()) == [5, 5, 5]
    assert pruned.ratio_achieved == pytest.approx(3 / 18)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("allocation", ["global", "global-unnormalised", "sensitivity", "cost"])
def test_every_network_is_pruned_by_every_allocation(name: str, allocation: str) -> None:
    """What was asked goes, to the kernel, or `prune` itself would refuse what it has made."""
    network = shaken(build_network(NetworkSettings.model_validate({"name": name}), 4, 512))
    windows = np.random.default_rng(1).normal(size=(8, 4, 512)).astype(np.float32)
    labels = np.arange(8) % 2
    calibration = CalibrationData(windows, lambda: iter([(windows, labels)]))
    pruning = PruningSettings.model_validate({"ratio": 0.5, "allocation": allocation})
    pruned = prune(network, pruning, calibration)
    assert pruned.equivalence_max_abs_error <= 1e-9
    assert sum(kernels_of(pruned.network).values()) < sum(kernels_of(network).values())


@pytest.mark.parametrize("what", ["params", "macs", "bytes"])
def test_a_target_is_met_with_as_few_kernels_as_that_takes(what: str) -> None:
    network = small()
    pruning = PruningSettings.model_validate(
        {"target": {"what": what, "limit": 0.6, "share": True}}
    )
    pruned = prune(network, pruning, CALIBRATION)
    kind = pruning.target
    assert kind is not None
    assert size(pruned.network, kind.what) <= 0.6 * size(network, kind.what)
    milder = PruningSettings(ratio=max(0.0, pruned.ratio_requested - 0.01))
    larger = prune(network, milder, CALIBRATION)
    same = kernels_of(larger.network) == kernels_of(pruned.network)
    assert same or size(larger.network, kind.what) > 0.6 * size(network, kind.what)


@pytest.mark.parametrize("what", ["params", "macs", "bytes"])
@pytest.mark.parametrize("allocation", ["global", "global-unnormalised", "cost", "dynamic"])
def test_a_target_in_words_is_met_by_every_allocation(what: str, allocation: str) -> None:
    network = small()
    pruning = PruningSettings.model_validate({"target": f"{what}=60%", "allocation": allocation})
    pruned = prune(network, pruning, CALIBRATION)
    assert pruning.target is not None
    reached = size(pruned.network, pruning.target.what) / size(network, pruning.target.what)
    assert 0.4 < reached <= 0.6  # a network of 18 kernels goes down in large steps


def test_latency_is_measured_and_a_layer_by_itself_too() -> None:
    network = small()
    assert size(network, "latency_ms") > 0
    assert set(microseconds(network)) == {*kernels_of(network), "linear"}


def test_cost_can_be_paid_in_microseconds() -> None:
    pruning = PruningSettings(ratio=0.5, allocation="cost", cost_in="us")
    pruned = prune(small(), pruning, CALIBRATION)
    assert 0 < pruned.ratio_achieved < 1
