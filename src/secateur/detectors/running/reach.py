"""Which samples each step of each tensor depends on, and where a network is best cut in two.

Comes in: a `Graph` whose input is windows × channels × samples. Goes out: for tensors that still run along
time their `Reach`; and a `Cut`: the head, which may run over a whole recording at once, and the tail, which
takes each window's share of what the head gives. Next: `passes` and `carried` run them.

Step i of such a tensor depends on samples i·step + first to i·step + last of the input, however long the
input is. Unpadded networks have first = 0. Padding sets in zeros outside of the window, so steps at a
window's edges are others than the same steps in the middle of a recording: their number is known from the
reach too, and `passes` computes those again for each window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from secateur.detectors.operators import BROADCAST, ELEMENTWISE, WINDOWED
from secateur.detectors.running.costs import work_of
from secateur.detectors.running.graph import Graph, Node
from secateur.detectors.running.shapes import Sizes, axes_told
from secateur.detectors.running.slides import slide_of

_WORTH = 0.8
"""Of sliding's work; a cut that saves less is not made."""
_GATHERED = 20
"""Multiplications in the time in which a number of a window's share is gathered."""


@dataclass(frozen=True)
class Reach:
    """`axis`: which of a tensor's axes is time. `step`, `first`, `last`: in samples; see above."""

    axis: int
    step: int = 1
    first: int = 0
    last: int = 0

    def through(self, axis: int) -> Reach:
        """The same, with time on another axis."""
        return replace(self, axis=axis)


def reaches(graph: Graph, sizes: Sizes) -> dict[str, Reach]:
    """The reach of every tensor that runs along time and has windows on its first axis."""
    (windows,) = graph.inputs
    found = {windows: Reach(len(graph.inputs[windows]) - 1)}
    fixed = set(graph.weights)
    for node in graph.nodes:
        if all(name in fixed for name in node.inputs if name):
            fixed.update(node.outputs)
            continue
        reach = _after(node, found, fixed, sizes)
        if reach is not None:
            found[node.outputs[0]] = reach
    return found


def _after(node: Node, found: Mapping[str, Reach], fixed: set[str], sizes: Sizes) -> Reach | None:
    """The reach of a node's first output; None where it isn't known to run along time."""
    moving = [name for name in node.inputs if name and name not in fixed]
    if any(name not in found for name in moving) or len(node.outputs) != 1:
        return None
    if node.kind in BROADCAST or node.kind == "Concat":
        return _together(node, [found[name] for name in moving], fixed, sizes)
    before = found.get(node.inputs[0])
    if before is None or len(moving) != 1:
        return None
    if node.kind in ELEMENTWISE:
        flat = all(
            _flat(name, node.inputs[0], before.axis, sizes) for name in node.inputs[1:] if name
        )
        return before if flat else None
    if node.kind in WINDOWED:
        return _slid(node, before, sizes)
    return _moved(node, before, sizes)


def _flat(name: str, beside: str, axis: int, sizes: Sizes) -> bool:
    """Whether a setting is the same all along time."""
    shape, rank = sizes.shapes[name], len(sizes.shapes[beside])
    place = axis - (rank - len(shape))
    return math.prod(shape) == 1 or (place >= 0 and shape[place] == 1) or place < 0


def _together(node: Node, parts: list[Reach], fixed: set[str], sizes: Sizes) -> Reach | None:
    out = node.outputs[0]
    one, rank = parts[0], len(sizes.shapes[out])
    lengths = {
        sizes.shapes[name][part.axis]
        for name, part in zip((n for n in node.inputs if n not in fixed), parts, strict=True)
    }
    ranks = {len(sizes.shapes[name]) for name in node.inputs if name not in fixed}
    same = all((part.axis, part.step) == (one.axis, one.step) for part in parts)
    settings = [name for name in node.inputs if name in fixed]
    if not same or len(lengths) != 1 or ranks != {rank}:
        return None
    if node.kind == "Concat":
        if settings or node.whole("axis", 0) % rank in (0, one.axis):
            return None
    elif not all(_flat(name, out, one.axis, sizes) for name in settings):
        return None
    return replace(
        one, first=min(part.first for part in parts), last=max(part.last for part in parts)
    )


def _slid(node: Node, before: Reach, sizes: Sizes) -> Reach | None:
    slide, place = slide_of(node, sizes.shapes), before.axis - 2
    if place < 0:
        return None
    span = (slide.sizes[place] - 1) * slide.dilations[place]
    return Reach(
        before.axis,
        before.step * slide.strides[place],
        before.first - slide.begin[place] * before.step,
        before.last + (span - slide.begin[place]) * before.step,
    )


def _moved(node: Node, before: Reach, sizes: Sizes) -> Reach | None:
    shape, after = sizes.shapes[node.inputs[0]], sizes.shapes[node.outputs[0]]
    axis, rank = before.axis, len(shape)
    if node.kind == "BatchNormalization":
        return before if axis != 1 else None
    if node.kind in ("Softmax", "LogSoftmax"):
        return before if node.whole("axis", -1) % rank != axis else None
    if node.kind == "Transpose":
        order = node.wholes("perm", tuple(reversed(range(rank))))
        return before.through(order.index(axis)) if order[0] == 0 else None
    if node.kind == "MatMul":
        return before if axis != rank - 1 and len(after) == rank else None
    if node.kind in ("Reshape", "Unsqueeze", "Squeeze"):
        return _reshaped(before, shape, after)
    if node.kind.startswith("Reduce"):
        axes = axes_told(node, lambda one, place: sizes.values[one.inputs[place]], rank)
        if axis in axes or 0 in axes:
            return None
        gone = 0 if node.whole("keepdims", 1) else sum(one < axis for one in axes)
        return before.through(axis - gone)
    return None


def _reshaped(before: Reach, shape: tuple[int, ...], after: tuple[int, ...]) -> Reach | None:
    """Time stays time where as many numbers stand before it and after it, windows alone in front."""
    axis = before.axis
    around = math.prod(shape[1:axis]), shape[axis], math.prod(shape[axis + 1 :])
    for place in range(1, len(after)):
        now = math.prod(after[1:place]), after[place], math.prod(after[place + 1 :])
        if after[0] == 1 and now == around:
            return before.through(place)
    return None


@dataclass(frozen=True)
class Seam:
    """A tensor along time through which everything goes: a network can be cut there.

    `steps`: how many a window has. `left`, `right`: how many of them padding changes at a window's edges.
    """

    tensor: str
    reach: Reach
    steps: int
    left: int
    right: int

    @property
    def padded(self) -> bool:
        """Whether a window's edges must be computed for each window."""
        return self.left + self.right > 0

    def stub(self, length: int) -> int:
        """Samples from a window's start, and as many to its end, that its edges need; `length`: its own.

        It differs from a window by whole steps: so branches meet with equal lengths, and the end of a stub
        that goes to a window's end is padded as the window is.
        """
        reach = self.reach
        left = (self.left - 1) * reach.step + reach.last + 1
        right = length - (self.steps - self.right) * reach.step - reach.first
        return length - max(0, length - max(left, right)) // reach.step * reach.step


@dataclass(frozen=True)
class Cut(Seam):
    """A network in two.

    `head`: windows × channels × samples of any length that differs from a window's by whole steps; gives the
    seam's tensor. `tail`: that tensor for whole windows; gives logits.
    """

    head: Graph
    tail: Graph


def cut(graph: Graph, sizes: Sizes, hop: int) -> Cut | None:
    """The cut that saves most work where windows follow each other every `hop` samples.

    None where none saves much: no tensor along time has a step that divides the hop, or padding reaches too
    far in.
    """
    (windows,) = graph.inputs
    length = sizes.shapes[windows][-1]
    found = reaches(graph, sizes)
    until = list(accumulate(work_of(node, sizes) for node in graph.nodes))
    best: tuple[float, Seam] | None = None
    for place, tensor in _seams(graph, found):
        seam = _seam(tensor, found[tensor], sizes, length)
        if hop % seam.reach.step or seam.left + seam.right >= seam.steps:
            continue
        share = (hop + 2 * seam.stub(length) if seam.padded else hop) / length
        cost = until[place] * share + until[-1] - until[place]
        cost += _GATHERED * math.prod(sizes.shapes[tensor])
        if cost < _WORTH * until[-1] and (best is None or cost < best[0]):
            best = cost, seam
    if best is None:
        return None
    seam = best[1]
    head, tail = _head(graph, sizes, found, seam.tensor), _tail(graph, sizes, seam.tensor)
    return Cut(seam.tensor, seam.reach, seam.steps, seam.left, seam.right, head, tail)


def _seam(tensor: str, reach: Reach, sizes: Sizes, length: int) -> Seam:
    steps = sizes.shapes[tensor][reach.axis]
    left = -(-max(0, -reach.first) // reach.step)
    untouched = -(-max(0, length - reach.last) // reach.step)
    return Seam(tensor, reach, steps, left, max(0, steps - untouched))


def _seams(graph: Graph, found: Mapping[str, Reach]) -> list[tuple[int, str]]:
    """Tensors along time through which everything goes that reaches the output, with their node's place."""
    last_read = {name: k for k, node in enumerate(graph.nodes) for name in node.inputs}
    moving = set(graph.inputs)
    alive = set(graph.inputs)
    # between these and their neighbours ONNX Runtime makes one operation in whole numbers of two
    packed = {k for k, node in enumerate(graph.nodes) if node.kind == "QuantizeLinear"}
    seams = []
    for k, node in enumerate(graph.nodes):
        if moving.isdisjoint(node.inputs):
            continue
        moving.update(node.outputs)
        alive.update(node.outputs)
        alive = {name for name in alive if last_read.get(name, -1) > k or name in graph.outputs}
        seam = node.outputs[0]
        if alive == {seam} and seam in found and not packed.intersection((k, last_read.get(seam))):
            seams.append((k, seam))
    return seams


def needed(graph: Graph, wanted: Iterable[str], stop: str = "") -> tuple[Node, ...]:
    """The nodes that `wanted` comes from, in order; not what comes before `stop`."""
    needed = set(wanted) - {stop}
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(name for name in node.inputs if name != stop)
    return tuple(reversed(kept))


def weights_of(graph: Graph, nodes: Iterable[Node]) -> dict[str, np.ndarray]:
    """The weights that `nodes` read."""
    names = {name for node in nodes for name in node.inputs}
    return {name: one for name, one in graph.weights.items() if name in names}


def _head(graph: Graph, sizes: Sizes, found: Mapping[str, Reach], seam: str) -> Graph:
    """What comes before the seam, for any number of samples."""
    (windows,) = graph.inputs
    nodes = []
    shapes: dict[str, np.ndarray] = {}
    for node in needed(graph, [seam]):
        if node.kind == "Reshape" and node.outputs[0] in found:
            wanted = [0, *sizes.shapes[node.outputs[0]][1:]]
            wanted[found[node.outputs[0]].axis] = -1
            name = f"{node.outputs[0]}.any"
            shapes[name] = np.array(wanted, dtype=np.int64)
            node = replace(node, inputs=(node.inputs[0], name))
        nodes.append(node)
    channels = graph.inputs[windows][1]
    outside: list[int | None] = [None, *sizes.shapes[seam][1:]]
    outside[found[seam].axis] = None
    return Graph(
        tuple(nodes),
        {**weights_of(graph, nodes), **shapes},
        {windows: (None, channels, None)},
        {seam: tuple(outside)},
        graph.opset,
    )


def _tail(graph: Graph, sizes: Sizes, seam: str) -> Graph:
    """What comes after the seam.

    Where the seam is read from 8 bits, the tail begins by putting it in 8 bits again, which changes no
    number: so ONNX Runtime can compute the rest in whole numbers, as it does for windows.
    """
    nodes = needed(graph, graph.outputs, seam)
    maker = {name: node for node in graph.nodes for name in node.outputs}
    name, made_by = seam, maker[seam]
    packed = maker.get(made_by.inputs[0])
    if (
        made_by.kind == "DequantizeLinear"
        and packed is not None
        and packed.kind == "QuantizeLinear"
    ):
        name, between = f"{seam}.whole", f"{seam}.again"
        again = replace(packed, inputs=(name, *packed.inputs[1:]), outputs=(between,), name=between)
        back = replace(made_by, inputs=(between, *made_by.inputs[1:]))
        nodes = (again, back, *nodes)
    return Graph(
        nodes,
        weights_of(graph, nodes),
        {name: (None, *sizes.shapes[seam][1:])},
        graph.outputs,
        graph.opset,
    )
