"""Which channels of a network go together, and where each of them stands.

Comes in: a network and the shape of its windows. Goes out: a `Structure`. Next: `importance` and
`allocation` choose units, `surgery` cuts them, `equivalence` proves it.

The network is traced with torch.fx and run once; at each call `layers` or `operations` tells what
becomes of the channels. What they don't know to keep channels apart is refused by name, never guessed.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from secateur.errors import SurgeryError
from secateur.pruning import layers, operations
from secateur.pruning.atoms import Carried, Ledger
from secateur.pruning.equivalence import TOLERANCE, largest_difference
from secateur.pruning.operations import Call
from secateur.pruning.structure import Structure
from secateur.pruning.surgery import cut

_OF_TORCH = ("torch", "_operator", "operator", "builtins", "math")


def trace(network: nn.Module, channels: int, samples: int) -> Structure:
    """The groups of all convolutions of `network`, in the order in which they are run.

    `channels`, `samples`: of the windows that it reads (windows × channels × samples). The network is
    left as it is. Output units are in no group, nor are channels tied to the network's own input.
    Raises `SurgeryError` naming an operation, a layer or a parametrisation through which channels can't
    be followed, where there is no convolution to prune, and where the network counts on the number of its
    channels (a shape or a factor written into it), so that it wouldn't do without some of them.
    """
    for name, module in network.named_modules():
        _refuse_parametrised(name, module)
    _refuse_shared(network)
    evaluated = copy.deepcopy(network).eval()
    walk = _Walk(_graph(evaluated))
    parameter = next(network.parameters(), torch.zeros(()))
    windows = torch.zeros(2, channels, samples, dtype=parameter.dtype, device=parameter.device)
    with torch.no_grad():
        walk.run(windows)
    structure = walk.ledger.structure()
    if not structure.groups:
        raise SurgeryError(f"{type(network).__name__} has no convolution whose kernels could go")
    _rehearse(evaluated, structure, windows)
    return structure


def _graph(network: nn.Module) -> fx.GraphModule:
    try:
        return fx.GraphModule(network, Tracer().trace(network))
    except Exception as error:
        raise SurgeryError(
            f"{type(network).__name__} can't be traced by torch.fx: {_first_line(error)}"
        ) from None


def _rehearse(network: nn.Module, structure: Structure, windows: Tensor) -> None:
    """Cut the first unit of every group and see that the rest still runs and is what it should be.

    Numbers written into a network (`view(-1, 128)`, a division by the width) show only then.
    """
    kept = {
        group.name: tuple(range(1, group.units)) for group in structure.groups if group.units > 1
    }
    if not kept:
        return
    smaller = cut(network, structure, kept)
    rehearsal = _Rehearsal(_graph(smaller))
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


class Tracer(fx.Tracer):
    """Doesn't look into layers that work as torch's own: Secateur's, and those that inherit `forward`."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether the network's call of `m` is one node of the graph."""
        if super().is_leaf_module(m, module_qualified_name):
            return True
        if type(m).__module__ == "secateur.networks.layers":
            return True
        return type(m).forward.__module__.startswith("torch.nn.modules") and not isinstance(
            m, nn.Sequential
        )


class _Walk(fx.Interpreter):
    """Runs the network and notes what becomes of its channels."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.extra_traceback = False  # our errors are one line
        self.ledger = Ledger()
        self._carried: dict[fx.Node, Carried | None] = {}
        self._called: set[str] = set()

    def run_node(self, n: fx.Node) -> Any:
        """Run one node; note what its result carries."""
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        operands = tuple((self.env[node], self._carried.get(node)) for node in n.all_input_nodes)
        try:
            result = super().run_node(n)
        except Exception as error:
            raise SurgeryError(
                f"the network fails at {n.target} on windows of this shape: {_first_line(error)}"
            ) from None
        if n.op == "call_module":
            self._carried[n] = self._through_layer(str(n.target), args, kwargs, operands, result)
        elif n.op in ("call_function", "call_method"):
            self._carried[n] = self._through_operation(n, args, kwargs, operands, result)
        elif n.op == "output":
            if not isinstance(result, Tensor):
                raise SurgeryError(
                    f"the network gives a {type(result).__name__}; wanted one tensor, windows × outputs"
                )
            for _, carried in operands:
                if carried is not None:
                    self.ledger.pin(carried.atoms, "they are the network's outputs")
        return result

    def _through_layer(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        operands: tuple[tuple[Any, Carried | None], ...],
        result: Any,
    ) -> Carried | None:
        layer = self.module.get_submodule(name)
        if name in self._called and _has_its_own_numbers(layer):
            raise SurgeryError(
                f"layer {name}, a {type(layer).__name__}, is used twice: what is cut for one use would be "
                "missing in the other; give each use a layer of its own"
            )
        self._called.add(name)
        if kwargs and any(carried is not None for _, carried in operands):
            raise SurgeryError(f"layer {name} is called with arguments by name; give them by place")
        kind = type(layer).__name__
        title = f"layer {name}, a {kind}"
        call = Call(kind, title, args, dict(kwargs), operands, result, self.ledger, layer)
        return layers.follow(layer, name, call)

    def _through_operation(
        self,
        node: fx.Node,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        operands: tuple[tuple[Any, Carried | None], ...],
        result: Any,
    ) -> Carried | None:
        target = node.target
        if not args:  # torch calls the first argument of its functions so
            first = next((name for name in ("input", "tensors") if name in kwargs), None)
            if first is not None:
                args = (kwargs[first],)
                kwargs = {name: value for name, value in kwargs.items() if name != first}
        if isinstance(target, str):
            name = operations.canonical(target)
        else:
            home = (getattr(target, "__module__", None) or "torch").split(".")[0]
            name = target.__name__
            name = operations.canonical(name) if home in _OF_TORCH else f"{home}.{name}"

        def again(first: Tensor) -> Any:
            if isinstance(target, str):
                return getattr(first, target)(*args[1:], **kwargs)
            return target(first, *args[1:], **kwargs)

        title = f"the operation {name}"
        call = Call(name, title, args, dict(kwargs), operands, result, self.ledger, again)
        return operations.follow(call)


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
    """Whether something in it belongs to one channel each: then it serves one place in the network."""
    if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
        return False
    own = (*layer.parameters(), *layer.buffers())
    return any(tensor.ndim > 0 for tensor in own)


def _refuse_parametrised(name: str, layer: nn.Module) -> None:
    """Weights must be parameters of the layer itself, or what is cut comes back at the next call."""
    found: list[str] = []
    if parametrize.is_parametrized(layer):
        assert isinstance(layer.parametrizations, nn.ModuleDict)
        found = [
            type(one).__name__.strip("_")
            for chain in layer.parametrizations.values()
            for one in chain.children()
        ]
    for (
        hook
    ) in layer._forward_pre_hooks.values():  # weight_norm of old, and the masks of torch's prune
        if type(hook).__module__.startswith("torch.nn.utils"):
            found.append(type(hook).__name__)
    if found:
        raise SurgeryError(
            f"layer {name} has the parametrisation {', '.join(found)}, which can't be cut; fold it into "
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
