"""Which channels of a network are coupled, and where each of them stands.

The network is traced with torch.fx and run once; at each call `following` tells what becomes of the
channels. What isn't known to keep channels apart is refused by name, never guessed.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from secateur.errors import SurgeryError
from secateur.networks.operations import operation_of, plain_name
from secateur.networks.tracing import function_of
from secateur.networks.tracing import trace as graph_of
from secateur.pruning.equivalence import TOLERANCE, largest_difference
from secateur.pruning.following import Call, follow
from secateur.pruning.groups import Channels, Couplings, Structure
from secateur.pruning.surgery import cut


def trace(network: nn.Module, channels: int, samples: int) -> Structure:
    """The groups of all convolutions of `network`, in the order in which they are run.

    `channels`, `samples`: of the windows that it reads (windows × channels × samples). The network is
    left as it is. Outputs are in no group, nor are channels coupled to the network's own input.
    Raises `SurgeryError` naming an operation, a layer or a parametrisation through which channels can't
    be followed, where there is no convolution to prune, and where the network counts on the number of its
    channels (a shape or a factor written into it), so that it wouldn't do without some of them.
    """
    for name, module in network.named_modules():
        _refuse_parametrised(name, module)
    _refuse_shared(network)
    evaluated = copy.deepcopy(network).eval()
    walk = _Walk(graph_of(evaluated, SurgeryError))
    parameter = next(network.parameters(), torch.zeros(()))
    windows = torch.zeros(2, channels, samples, dtype=parameter.dtype, device=parameter.device)
    with torch.no_grad():
        walk.run(windows)
    structure = walk.couplings.structure()
    if not structure.groups:
        raise SurgeryError(f"{type(network).__name__} has no convolution whose kernels could go")
    _rehearse(evaluated, structure, windows)
    return structure


def _rehearse(network: nn.Module, structure: Structure, windows: Tensor) -> None:
    """Cut the first channels of every group and see that the rest still runs and is what it should be.

    Numbers written into a network (`view(-1, 128)`, a division by the width) show only then.
    """
    kept = {group.name: tuple(range(1, group.size)) for group in structure.groups if group.size > 1}
    if not kept:
        return
    smaller = cut(network, structure, kept)
    rehearsal = _Rehearsal(graph_of(smaller, SurgeryError))
    rehearsal.extra_traceback = False  # our errors are one line
    with torch.no_grad():
        rehearsal.run(windows)
    noise = np.random.default_rng(0).normal(size=windows.shape).astype(np.float32)
    difference = largest_difference(network, smaller, structure, kept, noise)
    if np.isnan(difference):
        raise SurgeryError(
            f"{type(network).__name__} gives no numbers on noise (a logarithm or a root of what is below "
            "zero?), so nothing can be shown of it; keep such operations to what they take"
        )
    if difference > TOLERANCE:
        raise SurgeryError(
            f"{type(network).__name__} computes with the number of its channels or with their places, "
            f"so that without some of them the others change (by {difference:.2g}); it can't be pruned"
        )


class _Walk(fx.Interpreter):
    """Runs the network and notes what becomes of its channels."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.traced = traced
        self.extra_traceback = False  # our errors are one line
        self.couplings = Couplings()
        self._channels: dict[fx.Node, Channels | None] = {}
        self._called: set[str] = set()

    def run_node(self, n: fx.Node) -> Any:
        """Run one node; note what its result carries."""
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        operands = tuple((self.env[node], self._channels.get(node)) for node in n.all_input_nodes)
        try:
            result = super().run_node(n)
        except Exception as error:
            raise SurgeryError(
                f"the network fails at {n.target} on windows of this shape: {_first_line(error)}"
            ) from None
        if n.op in ("call_module", "call_function", "call_method"):
            call = self._layer if n.op == "call_module" else self._operation
            self._channels[n] = follow(call(n, args, kwargs, operands, result))
        elif n.op == "output":
            if not isinstance(result, Tensor):
                raise SurgeryError(
                    f"the network gives a {type(result).__name__}; wanted one tensor, windows × outputs"
                )
            for _, channels in operands:
                if channels is not None:
                    self.couplings.hold(channels.ids, "they are the network's outputs")
        return result

    def _layer(
        self,
        node: fx.Node,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        operands: tuple[tuple[Any, Channels | None], ...],
        result: Any,
    ) -> Call:
        name = str(node.target)
        layer = self.module.get_submodule(name)
        kind = type(layer).__name__
        if name in self._called and _has_its_own_numbers(layer):
            raise SurgeryError(
                f"layer {name}, a {kind}, is used twice: what is cut for one use would be missing in the "
                "other; give each use a layer of its own"
            )
        self._called.add(name)
        if kwargs and any(channels is not None for _, channels in operands):
            raise SurgeryError(
                f"layer {name} is called with arguments by name; give them by position"
            )
        operation = operation_of(node, self.traced)
        title = f"layer {name}, a {kind}"
        subjects = (args, kwargs, operands, result, self.couplings, layer)
        return Call(kind, title, operation, *subjects, layer, name)

    def _operation(
        self,
        node: fx.Node,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        operands: tuple[tuple[Any, Channels | None], ...],
        result: Any,
    ) -> Call:
        target = node.target
        if not args:  # torch calls the first argument of its functions so
            first = next((name for name in ("input", "tensors") if name in kwargs), None)
            if first is not None:
                args = (kwargs[first],)
                kwargs = {name: value for name, value in kwargs.items() if name != first}
        name = plain_name(getattr(target, "__name__", str(target)))
        home = (getattr(target, "__module__", None) or "torch").split(".")[0]
        if function_of(node) is None and home not in ("torch", "math"):
            name = f"{home}.{name}"

        def again(first: Tensor) -> Any:
            if isinstance(target, str):
                return getattr(first, target)(*args[1:], **kwargs)
            return target(first, *args[1:], **kwargs)

        operation = operation_of(node, self.traced)
        subjects = (args, dict(kwargs), operands, result, self.couplings, again)
        return Call(name, f"the operation {name}", operation, *subjects)


class _Rehearsal(fx.Interpreter):
    """Runs a network that has lost channels; names what fails."""

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        try:
            return super().run_node(n)
        except Exception as error:
            raise SurgeryError(
                f"the network counts on the number of its channels: with fewer of them {n.target} fails "
                f"({_first_line(error)}); take shapes from the tensors themselves"
            ) from None


def _has_its_own_numbers(layer: nn.Module) -> bool:
    """Whether something in it belongs to one channel each: then it serves one name in the network."""
    if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
        return False
    own = (*layer.parameters(), *layer.buffers())
    return any(tensor.ndim > 0 for tensor in own)


def _refuse_parametrised(name: str, layer: nn.Module) -> None:
    """Weights must be parameters of the layer itself, or what is cut comes back at the next call."""
    kinds: list[str] = []
    if parametrize.is_parametrized(layer):
        assert isinstance(layer.parametrizations, nn.ModuleDict)
        kinds = [
            type(each).__name__.strip("_")
            for chain in layer.parametrizations.values()
            for each in chain.children()
        ]
    for (
        hook
    ) in layer._forward_pre_hooks.values():  # weight_norm of old, and the masks of torch's prune
        if type(hook).__module__.startswith("torch.nn.utils"):
            kinds.append(type(hook).__name__)
    if kinds:
        raise SurgeryError(
            f"layer {name} has the parametrisation {', '.join(kinds)}, which can't be cut; fold it into "
            "the weights first (torch.nn.utils.parametrize.remove_parametrizations, or the remove function "
            "beside the one that added it)"
        )


def _refuse_shared(network: nn.Module) -> None:
    """No two layers may own the same parameter: cut for one, it would be wrong for the other."""
    owners: dict[int, str] = {}
    for name, module in network.named_modules():
        for key, parameter in module.named_parameters(recurse=False):
            other = owners.setdefault(id(parameter), f"{name}.{key}")
            if other != f"{name}.{key}":
                raise SurgeryError(
                    f"{other} and {name}.{key} are one parameter; give each layer its own"
                )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
