"""Which layers read which convolution's kernels.

Comes in: a network and the shape of its input. Goes out: for each Conv1d its `Couplings`: the
BatchNorms that follow it and the layers that read its channels. Next: `surgery` and `equivalence`.

The network is traced with torch.fx. An operation that isn't known to keep channels apart is refused by
name, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from secateur.errors import SurgeryError

_KEEP_CHANNELS = (
    nn.ReLU,
    nn.Dropout,
    nn.MaxPool1d,
    nn.AvgPool1d,
    nn.AdaptiveAvgPool1d,
    nn.Identity,
)


class _Tracer(fx.Tracer):
    """Takes layers derived from known ones as those, and doesn't look into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _KEEP_CHANNELS) or super().is_leaf_module(m, module_qualified_name)


@dataclass
class Couplings:
    """What must change when kernels of one convolution go.

    `followers`: BatchNorms over its channels. `readers`: layers that take its channels in, each with
    the number of their inputs that belong to one channel.
    """

    followers: list[str] = field(default_factory=list)
    readers: dict[str, int] = field(default_factory=dict)


def trace_couplings(network: nn.Module, channels: int, samples: int) -> dict[str, Couplings]:
    """Couplings of every Conv1d, by its name, in the order in which they are run.

    Raises `SurgeryError` naming an operation through which channels can't be followed.
    """
    try:
        traced = fx.GraphModule(network, _Tracer().trace(network))
    except Exception as error:
        raise SurgeryError(
            f"{type(network).__name__} can't be traced by torch.fx: {error}"
        ) from None
    parameter = next(network.parameters())
    mode = network.training
    network.eval()
    try:
        ShapeProp(traced).propagate(torch.zeros(2, channels, samples, dtype=parameter.dtype))
    finally:
        network.train(mode)
    found: dict[str, Couplings] = {}
    carries: dict[fx.Node, tuple[str, int]] = {}
    called: set[str] = set()
    for node in traced.graph.nodes:
        sources = [carries[parent] for parent in node.all_input_nodes if parent in carries]
        if node.op == "call_module":
            name = str(node.target)
            if name in called and list(network.get_submodule(name).parameters()):
                raise SurgeryError(f"layer {name} is used twice; its kernels can't be told apart")
            called.add(name)
            carried = _through(network.get_submodule(name), name, node, sources, found)
            if carried is not None:
                carries[node] = carried
        elif node.op == "output" and sources:
            raise SurgeryError(f"the kernels of {sources[0][0]} are the network's output")
        elif sources:
            raise SurgeryError(f"channels can't be followed through the operation {node.target}")
    if not found:
        raise SurgeryError(f"{type(network).__name__} has no Conv1d to prune")
    return found


def _through(
    module: nn.Module,
    name: str,
    node: fx.Node,
    sources: list[tuple[str, int]],
    found: dict[str, Couplings],
) -> tuple[str, int] | None:
    """Note what `module` does with the channels it gets; returns whose channels it gives on."""
    if isinstance(module, nn.Conv1d | nn.Linear):
        if isinstance(module, nn.Conv1d) and module.groups != 1:
            raise SurgeryError(f"layer {name} is a grouped convolution, which can't be pruned yet")
        for source, per_channel in sources:
            found[source].readers[name] = per_channel
        if isinstance(module, nn.Linear):
            return None
        found[name] = Couplings()
        return name, 1
    if not sources:
        return None
    source, per_channel = sources[0]
    if isinstance(module, nn.BatchNorm1d):
        found[source].followers.append(name)
        return sources[0]
    if isinstance(module, nn.Flatten) and module.start_dim == 1 and module.end_dim == -1:
        return source, per_channel * _length_before(node)
    if isinstance(module, _KEEP_CHANNELS):
        return sources[0]
    raise SurgeryError(
        f"channels can't be followed through layer {name}, a {type(module).__name__}"
    )


def _length_before(node: fx.Node) -> int:
    shape = node.all_input_nodes[0].meta["tensor_meta"].shape
    return int(torch.Size(shape[2:]).numel())
