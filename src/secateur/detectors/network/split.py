"""Which samples each step of each tensor depends on, and where a network is best split in two.

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

from secateur.detectors.network.limits import macs_of, work_of
from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import Sizes, axes_of, geometry_of
from secateur.detectors.operators import BROADCAST, ELEMENTWISE, WINDOWED

_WORTH = 0.8
"""Of sliding's work; where splitting saves less, it isn't done."""
_GATHERED = 20
"""Multiplications in the time in which a number of a window's share is gathered."""


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
    return CutPoint(tensor, field, steps, left, max(0, steps - untouched))


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
