"""The published protocol: its config says what is told, and the arithmetic on its figures holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import published
from secateur.runs import resolve
from secateur.scoring import WindowScores

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
    f1, least, most = published.implied_prevalence(
        published.PUBLISHED["accuracy"][0], published.PUBLISHED["macro_f1"][0]
    )
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
    f1, least, most = published.implied_prevalence(scores.accuracy, scores.macro_f1)
    assert f1 == pytest.approx(2 * tp / (2 * tp + fn + fp), abs=1e-6)
    assert least - 1e-9 <= (tp + fn) / total <= most + 1e-9
