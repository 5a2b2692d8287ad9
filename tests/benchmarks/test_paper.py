"""The published protocol: its config says what is told, and the arithmetic on its figures holds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import paper
from secateur.runs import resolve
from secateur.scoring import WindowScores
from tests.support.cohorts import write_cohort

CONFIG = Path(__file__).parents[2] / "configs" / "paper.toml"


def test_every_value_says_whether_it_was_told() -> None:
    table = ""
    for line in CONFIG.read_text().splitlines():
        if line.startswith("["):
            table = line
        if re.match(r"[a-z_]+ = ", line):
            marked = re.search(r"# (told|assumed|follows)", line)
            assert marked or "# told" in table, line


def test_the_config_is_the_published_method() -> None:
    settings = resolve(CONFIG, {"seed": 1})
    training, rules = settings.training, settings.training.augmentation
    assert (settings.network.name, len(settings.network.widths)) == ("paper", 3)
    assert settings.chain.scaling == "training-set"
    assert settings.chain.compression == "none"
    assert (settings.pruning.ratio, settings.pruning.importance) == (0.5, "l1")
    assert (training.draw, training.class_weights) == ("all", "none")
    assert (training.averaging, training.recalibration, training.least_epochs) == (0, 0, 1)
    assert (rules.gain, rules.drop_channels, rules.permute_channels, rules.shift) == (
        1,
        0,
        False,
        False,
    )
    assert training.weight_decay > 0
    assert (settings.split.by, settings.split.prevalence, settings.split.seed) == (
        "random",
        0.17,
        1,
    )


def test_what_the_two_published_figures_imply() -> None:
    f1, least, most = paper.implied_prevalence(0.9278, 0.8686)
    assert f1 == pytest.approx(0.78, abs=0.005)
    assert least == pytest.approx(0.128, abs=0.001)
    assert most == pytest.approx(0.200, abs=0.001)


@given(tp=st.integers(50, 120), fn=st.integers(0, 40), fp=st.integers(0, 40))
def test_the_implied_prevalence_holds_the_true_one(tp: int, fn: int, fp: int) -> None:
    if not fn + fp > 0:
        return
    total = 800
    truth = np.arange(total) < tp + fn
    called = np.r_[np.arange(tp + fn) < tp, np.arange(total - tp - fn) < fp]
    scores = WindowScores(truth, called.astype(float), 0.5).confusion()
    assert scores.accuracy is not None
    assert scores.macro_f1 is not None
    f1, least, most = paper.implied_prevalence(scores.accuracy, scores.macro_f1)
    assert f1 == pytest.approx(2 * tp / (2 * tp + fn + fp), abs=1e-6)
    assert least - 1e-9 <= (tp + fn) / total <= most + 1e-9


@given(tp=st.integers(1, 80), fn=st.integers(0, 40), fp=st.integers(0, 40), tn=st.integers(1, 90))
def test_scores_at_their_own_prevalence_are_the_scores(tp: int, fn: int, fp: int, tn: int) -> None:
    truth = np.repeat([True, True, False, False], [tp, fn, fp, tn])
    called = np.repeat([1.0, 0.0, 1.0, 0.0], [tp, fn, fp, tn])
    scores = WindowScores(truth, called, 0.5).all()
    run = {"models": {"baseline": scores}}
    accuracy, macro_f1 = paper.at_prevalence(run, "baseline", (tp + fn) / len(truth))
    assert accuracy == pytest.approx(scores["accuracy"])
    assert macro_f1 == pytest.approx(scores["macro_f1"])


@pytest.mark.slow
def test_a_finished_run_is_kept_small_and_not_made_again(tmp_path: Path) -> None:
    """The benchmark itself, on a tiny cohort, its outcome kept apart from the real runs."""
    cohort = write_cohort(tmp_path / "cohort", subjects=6)
    program = (
        "import json, sys; from pathlib import Path; from benchmarks.quality import paper; "
        "paper.RUNS = Path(sys.argv[2]); "
        "quick = {'training.epochs': 1, 'network.widths': [2, 2, 2], 'windows.hop': 2.0}; "
        "paper.VARIANTS['paper'] = ('tiny', quick, 2); "
        "job = (Path(sys.argv[1]), 'paper', 0); "
        "print(paper._run(job)); print(paper._run(job)); print(paper._table(job[0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(cohort), str(tmp_path / "runs")],
        cwd=Path(paper.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[:2] == ["paper, seed 0: done", "paper, seed 0: is there"]
    assert "1 of 37 runs finished" in done.stdout
    (kept,) = (tmp_path / "runs").iterdir()
    assert kept.stat().st_size < 20_000
    told = json.loads(kept.read_text())
    assert told["split"]["crossing"]["subjects"] == 6
    assert str(tmp_path) not in kept.read_text()
    assert "| published, pruned | 0.9287 | 0.8707 |" in done.stdout
