"""Whatever is cut out of whatever network: what is left computes as if those channels read as zero."""

from __future__ import annotations

import copy
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SurgeryError
from secateur.networks import NAMES, NetworkSettings, build_network, kernels_of
from secateur.pruning.equivalence import (
    TOLERANCE,
    largest_difference,
    masked_logits,
    require_equal,
    with_random_weights,
)
from secateur.pruning.groups import Structure
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace
from secateur.recordings import open_recording
from tests.support.shaken import shaken
from tests.support.small_networks import CHANNELS, KINDS, SAMPLES, Chain, Depthwise, Residual

NOISE = np.random.default_rng(0).normal(size=(5, CHANNELS, SAMPLES)).astype(np.float32)


@cache
def network_of(kind: str) -> nn.Module:
    """Never changed by a test: `cut` and the proofs work on copies."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(kind))
        return shaken(KINDS[kind](), 1)


@cache
def structure_of(kind: str) -> Structure:
    return trace(network_of(kind), CHANNELS, SAMPLES)


def some_kept(structure: Structure, data: st.DataObject) -> dict[str, tuple[int, ...]]:
    """Any units of any groups; groups that aren't told stay whole."""
    kept = {}
    for group in structure.groups:
        if data.draw(st.booleans(), f"prune {group.name}"):
            chosen = data.draw(st.sets(st.integers(0, group.size - 1), min_size=1), group.name)
            kept[group.name] = tuple(sorted(chosen))
    return kept


def every_other(structure: Structure) -> dict[str, tuple[int, ...]]:
    return {group.name: tuple(range(0, group.size, 2)) for group in structure.groups}


@pytest.fixture(scope="module")
def recorded(clips: Path) -> NDArray[np.float32]:
    """Eighteen channels of a real recording, 50 µV one unit, at 256 Hz."""
    recording = open_recording(sorted(clips.rglob("sub-01*_eeg.edf"))[0])
    return recording.read(0, 16, range(18)) / np.float32(50)


def windows_of(data: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Windows × channels × samples, one behind the other."""
    whole = data[:, : data.shape[1] // samples * samples]
    windows = whole.reshape(len(data), -1, samples).swapaxes(0, 1)
    return np.ascontiguousarray(windows)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=12)
def test_cutting_equals_reading_zeros(kind: str, data: st.DataObject) -> None:
    network, structure = network_of(kind), structure_of(kind)
    kept = some_kept(structure, data)
    smaller = cut(network, structure, kept)
    assert largest_difference(network, smaller, structure, kept, NOISE) <= TOLERANCE
    # what is left can be followed, pruned and trained as any network
    left = trace(smaller, CHANNELS, SAMPLES)
    assert left.kernels <= structure.kernels
    smaller.train()(torch.from_numpy(NOISE)).square().sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_cutting_equals_reading_zeros_on_real_eeg(kind: str, recorded: NDArray[np.float32]) -> None:
    real_windows = windows_of(recorded[:CHANNELS], SAMPLES)
    network, structure = network_of(kind), structure_of(kind)
    kept = every_other(structure)
    smaller = cut(network, structure, kept)
    assert largest_difference(network, smaller, structure, kept, real_windows) <= TOLERANCE
    whole = masked_logits(network, structure, {}, real_windows)
    masked = masked_logits(network, structure, kept, real_windows)
    assert np.abs(whole - masked).max() > 1e-3  # and something was at stake


@pytest.mark.parametrize("kind", KINDS)
def test_down_to_the_last_unit_of_every_group(kind: str) -> None:
    """A grouped convolution then has one input a group, and depthwise ones are plain."""
    network, structure = network_of(kind), structure_of(kind)
    for unit in (0, -1):
        kept = {group.name: (range(group.size)[unit],) for group in structure.groups}
        smaller = cut(network, structure, kept)
        assert largest_difference(network, smaller, structure, kept, NOISE) <= TOLERANCE
        trace(smaller, CHANNELS, SAMPLES)  # which can be followed again


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
@pytest.mark.parametrize("name", NAMES)
def test_every_named_network_on_real_eeg(
    name: str, share: float, recorded: NDArray[np.float32]
) -> None:
    windows = windows_of(recorded, 1024)
    network = shaken(build_network(NetworkSettings(name=name), 18, 1024), 1)
    structure = trace(network, 18, 1024)
    generator = np.random.default_rng(round(100 * share))
    kept = {
        group.name: tuple(
            sorted(generator.permutation(group.size)[: math.ceil(share * group.size)].tolist())
        )
        for group in structure.groups
    }
    smaller = cut(network, structure, kept)
    assert largest_difference(network, smaller, structure, kept, windows) <= TOLERANCE
    left = sum(len(kept[group.name]) * group.kernels_each for group in structure.groups)
    assert left == trace(smaller, 18, 1024).kernels
    # nothing but the classifier's outputs is outside every group
    assert structure.kernels == sum(kernels_of(network).values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_is_felt_by_the_proof(kind: str) -> None:
    """Another unit in place of one that stays is a defect, in whatever group, and the proof finds it."""
    network, structure = network_of(kind), structure_of(kind)
    for group in structure.groups:
        for unit in range(group.size - 1):
            kept = {group.name: (unit,)}
            wrong = cut(network, structure, {group.name: (unit + 1,)})
            difference = largest_difference(network, wrong, structure, kept, NOISE)
            assert difference > TOLERANCE
            with pytest.raises(SurgeryError, match="differs"):
                require_equal(difference)


def test_a_branch_that_was_forgotten_is_noticed() -> None:
    """The way past is cut as the block, but with its kernels in another order."""
    network, structure = network_of("Residual"), structure_of("Residual")
    kept = {"stem": (0, 2, 4), "two": (1, 3)}
    smaller = cut(network, structure, kept)
    past = smaller.get_submodule("past")
    assert isinstance(past, nn.Conv1d)
    past.weight.data = past.weight.data.flip(0)
    assert largest_difference(network, smaller, structure, kept, NOISE) > 1e-3


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (1.1e-9, "report it"),
        (float("inf"), "report it"),
        (float("nan"), "the network gives no numbers on these windows"),
    ],
)
def test_what_is_no_number_is_no_proof(bad: float, words: str) -> None:
    with pytest.raises(SurgeryError, match=words):
        require_equal(bad)


def test_dead_units_that_are_mixed_up_are_felt_with_weights_by_chance() -> None:
    """Two kernels of zeros are alike on any windows, in the network as it was trained."""
    network, structure = copy.deepcopy(network_of("Chain")), structure_of("Chain")
    group = structure.groups[0]
    for parameter in network.get_submodule(group.name).parameters():
        parameter.data[:2] = 0
    for slot in group.slots:
        if slot.side == "features":
            for values in network.get_submodule(slot.layer).state_dict().values():
                if values.ndim:
                    values[:2] = values[0].clone()
        if slot.side == "inputs":
            weight = network.get_submodule(slot.layer).get_parameter("weight")
            weight.data[:, 1] = weight.data[:, 0]
    kept, mixed = ({group.name: (k, *range(2, group.size))} for k in (0, 1))
    assert largest_difference(network, cut(network, structure, mixed), structure, kept, NOISE) == 0
    chance = with_random_weights(network)
    assert largest_difference(chance, cut(chance, structure, mixed), structure, kept, NOISE) > 1e-3


def test_zeroing_at_the_convolution_would_not_have_been_proof() -> None:
    """BatchNorm's shift leaks: a kernel of zeros is not a kernel that is gone."""
    network, structure = network_of("Chain"), structure_of("Chain")
    kept = dict.fromkeys(structure.names, (0, 1))
    zeroed = copy.deepcopy(network).double()
    for name in kept:
        for parameter in zeroed.get_submodule(name).parameters():
            parameter.data[2:] = 0
    with torch.inference_mode():
        got = zeroed(torch.from_numpy(NOISE).double()).numpy()
    assert np.abs(got - masked_logits(network, structure, kept, NOISE)).max() > 1e-3


def test_weights_that_stay_by_hand() -> None:
    network = Depthwise()
    smaller = cut(
        network, trace(network, CHANNELS, SAMPLES), {"temporal": (1, 3), "pointwise": (2,)}
    )
    spatial, pointwise = (smaller.get_submodule(name) for name in ("spatial", "pointwise"))
    assert isinstance(spatial, nn.Conv2d)
    assert isinstance(pointwise, nn.Conv2d)
    # temporal kernel 1 has the spatial kernels 2 and 3, kernel 3 has 6 and 7
    both = [2, 3, 6, 7]
    assert (spatial.in_channels, spatial.out_channels, spatial.groups) == (2, 4, 2)
    assert torch.equal(spatial.weight, network.spatial.weight[both])
    assert (pointwise.in_channels, pointwise.out_channels) == (4, 1)
    assert torch.equal(pointwise.weight, network.pointwise.weight[[2]][:, both])
    for name in ("weight", "bias", "running_mean", "running_var"):
        norm, whole = (one.get_submodule("spatial_norm") for one in (smaller, network))
        assert torch.equal(getattr(norm, name), getattr(whole, name)[both])
    # pointwise kernel 2 is read at samples 8 to 11 of what was flattened; the outputs stay
    assert torch.equal(smaller.get_submodule("linear").weight, network.linear.weight[:, 8:12])  # type: ignore[arg-type]
    assert torch.equal(smaller.get_submodule("linear").bias, network.linear.bias)  # type: ignore[arg-type]


def test_all_else_stays_as_it_was() -> None:
    network = Residual().double().train()
    network.one_norm.eval()
    network.one.weight.requires_grad_(False)
    network.register_buffer("rate", torch.tensor(256.0))
    heard: list[tuple[int, ...]] = []

    def hear(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        heard.append(tuple(output.shape))

    network.one.register_forward_hook(hear)
    before = copy.deepcopy(network.state_dict())
    structure = trace(network, CHANNELS, SAMPLES)
    heard.clear()
    smaller = cut(network, structure, {"stem": (0, 5)})
    modes = {name: module.training for name, module in network.named_modules()}
    assert modes == {name: module.training for name, module in smaller.named_modules()}
    assert not modes["one_norm"]
    assert modes["two_norm"]
    needs = {name: one.requires_grad for name, one in smaller.named_parameters()}
    assert [name for name, needed in needs.items() if not needed] == ["one.weight"]
    assert all(one.dtype == torch.float64 for one in smaller.parameters())
    assert list(smaller.state_dict()) == list(before)
    assert float(smaller.state_dict()["rate"]) == 256
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert network.training
    smaller(torch.zeros(2, CHANNELS, SAMPLES, dtype=torch.float64))
    assert heard == [(2, 2, 62)]


def test_groups_that_are_not_told_stay_whole() -> None:
    network = Chain()
    smaller = cut(network, trace(network, CHANNELS, SAMPLES), {})
    for name, value in smaller.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"first": ()}, "at least one"),
        ({"first": (2, 1)}, "must rise"),
        ({"first": (1, 1)}, "must rise"),
        ({"first": (0, 6)}, "channels 0 to 5, got 6"),
        ({"first": (-1, 0)}, "channels 0 to 5"),
        ({"nowhere": (0,)}, "no group nowhere; there is first, second"),
    ],
)
def test_channels_that_are_not_there_are_refused(
    kept: dict[str, tuple[int, ...]], message: str
) -> None:
    network = network_of("Chain")
    with pytest.raises(SurgeryError, match=message):
        cut(network, structure_of("Chain"), kept)


def test_large_logits_are_compared_by_their_size() -> None:
    """1e12 in float64 has steps of 1e-4: what is equal but for rounding must pass."""
    network, structure = copy.deepcopy(network_of("Chain")), structure_of("Chain")
    linear = network.get_submodule("linear")
    assert isinstance(linear, nn.Linear)
    linear.weight.data *= 1e12
    kept = every_other(structure)
    smaller = cut(network, structure, kept)
    assert largest_difference(network, smaller, structure, kept, NOISE) <= TOLERANCE
