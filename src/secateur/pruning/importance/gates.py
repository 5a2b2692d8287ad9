"""What each unit does to the loss of each window: gates where units are read.

Comes in: a network, its structure, labelled windows. Goes out: for each batch the labels and, by group,
∂L_n/∂g_u, shape (n, units): the slope of window n's loss with a factor g_u = 1 by which all that is read
of unit u is multiplied. Next: `slopes` makes importances of it; `readers` is also where `readings` looks.

∂L/∂g = Σ a · ∂L/∂a over all places where the activation a is read, so one gate a channel and window
takes the place of two tensors of activations. Setting g to 0 is what surgery does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.errors import SurgeryError
from secateur.pruning.importance.batches import Batches, evaluating, tensors
from secateur.pruning.structure import Group, Slot, Structure

Look = Callable[[str, nn.Module, Tensor], Tensor | None]
"""Sees a reader's name, the reader and what it is about to read; may give it something else to read."""


def readers(group: Group) -> tuple[Slot, ...]:
    """Where a group's units are read by layers that mix them with others."""
    return tuple(slot for slot in group.slots if slot.side == "inputs")


def channel_axis(module: nn.Module) -> int:
    """Along which axis a layer reads its channels: convolutions the second, all others the last."""
    return 1 if isinstance(module, _ConvNd) else -1


def window_axis(module: nn.Module) -> int:
    """Along which axis a layer finds the windows of a batch: the first, or as a recurrent layer is told."""
    return 1 if isinstance(module, nn.RNNBase) and not module.batch_first else 0


@contextmanager
def looking(network: nn.Module, structure: Structure, look: Look) -> Iterator[None]:
    """Call `look` before each layer that reads a group's units; hooks are gone after the block."""
    layers = dict.fromkeys(slot.layer for group in structure.groups for slot in readers(group))

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...] | None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            instead = look(name, module, inputs[0])
            return None if instead is None else (instead, *inputs[1:])

        return hook

    handles = [
        network.get_submodule(name).register_forward_pre_hook(hook_of(name)) for name in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def along(values: Tensor, module: nn.Module, like: Tensor) -> Tensor:
    """`values` (channels) or (windows × channels) in a shape that multiplies what `module` reads."""
    shape = [1] * like.ndim
    shape[channel_axis(module)] = values.shape[-1]
    if values.ndim == 2:
        shape[window_axis(module)] = len(values)
    return values.view(shape)


def gate_slopes(
    network: nn.Module, structure: Structure, batches: Batches | None
) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]]:
    """Labels and slopes of each batch: the module's docstring says of what.

    The loss is cross-entropy, unweighted, in evaluation mode, so each window has its own. The network
    computes in the type of its weights; sums over readers are float64. It stays as it was: no gradient
    is left in a parameter. Raises `SettingsError` where there are no windows, `SurgeryError` where a layer
    doesn't read window by window.
    """
    gates: dict[str, Tensor] = {}

    def gate(name: str, module: nn.Module, read: Tensor) -> Tensor:
        if read.shape[window_axis(module)] != len(windows):
            raise SurgeryError(
                f"layer {name} reads {tuple(read.shape)} of {len(windows)} windows, so their slopes can't "
                "be told apart: l1 or activation don't need that"
            )
        shape = len(windows), read.shape[channel_axis(module)]
        gates[name] = torch.ones(shape, dtype=read.dtype, requires_grad=True)
        return read * along(gates[name], module, read)

    for windows, labels in tensors(network, batches):
        with evaluating(network), looking(network, structure, gate), torch.enable_grad():
            loss = nn.functional.cross_entropy(network(windows), labels, reduction="sum")
            slopes = torch.autograd.grad(loss, list(gates.values()))
        found = {name: slope.double().numpy() for name, slope in zip(gates, slopes, strict=True)}
        gates.clear()
        yield (
            labels.numpy(),
            {
                group.name: np.sum(
                    [found[s.layer][:, s.places].sum(axis=2) for s in readers(group)],
                    axis=0,
                )
                for group in structure.groups
            },
        )
