"""`secateur prune` as typed: the user's own network and weights, exit codes, errors in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from secateur.cli import main
from secateur.detectors import load_detector
from secateur.networks import NetworkSettings, build_network
from tests.support.cohorts import write_cohort

MODULE = """
from torch import nn


def build(channels, samples, classes):
    return nn.Sequential(
        nn.Conv1d(channels, 6, 9, stride=4),
        nn.BatchNorm1d(6),
        nn.ELU(),
        nn.Conv1d(6, 8, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    )


def three(channels, samples, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * samples, 3))
"""


@pytest.fixture(scope="module")
def eleven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_network.py").write_text(MODULE)
    return write_cohort(folder / "cohort", subjects=11, seconds=45, rhythm=6)


@pytest.mark.slow
def test_a_network_of_ones_own_already_trained_is_cut_and_judged(
    eleven: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight subjects can't show that at most one in twenty is harmed: exit code 2, the baseline is back."""
    monkeypatch.chdir(eleven.parent)
    settings = NetworkSettings(name="own_network:build")
    whole = build_network(settings, 18, 1024, seed=5)
    state = {name.removeprefix("own."): value for name, value in whole.state_dict().items()}
    safetensors.torch.save_file(state, "mine.safetensors")
    words = ["prune", "--data", str(eleven), "--out", "out", "--network", "own_network:build"]
    words += ["--weights", "mine.safetensors", "--certify", "holdout", "--rungs", "0.5"]
    words += ["--margin", "auroc=0.5", "--harmed-share", "0.05", "--controls", "none"]
    words += ["--epochs", "1", "--round-to", "2", "--importance", "taylor"]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "no rung is certified; pruned.onnx is the baseline" in told.out
    assert "subjects" in told.out
    result = json.loads(Path("out/result.json").read_text())
    assert result["models"]["baseline"]["kernels"] == [6, 8]
    assert result["ladder"][0]["kernels"] == [
        4,
        4,
    ]  # half of six is three; of two as near the larger stays
    certificate = load_detector("out/rungs/rung-0.5.onnx").info.certificate
    assert certificate is not None
    assert "whom they were trained is not known" in (certificate.circumstances.forced or "")
    detector = load_detector("out/baseline.onnx")
    windows = torch.randn(3, 18, 1024)
    with torch.no_grad():
        expected = whole.eval()(windows).numpy()
    assert detector.logits(windows.numpy()) == pytest.approx(expected, abs=1e-4)
    assert main(["verify", "out/pruned.onnx"]) == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--margin", "auroc=-0.1"], "wanted how much may be lost"),
        (["--margin", "f2=0.1"], "no such metric"),
        (["--network", "own_network:three"], "an output that isn't two classes"),
        (["--network", "own_network:nothing"], "has no nothing"),
        (["--network", "nowhere:build"], "there is no module nowhere"),
        (["--weights", "none.safetensors", "--certify", "holdout"], "none.safetensors"),
        (["--target", "macs=0"], "greater than 0"),
        (["--target", "macs=0.3"], "shares of the baseline are written 30%"),
        (["--certify", "folds:40"], "at most --certify folds:11"),
        (["--importance", "largest"], "importance"),
    ],
)
def test_bad_input_is_answered_in_a_line_that_says_what_would_work(
    words: list[str],
    reason: str,
    eleven: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(eleven.parent)
    assert main(["prune", "--data", str(eleven), "--out", str(tmp_path / "o"), *words]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("secateur: ")
    assert reason in error
