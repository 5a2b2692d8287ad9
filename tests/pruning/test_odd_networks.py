"""Networks as people write them: a number comes or a `SecateurError` in a line, never another exception."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from secateur.errors import SettingsError, SurgeryError
from secateur.pruning.costs import _alone, _milliseconds
from secateur.pruning.equivalence import TOLERANCE, largest_difference
from secateur.pruning.groups import Held
from secateur.pruning.importance import score_groups
from secateur.pruning.settings import IMPORTANCES
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace

CHANNELS, SAMPLES = 4, 64
WINDOWS = np.random.default_rng(3).normal(size=(6, CHANNELS, SAMPLES)).astype(np.float32)
LABELS = np.array([0, 1] * 3)


class Odd(nn.Module):
    """Two convolutions and a classifier behind an average over time; `between` is what is odd."""

    def __init__(
        self,
        between: Callable[[Any, Tensor], Any],
        middle: int = 8,
        last: int = 6,
        **more: nn.Module,
    ) -> None:
        super().__init__()
        self.a = nn.Conv1d(CHANNELS, 8, 3, padding=1)
        self.b = nn.Conv1d(middle, 6, 3, padding=1)
        self.fc = nn.Linear(last, 2)
        for name, module in more.items():
            self.add_module(name, module)
        self._between = between

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self._between(self, x))
        return out


def _folded(net: Any, x: Tensor) -> Any:
    """Each electrode as a window of its own, and the mean over electrodes at the end."""
    each = x.reshape(-1, 1, x.shape[2])
    out = net.b(net.e(each))
    return out.mean(-1).reshape(x.shape[0], -1, out.shape[1]).mean(1)


def _folded_other_way(net: Any, x: Tensor) -> Any:
    each = x.transpose(0, 1).reshape(-1, 1, x.shape[2])
    out = net.b(net.e(each))
    return out.mean(-1).reshape(-1, x.shape[0], out.shape[1]).mean(0)


def _in_place(net: Any, x: Tensor) -> Any:
    h = net.a(x)
    first = net.b(h)
    h += 1.0
    return (first + net.c(h)).mean(-1)


def _gated(net: Any, x: Tensor) -> Any:
    h = functional.relu(net.a(x))
    return net.b(h * torch.sigmoid(net.g(h))).mean(-1)


def _dead(net: Any, x: Tensor) -> Any:
    net.d(x)
    return net.b(net.a(x)).mean(-1)


SCORED: dict[str, Callable[[], Odd]] = {
    "pieces along time, joined": lambda: Odd(
        lambda s, x: s.b(torch.cat(s.a(x).chunk(2, -1), -1)).mean(-1)
    ),
    "pieces along time, stacked": lambda: Odd(
        lambda s, x: s.b(torch.stack(s.a(x).unbind(-1), -1)).mean(-1)
    ),
    "the input by name": lambda: Odd(
        lambda s, x: torch.mean(input=s.b(torch.relu(input=s.a(x))), dim=2)
    ),
    "a gate of one channel": lambda: Odd(_gated, g=nn.Conv1d(8, 1, 1)),
    "a branch that nobody reads": lambda: Odd(_dead, d=nn.Conv1d(CHANNELS, 5, 3)),
    "electrodes in the batch": lambda: Odd(_folded, e=nn.Conv1d(1, 8, 3, padding=1)),
    "electrodes in the batch, the other way": lambda: Odd(
        _folded_other_way, e=nn.Conv1d(1, 8, 3, padding=1)
    ),
    "changed in place behind a reader": lambda: Odd(_in_place, c=nn.Conv1d(8, 6, 1)),
    "one PReLU for all": lambda: Odd(lambda s, x: s.p(s.b(s.p(s.a(x)))).mean(-1), p=nn.PReLU()),
}


def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    yield WINDOWS[:4], LABELS[:4]
    yield WINDOWS[4:], LABELS[4:]


@pytest.mark.parametrize("name", SCORED)
def test_it_is_traced_cut_and_scored_by_every_importance(name: str) -> None:
    torch.manual_seed(0)
    network = SCORED[name]().eval()
    structure = trace(network, CHANNELS, SAMPLES)
    kept = {g.name: tuple(range(1, g.size, 2)) or (0,) for g in structure.groups}
    smaller = cut(network, structure, kept)
    assert largest_difference(network, smaller, structure, kept, WINDOWS) <= TOLERANCE
    for importance in IMPORTANCES:
        try:
            scores = score_groups(network, structure, importance, batches)
        except (SettingsError, SurgeryError) as error:
            assert importance in ("apoz", "batchnorm"), error  # no ReLU, no BatchNorm
            continue
        assert {n: s.shape for n, s in scores.items()} == {
            g.name: (g.size,) for g in structure.groups
        }
        assert all(np.isfinite(each).all() for each in scores.values())


@pytest.mark.parametrize(
    "name", ["electrodes in the batch", "electrodes in the batch, the other way"]
)
def test_slopes_of_electrodes_in_the_batch_are_those_of_their_window(name: str) -> None:
    """Taylor's number is the mean over windows of each window's own; one window at a time says the same."""
    torch.manual_seed(0)
    network = SCORED[name]().eval()
    structure = trace(network, CHANNELS, SAMPLES)

    def one_by_one() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        for k in range(len(LABELS)):
            yield WINDOWS[k : k + 1], LABELS[k : k + 1]

    together = score_groups(network, structure, "taylor", batches)
    alone = score_groups(network, structure, "taylor", one_by_one)
    for group in structure.names:
        np.testing.assert_allclose(together[group], alone[group], rtol=1e-4)


def test_what_nobody_reads_goes_first() -> None:
    network = SCORED["a branch that nobody reads"]().eval()
    structure = trace(network, CHANNELS, SAMPLES)
    for importance in ("activation", "taylor", "fisher"):
        scores = score_groups(network, structure, importance, batches)
        assert not scores["d"].any()
        assert scores["a"].all()


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a cast": (
        lambda: Odd(lambda s, x: s.b(functional.relu(s.a(x.float()))).mean(-1)),
        "doesn't run in float64.*leave out casts",
    ),
    "a logarithm of noise": (
        lambda: Odd(lambda s, x: s.b(torch.log(s.a(x))).mean(-1)),
        "gives no numbers on noise",
    ),
    "a norm of statistics used twice": (
        lambda: Odd(
            lambda s, x: s.b(s.n(s.c(s.n(s.a(x))))).mean(-1),
            n=nn.BatchNorm1d(8, affine=False),
            c=nn.Conv1d(8, 8, 1),
        ),
        "layer n, a BatchNorm1d, is used twice: what is cut for one use would be missing",
    ),
}


class TwoOutputs(Odd):
    """Gives a dictionary."""

    def forward(self, x: Tensor) -> Tensor:
        return {"logits": super().forward(x)}  # type: ignore[return-value]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_a_line(name: str) -> None:
    build, words = REFUSED[name]
    torch.manual_seed(0)
    with pytest.raises(SurgeryError, match=words) as error:
        trace(build().eval(), CHANNELS, SAMPLES)
    assert "\n" not in str(error.value)


def test_a_network_that_gives_more_than_a_tensor_is_refused() -> None:
    network = TwoOutputs(lambda s, x: s.b(s.a(x)).mean(-1)).eval()
    with pytest.raises(SurgeryError, match="wanted one tensor, windows × outputs"):
        trace(network, CHANNELS, SAMPLES)


@pytest.mark.parametrize("kernel", [3, 4])
def test_a_convolution_padded_to_the_same_length_has_a_cost(kernel: int) -> None:
    layer = nn.Conv1d(CHANNELS, 8, kernel, padding="same", dilation=2)
    shape = (1, CHANNELS, SAMPLES)
    assert _milliseconds(_alone(layer, shape), {"input": shape}) > 0


def test_a_transposed_convolution_has_a_cost() -> None:
    layer = nn.ConvTranspose1d(CHANNELS, 8, 4, stride=2, padding=1)
    shape = (1, CHANNELS, SAMPLES)
    assert _milliseconds(_alone(layer, shape), {"input": shape}) > 0


class Scale(nn.Module):
    """A factor for each channel, as LayerScale has it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_kernels_that_are_held_fast_are_told_with_the_reason() -> None:
    network = Odd(lambda s, x: s.b(s.scale(s.a(x))).mean(-1), scale=Scale(8)).eval()
    structure = trace(network, CHANNELS, SAMPLES)
    assert [group.name for group in structure.groups] == ["b"]
    assert structure.held == (
        Held("a", 8, "the operation mul joins each with a number that can't go"),
    )
    assert (structure.kernels, structure.all_kernels) == (6, 14)


def test_what_adds_to_the_input_and_what_is_given_out_is_held() -> None:
    network = nn.Sequential(
        Added(CHANNELS),
        nn.Conv1d(CHANNELS, 8, 1),
        nn.Conv1d(8, 2, 1),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    ).eval()
    structure = trace(network, CHANNELS, SAMPLES)
    assert [(held.layer, held.kernels, held.reason) for held in structure.held] == [
        ("0.conv", 4, "the operation add joins each with a number that can't go"),
        ("2", 2, "they are the network's outputs"),
    ]
    assert [group.name for group in structure.groups] == ["1"]


class Added(nn.Module):
    """A convolution whose result is added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv(x)
        return out
