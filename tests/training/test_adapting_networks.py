"""What each way of adapting changes in a network, and what it leaves to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from secateur.errors import TrainingError
from secateur.networks import Network, NetworkSettings, build_network, count_macs
from secateur.recordings import load_cohort
from secateur.training.adapting import PRIOR_WINDOWS, adapt_network
from secateur.windows import Cache, ChainSettings, WindowSet, WindowSettings, fit_scale, prepare
from tests.support.shaken import shaken

FIRST_MEAN = "blocks.0.norm.running_mean"


@pytest.fixture(scope="module")
def windows(tiny_cohort: Path) -> WindowSet:
    chain = ChainSettings()
    prepared, _ = prepare(load_cohort(tiny_cohort).entries[:2], chain, Cache())
    return WindowSet(prepared, chain, WindowSettings(), fit_scale(prepared, chain, 18))


def network(name: str = "valid") -> Network:
    return shaken(build_network(NetworkSettings(name=name, widths=(4, 5, 6)), 18, 1024, seed=2))


def state(network: Network) -> Mapping[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(network: Network, before: Mapping[str, Tensor]) -> set[str]:
    """Names of tensors that are not what they were; how many batches BatchNorm saw counts for nothing."""
    return {
        name
        for name, value in network.state_dict().items()
        if not torch.equal(value, before[name]) and not name.endswith("num_batches_tracked")
    }


def test_bn_changes_statistics_and_no_weight(windows: WindowSet) -> None:
    adapted = network()
    before = state(adapted)
    macs = adapt_network(adapted, windows, "bn", 5, seed=0)
    assert {name.rpartition(".")[2] for name in changed(adapted, before)} == {
        "running_mean",
        "running_var",
    }
    assert macs == len(windows) * count_macs(adapted, 18, 1024)
    assert not adapted.training


def test_bn_stands_between_its_own_statistics_and_those_of_the_windows(windows: WindowSet) -> None:
    adapted = network()
    before = state(adapted)[FIRST_MEAN]
    adapt_network(adapted, windows, "bn", 5, seed=0)
    conv = adapted.get_submodule("blocks.0.conv")
    with torch.no_grad():
        each = [conv(torch.from_numpy(windows.batch(np.array([k])))) for k in range(len(windows))]
    of_windows = torch.cat(each).mean(dim=(0, 2))
    kept = PRIOR_WINDOWS / (PRIOR_WINDOWS + len(windows))
    expected = kept * before + (1 - kept) * of_windows
    moved = (expected - before).abs().max()
    # batches count alike, and the last is smaller
    assert (state(adapted)[FIRST_MEAN] - expected).abs().max() < 0.25 * moved


def test_head_changes_the_last_layer_alone(windows: WindowSet) -> None:
    adapted = network()
    before = state(adapted)
    adapt_network(adapted, windows, "head", 2, seed=0)
    assert changed(adapted, before) == {"linear.weight", "linear.bias"}
    assert all(parameter.requires_grad for parameter in adapted.parameters())


def test_full_changes_everything_and_learns(windows: WindowSet) -> None:
    adapted = network()
    before = state(adapted)
    losses: list[float] = []

    def watch(epoch: int, learning: torch.nn.Module) -> None:
        with torch.no_grad():
            logits = learning(torch.from_numpy(windows.batch(np.arange(len(windows)))))
        targets = torch.from_numpy(windows.labels.astype(np.int64))
        losses.append(float(torch.nn.functional.cross_entropy(logits, targets)))

    adapt_network(adapted, windows, "full", 8, seed=0, watch=watch)
    assert changed(adapted, before) == {
        name for name in before if not name.endswith("num_batches_tracked")
    }
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_the_same_seed_gives_the_same_bits(windows: WindowSet) -> None:
    networks = [network(), network()]
    for each in networks:
        adapt_network(each, windows, "full", 1, seed=4)
    assert not changed(networks[0], state(networks[1]))


def test_without_batch_norm_there_is_nothing_for_bn(windows: WindowSet) -> None:
    settings = NetworkSettings(name="tcn")
    plain = build_network(settings, 18, 1024, seed=0)
    for name, module in list(plain.named_modules()):
        if isinstance(module, torch.nn.BatchNorm1d):
            owner, _, key = name.rpartition(".")
            setattr(plain.get_submodule(owner), key, torch.nn.Identity())
    with pytest.raises(TrainingError, match="no BatchNorm, so --method bn has nothing to adapt"):
        adapt_network(plain, windows, "bn", 1, seed=0)
