"""What a network costs, layer by layer, for any number of units kept, without cutting it.

Comes in: a network, its structure, the shape of a window; measured prices if the cost is time. Goes
out: a `CostModel`. Next: `knapsack` keeps the most importance for it; `targets` may ask it for MACs.

A layer's multiply-accumulates are factor · outputs · inputs, and units of two groups meet in it: those
that it makes and those that it reads. So the cost of a network is a quadratic form of the units kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.errors import SettingsError
from secateur.pruning.importance.batches import evaluating
from secateur.pruning.structure import Structure


@dataclass(frozen=True)
class Extent:
    """Channels along one side of a layer: `fixed`, and for each kept unit of a group some more."""

    fixed: int
    per_unit: Mapping[str, int]

    def of(self, kept: Mapping[str, int]) -> int:
        """Channels with so many units kept."""
        return self.fixed + sum(count * kept[name] for name, count in self.per_unit.items())


@dataclass(frozen=True)
class LayerCost:
    """`factor` · outputs · inputs + `fixed`: what one layer costs."""

    layer: str
    factor: float
    outputs: Extent
    inputs: Extent
    fixed: float = 0.0

    def of(self, kept: Mapping[str, int]) -> float:
        """Cost with so many units kept."""
        return self.factor * self.outputs.of(kept) * self.inputs.of(kept) + self.fixed

    def times(self, price: float) -> LayerCost:
        """The same at another price."""
        return replace(self, factor=self.factor * price, fixed=self.fixed * price)


@dataclass(frozen=True)
class CostModel:
    """The cost of one window in the whole network: MACs, or microseconds after `priced`."""

    layers: tuple[LayerCost, ...]
    units: Mapping[str, int]

    def of(self, removed: Mapping[str, int]) -> float:
        """Cost without `removed` units, by group; groups that aren't named are whole."""
        kept = {name: units - removed.get(name, 0) for name, units in self.units.items()}
        return sum(layer.of(kept) for layer in self.layers)

    def priced(self, prices: Mapping[str, float]) -> CostModel:
        """The same with each layer's whole cost set to `prices[layer]`, such as measured microseconds.

        A layer's time is then taken to shrink as its MACs do. Raises `SettingsError` where a layer has no
        price.
        """
        missing = [layer.layer for layer in self.layers if layer.layer not in prices]
        if missing:
            raise SettingsError(
                f"there is no measured time for {', '.join(missing)}: measure every layer"
            )
        return replace(
            self,
            layers=tuple(
                layer.times(prices[layer.layer] / layer.of(self.units)) for layer in self.layers
            ),
        )


def macs_of(network: nn.Module, structure: Structure, channels: int, samples: int) -> CostModel:
    """MACs of `network` for one window of channels × samples, as `networks.count_macs` counts them."""
    layers = tuple(
        _layer_cost(structure, name, module, positions)
        for name, module, positions in _uses(network, channels, samples)
    )
    return CostModel(layers, {group.name: group.units for group in structure.groups})


def _uses(network: nn.Module, channels: int, samples: int) -> Iterator[tuple[str, nn.Module, int]]:
    """Every layer that multiplies, with how often it uses each of its weights for one window."""
    used: dict[str, int] = {}

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Any], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            if isinstance(module, _ConvNd):
                used[name] = math.prod(output.shape[2:])
            else:  # each row, each step
                used[name] = math.prod(inputs[0].shape[:-1])

        return hook

    handles = [
        module.register_forward_hook(note(name))
        for name, module in network.named_modules()
        if isinstance(module, _ConvNd | nn.Linear | nn.RNNBase)
    ]
    try:
        parameter = next(network.parameters())
        with evaluating(network), torch.inference_mode():
            network(torch.zeros(1, channels, samples, dtype=parameter.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return ((name, network.get_submodule(name), positions) for name, positions in used.items())


def _layer_cost(structure: Structure, name: str, module: nn.Module, positions: int) -> LayerCost:
    per_output: dict[str, int] = {}
    per_input: dict[str, int] = {}
    for group in structure.groups:
        for slot in group.slots:
            if slot.layer == name:
                side = per_input if slot.side == "inputs" else per_output
                side[group.name] = side.get(group.name, 0) + slot.places.shape[1]
    weights = {key: value for key, value in module.named_parameters() if "weight" in key}
    if isinstance(module, nn.RNNBase):
        read = [value for key, value in weights.items() if key.startswith("weight_ih_l0")]
        rows = sum(len(value) for value in read)
        rest = sum(value.numel() for value in weights.values()) - rows * module.input_size
        inputs = _extent(structure, module.input_size, per_input, 1)
        return LayerCost(name, positions, Extent(rows, {}), inputs, float(positions * rest))
    shape = weights["weight"].shape
    return LayerCost(
        name,
        positions * math.prod(shape[2:]),
        _extent(structure, shape[0], per_output, 1),
        _extent(
            structure, shape[1], per_input, module.groups if isinstance(module, _ConvNd) else 1
        ),
    )


def _extent(structure: Structure, now: int, per_unit: Mapping[str, int], groups: int) -> Extent:
    # a depthwise kernel reads one channel however many there are, so its side stays 1
    shares = {name: count // groups for name, count in per_unit.items() if count // groups}
    return Extent(
        now - sum(count * structure[name].units for name, count in shares.items()), shares
    )
