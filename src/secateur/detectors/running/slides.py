"""How convolutions and poolings go over time and space.

Comes in: a node and the shapes of what it reads. Goes out: its `Slide`. Next: `shapes` says by it what is
left, `reach` how far back it looks, `carried` what it must keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secateur.detectors.running.graph import Node
from secateur.errors import DetectorError

Shape = tuple[int, ...]
_LARGEST_SETTING = 1 << 16


def bounded(numbers: Sequence[int], least: int) -> Sequence[int]:
    """`numbers` themselves, where a detector may have such settings. Raises `DetectorError`."""
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
    """The slide of a `WINDOWED` node. Raises `DetectorError` where its settings are no detector's."""
    axes = len(shapes[node.inputs[0]]) - 2
    sizes = shapes[node.inputs[1]][2:] if node.kind == "Conv" else (0,) * axes
    told = node.wholes("kernel_shape", sizes)
    if node.kind == "Conv" and told != sizes:
        raise DetectorError(f"Conv {node.name[:60]!r}: kernel_shape disagrees with its weights")
    ones = (1,) * axes
    pads = tuple(bounded(node.wholes("pads", (0,) * (2 * axes)), 0))
    if any(pad > _LARGEST_SETTING // 16 for pad in pads):
        raise DetectorError(f"{node.kind} {node.name[:60]!r}: a padding of {max(pads)}")
    return Slide(
        tuple(bounded(told, 1)),
        tuple(bounded(node.wholes("strides", ones), 1)),
        tuple(bounded(node.wholes("dilations", ones), 1)),
        pads[:axes],
        pads[axes:],
    )
