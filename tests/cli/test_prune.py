"""`secateur prune` as typed: the user's own network and weights, exit codes, errors in a line."""

from __future__ import annotations

import json
import subprocess
import sys
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
        (["--target", "macs=0"], "wanted more than 0"),
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


def test_a_plan_tells_power_before_the_study_and_needs_no_torch() -> None:
    words = ["prune", "--plan", "--margin", "auroc=0.02", "--subjects", "16,60"]
    script = f"import sys; from secateur.cli import main; assert main({words}) == 0; "
    script += "assert not {'torch', 'onnx'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "auroc=0.02, 5 folds, 95 % confidence" in done.stdout
    rows = [line.split("│") for line in done.stdout.splitlines() if line.startswith("│")]
    assert [[int(cell) for cell in row[1:3]] for row in rows] == [
        [n, repeats] for n in (16, 60) for repeats in (1, 3, 5)
    ]
    chances = [[[int(x) for x in cell.split("/")] for cell in row[3:7]] for row in rows]
    for row in chances:
        assert all(nothing > half for nothing, half in row)
    assert chances[4][1][0] > 95  # 60 subjects, 3 repeats, a tenth luck
    assert chances[3][1][0] < chances[4][1][0]


@pytest.mark.parametrize(("certify", "subjects"), [([], "11"), (["--certify", "holdout"], "8")])
def test_a_plan_counts_the_subjects_of_a_folder(
    eleven: Path, certify: list[str], subjects: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prune", "--plan", "--data", str(eleven), "--margin", "auroc=0.02", *certify]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "11 of 11 subjects have seizures and count" in printed
    rows = [line.split("│") for line in printed.splitlines() if line.startswith("│")]
    assert {row[1].strip() for row in rows} == {subjects}
    assert main([*words, "--subjects", "16"]) == 1
    assert "give one of both" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--margin", "fp_per_day=1"], "how fp_per_day spreads over subjects was not measured"),
        (["--subjects", "7"], "no certificate is issued with fewer than 8 subjects"),
        (["--subjects", "many"], "wanted whole numbers, such as 16,24"),
    ],
)
def test_what_can_not_be_planned_is_refused_in_a_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", "--plan", *words]) == 1
    printed = capsys.readouterr()
    assert reason in printed.err
    assert printed.out == ""


def test_without_data_nothing_is_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--margin", "auroc=0.1"]) == 1
    assert "--data and --out are needed" in capsys.readouterr().err
