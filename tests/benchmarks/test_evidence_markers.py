"""A marked number in a document is what is stored; another digit is seen, and written anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.evidence.check import (
    problems_of_documents,
    problems_of_studies,
    source_of,
)
from benchmarks.evidence.markers import MARKED, documents, renewed, write_anew
from benchmarks.evidence.packing import Repository
from benchmarks.evidence.quoting import Quoted, quoted
from benchmarks.evidence.stored import EVIDENCE, stored_names
from secateur.errors import SettingsError

SOURCE = source_of(Repository())
LINE = "cross-dataset: pruned-baseline auroc where data=chbmit, test-data=bonn"
TEXT = f"Pruning *costs* <!-- {LINE} -->0.005 (−0.004 to 0.014)<!-- / -->, it seems.\n"


def project(folder: Path, text: str) -> Repository:
    (folder / "docs").mkdir()
    (folder / "README.md").write_text("# It\n")
    (folder / "docs" / "page.md").write_text(text)
    return Repository(folder, EVIDENCE)


def test_documents_quote_stored_studies() -> None:
    quoted_studies = [
        words.partition(":")[0]
        for page in documents()
        for words, _ in MARKED.findall(page.read_text())
    ]
    assert len(quoted_studies) > 60
    assert {*quoted_studies} <= {*stored_names()}


def test_stored_studies_are_of_today_or_listed_and_of_known_commits() -> None:
    assert list(problems_of_studies(Repository())) == []


def test_another_digit_is_seen_and_mended(tmp_path: Path) -> None:
    repository = project(tmp_path, TEXT.replace("0.014", "0.015"))
    (problem,) = problems_of_documents(repository, SOURCE)
    assert problem.startswith(
        "docs/page.md, line 1: says '0.005 (−0.004 to 0.015)', stored is '0.0"
    )
    page = tmp_path / "docs" / "page.md"
    assert write_anew(page, SOURCE) == 1
    assert page.read_text() == TEXT
    assert list(problems_of_documents(repository, SOURCE)) == []
    assert write_anew(page, SOURCE) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.replace("cross-dataset", "no-study"), "holds no evidence"),
        (TEXT.replace("auroc", "aurok"), "aurok: there is auroc, macro_f1"),
        (TEXT.replace("data=chbmit", "date=chbmit"), "date: there is data, test-data"),
        (TEXT.replace(", test-data=bonn", ""), "asks for 2 different numbers; wanted one"),
        (TEXT.replace("=bonn", "=moon"), "asks for nothing; wanted one"),
        (TEXT.replace("data=chbmit", "chbmit"), "chbmit: wanted NAME=VALUE"),
        (TEXT.replace("0.005 (−0.004 to 0.014)", "little"), "wanted one number, two or three"),
        (TEXT.removeprefix("Pruning *costs* "), "a marker may not begin a line"),
        (TEXT.replace("<!-- / -->", ""), "1 markers that begin or end nothing"),
    ],
)
def test_what_can_not_be_written_anew_is_told(text: str, words: str, tmp_path: Path) -> None:
    (problem,) = problems_of_documents(project(tmp_path, text), SOURCE)
    assert words in problem
    with pytest.raises(SettingsError, match=re.escape(words)):
        write_anew(tmp_path / "docs" / "page.md", SOURCE)


@pytest.mark.parametrize(
    ("before", "number", "after"),
    [
        ("0.1", Quoted(0.04), "0.0"),
        ("−0.100", Quoted(0.0004), "0.000"),
        ("0.100", Quoted(-0.0006), "−0.001"),
        ("+0.1", Quoted(0.26), "+0.3"),
        ("11,186", Quoted(1234567.0), "1,234,567"),
        ("29 %", Quoted(0.304), "30 %"),
        ("by 5 points", Quoted(-0.06), "by −6 points"),
        ("22 to 73", Quoted(50.0, 10.4, 99.6), "10 to 100"),
        ("0.1 (0.2 to 0.3)", Quoted(1.0, 2.0, 3.0), "1.0 (2.0 to 3.0)"),
    ],
)
def test_the_form_stays_as_it_stands(before: str, number: Quoted, after: str) -> None:
    assert renewed(before, number) == after


def test_without_an_interval_none_is_written() -> None:
    with pytest.raises(SettingsError, match="has no such number"):
        renewed("0 to 1", Quoted(0.5))


def test_numbers_of_drift_and_sizes_are_there() -> None:
    drift = SOURCE("drift")
    line = "drift: decay lost where network=baseline, group=all, metric=auroc"
    number = quoted(line, SOURCE)
    (row,) = [
        row
        for row in drift.decay  # type: ignore[union-attr]
        if (row.network, row.group, row.metric) == ("baseline", "all", "auroc")
    ]
    assert (number.value, (number.low, number.high)) == (row.lost, row.lost_interval)
    with pytest.raises(SettingsError, match="decays: there is curves, decay"):
        quoted(line.replace("decay", "decays"), SOURCE)
    assert quoted("cross-dataset: pruned parameters where data=bonn", SOURCE).value == 2466
