"""How large every tensor of a network gets: what a file from a stranger may cost, known before it runs.

Comes in: a `Graph`. Goes out: the shape of each tensor for one window, or a `DetectorError` that names an
operator that isn't on the list, shapes that don't fit together, or a size that no detector has. Next:
`detector` refuses with it and chooses its batches by it, `reach` finds time's way through the graph.

The list is what `networks` writes, and what torch's exporter writes for recurrent layers. Definitions:
https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.graph import Graph, Node
from secateur.errors import DetectorError

Shape = tuple[int, ...]
LARGEST = 1 << 24
"""Numbers in one tensor for one window: 64 MiB."""
_LARGEST_SETTING = 1 << 16

ELEMENTWISE = frozenset(
    ("Abs", "Cast", "Clip", "DequantizeLinear", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "Identity",
     "LeakyRelu", "Log", "Neg", "PRelu", "QuantizeLinear", "Relu", "Sigmoid", "Softplus", "Sqrt", "Tanh")
)  # fmt: skip
"""Each number by itself; what they read beside the first are settings."""
BROADCAST = frozenset(("Add", "Div", "Max", "Mul", "Pow", "Sub"))
WINDOWED = frozenset(("AveragePool", "Conv", "MaxPool"))
_REDUCING = ("ReduceMax", "ReduceMean", "ReduceSum")
_SAME = ("BatchNormalization", "LayerNormalization", "LogSoftmax", "Softmax")


@dataclass(frozen=True)
class Sizes:
    """Shapes of all tensors for one window, and the values of those that no window changes."""

    shapes: Mapping[str, Shape]
    values: Mapping[str, NDArray[Any]]

    @property
    def largest(self) -> int:
        """Numbers in the largest tensor for one window."""
        return max(math.prod(shape) for shape in self.shapes.values())


def sizes_of(graph: Graph) -> Sizes:
    """Walk through `graph` with one window. Raises `DetectorError`."""
    walk = _Walk(graph)
    for node in graph.nodes:
        rule = _RULES.get(node.kind)
        if rule is None:
            raise DetectorError(f"the operator {node.kind[:60]!r} is not on the list")
        try:
            shapes = rule(node, walk)
        except (IndexError, KeyError, ValueError, TypeError, ZeroDivisionError):
            raise DetectorError(
                f"{node.kind} {node.name[:60]!r} does not fit what it reads"
            ) from None
        walk.keep(node, shapes)
    (output,) = graph.outputs
    if walk.shapes[output] != tuple(length or 1 for length in graph.outputs[output]):
        raise DetectorError(f"its output has the shape {walk.shapes[output]}, not the one it tells")
    return Sizes(walk.shapes, walk.values)


class _Walk:
    """Shapes and small values on the way through the graph."""

    def __init__(self, graph: Graph) -> None:
        self.shapes: dict[str, Shape] = {name: one.shape for name, one in graph.weights.items()}
        self.values: dict[str, NDArray[Any]] = dict(graph.weights)
        for name, shape in graph.inputs.items():
            self.shapes[name] = (1, *(length or 0 for length in shape[1:]))
            _require_size(name, self.shapes[name])

    def shape(self, node: Node, place: int = 0) -> Shape:
        return self.shapes[node.inputs[place]]

    def given(self, node: Node, place: int) -> bool:
        return len(node.inputs) > place and node.inputs[place] != ""

    def value(self, node: Node, place: int) -> NDArray[Any]:
        return self.values[node.inputs[place]]

    def wholes(self, node: Node, place: int) -> list[int]:
        return [int(one) for one in self.value(node, place).reshape(-1)]

    def keep(self, node: Node, shapes: Sequence[Shape]) -> None:
        for name, shape in zip(node.outputs, shapes, strict=False):
            _require_size(name, shape)
            self.shapes[name] = shape
        for name in node.outputs[len(shapes) :]:
            if name:
                raise DetectorError(f"{node.kind} gives more than is understood")


def _require_size(name: str, shape: Shape) -> None:
    if any(length < 1 for length in shape) or math.prod(shape) > LARGEST:
        raise DetectorError(f"the tensor {name[:60]!r} would have the shape {shape}")


def _bounded(numbers: Sequence[int], least: int) -> Sequence[int]:
    if any(not least <= one <= _LARGEST_SETTING for one in numbers):
        raise DetectorError(f"a setting of {tuple(numbers)[:8]}")
    return numbers


@dataclass(frozen=True)
class Slide:
    """How a convolution or pooling goes over its spatial axes; each of its rows has one number an axis."""

    sizes: Shape
    strides: Shape
    dilations: Shape
    begin: Shape
    end: Shape

    def lengths(self, before: Shape) -> Shape:
        """What it leaves of `before`."""
        spans = [(k - 1) * d + 1 for k, d in zip(self.sizes, self.dilations, strict=True)]
        whole = zip(before, self.begin, self.end, spans, self.strides, strict=True)
        return tuple((n + b + e - span) // step + 1 for n, b, e, span, step in whole)


def slide_of(node: Node, shapes: Mapping[str, Shape]) -> Slide:
    """The slide of a `WINDOWED` node. Raises `DetectorError` where padding is told in another way."""
    axes = len(shapes[node.inputs[0]]) - 2
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or node.whole("ceil_mode", 0):
        raise DetectorError(
            f"{node.kind} {node.name[:60]!r}: auto_pad and ceil_mode aren't understood"
        )
    sizes = shapes[node.inputs[1]][2:] if node.kind == "Conv" else (0,) * axes
    told = node.wholes("kernel_shape", sizes)
    if node.kind == "Conv" and told != sizes:
        raise DetectorError(f"Conv {node.name[:60]!r}: kernel_shape disagrees with its weights")
    ones = (1,) * axes
    pads = tuple(_bounded(node.wholes("pads", (0,) * (2 * axes)), 0))
    if any(pad > _LARGEST_SETTING // 16 for pad in pads):
        raise DetectorError(f"{node.kind} {node.name[:60]!r}: a padding of {max(pads)}")
    return Slide(
        tuple(_bounded(told, 1)),
        tuple(_bounded(node.wholes("strides", ones), 1)),
        tuple(_bounded(node.wholes("dilations", ones), 1)),
        pads[:axes],
        pads[axes:],
    )


def _same(node: Node, walk: _Walk) -> list[Shape]:
    return [walk.shape(node)]


def _elementwise(node: Node, walk: _Walk) -> list[Shape]:
    if node.kind == "PRelu" and walk.shape(node) != _broadcast(node, walk)[0]:
        raise ValueError
    return [walk.shape(node)]


def _broadcast(node: Node, walk: _Walk) -> list[Shape]:
    return [np.broadcast_shapes(*(walk.shape(node, k) for k in range(len(node.inputs))))]


def _conv(node: Node, walk: _Walk) -> list[Shape]:
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


def _pool(node: Node, walk: _Walk) -> list[Shape]:
    before, slide = walk.shape(node), slide_of(node, walk.shapes)
    if any(max(b, e) >= k for b, e, k in zip(slide.begin, slide.end, slide.sizes, strict=True)):
        raise ValueError
    return [(*before[:2], *slide.lengths(before[2:]))]


def _over_space(node: Node, walk: _Walk) -> list[Shape]:
    before = walk.shape(node)
    return [(*before[:2], *(1,) * (len(before) - 2))]


def _flatten(node: Node, walk: _Walk) -> list[Shape]:
    before, axis = walk.shape(node), node.whole("axis", 1)
    return [(math.prod(before[:axis]), math.prod(before[axis:]))]


def _reshape(node: Node, walk: _Walk) -> list[Shape]:
    before, wanted = walk.shape(node), walk.wholes(node, 1)
    after = [before[k] if length == 0 else length for k, length in enumerate(wanted)]
    rest = math.prod(length for length in after if length != -1)
    if after.count(-1) == 1:
        after[after.index(-1)] = math.prod(before) // rest
    if min(after) < 1 or math.prod(after) != math.prod(before):
        raise ValueError
    return [tuple(after)]


def _transpose(node: Node, walk: _Walk) -> list[Shape]:
    before = walk.shape(node)
    order = node.wholes("perm", tuple(reversed(range(len(before)))))
    if sorted(order) != list(range(len(before))):
        raise ValueError
    return [tuple(before[axis] for axis in order)]


def axes_told(node: Node, walk_value: Callable[[Node, int], NDArray[Any]], rank: int) -> list[int]:
    """Axes from an attribute or the second input, counted from the front; all where none are told."""
    told = node.attributes.get("axes")
    if told is None and len(node.inputs) > 1 and node.inputs[1]:
        told = tuple(int(one) for one in walk_value(node, 1).reshape(-1))
    if told is None:
        return list(range(rank))
    if not isinstance(told, tuple) or any(not -rank <= one < rank for one in told):
        raise ValueError
    return [int(one) % rank for one in told]


def _reduce(node: Node, walk: _Walk) -> list[Shape]:
    before = walk.shape(node)
    axes = axes_told(node, walk.value, len(before))
    keep = node.whole("keepdims", 1)
    return [tuple(1 if k in axes else n for k, n in enumerate(before) if keep or k not in axes)]


def _squeeze(node: Node, walk: _Walk) -> list[Shape]:
    before = walk.shape(node)
    axes = axes_told(node, walk.value, len(before))
    if any(before[axis] != 1 for axis in axes):
        raise ValueError
    return [tuple(n for k, n in enumerate(before) if k not in axes)]


def _unsqueeze(node: Node, walk: _Walk) -> list[Shape]:
    before = walk.shape(node)
    count = len(walk.wholes(node, 1))
    axes = axes_told(node, walk.value, len(before) + count)
    left = iter(before)
    after = tuple(1 if k in axes else next(left) for k in range(len(before) + count))
    _fold(node, walk, lambda: walk.value(node, 0).reshape(after))
    return [after]


def _concat(node: Node, walk: _Walk) -> list[Shape]:
    shapes = [walk.shape(node, k) for k in range(len(node.inputs))]
    axis = node.whole("axis", 0) % len(shapes[0])
    if any(
        one[:axis] + one[axis + 1 :] != shapes[0][:axis] + shapes[0][axis + 1 :] for one in shapes
    ):
        raise ValueError
    total = sum(one[axis] for one in shapes)
    parts = range(len(shapes))
    _fold(node, walk, lambda: np.concatenate([walk.value(node, k) for k in parts], axis=axis))
    return [(*shapes[0][:axis], total, *shapes[0][axis + 1 :])]


def _slice(node: Node, walk: _Walk) -> list[Shape]:
    after = list(walk.shape(node))
    starts, ends = walk.wholes(node, 1), walk.wholes(node, 2)
    axes = walk.wholes(node, 3) if walk.given(node, 3) else list(range(len(starts)))
    steps = walk.wholes(node, 4) if walk.given(node, 4) else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        after[axis] = len(range(*slice(start, end, step).indices(after[axis])))
    return [tuple(after)]


def _gather(node: Node, walk: _Walk) -> list[Shape]:
    before, chosen = walk.shape(node), walk.value(node, 1)
    axis = node.whole("axis", 0) % len(before)
    if chosen.size and (chosen.min() < -before[axis] or chosen.max() >= before[axis]):
        raise ValueError
    _fold(node, walk, lambda: np.take(walk.value(node, 0), chosen, axis=axis))
    return [(*before[:axis], *chosen.shape, *before[axis + 1 :])]


def _shape(node: Node, walk: _Walk) -> list[Shape]:
    walk.values[node.outputs[0]] = np.array(walk.shape(node), dtype=np.int64)
    return [(len(walk.shape(node)),)]


def _constant(node: Node, walk: _Walk) -> list[Shape]:
    value = node.attributes["value"]
    if not isinstance(value, np.ndarray):
        raise ValueError
    walk.values[node.outputs[0]] = value
    return [value.shape]


def _constant_of_shape(node: Node, walk: _Walk) -> list[Shape]:
    return [tuple(walk.wholes(node, 0))]


def _expand(node: Node, walk: _Walk) -> list[Shape]:
    return [np.broadcast_shapes(walk.shape(node), tuple(walk.wholes(node, 1)))]


def _pad(node: Node, walk: _Walk) -> list[Shape]:
    before, pads = walk.shape(node), _bounded(walk.wholes(node, 1), 0)
    if len(pads) != 2 * len(before) or walk.given(node, 3):
        raise ValueError
    return [tuple(n + pads[k] + pads[k + len(before)] for k, n in enumerate(before))]


def _matmul(node: Node, walk: _Walk) -> list[Shape]:
    one, other = walk.shape(node), walk.shape(node, 1)
    if len(one) < 2 or len(other) < 2 or one[-1] != other[-2]:
        raise ValueError
    return [(*np.broadcast_shapes(one[:-2], other[:-2]), one[-2], other[-1])]


def _gemm(node: Node, walk: _Walk) -> list[Shape]:
    one, other = walk.shape(node), walk.shape(node, 1)
    rows, inner = one[::-1] if node.whole("transA", 0) else one
    again, columns = other[::-1] if node.whole("transB", 0) else other
    if inner != again:
        raise ValueError
    if walk.given(node, 2):
        np.broadcast_shapes((rows, columns), walk.shape(node, 2))
    return [(rows, columns)]


def _recurrent(node: Node, walk: _Walk) -> list[Shape]:
    time, batch, _ = walk.shape(node)
    ways, hidden = (walk.shape(node, 2)[0], walk.shape(node, 2)[2])
    last = (ways, batch, hidden)
    return [(time, ways, batch, hidden), last, last][: len(node.outputs)]


def _fold(node: Node, walk: _Walk, value: Callable[[], NDArray[Any]]) -> None:
    """Keep a value where all that it comes from is known."""
    if all(name in walk.values for name in node.inputs):
        walk.values[node.outputs[0]] = value()


_RULES: Mapping[str, Callable[[Node, _Walk], list[Shape]]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(BROADCAST, _broadcast),
    **dict.fromkeys(_REDUCING, _reduce),
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
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
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
