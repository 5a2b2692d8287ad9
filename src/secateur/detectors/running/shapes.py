"""How large every tensor of a network gets: what a file from a stranger may cost, known before it runs.

Comes in: a `Graph`. Goes out: the shape of each tensor for one window, or a `DetectorError` that names an
operator that isn't on the list, shapes that don't fit together, or a size that no detector has. Next:
`detector` refuses with it and chooses its batches by it, `reach` finds time's way through the graph.

"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.operators import BROADCAST, ELEMENTWISE, NORMS, RECURRENT, REDUCING, refusal
from secateur.detectors.running.graph import TYPES, Graph, Node
from secateur.detectors.running.slides import Shape, bounded, slide_of
from secateur.detectors.running.walking import Walk
from secateur.errors import DetectorError

_OF_WHOLE_NUMBERS: Mapping[str, Callable[[Any, Any], NDArray[Any]]] = {
    "Add": np.add,
    "Div": np.floor_divide,
    "Mul": np.multiply,
    "Sub": np.subtract,
}
"""How lengths are computed from each other."""


@dataclass(frozen=True)
class Sizes:
    """Shapes of all tensors for one window, and the values of those that no window changes."""

    shapes: Mapping[str, Shape]
    values: Mapping[str, NDArray[Any]]

    @property
    def together(self) -> int:
        """Numbers in all tensors for one window."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def largest(self) -> int:
        """Numbers in the largest tensor for one window, or a 16th of all where that is more.

        So a batch chosen by it is small where very many tensors may be alive at once.
        """
        return max(self.together // 16, *(math.prod(shape) for shape in self.shapes.values()))


def sizes_of(graph: Graph, windows: int = 1) -> Sizes:
    """Walk through `graph` with so many windows. Raises `DetectorError`."""
    walk = Walk(graph, windows)
    for node in graph.nodes:
        reason = refusal(node.kind, node.attributes)
        if reason is not None:
            raise DetectorError(reason)
        try:
            shapes = RULES[node.kind](node, walk)
        except DetectorError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError):
            raise DetectorError(
                f"{node.kind} {node.name[:60]!r} does not fit what it reads"
            ) from None
        walk.keep(node, shapes)
    (output,) = graph.outputs
    told = tuple(windows if length is None else length for length in graph.outputs[output])
    if walk.shapes[output] != told:
        raise DetectorError(f"its output has the shape {walk.shapes[output]}, not the one it tells")
    return Sizes(walk.shapes, walk.values)


def _same(node: Node, walk: Walk) -> list[Shape]:
    return [walk.shape(node)]


def _elementwise(node: Node, walk: Walk) -> list[Shape]:
    if node.kind == "PRelu" and walk.shape(node) != _broadcast(node, walk)[0]:
        raise ValueError
    if node.kind == "Cast":
        kind = TYPES.get(node.whole("to", 0))
        if kind is None:
            raise ValueError
        walk.keep_value(node, walk.shape(node), lambda: walk.value(node, 0).astype(kind))
    return [walk.shape(node)]


def _broadcast(node: Node, walk: Walk) -> list[Shape]:
    after = np.broadcast_shapes(*(walk.shape(node, k) for k in range(len(node.inputs))))
    operation = _OF_WHOLE_NUMBERS.get(node.kind)
    if not walk.in_whole_numbers(node):
        return [after]
    if node.kind == "Div" and walk.value(node, 1).min() < 1:
        raise ValueError  # whole numbers divided by zero may end the process
    if operation is not None:
        walk.keep_value(node, after, lambda: operation(walk.value(node, 0), walk.value(node, 1)))
    return [after]


def _conv(node: Node, walk: Walk) -> list[Shape]:
    before, weight = walk.shape(node), walk.shape(node, 1)
    group = node.whole("group", 1)
    if (
        group < 1
        or before[1] != weight[1] * group
        or weight[0] % group
        or len(before) != len(weight)
    ):
        raise ValueError
    if walk.given(node, 2) and walk.shape(node, 2) != (weight[0],):
        raise ValueError
    return [(before[0], weight[0], *slide_of(node, walk.shapes).lengths(before[2:]))]


def _pool(node: Node, walk: Walk) -> list[Shape]:
    before, slide = walk.shape(node), slide_of(node, walk.shapes)
    if any(max(b, e) >= k for b, e, k in zip(slide.begin, slide.end, slide.sizes, strict=True)):
        raise ValueError
    return [(*before[:2], *slide.lengths(before[2:]))]


def _over_space(node: Node, walk: Walk) -> list[Shape]:
    before = walk.shape(node)
    return [(*before[:2], *(1,) * (len(before) - 2))]


def _flatten(node: Node, walk: Walk) -> list[Shape]:
    before, axis = walk.shape(node), node.whole("axis", 1)
    return [(math.prod(before[:axis]), math.prod(before[axis:]))]


def _reshape(node: Node, walk: Walk) -> list[Shape]:
    before, wanted = walk.shape(node), walk.wholes(node, 1)
    after = [before[k] if length == 0 else length for k, length in enumerate(wanted)]
    rest = math.prod(length for length in after if length != -1)
    if after.count(-1) == 1:
        after[after.index(-1)] = math.prod(before) // rest
    if min(after) < 1 or math.prod(after) != math.prod(before):
        raise ValueError
    walk.keep_value(node, tuple(after), lambda: walk.value(node, 0).reshape(after))
    return [tuple(after)]


def _transpose(node: Node, walk: Walk) -> list[Shape]:
    before = walk.shape(node)
    order = node.wholes("perm", tuple(reversed(range(len(before)))))
    if sorted(order) != list(range(len(before))):
        raise ValueError
    after = tuple(before[axis] for axis in order)
    walk.keep_value(node, after, lambda: walk.value(node, 0).transpose(order))
    return [after]


def axes_told(node: Node, walk_value: Callable[[Node, int], NDArray[Any]], rank: int) -> list[int]:
    """Axes from an attribute or the second input, counted from the front; all where none are told."""
    told = node.attributes.get("axes")
    if told is None and len(node.inputs) > 1 and node.inputs[1]:
        value = walk_value(node, 1)
        told = tuple(int(one) for one in value.reshape(-1)) if value.size <= rank else ()
    if told is None:
        return list(range(rank))
    if not isinstance(told, tuple) or not told:
        raise ValueError
    axes = [int(one) % rank for one in told if -rank <= int(one) < rank]
    if len(set(axes)) != len(told):
        raise ValueError
    return axes


def _reduce(node: Node, walk: Walk) -> list[Shape]:
    before = walk.shape(node)
    axes = axes_told(node, walk.value, len(before))
    keep = node.whole("keepdims", 1)
    return [tuple(1 if k in axes else n for k, n in enumerate(before) if keep or k not in axes)]


def _squeeze(node: Node, walk: Walk) -> list[Shape]:
    before = walk.shape(node)
    axes = axes_told(node, walk.value, len(before))
    if any(before[axis] != 1 for axis in axes):
        raise ValueError
    return [tuple(n for k, n in enumerate(before) if k not in axes)]


def _unsqueeze(node: Node, walk: Walk) -> list[Shape]:
    before = walk.shape(node)
    count = len(walk.wholes(node, 1))
    axes = axes_told(node, walk.value, len(before) + count)
    left = iter(before)
    after = tuple(1 if k in axes else next(left) for k in range(len(before) + count))
    walk.keep_value(node, after, lambda: walk.value(node, 0).reshape(after))
    return [after]


def _concat(node: Node, walk: Walk) -> list[Shape]:
    shapes = [walk.shape(node, k) for k in range(len(node.inputs))]
    axis = node.whole("axis", 0) % len(shapes[0])
    if any(
        one[:axis] + one[axis + 1 :] != shapes[0][:axis] + shapes[0][axis + 1 :] for one in shapes
    ):
        raise ValueError
    total = sum(one[axis] for one in shapes)
    after = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    parts = range(len(shapes))
    walk.keep_value(
        node, after, lambda: np.concatenate([walk.value(node, k) for k in parts], axis=axis)
    )
    return [after]


def _slice(node: Node, walk: Walk) -> list[Shape]:
    after = list(walk.shape(node))
    starts, ends = walk.wholes(node, 1), walk.wholes(node, 2)
    axes = walk.wholes(node, 3) if walk.given(node, 3) else list(range(len(starts)))
    steps = walk.wholes(node, 4) if walk.given(node, 4) else [1] * len(starts)
    if len({axis % len(after) for axis in axes}) != len(axes):
        raise ValueError
    parts = [slice(None)] * len(after)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[axis] = slice(start, end, step)
        after[axis] = len(range(*parts[axis].indices(after[axis])))
    walk.keep_value(node, tuple(after), lambda: walk.value(node, 0)[tuple(parts)])
    return [tuple(after)]


def _split(node: Node, walk: Walk) -> list[Shape]:
    before, count = walk.shape(node), len(node.outputs)
    axis = node.whole("axis", 0) % len(before)
    lengths = walk.wholes(node, 1) if walk.given(node, 1) else [before[axis] // count] * count
    if len(lengths) != count or sum(lengths) != before[axis]:
        raise ValueError
    return [(*before[:axis], length, *before[axis + 1 :]) for length in lengths]


def _gather(node: Node, walk: Walk) -> list[Shape]:
    before, chosen = walk.shape(node), walk.value(node, 1)
    axis = node.whole("axis", 0) % len(before)
    if chosen.size and (chosen.min() < -before[axis] or chosen.max() >= before[axis]):
        raise ValueError
    after = (*before[:axis], *chosen.shape, *before[axis + 1 :])
    walk.keep_value(node, after, lambda: np.take(walk.value(node, 0), chosen, axis=axis))
    return [after]


def _shape(node: Node, walk: Walk) -> list[Shape]:
    if {"start", "end"} & node.attributes.keys() or not node.outputs[0]:
        raise ValueError
    walk.values[node.outputs[0]] = np.array(walk.shape(node), dtype=np.int64)
    return [(len(walk.shape(node)),)]


def _constant(node: Node, walk: Walk) -> list[Shape]:
    value = node.attributes["value"]
    if not isinstance(value, np.ndarray) or not node.outputs[0]:
        raise ValueError
    walk.values[node.outputs[0]] = value
    return [value.shape]


def _constant_of_shape(node: Node, walk: Walk) -> list[Shape]:
    after, value = tuple(walk.wholes(node, 0)), node.attributes.get("value", np.float32(0))
    walk.keep_value(node, after, lambda: np.full(after, value))
    return [after]


def _expand(node: Node, walk: Walk) -> list[Shape]:
    return [np.broadcast_shapes(walk.shape(node), tuple(walk.wholes(node, 1)))]


def _pad(node: Node, walk: Walk) -> list[Shape]:
    before, pads = walk.shape(node), bounded(walk.wholes(node, 1), 0)
    if len(pads) != 2 * len(before) or walk.given(node, 3):
        raise ValueError
    return [tuple(n + pads[k] + pads[k + len(before)] for k, n in enumerate(before))]


def _matmul(node: Node, walk: Walk) -> list[Shape]:
    one, other = walk.shape(node), walk.shape(node, 1)
    if len(one) < 2 or len(other) < 2 or one[-1] != other[-2]:
        raise ValueError
    return [(*np.broadcast_shapes(one[:-2], other[:-2]), one[-2], other[-1])]


def _gemm(node: Node, walk: Walk) -> list[Shape]:
    one, other = walk.shape(node), walk.shape(node, 1)
    rows, inner = one[::-1] if node.whole("transA", 0) else one
    again, columns = other[::-1] if node.whole("transB", 0) else other
    if inner != again:
        raise ValueError
    if walk.given(node, 2):
        np.broadcast_shapes((rows, columns), walk.shape(node, 2))
    return [(rows, columns)]


def _recurrent(node: Node, walk: Walk) -> list[Shape]:
    time, batch, width = walk.shape(node)
    gates = RECURRENT[node.kind]
    hidden = node.whole("hidden_size", 0)
    ways = 2 if node.attributes.get("direction", "forward") == "bidirectional" else 1
    last = (ways, batch, hidden)
    wanted: dict[int, Shape] = {
        1: (ways, gates * hidden, width),
        2: (ways, gates * hidden, hidden),
        3: (ways, 2 * gates * hidden),
        5: last,
        6: last,
    }
    for place in range(1, len(node.inputs)):
        if walk.given(node, place) and walk.shape(node, place) != wanted[place]:
            raise ValueError
    if hidden < 1:
        raise ValueError
    return [(time, ways, batch, hidden), last, last][: len(node.outputs)]


RULES: Mapping[str, Callable[[Node, Walk], list[Shape]]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(BROADCAST, _broadcast),
    **dict.fromkeys(REDUCING, _reduce),
    **dict.fromkeys(NORMS, _same),
    **dict.fromkeys(RECURRENT, _recurrent),
    "AveragePool": _pool,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _over_space,
    "GlobalMaxPool": _over_space,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
