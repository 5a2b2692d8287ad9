"""Detectors in 8 bits: no gradient goes through one, but through the float file that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.detectors.network.model import Graph
from secateur.errors import DetectorError, SettingsError

_EIGHT_BITS = frozenset(("QuantizeLinear", "DequantizeLinear"))
_LAYERS = frozenset(("Conv", "Gemm", "MatMul"))
_SLACK = 1e-5
"""Of a layer's largest weight: what single precision may add to half a step."""


def in_eight_bits(graph: Graph) -> bool:
    """Whether a network computes with numbers of 8 bits, through which no gradient goes."""
    return any(node.kind in _EIGHT_BITS for node in graph.nodes)


def require_origin(quantised: Detector, origin: Detector) -> None:
    """Raise unless `quantised` is in 8 bits and was made from the float detector `origin`.

    The file in 8 bits names the run and the model that it was made from; chain, scale and windows are the
    same, and each of its weights lies within half a step of the float file's. Raises `SettingsError` where
    there is nothing to look for, `DetectorError` naming what differs.
    """
    if not in_eight_bits(quantised.network):
        raise SettingsError(
            f"float detector {origin.path}: is not needed, {quantised.path} is in floats itself"
        )
    if in_eight_bits(origin.network):
        raise SettingsError(
            f"float detector {origin.path}: is in 8 bits itself; give the one that it was made from"
        )
    difference = _difference(quantised, origin)
    if difference:
        raise DetectorError(
            f"{origin.path}: is not the float detector that {quantised.path} was made from: {difference}"
        )


def _difference(quantised: Detector, origin: Detector) -> str:
    """In what the file in 8 bits doesn't descend from the other; empty where it does."""
    info, before = quantised.info, origin.info
    for name in ("chain", "scale", "windows"):
        if getattr(info, name) != getattr(before, name):
            return f"another {name}"
    record, expected = info.provenance, before.provenance
    if record.run != expected.run:
        return (
            f"it is of run {record.run or '(not named)'}, this of {expected.run or '(not named)'}"
        )
    if record.model != f"{expected.model}-int8":
        return f"it is {record.model!r}, this {expected.model!r}"
    return "" if _weights_agree(quantised.network, origin.network) else "other weights"


def _weights_agree(quantised: Graph, origin: Graph) -> bool:
    """Whether layer by layer the weights are the same to half a step."""
    pairs = list(_weights(quantised)), list(_weights(origin))
    if len(pairs[0]) != len(pairs[1]):
        return False
    for (values, step), (exact, _) in zip(*pairs, strict=True):
        if values.shape != exact.shape:
            return False
        slack = _SLACK * float(np.abs(exact).max(initial=0))
        if not np.all(np.abs(values - exact) <= step / 2 + slack):
            return False
    return True


def _weights(graph: Graph) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Each layer's weights and the step between two values that they can have (0 for floats)."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    for node in graph.nodes:
        if node.kind not in _LAYERS:
            continue
        name = node.inputs[1]
        maker = makers.get(name)
        if name in graph.weights:
            yield np.asarray(graph.weights[name], dtype=np.float64), np.zeros(())
        elif maker is not None and maker.kind == "DequantizeLinear":
            parts = [graph.weights[part] for part in maker.inputs if part]
            yield dequantised(parts, maker.integer("axis", 1))


def dequantised(
    parts: Sequence[NDArray[Any]], axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Real values of stored integers, and the step between two of them.

    `parts`: integers, scale and, where there is one, zero point; `axis`: along which scales lie.
    """
    stored, scale, *zero = (np.asarray(part, dtype=np.float64) for part in parts)
    if scale.ndim == 1:
        along = [1] * stored.ndim
        along[axis % stored.ndim] = -1
        scale, zero = scale.reshape(along), [part.reshape(along) for part in zero]
    offset = zero[0] if zero else 0.0
    return (stored - offset) * scale, scale
