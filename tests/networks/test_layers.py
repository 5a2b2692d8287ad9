"""Our dropout and max-pooling do what torch's do; the order of ReLU and pooling changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateur.networks import BlockNetwork, NetworkSettings, build_network
from secateur.networks.layers import Dropout, MaxPool1d
from tests.support.shaken import shaken


@given(share=st.floats(0.01, 0.9), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_dropout_drops_its_share_and_keeps_the_expectation(share: float, seed: int) -> None:
    torch.manual_seed(seed)
    count = 200_000
    out = Dropout(share).train()(torch.ones(count, dtype=torch.float64))
    kept = out != 0
    rounded = round(share * 65536) / 65536
    deviation = (rounded * (1 - rounded) / count) ** 0.5
    assert abs((1 - kept.double().mean()) - rounded) < 6 * deviation
    # the factor is exactly one over the chance to be kept
    assert out[kept].unique().tolist() == pytest.approx([1 / (1 - rounded)], rel=1e-15)


def test_all_four_decisions_of_a_number_are_fair_and_apart() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.3).train()(torch.ones(400_000)) != 0).double().reshape(-1, 4)
    assert kept.mean(dim=0).tolist() == pytest.approx([0.7] * 4, abs=0.01)
    apart = torch.corrcoef(kept.T) - torch.eye(4, dtype=torch.float64)
    assert float(apart.abs().max()) < 0.02
    neighbours = torch.corrcoef(torch.stack((kept[:-1, 3], kept[1:, 0])))[0, 1]
    assert abs(float(neighbours)) < 0.02


def test_dropout_follows_torchs_generator() -> None:
    layer, values = Dropout(0.5).train(), torch.randn(3, 5, 7)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(torch.stack((layer(values), layer(values))))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0][0], drawn[0][1])


def test_dropout_is_nothing_in_evaluation_and_at_a_share_of_nothing() -> None:
    values = torch.randn(2, 3, 5)
    assert Dropout(0.5).eval()(values) is values
    before = torch.get_rng_state()
    assert Dropout(0.0).train()(values) is values
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_are_dropped_where_values_are() -> None:
    values = torch.randn(4, 3, 101, requires_grad=True)
    out = Dropout(0.4).train()(values)
    out.sum().backward()
    assert values.grad is not None
    assert torch.allclose(values.grad * values.detach(), out.detach())


@given(
    size=st.integers(1, 6),
    length=st.integers(6, 40),
    levels=st.integers(1, 50),
    seed=st.integers(0, 99),
)
def test_pooling_and_its_gradient_are_torchs(
    size: int, length: int, levels: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # few levels: many equal values, of which torch too gives the first all the gradient
    values = torch.randint(-levels, levels + 1, (2, 3, length), generator=generator).double()
    gradient = torch.randn((2, 3, length // size), generator=generator, dtype=torch.float64)
    found = []
    for layer in (MaxPool1d(size), nn.MaxPool1d(size)):
        own = values.clone().requires_grad_()
        out = layer(own)
        out.backward(gradient)
        found.append((out.detach(), own.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] is not None
    assert found[1][1] is not None
    # what the first has taken leaves the rest with 0 or −0
    assert torch.equal(found[0][1], found[1][1])


def as_published(network: BlockNetwork) -> BlockNetwork:
    """The same weights in blocks of torch's own layers in the published order; our random numbers."""
    other = copy.deepcopy(network)
    for number, block in enumerate(other.blocks):
        parts = dict(block.named_children())
        size = parts["pool"].kernel_size
        assert isinstance(size, int)
        other.blocks[number] = nn.Sequential(
            parts["conv"], parts["norm"], nn.ReLU(), parts["dropout"], nn.MaxPool1d(size)
        )
    return other


def gradients(network: nn.Module, windows: Tensor) -> list[Tensor]:
    torch.manual_seed(3)
    targets = torch.arange(len(windows)) % 2
    loss = nn.functional.cross_entropy(network(windows), targets)
    loss.backward()  # type: ignore[no-untyped-call]
    found = [parameter.grad for parameter in network.parameters()]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


@pytest.mark.parametrize("name", ["valid", "paper"])
def test_relu_after_pooling_is_the_published_order(name: str) -> None:
    told = NetworkSettings.model_validate({"name": name, "widths": (5, 6, 7), "dropout": 0.3})
    network = shaken(build_network(told, 4, 300, 1), 1)
    assert isinstance(network, BlockNetwork)
    published = as_published(network)
    windows = torch.randn(6, 4, 300)
    assert torch.equal(network.eval()(windows), published.eval()(windows))
    network, published = network.double().train(), published.double().train()
    ours, theirs = (gradients(one, windows.double()) for one in (network, published))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@given(seed=st.integers(0, 99), share=st.floats(0, 0.9))
def test_relu_goes_past_dropout_and_maximum(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn((2, 3, 24), generator=generator, dtype=torch.float64)
    layer, pool = Dropout(share).train(), MaxPool1d(4)
    torch.manual_seed(seed)
    before = pool(layer(torch.relu(values)))
    torch.manual_seed(seed)
    assert torch.equal(torch.relu(pool(layer(values))), before)
