"""A study of networks that nobody prunes, judged on people in whom nothing happens too."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.errors import SettingsError
from secateur.recordings.montage import BIPOLAR_18
from secateur.reporting import write_study_report
from secateur.results import StudyRun
from secateur.runs import Source
from secateur.studies import ExecutionOptions, Plan, check_questions, evaluate_study, read_study
from secateur.studies.engine import carry_out
from secateur.studies.record import read_runs
from secateur.studies.store import store_at
from secateur.studies.table import Row
from tests.support.cohorts import eeg, write_edf

STUDY = """
question = "Does the order of channels matter?"
pruned = false
metrics = ["auroc_by_subject", "ordinary_called_on_quiet", "ordinary_alarms"]
[axes]
change = ["none", "random order", "another threshold"]
fold = [1, 2]
[fixed]
seed = 1
split = "folds:2"
test-background = "quiet"
epochs = 1
least-epochs = 1
[[when]]
these = { change = "random order" }
flags = { "training.augmentation.permute_channels" = true }
[[when]]
these = { change = "another threshold" }
flags = { "threshold.fixed" = 0.25 }
[settings.network]
widths = [4, 6, 8]
[settings.training]
windows_per_epoch = 160
recalibration = 2
[[compare]]
axis = "change"
to = "none"
metric = "ordinary_called"
[[compare]]
axis = "change"
to = "none"
metric = "auroc_by_subject"
"""


@pytest.fixture(scope="module")
def done(tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    top = tmp_path_factory.mktemp("background")
    for person in range(3):
        write_edf(top / "calm" / f"p{person}.edf", eeg(60, [], 90 + person), BIPOLAR_18)
    (top / "asked.toml").write_text(STUDY)
    sources = {"data": Source(tiny_cohort), "quiet": Source(top / "calm")}
    options = ExecutionOptions(workers=1)
    return carry_out(
        read_study(top / "asked.toml"), sources, str(top / "out"), options
    ), top / "out"


@pytest.fixture(scope="module")
def rows(done: tuple[Plan, Path]) -> list[Row]:
    rows, missing = read_runs(done[0], store_at(str(done[1])))
    assert not missing
    return rows


def test_nothing_is_pruned(rows: list[Row]) -> None:
    for row in rows:
        assert (row.result.kind, [*row.result.models]) == ("train", ["baseline"])
        assert row.score("pruned", "auroc_by_subject") == row.score("baseline", "auroc_by_subject")


def test_what_is_decided_after_training_shares_the_network(rows: list[Row]) -> None:
    by_change = {(row.at["change"], row.at["fold"]): row.result.models["baseline"] for row in rows}
    for fold in (1, 2):
        first = by_change["none", fold]
        other = by_change["another threshold", fold]
        assert (first.test, other.test) != (None, None)
        assert first.epochs == other.epochs
        assert first.test.scores["auroc"] == other.test.scores["auroc"]  # type: ignore[union-attr]
        assert first.test.threshold != other.test.threshold == 0.25  # type: ignore[union-attr]
    seconds = {row.result.seconds["baseline"] for row in rows if row.at["change"] != "random order"}
    assert len(seconds) == 2  # one training a fold


def test_who_only_tests_is_no_part_of_what_was_divided(rows: list[Row]) -> None:
    for row in rows:
        assert row.result.split.tests_only == ("quiet",)
        outcome = row.outcome("pruned", "auroc_by_subject")
        assert (outcome.test, outcome.training) == (3, len(row.result.split.training))


def test_ordinary_windows_are_those_of_people_declared_free_of_seizures(rows: list[Row]) -> None:
    for row in rows:
        result: StudyRun = row.result
        test = result.models["baseline"].test
        assert test is not None
        (quiet,) = (each for each in test.false_alarms if each.data == "quiet")
        called = row.subjects("pruned", "ordinary_called_on_quiet")
        assert [*called] == ["quiet/p0", "quiet/p1", "quiet/p2"] == [*quiet.subjects]
        # people of equal length: the mean over them is the share of all windows
        assert row.score("pruned", "ordinary_called") == pytest.approx(quiet.window_share)
        assert row.score("pruned", "ordinary_called_on_elsewhere") is None
        assert row.score("pruned", "ordinary_alarms") == pytest.approx(quiet.per_day)


def test_findings_speak_of_networks_as_they_are_trained(
    done: tuple[Plan, Path], tmp_path: Path
) -> None:
    findings = evaluate_study(done[0], store_at(str(done[1])))
    answer, _ = findings.families[0].answers
    assert [*answer.comparison.by_subject.subjects] == ["quiet/p0", "quiet/p1", "quiet/p2"]
    write_study_report(findings, tmp_path)
    text = (tmp_path / "study.md").read_text()
    assert "Ordinary windows called, quiet" in text
    assert "Each change minus none, every metric turned so that more is better" in text
    assert "pruned" not in text
    assert "before pruning" not in text


def test_a_study_without_pruning_has_no_network_before_it(tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    path.write_text(STUDY + '[[compare]]\naxis = "change"\nto = "baseline"\n')
    with pytest.raises(SettingsError, match="nothing is pruned"):
        check_questions(read_study(path))
