"""What is known of a network's tensors on the way through its nodes.

Comes in: a `Graph`; then node by node the shapes that it gives. Goes out: a `Walk`, which refuses tensors
that no detector has. Next: the rules of `shapes` ask it and tell it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.running.graph import MOST_AXES, TYPES, Graph, Node
from secateur.detectors.running.slides import Shape
from secateur.errors import DetectorError

LARGEST = 1 << 24
"""Numbers in one tensor for one window: 64 MiB."""
_FLOAT32 = np.dtype("<f4")


class Walk:
    """Of each tensor its shape, the type of its numbers, and its value where it is a setting."""

    def __init__(self, graph: Graph, windows: int) -> None:
        self.shapes: dict[str, Shape] = {name: one.shape for name, one in graph.weights.items()}
        self.values: dict[str, NDArray[Any]] = dict(graph.weights)
        self._kinds = {name: one.dtype for name, one in graph.weights.items()}
        self._most = LARGEST * windows
        for name, shape in graph.inputs.items():
            self.shapes[name] = (windows, *(length or 0 for length in shape[1:]))
            self._require_size(name, self.shapes[name])

    def shape(self, node: Node, place: int = 0) -> Shape:
        """Of an input. Raises `LookupError` where it isn't given."""
        return self.shapes[node.inputs[place]]

    def given(self, node: Node, place: int) -> bool:
        """Whether an input isn't left out."""
        return len(node.inputs) > place and node.inputs[place] != ""

    def value(self, node: Node, place: int) -> NDArray[Any]:
        """Of an input that no window changes. Raises `LookupError`."""
        return self.values[node.inputs[place]]

    def in_whole_numbers(self, node: Node) -> bool:
        """Whether its first input is."""
        return self._kinds.get(node.inputs[0], _FLOAT32).kind in "iub"

    def wholes(self, node: Node, place: int) -> list[int]:
        """A setting of at most two numbers an axis."""
        value = self.value(node, place)
        if value.size > 2 * MOST_AXES:
            raise ValueError
        return [int(one) for one in value.reshape(-1)]

    def keep(self, node: Node, shapes: Sequence[Shape]) -> None:
        """What a node gives. Raises `DetectorError` where that is too large."""
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
        """What a node gives, where all that it comes from is known and it is as small as settings are."""
        known = all(name in self.values for name in node.inputs)
        if known and node.outputs[0] and math.prod(shape) <= 2 * MOST_AXES:
            with np.errstate(all="ignore"):
                self.values[node.outputs[0]] = value()

    def _kind_after(self, node: Node) -> np.dtype[Any]:
        if node.outputs[0] in self.values:
            return self.values[node.outputs[0]].dtype
        if node.kind == "Cast":
            return np.dtype(TYPES[node.whole("to", 0)])
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
