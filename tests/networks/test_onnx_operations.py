"""ONNX Runtime gives what torch gives: for every named network and for every operation that is written."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from secateur.detectors.network.costs import affordable
from secateur.detectors.network.model import parse
from secateur.errors import SettingsError
from secateur.networks import NAMES, Network, NetworkSettings, build_network, to_onnx
from secateur.recordings import load_cohort
from secateur.windows import Cache, ChainSettings, WindowSet, WindowSettings, fit_scale, prepare
from tests.support.shaken import shaken

CHANNELS, SAMPLES = 4, 24
Block = Callable[[Tensor], Tensor]
_NUMBERS = itertools.count()


def run(content: bytes, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"windows": windows})[0])


def largest_difference(network: Network, windows: NDArray[np.float32]) -> float:
    with torch.inference_mode():
        expected = network(torch.from_numpy(windows)).numpy()
    apart = np.abs(run(to_onnx(network), windows) - expected).max()
    return float(apart / max(1.0, np.abs(expected).max()))


def kinds(content: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


@pytest.mark.parametrize("name", NAMES)
def test_named_networks_on_random_windows(name: str) -> None:
    network = shaken(build_network(NetworkSettings(name=name), 18, 1024, 3), 3)
    generator = np.random.default_rng(1)
    for count in (1, 5):  # any number of windows
        windows = generator.normal(size=(count, 18, 1024)).astype(np.float32)
        assert largest_difference(network, windows) <= 1e-5
    content = to_onnx(network)
    assert content == to_onnx(network)
    model = onnx.load_from_string(content)
    assert not model.functions
    assert {node.domain for node in model.graph.node} == {""}
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert str(Path.home()).encode() not in content


@pytest.fixture(scope="module")
def real_windows(clips: Path) -> NDArray[np.float32]:
    chain = ChainSettings()
    prepared, _ = prepare(load_cohort(clips).entries[:1], chain, Cache())
    windows = WindowSet(prepared, chain, WindowSettings(), fit_scale(prepared, chain, 18))
    return windows.batch(np.arange(0, len(windows), max(1, len(windows) // 16)))


@pytest.mark.parametrize("name", NAMES)
def test_named_networks_on_real_windows(name: str, real_windows: NDArray[np.float32]) -> None:
    network = shaken(build_network(NetworkSettings(name=name), 18, 1024, 3), 3)
    assert largest_difference(network, real_windows) <= 1e-5


@pytest.mark.parametrize("name", ["valid", "paper"])
def test_norms_are_folded_and_each_relu_stands_behind_its_convolution(name: str) -> None:
    network = shaken(build_network(NetworkSettings(name=name), 18, 1024))
    block = ["Conv", "Relu", "MaxPool"]
    assert kinds(to_onnx(network)) == block * 3 + ["GlobalAveragePool", "Flatten", "Gemm"]


@pytest.mark.parametrize("name", NAMES)
def test_no_norm_and_no_dropout_is_left(name: str) -> None:
    found = kinds(to_onnx(build_network(NetworkSettings(name=name), 18, 1024)))
    assert not {"BatchNormalization", "Dropout", "Identity"} & set(found)


class Probe(Network):
    """Some operation between two convolutions, or whatever stands in their place, and a mean."""

    def __init__(self, block: Block, before: nn.Module | None = None) -> None:
        super().__init__(NetworkSettings(), CHANNELS, SAMPLES)
        torch.manual_seed(0)
        self.before = before or nn.Conv1d(CHANNELS, 6, 3, padding=1)
        self.block = block
        length = self._features(torch.zeros(1, CHANNELS, SAMPLES)).numel()
        self.linear = nn.Linear(length, 2)

    def _features(self, windows: Tensor) -> Tensor:
        return torch.flatten(self.block(self.before(windows)), 1)

    def forward(self, windows: Tensor) -> Tensor:
        logits: Tensor = self.linear(self._features(windows))
        return logits


LAYERS: dict[str, nn.Module] = {
    "grouped, with a multiplier": nn.Conv1d(6, 12, 5, groups=6, bias=False),
    "strided, dilated, padded": nn.Conv1d(6, 4, 3, stride=2, dilation=2, padding=3),
    "same by its name": nn.Conv1d(6, 4, 5, padding="same", dilation=2),
    "valid by its name": nn.Conv1d(6, 4, 4, padding="valid"),
    "norm behind a depthwise": nn.Sequential(
        nn.Conv1d(6, 12, 3, groups=6, bias=False), nn.BatchNorm1d(12), nn.Conv1d(12, 6, 1)
    ),
    "norm without biases": nn.BatchNorm1d(6, bias=False),
    "norm by itself": nn.Sequential(nn.ReLU(), nn.BatchNorm1d(6)),
    "norm without weights": nn.BatchNorm1d(6, affine=False),
    "norm of features": nn.Sequential(nn.Flatten(), nn.Linear(144, 5), nn.BatchNorm1d(5)),
    "norm along time": nn.LayerNorm(24),
    "relu behind dropout and pool": nn.Sequential(nn.MaxPool1d(3), nn.Dropout(0.3), nn.ReLU()),
    "relu6 behind a pool": nn.Sequential(nn.MaxPool1d(3), nn.ReLU6()),
    "relu behind a pool of one": nn.Sequential(nn.MaxPool1d(1), nn.ReLU(), nn.Sigmoid()),
    "a pool that is read twice": nn.Sequential(nn.ReLU(), nn.MaxPool1d(2), nn.ReLU()),
    "overlapping maxima": nn.MaxPool1d(3, stride=2, padding=1, dilation=2),
    "means with padding": nn.AvgPool1d(4, stride=3, padding=2),
    "means without padding": nn.AvgPool1d(4, padding=2, count_include_pad=False),
    "means of equal parts": nn.AdaptiveAvgPool1d(6),
    "one maximum": nn.AdaptiveMaxPool1d(1),
    "linear along time": nn.Linear(24, 7),
    "linear without bias": nn.Linear(24, 7, bias=False),
    "zeros before": nn.ZeroPad1d((5, 0)),
    "unflattened": nn.Unflatten(1, (2, 3)),
    "elu": nn.ELU(0.7),
    "gelu": nn.GELU(),
    "gelu by tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "leaky relu": nn.LeakyReLU(0.2),
    "prelu": nn.PReLU(6),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-0.1, 0.2),
    "softplus": nn.Softplus(),
    "softmax": nn.Softmax(dim=1),
    "log softmax": nn.LogSoftmax(dim=-1),
    "two dimensions": nn.Sequential(
        nn.Unflatten(1, (2, 3)),
        nn.Conv2d(2, 4, (3, 5), padding=(1, 0)),
        nn.BatchNorm2d(4),
        nn.MaxPool2d((1, 2)),
        nn.ReLU(),
        nn.AvgPool2d((3, 2)),
        nn.AdaptiveAvgPool2d((1, 1)),
    ),
}
FUNCTIONS: dict[str, Block] = {
    "relu": lambda x: functional.relu(x) + x.relu(),
    "relu behind a maximum": lambda x: functional.relu(functional.max_pool1d(x, 2)),
    "relu6 behind a maximum": lambda x: functional.relu6(4 * functional.max_pool1d(x, 2)),
    "hardtanh": lambda x: functional.hardtanh(x) - functional.hardtanh(x, -0.2, max_val=0.1),
    "hardsigmoid": lambda x: functional.hardsigmoid(3 * x),
    "softplus": functional.softplus,
    "elu": lambda x: functional.elu(x, 0.5),
    "gelu": functional.gelu,
    "silu": functional.silu,
    "leaky relu": lambda x: functional.leaky_relu(x, negative_slope=0.3),
    "sigmoid, tanh": lambda x: torch.sigmoid(x) * torch.tanh(x),
    "square, log, clamp": lambda x: torch.log(torch.clamp(torch.square(x), min=1e-6)),
    "clamp on both sides": lambda x: x.clamp(-0.1, 0.2),
    "pow, sqrt, exp, abs": lambda x: (
        (x**2 + 1).sqrt() + torch.exp(-torch.abs(x)) + x.abs().pow(1.5)
    ),
    "numbers on either side": lambda x: (2 - x) / 3 + 0.5 * x - 1,
    "mean over time": lambda x: x.mean(dim=2),
    "mean that keeps": lambda x: x - x.mean(dim=-1, keepdim=True),
    "sum over axes": lambda x: x.sum(dim=(1, 2), keepdim=True) + x,
    "largest": lambda x: torch.amax(x, dim=2),
    "squeeze and unsqueeze": lambda x: x.unsqueeze(1).squeeze(1).unsqueeze(-1),
    "transpose and permute": lambda x: x.transpose(1, 2).permute(0, 2, 1).permute((0, 2, 1)),
    "view by size": lambda x: x.view(x.size(0), -1, 12),
    "reshape by shape": lambda x: x.reshape(x.shape[0], 3, 2, x.shape[2]),
    "windows and channels as one": lambda x: x.reshape(-1, 1, 24).reshape(-1, 6, 24),
    "flatten and contiguous": lambda x: x.transpose(1, 2).contiguous().flatten(1),
    "concatenation": lambda x: torch.cat([x, x.relu()], dim=1),
    "padding": lambda x: functional.pad(x, (3, 1), value=0.5),
    "cropping": lambda x: functional.pad(x, (-3, -1)),
    "cropping and padding": lambda x: functional.pad(x, (-3, 2, 1, -2)),
    "variance": lambda x: torch.log(torch.var(x, dim=-1)) + x.var(2, unbiased=False),
    "deviation": lambda x: x / (x.std(-1, keepdim=True) + torch.std(x, (1, 2), keepdim=True)),
    "deviation with a correction": lambda x: x.std(dim=2, correction=3),
    "slices": lambda x: x[:, 1:5, ::2],
    "the last sample": lambda x: x[:, :, -1] + x[..., 0],
    "pools": lambda x: functional.max_pool1d(x, 2) - functional.avg_pool1d(x, kernel_size=2),
    "pools to one": lambda x: functional.adaptive_avg_pool1d(x, 1),
    "dropout": lambda x: functional.dropout(x, 0.5, training=False),
    "softmax": lambda x: torch.softmax(x, dim=1) + functional.log_softmax(x, dim=1),
    "product of matrices": lambda x: x @ x.transpose(1, 2),
    "squeeze and excitation": lambda x: x * torch.sigmoid(x.mean(dim=2, keepdim=True)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    check(Probe(LAYERS[name].eval()))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    check(Probe(FUNCTIONS[name]))


def check(probe: Probe) -> None:
    network = shaken(probe, 1) if any(True for _ in probe.buffers()) else probe.eval()
    windows = np.random.default_rng(0).normal(size=(3, CHANNELS, SAMPLES)).astype(np.float32)
    assert largest_difference(network, windows) <= 1e-5
    content = to_onnx(network)
    assert onnx.load_from_string(content).producer_name == "secateur"
    affordable(parse(content))  # what is written can be read


def test_a_padded_even_kernel_is_padded_as_torch_does() -> None:
    with pytest.warns(UserWarning, match="even kernel"):
        check(Probe(nn.Conv1d(6, 4, 4, padding="same")))


class Beginning(Network):
    """A filter along time and one across electrodes, norms behind either or none."""

    def __init__(self, filters: tuple[nn.Module, ...]) -> None:
        super().__init__(NetworkSettings(), CHANNELS, SAMPLES)
        self.filters = nn.Sequential(*filters)
        length = self.filters(torch.zeros(2, 1, CHANNELS, SAMPLES)).shape[1:].numel()
        self.linear = nn.Linear(length, 2)

    def forward(self, windows: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.filters(windows.unsqueeze(1)).flatten(1))
        return logits


@given(
    temporal=st.integers(1, 4),
    groups=st.integers(1, 3),
    each=st.integers(1, 3),
    size=st.integers(1, 6),
    padding=st.integers(0, 3),
    norms=st.tuples(st.booleans(), st.booleans()),
    bias=st.booleans(),
)
@settings(max_examples=20)
def test_a_filter_along_time_and_one_across_electrodes_are_one(
    temporal: int,
    groups: int,
    each: int,
    size: int,
    padding: int,
    norms: tuple[bool, bool],
    bias: bool,
) -> None:
    along = nn.Conv2d(1, temporal * groups, (1, size), padding=(0, padding), bias=bias)
    across = nn.Conv2d(
        temporal * groups, each * groups, (CHANNELS, 1), groups=groups, bias=not bias
    )
    filters: list[nn.Module] = []
    for layer, norm in zip((along, across), norms, strict=True):
        filters += [layer, nn.BatchNorm2d(layer.out_channels)] if norm else [layer]
    network = shaken(Beginning(tuple(filters)))
    windows = np.random.default_rng(0).normal(size=(3, CHANNELS, SAMPLES)).astype(np.float32)
    assert largest_difference(network, windows) <= 1e-5


@pytest.mark.parametrize(
    ("temporal", "spatial", "groups", "size", "shapes"),
    [
        # 4·9·4 + 8·4 multiplications for a sample in turn, 8·4·9 as one, 8·(4 + 9) across first
        (4, 8, 4, 9, [(8, 1, 4, 1), (8, 1, 1, 9)]),
        # 6·2·4 + 6·6·4 in turn, 6·4·2 as one
        (6, 6, 1, 2, [(6, 1, 4, 2)]),
        # 2·9·4 + 8·2·4 in turn, 8·4·9 as one
        (2, 8, 1, 9, [(2, 1, 1, 9), (8, 2, 4, 1)]),
    ],
)
def test_the_cheapest_way_is_taken(
    temporal: int, spatial: int, groups: int, size: int, shapes: list[tuple[int, ...]]
) -> None:
    along = nn.Conv2d(1, temporal, (1, size), padding=(0, size // 2))
    network = Beginning((along, nn.Conv2d(temporal, spatial, (CHANNELS, 1), groups=groups)))
    weights = onnx.load_from_string(to_onnx(network.eval())).graph.initializer
    assert [tuple(one.dims) for one in weights if len(one.dims) == 4] == shapes


def test_filters_with_something_between_them_stay_two() -> None:
    along, across = nn.Conv2d(1, 6, (1, 2)), nn.Conv2d(6, 6, (CHANNELS, 1))
    for filters in (
        (along, nn.ELU(), across),
        (along, nn.Conv2d(6, 6, (CHANNELS - 1, 1))),
        (along, nn.Conv2d(6, 6, (CHANNELS, 1), padding=(1, 0))),
        (nn.Conv2d(1, 6, (1, 2), stride=(1, 2)), across),
    ):
        network = Beginning(filters).eval()
        assert kinds(to_onnx(network)).count("Conv") == 2
        windows = np.random.default_rng(0).normal(size=(3, CHANNELS, SAMPLES)).astype(np.float32)
        assert largest_difference(network, windows) <= 1e-5


def own_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Network:
    name = f"onnx_network_{next(_NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.chdir(tmp_path)
    return build_network(NetworkSettings(name=f"{name}:build"), CHANNELS, SAMPLES, 1)


RECURRENT = """
from torch import nn

class Recurrent(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.recurrent = nn.GRU(channels, 6, batch_first=True)
        self.linear = nn.Linear(6, classes)

    def forward(self, windows):
        return self.linear(self.recurrent(windows.transpose(1, 2))[0][:, -1])

def build(channels, samples, classes):
    return Recurrent(channels, classes)
"""


def test_what_is_not_known_is_written_by_torch_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = own_network(tmp_path, monkeypatch, RECURRENT)
    with pytest.warns(UserWarning, match="GRU isn't known to Secateur.*written by torch"):
        content = to_onnx(network)
    windows = np.random.default_rng(0).normal(size=(7, CHANNELS, SAMPLES)).astype(np.float32)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(windows)).numpy()
    assert np.abs(run(content, windows) - expected).max() <= 1e-5
    assert str(tmp_path).encode() not in content
    model = onnx.load_from_string(content)
    assert all(one.data_location == onnx.TensorProto.DEFAULT for one in model.graph.initializer)
    assert [one.name for one in model.graph.input] == ["windows"]


def test_what_nobody_can_write_is_refused_by_the_operations_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
import torch
from torch import nn

class Odd(nn.Linear):
    def forward(self, windows):
        return super().forward(torch.special.bessel_j0(windows.flatten(1)))

def build(channels, samples, classes):
    return Odd(channels * samples, classes)
"""
    network = own_network(tmp_path, monkeypatch, body)
    with pytest.raises(SettingsError, match="special_bessel_j0 can't be written as ONNX") as caught:
        to_onnx(network)
    assert "\n" not in str(caught.value)


def test_a_norm_without_statistics_is_refused() -> None:
    probe = Probe(nn.BatchNorm1d(6, track_running_stats=False)).eval()
    with pytest.raises(SettingsError, match="BatchNorm without running statistics"):
        to_onnx(probe)
