"""A study's report: every number is that of the findings, in every format, and nothing is hidden."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.latex import compiled
from tests.support.made_up_studies import Changes, fill, plan_of
from tests.support.pages import HOSTILE, Page

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("pyarrow")

from secateur.reporting import write_study_report
from secateur.reporting.document import Table, bounds, number, signed
from secateur.reporting.drawing import look
from secateur.reporting.render import escaped_latex as tex
from secateur.reporting.study import study_document
from secateur.studies import Findings, evaluate_study
from secateur.studies.store import store_at

STUDY = """
title = "How far"
question = "Does the criterion matter?"
[axes]
importance = ["l1", "random", "taylor"]
ratio = [0.5, 0.9]
seed = [1, 2]
fold = [1, 2, 3]
[fixed]
epochs = 2
[[compare]]
axis = "importance"
to = "random"
margin = 0.05
[[compare]]
title = "What pruning costs"
axis = "ratio"
to = "baseline"
metric = "fp_per_day"
[[hypothesis]]
says = "L1 is better than chance at half"
that = {importance = "l1", ratio = 0.5}
than = {importance = "random", ratio = 0.5}
is = "better"
"""


def as_is(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """As it is made up, the pruned network scored after the cut and one epoch as in the end."""
    test = result["models"]["pruned"]["test"]
    scores = {key: test[key] for key in ("scores", "threshold", "subjects")}
    result["models"]["pruned"]["after_epochs"] = {"0": scores, "1": scores}
    return result


def found_in(folder: Path, text: str = STUDY, change: Changes = as_is) -> Findings:
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_of(text, folder)
    return evaluate_study(plan, store_at(fill(plan, folder / "out", change)))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return found_in(tmp_path_factory.mktemp("made-up"))


@pytest.fixture(scope="module")
def folder(found: Findings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert write_study_report(found, folder) == folder / "study.html"
    return folder


def text_of(page: str) -> str:
    return " ".join(Page(page).words)


def test_the_page_stands_alone_and_has_all_parts(folder: Path) -> None:
    source = (folder / "study.html").read_text(encoding="utf-8")
    page = Page(source)
    assert not page.open
    assert not page.all("script")
    assert not re.findall(r'(?:src|href)="(?!#|data:)', source)
    assert "default-src 'none'" in source
    headings = re.findall(r"<h2 id=[^>]*>([^<]*)</h2>", source)
    assert headings[0] == html.escape("What can be concluded, and what can’t")
    assert {"Scores", "Design", "Runs left out", "How to make it again"} <= set(headings)
    assert {"What pruning costs", "Where the spread comes from"} <= set(headings)
    assert len(page.all("figure")) == len(list((folder / "figures").glob("*.png")))
    assert all(one.get("aria-label") for one in page.all("svg"))


def test_every_number_of_the_findings_is_in_each_format(found: Findings, folder: Path) -> None:
    wanted = []
    for one in found.conditions:
        for metric in found.study.metrics:
            summary, minus = one.scores[metric], one.minus[metric]
            wanted += [number(summary.mean), signed(minus.mean), bounds(summary.interval)]
        assert list(one.after) == ["auroc_by_subject_after_0", "auroc_by_subject_after_1"]
        wanted += [number(summary.mean) for summary in one.after.values()]
    assert len(found.spread) == 1 + len(found.conditions)
    for spread in found.spread:
        for part in spread.components.parts:
            wanted.append(f"{' and '.join(part.names)} {number(part.deviation, 4)}")
    for family in found.families:
        for answer in family.answers:
            compared = answer.comparison
            digits = 1 if answer.metric == "fp_per_day" else 3
            wanted += [
                signed(compared.difference, digits),
                bounds(compared.interval, digits, sign=True),
                number(compared.detectable, digits),
            ]
            if answer.metric != "fp_per_day":  # which no subject has alone
                assert compared.effect
                wanted.append(signed(compared.effect.size, 2))
    words = text_of((folder / "study.html").read_text(encoding="utf-8"))
    markdown = (folder / "study.md").read_text(encoding="utf-8").replace("\\", "")
    latex = (folder / "study.tex").read_text(encoding="utf-8")
    for told in wanted:
        assert told in words
        assert told in markdown
        assert tex(told) in latex


def test_every_claim_is_in_words_as_it_was_generated(found: Findings, folder: Path) -> None:
    words = text_of((folder / "study.html").read_text(encoding="utf-8"))
    for family in found.families:
        for answer in family.answers:
            assert answer.claim in words
    assert "L1 is better than chance at half" in words
    assert "“Not shown” is not “no difference”" in words


def test_cautions_stand_at_the_top_and_in_every_caption_of_latex(folder: Path) -> None:
    page = (folder / "study.html").read_text(encoding="utf-8")
    top = page[: page.index("<main>")]
    assert "post-ictal background only" in top
    assert "timescoring 0.0.7" in top
    assert "All recordings are simulated" in top
    latex = (folder / "study.tex").read_text(encoding="utf-8")
    assert latex.count("Simulated EEG") == latex.count(r"\caption{") > 5


def test_the_same_findings_give_the_same_bytes(
    found: Findings, folder: Path, tmp_path: Path
) -> None:
    write_study_report(found, tmp_path)
    names = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(names) > 8
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_parquet_file_has_a_row_a_run_and_its_numbers_are_numbers(
    found: Findings, folder: Path
) -> None:
    from pyarrow import parquet

    table = parquet.read_table(folder / "runs.parquet")
    assert table.num_rows == found.finished == 36
    assert table.column_names[:5] == ["run", "importance", "ratio", "seed", "fold"]
    assert table["pruned_auroc"].to_pylist() == [row["pruned_auroc"] for row in found.rows]
    assert str(table.schema.field("ratio").type) == "double"


def test_runs_without_a_result_are_told_with_their_reasons(tmp_path: Path) -> None:
    def some(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any] | str | None:
        if at["importance"] == "taylor":
            return None
        return "its worker died" if at["seed"] == 2 and at["fold"] == 1 else result

    found = found_in(tmp_path, change=some)
    words = text_of(write_study_report(found, tmp_path).read_text(encoding="utf-8"))
    assert "20 of 36 runs have a result, 4 failed, 12 are still to do" in words
    assert words.count("its worker died") == 4
    for one in found.missing:
        if one.state == "failed":
            assert one.name in words
    assert "6 runs" in words
    assert "can't be compared" in words


@pytest.mark.parametrize("left", [0, 1])
def test_next_to_nothing_is_reported_as_such(left: int, tmp_path: Path) -> None:
    whole = plan_of(STUDY, tmp_path)
    first = [dict(at) for _, at in whole.runs[:left]]
    found = found_in(tmp_path, change=lambda at, result: result if dict(at) in first else None)
    words = text_of(write_study_report(found, tmp_path).read_text(encoding="utf-8"))
    assert f"{left} of 36 runs have a result" in words
    assert "none shows a difference" not in words
    assert (tmp_path / "runs.parquet").is_file() == bool(left)
    if not left:
        assert "No run is finished yet" in words


def test_figures_of_an_earlier_report_that_are_no_more_are_removed(
    found: Findings, tmp_path: Path
) -> None:
    write_study_report(found, tmp_path)
    nothing = found_in(tmp_path / "other", change=lambda at, result: None)
    write_study_report(nothing, tmp_path)
    assert not list((tmp_path / "figures").glob("*.png"))


def test_names_that_would_do_harm_are_words_in_every_format(tmp_path: Path) -> None:
    hostile = HOSTILE + r" 50% {a} | b \input{c} ``quoted'' [x] Ägir 患者 λ → ☃"
    text = STUDY.replace('title = "How far"', f"title = '''{hostile}'''").replace(
        "What pruning costs", "cost & <b> 50%_#"
    )

    def named(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        result["data"]["name"] = hostile
        return result

    found = found_in(tmp_path, text, named)
    page = write_study_report(found, tmp_path).read_text(encoding="utf-8")
    assert not Page(page).all("script")
    assert hostile in text_of(page)
    markdown = (tmp_path / "study.md").read_text(encoding="utf-8")
    assert "<script" not in markdown.replace("\\<", "")
    heads = [line for line in markdown.splitlines() if line.startswith("|")]
    for line in heads:
        assert line.count("|") - line.count("\\|") >= 3
    latex = (tmp_path / "study.tex").read_text(encoding="utf-8")
    body = latex[latex.index(r"\secateurwords{\subsection") :]
    assert r"\input{c}" not in body
    assert is_balanced(body)
    assert not re.search(r"(?<!\\)[#$^~](?![a-z0-9])", body.replace("~", ""))
    compiled(tmp_path, "study")


def is_balanced(text: str) -> bool:
    """Whether each brace that LaTeX counts has its other, and each environment its end."""
    bare = re.sub(r"\\[{}]", "", text)
    depth = 0
    for letter in bare:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    return depth == 0 and sorted(begun) == sorted(ended)


def test_each_row_of_a_table_in_latex_has_as_many_cells_as_columns(folder: Path) -> None:
    latex = (folder / "study.tex").read_text(encoding="utf-8")
    tables = re.findall(r"\\begin{tabular}{(\w+)}(.*?)\\end{tabular}", latex, flags=re.DOTALL)
    assert len(tables) >= 8
    for columns, rows in tables:
        for row in rows.split("\\\\")[:-1]:
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


def test_its_latex_compiles_and_its_labels_are_its_own(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "study")
    log = compiled(tmp_path / "study", "study")
    assert "multiply defined" not in log


def test_sets_of_bonn_are_told_apart(tmp_path: Path) -> None:
    def bonn(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        told = {"windows": 20.0, "called": 0.125, "auroc_against_ictal": 0.875}
        result["models"]["pruned"]["groups"] = {f"set{letter}": told for letter in "ABCDE"}
        return result

    with look():
        parts = study_document(found_in(tmp_path, change=bonn)).parts
    grids = [one for part in parts for one in part.blocks if isinstance(one, Table)]
    (sets,) = (one for one in grids if one.name == "sets")
    rows = [[cell.plain for cell in row] for row in sets.cells]
    assert rows[0][1:] == ["A: scalp, eyes open", "20", "0.125", "0.875"]
    assert rows[4][1] == "E: intracranial, in seizures"
