"""Networks on disk, as safetensors: weights and what they need to be built again, no code.

Comes in: a trained network. Goes out: a file whose header holds its settings, or the network again.
Next: `studies` stores one for each stage and takes up from it.
"""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
import safetensors.torch

from secateur.errors import TrainingError
from secateur.files import write_whole
from secateur.networks import BlockNetwork, NetworkSettings

_KEY = "secateur"


def save_network(network: BlockNetwork, path: Path) -> None:
    """Write weights and settings, whole or not at all; equal networks give equal bytes."""
    told = {
        "network": network.settings.model_dump(mode="json"),
        "channels": network.channels,
        "samples": network.samples,
    }
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    content = safetensors.torch.save(tensors, {_KEY: json.dumps(told, sort_keys=True)})
    write_whole(path, content)


def load_network(path: Path) -> BlockNetwork:
    """Build the network that `save_network` stored, in evaluation mode.

    Raises `TrainingError` where the file is damaged or not ours.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})[_KEY])
        network = BlockNetwork(
            NetworkSettings.model_validate(told["network"]), told["channels"], told["samples"]
        )
        network.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, KeyError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{path}: no checkpoint of Secateur ({type(error).__name__})") from None
    return network.eval()
