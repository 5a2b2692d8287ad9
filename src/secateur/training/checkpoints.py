"""Networks on disk, as safetensors: weights and what they need to be built again, pruned or not; no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from secateur.errors import SettingsError, TrainingError
from secateur.files import kind_of, write_whole
from secateur.networks import Network, NetworkSettings, build_network
from secateur.networks.building import OwnNetwork

_KEY = "secateur"
_SIZES = (
    "out_channels",
    "in_channels",
    "groups",
    "num_features",
    "out_features",
    "in_features",
    "num_channels",
    "num_groups",
    "num_parameters",
    "input_size",
    "hidden_size",
)
"""Attributes of torch's layers that surgery changes with their weights."""

Sizes = dict[str, dict[str, int]]


def sizes_of(network: nn.Module) -> Sizes:
    """By each layer's name the sizes that it has now."""
    by_layer: Sizes = {}
    for name, module in network.named_modules():
        sizes = {key: vars(module)[key] for key in _SIZES if isinstance(vars(module).get(key), int)}
        if sizes:
            by_layer[name] = sizes
    return by_layer


def save_network(network: Network, path: Path) -> None:
    """Write weights, settings and sizes, whole or not at all; equal networks give equal bytes."""
    header = {
        "network": network.settings.model_dump(mode="json"),
        "channels": network.channels,
        "samples": network.samples,
        "sizes": sizes_of(network),
    }
    # clones, because safetensors refuses weights that two layers share
    tensors = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    content = safetensors.torch.save(tensors, {_KEY: json.dumps(header, sort_keys=True)})
    write_whole(path, content)


def load_network(path: Path) -> Network:
    """Build the network that `save_network` stored, in evaluation mode.

    Raises `TrainingError` where the file is damaged or not ours, `SettingsError` where the user's code
    that built it isn't there.
    """
    try:
        header, tensors = _read(path)
        settings = NetworkSettings.model_validate(header["network"])
        shape, sizes = (header["channels"], header["samples"]), header["sizes"]
    except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path}: no checkpoint of Secateur ({type(error).__name__})") from None
    network = build_network(settings, *shape)
    try:
        _resize(network, sizes, tensors)
        network.load_state_dict(tensors)
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise TrainingError(
            f"{path}: does not fit the network {settings.name} as it is built now ({first})"
        ) from None
    return network.eval()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {})[_KEY])
    return header, safetensors.torch.load_file(path)


def _resize(network: nn.Module, sizes: Sizes, tensors: dict[str, Tensor]) -> None:
    """Give layers the sizes that are told, and room for weights of these shapes."""
    for name, layer_sizes in sizes.items():
        layer = network.get_submodule(name)
        for key, size in layer_sizes.items():
            if key in _SIZES and getattr(layer, key) != size:
                setattr(layer, key, size)
    for name, old in list(network.state_dict(keep_vars=True).items()):
        stored = tensors[name]
        if old.shape == stored.shape:
            continue
        owner, _, key = name.rpartition(".")
        room = old.new_empty(stored.shape)
        if isinstance(old, nn.Parameter):
            room = nn.Parameter(room, requires_grad=old.requires_grad)
        setattr(network.get_submodule(owner), key, room)


def check_weights(path: Path) -> bool:
    """Whether a file of weights is a checkpoint of Secateur. Raises `SettingsError` where it is no
    safetensors.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return _KEY in (file.metadata() or {})
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except (OSError, safetensors.SafetensorError):
        raise SettingsError(
            f"{path}: is {kind_of(path)}, not safetensors; write one with "
            "safetensors.torch.save_file(state_dict, …)"
        ) from None


def load_weights(network: Network, path: Path) -> None:
    """Put the weights of a safetensors file into `network`, in place.

    The file holds a state dict, for a network of the user's own that of what its function built; or it is a
    checkpoint of Secateur. Raises `SettingsError` that names what is missing, too much or of another shape.
    """
    ours = check_weights(path)
    tensors = safetensors.torch.load_file(path)
    target: nn.Module = network.own if isinstance(network, OwnNetwork) and not ours else network
    state = target.state_dict()
    for name in state:
        if name.endswith("num_batches_tracked"):  # older files have none, and it counts for nothing
            tensors.setdefault(name, state[name])
    missing = [name for name in state if name not in tensors]
    extra = [name for name in tensors if name not in state]
    if missing or extra:
        words = [f"it lacks {_some(missing)}"] if missing else []
        words += [f"it has {_some(extra)}, which the network has not"] if extra else []
        raise SettingsError(f"{path}: not this network's weights: {'; '.join(words)}")
    for name, tensor in tensors.items():
        if tensor.shape != state[name].shape:
            raise SettingsError(
                f"{path}: {name} is {_shape(tensor)}, the network's is {_shape(state[name])}"
            )
    target.load_state_dict(tensors)


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a single number"
