"""What a network costs, known before any of it runs: too much is refused, and where going over a recording
costs least it is split in two.

The bounds are far above any detector: of those that are built in, the largest tensors together hold 0.4
million numbers for a window, and the most work is 20 million multiplications.

Step i of a tensor along time depends on samples i·step + first to i·step + last of the input, however long
the input is. Unpadded networks have first = 0. Padding sets in zeros outside of the window, so steps at a
window's edges are others than the same steps in the middle of a recording: their number is known from the
receptive field too, and `run` computes those again for each window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import (
    BROADCAST,
    ELEMENTWISE,
    LARGEST,
    RECURRENT,
    WINDOWED,
    Shape,
    Sizes,
    axes_of,
    geometry_of,
    sizes_of,
)
from secateur.errors import DetectorError
from secateur.windows.chain import PIECE

MOST_WINDOWS = 64
"""That go through a network at once."""
_MOVED = 10
"""Multiplications in the time in which a number is written."""

_ALL = 1 << 26
"""Numbers in all tensors together for one window: 256 MiB."""
_ALL_IN_BULK = 1 << 28
"""The same for a piece of a recording gone through at once."""
_WORK = 1 << 33
"""Multiplications for one window, about a second."""
_WORTH = 0.8
"""Of sliding's work; where splitting saves less, it isn't done."""
_GATHERED = 20
"""Multiplications in the time in which a number of a window's share is gathered."""


def affordable(graph: Graph) -> Sizes:
    """The sizes of a network that can be run on any machine. Raises `DetectorError`.

    Windows must not meet each other: with `MOST_WINDOWS` of them every tensor is as large as with one, or
    as many times larger, on one axis.
    """
    sizes, many = sizes_of(graph), sizes_of(graph, MOST_WINDOWS)
    for name, shape in sizes.shapes.items():
        if not _grows(shape, many.shapes[name]):
            raise DetectorError(f"the tensor {name[:60]!r} does not keep windows apart")
    if sizes.together > _ALL:
        raise DetectorError(f"its tensors hold {sizes.together} numbers together")
    work = 0
    for node in graph.nodes:
        work += work_of(node, sizes)
        if node.kind == "Conv" and _unrolled(node, sizes) > 4 * LARGEST:
            raise DetectorError(f"Conv {node.name[:60]!r} reads {_unrolled(node, sizes)} numbers")
    if work > _WORK:
        raise DetectorError(f"a window takes {work:.1e} multiplications")
    return sizes


def _grows(single: Shape, many: Shape) -> bool:
    if single == many:
        return True
    changed = [pair for pair in zip(single, many, strict=False) if pair[0] != pair[1]]
    if len(single) != len(many) or len(changed) != 1:
        return False
    return changed[0][1] == MOST_WINDOWS * changed[0][0]


def _unrolled(node: Node, sizes: Sizes) -> int:
    """Numbers that a convolution lays side by side before it multiplies."""
    weight, out = sizes.shapes[node.inputs[1]], sizes.shapes[node.outputs[0]]
    return node.integer("group", 1) * math.prod(weight[1:]) * math.prod(out[2:])


def work_of(node: Node, sizes: Sizes) -> int:
    """About how much there is to do for one window, in multiplications."""
    macs = macs_of(node, sizes)
    if macs or not node.outputs[0]:
        return macs
    numbers = math.prod(sizes.shapes[node.outputs[0]])
    if node.kind in WINDOWED:
        return numbers * math.prod(geometry_of(node, sizes.shapes).sizes)
    return numbers * _MOVED


def macs_of(node: Node, sizes: Sizes) -> int:
    """Multiply-accumulates for one window, of convolutions, matrix products and recurrent layers.

    A convolution does its weights once for each position that it gives out, a product once for each row, a
    recurrent layer once for each step. Biases, norms and activations don't count.
    """
    shapes = sizes.shapes
    if node.kind in ("Conv", "Gemm", "MatMul"):
        out, weight = shapes[node.outputs[0]], shapes[node.inputs[1]]
        if node.kind == "Conv":
            return math.prod(out) * math.prod(weight[1:])
        inner = math.prod(weight) // out[-1] if node.kind == "Gemm" else weight[-2]
        return math.prod(out) * inner
    if node.kind in RECURRENT:
        time, windows, _ = shapes[node.inputs[0]]
        return time * windows * sum(math.prod(shapes[name]) for name in node.inputs[1:3])
    return 0


def fits_in_bulk(sizes: Sizes, seconds: float) -> bool:
    """Whether a piece of a recording may go through the network at once, for windows of `seconds`."""
    return sizes.together * PIECE / seconds <= _ALL_IN_BULK


@dataclass(frozen=True)
class ReceptiveField:
    """Which samples a step of a tensor depends on, as the module says.

    `axis`: which of the tensor's axes is time. `step`, `first`, `last`: in samples.
    """

    axis: int
    step: int = 1
    first: int = 0
    last: int = 0

    def through(self, axis: int) -> ReceptiveField:
        """The same, with time on another axis."""
        return replace(self, axis=axis)


def fields_of(graph: Graph, sizes: Sizes) -> dict[str, ReceptiveField]:
    """The receptive field of every tensor that runs along time and has windows on its first axis."""
    (windows,) = graph.inputs
    known = {windows: ReceptiveField(len(graph.inputs[windows]) - 1)}
    fixed = set(graph.weights)
    for node in graph.nodes:
        if all(name in fixed for name in node.inputs if name):
            fixed.update(node.outputs)
            continue
        field = _after(node, known, fixed, sizes)
        if field is not None:
            known[node.outputs[0]] = field
    return known


def _after(
    node: Node, known: Mapping[str, ReceptiveField], fixed: set[str], sizes: Sizes
) -> ReceptiveField | None:
    """The receptive field of a node's first output; None where it isn't known to run along time."""
    moving = [name for name in node.inputs if name and name not in fixed]
    if any(name not in known for name in moving) or len(node.outputs) != 1:
        return None
    if node.kind in BROADCAST or node.kind == "Concat":
        return _together(node, [known[name] for name in moving], fixed, sizes)
    before = known.get(node.inputs[0])
    if before is None or len(moving) != 1:
        return None
    if node.kind in ELEMENTWISE:
        settings = (name for name in node.inputs[1:] if name)
        flat = all(_flat(name, node.inputs[0], before.axis, sizes) for name in settings)
        return before if flat else None
    if node.kind in WINDOWED:
        return _slid(node, before, sizes)
    return _moved(node, before, sizes)


def _flat(name: str, beside: str, axis: int, sizes: Sizes) -> bool:
    """Whether a setting is the same all along time."""
    shape, rank = sizes.shapes[name], len(sizes.shapes[beside])
    own_axis = axis - (rank - len(shape))
    return math.prod(shape) == 1 or own_axis < 0 or shape[own_axis] == 1


def _together(
    node: Node, parts: list[ReceptiveField], fixed: set[str], sizes: Sizes
) -> ReceptiveField | None:
    out = node.outputs[0]
    first, rank = parts[0], len(sizes.shapes[out])
    moving = [name for name in node.inputs if name not in fixed]
    lengths = {sizes.shapes[name][part.axis] for name, part in zip(moving, parts, strict=True)}
    ranks = {len(sizes.shapes[name]) for name in moving}
    same = all((part.axis, part.step) == (first.axis, first.step) for part in parts)
    settings = [name for name in node.inputs if name in fixed]
    if not same or len(lengths) != 1 or ranks != {rank}:
        return None
    if node.kind == "Concat":
        if settings or node.integer("axis", 0) % rank in (0, first.axis):
            return None
    elif not all(_flat(name, out, first.axis, sizes) for name in settings):
        return None
    begin, end = min(part.first for part in parts), max(part.last for part in parts)
    return replace(first, first=begin, last=end)


def _slid(node: Node, before: ReceptiveField, sizes: Sizes) -> ReceptiveField | None:
    geometry, axis = geometry_of(node, sizes.shapes), before.axis - 2
    if axis < 0:
        return None
    span = (geometry.sizes[axis] - 1) * geometry.dilations[axis]
    first = before.first - geometry.begin[axis] * before.step
    last = before.last + (span - geometry.begin[axis]) * before.step
    return ReceptiveField(before.axis, before.step * geometry.strides[axis], first, last)


def _moved(node: Node, before: ReceptiveField, sizes: Sizes) -> ReceptiveField | None:
    shape, after = sizes.shapes[node.inputs[0]], sizes.shapes[node.outputs[0]]
    axis, rank = before.axis, len(shape)
    if node.kind == "BatchNormalization":
        return before if axis != 1 else None
    if node.kind in ("Softmax", "LogSoftmax"):
        return before if node.integer("axis", -1) % rank != axis else None
    if node.kind == "Transpose":
        order = node.integers("perm", tuple(reversed(range(rank))))
        return before.through(order.index(axis)) if order[0] == 0 else None
    if node.kind == "MatMul":
        return before if axis != rank - 1 and len(after) == rank else None
    if node.kind in ("Reshape", "Unsqueeze", "Squeeze"):
        return _reshaped(before, shape, after)
    if node.kind.startswith("Reduce"):
        axes = axes_of(node, lambda reader, index: sizes.values[reader.inputs[index]], rank)
        if axis in axes or 0 in axes:
            return None
        gone = 0 if node.integer("keepdims", 1) else sum(other < axis for other in axes)
        return before.through(axis - gone)
    return None


def _reshaped(
    before: ReceptiveField, shape: tuple[int, ...], after: tuple[int, ...]
) -> ReceptiveField | None:
    """Time stays time where as many numbers stand before it and after it, windows alone in front."""
    axis = before.axis
    around = math.prod(shape[1:axis]), shape[axis], math.prod(shape[axis + 1 :])
    for index in range(1, len(after)):
        now = math.prod(after[1:index]), after[index], math.prod(after[index + 1 :])
        if after[0] == 1 and now == around:
            return before.through(index)
    return None


@dataclass(frozen=True)
class CutPoint:
    """A tensor along time through which everything goes: a network can be cut there.

    `steps`: how many a window has. `left`, `right`: how many of them padding changes at a window's edges.
    """

    tensor: str
    field: ReceptiveField
    steps: int
    left: int
    right: int

    @property
    def padded(self) -> bool:
        """Whether a window's edges must be computed for each window."""
        return self.left + self.right > 0

    def stub(self, length: int) -> int:
        """Samples from a window's start, and as many to its end, that its edges need; `length`: the window's.

        It differs from a window by whole steps: so branches meet with equal lengths, and the end of a stub
        that goes to a window's end is padded as the window is.
        """
        field = self.field
        left = (self.left - 1) * field.step + field.last + 1
        right = length - (self.steps - self.right) * field.step - field.first
        return length - max(0, length - max(left, right)) // field.step * field.step


@dataclass(frozen=True)
class SplitNetwork(CutPoint):
    """A network in two.

    `head`: windows × channels × samples of any length that differs from a window's by whole steps; gives the
    cut point's tensor. `tail`: that tensor for whole windows; gives logits.
    """

    head: Graph
    tail: Graph


def split(graph: Graph, sizes: Sizes, hop: int) -> SplitNetwork | None:
    """The split that saves most work where windows follow each other every `hop` samples.

    None where none saves much: no tensor along time has a step that divides the hop, or padding reaches too
    far in.
    """
    (windows,) = graph.inputs
    length = sizes.shapes[windows][-1]
    fields = fields_of(graph, sizes)
    until = list(accumulate(work_of(node, sizes) for node in graph.nodes))
    best: tuple[float, CutPoint] | None = None
    for index, tensor in _cut_points(graph, fields):
        point = _cut_point(tensor, fields[tensor], sizes, length)
        if hop % point.field.step or point.left + point.right >= point.steps:
            continue
        share = (hop + 2 * point.stub(length) if point.padded else hop) / length
        cost = until[index] * share + until[-1] - until[index]
        cost += _GATHERED * math.prod(sizes.shapes[tensor])
        if cost < _WORTH * until[-1] and (best is None or cost < best[0]):
            best = cost, point
    if best is None:
        return None
    point = best[1]
    head, tail = _head(graph, sizes, fields, point.tensor), _tail(graph, sizes, point.tensor)
    return SplitNetwork(point.tensor, point.field, point.steps, point.left, point.right, head, tail)


def _cut_point(tensor: str, field: ReceptiveField, sizes: Sizes, length: int) -> CutPoint:
    steps = sizes.shapes[tensor][field.axis]
    left = -(-max(0, -field.first) // field.step)
    untouched = -(-max(0, length - field.last) // field.step)
    right = max(0, steps - untouched)
    return CutPoint(tensor, field, steps, left, right)


def _cut_points(graph: Graph, fields: Mapping[str, ReceptiveField]) -> list[tuple[int, str]]:
    """Tensors along time through which everything goes that reaches the output, with their node's index."""
    last_read = {name: k for k, node in enumerate(graph.nodes) for name in node.inputs}
    moving = set(graph.inputs)
    alive = set(graph.inputs)
    # between these and their neighbours ONNX Runtime makes one operation in whole numbers of two
    packed = {k for k, node in enumerate(graph.nodes) if node.kind == "QuantizeLinear"}
    points = []
    for k, node in enumerate(graph.nodes):
        if moving.isdisjoint(node.inputs):
            continue
        moving.update(node.outputs)
        alive.update(node.outputs)
        alive = {name for name in alive if last_read.get(name, -1) > k or name in graph.outputs}
        tensor = node.outputs[0]
        if alive != {tensor} or packed.intersection((k, last_read.get(tensor))):
            continue
        if tensor in fields:
            points.append((k, tensor))
    return points


def _needed(graph: Graph, tensors: Iterable[str], stop: str = "") -> tuple[Node, ...]:
    """The nodes that `tensors` come from, in order; not what comes before `stop`."""
    needed = set(tensors) - {stop}
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(name for name in node.inputs if name != stop)
    return tuple(reversed(kept))


def _weights_of(graph: Graph, nodes: Iterable[Node]) -> dict[str, np.ndarray]:
    """The weights that `nodes` read."""
    names = {name for node in nodes for name in node.inputs}
    return {name: weight for name, weight in graph.weights.items() if name in names}


def _head(graph: Graph, sizes: Sizes, fields: Mapping[str, ReceptiveField], tensor: str) -> Graph:
    """What comes before `tensor`, for any number of samples."""
    (windows,) = graph.inputs
    nodes = []
    shapes: dict[str, np.ndarray] = {}
    for node in _needed(graph, [tensor]):
        if node.kind == "Reshape" and node.outputs[0] in fields:
            target = [0, *sizes.shapes[node.outputs[0]][1:]]
            target[fields[node.outputs[0]].axis] = -1
            name = f"{node.outputs[0]}.any"
            shapes[name] = np.array(target, dtype=np.int64)
            node = replace(node, inputs=(node.inputs[0], name))
        nodes.append(node)
    weights = {**_weights_of(graph, nodes), **shapes}
    inputs = {windows: (None, graph.inputs[windows][1], None)}
    outside: list[int | None] = [None, *sizes.shapes[tensor][1:]]
    outside[fields[tensor].axis] = None
    return Graph(tuple(nodes), weights, inputs, {tensor: tuple(outside)}, graph.opset)


def _tail(graph: Graph, sizes: Sizes, tensor: str) -> Graph:
    """What comes after `tensor`.

    Where it is read from 8 bits, the tail begins by putting it in 8 bits again, which changes no
    number: so ONNX Runtime can compute the rest in whole numbers, as it does for windows.
    """
    nodes = _needed(graph, graph.outputs, tensor)
    maker = {name: node for node in graph.nodes for name in node.outputs}
    name, writer = tensor, maker[tensor]
    packed = maker.get(writer.inputs[0])
    if writer.kind == "DequantizeLinear" and packed is not None and packed.kind == "QuantizeLinear":
        name, between = f"{tensor}.float", f"{tensor}.again"
        again = replace(packed, inputs=(name, *packed.inputs[1:]), outputs=(between,), name=between)
        back = replace(writer, inputs=(between, *writer.inputs[1:]))
        nodes = (again, back, *nodes)
    inputs = {name: (None, *sizes.shapes[tensor][1:])}
    return Graph(nodes, _weights_of(graph, nodes), inputs, graph.outputs, graph.opset)


def macs_a_hop(graph: Graph, sizes: Sizes, parts: SplitNetwork | None, hop: int) -> int:
    """Multiply-accumulates that a recording costs for each of its hops of `hop` samples.

    Without `parts` those of a window by itself; else the head's for a hop, and for the edges that are
    computed again, and the tail's for a window.
    """
    if parts is None:
        return sum(macs_of(node, sizes) for node in graph.nodes)
    fields = fields_of(graph, sizes)
    (windows,) = graph.inputs
    length = sizes.shapes[windows][-1]
    again = 2 * parts.stub(length) / length if parts.padded else 0.0
    total = sum(macs_of(node, sizes) for node in parts.tail.nodes)
    for node in parts.head.nodes:
        macs = macs_of(node, sizes)
        if macs:
            field = fields[node.outputs[0]]
            steps = sizes.shapes[node.outputs[0]][field.axis]
            total += macs // steps * hop // field.step + round(macs * again)
    return total
