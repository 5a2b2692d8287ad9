"""Importance against torch-pruning, where that is right: a plain chain, scored as given."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.networks import NetworkSettings, build_network
from secateur.pruning.importance import score_groups
from secateur.pruning.settings import Importance
from secateur.pruning.tracing import trace
from tests.support.shaken import shaken

WINDOWS = np.random.default_rng(0).normal(size=(1, 3, 96)).astype(np.float32)
LABELS = np.ones(1, dtype=np.int64)


@pytest.fixture(scope="module")
def peer() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "torch_pruning", reason="torch-pruning is an extra of development"
        )


def chain() -> nn.Module:
    form = NetworkSettings(widths=(5, 6, 7), kernel_sizes=(5, 3, 3), pooling=(2, 2, 2))
    return shaken(build_network(form, 3, 96, seed=1), 1)


def theirs(peer: Any, network: nn.Module, importance: Any) -> dict[str, NDArray[np.float64]]:
    graph = peer.DependencyGraph().build_dependency(
        network, example_inputs=torch.from_numpy(WINDOWS)
    )
    result = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv1d):
            every = list(range(module.out_channels))
            group = graph.get_pruning_group(module, peer.prune_conv_out_channels, idxs=every)
            result[name] = importance(group).double().numpy()
    return result


def ours(network: nn.Module, importance: Importance) -> dict[str, NDArray[np.float64]]:
    def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        yield WINDOWS, LABELS

    return score_groups(network, trace(network, 3, 96), importance, batches)


@pytest.mark.parametrize(
    ("importance", "build", "ours_as_theirs"),
    [
        ("l1", lambda tp: tp.importance.MagnitudeImportance(1, "first", None), lambda s: s),
        # theirs leaves out the square root, which changes no order
        ("l2", lambda tp: tp.importance.MagnitudeImportance(2, "first", None), np.square),
        ("batchnorm", lambda tp: tp.importance.BNScaleImportance("first", None), lambda s: s),
    ],
)
def test_weights_are_scored_alike(
    peer: Any,
    importance: Importance,
    build: Callable[[Any], Any],
    ours_as_theirs: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    network = chain()
    expected = theirs(peer, network, build(peer))
    for name, score in ours(network, importance).items():
        assert ours_as_theirs(score) == pytest.approx(expected[name], rel=1e-5)


def test_geometric_median_is_theirs_where_no_weight_is_negative(peer: Any) -> None:
    """Theirs takes distances between |w|, whatever the signs; ours between w, as the paper does."""
    network = chain()
    measure = peer.importance.FPGMImportance(1, "first", None)
    signed = ours(network, "fpgm")
    expected = theirs(peer, network, measure)
    assert signed["blocks.0.conv"] != pytest.approx(expected["blocks.0.conv"], rel=0.1)
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            module.weight.data.abs_()
    for name, score in ours(network, "fpgm").items():
        assert score == pytest.approx(expected[name], rel=1e-5)


class Bare(nn.Module):
    """Without bias and BatchNorm, where Σ w·∂L/∂w is Σ a·∂L/∂a: ReLU, maxima and means keep factors."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 5, 5, bias=False)
        self.pool = nn.MaxPool1d(2)
        self.second = nn.Conv1d(5, 6, 3, bias=False)
        self.average = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.pool(torch.relu(self.first(x)))
        out: Tensor = self.linear(self.flatten(self.average(torch.relu(self.second(hidden)))))
        return out


def test_taylor_of_one_window_is_theirs_of_its_weights(peer: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Bare()
    got = ours(network, "taylor")
    logits = network(torch.from_numpy(WINDOWS))
    loss: Any = nn.functional.cross_entropy(logits, torch.from_numpy(LABELS))
    loss.backward()
    measure = peer.importance.TaylorImportance("first", None, multivariable=True)
    expected = theirs(peer, network, measure)
    for name, score in got.items():
        assert score == pytest.approx(expected[name], rel=1e-4, abs=1e-8)
    for name, score in ours(network, "fisher").items():
        assert score == pytest.approx(expected[name] ** 2 / 2, rel=1e-4, abs=1e-8)
