"""Gradients of the deployed file against captum's of the torch network that it was written from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.detectors.eight_bits import quantise
from secateur.detectors.network.model import parse
from secateur.detectors.network.run import OnnxRuntime
from secateur.errors import SettingsError
from secateur.explaining.backward import with_gradient
from secateur.explaining.gradients import input_times_gradient, integrated_gradients
from secateur.explaining.network import ExplainedNetwork
from secateur.networks import NAMES, NetworkSettings, build_network, to_onnx
from secateur.pruning import CalibrationData, PruningSettings
from secateur.pruning.prune import prune
from tests.support.explained import built, noise, opened
from tests.support.shaken import shaken
from tests.support.small_networks import CHANNELS, KINDS, SAMPLES
from tests.support.written_networks import Own

RECURRENT = ("GRU", "LSTM", "RNN")
_CLOSE = 1e-4
"""Of the largest attribution."""


def explained(model: bytes, **chain: Any) -> ExplainedNetwork:
    return ExplainedNetwork(opened(model, **chain))


def margin_of(network: nn.Module) -> Callable[[Tensor], Tensor]:
    def margin(windows: Tensor) -> Tensor:
        logits = network(windows)
        difference: Tensor = logits[:, 1] - logits[:, 0]
        return difference

    return margin


def assert_close(values: NDArray[np.float32], expected: Tensor) -> None:
    oracle = expected.detach().numpy()
    assert np.abs(oracle).max() > 1e-9
    assert np.abs(values - oracle).max() < _CLOSE * np.abs(oracle).max()


@pytest.mark.parametrize("ratio", [0.0, 0.5])
@pytest.mark.parametrize("name", NAMES)
def test_every_built_in_network_has_captums_attributions(name: str, ratio: float) -> None:
    network = built(name)
    if ratio:
        settings = PruningSettings(ratio=ratio, importance="l1")
        network = prune(network, settings, CalibrationData(noise(4, 18, 1024))).network
    file = explained(to_onnx(network))
    windows = noise(2, 18, 1024)
    attributed = input_times_gradient(file, windows)
    tensor = torch.from_numpy(windows).requires_grad_()
    assert_close(attributed.values, InputXGradient(margin_of(network)).attribute(tensor))
    assert np.allclose(attributed.margins, margin_of(network)(tensor).detach(), atol=1e-4)


@pytest.mark.parametrize("name", ["valid", "eegnet", "tcn"])
def test_integrated_gradients_are_captums_from_one_reference(name: str) -> None:
    network = built(name)
    windows, reference = noise(2, 18, 1024), noise(1, 18, 1024, 5)
    attributed = integrated_gradients(explained(to_onnx(network)), windows, reference, 12)
    oracle = IntegratedGradients(margin_of(network)).attribute(
        torch.from_numpy(windows), torch.from_numpy(reference), n_steps=12
    )
    assert_close(attributed.values, oracle.float())


def test_integrated_gradients_add_up_and_of_several_references_to_their_mean() -> None:
    file = explained(to_onnx(built("valid")))
    windows, references = noise(2, 18, 1024), 0.3 * noise(4, 18, 1024, 5)
    attributed = integrated_gradients(file, windows, references, 128)
    assert attributed.references == pytest.approx(file.margins(references).mean())
    gap = attributed.margins - attributed.references
    assert attributed.values.sum(axis=(1, 2)) == pytest.approx(gap, rel=0.02, abs=0.01)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in RECURRENT])
def test_networks_of_a_users_own_have_torchs_gradients(kind: str) -> None:
    torch.manual_seed(3)
    network = Own(shaken(KINDS[kind]()).eval())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = explained(to_onnx(network))
    windows = noise(3, CHANNELS, SAMPLES)
    _, gradients = file.gradients(windows)
    tensor = torch.from_numpy(windows).requires_grad_()
    margin_of(network)(tensor).sum().backward()  # type: ignore[no-untyped-call]
    assert tensor.grad is not None
    assert_close(gradients, tensor.grad)


class Overlapping(nn.Module):
    """Pooling that overlaps and is padded, and other operators that no other small network has."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, stride=2, dilation=2)
        self.norm = nn.BatchNorm1d(4)
        self.pool, self.mean = nn.MaxPool1d(5, 2, 2), nn.AvgPool1d(3, 2, 1, count_include_pad=False)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mean(self.pool(self.norm(self.conv(x))))
        x = nn.functional.softplus(x) - nn.functional.hardswish(2 * x) + x.sin() * x.cos().exp()
        x = torch.softmax(nn.functional.hardsigmoid(x), dim=1) / (1 + x.square())
        out: Tensor = self.linear(x.sum(-1) - nn.functional.relu6(x).mean(-1))
        return out


def test_pooling_that_overlaps_adds_what_several_maxima_get() -> None:
    torch.manual_seed(0)
    network = Own(shaken(Overlapping()).eval())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter writes it
        file = explained(to_onnx(network))
    windows = noise(2, CHANNELS, SAMPLES)
    tensor = torch.from_numpy(windows).requires_grad_()
    margin_of(network)(tensor).sum().backward()  # type: ignore[no-untyped-call]
    assert tensor.grad is not None
    assert_close(file.gradients(windows)[1], tensor.grad)


class Rectified(nn.Module):
    """ReLU that pools read, alone and beside others, and that gives the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(3, 4, 3), nn.Conv1d(4, 4, 3)
        self.pool, self.linear = nn.MaxPool1d(3, 2, 1), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.first(x.float()).relu())
        y = self.second(x).relu()
        parts = (self.pool(y).mean(-1), y.mean(-1), self.pool(-y).mean(-1))
        out: Tensor = self.linear(torch.cat(parts, 1)).relu()
        return out


def test_what_relu_lets_through_is_asked_once_wherever_pools_read_it() -> None:
    torch.manual_seed(1)
    network = Own(shaken(Rectified()).eval())
    with torch.no_grad():
        network.inner.linear.bias += 1  # type: ignore[operator, union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = explained(to_onnx(network))
    windows = noise(3, CHANNELS, SAMPLES)
    tensor = torch.from_numpy(windows).requires_grad_()
    margin_of(network)(tensor).sum().backward()  # type: ignore[no-untyped-call]
    assert tensor.grad is not None
    assert_close(file.gradients(windows)[1], tensor.grad)


def test_of_equal_values_in_a_pool_one_gets_the_gradient() -> None:
    network = built("valid")
    flat = np.zeros((1, 18, 1024), dtype=np.float32)  # every pool ties
    tensor = torch.from_numpy(flat).requires_grad_()
    margin_of(network)(tensor).sum().backward()  # type: ignore[no-untyped-call]
    assert tensor.grad is not None
    assert_close(explained(to_onnx(network)).gradients(flat)[1], tensor.grad)


def test_windows_are_attributed_alike_however_many_come_at_once() -> None:
    file, windows = explained(to_onnx(built("paper"))), noise(19, 18, 1024)
    together = input_times_gradient(file, windows).values
    alone = np.concatenate([input_times_gradient(file, w[None]).values for w in windows])
    assert np.abs(together - alone).max() < 1e-5 * np.abs(together).max()


def test_montage_each_shares_the_margin_among_channels_that_are_judged_by_themselves() -> None:
    model = to_onnx(shaken(build_network(NetworkSettings(name="valid"), 1, 1024, 1)))
    file = explained(model, montage="each", channels=())
    windows = noise(2, 4, 1024)
    margins, gradients = file.gradients(windows)
    alone = [file.gradients(windows[:, k : k + 1]) for k in range(4)]
    assert margins == pytest.approx(np.mean([margin for margin, _ in alone], axis=0))
    assert np.allclose(gradients[:, 2], alone[2][1][:, 0] / 4, atol=1e-7)


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_layers_are_refused_by_name(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = explained(to_onnx(Own(KINDS[kind]().eval())))
    with pytest.raises(SettingsError, match=f"no gradient is known of {kind}; explain with occl"):
        file.gradients(noise(1, CHANNELS, SAMPLES))


def test_eight_bits_are_refused_by_name_where_gradients_are_asked_for() -> None:
    windows = noise(8, 18, 1024)
    file = explained(quantise(to_onnx(built("valid")), [windows]))
    assert file.in_eight_bits
    with pytest.raises(SettingsError, match="is in 8 bits, through which no gradient goes; give"):
        file.gradients(windows)


def test_what_is_generated_leaves_the_logits_as_they_are() -> None:
    graph = parse(to_onnx(built("deep4")))
    windows = noise(3, 18, 1024)
    logits, gradient = OnnxRuntime(with_gradient(graph).to_bytes()).run_all(windows)
    assert np.allclose(logits, OnnxRuntime(graph.to_bytes()).run(windows), atol=1e-5)
    assert gradient.shape == windows.shape


@pytest.mark.parametrize("name", ["valid", "paper", "tcn", "separable"])
def test_contributions_of_seconds_are_exact(name: str) -> None:
    network = built(name)
    file, windows = explained(to_onnx(network)), noise(3, 18, 1024)
    attributed = file.contributions(windows)
    assert attributed.values.shape == (3, 1, 1024)
    total = attributed.values.sum(axis=(1, 2)) + attributed.references
    assert total == pytest.approx(attributed.margins, abs=1e-4)
    assert attributed.margins == pytest.approx(file.margins(windows), abs=1e-4)


def test_a_contribution_stands_where_its_step_looks() -> None:
    file = explained(to_onnx(built("valid")))
    windows = 0.01 * noise(1, 18, 1024)
    quiet = file.contributions(windows).values[0, 0]
    windows[:, :, 600:640] += 20 * noise(1, 18, 40, 3)
    change = np.abs(file.contributions(windows).values[0, 0] - quiet)
    reached = np.flatnonzero(change > 1e-6)
    assert 500 < reached.min() <= 640
    assert 600 <= reached.max() < 740


def test_contributions_of_a_file_in_8_bits_add_up_but_for_rounding() -> None:
    windows = noise(16, 18, 1024) * np.linspace(0.1, 5, 16, dtype=np.float32)[:, None, None]
    file = explained(quantise(to_onnx(built("valid")), [windows]))
    attributed = file.contributions(windows)
    total = attributed.values.sum(axis=(1, 2)) + attributed.references
    assert total == pytest.approx(attributed.margins, abs=0.1 * np.ptp(attributed.margins))


@pytest.mark.parametrize("name", ["eegnet", "shallow", "deep4"])
def test_contributions_are_refused_where_no_average_stands_before_the_end(name: str) -> None:
    file = explained(to_onnx(built(name)))
    with pytest.raises(SettingsError, match="contributions are known of networks that end in an"):
        file.contributions(noise(1, 18, 1024))
