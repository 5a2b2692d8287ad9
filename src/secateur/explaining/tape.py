"""Nodes of a backward pass as they are written: gradients by tensor, shapes for any number of windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import Attribute, Graph, Node
from secateur.detectors.network.shapes import Shape, Sizes, sizes_of
from secateur.errors import SettingsError


@dataclass(frozen=True)
class Gradient:
    """A tensor that holds a gradient. `shape`: for one window; 1 on axes along which it is the same.

    `batched`: whether it has a part for each window; otherwise it is the same for all.
    """

    name: str
    shape: Shape
    batched: bool = True


class Tape:
    """The forward pass of `graph` and, behind it, what is added node by node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sizes: Sizes = sizes_of(graph)
        self._two = sizes_of(graph, 2)
        self.forward = list(graph.nodes)
        self.nodes: list[Node] = []
        self.weights: dict[str, NDArray[Any]] = dict(graph.weights)
        self._names = {*graph.weights, *graph.inputs}
        self._names.update(name for node in graph.nodes for name in node.outputs)
        self._count = 0
        self._gradients: dict[str, Gradient] = {}
        self.moving = set(graph.inputs)
        for node in graph.nodes:
            if not self.moving.isdisjoint(node.inputs):
                self.moving.update(name for name in node.outputs if name not in self.sizes.values)

    def new_name(self) -> str:
        """A name that no tensor has."""
        while True:
            name = f"gradient.{self._count}"
            self._count += 1
            if name not in self._names:
                self._names.add(name)
                return name

    def add(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Append a node with one output; returns the output's name."""
        name = self.new_name()
        self.nodes.append(Node(kind, inputs, (name,), attributes, name))
        return name

    def constant(self, value: Any, dtype: str = "<f4") -> str:
        """Keep numbers as a weight; returns its name."""
        name = self.new_name()
        self.weights[name] = np.asarray(value, dtype=dtype)
        return name

    def integers(self, *values: int) -> str:
        """Keep a row of whole numbers, such as axes; returns its name."""
        return self.constant(values, "<i8")

    def shape(self, tensor: str) -> Shape:
        """A tensor's shape for one window."""
        return self.sizes.shapes[tensor]

    def maker(self, tensor: str) -> Node | None:
        """The node that computes a tensor; None for weights and windows."""
        return next((node for node in self.graph.nodes if tensor in node.outputs), None)

    def readers(self, tensor: str) -> list[Node]:
        """The nodes that read a tensor."""
        return [node for node in self.graph.nodes if tensor in node.inputs]

    def window_axis(self, tensor: str) -> int:
        """The axis that grows with the number of windows."""
        pairs = zip(self.sizes.shapes[tensor], self._two.shapes[tensor], strict=True)
        return next((axis for axis, (once, twice) in enumerate(pairs) if once != twice), 0)

    def target(self, tensor: str) -> str:
        """The shape of `tensor` as Reshape takes it: −1 on the axis of windows."""
        lengths = list(self.shape(tensor))
        lengths[self.window_axis(tensor)] = -1
        return self.integers(*lengths)

    def value(self, node: Node, index: int) -> NDArray[Any]:
        """An input's value, which must not depend on the window. Raises `SettingsError`."""
        value = self.sizes.values.get(node.inputs[index])
        if value is None:
            raise no_gradient(f"{node.kind} whose settings depend on the window")
        return value

    def put(self, tensor: str, gradient: Gradient) -> None:
        """Add to the gradient of `tensor`; along axes on which `tensor` has length 1 it is summed."""
        gradient = self._reduced(tensor, gradient)
        other = self._gradients.get(tensor)
        if other is not None:
            shape = np.broadcast_shapes(other.shape, gradient.shape)
            name = self.add("Add", other.name, gradient.name)
            gradient = Gradient(name, shape, other.batched or gradient.batched)
        self._gradients[tensor] = gradient

    def gradient(self, tensor: str) -> Gradient | None:
        """The gradient of `tensor`; None where nothing that reads it reaches the output."""
        return self._gradients.get(tensor)

    def full(self, tensor: str, gradient: Gradient) -> str:
        """The name of the gradient with the shape of `tensor`, for all windows."""
        if gradient.batched and gradient.shape == self.shape(tensor):
            return gradient.name
        return self.add("Expand", gradient.name, self.add("Shape", tensor))

    def wide(self, tensor: str, gradient: Gradient) -> Gradient:
        """The gradient as wide as `tensor`, for all windows."""
        return Gradient(self.full(tensor, gradient), self.shape(tensor))

    def zeros(self, tensor: str) -> str:
        """Zeros in the shape of `tensor`."""
        return self.add("ConstantOfShape", self.add("Shape", tensor), value=np.zeros(1, "<f4"))

    def scaled(self, gradient: Gradient, factor: float) -> Gradient:
        """The gradient times a number."""
        if factor == 1:
            return gradient
        name = self.add("Mul", gradient.name, self.constant(factor))
        return Gradient(name, gradient.shape, gradient.batched)

    def times(self, gradient: Gradient, factor: str, like: str) -> Gradient:
        """The gradient times a tensor of the shape of `like`, which has all windows."""
        return Gradient(self.add("Mul", gradient.name, factor), self.shape(like))

    def reshaped(self, node: Node, gradient: Gradient) -> Gradient:
        """The gradient of what `node` gives in the shape of what it reads: the same numbers."""
        before, after = node.inputs[0], node.outputs[0]
        name = gradient.name
        if gradient.shape != self.shape(after):
            name, gradient = self.full(after, gradient), Gradient("", self.shape(after))
        reshaped = self.add("Reshape", name, self.target(before))
        return Gradient(reshaped, self.shape(before), gradient.batched)

    def _reduced(self, tensor: str, gradient: Gradient) -> Gradient:
        """The gradient summed over the axes along which `tensor` was repeated."""
        shape, own = gradient.shape, self.shape(tensor)
        lead = len(shape) - len(own)
        axes = list(range(lead))
        axes += [lead + k for k, length in enumerate(own) if length == 1 < shape[lead + k]]
        if not axes:
            return gradient
        # the axis of windows is never among them: it has a length of its own in both
        name = self.add("ReduceSum", gradient.name, self.integers(*axes), keepdims=1)
        kept = tuple(1 if k in axes else length for k, length in enumerate(shape))
        if lead:
            name = self.add("Reshape", name, self.target(tensor))
        return Gradient(name, kept[lead:], gradient.batched)

    def backwards(self) -> Iterator[Node]:
        """The nodes through which the output depends on the windows, last first."""
        for node in reversed(self.graph.nodes):
            reached = any(name in self._gradients for name in node.outputs if name)
            if reached and not self.moving.isdisjoint(node.inputs):
                yield node


def no_gradient(what: str) -> SettingsError:
    """The error for a network through which no gradient is known to go."""
    return SettingsError(
        f"no gradient is known of {what}; explain with occlusion, shap or bands, which need none"
    )


def numbers_in(shape: Shape) -> int:
    """How many numbers a tensor of this shape holds."""
    return math.prod(shape)


Rule = Callable[[Tape, Node, Gradient], None]
"""Puts the gradients of a node's inputs that depend on the window, by that of its first output."""
