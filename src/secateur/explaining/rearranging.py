"""The derivatives of operators that hand numbers on as they are, elsewhere or in another shape.

Definitions of the operators: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import Node
from secateur.explaining.tape import Gradient, Rule, Tape, no_gradient

_FLOAT32 = 1
"""As ONNX numbers types."""


def _same(tape: Tape, node: Node, gradient: Gradient) -> None:
    tape.put(node.inputs[0], gradient)


def _cast(tape: Tape, node: Node, gradient: Gradient) -> None:
    if node.integer("to", 0) != _FLOAT32:
        raise no_gradient("Cast to other than single precision")
    tape.put(node.inputs[0], gradient)


def _reshape(tape: Tape, node: Node, gradient: Gradient) -> None:
    tape.put(node.inputs[0], tape.reshaped(node, gradient))


def _transpose(tape: Tape, node: Node, gradient: Gradient) -> None:
    x = node.inputs[0]
    rank = len(tape.shape(x))
    order = node.integers("perm", tuple(reversed(range(rank))))
    back = tuple(int(axis) for axis in np.argsort(order))
    name = tape.add("Transpose", gradient.name, perm=back)
    tape.put(x, Gradient(name, tuple(gradient.shape[k] for k in back), gradient.batched))


def _concat(tape: Tape, node: Node, gradient: Gradient) -> None:
    axis, at = node.integer("axis", 0) % len(tape.shape(node.outputs[0])), 0
    alike = gradient.shape[axis] == 1 < tape.shape(node.outputs[0])[axis]
    for name in node.inputs:
        end = at + tape.shape(name)[axis]
        if name in tape.moving:
            tape.put(name, gradient if alike else _part(tape, gradient, axis, at, end))
        at = end


def _part(tape: Tape, gradient: Gradient, axis: int, begin: int, end: int) -> Gradient:
    ends = (tape.integers(begin), tape.integers(end), tape.integers(axis))
    shape = (*gradient.shape[:axis], end - begin, *gradient.shape[axis + 1 :])
    return Gradient(tape.add("Slice", gradient.name, *ends), shape, gradient.batched)


def _taken(
    tape: Tape, node: Node, gradient: Gradient, axis: int, positions: NDArray[np.int64]
) -> Gradient:
    """The gradient of the first input, of which along `axis` the `positions` were taken, each once."""
    lengths, length = gradient.shape, tape.shape(node.inputs[0])[axis]
    if len(np.unique(positions)) != len(positions):
        raise no_gradient(f"{node.kind} that takes the same twice")
    origin = np.full(length, len(positions), dtype=np.int64)
    origin[positions] = np.arange(len(positions))
    pads = [0] * (2 * len(lengths))
    pads[len(lengths) + axis] = 1  # a zero at the end, for what nobody took
    padded = tape.add("Pad", gradient.name, tape.integers(*pads))
    name = tape.add("Gather", padded, tape.constant(origin, "<i8"), axis=axis)
    return Gradient(name, (*lengths[:axis], length, *lengths[axis + 1 :]))


def _slice(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, settings = (
        node.inputs[0],
        [tape.value(node, k).reshape(-1) for k in range(1, len(node.inputs))],
    )
    rank = len(tape.shape(x))
    starts, ends = settings[0], settings[1]
    axes = settings[2] if len(settings) > 2 else np.arange(len(starts))
    steps = settings[3] if len(settings) > 3 else np.ones(len(starts), dtype=np.int64)
    sliced = [int(axis) % rank for axis in axes]
    out = node.outputs[0]
    part = tape.wide(out, gradient)
    for start, end, axis, step in zip(starts, ends, sliced, steps, strict=True):
        length = tape.shape(x)[axis]
        positions = np.arange(length)[slice(int(start), int(end), int(step))]
        if len(positions) != length or step < 0:
            if axis == tape.window_axis(x):
                raise no_gradient("a slice of windows")
            part = _taken(tape, node, part, axis, positions)
    tape.put(x, part)


def _gather(tape: Tape, node: Node, gradient: Gradient) -> None:
    x, chosen = node.inputs[0], tape.value(node, 1)
    axis = node.integer("axis", 0) % len(tape.shape(x))
    if chosen.ndim > 1:
        raise no_gradient("Gather by a table of indices")
    positions = chosen.astype(np.int64).reshape(-1) % tape.shape(x)[axis]
    out = node.outputs[0]
    part = tape.wide(out, gradient)
    if chosen.ndim == 0:  # the axis is gone: put it back
        name = tape.add("Unsqueeze", part.name, tape.integers(axis))
        part = Gradient(name, (*part.shape[:axis], 1, *part.shape[axis:]))
    tape.put(x, _taken(tape, node, part, axis, positions))


def _pad(tape: Tape, node: Node, gradient: Gradient) -> None:
    if node.attributes.get("mode", "constant") != "constant":
        raise no_gradient(f"Pad with mode {node.attributes['mode']}")
    x, out = node.inputs[0], node.outputs[0]
    pads, rank = tape.value(node, 1).reshape(-1), len(tape.shape(x))
    part = tape.wide(out, gradient)
    for axis in range(rank):
        begin = int(pads[axis])
        if begin or pads[axis + rank]:
            part = _part(tape, part, axis, begin, begin + tape.shape(x)[axis])
    tape.put(x, part)


def _split(tape: Tape, node: Node, _: Gradient) -> None:
    axis = node.integer("axis", 0) % len(tape.shape(node.inputs[0]))
    parts = []
    for name in node.outputs:
        gradient = tape.gradient(name)
        parts.append(tape.zeros(name) if gradient is None else tape.full(name, gradient))
    joined = tape.add("Concat", *parts, axis=axis)
    tape.put(node.inputs[0], Gradient(joined, tape.shape(node.inputs[0])))


REARRANGING: Mapping[str, Rule] = {
    "Cast": _cast,
    "Concat": _concat,
    "Expand": _same,
    "Flatten": _reshape,
    "Gather": _gather,
    "Identity": _same,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
