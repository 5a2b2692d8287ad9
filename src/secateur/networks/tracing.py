"""A network as the graph of what it does, node by node.

Comes in: any torch module. Goes out: its torch.fx graph, and what each node gives for windows of a shape.
Next: `onnx_graph` writes the graph; `own` asks whether there is one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from secateur.errors import SettingsError
from secateur.networks.layers import Dropout, MaxPool1d


class _Tracer(fx.Tracer):
    """Takes our own layers as what they are, and doesn't look into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = isinstance(m, Dropout | MaxPool1d)
        return ours or super().is_leaf_module(m, module_qualified_name)


def trace(network: nn.Module) -> fx.GraphModule:
    """The graph of `network` in the mode that it is in; weights are shared with it.

    Raises `SettingsError` where what is done depends on values or shapes.
    """
    try:
        return fx.GraphModule(network, _Tracer().trace(network))
    except Exception as error:  # whatever the user's code raises when values are stand-ins
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SettingsError(
            f"{type(network).__name__} can't be traced by torch.fx: {reason[0]}"
        ) from None


class _Watching(fx.Interpreter):
    """Runs a graph and keeps what each node gave."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.given: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        given = super().run_node(n)
        self.given[n] = given
        return given


def values_of(graph: fx.GraphModule, windows: Tensor) -> dict[fx.Node, Any]:
    """What each node gives for `windows`, without gradients. The graph should be in evaluation mode."""
    watching = _Watching(graph)
    with torch.no_grad():
        watching.run(windows)
    return watching.given
