"""Each importance, by hand on a network small enough for paper.

Two kernels of one weight, 2 and −3; ReLU; the mean of two samples; two logits, which are the two means.
Window A is (1, 2), class 0: kernel 0 gives 2 and 4, kernel 1 nothing. Window B is (−1, 0), class 1:
kernel 0 gives nothing, kernel 1 gives 3 and 0. So A has logits (3, 0) and B (0, 1.5).
"""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from secateur.errors import SettingsError, SurgeryError
from secateur.networks import NetworkSettings, build_network
from secateur.pruning.allocation import kept_by_score
from secateur.pruning.importance import NEED_WINDOWS, score_groups, score_kernels
from secateur.pruning.readers import Batches
from secateur.pruning.settings import IMPORTANCES, Importance
from secateur.pruning.tracing import trace
from tests.support.shaken import shaken

Windows = NDArray[np.float32]


class Tiny(nn.Module):
    """One convolution with kernels of one sample, ReLU, mean, linear."""

    def __init__(self, kernels: list[float], logits: list[list[float]]) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, len(kernels), 1, bias=False)
        self.relu = nn.ReLU()
        self.average = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(len(kernels), 2, bias=False)
        self.conv.weight.data = torch.tensor(kernels)[:, None, None]
        self.linear.weight.data = torch.tensor(logits)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.flatten(self.average(self.relu(self.conv(x)))))
        return out


def tiny() -> Tiny:
    return Tiny([2.0, -3.0], [[1.0, 0.0], [0.0, 1.0]])


def of(*pairs: tuple[Windows, list[int]]) -> Batches:
    def batches() -> Iterator[tuple[Windows, NDArray[np.int64]]]:
        for windows, labels in pairs:
            yield windows, np.array(labels, dtype=np.int64)

    return batches


A, B = (np.array([[values]], dtype=np.float32) for values in ((1.0, 2.0), (-1.0, 0.0)))
BOTH = of((A, [0]), (B, [1]))
Q, R = 1 / (1 + math.exp(3)), 1 / (1 + math.exp(1.5))
"""What A's and B's wrong class is given: the size of ∂L/∂logit. Slopes: A −3Q and 0, B 0 and −1.5R."""


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        ("l1", [2, 3]),
        ("l1-folded", [2, 3]),
        ("l2", [2, 3]),
        ("fpgm", [5, 5]),
        ("activation", [(3 + 0) / 2, (0 + 1.5) / 2]),
        ("apoz", [1 - 2 / 4, 1 - 3 / 4]),
        ("taylor", [3 * Q / 2, 1.5 * R / 2]),
        ("taylor-2019", [(3 * Q) ** 2 / 2, (1.5 * R) ** 2 / 2]),
        ("taylor-by-class", [2, 2]),
        ("fisher", [(3 * Q) ** 2 / 4, (1.5 * R) ** 2 / 4]),
    ],
)
def test_every_importance_by_hand(importance: Importance, expected: list[float]) -> None:
    network = tiny()
    structure = trace(network, 1, 2)
    for score in (score_kernels, score_groups):
        got = score(network, structure, importance, BOTH)
        assert list(got) == ["conv"]
        assert got["conv"].dtype == np.float64
        assert got["conv"] == pytest.approx(expected, rel=1e-6)


def test_weights_of_a_kernel_are_all_counted() -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(3, 2))
    convolution, norm = network[0], network[1]
    assert isinstance(convolution, nn.Conv1d)
    assert isinstance(norm, nn.BatchNorm1d)
    convolution.weight.data = torch.tensor(
        [[[1.0, -2.0], [2.0, 0.0]], [[0.0, 0.0], [0.0, -0.25]], [[1.0, 2.0], [2.0, 0.0]]]
    )
    norm.weight.data = torch.tensor([0.5, -2.0, 0.0])
    structure = trace(network, 2, 2)

    def scores(importance: Importance) -> list[float]:
        return list(score_groups(network, structure, importance)["0"])

    assert scores("l1") == [5, 0.25, 5]
    assert scores("l2") == [3, 0.25, 3]
    # kernel 0 lies 4 from kernel 2, and both lie √(9 + 1/16) from kernel 1
    distance = math.sqrt(9 + 1 / 16)
    assert scores("fpgm") == pytest.approx([distance + 4, 2 * distance, distance + 4])
    assert scores("batchnorm") == [0.5, 2, 0]


def test_l1_folded_doesnt_see_how_scale_is_shared_with_batchnorm_and_l1_does() -> None:
    """Kernel k times c, its running mean times c and its variance times c² is the same function."""
    network = small().double()
    structure = trace(network, 3, 96)
    rescaled = copy.deepcopy(network)
    for block in ("blocks.0", "blocks.1", "blocks.2"):
        convolution = rescaled.get_submodule(f"{block}.conv")
        norm = rescaled.get_submodule(f"{block}.norm")
        assert isinstance(convolution, nn.Conv1d)
        assert isinstance(norm, nn.BatchNorm1d)
        assert convolution.bias is not None
        factors = torch.linspace(3.0, 0.2, len(convolution.weight)).double()
        with torch.no_grad():
            convolution.weight *= factors[:, None, None]
            convolution.bias *= factors
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean *= factors
        norm.running_var.copy_((norm.running_var + norm.eps) * factors**2 - norm.eps)
    windows = torch.randn(5, 3, 96, generator=torch.Generator().manual_seed(0)).double()
    assert torch.allclose(network(windows), rescaled(windows), rtol=1e-9)

    def order(importance: Importance, of: nn.Module) -> list[list[int]]:
        return [list(np.argsort(each)) for each in score_groups(of, structure, importance).values()]

    before, after = (score_groups(each, structure, "l1-folded") for each in (network, rescaled))
    for name in structure.names:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9)
    assert order("l1", network) != order("l1", rescaled)


def test_l1_folded_is_l1_of_what_torch_folds() -> None:
    network = small()
    structure = trace(network, 3, 96)
    scores = score_kernels(network, structure, "l1-folded")
    for number in range(3):
        convolution = network.get_submodule(f"blocks.{number}.conv")
        norm = network.get_submodule(f"blocks.{number}.norm")
        assert isinstance(convolution, nn.Conv1d)
        assert isinstance(norm, nn.BatchNorm1d)
        weight = fuse_conv_bn_eval(convolution, norm).weight.detach()
        expected = weight.abs().sum(dim=(1, 2)).numpy()
        np.testing.assert_allclose(scores[f"blocks.{number}.conv"], expected, rtol=1e-5)


def test_apoz_counts_before_pooling_wherever_relu_stands() -> None:
    """In the blocks ReLU runs behind max-pooling; in the published order, which is the same, before it."""
    network = small()
    published = copy.deepcopy(network)
    blocks = published.get_submodule("blocks")
    assert isinstance(blocks, nn.Sequential)
    for number, block in enumerate(blocks):
        layers = dict(block.named_children())
        blocks[number] = nn.Sequential(
            OrderedDict((key, layers[key]) for key in ("conv", "norm", "relu", "dropout", "pool"))
        )
    structure = trace(network, 3, 96)
    ours, theirs = (score_groups(each, structure, "apoz", drawn()) for each in (network, published))
    for name in structure.names:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_apoz_by_hand_behind_pooling() -> None:
    """Kernel 2 gives 2, 4, −2, 0: two of four aren't above 0, though each pair's largest is one of none."""
    convolution = nn.Conv1d(1, 2, 1, bias=False)
    convolution.weight.data = torch.tensor([[[2.0]], [[-3.0]]])
    network = nn.Sequential(convolution, nn.MaxPool1d(2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    windows = np.array([[[1, 2, -1, 0]]], dtype=np.float32)
    structure = trace(network, 1, 4)
    scores = score_groups(network, structure, "apoz", of((windows, [0])))["0"]
    assert scores == pytest.approx([1 - 2 / 4, 1 - 3 / 4])
    # what is added behind pooling is counted there: ReLU can't go before it
    network.insert(2, nn.BatchNorm1d(2).eval())
    structure = trace(network, 1, 4)
    scores = score_groups(network, structure, "apoz", of((windows, [0])))["0"]
    assert scores == pytest.approx([1 - 1 / 2, 1 - 1 / 2])


def test_random_is_the_seeds() -> None:
    network = tiny()
    structure = trace(network, 1, 2)

    def scores(seed: int) -> list[float]:
        return list(score_groups(network, structure, "random", seed=seed)["conv"])

    assert scores(3) == scores(3) != scores(4)


def test_by_class_keeps_the_kernel_that_only_serves_the_rare_class() -> None:
    """Kernel 2 speaks in one window of a hundred; averaged over all it would be the first to go."""
    network = Tiny([1.0, 0.3, -1.0], [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    structure = trace(network, 1, 2)
    background = np.ones((99, 1, 2), dtype=np.float32)
    batches = of((background, [0] * 99), (-background[:1], [1]))
    plain = score_groups(network, structure, "taylor", batches)["conv"]
    by_class = score_groups(network, structure, "taylor-by-class", batches)["conv"]
    assert kept_by_score(plain, 1) == (0, 1)
    assert kept_by_score(by_class, 1) == (0, 2)
    # background: slopes as 1 : 0.3 : 0, their mean 1.3 / 3; seizure: 0 : 0 : 1, its mean 1 / 3
    assert by_class == pytest.approx([3 / 1.3, 0.9 / 1.3, 3])


def small() -> nn.Module:
    form = NetworkSettings(widths=(5, 6, 7), kernel_sizes=(5, 3, 3), pooling=(2, 2, 2))
    return shaken(build_network(form, 3, 96, seed=1), 1)


def drawn(seed: int = 0) -> Batches:
    generator = np.random.default_rng(seed)
    windows = generator.normal(size=(12, 3, 96)).astype(np.float32)
    labels = [0, 1] * 6
    return of((windows[:8], labels[:8]), (windows[8:], labels[8:]))


@pytest.mark.parametrize("importance", IMPORTANCES)
def test_scoring_leaves_the_network_as_it_was_and_repeats_itself(importance: Importance) -> None:
    network = small().train()
    network.get_submodule("blocks.1.norm").eval()  # one layer frozen, as in fine-tuning
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    structure = trace(network, 3, 96)
    once = score_groups(network, structure, importance, drawn())
    again = score_groups(network, structure, importance, drawn())
    assert all(np.array_equal(once[name], again[name]) for name in structure.names)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, torch.ones_like(parameter))
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks


@pytest.mark.parametrize("importance", NEED_WINDOWS)
def test_windows_that_are_missing_are_asked_for_in_one_line(importance: Importance) -> None:
    network = tiny()
    structure = trace(network, 1, 2)
    with pytest.raises(
        SettingsError, match=f"{importance} looks at .* or take one of l1, l1-folded, l2, random"
    ):
        score_groups(network, structure, importance)
    with pytest.raises(SettingsError, match="hold no window"):
        score_groups(network, structure, importance, of())


def test_by_class_asks_for_both_classes() -> None:
    network = tiny()
    with pytest.raises(SettingsError, match="both classes, all are of class 1"):
        score_groups(network, trace(network, 1, 2), "taylor-by-class", of((A, [1])))


def test_no_batchnorm_is_said() -> None:
    network = tiny()
    with pytest.raises(SurgeryError, match="none follows the convolution conv: l1"):
        score_groups(network, trace(network, 1, 2), "batchnorm")


def test_no_relu_is_said() -> None:
    network = nn.Sequential(nn.Conv1d(1, 2, 1), nn.ELU(), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(
        SurgeryError, match="behind the convolution 0 comes the operation _1 before"
    ):
        score_groups(network, trace(network, 1, 2), "apoz", BOTH)
