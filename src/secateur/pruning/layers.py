"""What each layer of torch does with channels.

Comes in: from `tracing`, one call of a layer, with the channels that its input carries. Goes out: the
channels that its result carries, and in the ledger where they stand in the layer. Next: `tracing`.

A layer stands in exactly one of the families below or is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

from secateur.pruning.atoms import FIXED, Atoms, Carried
from secateur.pruning.operations import Call, along_one_axis, pooling, shaping

_ELEMENTWISE = (
    *(
        nn.ReLU,
        nn.ReLU6,
        nn.ELU,
        nn.SELU,
        nn.CELU,
        nn.LeakyReLU,
        nn.RReLU,
        nn.GELU,
        nn.SiLU,
        nn.Mish,
    ),
    *(nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Softsign),
    *(nn.LogSigmoid, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink, nn.Threshold, nn.Identity),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout),
)
_POOLING = {
    1: (nn.MaxPool1d, nn.AvgPool1d, nn.LPPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    2: (nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
}
_PADDING = (
    *(nn.ZeroPad1d, nn.ConstantPad1d, nn.ReflectionPad1d, nn.ReplicationPad1d, nn.CircularPad1d),
    *(nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d),
)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm1d, nn.InstanceNorm2d)


def follow(layer: nn.Module, name: str, call: Call) -> Carried | None:
    """The channels that the result of the layer `name` carries; the ledger hears of what it doesn't know."""
    carried = call.operands[0][1] if call.operands else None
    for families, rule in _MAKERS:
        if isinstance(layer, families):
            return rule(layer, name, call, carried)
    if all(one is None for _, one in call.operands):
        return None
    if carried is None or len(call.operands) != 1:
        call.refuse()
        return None
    for families, passing in _PASSING:
        if isinstance(layer, families):
            return passing(layer, call, carried)
    call.refuse()
    return None


def _convolution(
    layer: nn.Module, name: str, call: Call, carried: Carried | None
) -> Carried | None:
    assert isinstance(layer, nn.Conv1d | nn.Conv2d)
    axis = call.result.ndim - (2 if isinstance(layer, nn.Conv1d) else 3)
    made = call.ledger.fresh(layer.out_channels)
    if carried is not None and carried.axis != axis:
        call.refuse(": channels stand along another axis than the one it reads")
        return None
    read = _atoms_or_fixed(carried, layer.in_channels)
    call.ledger.record(name, "kernels", made)
    if layer.groups == 1:
        call.ledger.record(name, "inputs", read)
    elif layer.groups == layer.in_channels:  # depthwise: each input has its own kernels
        call.ledger.tie(made, read.repeat(layer.out_channels // layer.in_channels))
    else:  # every group of the convolution must lose as many, so position by position
        call.ledger.record(name, "inputs", read)
        for atoms in (made, read):
            rows = atoms.reshape(layer.groups, -1)
            for row in rows[1:]:
                call.ledger.tie(rows[0], row)
    return Carried(axis, made)


def _linear(layer: nn.Module, name: str, call: Call, carried: Carried | None) -> Carried | None:
    assert isinstance(layer, nn.Linear)
    last = call.result.ndim - 1
    if carried is not None and carried.axis != last:
        return carried  # each channel is read by itself, along another axis
    made = call.ledger.fresh(layer.out_features)
    if carried is not None:
        call.ledger.record(name, "inputs", carried.atoms)
    call.ledger.record(name, "features", made)
    return Carried(last, made)


def _norm(layer: nn.Module, name: str, call: Call, carried: Carried | None) -> Carried | None:
    if carried is None:
        return None
    if carried.axis != 1:
        call.refuse(": channels stand along another axis than the one it scales")
        return None
    call.ledger.record(name, "features", carried.atoms)
    return carried


def _prelu(layer: nn.Module, name: str, call: Call, carried: Carried | None) -> Carried | None:
    assert isinstance(layer, nn.PReLU)
    return carried if layer.num_parameters == 1 else _norm(layer, name, call, carried)


def _recurrent(layer: nn.Module, name: str, call: Call, carried: Carried | None) -> None:
    """Its inputs' features are read; its hidden units stay as they are."""
    for _, other in call.operands[1:]:
        if other is not None:
            call.refuse(": channels come in as its state")
    if carried is None:
        return
    if carried.axis != call.subject.ndim - 1:
        call.refuse(": channels stand along another axis than the one it reads")
        return
    call.ledger.record(name, "inputs", carried.atoms)


def _layer_norm(layer: nn.Module, call: Call, carried: Carried) -> Carried | None:
    assert isinstance(layer, nn.LayerNorm)
    return pooling(call, len(layer.normalized_shape))


def _softmax(layer: nn.Module, call: Call, carried: Carried) -> Carried | None:
    assert isinstance(layer, nn.Softmax | nn.LogSoftmax | nn.Softmin)
    call.kwargs["dim"] = layer.dim
    return along_one_axis(call)


def _padding(layer: nn.Module, call: Call, carried: Carried) -> Carried | None:
    widths = layer.padding
    assert isinstance(widths, tuple)
    return pooling(call, len(widths) // 2)


def _upsampling(layer: nn.Module, call: Call, carried: Carried) -> Carried | None:
    return pooling(call, call.subject.ndim - 2)


def _pooling_over(axes: int) -> Callable[[nn.Module, Call, Carried], Carried | None]:
    return lambda layer, call, carried: pooling(call, axes)


def _unchanged(layer: nn.Module, call: Call, carried: Carried) -> Carried:
    return carried


def _shaping(layer: nn.Module, call: Call, carried: Carried) -> Carried | None:
    return shaping(call)


def _atoms_or_fixed(carried: Carried | None, count: int) -> Atoms:
    return np.full(count, FIXED, dtype=np.int64) if carried is None else carried.atoms


_MAKERS: tuple[
    tuple[
        tuple[type[nn.Module], ...],
        Callable[[nn.Module, str, Call, Carried | None], Carried | None],
    ],
    ...,
] = (
    ((nn.Conv1d, nn.Conv2d), _convolution),
    ((nn.Linear,), _linear),
    (NORMS, _norm),
    ((nn.PReLU,), _prelu),
    ((nn.GRU, nn.LSTM, nn.RNN), _recurrent),
)
_PASSING: tuple[
    tuple[tuple[type[nn.Module], ...], Callable[[nn.Module, Call, Carried], Carried | None]], ...
] = (
    (_ELEMENTWISE, _unchanged),
    (_POOLING[1], _pooling_over(1)),
    (_POOLING[2], _pooling_over(2)),
    ((nn.Flatten, nn.Unflatten), _shaping),
    (_PADDING, _padding),
    ((nn.LayerNorm,), _layer_norm),
    ((nn.Softmax, nn.LogSoftmax, nn.Softmin), _softmax),
    ((nn.Upsample,), _upsampling),
)
