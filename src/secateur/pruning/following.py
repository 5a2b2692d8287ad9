"""What each operation does with channels: one rule for each effect in `networks.operations`.

From one call of a layer, a function or a method, with the channels that its inputs carry, a rule gives the
channels that its result carries. What no rule knows to keep channels apart is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from secateur.networks.operations import Effect, Operation
from secateur.pruning.groups import FIXED, Channels, Couplings, Ids


@dataclass(frozen=True)
class Call:
    """One call. `operands`: its input tensors in order (or tuples of them) and what they carry.

    `title`: how errors speak of it. `again` makes the same call on another first argument: the `layer`,
    where it is one's call, which `layer_name` names in the network.
    """

    name: str
    title: str
    operation: Operation | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    operands: tuple[tuple[Any, Channels | None], ...]
    result: Any
    couplings: Couplings
    again: Callable[[Tensor], Any] = field(repr=False)
    layer: Any = None
    layer_name: str = ""

    @property
    def first(self) -> Channels:
        """Channels of the first operand that carries any."""
        return next(channels for _, channels in self.operands if channels is not None)

    @property
    def subject(self) -> Any:
        """Value of the first argument."""
        return self.args[0]

    def setting(self, position: int, *names: str, default: Any = None) -> Any:
        """A layer's setting, or an argument given by position or by one of its names."""
        if self.layer is not None:
            return next(getattr(self.layer, name) for name in names if hasattr(self.layer, name))
        if len(self.args) > position:
            return self.args[position]
        return next((self.kwargs[name] for name in names if name in self.kwargs), default)

    def refuse(self, why: str = "") -> None:
        """Channels that come in here can't be followed."""
        reason = f"channels can't be followed through {self.title}{why}"
        for _, channels in self.operands:
            if channels is not None:
                self.couplings.refuse(channels.ids, reason)


def follow(call: Call) -> Channels | None:
    """The channels that the result of `call` carries; what it doesn't know is refused in the couplings."""
    effect = "" if call.operation is None else call.operation.effect
    if effect in _MAKERS:
        return _MAKERS[effect](call, call.operands[0][1] if call.operands else None)
    if all(channels is None for _, channels in call.operands):
        return None
    rule = _RULES.get(effect)
    alone = len(call.operands) == 1 and call.operands[0][1] is not None
    if rule is None or (call.layer is not None and not alone):
        call.refuse()
        return None
    return rule(call)


def _convolution(call: Call, channels: Channels | None) -> Channels | None:
    layer, couplings = call.layer, call.couplings
    axis = call.result.ndim - (2 if isinstance(layer, nn.Conv1d) else 3)
    out = couplings.fresh(layer.out_channels)
    if channels is not None and channels.axis != axis:
        call.refuse(": channels stand along another axis than the one it reads")
        return None
    read = np.full(layer.in_channels, FIXED) if channels is None else channels.ids
    couplings.record(call.layer_name, "kernels", out)
    if layer.groups == 1:
        couplings.record(call.layer_name, "inputs", read)
    elif layer.groups == layer.in_channels:  # depthwise: each input has its own kernels
        couplings.couple(out, read.repeat(layer.out_channels // layer.in_channels))
    else:  # every group of the convolution must lose as many, so position by position
        couplings.record(call.layer_name, "inputs", read)
        for ids in (out, read):
            rows = ids.reshape(layer.groups, -1)
            for row in rows[1:]:
                couplings.couple(rows[0], row)
    return Channels(axis, out)


def _linear(call: Call, channels: Channels | None) -> Channels | None:
    last = call.result.ndim - 1
    if channels is not None and channels.axis != last:
        return channels  # each channel is read by itself, along another axis
    out = call.couplings.fresh(call.layer.out_features)
    if channels is not None:
        call.couplings.record(call.layer_name, "inputs", channels.ids)
    call.couplings.record(call.layer_name, "features", out)
    return Channels(last, out)


def _norm(call: Call, channels: Channels | None) -> Channels | None:
    if channels is None:
        return None
    if channels.axis != 1:
        call.refuse(": channels stand along another axis than the one it scales")
        return None
    call.couplings.record(call.layer_name, "features", channels.ids)
    return channels


def _prelu(call: Call, channels: Channels | None) -> Channels | None:
    return channels if call.layer.num_parameters == 1 else _norm(call, channels)


def _recurrent(call: Call, channels: Channels | None) -> None:
    """Its inputs' features are read; its hidden units stay as they are."""
    for _, other in call.operands[1:]:
        if other is not None:
            call.refuse(": channels come in as its state")
    if channels is None:
        return
    if channels.axis != call.subject.ndim - 1:
        call.refuse(": channels stand along another axis than the one it reads")
        return
    call.couplings.record(call.layer_name, "inputs", channels.ids)


def _elementwise(call: Call) -> Channels | None:
    """Tensors are broadcast against each other; channels that meet are coupled."""
    dimensions = call.result.ndim
    out: Channels | None = None
    for value, channels in call.operands:
        if channels is None:
            continue
        axis = channels.axis + dimensions - value.ndim
        if value.shape[channels.axis] != call.result.shape[axis]:
            continue  # a single channel stretched over all: it is alone in its group and always stays
        if out is None:
            out = Channels(axis, channels.ids)
        elif out.axis == axis:
            call.couplings.couple(out.ids, channels.ids)
        else:
            call.refuse(": channels stand along different axes")
            return None
    if out is None:
        return None
    for value, channels in call.operands:
        if channels is None and isinstance(value, Tensor):
            axis = out.axis - dimensions + value.ndim
            if axis >= 0 and value.shape[axis] > 1:
                call.couplings.hold(out.ids, f"{call.title} joins each with a number that can't go")
    return out


def _shaping(call: Call) -> Channels | None:
    """The same call on the ids themselves, so that no rule about axes can be wrong."""
    channels, value = call.first, call.subject
    if not isinstance(value, Tensor) or call.operands[0][1] is None:
        call.refuse()
        return None
    shape = [1] * value.ndim
    shape[channels.axis] = -1
    ids = torch.from_numpy(channels.ids).view(shape).expand(value.shape)
    shaped = call.again(ids.contiguous())
    vary = [
        axis
        for axis in range(shaped.ndim)
        if shaped.shape[axis] > 1 and bool((shaped != shaped.narrow(axis, 0, 1)).any())
    ]
    if not vary:  # one channel, which is alone in its group and always stays
        return None
    if len(vary) > 1:
        call.refuse(": a channel doesn't keep to one axis")
        return None
    line = shaped.movedim(vary[0], 0).flatten(1)[:, 0]
    return Channels(vary[0], line.numpy().copy())


def _along_last(call: Call, axes: int) -> Channels | None:
    """Neighbours along the last `axes` axes are mixed or multiplied; channels must stand before."""
    value, channels = call.operands[0]
    if channels is None or channels.axis >= value.ndim - axes:
        call.refuse(": it runs along the channels")
        return None
    return channels


def _pooling(call: Call) -> Channels | None:
    assert call.operation is not None
    return _along_last(call, call.operation.axes)


def _interpolation(call: Call) -> Channels | None:
    return _along_last(call, call.subject.ndim - 2)


def _layer_norm(call: Call) -> Channels | None:
    return _along_last(call, len(call.layer.normalized_shape))


def _padding(call: Call) -> Channels | None:
    """Widths come in pairs, those of the last axis first."""
    widths = call.setting(1, "padding", "pad")
    value, channels = call.operands[0]
    assert channels is not None
    pair = 2 * (value.ndim - 1 - channels.axis)
    if any(widths[pair : pair + 2]):
        call.refuse(": it runs along the channels")
        return None
    return channels


def _reduction(call: Call) -> Channels | None:
    """One number of all along some axes, among which the channels' mustn't be."""
    if len(call.args) > 1 and isinstance(call.args[1], Tensor):  # max and min of two tensors
        return _elementwise(call)
    channels, count = call.first, call.subject.ndim
    dim = call.setting(2 if call.name == "norm" else 1, "dim", "axis")
    if isinstance(dim, bool):  # std(False): an old form in which the axis doesn't come first
        dim = None
    axes = {axis % count for axis in ([dim] if isinstance(dim, int) else dim or range(count))}
    if channels.axis in axes:
        call.refuse(": it runs along the channels")
        return None
    values = call.result if isinstance(call.result, Tensor) else call.result[0]
    gone = 0 if values.ndim == count else sum(axis < channels.axis for axis in axes)
    return Channels(channels.axis - gone, channels.ids)


def _along_one_axis(call: Call) -> Channels | None:
    """The shape stays; along one axis all depend on all."""
    channels = call.first
    axis = call.setting(1, "dim", "axis")
    if axis is None or axis % call.subject.ndim == channels.axis:
        call.refuse(": it runs along the channels")
    return channels  # the classifier's outputs, which can't go, may pass


def _division(call: Call) -> Channels | None:
    """Pieces along one axis, which mustn't be the channels'."""
    channels = call.first
    dim = call.setting(2 if call.name in ("chunk", "split") else 1, "dim", default=0)
    axis = dim % call.subject.ndim
    if axis == channels.axis:
        call.refuse(": it runs along the channels")
        return None
    lost = call.name in ("select", "unbind") and axis < channels.axis
    return Channels(channels.axis - lost, channels.ids)


def _joining(call: Call) -> Channels | None:
    """`cat`: along the channels' axis they are joined, along another they are coupled; `stack` couples."""
    tensors = call.setting(0, "tensors")
    dim = call.setting(1, "dim", "axis", default=0)
    known: dict[int, Channels | None] = {}
    for value, channels in call.operands:  # pieces of one division come as one operand
        for tensor in value if isinstance(value, tuple | list) else (value,):
            known[id(tensor)] = channels
    parts = [known.get(id(tensor)) for tensor in tensors]
    axis = call.first.axis
    if any(part is not None and part.axis != axis for part in parts):
        call.refuse(": channels stand along different axes")
        return None
    rows: list[Ids] = [
        np.full(tensor.shape[axis], FIXED, dtype=np.int64) if part is None else part.ids
        for tensor, part in zip(tensors, parts, strict=True)
    ]
    at = dim % call.result.ndim
    if call.name != "stack" and at == axis:
        return Channels(axis, np.concatenate(rows))
    for other in rows[1:]:
        call.couplings.couple(rows[0], other)
    # the first may be fixed; the others tell the same then
    first = next((row for row in rows if (row != FIXED).any()), rows[0])
    return Channels(axis + (call.name == "stack" and at <= axis), first)


def _indexing(call: Call) -> Channels | None:
    """`x[...]`: the channels' axis must be taken whole."""
    value, channels = call.operands[0]
    if channels is None:
        call.refuse()
        return None
    if not isinstance(value, Tensor):  # one of the pieces of a division
        return channels
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in index):
        call.refuse(" by a list or a tensor")
        return None
    used = sum(part is not None and part is not Ellipsis for part in index)
    axis, at = 0, 0
    for part in (*index, *(() if Ellipsis in index else (Ellipsis,))):
        if part is Ellipsis:
            passed = value.ndim - used
            if axis <= channels.axis < axis + passed:
                return Channels(at + channels.axis - axis, channels.ids)
            axis, at = axis + passed, at + passed
        elif part is None:
            at += 1
        elif axis == channels.axis:
            if part != slice(None):
                call.refuse(": it runs along the channels")
                return None
            return Channels(at, channels.ids)
        else:
            axis, at = axis + 1, at + isinstance(part, slice)
    raise AssertionError("an index covers every axis")


def _attribute(call: Call) -> Channels | None:
    """`x.shape` and its kind tell nothing of the values; `x.T` is a shape operation."""
    if isinstance(call.result, Tensor):
        if call.args[1] in ("T", "mT"):
            return _shaping(call)
        call.refuse(f" .{call.args[1]}")
    return None


def _about_shape(call: Call) -> None:
    return None


_MAKERS: Mapping[Effect, Callable[[Call, Channels | None], Channels | None]] = {
    "convolution": _convolution,
    "linear": _linear,
    "norm": _norm,
    "prelu": _prelu,
    "recurrent": _recurrent,
}
"""Layers that make channels or have numbers for each; they stand in them whatever comes in."""
_RULES: Mapping[Effect, Callable[[Call], Channels | None]] = {
    "about shape": _about_shape,
    "along one axis": _along_one_axis,
    "attribute": _attribute,
    "division": _division,
    "elementwise": _elementwise,
    "indexing": _indexing,
    "interpolation": _interpolation,
    "joining": _joining,
    "layer norm": _layer_norm,
    "padding": _padding,
    "pooling": _pooling,
    "reduction": _reduction,
    "shaping": _shaping,
}
