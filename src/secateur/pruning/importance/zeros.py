"""Importance by how often a kernel's output is zero behind its ReLU.

Comes in: a network, its structure, windows (labels aren't looked at). Goes out: by convolution one number
a kernel, float64. Next: `score_units`.

Where layers read is too late to count: behind an average nothing is zero. So the network is traced, and
the ReLU is found that each convolution's channels meet first.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import _AvgPoolNd, _MaxPoolNd

from secateur.errors import SurgeryError
from secateur.pruning.importance.batches import Batches, Scores, evaluating, tensors
from secateur.pruning.importance.weights import convolutions
from secateur.pruning.structure import Structure
from secateur.pruning.tracing import Tracer

_RECTIFIERS: tuple[Any, ...] = (
    nn.ReLU,
    nn.ReLU6,
    functional.relu,
    functional.relu6,
    torch.relu,
    torch.relu_,
    "relu",
    "relu_",
)
_PASSES: tuple[Any, ...] = (
    _BatchNorm,
    _DropoutNd,
    _MaxPoolNd,
    _AvgPoolNd,
    nn.Identity,
    operator.add,
    operator.iadd,
    torch.add,
    "add",
    "add_",
    functional.dropout,
    functional.max_pool1d,
    functional.max_pool2d,
    functional.avg_pool1d,
    functional.avg_pool2d,
    "contiguous",
)
"""Keep channels where they are and in their number; on to what comes behind them."""


def zeros(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """s_j = 1 − the share of zeros (APoZ) among all that comes out of the ReLU behind kernel j.

    Where several ReLUs are met first (branches), their shares are averaged; a convolution without one
    (a depthwise one followed by a pointwise one) has 0 for all its kernels, and those tied to it decide.
    Source: H. Hu et al., Network Trimming, 2016 (arXiv 1607.03250). Raises `SurgeryError` where none of
    the convolutions that go together is followed by a ReLU: other nonlinearities leave no zeros.
    """
    with evaluating(network):  # what the network asks of its mode is answered here, once
        traced = fx.GraphModule(network, Tracer().trace(network))
    layers = dict(convolutions(network, structure))
    behind = {name: _rectifiers(traced, name) for name in layers}
    for group in structure.groups:
        owners = [slot.layer for slot in group.convolutions]
        if not any(behind[name][0] for name in owners):
            met = " and ".join(dict.fromkeys(behind[name][1] for name in owners))
            raise SurgeryError(
                f"importance zeros counts what ReLU sets to 0, and behind the convolution {group.name} "
                f"comes {met} before any ReLU: activation or taylor work with any nonlinearity"
            )
    counter = _Counter(traced, {node for nodes, _ in behind.values() for node in nodes})
    with evaluating(network), torch.inference_mode():
        for windows, _ in tensors(network, batches):
            counter.run(windows)
    return {
        name: 1 - np.mean([counter.share(node) for node in behind[name][0]], axis=0)
        if behind[name][0]
        else np.zeros(len(layer.get_parameter("weight")))
        for name, layer in layers.items()
    }


def _rectifiers(traced: fx.GraphModule, name: str) -> tuple[list[fx.Node], str]:
    """The ReLUs that a convolution's channels meet first, and what else they met, in words."""
    found: dict[fx.Node, None] = {}
    met: dict[str, None] = {}
    begin = [
        node for node in traced.graph.nodes if node.op == "call_module" and node.target == name
    ]
    waiting, known = list(begin), set(begin)
    while waiting:
        for node in waiting.pop().users:
            if node in known:
                continue
            known.add(node)
            if _is_one_of(traced, node, _RECTIFIERS):
                found[node] = None
            elif _is_one_of(traced, node, _PASSES):
                waiting.append(node)
            else:
                met[f"the operation {node.name}"] = None
    return list(found), ", ".join(met) or "the network's end"


def _is_one_of(traced: fx.GraphModule, node: fx.Node, kinds: tuple[Any, ...]) -> bool:
    if node.op == "call_module":
        types = tuple(kind for kind in kinds if isinstance(kind, type))
        return isinstance(traced.get_submodule(str(node.target)), types)
    return node.target in kinds


class _Counter(fx.Interpreter):
    """Runs the network and counts zeros, by channel, where it was told to."""

    def __init__(self, traced: fx.GraphModule, watched: set[fx.Node]) -> None:
        super().__init__(traced)
        self._zeros: dict[fx.Node, NDArray[np.float64]] = {}
        self._all = dict.fromkeys(watched, 0)

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self._all:
            assert isinstance(result, Tensor)
            others = [axis for axis in range(result.ndim) if axis != 1]
            count = (result == 0).sum(dim=others).double().numpy()
            self._zeros[n] = self._zeros[n] + count if n in self._zeros else count
            self._all[n] += result.numel() // result.shape[1]
        return result

    def share(self, node: fx.Node) -> NDArray[np.float64]:
        """Zeros among all values, by channel."""
        return self._zeros[node] / self._all[node]
