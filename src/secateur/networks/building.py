"""From settings to a network, by name or by a function of the user's own in a module that can be imported.

The module is looked for where the command is run and then wherever Python looks. It is the user's code
and is run; weights come from safetensors alone and run nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from secateur.errors import SettingsError
from secateur.networks.blocks import BlockNetwork
from secateur.networks.deep4 import Deep4Net
from secateur.networks.eegnet import EEGNet
from secateur.networks.network import Network
from secateur.networks.separable import SeparableNetwork
from secateur.networks.settings import NetworkSettings
from secateur.networks.shallow import ShallowNet
from secateur.networks.tcn import TemporalNetwork
from secateur.networks.tracing import trace

_ALIKE = 1e-3
"""Largest difference by rounding that is let pass, relative to the largest logit above 1."""


class OwnNetwork(Network):
    """What `build(channels, samples, classes)` of the user's module gave stands in it as `own`.

    Raises `SettingsError` where the module or the function isn't there, or what it builds is no network
    of two classes.
    """

    def __init__(
        self, settings: NetworkSettings, channels: int, samples: int, classes: int = 2
    ) -> None:
        super().__init__(settings, channels, samples, classes)
        build = find_builder(settings.name)
        try:
            network = build(channels, samples, classes)
        except Exception as error:
            raise SettingsError(
                f"{settings.name}({channels}, {samples}, {classes}) failed: {_in_words(error)}"
            ) from None
        if not isinstance(network, nn.Module):
            raise SettingsError(
                f"{settings.name} gave a {type(network).__name__}, wanted a torch.nn.Module"
            )
        self.own = network
        self._check()

    def forward(self, windows: Tensor) -> Tensor:
        """`windows`: windows × channels × samples. Returns windows × classes logits."""
        logits: Tensor = self.own(windows)
        return logits

    def _check(self) -> None:
        name = self.settings.name
        if not list(self.own.parameters()):
            raise SettingsError(f"{name} gave a network without parameters; nothing can be trained")
        self.eval()
        shape = 3, self.channels, self.samples
        windows = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        logits = self._tried(windows)
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if got != (3, self.classes):
            words = got if isinstance(got, str) else " × ".join(map(str, got))
            raise SettingsError(
                f"the network of {name} has an output that isn't two classes: for 3 windows it gives "
                f"{words}, wanted 3 × {self.classes} logits, background first"
            )
        alone = [self._tried(window[None]) for window in windows]
        if any(each.shape != (1, self.classes) for each in alone):
            raise SettingsError(
                f"the network of {name} gives {' × '.join(map(str, alone[0].shape))} for one window by "
                f"itself, wanted 1 × {self.classes}; squeeze and reshape must leave the windows' axis"
            )
        difference = (torch.cat(alone) - logits).abs().max()
        if not difference <= _ALIKE * logits.abs().max().clamp(min=1.0):
            raise SettingsError(
                f"the network of {name} gives a window other logits beside other windows than by itself; "
                "recurrent layers want batch_first=True, and norms running statistics"
            )
        trace(self.own)
        self.train()

    def _tried(self, windows: Tensor) -> Any:
        try:
            with torch.no_grad():
                return self.own(windows)
        except Exception as error:
            raise SettingsError(
                f"the network of {self.settings.name} can't read {len(windows)} windows × {self.channels} "
                f"channels × {self.samples} samples: {_in_words(error)}"
            ) from None


def find_builder(name: str) -> Callable[[int, int, int], Any]:
    """The function that "module:function" names. Raises `SettingsError` where there is none."""
    module_name, _, function = name.partition(":")
    module = _imported(name)
    try:
        build = getattr(module, function)
    except AttributeError:
        raise SettingsError(f"{name}: {module_name} has no {function}") from None
    if not callable(build):
        raise SettingsError(
            f"{name}: {function} is a {type(build).__name__}, wanted a function of channels, samples "
            "and classes"
        )
    builder: Callable[[int, int, int], Any] = build
    return builder


def check_code(settings: NetworkSettings) -> None:
    """Raise `SettingsError` where a network is the user's own and its module or function isn't there."""
    if settings.own:
        find_builder(settings.name)


def code_of(settings: NetworkSettings) -> str | None:
    """SHA-256 of the file that holds the user's function, so that a run can be named by it.

    None for networks with a name. What that file imports is not looked at.
    """
    if not settings.own:
        return None
    path = _imported(settings.name).__file__
    return hashlib.sha256(Path(path).read_bytes() if path else b"").hexdigest()


def _imported(name: str) -> ModuleType:
    module_name = name.partition(":")[0]
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise SettingsError(f"{name}: importing {module_name} failed: {error}") from None
        raise SettingsError(
            f"{name}: there is no module {module_name} in {here} or among the installed packages"
        ) from None
    except Exception as error:
        raise SettingsError(f"{name}: importing {module_name} failed: {_in_words(error)}") from None
    finally:
        sys.path.remove(here)


def _in_words(error: Exception) -> str:
    """An error of the user's code in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


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
