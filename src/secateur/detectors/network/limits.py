"""What a detector may cost in memory and time, known before any of it runs.

The bounds are far above any detector: of those that are built in, the largest tensors together hold 0.4
million numbers for a window, and the most work is 20 million multiplications.
"""

from __future__ import annotations

import math
from fractions import Fraction

from secateur.detectors.file import DetectorInfo
from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import LARGEST, Shape, Sizes, geometry_of, sizes_of
from secateur.detectors.operators import RECURRENT, WINDOWED
from secateur.errors import DetectorError
from secateur.windows import SignalChain
from secateur.windows.chain import PIECE

MOST_WINDOWS = 64
"""That go through a network at once."""
MOVED = 10
"""Multiplications in the time in which a number is written."""

_ALL = 1 << 26
"""Numbers in all tensors together for one window: 256 MiB."""
_ALL_IN_BULK = 1 << 28
"""The same for a piece of a recording gone through at once."""
_WORK = 1 << 33
"""Multiplications for one window, about a second."""
_WORK_A_SECOND = 1 << 37
"""Multiplications for one second of signal; no core gets through them in the time."""
_PARTS = 1 << 16
"""The most that a rate in Hz may have above its line as a fraction; filters that resample grow with it."""
_SMOOTHED = 1 << 20


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
    return numbers * MOVED


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


def check_demands(info: DetectorInfo, graph: Graph, sizes: Sizes) -> None:
    """Whether what the file says beside its network fits it and can be done. Raises `DetectorError`."""
    rate, (length, hop) = info.chain.sampling_rate, info.window_and_hop
    channels = len(SignalChain(info.chain, info.scale).channel_names)
    if channels != len(info.scale.mean):
        raise DetectorError(
            f"its montage gives {channels} channels, its scale is of {len(info.scale.mean)}"
        )
    (shape,), (out,) = graph.inputs.values(), graph.outputs.values()
    if shape != (None, channels, length) or out != (None, 2):
        raise DetectorError(
            f"its network does not take windows of {channels} channels × {length} samples, as its "
            "metadata says"
        )
    if Fraction(rate).limit_denominator(10_000).numerator > _PARTS:
        raise DetectorError(f"a sampling rate of {rate!r} Hz can't be reached by resampling")
    work = sum(work_of(node, sizes) for node in graph.nodes)
    if work * rate / hop > _WORK_A_SECOND:
        raise DetectorError(
            f"a second of signal takes {work * rate / hop:.1e} multiplications; its hop is too short"
        )
    if info.post_processing.smoothing * rate / hop > _SMOOTHED:
        raise DetectorError(
            f"smoothing over {info.post_processing.smoothing:g} s is over too many hops"
        )
