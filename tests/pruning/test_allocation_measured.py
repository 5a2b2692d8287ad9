"""Costs without cutting, and what masking costs the loss: both against networks that are cut."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SettingsError
from secateur.networks import NAMES, NetworkSettings, build_network, count_macs
from secateur.pruning.allocation import decide, measure_curves
from secateur.pruning.costs import CostModel, macs_of
from secateur.pruning.groups import Structure
from secateur.pruning.importance import score_groups
from secateur.pruning.readers import Batches
from secateur.pruning.settings import PruningSettings
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace
from tests.support.shaken import shaken


class Woven(nn.Module):
    """Groups of a convolution, two branches side by side, a layer over flattened channels, LSTM twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(3, 8, 5)
        self.grouped = nn.Conv1d(8, 6, 3, groups=2, padding=1)
        self.side = nn.Conv1d(8, 5, 1)
        self.own = nn.Conv1d(8, 8, 1)
        self.lstm = nn.LSTM(11, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.flat = nn.Linear(8 * 20, 3)
        self.linear = nn.Linear(11, 2)

    def forward(self, x: Tensor) -> Tensor:
        stem = torch.relu(self.stem(x))
        stem = stem + self.own(stem)  # reads and makes the same group
        both = torch.cat([self.grouped(stem), self.side(stem)], dim=1)
        states = self.lstm(both.transpose(1, 2))[0].mean(1)
        out: Tensor = self.linear(torch.cat([states, self.flat(stem.flatten(1))], dim=1))
        return out


@functools.cache
def traced(name: str) -> tuple[nn.Module, Structure, CostModel, int]:
    samples = 24 if name == "woven" else 1024
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "woven":
            network: nn.Module = Woven().eval()
        else:
            network = build_network(NetworkSettings.model_validate({"name": name}), 3, samples)
    structure = trace(network, 3, samples)
    return network, structure, macs_of(network, structure, 3, samples), samples


@given(name=st.sampled_from([*NAMES, "woven"]), data=st.data())
@settings(max_examples=30)
def test_the_cost_is_exactly_the_macs_of_the_network_that_is_cut(
    name: str, data: st.DataObject
) -> None:
    network, structure, cost, samples = traced(name)
    removed = {g.name: data.draw(st.integers(0, g.size - 1)) for g in structure.groups}
    kept = {g.name: tuple(range(removed[g.name], g.size)) for g in structure.groups}
    assert cost.of(removed) == count_macs(cut(network, structure, kept), 3, samples)


@pytest.mark.parametrize("name", ["valid", "eegnet", "separable", "woven"])
def test_cost_takes_its_share_of_macs_on_networks_with_ties(name: str) -> None:
    network, structure, cost, _ = traced(name)
    scores = score_groups(network, structure, "l1")
    least = cost.of({group.name: group.size - 1 for group in structure.groups})
    for ratio in (0.3, 0.7):
        pruning = PruningSettings(allocation="cost", ratio=ratio)
        removed = decide(scores, structure, pruning, cost=cost).removed
        budget = (1 - ratio) * cost.of({})
        assert cost.of(removed) <= max(budget, least) * (1 + 1e-6)
        # the budget is used: nobody could come back
        for group in structure.groups:
            if removed[group.name]:
                more = {**removed, group.name: removed[group.name] - 1}
                assert cost.of(more) > budget * (1 - 1e-6)


def small() -> nn.Module:
    form = NetworkSettings(widths=(5, 6, 7), kernel_sizes=(5, 3, 3), pooling=(2, 2, 2))
    return shaken(build_network(form, 3, 96, seed=1), 1)


def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    generator = np.random.default_rng(0)
    for size in (8, 3):
        windows = generator.normal(size=(size, 3, 96)).astype(np.float32)
        yield windows, np.arange(size, dtype=np.int64) % 2


def loss_of(network: nn.Module, source: Batches) -> float:
    with torch.no_grad():
        losses = [
            nn.functional.cross_entropy(
                network(torch.from_numpy(windows)).double(),
                torch.from_numpy(labels),
                reduction="none",
            )
            for windows, labels in source()
        ]
    return float(torch.cat(losses).mean())


def test_a_curve_is_the_loss_of_the_network_that_is_cut() -> None:
    network = small()
    structure = trace(network, 3, 96)
    scores = score_groups(network, structure, "taylor", batches)
    curves = measure_curves(network, structure, scores, batches)
    whole = loss_of(network, batches)
    for group in structure.groups:
        curve = curves[group.name]
        order = np.argsort(scores[group.name], kind="stable")
        assert curve.removed[0] == 0
        assert curve.removed[-1] == group.size - 1
        assert curve.rise[0] == 0
        for number, rise in zip(curve.removed, curve.rise, strict=True):
            stays = {group.name: tuple(sorted(int(k) for k in order[number:]))}
            cut_loss = loss_of(cut(network, structure, stays), batches)
            assert rise == pytest.approx(cut_loss - whole, abs=1e-6)
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_curve_by_hand() -> None:
    """Kernels 2 and −3 of one sample; ReLU; mean; logits are the means: (3, 0) for A, (0, 1.5) for B."""
    network = nn.Sequential(
        nn.Conv1d(1, 2, 1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(2, 2, bias=False),
    )
    for layer, values in ((0, [[[2.0]], [[-3.0]]]), (4, [[1.0, 0.0], [0.0, 1.0]])):
        network[layer].weight.data = torch.tensor(values)

    def both() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        yield np.array([[[1, 2]], [[-1, 0]]], dtype=np.float32), np.array([0, 1])

    structure = trace(network, 1, 2)
    curve = measure_curves(network, structure, score_groups(network, structure, "l1"), both)["0"]
    # without the kernel of 2 nothing is left of A, whose loss was ln(1 + e⁻³); B's stays as it was
    expected = (math.log(2) - math.log(1 + math.exp(-3))) / 2
    assert curve.removed == (0, 1)
    assert curve.rise == pytest.approx((0, expected), rel=1e-6)


def test_curves_need_windows() -> None:
    network = small()
    structure = trace(network, 3, 96)
    with pytest.raises(SettingsError, match="hold no window"):
        measure_curves(network, structure, score_groups(network, structure, "l1"), lambda: iter(()))
