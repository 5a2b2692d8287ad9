"""Every network that has a name: built as published, trained, the same again for the same seed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from secateur.errors import SettingsError
from secateur.networks import (
    NAMES,
    Network,
    NetworkSettings,
    build_network,
    count_parameters,
    kernels_of,
    reinitialised,
)
from secateur.networks.deep4 import Deep4Net
from secateur.networks.eegnet import EEGNet
from secateur.networks.shallow import ShallowNet
from secateur.training import reproducible
from tests.support.shaken import shaken


def named(name: str, channels: int = 18, samples: int = 1024, seed: int = 0) -> Network:
    return build_network(NetworkSettings(name=name), channels, samples, seed)


@pytest.mark.parametrize("name", NAMES)
def test_each_reads_windows_and_gives_two_logits(name: str) -> None:
    network = named(name).eval()
    assert network(torch.randn(3, 18, 1024)).shape == (3, 2)
    assert (network.channels, network.samples, network.settings.name) == (18, 1024, name)
    with pytest.raises(SettingsError, match="window of 3 samples is too short"):
        named(name, samples=3)


@pytest.mark.parametrize("name", NAMES)
def test_windows_do_not_touch_each_other(name: str) -> None:
    network = shaken(named(name, 4)).double()
    windows = torch.randn(3, 4, 1024, dtype=torch.float64)
    alone = torch.cat([network(one[None]) for one in windows])
    assert torch.allclose(network(windows), alone, atol=1e-9)


def as_published(name: str, kernel_sizes: tuple[int, ...], **numbers: Any) -> NetworkSettings:
    return NetworkSettings.model_validate({"name": name, "kernel_sizes": kernel_sizes, **numbers})


def test_eegnet_has_the_published_parameters() -> None:
    # Lawhern 2018, table 3: at 128 Hz the first kernel is 64 samples, for movements 32; pools 4 and 8
    def count(widths: tuple[int, ...], size: int, *shape: int) -> int:
        settings = as_published("eegnet", (size, 16), widths=widths, pooling=(4, 8))
        return count_parameters(EEGNet(settings, *shape))

    p300, movement_related, rhythms = (64, 128), (64, 192), (22, 256, 4)
    assert count((8, 16, 16), 64, *p300) == 2258
    assert count((4, 8, 8), 64, *p300) == 1066
    assert count((8, 16, 16), 64, *movement_related) == 2322
    assert count((4, 8, 8), 64, *movement_related) == 1098
    assert count((8, 16, 16), 32, *rhythms) == 1716
    assert count((4, 8, 8), 32, *rhythms) == 796


def test_shallow_and_deep_have_the_parameters_that_lawhern_counts_at_128_hz() -> None:
    shallow = ShallowNet(as_published("shallow", (13,), pooling=(35,)), 64, 128)
    assert count_parameters(shallow) == 104_002
    deep = Deep4Net(as_published("deep4", (5,) * 4, pooling=(2,) * 4), 64, 128)
    # there, convolutions before BatchNorm have biases, which do nothing
    assert count_parameters(deep) + 25 + 50 + 100 + 200 == 174_127


def test_eegnet_times_are_those_of_the_paper_at_256_hz() -> None:
    network = named("eegnet")
    assert isinstance(network, EEGNet)
    # half a second; 32 Hz; half a second of that; 4 Hz: 16 samples in 4 s
    assert network.temporal.kernel_size == (1, 128)
    assert network.depthwise.kernel_size == (16,)
    assert network.linear.in_features == 16 * 16
    assert kernels_of(network) == {"temporal": 8, "spatial": 16, "depthwise": 16, "pointwise": 16}


def test_a_sample_reaches_as_far_as_the_temporal_network_says() -> None:
    network = named("tcn", 1).eval()
    features = torch.randn(1, 32, 301, requires_grad=True)
    network.get_submodule("blocks")(features)[0, :, 150].sum().backward()
    assert features.grad is not None
    reached = features.grad.abs().sum(dim=1)[0].nonzero().flatten()
    assert int(reached.min()) >= 150 - 62
    assert int(reached.max()) <= 150 + 62
    assert int(reached.max() - reached.min()) + 1 > 100  # ReLU may hide the outermost


def test_a_residual_block_that_widens_has_its_way_past() -> None:
    told = NetworkSettings(name="tcn", widths=(4, 4, 6), kernel_sizes=(7, 3, 3))
    network = build_network(told, 3, 256).eval()
    kinds = [type(network.get_submodule(f"blocks.{k}.past")) for k in range(2)]
    assert kinds == [nn.Identity, nn.Conv1d]
    assert network(torch.randn(2, 3, 256)).shape == (2, 2)


def test_deep4_takes_elu_after_pooling_without_a_difference() -> None:
    values = torch.randn(4, 3, 60, dtype=torch.float64)
    elu, pool = nn.ELU(), nn.MaxPool1d(3)
    assert torch.equal(elu(pool(values)), pool(elu(values)))


def rhythms(channels: int = 4, samples: int = 512) -> tuple[Tensor, Tensor]:
    """Windows of noise, half of them with a rhythm of a few samples' period."""
    generator = torch.Generator().manual_seed(0)
    windows = torch.randn((16, channels, samples), generator=generator)
    targets = torch.arange(16) % 2
    rhythm = torch.sin(torch.arange(samples) * 0.3)
    return windows + 2 * targets[:, None, None] * rhythm, targets


def trained(name: str, steps: int = 15) -> tuple[Network, list[float]]:
    network = named(name, 4, 512).train()
    windows, targets = rhythms()
    losses = []
    with reproducible(1):
        optimiser = torch.optim.Adam(network.parameters(), lr=0.003, fused=True)
        for _ in range(steps):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(windows), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
    return network, losses


@pytest.mark.parametrize("name", NAMES)
def test_each_learns_and_learns_the_same_again(name: str) -> None:
    one, losses = trained(name)
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])
    other, again = trained(name)
    assert losses == again
    states = one.state_dict(), other.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("name", NAMES)
def test_reinitialised_is_what_another_seed_builds(name: str) -> None:
    first, second = named(name, 4, seed=1), named(name, 4, seed=2)
    before = torch.get_rng_state()
    fresh = reinitialised(shaken(first), 2)
    assert torch.equal(torch.get_rng_state(), before)
    states = fresh.state_dict(), second.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])
    kept = shaken(named(name, 4, seed=1)).state_dict()
    assert all(torch.equal(kept[key], value) for key, value in first.state_dict().items())


def test_a_parameter_that_no_layer_can_draw_is_refused_by_name() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(
        SettingsError, match=r"^0\.scale can't be drawn afresh: Scaled has no reset"
    ):
        reinitialised(nn.Sequential(Scaled()), 0)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_are_not_told_are_the_networks_own_and_stand_in_its_settings(
    name: str,
) -> None:
    settings = NetworkSettings(name=name)
    told = settings.model_dump(mode="json")
    assert NetworkSettings.model_validate(told) == settings
    assert list(told) == ["name", "widths", "kernel_sizes", "pooling", "dropout"]
    assert told["widths"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"name": "resnet"}, "wanted one of valid, .*, or your own as module:function"),
        ({"name": "a b:c"}, "wanted one of"),
        ({"name": "eegnet", "widths": [8, 15, 16]}, "multiple of the first; got 15 and 8"),
        ({"name": "eegnet", "widths": [8, 16]}, "eegnet takes 3 widths, 2 kernel_sizes and 2 poo"),
        ({"name": "shallow", "pooling": [5, 5]}, "shallow takes 1 widths"),
        ({"name": "deep4", "widths": [5, 5]}, "one value a block each; got 2, 4 and 4"),
        ({"name": "tcn", "pooling": [2, 2]}, "but pooling 1; got 6, 6 and 2"),
        ({"name": "separable", "kernel_sizes": [15, 9, 8, 9]}, "odd kernel_sizes"),
        ({"name": "mine:build", "widths": [4]}, "built by its own code, which takes no widths"),
        ({"name": "mine:build", "dropout": 0.1}, "which takes no dropout"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(told: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        NetworkSettings.model_validate(told)


def test_widths_of_blocks_follow_surgery_and_kernels_tell_sizes_of_any() -> None:
    network = named("valid")
    convolution = network.get_submodule("blocks.1.conv")
    assert isinstance(convolution, nn.Conv1d)
    convolution.out_channels = 9
    assert network.settings.widths == (32, 9, 128)
    assert list(kernels_of(network).values()) == [32, 9, 128]
    for narrow, wide in pairwise(["blocks.0.conv", "blocks.1.conv", "blocks.2.conv"]):
        assert list(kernels_of(network)).index(narrow) < list(kernels_of(network)).index(wide)
