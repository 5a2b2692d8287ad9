"""Importance where kernels are tied, channels take turns, and on every network that is built in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SurgeryError
from secateur.networks import NAMES, NetworkSettings, build_network
from secateur.pruning.groups import Structure
from secateur.pruning.importance import score_groups, score_kernels
from secateur.pruning.readers import Batches, along, gate_slopes, looking
from secateur.pruning.settings import IMPORTANCES, Importance
from secateur.pruning.tracing import trace
from tests.support.shaken import shaken


class Mixed(nn.Module):
    """A residual add, a depthwise convolution with two kernels a channel, squeezing, a recurrent layer."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.stem = nn.Conv1d(3, 4, 5)
        self.norm = nn.BatchNorm1d(4)
        self.branch = nn.Conv1d(4, 4, 3, padding=1)
        self.depthwise = nn.Conv1d(4, 8, 3, groups=4)
        self.mixing = nn.Conv1d(8, 6, 1)
        self.mixing_norm = nn.BatchNorm1d(6)
        self.squeeze = nn.Linear(6, 2)
        self.excite = nn.Linear(2, 6)
        self.gru = nn.GRU(6, 5, batch_first=batch_first)
        self.linear = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        stem = torch.relu(self.norm(self.stem(x)))
        handed_on = self.depthwise(stem + self.branch(stem))
        mixed = torch.relu(self.mixing_norm(self.mixing(handed_on)))
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(mixed.mean(2)))))
        weighed = mixed * weights.unsqueeze(2)
        steps = weighed.transpose(1, 2) if self.batch_first else weighed.permute(2, 0, 1)
        states = self.gru(steps)[0]
        out: Tensor = self.linear(states.mean(1 if self.batch_first else 0))
        return out


def batches_of(channels: int, samples: int, windows: int = 6) -> Batches:
    generator = np.random.default_rng(0)
    eeg = generator.normal(size=(windows, channels, samples)).astype(np.float32)
    labels = np.arange(windows, dtype=np.int64) % 2

    def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        yield eeg[:4], labels[:4]
        yield eeg[4:], labels[4:]

    return batches


def mixed(batch_first: bool = True) -> Mixed:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return shaken(Mixed(batch_first)).double()


def losses(
    network: nn.Module, structure: Structure, batches: Batches, factor: Tensor, group: str
) -> NDArray[np.float64]:
    """Each window's loss with the units of `group` multiplied by `factor` where they are read."""

    def look(name: str, module: nn.Module, read: Tensor) -> Tensor | None:
        slots = [s for s in structure[group].slots if s.side == "inputs" and s.layer == name]
        if not slots:
            return None
        values = torch.ones(
            read.shape[1 if isinstance(module, nn.Conv1d | nn.Conv2d) else -1]
        ).double()
        for slot in slots:
            values[slot.places] = factor[:, None]
        return read * along(values, module, read)

    result = []
    with looking(network, structure, look), torch.no_grad():
        for windows, labels in batches():
            logits = network(torch.from_numpy(windows).double())
            result.append(
                nn.functional.cross_entropy(
                    logits, torch.from_numpy(labels), reduction="none"
                ).numpy()
            )
    return np.concatenate(result)


@pytest.mark.parametrize("batch_first", [True, False])
def test_slopes_are_those_of_the_loss_when_a_gate_is_moved(batch_first: bool) -> None:
    network, batches = mixed(batch_first), batches_of(3, 24)
    structure = trace(network, 3, 24)
    assert structure.names == ("stem", "mixing")
    parts = [slopes for _, slopes in gate_slopes(network, structure, batches)]
    step = 1e-6
    for group in structure.groups:
        slopes = np.concatenate([part[group.name] for part in parts])
        for unit in range(group.size):
            moved = torch.zeros(group.size).double()
            moved[unit] = step
            up, down = (
                losses(network, structure, batches, 1 + sign * moved, group.name)
                for sign in (1, -1)
            )
            assert slopes[:, unit] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_a_unit_is_the_sum_of_its_kernels_in_all_convolutions() -> None:
    network, batches = mixed(), batches_of(3, 24)
    structure = trace(network, 3, 24)
    for importance in IMPORTANCES:
        kernels = score_kernels(network, structure, importance, batches)
        units = score_groups(network, structure, importance, batches)
        assert [len(kernels[name]) for name in ("stem", "branch", "depthwise", "mixing")] == [
            4,
            4,
            8,
            6,
        ]
        # kernel k of a depthwise convolution with 2 kernels a channel belongs to channel k // 2
        doubled = kernels["depthwise"].reshape(4, 2).sum(axis=1)
        assert units["stem"] == pytest.approx(kernels["stem"] + kernels["branch"] + doubled)
        assert units["mixing"] == pytest.approx(kernels["mixing"])


def test_the_convolution_without_a_relu_of_its_own_leaves_the_count_to_those_tied_to_it() -> None:
    network, batches = mixed(), batches_of(3, 24)
    shares = score_kernels(network, trace(network, 3, 24), "apoz", batches)
    assert not shares["branch"].any()
    assert not shares["depthwise"].any()
    for name in ("stem", "mixing"):
        assert ((shares[name] >= 0) & (shares[name] <= 1)).all()
        assert shares[name].any()


def test_rows_of_one_window_are_summed() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(3, 4, 5)
            self.hidden = nn.Linear(4, 3)
            self.linear = nn.Linear(3 * 20, 2)

        def forward(self, x: Tensor) -> Tensor:
            rows = self.hidden(self.conv(x).transpose(1, 2).flatten(0, 1))
            out: Tensor = self.linear(rows.reshape(-1, 60))
            return out

    network = Rows()
    structure = trace(network, 3, 24)
    assert len(score_groups(network, structure, "activation", batches_of(3, 24))["conv"]) == 4
    source = batches_of(3, 24)

    def one_by_one() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        for windows, labels in source():
            for k in range(len(labels)):
                yield windows[k : k + 1], labels[k : k + 1]

    together, alone = (
        score_groups(network, structure, "taylor", one) for one in (source, one_by_one)
    )
    np.testing.assert_allclose(together["conv"], alone["conv"], rtol=1e-4)


@pytest.mark.parametrize("importance", IMPORTANCES)
@pytest.mark.parametrize("name", NAMES)
def test_every_network_that_is_built_in_has_every_importance_or_says_why_not(
    name: str, importance: Importance
) -> None:
    network = shaken(build_network(NetworkSettings.model_validate({"name": name}), 4, 1024))
    structure = trace(network, 4, 1024)
    batches = batches_of(4, 1024, windows=6)
    if importance == "apoz" and name in ("eegnet", "shallow", "deep4"):  # ELU, square
        with pytest.raises(SurgeryError, match="behind the convolution temporal comes"):
            score_groups(network, structure, importance, batches)
        return
    if importance == "batchnorm" and name in ("shallow", "deep4"):
        with pytest.raises(SurgeryError, match="none follows the convolution temporal"):
            score_groups(network, structure, importance, batches)
        return
    scores = score_groups(network, structure, importance, batches)
    for group in structure.groups:
        assert scores[group.name].shape == (group.size,)
        assert np.isfinite(scores[group.name]).all()
        assert (scores[group.name] >= 0).all()
        assert len(np.unique(scores[group.name])) > 1
