"""The ONNX operators of which a detector's network may consist, and how large each makes its tensors.

`OPERATORS` is the one list: `networks` writes none that is not on it. Definitions:
https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import MOST_AXES, TYPES, Graph, Node
from secateur.errors import DetectorError

ELEMENTWISE = frozenset(
    ("Abs", "Cast", "Clip", "Cos", "DequantizeLinear", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish",
     "Identity", "LeakyRelu", "Log", "Neg", "PRelu", "QuantizeLinear", "Reciprocal", "Relu", "Sigmoid",
     "Sin", "Softplus", "Sqrt", "Tanh")
)  # fmt: skip
"""Each number by itself; what they read beside the first are settings."""
BROADCAST = frozenset(("Add", "Div", "Max", "Mul", "Pow", "Sub"))
REDUCING = frozenset(("ReduceMax", "ReduceMean", "ReduceSum"))
NORMS = frozenset(
    ("BatchNormalization", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "Softmax")
)
"""They leave the shape as it is."""
RECURRENT: Mapping[str, int] = {"GRU": 3, "LSTM": 4, "RNN": 1}
"""With how many gates each has."""
WINDOWED = frozenset(("AveragePool", "Conv", "MaxPool"))
"""They slide over their axes behind the first two."""
FIXED: Mapping[str, object] = {"auto_pad": "NOTSET", "ceil_mode": 0, "layout": 0}
"""Attributes that may have this one value alone, in any operator."""


def refusal(kind: str, attributes: Mapping[str, object]) -> str | None:
    """Why no detector may hold such a node, in a few words; None where it may.

    `kind`: the operator's name. `attributes`: the node's, by name.
    """
    if kind not in OPERATORS:
        return f"the operator {kind[:60]!r} is not on the list"
    for name, value in FIXED.items():
        setting = attributes.get(name, value)
        if type(setting) is not type(value) or setting != value:
            return f"{kind} with {name}"
    return None


Shape = tuple[int, ...]
_LARGEST_SETTING = 1 << 16


def bounded(numbers: Sequence[int], least: int) -> Sequence[int]:
    """`numbers` themselves, where a detector may have such settings. Raises `DetectorError`."""
    if any(not least <= number <= _LARGEST_SETTING for number in numbers):
        raise DetectorError(f"a setting of {tuple(numbers)[:8]}")
    return numbers


@dataclass(frozen=True)
class ConvGeometry:
    """How a convolution or pooling goes over its spatial axes: a number for each axis.

    `sizes`: of the kernel. `begin`, `end`: padding before and after.
    """

    sizes: Shape
    strides: Shape
    dilations: Shape
    begin: Shape
    end: Shape

    def lengths(self, before: Shape) -> Shape:
        """Lengths of the output's axes, for an input of the lengths `before`."""
        spans = [(k - 1) * d + 1 for k, d in zip(self.sizes, self.dilations, strict=True)]
        axes = zip(before, self.begin, self.end, spans, self.strides, strict=True)
        return tuple((n + b + e - span) // step + 1 for n, b, e, span, step in axes)


def geometry_of(node: Node, shapes: Mapping[str, Shape]) -> ConvGeometry:
    """The geometry of a `WINDOWED` node. Raises `DetectorError` where its settings are no detector's."""
    axes = len(shapes[node.inputs[0]]) - 2
    sizes = shapes[node.inputs[1]][2:] if node.kind == "Conv" else (0,) * axes
    kernel = node.integers("kernel_shape", sizes)
    if node.kind == "Conv" and kernel != sizes:
        raise DetectorError(f"Conv {node.name[:60]!r}: kernel_shape disagrees with its weights")
    ones = (1,) * axes
    pads = tuple(bounded(node.integers("pads", (0,) * (2 * axes)), 0))
    if any(pad > _LARGEST_SETTING // 16 for pad in pads):
        raise DetectorError(f"{node.kind} {node.name[:60]!r}: a padding of {max(pads)}")
    return ConvGeometry(
        tuple(bounded(kernel, 1)),
        tuple(bounded(node.integers("strides", ones), 1)),
        tuple(bounded(node.integers("dilations", ones), 1)),
        pads[:axes],
        pads[axes:],
    )


LARGEST = 1 << 24
"""Numbers in one tensor for one window: 64 MiB."""
_FLOAT32 = np.dtype("<f4")


class ShapeInference:
    """Of each tensor its shape, the type of its numbers, and its value where it is a setting.

    Filled node by node, in the order in which they run; tensors that no detector has are refused.
    """

    def __init__(self, graph: Graph, windows: int) -> None:
        self.shapes: dict[str, Shape] = {name: w.shape for name, w in graph.weights.items()}
        self.values: dict[str, NDArray[Any]] = dict(graph.weights)
        self._kinds = {name: weight.dtype for name, weight in graph.weights.items()}
        self._most = LARGEST * windows
        for name, shape in graph.inputs.items():
            self.shapes[name] = (windows, *(length or 0 for length in shape[1:]))
            self._require_size(name, self.shapes[name])

    def shape(self, node: Node, index: int = 0) -> Shape:
        """Shape of an input of `node`. Raises `LookupError` where there is none."""
        return self.shapes[node.inputs[index]]

    def has(self, node: Node, index: int) -> bool:
        """Whether an input isn't left out."""
        return len(node.inputs) > index and node.inputs[index] != ""

    def value(self, node: Node, index: int) -> NDArray[Any]:
        """Value of an input that no window changes. Raises `LookupError` where there is none."""
        return self.values[node.inputs[index]]

    def in_integers(self, node: Node) -> bool:
        """Whether the first input of `node` holds whole numbers."""
        return self._kinds.get(node.inputs[0], _FLOAT32).kind in "iub"

    def integers(self, node: Node, index: int) -> list[int]:
        """A setting of at most two whole numbers an axis. Raises `ValueError` where there are more."""
        value = self.value(node, index)
        if value.size > 2 * MOST_AXES:
            raise ValueError
        return [int(number) for number in value.reshape(-1)]

    def keep(self, node: Node, shapes: Sequence[Shape]) -> None:
        """Take in the shapes of what `node` gives. Raises `DetectorError` where that is too large."""
        kind = self._kind_after(node)
        for name, shape in zip(node.outputs, shapes, strict=False):
            if name:
                self._require_size(name, shape)
                self.shapes[name] = shape
                self._kinds[name] = kind
        for name in node.outputs[len(shapes) :]:
            if name:
                raise DetectorError(f"{node.kind} gives more than is understood")

    def keep_value(self, node: Node, shape: Shape, value: Callable[[], NDArray[Any]]) -> None:
        """Take in what `node` gives, where all its inputs are known and it is as small as settings are."""
        constant = all(name in self.values for name in node.inputs)
        if constant and node.outputs[0] and math.prod(shape) <= 2 * MOST_AXES:
            with np.errstate(all="ignore"):
                self.values[node.outputs[0]] = value()

    def _kind_after(self, node: Node) -> np.dtype[Any]:
        if node.outputs[0] in self.values:
            return self.values[node.outputs[0]].dtype
        if node.kind == "Cast":
            return np.dtype(TYPES[node.integer("to", 0)])
        if node.kind == "ConstantOfShape":
            return np.asarray(node.attributes.get("value", np.float32(0))).dtype
        if node.kind == "QuantizeLinear":
            return np.dtype("u1")
        if node.kind == "DequantizeLinear" or not node.inputs:
            return _FLOAT32
        return self._kinds.get(node.inputs[0], _FLOAT32)

    def _require_size(self, name: str, shape: Shape) -> None:
        if len(shape) > MOST_AXES:
            raise DetectorError(f"the tensor {name[:60]!r} would have {len(shape)} axes")
        if any(length < 1 for length in shape) or math.prod(shape) > self._most:
            raise DetectorError(f"the tensor {name[:60]!r} would have the shape {shape}")


_OF_INTEGERS: Mapping[str, Callable[[Any, Any], NDArray[Any]]] = {
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
    """Shapes of all tensors of `graph` with so many windows.

    Raises `DetectorError` naming an operator that isn't on the list, shapes that don't fit together, or a
    size that no detector has.
    """
    known = ShapeInference(graph, windows)
    for node in graph.nodes:
        reason = refusal(node.kind, node.attributes)
        if reason is not None:
            raise DetectorError(reason)
        try:
            shapes = RULES[node.kind](node, known)
        except DetectorError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError):
            raise DetectorError(
                f"{node.kind} {node.name[:60]!r} does not fit what it reads"
            ) from None
        known.keep(node, shapes)
    (output,) = graph.outputs
    declared = tuple(windows if length is None else length for length in graph.outputs[output])
    if known.shapes[output] != declared:
        raise DetectorError(
            f"its output has the shape {known.shapes[output]}, not the one it declares"
        )
    return Sizes(known.shapes, known.values)


def _same(node: Node, known: ShapeInference) -> list[Shape]:
    return [known.shape(node)]


def _elementwise(node: Node, known: ShapeInference) -> list[Shape]:
    if node.kind == "PRelu" and known.shape(node) != _broadcast(node, known)[0]:
        raise ValueError
    if node.kind == "Cast":
        kind = TYPES.get(node.integer("to", 0))
        if kind is None:
            raise ValueError
        known.keep_value(node, known.shape(node), lambda: known.value(node, 0).astype(kind))
    return [known.shape(node)]


def _broadcast(node: Node, known: ShapeInference) -> list[Shape]:
    after = np.broadcast_shapes(*(known.shape(node, k) for k in range(len(node.inputs))))
    operation = _OF_INTEGERS.get(node.kind)
    if not known.in_integers(node):
        return [after]
    if node.kind == "Div" and known.value(node, 1).min() < 1:
        raise ValueError  # whole numbers divided by zero may end the process
    if operation is not None:
        known.keep_value(node, after, lambda: operation(known.value(node, 0), known.value(node, 1)))
    return [after]


def _conv(node: Node, known: ShapeInference) -> list[Shape]:
    before, weight = known.shape(node), known.shape(node, 1)
    group = node.integer("group", 1)
    if group < 1 or before[1] != weight[1] * group or weight[0] % group:
        raise ValueError
    if len(before) != len(weight) or (known.has(node, 2) and known.shape(node, 2) != (weight[0],)):
        raise ValueError
    return [(before[0], weight[0], *geometry_of(node, known.shapes).lengths(before[2:]))]


def _pool(node: Node, known: ShapeInference) -> list[Shape]:
    before, geometry = known.shape(node), geometry_of(node, known.shapes)
    if any(
        max(b, e) >= k for b, e, k in zip(geometry.begin, geometry.end, geometry.sizes, strict=True)
    ):
        raise ValueError
    return [(*before[:2], *geometry.lengths(before[2:]))]


def _over_space(node: Node, known: ShapeInference) -> list[Shape]:
    before = known.shape(node)
    return [(*before[:2], *(1,) * (len(before) - 2))]


def _flatten(node: Node, known: ShapeInference) -> list[Shape]:
    before, axis = known.shape(node), node.integer("axis", 1)
    return [(math.prod(before[:axis]), math.prod(before[axis:]))]


def _reshape(node: Node, known: ShapeInference) -> list[Shape]:
    before, target = known.shape(node), known.integers(node, 1)
    after = [before[k] if length == 0 else length for k, length in enumerate(target)]
    rest = math.prod(length for length in after if length != -1)
    if after.count(-1) == 1:
        after[after.index(-1)] = math.prod(before) // rest
    if min(after) < 1 or math.prod(after) != math.prod(before):
        raise ValueError
    known.keep_value(node, tuple(after), lambda: known.value(node, 0).reshape(after))
    return [tuple(after)]


def _transpose(node: Node, known: ShapeInference) -> list[Shape]:
    before = known.shape(node)
    order = node.integers("perm", tuple(reversed(range(len(before)))))
    if sorted(order) != list(range(len(before))):
        raise ValueError
    after = tuple(before[axis] for axis in order)
    known.keep_value(node, after, lambda: known.value(node, 0).transpose(order))
    return [after]


def axes_of(node: Node, value_of: Callable[[Node, int], NDArray[Any]], rank: int) -> list[int]:
    """Axes from an attribute or the second input, counted from the front; all where there are none."""
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        value = value_of(node, 1)
        axes = tuple(int(axis) for axis in value.reshape(-1)) if value.size <= rank else ()
    if axes is None:
        return list(range(rank))
    if not isinstance(axes, tuple) or not axes:
        raise ValueError
    positive = [int(axis) % rank for axis in axes if -rank <= int(axis) < rank]
    if len(set(positive)) != len(axes):
        raise ValueError
    return positive


def _reduce(node: Node, known: ShapeInference) -> list[Shape]:
    before = known.shape(node)
    axes = axes_of(node, known.value, len(before))
    keep = node.integer("keepdims", 1)
    return [tuple(1 if k in axes else n for k, n in enumerate(before) if keep or k not in axes)]


def _squeeze(node: Node, known: ShapeInference) -> list[Shape]:
    before = known.shape(node)
    axes = axes_of(node, known.value, len(before))
    if any(before[axis] != 1 for axis in axes):
        raise ValueError
    return [tuple(n for k, n in enumerate(before) if k not in axes)]


def _unsqueeze(node: Node, known: ShapeInference) -> list[Shape]:
    before = known.shape(node)
    count = len(known.integers(node, 1))
    axes = axes_of(node, known.value, len(before) + count)
    sizes = iter(before)
    after = tuple(1 if k in axes else next(sizes) for k in range(len(before) + count))
    known.keep_value(node, after, lambda: known.value(node, 0).reshape(after))
    return [after]


def _concat(node: Node, known: ShapeInference) -> list[Shape]:
    shapes = [known.shape(node, k) for k in range(len(node.inputs))]
    axis = node.integer("axis", 0) % len(shapes[0])
    if len({shape[:axis] + shape[axis + 1 :] for shape in shapes}) != 1:
        raise ValueError
    total = sum(shape[axis] for shape in shapes)
    after = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    parts = range(len(shapes))
    known.keep_value(
        node, after, lambda: np.concatenate([known.value(node, k) for k in parts], axis=axis)
    )
    return [after]


def _slice(node: Node, known: ShapeInference) -> list[Shape]:
    after = list(known.shape(node))
    starts, ends = known.integers(node, 1), known.integers(node, 2)
    axes = known.integers(node, 3) if known.has(node, 3) else list(range(len(starts)))
    steps = known.integers(node, 4) if known.has(node, 4) else [1] * len(starts)
    if len({axis % len(after) for axis in axes}) != len(axes):
        raise ValueError
    parts = [slice(None)] * len(after)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[axis] = slice(start, end, step)
        after[axis] = len(range(*parts[axis].indices(after[axis])))
    known.keep_value(node, tuple(after), lambda: known.value(node, 0)[tuple(parts)])
    return [tuple(after)]


def _split(node: Node, known: ShapeInference) -> list[Shape]:
    before, count = known.shape(node), len(node.outputs)
    axis = node.integer("axis", 0) % len(before)
    lengths = known.integers(node, 1) if known.has(node, 1) else [before[axis] // count] * count
    if len(lengths) != count or sum(lengths) != before[axis]:
        raise ValueError
    return [(*before[:axis], length, *before[axis + 1 :]) for length in lengths]


def _gather(node: Node, known: ShapeInference) -> list[Shape]:
    before, chosen = known.shape(node), known.value(node, 1)
    axis = node.integer("axis", 0) % len(before)
    if chosen.size and (chosen.min() < -before[axis] or chosen.max() >= before[axis]):
        raise ValueError
    after = (*before[:axis], *chosen.shape, *before[axis + 1 :])
    known.keep_value(node, after, lambda: np.take(known.value(node, 0), chosen, axis=axis))
    return [after]


def _shape(node: Node, known: ShapeInference) -> list[Shape]:
    if {"start", "end"} & node.attributes.keys() or not node.outputs[0]:
        raise ValueError
    known.values[node.outputs[0]] = np.array(known.shape(node), dtype=np.int64)
    return [(len(known.shape(node)),)]


def _constant(node: Node, known: ShapeInference) -> list[Shape]:
    value = node.attributes["value"]
    if not isinstance(value, np.ndarray) or not node.outputs[0]:
        raise ValueError
    known.values[node.outputs[0]] = value
    return [value.shape]


def _constant_of_shape(node: Node, known: ShapeInference) -> list[Shape]:
    after, value = tuple(known.integers(node, 0)), node.attributes.get("value", np.float32(0))
    known.keep_value(node, after, lambda: np.full(after, value))
    return [after]


def _expand(node: Node, known: ShapeInference) -> list[Shape]:
    return [np.broadcast_shapes(known.shape(node), tuple(known.integers(node, 1)))]


def _pad(node: Node, known: ShapeInference) -> list[Shape]:
    before, pads = known.shape(node), bounded(known.integers(node, 1), 0)
    if len(pads) != 2 * len(before) or known.has(node, 3):
        raise ValueError
    return [tuple(n + pads[k] + pads[k + len(before)] for k, n in enumerate(before))]


def _matmul(node: Node, known: ShapeInference) -> list[Shape]:
    left, right = known.shape(node), known.shape(node, 1)
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ValueError
    return [(*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])]


def _gemm(node: Node, known: ShapeInference) -> list[Shape]:
    left, right = known.shape(node), known.shape(node, 1)
    rows, inner = left[::-1] if node.integer("transA", 0) else left
    again, columns = right[::-1] if node.integer("transB", 0) else right
    if inner != again:
        raise ValueError
    if known.has(node, 2):
        np.broadcast_shapes((rows, columns), known.shape(node, 2))
    return [(rows, columns)]


def _recurrent(node: Node, known: ShapeInference) -> list[Shape]:
    time, batch, width = known.shape(node)
    gates = RECURRENT[node.kind]
    hidden = node.integer("hidden_size", 0)
    ways = 2 if node.attributes.get("direction", "forward") == "bidirectional" else 1
    last = (ways, batch, hidden)
    expected: dict[int, Shape] = {
        1: (ways, gates * hidden, width),
        2: (ways, gates * hidden, hidden),
        3: (ways, 2 * gates * hidden),
        5: last,
        6: last,
    }
    for index in range(1, len(node.inputs)):
        if known.has(node, index) and known.shape(node, index) != expected[index]:
            raise ValueError
    if hidden < 1:
        raise ValueError
    return [(time, ways, batch, hidden), last, last][: len(node.outputs)]


RULES: Mapping[str, Callable[[Node, ShapeInference], list[Shape]]] = {
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
OPERATORS = frozenset(RULES)
"""The list."""
