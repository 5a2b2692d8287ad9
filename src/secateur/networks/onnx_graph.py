"""The ONNX graph into which a traced network is written: nodes, weights, names and shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, fx, nn

from secateur.detectors.network.shapes import OPERATORS
from secateur.networks.tracing import kind_of

INPUT, OUTPUT = "windows", "logits"
OPSET = 17
IR_VERSION = 8
"""Old enough for every runtime of the last years, new enough for all that is used."""


class UnknownOperationError(Exception):
    """An operation that isn't written here; its text names it."""


class OnnxGraph:
    """Nodes and weights as they are written, and the tensor's name for each node of the traced graph.

    `few`, `more`: what each node gives for two and for three windows; so it shows what depends on their
    number. `role`: what a node is to who looks for the next ReLU (`Operation.relu`).
    """

    def __init__(
        self,
        traced: fx.GraphModule,
        few: dict[fx.Node, Any],
        more: dict[fx.Node, Any],
        role: Callable[[fx.Node], str],
    ) -> None:
        self.traced, self._role = traced, role
        self._few, self._more = few, more
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.names: dict[fx.Node, str] = {}
        self._kinds: dict[str, str] = {}
        self._windows: set[fx.Node] = set()
        self._layers: dict[fx.Node, nn.Module] = {}

    def begin(self, node: fx.Node) -> None:
        """Take `node` as the input."""
        self.names[node] = INPUT
        self._windows.add(node)

    def depends(self, node: fx.Node) -> bool:
        """Whether a node's value comes from the windows; to be asked in the graph's order."""
        if any(parent in self._windows for parent in node.all_input_nodes):
            self._windows.add(node)
        return node in self._windows

    def value(self, node: fx.Node) -> Any:
        """What a node gave; numbers and constant tensors alone are the same for any windows."""
        return self._few[node]

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """A tensor's shape for two windows; all but the first number hold for any number of windows."""
        return tuple(self._few[node].shape)

    def require_windows_first(self, node: fx.Node) -> None:
        """Refuse a tensor of which more than the first length depends on how many windows there are."""
        few, more = self.shape(node), tuple(self._more[node].shape)
        if not few or few[1:] != more[1:] or few[0] * 3 != more[0] * 2:
            raise UnknownOperationError(f"{kind_of(node, self.traced)} across windows")

    def layer(self, node: fx.Node) -> Any:
        """The layer that a node runs, or that does what it does."""
        if node in self._layers:
            return self._layers[node]
        return self.traced.get_submodule(str(node.target))

    def setting(self, node: fx.Node, position: int, name: str, default: Any = None) -> Any:
        """A setting of an operation: the layer's, or the argument of a call by its position or name."""
        if node.op == "call_module" or node in self._layers:
            return getattr(self.layer(node), name)
        return argument(node, position, name, default)

    def relu_behind(self, node: fx.Node) -> fx.Node | None:
        """The ReLU that alone reads a node's tensor, past what does nothing; no ReLU6."""
        follower = only_user(node)
        while follower is not None and self._role(follower) == "same":
            follower = only_user(follower)
        if follower is None or self._role(follower) != "is":
            return None
        return None if kind_of(follower, self.traced).endswith("6") else follower

    def take_as(self, node: fx.Node, layer: nn.Module) -> None:
        """Write `node`, a function's call, as `layer`."""
        self._layers[node] = layer

    def name(self, argument: Any) -> str:
        """The tensor that an operation reads: another node's, or a number or constant, stored."""
        if isinstance(argument, fx.Node):
            if argument in self.names:
                return self.names[argument]
            if argument in self._windows:  # a number that depends on the windows
                raise UnknownOperationError(f"arithmetic with {argument.name}")
            argument = self.value(argument)
        if isinstance(argument, Tensor):
            return self.store(f"constant{len(self.weights)}", values(argument))
        if isinstance(argument, int | float):
            return self.store(f"constant{len(self.weights)}", np.asarray(float(argument)))
        raise UnknownOperationError(f"arithmetic with a {type(argument).__name__}")

    def store(self, name: str, numbers: NDArray[np.float64]) -> str:
        """Keep a weight as float32; returns its name."""
        self.weights.append(numpy_helper.from_array(numbers.astype(np.float32), name))
        return name

    def store_integers(self, name: str, numbers: list[int]) -> str:
        """Keep shapes and axes; returns their name."""
        self.weights.append(numpy_helper.from_array(np.array(numbers, dtype=np.int64), name))
        return name

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Append an ONNX node; its one output has the node's name, which comes back.

        Raises `UnknownOperationError` for an operator that no detector may have.
        """
        if kind not in OPERATORS:
            raise UnknownOperationError(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        self._kinds[name] = kind
        return name

    def slice(self, name: str, before: str, parts: Mapping[int, slice]) -> str:
        """Of the tensor `before` the `parts`, by axis; each has a start, a stop and a step."""
        lists = {
            "starts": [part.start for part in parts.values()],
            "ends": [part.stop for part in parts.values()],
            "axes": list(parts),
            "steps": [part.step for part in parts.values()],
        }
        stored = [self.store_integers(f"{name}.{key}", numbers) for key, numbers in lists.items()]
        return self.add("Slice", name, before, *stored)

    def operator_of(self, name: str) -> str:
        """The kind of ONNX node that gives a tensor; "" for the input and weights."""
        return self._kinds.get(name, "")

    def reshape(self, node: fx.Node, before: str, tag: str = "") -> str:
        """The tensor `before` in the shape that `node` gave; free, as nothing is moved."""
        name = label(node) + tag
        after = self.shape(node)
        if len(after) == 2 and after[0] == 2:
            return self.add("Flatten", name, before, axis=1)
        shape = self.store_integers(f"{name}.shape", [-1, *after[1:]])
        return self.add("Reshape", name, before, shape)


def label(node: fx.Node) -> str:
    """A tensor's name: the node's own, which torch.fx keeps apart from all others."""
    return f"{node.name}_" if node.name in (INPUT, OUTPUT) else str(node.name)


def argument(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    """An operation's argument by its position or its name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def source(node: fx.Node) -> fx.Node:
    """The node whose tensor an operation reads first."""
    first = argument(node, 0, "input")
    if not isinstance(first, fx.Node):
        raise UnknownOperationError(f"{node.name} of a {type(first).__name__}")
    return first


def only_user(node: fx.Node) -> fx.Node | None:
    """The node that alone reads another's tensor; None where several do."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def axes_of(dim: Any, dimensions: int) -> list[int]:
    """Axes counted from the front. The first, that of windows, is refused."""
    axes = [int(axis) % dimensions for axis in ([dim] if isinstance(dim, int) else dim)]
    if 0 in axes:
        raise UnknownOperationError("an operation along windows")
    return axes


def values(tensor: torch.Tensor) -> NDArray[np.float64]:
    """Numbers as they are stored, in double precision."""
    return np.asarray(tensor.detach().double().numpy())
