"""The report of a small run: whole, offline, honest, harmless."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cohorts import PATIENT
from tests.support.latex import compiled
from tests.support.pages import HOSTILE, Page

if TYPE_CHECKING:
    from secateur.runs import RunOutput

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur import results
from secateur.reporting import write_run_report
from secateur.reporting.card import run_card
from secateur.reporting.document import Document, bounds, number, signed
from secateur.reporting.drawing import look
from secateur.reporting.render import escaped_latex, markdown
from secateur.reporting.render import html as page_of
from secateur.reporting.run import run_document
from secateur.reporting.style import MODEL_NAMES
from secateur.scoring import window_metrics

Change = Callable[[dict[str, Any]], None]


def elsewhere(run: RunOutput, folder: Path, change: Change = lambda tables: None) -> RunOutput:
    """The same run, with some of result.json changed, to be reported to another folder."""
    there = type(run.folder)(folder, run.folder.name)
    shutil.copy(run.folder.detector("pruned"), there.detector("pruned"))
    tables = json.loads(run.result.model_dump_json())
    change(tables)
    return dataclasses.replace(run, folder=there, result=results.RunResult.model_validate(tables))


def document_of(run: RunOutput) -> Document:
    with look():
        return run_document(run)


def top_of(run: RunOutput) -> str:
    with look():
        source = page_of(run_document(run))
    return source[: source.index("<main>")]


@pytest.fixture(scope="session")
def report(tiny_run: RunOutput) -> Path:
    return write_run_report(tiny_run)


@pytest.fixture(scope="session")
def source(report: Path) -> str:
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(source: str) -> Page:
    return Page(source)


def test_all_files_are_there_and_nothing_is_left_beside_them(
    tiny_run: RunOutput, report: Path
) -> None:
    folder = tiny_run.folder.path
    assert report == folder / "report.html"
    assert (folder / "model-card.md").is_file()
    assert (folder / "report.md").is_file()
    assert (folder / "report.tex").is_file()
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures == {"overview", *(one.name for one in document_of(tiny_run).pictures)}
    assert (folder / "figures" / "overview.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.rglob("*.part*"))
    assert report.stat().st_size < 5_000_000


def test_it_is_well_formed(page: Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_it_fetches_nothing(source: str, page: Page) -> None:
    for tag in ("script", "link", "iframe", "object", "embed", "img"):
        assert page.all(tag) == []
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "http://" not in source
    assert "https://" not in source
    assert "@import" not in source
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", source))


def test_every_reference_has_its_target(source: str, page: Page) -> None:
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    wanted = re.findall(r"url\(#([^)]*)\)", source)
    links = [str(a["href"]) for _, a in page.tags if a.get("href")]
    wanted += [link[1:] for link in links if not link.startswith("data:image/png;base64,")]
    assert set(wanted) <= ids


def test_parts_stand_in_order(page: Page) -> None:
    anchors = [attributes["id"] for attributes in page.all("section")]
    assert anchors == [
        "done",
        "models",
        "differences",
        "after",
        "thresholds",
        "curves",
        "training",
        "importance",
        "subjects",
        "events",
        "eeg",
        "data",
        "again",
    ]


def test_it_says_that_it_is_no_medical_device(source: str) -> None:
    assert source.index("not a medical device") < source.index("<main>")


def test_every_warning_stands_above_the_results(tiny_run: RunOutput, tmp_path: Path) -> None:
    warnings = [*tiny_run.result.warnings, "a warning with <, & and “quotes”"]
    top = top_of(elsewhere(tiny_run, tmp_path, lambda tables: tables.update(warnings=warnings)))
    for warning in warnings:
        assert html.escape(warning) in top


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_scores_of_every_model_are_those_of_the_result(
    name: str, tiny_run: RunOutput, source: str
) -> None:
    test = tiny_run.result.models[name].test
    assert test is not None
    of_model = [row for row in source.split("<tr>") if f"</span>{MODEL_NAMES[name]}</th>" in row]
    pooled, means = of_model[1], of_model[2]
    for row, scores, intervals in (
        (pooled, test.scores, test.intervals.pooled),
        (means, test.mean_of_subjects, test.intervals.mean_of_subjects),
    ):
        for key in window_metrics():
            interval = intervals[key]
            assert f'<td>{number(scores[key])}<span class="interval">{bounds(interval)}' in row


def test_paired_differences_are_those_of_the_result(tiny_run: RunOutput, source: str) -> None:
    minus = tiny_run.result.models["pruned"].minus_baseline
    assert minus is not None
    for key in window_metrics():
        difference = signed(minus.difference[key])
        interval = bounds(minus.intervals[key], sign=True)
        assert f'{difference}<span class="interval">{interval}' in source


def test_numbers_in_figures_are_whole(tiny_run: RunOutput, source: str) -> None:
    drawn = source[source.index('id="figure-1"') : source.index('id="figure-2"')]
    for name in MODEL_NAMES:
        test = tiny_run.result.models[name].test
        assert test is not None
        mean = test.mean_of_subjects["auroc"]
        assert f">{number(mean)}</text>" in drawn


def test_every_figure_has_words_for_those_who_cannot_see_it(source: str, page: Page) -> None:
    drawings = page.all("svg")
    assert len(drawings) >= 8
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)
    assert len(page.all("figcaption")) == len(page.all("figure")) == len(drawings)
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", source, re.DOTALL):
        assert re.search(r"95 %|interval|band", caption)


def test_every_table_has_a_caption_and_scoped_heads(page: Page) -> None:
    assert len(page.all("caption")) == len(page.all("table")) >= 8
    assert all(one.get("scope") in {"col", "row"} for one in page.all("th"))


def test_event_scores_name_their_version(tiny_run: RunOutput, source: str) -> None:
    part = source[source.index('<section id="events"') : source.index('<section id="eeg"')]
    version = f"<td>{tiny_run.result.versions.timescoring}</td>"
    assert part.count(version) == len(MODEL_NAMES) + 1
    assert "always fires" in part
    test = tiny_run.result.models["baseline"].test
    assert test is not None
    note = test.events.note
    assert note is None or html.escape(note) in part


def test_what_is_not_defined_is_a_dash(page: Page) -> None:
    assert not re.search(r"\b(nan|NaN|None|inf|null)\b", page.text)


def test_subjects_without_a_score_are_shown_all_the_same(
    tiny_run: RunOutput, tmp_path: Path
) -> None:
    gone = dict.fromkeys(("auroc", "auprc", "sensitivity"))

    def without(tables: dict[str, Any]) -> None:
        for model in tables["models"].values():
            test, minus = model["test"], model["minus_baseline"]
            next(iter(test["subjects"].values())).update(gone)
            test["mean_of_subjects"].update(gone)
            for where in ("pooled", "mean_of_subjects"):
                test["intervals"][where].update(auroc=None)
            minus["difference"].update(auroc=None)
            minus["intervals"].update(auroc=None)
            model["latency_ms"] = None

    changed = elsewhere(tiny_run, tmp_path, without)
    page = Page(write_run_report(changed).read_text(encoding="utf-8"))
    assert not re.search(r"\b(nan|NaN|None|inf|null)\b", page.text)
    assert "–" in page.words
    test = changed.result.models["pruned"].test
    assert test is not None
    count = len(test.subjects)
    assert f"AUROC (mean over {count - 1} of {count} subjects, those with" in page.text


def test_nobody_s_name_and_no_local_path(tiny_run: RunOutput, tmp_path: Path) -> None:
    changed = elsewhere(tiny_run, tmp_path, lambda tables: tables.update(command="secateur run"))
    write_run_report(changed)
    for name in ("report.html", "report.md", "report.tex", "model-card.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        for part in (*PATIENT.split(), PATIENT.replace(" ", "_")):
            assert part not in text
        assert str(tiny_run.folder.path) not in text
        assert str(tiny_run.material.cohort.folder) not in text
        assert str(Path.home()) + "/" not in text


def test_what_comes_from_files_is_harmless(tiny_run: RunOutput, tmp_path: Path) -> None:
    def hostile(tables: dict[str, Any]) -> None:
        tables["problems"] = [{"recording": HOSTILE, "reason": HOSTILE}]
        tables["notes"] = [{"note": HOSTILE, "recordings": [HOSTILE]}]
        tables["data"]["name"] = tables["command"] = HOSTILE
        tables["split"]["training"][0] = HOSTILE
        for model in tables["models"].values():
            subjects = model["test"]["subjects"]
            subjects[HOSTILE] = subjects.pop(min(subjects))

    changed = elsewhere(tiny_run, tmp_path, hostile)
    source = write_run_report(changed).read_text(encoding="utf-8")
    page = Page(source)
    assert page.open == []
    assert page.all("script") == []
    assert HOSTILE in html.unescape(source)
    for name in ("model-card.md", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        outside = re.sub(r"^(```+)\w*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
        assert "<script>" not in outside.replace("\\<", "")
    latex = (tmp_path / "report.tex").read_text(encoding="utf-8")
    assert escaped_latex(HOSTILE) in latex
    assert HOSTILE not in latex
    compiled(tmp_path, "report")


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_shows_where_it_is_and_only_there(
    simulated: bool, tiny_run: RunOutput, tmp_path: Path
) -> None:
    changed = elsewhere(
        tiny_run, tmp_path, lambda tables: tables["data"].update(simulated=simulated)
    )
    card = markdown(run_card(changed))
    assert ("Simulated data" in top_of(changed)) == simulated
    assert ("SIMULATED DATA" in card) == simulated


def test_its_latex_compiles(report: Path, tmp_path: Path) -> None:
    shutil.copytree(report.parent / "figures", tmp_path / "figures")
    shutil.copy(report.parent / "report.tex", tmp_path)
    log = compiled(tmp_path, "report")
    assert "multiply defined" not in log


def test_the_page_s_title_says_simulated(source: str) -> None:
    assert "(simulated)" in source[source.index("<title>") : source.index("</title>")]


def test_the_same_result_gives_the_same_bytes(
    tiny_run: RunOutput, report: Path, tmp_path: Path
) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    write_run_report(elsewhere(tiny_run, tmp_path))
    assert dict(mpl.rcParams) == before
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    for name in written:
        assert (tmp_path / name).read_bytes() == (report.parent / name).read_bytes(), name
