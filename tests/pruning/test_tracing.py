"""What goes together, told of small networks by hand; and what is refused, by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from secateur.errors import SurgeryError
from secateur.pruning.groups import Structure
from secateur.pruning.tracing import trace
from tests.support.small_networks import CHANNELS, KINDS, SAMPLES, Depthwise, Grouped, Joined


def shape_of(kind: str) -> dict[str, tuple[int, int]]:
    """By group: units, kernels of a unit."""
    structure = trace(KINDS[kind](), CHANNELS, SAMPLES)
    return {group.name: (group.size, group.kernels_each) for group in structure.groups}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Chain", {"first": (6, 1), "second": (5, 1)}),
        # stem and one are added, two and the convolution past them too
        ("Residual", {"stem": (6, 2), "two": (4, 2)}),
        ("Joined", {"short": (4, 1), "long": (5, 1), "mixed": (6, 1)}),
        # both branches that multiply conv end in as many channels; only one of them is a convolution
        ("Excited", {"conv": (8, 2), "narrow": (4, 1)}),
        # one in time, two across electrodes, two depthwise
        ("Depthwise", {"temporal": (4, 5), "pointwise": (6, 1)}),
        # 8 in 2 groups: four pairs; 12 read in 3 groups and made in 2: two sixes; 6 made in 3, tripled
        ("Grouped", {"first": (4, 2), "grouped": (2, 6), "again": (2, 12)}),
        ("Power", {"temporal": (5, 1), "spatial": (6, 1)}),
        ("GRU", {"conv": (6, 1)}),
        ("Moved", {"conv": (6, 1), "second": (4, 1)}),
        # one is added to the input, three of three's eight are too; four is shifted by a parameter
        ("Scaled", {"two": (5, 2), "five": (4, 1)}),
    ],
)
def test_units_and_groups_by_hand(kind: str, expected: dict[str, tuple[int, int]]) -> None:
    assert shape_of(kind) == expected


def places(structure: Structure, group: str, layer: str, side: str) -> list[list[int]]:
    (slot,) = (s for s in structure[group].slots if (s.layer, s.side) == (layer, side))
    return [[int(place) for place in unit] for unit in slot.places]


def test_places_by_hand() -> None:
    joined = trace(Joined(), CHANNELS, SAMPLES)
    # behind the input's three channels and short's four
    assert places(joined, "long", "mixed", "inputs") == [[7], [8], [9], [10], [11]]
    assert places(joined, "long", "norm", "features") == [[4], [5], [6], [7], [8]]
    depthwise = trace(Depthwise(), CHANNELS, SAMPLES)
    assert places(depthwise, "temporal", "pointwise", "inputs") == [[0, 1], [2, 3], [4, 5], [6, 7]]
    grouped = trace(Grouped(), CHANNELS, SAMPLES)
    assert places(grouped, "first", "grouped", "inputs") == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert places(grouped, "grouped", "again", "inputs") == [
        [0, 2, 4, 6, 8, 10],
        [1, 3, 5, 7, 9, 11],
    ]


class Rewired(nn.Module):
    """Two convolutions, and between them or behind them whatever is to be tried."""

    def __init__(
        self, between: Callable[[Tensor], Tensor], behind: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(3, 4, 3, padding=1), nn.Conv1d(4, 4, 3, padding=1)
        self.between, self.behind = between, behind or (lambda x: x.mean(2))
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.behind(self.two(self.between(self.one(x)))))
        return out


class Wide(nn.Module):
    """A convolution whose kernels are tied to those of two others."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv1d(3, 6, 1)
        self.one, self.two = nn.Conv1d(3, 4, 1), nn.Conv1d(3, 2, 1)
        self.linear = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        joined = self.wide(x) + torch.cat([self.one(x), self.two(x)], 1)
        out: Tensor = self.linear(joined.mean(2))
        return out


def test_two_groups_of_one_convolution_have_names_of_their_own() -> None:
    structure = trace(Wide(), CHANNELS, SAMPLES)
    assert structure.names == ("wide", "wide:2")
    assert [group.size for group in structure.groups] == [4, 2]
    assert places(structure, "wide:2", "linear", "inputs") == [[4], [5]]


ELEMENTWISE: dict[str, Callable[[Tensor], Tensor]] = {
    "method": lambda x: x.sigmoid().clamp(min=0.1).log(),
    "function": lambda x: torch.log1p(torch.abs(x)) ** 2,
    "in place": lambda x: functional.relu_(x.mul_(2)).add_(1),
    "operators": lambda x: -x / 3 + 1 - x * (x > 0) // 2,
    "where": lambda x: torch.where(x > 0, x, torch.exp(x)),
    "own mean over time": lambda x: x - x.sum(-1, keepdim=True) / x.size(-1),
    "softmax over time": lambda x: functional.softmax(x, dim=2) * torch.cumsum(x, -1),
    "spread over time": lambda x: x / (x.std(dim=2, keepdim=True) + x.max(2, True)[0].abs()),
    "pooled": lambda x: functional.avg_pool1d(functional.max_pool1d(x, 3, 1, 1), 3, 1, 1),
    "interpolated": lambda x: functional.interpolate(x, scale_factor=2),
    "moved and back": lambda x: x.unsqueeze(1).transpose(1, 3).mT.flatten(2).permute(0, 2, 1),
    "expanded": lambda x: x.unsqueeze(2).expand(-1, -1, 3, -1).mean(2),
    "parts of time": lambda x: torch.cat(
        [x[:, :, :9], torch.split(x, 9, dim=2)[1], x.narrow(2, 3, 4)], -1
    ),
    "samples taken out": lambda x: torch.stack([x.select(2, 5), x.unbind(2)[7], x[..., 0]], dim=2),
    "constants": lambda x: x + torch.ones(()) * torch.ones(64) - torch.zeros_like(x),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_what_keeps_channels_apart_is_followed(name: str) -> None:
    structure = trace(Rewired(ELEMENTWISE[name]), CHANNELS, SAMPLES)  # which proves a cut
    assert [(group.name, group.size) for group in structure.groups] == [("one", 4), ("two", 4)]


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "PReLU": lambda: nn.Sequential(nn.PReLU(), nn.PReLU(4), nn.Softplus(), nn.Identity()),
    "padding": lambda: nn.Sequential(nn.ZeroPad1d(3), nn.ReflectionPad1d(2), nn.Dropout1d()),
    "pooling": lambda: nn.Sequential(nn.LPPool1d(2, 3), nn.AdaptiveMaxPool1d(9), nn.Upsample(20)),
    "norms": lambda: nn.Sequential(nn.InstanceNorm1d(4), nn.LayerNorm(64), nn.BatchNorm1d(4)),
    "flatten": lambda: nn.Sequential(nn.Unflatten(2, (8, 8)), nn.AvgPool2d(2), nn.Flatten(2)),
    "softmax": lambda: nn.Softmax(dim=-1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_keep_channels_apart_are_followed(name: str) -> None:
    structure = trace(Rewired(LAYERS[name]()), CHANNELS, SAMPLES)
    assert [(group.name, group.size) for group in structure.groups] == [("one", 4), ("two", 4)]


class Doubled(nn.Conv1d):
    """Derived, and another function: what it does must be seen, not taken for a convolution."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * 2


class Derived(nn.Conv1d):
    """Derived, and the same function."""


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "mean over channels": (lambda x: x - x.mean(1, keepdim=True), "operation mean: it runs along"),
    "mean of all": (lambda x: x - x.mean(), "operation mean: it runs along"),
    "old std": (lambda x: x / x.std(False), "operation std"),
    "softmax": (nn.Softmax(dim=1), "layer between, a Softmax"),
    "softmax, function": (lambda x: x.softmax(1), "operation softmax: it runs along"),
    "attention": (
        nn.TransformerEncoderLayer(64, 2, 8, batch_first=True),
        "layer between, a TransformerEncoderLayer",
    ),
    "dot products": (
        lambda x: functional.scaled_dot_product_attention(x, x, x),
        "operation scaled_dot_product_attention",
    ),
    "matrix product": (lambda x: x @ x.mT @ x, "operation matmul"),
    "transposed": (nn.ConvTranspose1d(4, 4, 3), "layer between, a ConvTranspose1d"),
    "group norm": (nn.GroupNorm(2, 4), "layer between, a GroupNorm"),
    "layer norm": (nn.LayerNorm([4, 64]), "layer between, a LayerNorm: it runs along"),
    "response norm": (nn.LocalResponseNorm(2), "layer between, a LocalResponseNorm"),
    "some channels": (lambda x: torch.cat([x[:, 2:], x[:, :2]], 1), "operation getitem"),
    "one channel": (lambda x: x[:, 0].unsqueeze(1) * x, "operation getitem: it runs along"),
    "channels by list": (lambda x: x[:, [3, 2, 1, 0]], "getitem by a list"),
    "halves of channels": (lambda x: torch.cat(x.chunk(2, 1), 1), "operation chunk: it runs along"),
    "gate": (lambda x: torch.cat([functional.glu(x, 1)] * 2, 1), "operation glu"),
    "shuffled": (
        lambda x: x.view(x.size(0), 2, 2, -1).transpose(1, 2).reshape(x.size(0), 4, -1),
        "operation view: a channel doesn't keep to one axis",
    ),
    "rolled": (lambda x: x.roll(1, 1), "operation roll"),
    "padded": (lambda x: functional.pad(x, (0, 0, 1, 1))[:, 1:5], "operation pad: it runs along"),
    "pooled": (lambda x: functional.max_pool2d(x, 3, 1, 1), "operation max_pool2d: it runs along"),
    "outer": (lambda x: (x.unsqueeze(1) * x.unsqueeze(2)).flatten(2), "along different axes"),
    "data": (lambda x: x.data, "operation getattr .data"),
    "hard-coded shape": (lambda x: x.reshape(-1, 4, 64), "counts on the number.*reshape"),
    "hard-coded factor": (lambda x: x / x.size(1), "computes with the number of its channels"),
    "values decide": (lambda x: x if x.sum() > 0 else -x, "can't be traced by torch.fx"),
    "derived": (Doubled(4, 4, 1), "operation conv1d"),
    "weight_norm": (parametrizations.weight_norm(nn.Conv1d(4, 4, 1)), "parametrisation WeightNorm"),
    "spectral": (
        parametrizations.spectral_norm(nn.Conv1d(4, 4, 1)),
        "parametrisation SpectralNorm",
    ),
    "old spectral": (nn.utils.spectral_norm(nn.Conv1d(4, 4, 1)), "parametrisation SpectralNorm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_keep_channels_apart_is_refused_by_name(name: str) -> None:
    between, message = REFUSED[name]
    with pytest.raises(SurgeryError, match=message) as caught:
        trace(Rewired(between), CHANNELS, SAMPLES)
    assert "\n" not in str(caught.value)


def test_a_derived_layer_that_inherits_forward_is_its_own_kind() -> None:
    structure = trace(Rewired(Derived(4, 4, 1)), CHANNELS, SAMPLES)
    assert structure.names == ("one", "between", "two")


def test_the_old_weight_norm_and_masks_are_refused_and_folded_ones_are_not() -> None:
    with pytest.warns(FutureWarning):
        normed = nn.utils.weight_norm(nn.Conv1d(4, 4, 1))
    masked = nn.Conv1d(4, 4, 1)
    prune.random_unstructured(masked, "weight", 0.5)  # type: ignore[no-untyped-call]
    for layer, message in ((normed, "WeightNorm"), (masked, "RandomUnstructured")):
        network = Rewired(layer)
        with pytest.raises(
            SurgeryError, match=f"layer between has the parametrisation {message}.*fold"
        ):
            trace(network, CHANNELS, SAMPLES)
    nn.utils.remove_weight_norm(normed)
    prune.remove(masked, "weight")  # type: ignore[no-untyped-call]
    for layer in (normed, masked):
        assert trace(Rewired(layer), CHANNELS, SAMPLES).names == ("one", "between", "two")


def test_a_layer_used_twice_and_a_parameter_of_two_layers_are_refused() -> None:
    network = Rewired(nn.Conv1d(4, 4, 1))
    network.behind = network.two
    network.linear = nn.Linear(64, 2)
    with pytest.raises(SurgeryError, match="layer two, a Conv1d, is used twice"):
        trace(network, CHANNELS, SAMPLES)
    tied = Rewired(nn.Conv1d(4, 4, 3))
    assert isinstance(tied.between, nn.Conv1d)
    tied.between.weight = tied.two.weight
    with pytest.raises(SurgeryError, match="are one parameter"):
        trace(tied, CHANNELS, SAMPLES)


class Normalised(nn.Module):
    """Ends in its last convolution's softmax, as the first ConvNets for EEG did."""

    def __init__(self, behind: nn.Module | None) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(3, 4, 3), nn.Conv1d(4, 2, 62)
        self.behind = behind

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.two(self.one(x)).softmax(1).squeeze(-1)
        return out if self.behind is None else self.behind(out)


def test_what_mixes_channels_may_stand_where_none_can_go() -> None:
    assert trace(Normalised(None), CHANNELS, SAMPLES).names == ("one",)
    with pytest.raises(SurgeryError, match="softmax: it runs along the channels"):
        trace(Normalised(nn.Linear(2, 2)), CHANNELS, SAMPLES)


class Scanned(nn.Module):
    """A convolution over an axis on which the kernels of another one stand."""

    def __init__(self, reader: nn.Module, moved: tuple[int, ...]) -> None:
        super().__init__()
        self.one, self.reader, self.moved = nn.Conv1d(3, 4, 1), reader, moved
        self.linear = nn.LazyLinear(2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.reader(self.one(x).permute(self.moved))
        y = y[0] if isinstance(self.reader, nn.GRU) else y
        out: Tensor = self.linear(y.flatten(1))
        return out


@pytest.mark.parametrize(
    ("reader", "moved", "message"),
    [
        (nn.Conv1d(64, 5, 2), (0, 2, 1), "reader, a Conv1d: channels stand along another axis"),
        (nn.BatchNorm1d(64), (0, 2, 1), "reader, a BatchNorm1d: channels stand along another axis"),
        (nn.GRU(64, 5, batch_first=True), (0, 1, 2), "reader, a GRU: channels stand along another"),
    ],
)
def test_layers_that_read_across_the_channels_are_refused(
    reader: nn.Module, moved: tuple[int, ...], message: str
) -> None:
    network = Scanned(reader, moved)
    network(torch.zeros(2, CHANNELS, SAMPLES))
    with pytest.raises(SurgeryError, match=message):
        trace(network, CHANNELS, SAMPLES)


@pytest.mark.parametrize("layers", [[nn.Flatten(), nn.Linear(192, 2)], [nn.Flatten()]])
def test_a_network_without_kernels_that_could_go_is_refused(layers: list[nn.Module]) -> None:
    for network in (nn.Sequential(*layers), nn.Conv1d(3, 2, 64)):
        with pytest.raises(SurgeryError, match="no convolution whose kernels could go"):
            trace(network, CHANNELS, SAMPLES)


def test_windows_that_do_not_fit_are_told() -> None:
    with pytest.raises(SurgeryError, match="fails at first on windows of this shape"):
        trace(KINDS["Chain"](), CHANNELS + 1, SAMPLES)
