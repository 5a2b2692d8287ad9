"""Where coupled channels are read: what layers see there, a zero in its place, and what a gate there does
to the loss.

Surgery takes a set of channels away wherever it is read, so this is where it is zeroed, looked at and
weighed. Zeroing at the convolution would be another thing: BatchNorm's shift, a logarithm or the other
branch of an add would put something back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secateur.errors import SettingsError, SurgeryError
from secateur.networks.network import evaluating
from secateur.pruning.groups import Group, Slot, Structure

Batches = Callable[[], Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]]
"""Makes the same sequence at each call: windows (n × channels × samples) and their labels (n)."""

Look = Callable[[str, nn.Module, Tensor], Tensor | None]
"""Sees a reader's name, the reader and what it is about to read; may give it something else to read."""


def tensors(network: nn.Module, batches: Batches | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Each batch as the network takes it: windows in the type of its weights, labels as int64.

    Raises `SettingsError` where there is no source of windows, or it gives none.
    """
    if batches is None:
        raise SettingsError("this looks at what windows do in the network: give it batches of some")
    parameter = next(network.parameters())
    seen = 0
    for windows, labels in batches():
        seen += len(labels)
        if len(labels):
            yield (
                torch.from_numpy(windows).to(parameter.dtype),
                torch.from_numpy(np.asarray(labels, dtype=np.int64)),
            )
    if not seen:
        raise SettingsError("the batches hold no window: give at least one")


def readers(group: Group) -> tuple[Slot, ...]:
    """Where a group's channels are read by layers that mix them with others."""
    return tuple(slot for slot in group.slots if slot.side == "inputs")


def channel_axis(module: nn.Module) -> int:
    """Along which axis a layer reads its channels: convolutions before those they slide along, others the
    last.
    """
    return -2 if isinstance(module, nn.Conv1d) else -3 if isinstance(module, nn.Conv2d) else -1


def window_axis(module: nn.Module) -> int:
    """Along which axis a layer finds the windows of a batch: the first, or as a recurrent layer is told."""
    return 1 if isinstance(module, nn.RNNBase) and not module.batch_first else 0


@contextmanager
def looking(network: nn.Module, structure: Structure, look: Look) -> Iterator[None]:
    """Call `look` before each layer that reads a group's channels; hooks are gone after the block."""
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


@contextmanager
def zeroed_where_read(
    network: nn.Module, structure: Structure, gone: Mapping[str, Sequence[int] | NDArray[np.int64]]
) -> Iterator[None]:
    """For as long as the block lasts `network` reads the sets of channels `gone`, by group, as zero."""
    places: dict[str, list[int]] = {}
    for name, numbers in gone.items():
        for slot in readers(structure[name]):
            chosen = slot.places[np.asarray(numbers, dtype=np.int64)]
            places.setdefault(slot.layer, []).extend(chosen.ravel().tolist())

    def zero(name: str, module: nn.Module, read: Tensor) -> Tensor | None:
        if not places.get(name):
            return None
        index = torch.tensor(places[name], device=read.device)
        return read.index_fill(channel_axis(module), index, 0)

    with looking(network, structure, zero):
        yield


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
    """For each batch its labels (n) and, by group, ∂L_n/∂g_s (n × sets of coupled channels): the slope of
    window n's loss with a factor g_s = 1 by which all that is read of set s is multiplied.

    ∂L/∂g = Σ a · ∂L/∂a over all places where the activation a is read, so one gate a channel and window
    takes the place of two tensors of activations. Setting g to 0 is what surgery does. The loss is
    cross-entropy, unweighted, in evaluation mode, so each window has its own. The network computes in the
    type of its weights; sums over readers are float64. It stays as it was: no gradient is left in a
    parameter. Raises `SettingsError` where there are no windows, `SurgeryError` where a layer doesn't read
    window by window.
    """
    gates: dict[str, Tensor] = {}

    def gate(name: str, module: nn.Module, read: Tensor) -> Tensor:
        rows = read.shape[window_axis(module)]
        if rows % len(windows):
            raise SurgeryError(
                f"layer {name} reads {tuple(read.shape)} of {len(windows)} windows, so their slopes can't "
                "be told apart: l1 or activation don't need that"
            )
        gates[name] = torch.ones(
            rows, read.shape[channel_axis(module)], dtype=read.dtype, requires_grad=True
        )
        # a copy: what the network does to it in place must not reach what the slope needs
        return read.clone() * along(gates[name], module, read)

    strided: dict[str, bool] | None = None
    for windows, labels in tensors(network, batches):
        try:
            with evaluating(network), looking(network, structure, gate), torch.enable_grad():
                loss = nn.functional.cross_entropy(network(windows), labels, reduction="sum")
                slopes = torch.autograd.grad(loss, list(gates.values()), allow_unused=True)
        except (RuntimeError, NotImplementedError) as error:
            first = str(error).strip().split("\n")[0]
            raise SurgeryError(
                f"torch can't follow slopes through this network ({first}): l1 or activation don't need them"
            ) from None
        if strided is None and any(len(gate) != len(windows) for gate in gates.values()):
            strided = _rows_strided(network, structure, windows)
        by_layer = {
            name: _by_window(slope, len(windows), (strided or {}).get(name, False))
            for (name, gate), part in zip(gates.items(), slopes, strict=True)
            for slope in [torch.zeros_like(gate) if part is None else part]
        }
        gates.clear()
        yield (
            labels.numpy(),
            {g.name: _of_sets(g, by_layer, len(windows)) for g in structure.groups},
        )


def _of_sets(
    group: Group, by_layer: dict[str, NDArray[np.float64]], windows: int
) -> NDArray[np.float64]:
    """Slopes of a group, windows × sets: summed over readers; zeros where nobody reads them."""
    parts = [by_layer[slot.layer][:, slot.places].sum(axis=2) for slot in readers(group)]
    return np.sum(parts, axis=0) if parts else np.zeros((windows, group.size))


def _by_window(slope: Tensor, windows: int, strided: bool) -> NDArray[np.float64]:
    """Rows × channels as windows × channels: a layer may read several rows of each window."""
    rows = slope.double().numpy()
    if strided:
        return np.asarray(rows.reshape(-1, windows, rows.shape[1]).sum(axis=0))
    return np.asarray(rows.reshape(windows, -1, rows.shape[1]).sum(axis=1))


def _rows_strided(network: nn.Module, structure: Structure, windows: Tensor) -> dict[str, bool]:
    """Of each layer that reads several rows a window (electrodes folded into the batch) how they lie.

    False: the rows of a window follow each other. True: every window's first row comes first. By what the
    layer reads of the first window alone; raises `SurgeryError` where that is neither.
    """
    reads: list[dict[str, Tensor]] = [{}, {}]
    for store, batch in zip(reads, (windows, windows[:1]), strict=True):

        def look(
            name: str, module: nn.Module, read: Tensor, store: dict[str, Tensor] = store
        ) -> None:
            store[name] = read.movedim(window_axis(module), 0).clone()

        with evaluating(network), looking(network, structure, look), torch.inference_mode():
            network(batch)
    strided = {}
    for name, rows in reads[0].items():
        alone = reads[1][name]
        for number, first in ((False, rows[: len(alone)]), (True, rows[:: len(windows)])):
            if first.shape == alone.shape and torch.allclose(first, alone, atol=1e-5):
                strided[name] = number
                break
        else:
            raise SurgeryError(
                f"layer {name} doesn't read window by window, so their slopes can't be told apart: l1 or "
                "activation don't need that"
            )
    return strided
