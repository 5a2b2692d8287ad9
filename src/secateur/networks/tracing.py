"""A network as the graph of what it does, node by node: its torch.fx graph, and what each node gives."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from secateur.errors import SecateurError, SettingsError
from secateur.networks.layers import Dropout, MaxPool1d

_HOMES = (torch, functional, operator, builtins)


class _Tracer(fx.Tracer):
    """Doesn't look into layers that work as torch's own: Secateur's, and those that inherit `forward`."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, Dropout | MaxPool1d) or super().is_leaf_module(m, module_qualified_name):
            return True
        inherits = type(m).forward.__module__.startswith("torch.nn.modules")
        return inherits and not isinstance(m, nn.Sequential)


def trace(network: nn.Module, refusal: type[SecateurError] = SettingsError) -> fx.GraphModule:
    """The graph of `network` in the mode that it is in; weights are shared with it.

    Raises `refusal` where what is done depends on values or shapes.
    """
    try:
        return fx.GraphModule(network, _Tracer().trace(network))
    except Exception as error:  # whatever the user's code raises when values are stand-ins
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise refusal(
            f"{type(network).__name__} can't be traced by torch.fx: {reason[0]}"
        ) from None


def kind_of(node: fx.Node, traced: fx.GraphModule) -> str:
    """What a node does, in one word: a layer's class or a function's name."""
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))).__name__
    return str(getattr(node.target, "__name__", node.target))


def function_of(node: fx.Node) -> str | None:
    """The name of the method, or of the function of torch or Python, that a node calls; None for others."""
    if node.op == "call_method":
        return str(node.target)
    name = getattr(node.target, "__name__", "")
    return name if any(getattr(home, name, None) is node.target for home in _HOMES) else None


class _Watching(fx.Interpreter):
    """Runs a graph and keeps what each node gave."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.values[n] = super().run_node(n)
        return self.values[n]


def values_of(traced: fx.GraphModule, windows: Tensor) -> dict[fx.Node, Any]:
    """What each node gives for `windows`, without gradients. The graph should be in evaluation mode."""
    watching = _Watching(traced)
    with torch.no_grad():
        watching.run(windows)
    return watching.values
