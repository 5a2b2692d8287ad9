"""Adding a metric is one entry: the registry feeds scores, tables, figures, margins and the command line."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from secateur.errors import ScoringError
from secateur.scoring import METRICS, Metric, WindowScores, metric_of, register, window_metrics
from secateur.scoring.metrics import (
    check_study_metric,
    key_of,
    label_of,
    margin_metrics,
    study_metrics,
)

ONE_ENTRY = """
import importlib.util, pathlib, sys
import secateur

# the registry with one entry more, as if that stood in its file, before anything reads it
path = pathlib.Path(secateur.__file__).parent / "scoring" / "metrics.py"
spec = importlib.util.spec_from_file_location("secateur.scoring.metrics", path)
metrics = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(metrics)
metrics.register(
    metrics.Metric(
        "youden",
        "Youden’s J",
        "Youden’s J",
        lambda windows: windows.confusion.sensitivity + windows.confusion.specificity - 1,
        needs=("seizure", "background"),
        digits=2,
    )
)

import numpy as np
from secateur.scoring import WindowScores, parse_margins
from secateur.scoring.metrics import study_metrics
metrics.register(
    metrics.Metric(
        "event_missed",
        "Missed",
        "seizures missed",
        lambda events: 1 - events.sensitivity if events.ref else None,
        scope="events",
        needs=("seizure",),
    )
)

# by event, in what is scored and in what results hold
from secateur.results import EventCounts
from secateur.scoring import Score
counts = Score(tp=1, fp=2, ref=4, seconds=60.0).as_dict()
assert counts["missed"] == 0.75, counts
assert EventCounts(**EventCounts.fields_of(counts)).scores["event_missed"] == 0.75

# a score
scores = WindowScores(np.array([True, False, False]), np.array([0.9, 0.8, 0.1]), 0.5).all()
assert scores["youden"] == 0.5, scores

# a margin, and the sentence of one that fails to parse
assert parse_margins("youden=0.02") == {"youden": 0.02}
from secateur.scoring.margins import losses_of
lost = losses_of({"a": {"youden": 0.5}}, {"a": {"youden": 0.25}}, "youden")
assert lost.values.tolist() == [0.25]

# a study's tables
assert {"youden", "youden_by_subject"} <= set(study_metrics())

# the help of `secateur prune`
import contextlib, io
from secateur.cli import main
with contextlib.redirect_stdout(io.StringIO()) as output:
    assert main(["prune", "--help"]) == 0
assert "youden" in output.getvalue(), output.getvalue()
"""

REPORTED = """
from pathlib import Path
from secateur.reporting.drawing import look
from secateur.reporting import study_figures, write_study_report
from secateur.studies import evaluate_study
from secateur.studies.store import store_at
from tests.support.made_up_studies import fill, plan_of

folder = Path(sys.argv[1])
text = '''
question = "Does it?"
metrics = ["youden_by_subject"]
[axes]
ratio = [0.5, 0.9]
seed = [1, 2]
fold = [1, 2, 3]
'''
plan = plan_of(text, folder)
result = evaluate_study(plan, store_at(fill(plan, folder / "out")))
write_study_report(result, folder / "report")
table = (folder / "report" / "study.md").read_text()
assert "Youden’s J, mean over subjects" in table, table
with look():
    figure = study_figures.scores(result)
words = [axes.get_title(loc="left") for axes in figure.axes]
assert any("Youden’s J" in word for word in words), words
"""


def _run(script: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_metric_is_seen_in_a_score_a_margin_and_the_help() -> None:
    _run(ONE_ENTRY)


def test_a_new_metric_is_seen_in_a_table_and_at_a_figure(tmp_path: object) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    pytest.importorskip("statsmodels")
    _run(ONE_ENTRY + REPORTED, str(tmp_path))


def test_keys_are_unique_and_do_not_end_like_a_mean() -> None:
    for key in ("auroc", "auroc_by_subject", "own_by_subject"):
        with pytest.raises(ScoringError, match="the name is taken"):
            register(Metric(key, "x", "x", lambda windows: 0.0))


def test_every_metric_that_can_have_a_margin_is_one() -> None:
    assert set(margin_metrics()) < set(METRICS)
    assert metric_of("brier_by_subject") is METRICS["brier"]
    assert [key for key in study_metrics() if not metric_of(key).higher_is_better] == [
        "brier",
        "brier_by_subject",
        "fp_per_day",
    ]


@pytest.mark.parametrize("truth", [(True, True), (False, False), (True, False)])
def test_it_is_defined_exactly_where_the_labels_hold_what_it_needs(
    truth: tuple[bool, bool],
) -> None:
    scores = WindowScores(np.array(truth), np.array([0.7, 0.2]), 0.5).all()
    has = {"seizure": any(truth), "background": not all(truth)}
    for key in window_metrics():
        assert (scores[key] is not None) == all(has[what] for what in METRICS[key].needs), key


def test_metrics_after_few_epochs_are_known_by_their_ending() -> None:
    assert key_of("auroc_by_subject_after_1") == ("auroc_by_subject", 1)
    assert key_of("auroc") == ("auroc", None)
    assert metric_of("brier_after_0") is METRICS["brier"]
    assert label_of("auroc_by_subject_after_0") == "AUROC, mean over subjects, right after the cut"
    assert label_of("auroc_after_4") == "AUROC, after 4 epochs"
    check_study_metric("macro_f1_by_subject_after_2")
    for wrong in ("auroc_after_3", "event_f1_after_1"):
        with pytest.raises(ScoringError, match="after 0, 1, 2, 4 epochs"):
            check_study_metric(wrong)
    with pytest.raises(ScoringError, match="there is no metric auroc_later"):
        check_study_metric("auroc_later")
