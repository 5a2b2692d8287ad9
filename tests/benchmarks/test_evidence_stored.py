"""What evidence/ holds: every run is read as a result of today, and every report is what its runs say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas
import pytest

from benchmarks.evidence import reports
from benchmarks.evidence.check import problems_of_documents, problems_of_reports, source_of
from benchmarks.evidence.packing import Repository
from benchmarks.evidence.stored import (
    DRIFT,
    DRIFT_TABLES,
    EVIDENCE,
    RUNS,
    TOP,
    StoredStudy,
    older_names,
    read_drift,
    read_study,
    stored_names,
    write_drift,
    write_study,
)
from secateur.errors import RunError
from secateur.results import RESULT_VERSION, AdaptedRun
from secateur.runs import RunSettings
from secateur.studies.record import PLAN, result_of
from secateur.studies.store import store_at
from tests.support.made_up_studies import fill, plan_of

NAMES = stored_names()
read_once = cache(read_study)
STUDIES = [name for name in NAMES if name != DRIFT]
SMALL = "cross-dataset"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_written_as_it_was_read(name: str, tmp_path: Path) -> None:
    study = read_once(name)
    write_study(tmp_path / name, study)
    assert read_study(name, tmp_path) == study
    assert (tmp_path / name / PLAN).read_bytes() == (EVIDENCE / name / PLAN).read_bytes()
    assert (tmp_path / name / RUNS).stat().st_size < 1_000_000
    for result in study.results.values():
        RunSettings.model_validate(result.settings)


def test_runs_with_fitted_networks_are_written_as_they_were_read(tmp_path: Path) -> None:
    text = """question = "Fitted?"
[axes]
"adapt.method" = ["none", "full"]
seed = [1, 2]
[adapt]
epochs = 3
"""
    plan = plan_of(text, tmp_path)
    store = store_at(fill(plan, tmp_path, fitted))
    runs = {name: run for name, _ in plan.runs if (run := result_of(name, store))}
    study = StoredStudy(plan, runs, dict.fromkeys(runs, "c0ffee"), {"c0ffee": "made up"})
    write_study(tmp_path / "made-up", study)
    again = read_study("made-up", tmp_path)
    assert again.results == runs
    assert all(isinstance(run, AdaptedRun) for run in again.results.values())
    assert again.plan.study.adapt == study.plan.study.adapt
    columns = pandas.read_parquet(tmp_path / "made-up" / RUNS).columns
    assert "adapting.method" in columns
    assert not [name for name in columns if "sub-" in name]
    findings = again.findings()
    assert findings.adapting is not None
    tested = {name for run in runs.values() for name in run.split.test or ()}
    assert {*findings.adapting.subjects} == tested
    assert {*findings.adapting.left_out} == {"Made up/sub-91", "Made up/sub-92"}


def fitted(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """A made-up run as one whose networks were fitted; somebody else is left out with every seed."""
    counts = {"recordings": 2, "seizures": 2, "windows": 40, "ictal_windows": 9}
    portion = {**counts, "records": 1, "minutes": 2.5}
    people = result["split"]["test"]
    both = {"earlier": portion, "later": portion, "thresholds": {"baseline": 0.5, "pruned": 0.4}}
    return {
        **result,
        "kind": "adapt",
        "adapting": {"method": at["adapt.method"], "epochs": 3, "seizures": 0.5},
        "subjects": {name: {**both, "note": ""} for name in people},
        "left_out": {f"Made up/sub-9{at['seed']}": "1 seizure in all"},
    }


def test_the_study_of_drift_is_written_as_it_was_read(tmp_path: Path) -> None:
    drift = read_drift()
    write_drift(tmp_path / DRIFT, drift)
    assert read_drift(tmp_path) == drift
    assert (tmp_path / DRIFT / PLAN).read_bytes() == (EVIDENCE / DRIFT / PLAN).read_bytes()
    for table in DRIFT_TABLES:
        rows = len(getattr(drift.findings, table))
        assert bool(rows) == (EVIDENCE / DRIFT / f"{table}.parquet").exists()


@pytest.mark.parametrize("name", STUDIES)
def test_settings_and_metrics_are_columns_that_pandas_reads_in_a_line(name: str) -> None:
    table = pandas.read_parquet(EVIDENCE / name / RUNS)
    study = read_once(name)
    lines = table.set_index("run").to_dict("index")
    for row in study.rows():
        line = lines[row.name]
        assert line["settings.pruning.ratio"] == row.result.settings["pruning"]["ratio"]
        brier = row.score("baseline", "brier")  # networks fitted to somebody have none
        assert (
            pandas.isna(line["baseline_brier"])
            if brier is None
            else line["baseline_brier"] == brier
        )
        assert line["baseline_parameters"] == row.result.models["baseline"].parameters
        assert line["versions.result"] == row.result.versions.result
    assert {*study.plan.study.axes, "seconds.baseline"} <= {*table.columns}


@pytest.mark.parametrize(
    "name",  # reports of older runs, which are being made again, change no more
    [
        pytest.param(name, marks=pytest.mark.long if name in older_names() else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_a_report_and_the_numbers_quoted_are_what_its_runs_say(name: str) -> None:
    repository = Repository()
    source = source_of(repository)
    problems = [
        *problems_of_reports(repository, source, [name]),
        *problems_of_documents(repository, source, name),
    ]
    assert not problems, "python -m benchmarks.evidence --reports, or --check --write, renews it"


def test_every_picture_of_a_report_lies_beside_it() -> None:
    for name in NAMES:
        text = reports.stored_report(name)
        named = {figure for figure in reports.FIGURES if f"(figures/{figure})" in text}
        assert named == {path.name for path in (EVIDENCE / name / "figures").iterdir()}


def test_studies_of_another_result_version_are_listed_and_no_others() -> None:
    old = [name for name in STUDIES if read_once(name).result_versions != (RESULT_VERSION,)]
    assert sorted(older_names()) == old


def test_every_study_that_was_done_has_its_file() -> None:
    assert {*NAMES} <= {path.stem for path in (TOP / "studies").glob("*.toml")}


def test_other_numbers_in_a_report_are_seen_and_other_words_are_not() -> None:
    before = "Lost 0.012 of 3.\n| 1 | 0.5 |\n"
    words = "It lost 0.012, of 3 in all.\n| 1 | *0.5* |\n"
    assert reports.changed_lines(before, words) == []
    assert reports.changed_lines(before, before.replace("| 1 |", "| 2 |")) == [
        "- | 1 | 0.5 |",
        "+ | 2 | 0.5 |",
    ]
    assert reports.changed_lines("−0.012", "0.012") == ["- −0.012", "+ 0.012"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"schema": 1', '"schema": 2', "is of schema 2, wanted 1"),
        ('"runs": [', '"rans": [', "is damaged"),
        ('"runs": [', "", "is damaged"),
        (', "commit"', ', "comit"', "names no commit of some runs"),
        ('"run": "', '"run": "0', "holds runs that plan.json doesn't name"),
    ],
)
def test_a_damaged_plan_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / SMALL
    folder.mkdir()
    (folder / RUNS).write_bytes((EVIDENCE / SMALL / RUNS).read_bytes())
    text = (EVIDENCE / SMALL / PLAN).read_text()
    assert old in text
    (folder / PLAN).write_text(text.replace(old, new, 1))
    with pytest.raises(RunError, match=words):
        read_study(SMALL, tmp_path)
    with pytest.raises(RunError, match=r"holds no evidence \(no plan.json\)"):
        read_study("nothing", tmp_path)
