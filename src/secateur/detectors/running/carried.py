"""The network in a stream: each layer keeps what the next samples need, so a hop computes what is new.

Comes in: a `Cut` without padding. Goes out: its head as a graph that takes one hop of samples and every
layer's rest, and gives that hop's steps and the new rests; and `CarriedPass`, which runs it. Next: `stream`
pushes samples into it.

A layer that slides over time in strides of s and spans d + 1 of its steps lags behind its input. Where its
input lags by a, it lags by b = ceil((a + d + 1) / s) − 1 of its own steps and keeps the last b·s − a steps of
its input; counted from the first sample, so its strides fall where they fall in a whole recording. Where
branches meet, the one that lags less waits. The first hop finds rests of zeros, as if there had been a
signal before: steps of that time are thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.operators import WINDOWED
from secateur.detectors.running.graph import Graph, Node
from secateur.detectors.running.passes import Grid, Logits, State
from secateur.detectors.running.reach import Cut, Reach, needed, reaches, weights_of
from secateur.detectors.running.runtimes import Session
from secateur.detectors.running.shapes import Sizes
from secateur.detectors.running.slides import Shape, slide_of

_LAST = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Carried:
    """A head for one hop. `rests`: what each layer keeps, by the input's name; shapes for one signal.

    Its outputs are the seam and then the new rests in the order of `rests`. `lag`: steps by which the seam
    lags behind the samples.
    """

    graph: Graph
    rests: Mapping[str, Shape]
    lag: int


def carry(graph: Graph, sizes: Sizes, cut: Cut, hop: int) -> Carried:
    """The head of `cut`, which was made from `graph`, for hops of `hop` samples."""
    writer = _Writer(graph, sizes, cut, hop)
    for node in cut.head.nodes:
        writer.write(node)
    (seam,) = cut.head.outputs
    (windows,) = cut.head.inputs
    outputs = {seam: cut.head.outputs[seam], **writer.kept}
    whole = Graph(
        tuple(writer.nodes),
        {**cut.head.weights, **writer.weights},
        {windows: (None, cut.head.inputs[windows][1], hop)},
        outputs,
        graph.opset,
    )
    nodes = needed(whole, outputs)
    inputs = {**whole.inputs, **{name: (None, *shape[1:]) for name, shape in writer.rests.items()}}
    final = replace(whole, nodes=nodes, weights=weights_of(whole, nodes), inputs=inputs)
    return Carried(final, writer.rests, writer.lags[seam])


class _Writer:
    """The head's nodes as they are written, each tensor's lag, and the rests so far."""

    def __init__(self, graph: Graph, sizes: Sizes, cut: Cut, hop: int) -> None:
        self._found: dict[str, Reach] = reaches(graph, sizes)
        self._sizes, self._hop = sizes, hop
        self._maker = {name: node for node in cut.head.nodes for name in node.outputs}
        self.lags: dict[str, int] = dict.fromkeys(cut.head.inputs, 0)
        self.nodes: list[Node] = []
        self.weights: dict[str, NDArray[np.int64]] = {}
        self.rests: dict[str, Shape] = {}
        self.kept: dict[str, tuple[int | None, ...]] = {}

    def write(self, node: Node) -> None:
        """One node of the head, with what it needs to carry before it."""
        moving = [name for name in node.inputs if name in self.lags]
        lag = max((self.lags[name] for name in moving), default=0)
        if moving and node.kind in WINDOWED:
            reach = self._found[node.inputs[0]]
            slide, place = slide_of(node, self._sizes.shapes), reach.axis - 2
            span, stride = (slide.sizes[place] - 1) * slide.dilations[place], slide.strides[place]
            after = -(-(lag + span + 1) // stride) - 1
            source = self._with_rest(node, node.inputs[0], after * stride - lag)
            node, lag = replace(node, inputs=(source, *node.inputs[1:])), after
        else:
            for name in moving:
                if self.lags[name] < lag:
                    late = self._with_rest(node, name, lag - self.lags[name], first=True)
                    inputs = tuple(late if one == name else one for one in node.inputs)
                    node = replace(node, inputs=inputs)
        self.nodes.append(node)
        if moving:
            self.lags.update(dict.fromkeys(node.outputs, lag))

    def _with_rest(self, reader: Node, name: str, count: int, first: bool = False) -> str:
        """`name` behind its last `count` steps of the hop before; `first`: without those that are new.

        What stands in 8 bits is joined in 8 bits: so each layer keeps the neighbours with which ONNX
        Runtime makes one operation in whole numbers of it, as it does for windows.
        """
        if count == 0:
            return name
        reach = self._found[name]
        axis, tag = reach.axis, f"{reader.outputs[0]}.{len(self.rests)}"
        shape = list(self._sizes.shapes[name])
        shape[axis] = count
        rest, kept = f"{tag}.rest", f"{tag}.kept"
        self.rests[rest], self.kept[kept] = tuple(shape), (None, *shape[1:])
        pack, back = self._packing(name)
        packed = (name, rest)
        if pack is not None:
            packed = pack.outputs[0], self._apply(pack, rest, f"{rest}.packed")
        joined = f"{tag}.joined"
        self.nodes.append(Node("Concat", packed[::-1], (joined,), {"axis": axis}, joined))
        last = self._sliced(joined, -count, None, axis, kept if back is None else f"{tag}.last")
        if back is not None:
            self._apply(back, last, kept)
        if first:
            joined = self._sliced(joined, 0, self._hop // reach.step, axis, f"{tag}.waited")
        return joined if back is None else self._apply(back, joined, f"{tag}.read")

    def _packing(self, name: str) -> tuple[Node | None, Node | None]:
        """The nodes that put a tensor in 8 bits and read it back, where it is read from 8 bits."""
        back = self._maker.get(name)
        if back is None or back.kind != "DequantizeLinear":
            return None, None
        pack = self._maker.get(back.inputs[0])
        if pack is None or pack.kind != "QuantizeLinear":
            return None, None
        return pack, back

    def _apply(self, node: Node, name: str, out: str) -> str:
        """What a node does, done to another tensor; returns `out`, its name."""
        self.nodes.append(replace(node, inputs=(name, *node.inputs[1:]), outputs=(out,), name=out))
        return out

    def _sliced(self, name: str, begin: int, end: int | None, axis: int, out: str) -> str:
        """Steps from `begin` to `end` (None: the last) of a tensor; returns `out`, its name."""
        told = {"from": begin, "to": _LAST if end is None else end, "axis": axis}
        for what, number in told.items():
            self.weights[f"{out}.{what}"] = np.array([number])
        self.nodes.append(
            Node("Slice", (name, *(f"{out}.{what}" for what in told)), (out,), {}, out)
        )
        return out


class CarriedPass:
    """Hop by hop; for windows of whole hops."""

    def __init__(
        self, head: Session, tail: Session, cut: Cut, carried: Carried, grid: Grid
    ) -> None:
        self._head, self._tail, self._cut, self._grid = head, tail, cut, grid
        self._each = grid.hop // cut.reach.step
        self._lag = carried.lag
        self._buffer = np.empty((grid.signals, grid.channels, 0), dtype=np.float32)
        self._rests = {
            name: np.zeros((grid.signals, *shape[1:]), dtype=np.float32)
            for name, shape in carried.rests.items()
        }
        (seam,) = cut.head.outputs.values()
        rest = [size or 0 for size in seam[1:]]
        del rest[cut.reach.axis - 1]
        # a window's last steps; time is the last axis
        self._ring = np.empty((grid.signals, *rest, 0), dtype=np.float32)
        self._hops = 0

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """See `Pass.push`."""
        hop = self._grid.hop
        if self._buffer.shape[2]:
            samples = np.concatenate((self._buffer, samples), axis=2)
        count = samples.shape[2] // hop
        found = [self._run(samples[:, :, k * hop : (k + 1) * hop]) for k in range(count)]
        self._buffer = samples[:, :, count * hop :].copy()
        known = [one for one in found if one is not None]
        return np.stack(known) if known else self._grid.empty()

    def _run(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """One hop; the logits (signals × 2) of the window that it ends."""
        feed = {self._head.inputs[0]: np.ascontiguousarray(samples), **self._rests}
        new, *rests = self._head.run_many(feed)
        self._rests = dict(zip(self._rests, rests, strict=True))
        self._hops += 1
        axis, steps = self._cut.reach.axis, self._cut.steps
        new = np.moveaxis(new, axis, -1)
        before_all = max(0, self._lag - (self._hops - 1) * self._each)
        new = new[..., before_all:]
        ring = np.concatenate((self._ring, new), axis=-1)
        self._ring = ring[..., -steps:] if ring.shape[-1] > steps else ring
        if self._hops * self._grid.hop < self._grid.length:
            return None
        return self._tail.run(np.ascontiguousarray(np.moveaxis(self._ring, -1, axis)))

    def state(self) -> State:
        """See `Pass.state`."""
        return {
            "hops": self._hops,
            "buffer": self._buffer.copy(),
            "rests": {name: one.copy() for name, one in self._rests.items()},
            "ring": self._ring.copy(),
        }

    def restore(self, state: State) -> None:
        """See `Pass.restore`."""
        hops, buffer, ring = int(state["hops"]), state["buffer"], state["ring"]
        steps = min(self._cut.steps, max(0, hops * self._each - self._lag))
        shapes = [rest.shape for rest in self._rests.values()]
        if (
            [rest.shape for rest in state["rests"].values()] != shapes
            or ring.shape != (*self._ring.shape[:-1], steps)
            or buffer.shape[:2] != self._buffer.shape[:2]
            or buffer.shape[2] >= self._grid.hop
        ):
            raise ValueError("the network's steps are not those of so many hops")
        self._hops, self._buffer, self._ring = hops, buffer, ring
        self._rests = dict(state["rests"])


def carries(
    graph: Graph, sizes: Sizes, cut: Cut, grid: Grid, open_session: Callable[[bytes], Session]
) -> tuple[Session, Carried] | None:
    """The session of a head that carries, and what it carries; None where a stream can't run that way."""
    if cut.padded or grid.length % grid.hop:
        return None
    carried = carry(graph, sizes, cut, grid.hop)
    return open_session(carried.graph.to_bytes()), carried
