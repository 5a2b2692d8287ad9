"""What each operation of torch does with channels.

Comes in: from `tracing`, one call of a function or method, with the channels that its inputs carry.
Goes out: the channels that its result carries. Next: `tracing` hands them to the next call.

An operation stands in exactly one of the families below or is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from secateur.pruning.atoms import FIXED, Carried, Ledger


@dataclass(frozen=True)
class Call:
    """One call. `operands`: its input tensors in order (or tuples of them) and what they carry.

    `title`: how errors speak of it. `again` makes the same call on another first argument.
    """

    name: str
    title: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    operands: tuple[tuple[Any, Carried | None], ...]
    result: Any
    ledger: Ledger
    again: Callable[[Tensor], Any] = field(repr=False)

    @property
    def first(self) -> Carried:
        """Channels of the first operand that carries any."""
        return next(carried for _, carried in self.operands if carried is not None)

    @property
    def subject(self) -> Any:
        """Value of the first argument."""
        return self.args[0]

    def argument(self, place: int, *names: str, otherwise: Any = None) -> Any:
        """An argument given by place or by one of its names."""
        if len(self.args) > place:
            return self.args[place]
        return next((self.kwargs[name] for name in names if name in self.kwargs), otherwise)

    def refuse(self, why: str = "") -> None:
        """Channels that come in here can't be followed."""
        reason = f"channels can't be followed through {self.title}{why}"
        for _, carried in self.operands:
            if carried is not None:
                self.ledger.refuse(carried.atoms, reason)


_ELEMENTWISE = """
    relu relu6 elu selu celu leaky_relu rrelu gelu silu mish sigmoid tanh hardtanh hardswish hardsigmoid
    softplus softsign logsigmoid tanhshrink softshrink hardshrink threshold
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout
    log log1p log2 log10 exp exp2 expm1 sqrt rsqrt square pow abs absolute neg negative reciprocal sign
    sin cos tan erf clamp clamp_min clamp_max clip floor ceil round nan_to_num
    add sub subtract rsub mul multiply div divide truediv true_divide floordiv floor_divide
    maximum minimum lerp addcmul addcdiv where masked_fill
    eq ne lt le gt ge isnan isfinite
    float double half to clone detach contiguous requires_grad_ xlogy logaddexp
    zeros_like ones_like full_like
"""
_SHAPING = """
    reshape view flatten unflatten permute transpose swapaxes swapdims movedim moveaxis
    unsqueeze squeeze expand
"""
_POOLING = {
    f"{kind}_pool{axes}d": axes
    for kind in ("max", "avg", "lp", "adaptive_avg", "adaptive_max")
    for axes in (1, 2)
}
_REDUCTIONS = """
    mean sum amax amin max min std var prod logsumexp median nanmean nansum argmax argmin
    norm any all
"""
_ALONG_ONE_AXIS = ("softmax", "log_softmax", "softmin", "cumsum", "cumprod", "logcumsumexp")
_DIVISIONS = {"chunk": 2, "split": 2, "narrow": 1, "select": 1, "unbind": 1}
_ABOUT_SHAPE = ("size", "dim", "ndimension", "numel", "nelement", "is_floating_point", "stride")
_OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv", "ipow": "pow"}


def canonical(name: str) -> str:
    """In-place and operator forms under the name of the plain operation."""
    name = _OPERATORS.get(name, name)
    return name if name.startswith("__") or name == "requires_grad_" else name.rstrip("_")


def follow(call: Call) -> Carried | None:
    """The channels that the result of `call` carries; refuses in the ledger what it doesn't know."""
    if all(carried is None for _, carried in call.operands):
        return None
    rule = _RULES.get(call.name)
    if rule is None:
        call.refuse()
        return None
    return rule(call)


def elementwise(call: Call) -> Carried | None:
    """Tensors are broadcast against each other; channels that meet are tied."""
    dimensions = call.result.ndim
    found: Carried | None = None
    for value, carried in call.operands:
        if carried is None:
            continue
        axis = carried.axis + dimensions - value.ndim
        if value.shape[carried.axis] != call.result.shape[axis]:
            continue  # a single channel stretched over all: it is alone in its group and always stays
        if found is None:
            found = Carried(axis, carried.atoms)
        elif found.axis == axis:
            call.ledger.tie(found.atoms, carried.atoms)
        else:
            call.refuse(": channels stand along different axes")
            return None
    if found is None:
        return None
    for value, carried in call.operands:
        if carried is None and isinstance(value, Tensor):
            axis = found.axis - dimensions + value.ndim
            if axis >= 0 and value.shape[axis] > 1:
                call.ledger.pin(found.atoms, f"{call.title} joins each with a number that can't go")
    return found


def shaping(call: Call) -> Carried | None:
    """The same call on the atoms themselves, so that no rule about axes can be wrong."""
    carried = call.first
    value = call.subject
    if not isinstance(value, Tensor) or call.operands[0][1] is None:
        call.refuse()
        return None
    shape = [1] * value.ndim
    shape[carried.axis] = -1
    atoms = torch.from_numpy(carried.atoms).view(shape).expand(value.shape)
    shaped = call.again(atoms.contiguous())
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
    return Carried(vary[0], line.numpy().copy())


def pooling(call: Call, axes: int) -> Carried | None:
    """Neighbours along the last `axes` axes are mixed or multiplied; channels must stand before."""
    value, carried = call.operands[0]
    if carried is None or carried.axis >= value.ndim - axes:
        call.refuse(": it runs along the channels")
        return None
    return carried


def padding(call: Call) -> Carried | None:
    """`pad` tells pairs of widths, the last axis first."""
    widths = call.argument(1, "pad")
    value, carried = call.operands[0]
    assert carried is not None
    pair = 2 * (value.ndim - 1 - carried.axis)
    if any(widths[pair : pair + 2]):
        call.refuse(": it runs along the channels")
        return None
    return carried


def reduction(call: Call) -> Carried | None:
    """One number of all along some axes, among which the channels' mustn't be."""
    if len(call.args) > 1 and isinstance(call.args[1], Tensor):  # max and min of two tensors
        return elementwise(call)
    carried = call.first
    place = 2 if call.name == "norm" else 1
    told = call.argument(place, "dim", "axis")
    if isinstance(told, bool):  # std(False): an old form in which the axis doesn't come first
        told = None
    count = call.subject.ndim
    axes = {axis % count for axis in ([told] if isinstance(told, int) else told or range(count))}
    if carried.axis in axes:
        call.refuse(": it runs along the channels")
        return None
    values = call.result if isinstance(call.result, Tensor) else call.result[0]
    gone = 0 if values.ndim == count else sum(axis < carried.axis for axis in axes)
    return Carried(carried.axis - gone, carried.atoms)


def along_one_axis(call: Call) -> Carried | None:
    """The shape stays; along one axis all depend on all."""
    carried = call.first
    axis = call.argument(1, "dim", "axis")
    if axis is None or axis % call.subject.ndim == carried.axis:
        call.refuse(": it runs along the channels")
    return carried  # the classifier's outputs, which can't go, may pass


def division(call: Call) -> Carried | None:
    """Pieces along one axis, which mustn't be the channels'."""
    carried = call.first
    told = call.argument(_DIVISIONS[call.name], "dim", otherwise=0)
    axis = told % call.subject.ndim
    if axis == carried.axis:
        call.refuse(": it runs along the channels")
        return None
    lost = call.name in ("select", "unbind") and axis < carried.axis
    return Carried(carried.axis - lost, carried.atoms)


def joining(call: Call) -> Carried | None:
    """`cat`: along the channels' axis they are joined, along another they are tied; `stack` ties."""
    tensors = call.argument(0, "tensors")
    told = call.argument(1, "dim", "axis", otherwise=0)
    known: dict[int, Carried | None] = {}
    for value, each in call.operands:  # pieces of one division come as one operand
        for tensor in value if isinstance(value, tuple | list) else (value,):
            known[id(tensor)] = each
    carried = [known.get(id(tensor)) for tensor in tensors]
    axis = call.first.axis
    if any(one is not None and one.axis != axis for one in carried):
        call.refuse(": channels stand along different axes")
        return None
    rows = [
        np.full(tensor.shape[axis], FIXED, dtype=np.int64) if one is None else one.atoms
        for tensor, one in zip(tensors, carried, strict=True)
    ]
    at = told % call.result.ndim
    if call.name != "stack" and at == axis:
        return Carried(axis, np.concatenate(rows))
    for other in rows[1:]:
        call.ledger.tie(rows[0], other)
    # the first may be fixed; the others tell the same then
    first = next((row for row in rows if (row != FIXED).any()), rows[0])
    return Carried(axis + (call.name == "stack" and at <= axis), first)


def indexing(call: Call) -> Carried | None:
    """`x[...]`: the channels' axis must be taken whole."""
    value, carried = call.operands[0]
    if carried is None:
        call.refuse()
        return None
    if not isinstance(value, Tensor):  # one of the pieces of a division
        return carried
    told = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(one is None or one is Ellipsis or isinstance(one, int | slice) for one in told):
        call.refuse(" by a list or a tensor")
        return None
    used = sum(one is not None and one is not Ellipsis for one in told)
    axis, at = 0, 0
    for one in (*told, *(() if Ellipsis in told else (Ellipsis,))):
        if one is Ellipsis:
            passed = value.ndim - used
            if axis <= carried.axis < axis + passed:
                return Carried(at + carried.axis - axis, carried.atoms)
            axis, at = axis + passed, at + passed
        elif one is None:
            at += 1
        elif axis == carried.axis:
            if one != slice(None):
                call.refuse(": it runs along the channels")
                return None
            return Carried(at, carried.atoms)
        else:
            axis, at = axis + 1, at + isinstance(one, slice)
    raise AssertionError("an index covers every axis")


def attribute(call: Call) -> Carried | None:
    """`x.shape` and its kind tell nothing of the values; `x.T` is a shape operation."""
    if isinstance(call.result, Tensor):
        if call.args[1] in ("T", "mT"):
            return shaping(call)
        call.refuse(f" .{call.args[1]}")
    return None


def _interpolating(call: Call) -> Carried | None:
    return pooling(call, call.subject.ndim - 2)


def _about_shape(call: Call) -> None:
    return None


def _pooling_over(axes: int) -> Callable[[Call], Carried | None]:
    return lambda call: pooling(call, axes)


_RULES: dict[str, Callable[[Call], Carried | None]] = {
    **dict.fromkeys(_ELEMENTWISE.split(), elementwise),
    **dict.fromkeys(_SHAPING.split(), shaping),
    **{name: _pooling_over(axes) for name, axes in _POOLING.items()},
    **dict.fromkeys(_REDUCTIONS.split(), reduction),
    **dict.fromkeys(_ALONG_ONE_AXIS, along_one_axis),
    **dict.fromkeys(_DIVISIONS, division),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), joining),
    **dict.fromkeys(_ABOUT_SHAPE, _about_shape),
    "getitem": indexing,
    "getattr": attribute,
    "pad": padding,
    "interpolate": _interpolating,
}
