"""From settings to a network, by name or by the user's own code.

Comes in: `NetworkSettings`, the shape of a window, a seed. Goes out: a `Network`, freshly initialised.
Next: `training` fits it, `pruning` cuts it, `onnx_graph` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from secateur.networks.blocks import BlockNetwork
from secateur.networks.deep4 import Deep4Net
from secateur.networks.eegnet import EEGNet
from secateur.networks.network import Network
from secateur.networks.own import OwnNetwork
from secateur.networks.separable import SeparableNetwork
from secateur.networks.settings import NetworkSettings
from secateur.networks.shallow import ShallowNet
from secateur.networks.tcn import TemporalNetwork

_KINDS: Mapping[str, Callable[[NetworkSettings, int, int], Network]] = {
    "valid": BlockNetwork,
    "paper": BlockNetwork,
    "eegnet": EEGNet,
    "shallow": ShallowNet,
    "deep4": Deep4Net,
    "tcn": TemporalNetwork,
    "separable": SeparableNetwork,
}


def build_network(settings: NetworkSettings, channels: int, samples: int, seed: int = 0) -> Network:
    """A freshly initialised network, the same for the same seed; torch's own generator is left as is.

    Raises `SettingsError` where a window of `samples` is too short for it, or the user's own code builds
    none that can be used.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _KINDS.get(settings.name, OwnNetwork)(settings, channels, samples)
