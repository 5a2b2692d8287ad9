"""How much each kernel matters, by twelve criteria: one number for each, and the smallest go.

Some read the weights alone; others look at what windows do where channels are read. Each gives, by
convolution, one number a kernel, float64; coupled channels are ranked by the sum over all kernels that go
with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from secateur.errors import SettingsError, SurgeryError
from secateur.networks.network import evaluating
from secateur.networks.onnx_convolutions import factor_and_shift
from secateur.networks.operations import operation_of
from secateur.networks.tracing import trace as graph_of
from secateur.pruning.groups import Group, Structure
from secateur.pruning.readers import (
    Batches,
    channel_axis,
    gate_slopes,
    looking,
    readers,
    tensors,
)
from secateur.pruning.settings import IMPORTANCES, Importance

Scores = dict[str, NDArray[np.float64]]
"""One number for each kernel, by convolution (or for each set of coupled channels, by group)."""

NEED_WINDOWS: tuple[Importance, ...] = (
    "activation",
    "apoz",
    "taylor",
    "taylor-2019",
    "taylor-by-class",
    "fisher",
)
"""The importances that look at what windows do in the network; the others read its weights."""


def score_kernels(
    network: nn.Module,
    structure: Structure,
    importance: Importance,
    batches: Batches | None = None,
    seed: int = 0,
) -> Scores:
    """One number for each kernel of each convolution, by its name: float64, shape (output channels,).

    `batches`: labelled windows, of the training side (512 windows do; see `readers.Batches`), which only
    `NEED_WINDOWS` look at. `seed`: for random. The network stays as it was. Raises `SettingsError` where
    windows are needed and there are none, `SurgeryError` where the network has nothing to be read.
    """
    if importance in NEED_WINDOWS and batches is None:
        free = ", ".join(name for name in IMPORTANCES if name not in NEED_WINDOWS)
        raise SettingsError(
            f"importance {importance} looks at what windows do in the network, and there are none: give "
            f"batches of labelled windows, or take one of {free}, which need none"
        )
    criteria: dict[Importance, Callable[[nn.Module, Structure, Batches | None], Scores]] = {
        "l1": _l1,
        "l1-folded": _l1_folded,
        "l2": _l2,
        "random": partial(_random, seed=seed),
        "fpgm": _fpgm,
        "batchnorm": _batchnorm,
        "activation": _activation,
        "apoz": _apoz,
        "taylor": _taylor,
        "taylor-2019": _taylor_2019,
        "taylor-by-class": _taylor_by_class,
        "fisher": _fisher,
    }
    return criteria[importance](network, structure, batches)


def score_groups(
    network: nn.Module,
    structure: Structure,
    importance: Importance,
    batches: Batches | None = None,
    seed: int = 0,
) -> Scores:
    """One number for each set of coupled channels, by the group's name: the sum over its kernels.

    Float64, shape (sets,). Inputs and errors: those of `score_kernels`.
    """
    scores = score_kernels(network, structure, importance, batches, seed)
    return {group.name: _summed(group, scores) for group in structure.groups}


def _summed(group: Group, scores: Scores) -> NDArray[np.float64]:
    total = np.zeros(group.size)
    for slot in group.convolutions:
        total += scores[slot.layer][slot.places].sum(axis=1)
    return total


def _shared(network: nn.Module, structure: Structure, of_sets: Scores) -> Scores:
    """Scores of kernels from those of coupled channels: each kernel of a set has the same part of its number.

    A kernel that can't go, because part of its convolution is held fast, has 0.
    """
    scores = {
        name: np.zeros(len(_kernels(module))) for name, module in _convolutions(network, structure)
    }
    for group in structure.groups:
        part = of_sets[group.name] / group.kernels_each
        for slot in group.convolutions:
            scores[slot.layer][slot.places] = part[:, None]
    return scores


def _convolutions(network: nn.Module, structure: Structure) -> Iterator[tuple[str, nn.Module]]:
    """Every layer that owns kernels which can go, once each, by name, in the order in which they run."""
    names = dict.fromkeys(slot.layer for group in structure.groups for slot in group.convolutions)
    return ((name, network.get_submodule(name)) for name in names)


def _kernels(module: nn.Module) -> Tensor:
    """A convolution's kernels, each as a row of float64."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight.detach().double().flatten(1)


def _by_kernel(
    network: nn.Module, structure: Structure, score: Callable[[Tensor], Tensor]
) -> Scores:
    return {
        name: np.asarray(score(_kernels(module)).numpy())
        for name, module in _convolutions(network, structure)
    }


def _l1(network: nn.Module, structure: Structure, _: Batches | None) -> Scores:
    """s_j = Σ_i Σ_k |w_ijk|: the sum of a kernel's absolute weights.

    Source: H. Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017; used by arXiv 2509.05190.
    """
    return _by_kernel(network, structure, lambda kernels: kernels.abs().sum(dim=1))


def _l1_folded(network: nn.Module, structure: Structure, _: Batches | None) -> Scores:
    """s_j = |γ_j| / √(σ_j² + ε) · Σ_i Σ_k |w_ijk|: `l1` of the kernel with the BatchNorm behind it folded in.

    L1 depends on how a kernel's scale is divided between it and its BatchNorm, of which the network's
    output knows nothing; this doesn't. As `l1` where no BatchNorm with running statistics alone reads the
    convolution.
    """
    scores = _l1(network, structure, None)
    with evaluating(network):
        traced = graph_of(network, SurgeryError)
    for node in traced.graph.nodes:
        follower = next(iter(node.users), None)
        if node.target not in scores or len(node.users) != 1 or follower is None:
            continue
        norm = network.get_submodule(str(follower.target)) if follower.op == "call_module" else None
        if isinstance(norm, _BatchNorm) and norm.running_var is not None:
            scores[node.target] = scores[node.target] * np.abs(factor_and_shift(norm)[0])
    return scores


def _l2(network: nn.Module, structure: Structure, _: Batches | None) -> Scores:
    """s_j = √(Σ_i Σ_k w_ijk²): the length of a kernel, all its weights being one vector.

    Source: Y. He et al., Soft Filter Pruning, IJCAI 2018 (there with p = 2).
    """
    return _by_kernel(network, structure, lambda kernels: kernels.square().sum(dim=1).sqrt())


def _fpgm(network: nn.Module, structure: Structure, _: Batches | None) -> Scores:
    """s_j = Σ_m ‖w_j − w_m‖₂ over the kernels m of the same convolution.

    What lies nearest to all others is what the others can stand in for. Source: Y. He et al., Filter
    Pruning via Geometric Median (FPGM), CVPR 2019.
    """

    def distances(kernels: Tensor) -> Tensor:
        # row by row: cdist's shortcut through products loses digits, and all rows at once are large
        return torch.stack([(kernels - row).square().sum(dim=1).sqrt().sum() for row in kernels])

    return _by_kernel(network, structure, distances)


def _random(
    network: nn.Module, structure: Structure, _: Batches | None, *, seed: int = 0
) -> Scores:
    """Uniform random numbers, the same for the same seed: the control that any other must beat."""
    generator = np.random.default_rng([seed, 2])
    return {
        name: generator.random(len(_kernels(module)))
        for name, module in _convolutions(network, structure)
    }


def _batchnorm(network: nn.Module, structure: Structure, _: Batches | None) -> Scores:
    """s_j = |γ_j|: the factor by which BatchNorm scales a kernel's output.

    Coupled kernels share, in equal parts, the sum over all BatchNorms that scale their channel. Source: Z.
    Liu et al., Network Slimming, ICCV 2017 (there γ was trained under an L1 penalty; here it is as it
    is). Raises `SurgeryError` where no BatchNorm with weights follows a convolution.
    """
    of_sets: Scores = {}
    for group in structure.groups:
        factors = np.zeros(group.size)
        norms = 0
        for slot in group.slots:
            norm = network.get_submodule(slot.layer)
            if slot.side == "features" and isinstance(norm, _BatchNorm) and norm.affine:
                weight = np.abs(norm.weight.detach().double().numpy())
                factors += weight[slot.places].sum(axis=1)
                norms += 1
        if not norms:
            raise SurgeryError(
                f"importance batchnorm reads the weights of BatchNorm, and none follows the convolution "
                f"{group.name}: l1, activation or taylor need no BatchNorm"
            )
        of_sets[group.name] = factors
    return _shared(network, structure, of_sets)


def _activation(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """S = mean |a| over all windows and all places where the coupled channels are read.

    Read by the next layers, hence after BatchNorm, nonlinearity and pooling; several readers' means are
    averaged; what nobody reads has 0. Coupled kernels share the number in equal parts. Means are taken in
    the network's type, summed in float64. Source: one of the criteria that P. Molchanov et al. compare,
    ICLR 2017.
    """
    totals: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, int] = {}

    def look(name: str, module: nn.Module, read: Tensor) -> None:
        axis = channel_axis(module) % read.ndim
        others = [k for k in range(read.ndim) if k != axis]
        each = read.numel() // read.shape[axis]
        total = read.abs().mean(dim=others).double().numpy() * each
        totals[name] = totals[name] + total if name in totals else total
        counts[name] = counts.get(name, 0) + each

    with evaluating(network), looking(network, structure, look), torch.inference_mode():
        for windows, _ in tensors(network, batches):
            network(windows)
    of_sets = {}
    for group in structure.groups:
        means = [
            totals[slot.layer][slot.places].mean(axis=1) / counts[slot.layer]
            for slot in readers(group)
        ]
        of_sets[group.name] = np.mean(means, axis=0) if means else np.zeros(group.size)
    return _shared(network, structure, of_sets)


def _taylor(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """S = mean over windows of |Σ a · ∂L_n/∂a|, the sum over all places where the channels are read.

    Closing their gate changes L_n by −∂L_n/∂g to first order. The absolute value is taken for each window
    before the mean: over many windows of a trained network the signed mean tends to 0 for every kernel.
    Source: P. Molchanov et al., Pruning Convolutional Neural Networks for Resource Efficient Inference,
    ICLR 2017 (its Taylor criterion), without its division by the length of the feature map, which is the
    same for all kernels of a layer.
    """
    _, slopes = _slopes(network, structure, batches)
    of_sets = {name: np.abs(slope).mean(axis=0) for name, slope in slopes.items()}
    return _shared(network, structure, of_sets)


def _taylor_2019(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """S = mean over batches of (mean over the batch's windows of Σ a · ∂L_n/∂a)².

    The squared change of a batch's loss when the gate is closed, to first order. Source: P. Molchanov et al.,
    Importance Estimation for Neural Network Pruning, CVPR 2019 (Taylor-FO, by gates). There the gate stands
    behind BatchNorm; behind ReLU and pooling as well, where it is read, its slope is the same.
    """
    of_batches = [slopes for _, slopes in gate_slopes(network, structure, batches)]
    of_sets = {
        name: np.mean([np.square(slopes[name].mean(axis=0)) for slopes in of_batches], axis=0)
        for name in structure.names
    }
    return _shared(network, structure, of_sets)


def _taylor_by_class(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """S = max over classes c of t_c / mean t_c, with t_c `taylor` over the windows of class c.

    Each class's numbers are divided by their mean in the layer, so a class of few windows or of small
    slopes counts as much as any other: a kernel that only serves the rare class keeps its place. Own
    variant of Molchanov 2017. Raises `SettingsError` where the windows are all of one class.
    """
    labels, slopes = _slopes(network, structure, batches)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise SettingsError(
            f"importance taylor-by-class needs windows of both classes, all are of class "
            f"{classes[0]}: give some of the other, or take taylor"
        )
    of_sets = {}
    for name, slope in slopes.items():
        by_class = np.stack([np.abs(slope[labels == label]).mean(axis=0) for label in classes])
        mean = by_class.mean(axis=1, keepdims=True)
        relative = np.divide(by_class, mean, out=np.zeros_like(by_class), where=mean > 0)
        of_sets[name] = relative.max(axis=0)
    return _shared(network, structure, of_sets)


def _fisher(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """S = ½ · mean over windows of (Σ a · ∂L_n/∂a)²: the loss that closing the gate adds, to second order.

    The Hessian is taken as the diagonal of the empirical Fisher matrix. Source: L. Theis et al., Faster
    Gaze Prediction with Dense Networks and Fisher Pruning, 2018 (arXiv 1801.05787).
    """
    _, slopes = _slopes(network, structure, batches)
    of_sets = {name: np.square(slope).mean(axis=0) / 2 for name, slope in slopes.items()}
    return _shared(network, structure, of_sets)


def _slopes(
    network: nn.Module, structure: Structure, batches: Batches | None
) -> tuple[NDArray[np.int64], Scores]:
    """Labels of all windows and, by group, all their slopes (windows × sets)."""
    parts = list(gate_slopes(network, structure, batches))
    labels = np.concatenate([labels for labels, _ in parts])
    return labels, {
        name: np.concatenate([slopes[name] for _, slopes in parts]) for name in structure.names
    }


def _apoz(network: nn.Module, structure: Structure, batches: Batches | None) -> Scores:
    """s_j = 1 − the average percentage of zeros (APoZ) in what the ReLU behind kernel j gives, before
    pooling.

    A ReLU that stands behind max-pooling is taken to stand before it, which is the same function. Where
    several ReLUs are met first (branches), their shares are averaged; a convolution without one (a
    depthwise one followed by a pointwise one) has 0 for all its kernels, and those coupled to it decide.
    Source: H. Hu et al., Network Trimming, 2016 (arXiv 1607.03250), section 3. Raises `SurgeryError` where
    none of the convolutions that go together is followed by a ReLU: other nonlinearities leave no zeros.
    """
    with evaluating(network):  # what the network asks of its mode is answered here, once
        traced = graph_of(network, SurgeryError)
    layers = dict(_convolutions(network, structure))
    behind = {name: _rectified(traced, name) for name in layers}
    for group in structure.groups:
        owners = [slot.layer for slot in group.convolutions]
        if not any(behind[name][0] for name in owners):
            met = " and ".join(dict.fromkeys(behind[name][1] for name in owners))
            raise SurgeryError(
                f"importance apoz counts what ReLU sets to 0, and behind the convolution {group.name} "
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


def _rectified(traced: fx.GraphModule, name: str) -> tuple[list[fx.Node], str]:
    """What the ReLUs read that a convolution's channels meet first, before the max-pooling that stands right
    before such a ReLU; and what else they met, in words.
    """
    read: dict[fx.Node, None] = {}
    met: dict[str, None] = {}
    # each node with what a ReLU behind it would read, were it before the max-pooling that it stands behind
    waiting = [
        (node, node)
        for node in traced.graph.nodes
        if node.op == "call_module" and node.target == name
    ]
    known = {node for node, _ in waiting}
    while waiting:
        before, unpooled = waiting.pop()
        for node in before.users:
            if node in known:
                continue
            known.add(node)
            operation = operation_of(node, traced)
            role = "" if operation is None else operation.relu
            if role == "is":
                read[unpooled] = None
            elif role:
                waiting.append((node, unpooled if role in ("same", "largest") else node))
            else:
                met[f"the operation {node.name}"] = None
    return list(read), ", ".join(met) or "the network's end"


class _Counter(fx.Interpreter):
    """Runs the network and counts, by channel, what a ReLU would set to zero of what watched nodes give."""

    def __init__(self, traced: fx.GraphModule, watched: set[fx.Node]) -> None:
        super().__init__(traced)
        self._zeros: dict[fx.Node, NDArray[np.float64]] = {}
        self._all = dict.fromkeys(watched, 0)

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n in self._all:
            assert isinstance(result, Tensor)
            others = [axis for axis in range(result.ndim) if axis != 1]
            count = (result <= 0).sum(dim=others).double().numpy()
            self._zeros[n] = self._zeros[n] + count if n in self._zeros else count
            self._all[n] += result.numel() // result.shape[1]
        return result

    def share(self, node: fx.Node) -> NDArray[np.float64]:
        """Zeros among all values, by channel."""
        return self._zeros[node] / self._all[node]
