"""A network of the user's own: found, checked, and every mistake told in one line."""

from __future__ import annotations

import hashlib
import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from secateur.errors import SettingsError
from secateur.networks import (
    Network,
    NetworkSettings,
    build_network,
    code_of,
    count_macs,
    count_parameters,
    kernels_of,
    reinitialised,
)

Told = Callable[..., Network]
_NUMBERS = itertools.count()

SIMPLE = """
from torch import nn

def build(channels, samples, classes):
    return nn.Sequential(
        nn.Conv1d(channels, 6, 9, stride=4),
        nn.BatchNorm1d(6),
        nn.GELU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    )
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Builds from source text, written as a module of its own where the command is run."""
    monkeypatch.chdir(tmp_path)

    def build(source: str, function: str = "build", seed: int = 0) -> Network:
        module = f"own_network_{next(_NUMBERS)}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        return build_network(NetworkSettings(name=f"{module}:{function}"), 3, 64, seed)

    return build


def test_it_is_a_network_like_the_others(told: Told) -> None:
    network = told(SIMPLE, seed=1)
    assert network.training
    assert network(torch.randn(5, 3, 64)).shape == (5, 2)
    assert (network.channels, network.samples, network.settings.own) == (3, 64, True)
    assert kernels_of(network) == {"own.0": 6}
    assert count_parameters(network) == 3 * 6 * 9 + 6 + 12 + 6 * 2 + 2
    assert count_macs(network, 3, 64) == 14 * 3 * 6 * 9 + 12
    other = reinitialised(network, 2)
    same = build_network(network.settings, 3, 64, 2)
    states = other.state_dict(), same.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


def test_its_code_has_a_hash_and_that_of_named_networks_has_none(told: Told) -> None:
    first, second, third = told(SIMPLE), told(SIMPLE), told(SIMPLE + "# changed")
    hashes = [code_of(network.settings) for network in (first, second, third)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[0] == hashlib.sha256(SIMPLE.encode()).hexdigest()
    assert code_of(NetworkSettings(name="eegnet")) is None


def test_installed_packages_are_looked_through_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "installed_networks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "small.py").write_text(SIMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    network = build_network(NetworkSettings(name="installed_networks.small:build"), 3, 64)
    assert kernels_of(network) == {"own.0": 6}


def test_a_module_that_is_not_there_is_told_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        build_network(NetworkSettings(name="nowhere.to_be_found:build"), 3, 64)
    assert str(caught.value) == (
        "nowhere.to_be_found:build: there is no module nowhere.to_be_found "
        f"in {tmp_path} or among the installed packages"
    )


MISTAKES = {
    "missing function": ("x = 1", "own_network_.*:build: own_network_.* has no build"),
    "not callable": ("build = 3", "build is a int, wanted a function"),
    "fails to import": ("1 / 0", "failed: ZeroDivisionError: division by zero"),
    "needs what is missing": ("import no_such_package", "failed: No module named 'no_such_pack"),
    "fails to build": (
        "def build(channels, samples): ...",
        r":build\(3, 64, 2\) failed: TypeError: build\(\) takes 2 positional arguments but 3",
    ),
    "no module": ("def build(*_): return [1]", "gave a list, wanted a torch.nn.Module"),
    "no parameters": (
        """
        from torch import nn
        def build(*_): return nn.Flatten()
        """,
        "without parameters",
    ),
    "other windows": (
        """
        from torch import nn
        def build(*_): return nn.Conv1d(19, 2, 1)
        """,
        "can't read 3 windows × 3 channels × 64 samples: RuntimeError: ",
    ),
    "three classes": (
        """
        from torch import nn
        def build(channels, samples, _): return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
        """,
        "an output that isn't two classes: for 3 windows it gives 3 × 3, wanted 3 × 2 logits",
    ),
    "an output for each sample": (
        """
        from torch import nn
        def build(channels, samples, classes): return nn.Conv1d(channels, classes, 1)
        """,
        "an output that isn't two classes: for 3 windows it gives 3 × 2 × 64",
    ),
    "several outputs": (
        """
        from torch import nn
        def build(channels, *_): return nn.GRU(64, 2)
        """,
        "an output that isn't two classes: for 3 windows it gives tuple",
    ),
    "windows taken for time": (
        """
        from torch import nn
        class Mixed(nn.Module):
            def __init__(self):
                super().__init__()
                self.recurrent = nn.GRU(64, 2)
            def forward(self, windows):
                return self.recurrent(windows)[0].sum(dim=1)
        def build(*_): return Mixed()
        """,
        "other logits beside other windows than by itself; .* batch_first",
    ),
    "one window squeezed away": (
        """
        from torch import nn
        class Squeezed(nn.Linear):
            def forward(self, windows):
                return super().forward(windows.flatten(1)).squeeze()
        def build(channels, samples, classes): return Squeezed(channels * samples, classes)
        """,
        "gives 2 for one window by itself, wanted 1 × 2",
    ),
    "looks at values": (
        """
        from torch import nn
        class Looking(nn.Linear):
            def forward(self, windows):
                if windows.mean() > 3:
                    windows = windows / 2
                return super().forward(windows.flatten(1))
        def build(channels, samples, classes): return Looking(channels * samples, classes)
        """,
        "Looking can't be traced by torch.fx: symbolically traced variables cannot be used",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(told: Told, mistake: str) -> None:
    source, reason = MISTAKES[mistake]
    with pytest.raises(SettingsError, match=reason) as caught:
        told(source)
    assert "\n" not in str(caught.value)
