"""A network that could not become a detector, or not be pruned, is refused before anything is trained."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from secateur.errors import SecateurError, SettingsError
from secateur.networks import NetworkSettings
from secateur.runs import Execution, RunSettings, Source
from secateur.runs.network_check import check_network
from secateur.runs.run import run
from secateur.runs.settings import resolve
from secateur.studies import ExecutionOptions, carry_out, read_study
from secateur.studies.record import failure_of
from secateur.studies.store import store_at
from secateur.windows import Cache

_NUMBERS = itertools.count()
TAIL = "nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, n)"
REFUSED = {
    "ConvTranspose": f"nn.Sequential(nn.ConvTranspose1d(c, 8, 4, stride=2), nn.ReLU(), {TAIL})",
    "MaxPool with ceil_mode": (
        f"nn.Sequential(nn.Conv1d(c, 8, 5), nn.MaxPool1d(3, 2, 1, ceil_mode=True), {TAIL})"
    ),
    "no detector can run cumsum": "nn.Sequential(Summed(), nn.Flatten(), nn.Linear(c, n))",
    "would have the shape": (
        "nn.Sequential(nn.Conv1d(c, 20000, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(20000, n))"
    ),
    "no convolution whose kernels could go": "nn.Sequential(nn.Flatten(), nn.Linear(c * t, n))",
    "scale can't be drawn afresh: Scaled has no reset_parameters": (
        f"nn.Sequential(Scaled(), nn.Conv1d(c, 8, 5), nn.ReLU(), {TAIL})"
    ),
    "through layer own.1, a GroupNorm": f"nn.Sequential(nn.Conv1d(c, 8, 5), nn.GroupNorm(2, 8), {TAIL})",
}
CODE = """
import torch
from torch import nn

class Summed(nn.Module):
    def forward(self, windows):
        return windows.flatten(1).cumsum(1)[:, : windows.shape[1]]

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, windows):
        return self.scale * windows

def build(c, t, n):
    return {}
"""


def own(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> RunSettings:
    name = f"checked_network_{next(_NUMBERS)}"
    (folder / f"{name}.py").write_text(CODE.format(body))
    monkeypatch.chdir(folder)
    return RunSettings(network=NetworkSettings(name=f"{name}:build"))


@pytest.mark.parametrize("reason", REFUSED)
def test_it_is_refused_in_a_line_that_says_why(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = own(tmp_path, monkeypatch, REFUSED[reason])
    with pytest.raises(SecateurError) as caught:
        check_network(settings, settings.chain)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"network.name": "eegnet", "pruning.importance": "apoz"}, "counts what ReLU sets to 0"),
        ({"network.name": "shallow", "pruning.importance": "batchnorm"}, "none follows"),
        ({"pruning.target": "params=0.001%"}, "can't be met: the smallest network"),
    ],
)
def test_pruning_that_this_network_can_not_be_put_to_is_refused_too(
    flags: dict[str, str], reason: str
) -> None:
    settings = resolve(None, flags)
    with pytest.raises(SecateurError, match=reason) as caught:
        check_network(settings, settings.chain)
    assert "\n" not in str(caught.value)
    check_network(settings, settings.chain, pruned=False)


def test_a_study_refuses_it_before_the_network_that_would_be_pruned_is_trained(
    tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own(tmp_path, monkeypatch, REFUSED["through layer own.1, a GroupNorm"]).network.name
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "odd.toml"
    path.write_text(
        f'question = "?"\n[axes]\nseed = [1]\n[fixed]\nnetwork = "{name}"\nepochs = 1\n'
    )
    study, store = read_study(path), tmp_path / "out"
    plan = carry_out(
        study, {"data": Source(tiny_cohort)}, str(store), ExecutionOptions(cache=Cache())
    )
    reason = failure_of(plan.runs[0][0], store_at(store))
    assert reason is not None
    assert "GroupNorm" in reason
    assert not [*(tmp_path / "cache" / "baselines").rglob("*.onnx")]


def test_what_can_be_a_detector_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = f"nn.Sequential(nn.Conv1d(c, 8, 5), nn.ReLU(), {TAIL})"
    settings = own(tmp_path, monkeypatch, body)
    check_network(settings, settings.chain)


def test_a_run_is_refused_before_a_recording_is_read(
    tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = own(tmp_path, monkeypatch, REFUSED["ConvTranspose"])
    steps: list[str] = []

    class Watching:
        def begin(self, stage: str, of: int | None) -> None:
            steps.append(f"begin {stage}")

        def step(self, stage: str, done: int, of: int, note: str) -> None:
            steps.append(f"step {stage}")

        def end(self, stage: str, note: str) -> None:
            steps.append(f"end {stage}")

    with pytest.raises(SettingsError, match="ConvTranspose"):
        run(Source(tiny_cohort), tmp_path / "out", settings, Execution(progress=Watching()))
    assert steps == ["begin prepare"]
    assert not (tmp_path / "out").exists()
