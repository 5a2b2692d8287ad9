"""The report of a small ladder: generated from its numbers, whole, offline, honest where nothing holds."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cohorts import PATIENT, TINY_SETTINGS, write_cohort
from tests.support.pages import HOSTILE, Page

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur.certifying import LadderResult, find, resolve_ladder
from secateur.reporting import ladder_answer, ladder_pareto
from secateur.reporting.drawing import look, to_svg
from secateur.reporting.ladder import write_ladder_report
from secateur.reporting.ladder_card import ladder_card
from secateur.reporting.ladder_figures import kept_kernels, loss_strips, sensitivity_curves
from secateur.reporting.ladder_numbers import chosen_rung, losses_by_rung, rung_label, size_of
from secateur.reporting.ladder_sections import header
from secateur.reporting.ladder_tables import sizes
from secateur.reporting.model_card import literal
from secateur.reporting.style import count, number, percent, share
from secateur.runs import Execution, Source
from secateur.scoring import Certificate, in_words
from secateur.windows import Cache

QUICK: dict[str, Any] = {
    **TINY_SETTINGS,
    "training.epochs": 1,
    "training.windows_per_epoch": 96,
    "certify.by": "holdout",
    "ladder.int8": True,
    "ladder.rungs": [0.5, 0.75],
    "constraint.margins": {"auroc": 0.9, "auprc": 0.9},
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cohort of twelve, and where the ladder is."""
    made = tmp_path_factory.mktemp("ladder-report")
    cohort = write_cohort(made / "cohort", subjects=12, seconds=45, name="Twelve", rhythm=5)
    return cohort, made / "out"


def go(places: tuple[Path, Path], told: dict[str, Any]) -> LadderResult:
    cohort, out = places
    how = Execution(cache=Cache(out.parent / "cache"))
    return find(Source(cohort), out, resolve_ladder(None, {**QUICK, **told}), how)


@pytest.fixture(scope="module")
def ladder(places: tuple[Path, Path]) -> LadderResult:
    """Eight judged by the quantised files themselves; any loss is allowed, so both rungs hold."""
    return go(places, {})


@pytest.fixture(scope="module")
def failed(ladder: LadderResult, places: tuple[Path, Path]) -> LadderResult:
    """The same networks; that one patient in twenty at most is harmed can't be shown on eight."""
    return go(places, {"constraint.harmed_share": 0.05})


def elsewhere(result: LadderResult, folder: Path) -> LadderResult:
    """The same result, its result.json free to be changed, to be reported to another folder."""
    there = type(result.folder)(folder, result.folder.name)
    return dataclasses.replace(result, folder=there, result=json.loads(json.dumps(result.result)))


def by_folds(result: LadderResult, folder: Path) -> LadderResult:
    """As where each subject was judged by its fold, without controls and without a test side."""
    changed = elsewhere(result, folder)
    told = changed.result
    (part,) = told["certified_by"]["parts"]
    half = part["certification"][:4], part["certification"][4:]
    told["certified_by"]["how"] = "folds"
    told["certified_by"]["parts"] = [
        {**part, "name": f"fold {number}", "certification": who}
        for number, who in enumerate(half, start=1)
    ]
    told["controls"] = {}
    for rung in told["ladder"]:
        rung["controls"] = {}
    for name in ("scratch", "scratch-long", "random", "retrained", "trivial"):
        del told["models"][name]
    for model in told["models"].values():
        model["test"] = model["minus_baseline"] = None
    for where in (told["split"], told["split"]["counts"], told["split"]["prevalence"]):
        del where["test"]
    return changed


@pytest.fixture(scope="module")
def report(ladder: LadderResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ladder_report(elsewhere(ladder, tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def source(report: Path) -> str:
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_all_files_are_there_and_nothing_is_left_beside_them(report: Path) -> None:
    assert sorted(one.name for one in report.parent.rglob("*") if one.is_file()) == [
        "model-card.md",
        "overview.png",
        "report.html",
    ]


def test_it_is_well_formed_and_fetches_nothing(source: str, page: Page) -> None:
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag in ("script", "link", "iframe", "object", "embed", "img"):
        assert page.all(tag) == []
    assert "http://" not in source
    assert "https://" not in source
    wanted = re.findall(r"url\(#([^)]*)\)", source)
    wanted += [str(a["href"])[1:] for _, a in page.tags if a.get("href")]
    assert set(wanted) <= set(ids)


def test_parts_stand_in_order(page: Page) -> None:
    assert [attributes["id"] for attributes in page.all("section")] == [
        "answer",
        "certificate",
        "sizes",
        "ladder",
        "kernels",
        "controls",
        "classes",
        "test",
        "methods",
        "data",
        "again",
    ]


def test_figures_have_words_and_tables_captions(page: Page) -> None:
    drawings = page.all("svg")
    assert len(drawings) == len(page.all("figcaption")) == 5
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)
    assert len(page.all("caption")) == len(page.all("table")) >= 9
    assert all(one.get("scope") in {"col", "row"} for one in page.all("th"))


def test_the_answer_says_how_much_smaller_in_the_results_own_numbers(ladder: LadderResult) -> None:
    told = ladder.result
    rung, base = chosen_rung(told), told["models"]["baseline"]
    assert rung is not None
    words = ladder_answer.answer(told)
    assert words.startswith(
        "Rung 0.75-int8, of the ladder 0.5-int8, 0.75-int8, is the last that holds"
    )
    assert f"{count(rung['parameters'])} of {count(base['parameters'])} parameters" in words
    assert f"({percent(share(rung['macs'], base['macs']), 1)})" in words
    assert f"{sum(rung['kernels'])} of {sum(base['kernels'])} kernels" in words
    for one in rung["statements"]:
        assert number(max(one["t_bound"], one["bootstrap_bound"]), 4) in words
        assert f"{one['harm']['harmed']} of 8 lost more than the margin" in words
    assert "No severer rung was tried" in words


def test_where_nothing_holds_it_says_so_and_how_many_would_have_been_needed(
    failed: LadderResult, tmp_path: Path
) -> None:
    changed = elsewhere(failed, tmp_path)
    source = write_ladder_report(changed).read_text(encoding="utf-8")
    words = ladder_answer.answer(changed.result)
    assert words.startswith("No rung holds, so pruned.onnx is the baseline, uncut.")
    assert len(changed.result["needed"]) == 2
    for one in changed.result["needed"]:
        assert one["words"].partition(": ")[2] in words
    assert html.escape(words) in source
    assert "no smaller detector is certified" in source
    assert "not tested" in source
    assert "★ " not in source
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "It is `baseline.onnx` itself: nothing was cut." in card
    assert "kernels kept" not in card


def test_the_certificate_stands_there_whole(ladder: LadderResult, source: str) -> None:
    card = ladder_card(ladder)
    for words in in_words(Certificate.model_validate(ladder.result["certificate"])):
        assert html.escape(words) in source
        assert literal(words) in card


def test_every_warning_stands_above_the_results(ladder: LadderResult, tmp_path: Path) -> None:
    told = elsewhere(ladder, tmp_path).result
    told["warnings"] = ["a warning with <, & and “quotes”"]
    assert html.escape(told["warnings"][0]) in header(told)


def test_of_the_saving_in_macs_a_share_is_realised_in_time(
    ladder: LadderResult, tmp_path: Path
) -> None:
    """Eight times fewer MACs and twice as fast: a quarter."""
    told = elsewhere(ladder, tmp_path).result
    base, rung = told["models"]["baseline"], told["ladder"][0]
    base["macs"], rung["macs"] = 8000, 1000
    base["latency_ms"], rung["latency_ms"] = (
        {"median": 0.4, "p99": 1.0},
        {"median": 0.2, "p99": 1.0},
    )
    row = sizes(told).rows[1]
    assert row[-3:] == ["8.0 ×", "2.0 ×", "25\u00a0%"]


def test_losses_are_baseline_minus_pruned_and_the_other_way_round_for_alarms(
    ladder: LadderResult, tmp_path: Path
) -> None:
    told = elsewhere(ladder, tmp_path).result
    told["baseline"]["certification"]["subjects"] = {"a": {"auroc": 0.9, "fp_per_day": 2.0}}
    for model in (*told["ladder"], told["controls"]["retrained"]):
        model["certification"]["subjects"] = {"a": {"auroc": 0.75, "fp_per_day": 3.0}}
    for metric, lost in (("auroc", 0.15), ("fp_per_day", 1.0)):
        found = losses_by_rung(told, metric)
        assert [name for name, _ in found] == ["rung-0.5-int8", "rung-0.75-int8", None]
        assert all(values == pytest.approx([lost]) for _, values in found)


def test_a_control_that_does_as_well_is_said_plainly(ladder: LadderResult, tmp_path: Path) -> None:
    told = elsewhere(ladder, tmp_path).result
    for rung, difference in zip(told["ladder"], (-0.02, 0.03), strict=True):
        apart = rung["controls"]["scratch"]["pruned_minus_control"]
        apart["mean"]["auroc"], apart["intervals"]["auroc"] = difference, [-0.05, 0.05]
    (words, *_) = ladder_answer.controls_in_words(told)
    assert words == (
        "The same small network trained from scratch: as good as the pruned network or better at "
        "0.5-int8 (−0.020 [−0.050, +0.050]), so there pruning has not shown its worth. The pruned "
        "network does better at 0.75-int8 (+0.030 [−0.050, +0.050])."
    )


def test_a_control_far_away_is_named_and_not_drawn(ladder: LadderResult, tmp_path: Path) -> None:
    told = elsewhere(ladder, tmp_path).result
    told["certificate"]["constraint"]["margins"] = {"auroc": 0.01}
    told["baseline"]["certification"]["mean"]["auroc"] = 0.9
    for rung in told["ladder"]:
        rung["minus_baseline"]["intervals"]["auroc"] = [-0.02, 0.02]
        for one in (rung, *rung["controls"].values()):
            one["certification"]["mean"]["auroc"] = 0.9
    for one in told["controls"].values():
        one["certification"]["mean"]["auroc"] = 0.9
    assert ladder_pareto.too_far(told) == []
    told["controls"]["trivial"]["certification"]["mean"]["auroc"] = 0.5
    assert ladder_pareto.too_far(told) == ["Forest (no network) (0.500)"]


def test_controls_of_a_quantised_rung_are_as_large_as_it_was_before(ladder: LadderResult) -> None:
    for rung in ladder.result["ladder"]:
        assert size_of(rung, "file_bytes", floats=True) == rung["float_file_bytes"]
        assert size_of(rung, "latency_ms", floats=True) == rung["float_latency_ms"]["median"]
        assert size_of(rung, "macs", floats=True) == rung["macs"]


def test_kept_kernels_are_counted_in_the_picture(ladder: LadderResult) -> None:
    with look():
        drawn = to_svg(kept_kernels(ladder.result), "f1", "kernels")
    for group, units in ladder.result["ladder"][0]["units"].items():
        kept = ", ".join(str(len(rung["kept"][group])) for rung in ladder.result["ladder"])
        assert f">{group}: {units} to {kept}</text>" in drawn


def test_many_layers_and_many_margins_have_room(ladder: LadderResult, tmp_path: Path) -> None:
    told = elsewhere(ladder, tmp_path).result
    units = {f"blocks.{number}.conv": 200 for number in range(11)}
    for rung in told["ladder"]:
        rung["units"] = units
        rung["kept"] = {name: list(range(0, 200, 2)) for name in units}
    told["sensitivity"] = {name: [[0.0, 100.0], [0.0, 0.5]] for name in units}
    with look():
        for figure in (kept_kernels(told), sensitivity_curves(told), loss_strips(told)):
            assert "<svg" in to_svg(figure, "f1", "many")


def test_by_folds_and_without_controls_or_test_it_says_what_is_missing(
    ladder: LadderResult, tmp_path: Path
) -> None:
    changed = by_folds(ladder, tmp_path)
    source = write_ladder_report(changed).read_text(encoding="utf-8")
    assert "each by networks that had not seen it (2 folds)" in source
    assert "No controls were trained (--controls none)" in source
    assert "No subject was kept for a test" in source
    assert "Who was judged by which networks" in source
    assert Page(source).open == []


def test_a_holdout_shows_its_side_and_its_test(ladder: LadderResult, source: str) -> None:
    assert "8 subjects kept for nothing else" in source
    assert ">Certification</th>" in source
    assert "Who was judged by which networks" not in source
    people = len(ladder.result["split"]["test"])
    assert f"{people} subject" in source[source.index('<section id="test"') :]


def test_methods_say_where_given_weights_came_from(ladder: LadderResult, tmp_path: Path) -> None:
    told = elsewhere(ladder, tmp_path).result
    assert "weights were given" not in ladder_answer.methods(told, ladder.settings, 18)[1]
    told["weights_given"] = True
    assert "weights were given" in ladder_answer.methods(told, ladder.settings, 18)[1]


def test_scores_that_are_not_defined_are_dashes(ladder: LadderResult, tmp_path: Path) -> None:
    changed = elsewhere(ladder, tmp_path)
    told = changed.result
    models = [told["baseline"], *told["ladder"], *told["controls"].values()]
    models += [one for rung in told["ladder"] for one in rung["controls"].values()]
    for model in models:
        for part in ("certification", "minus_baseline", "pruned_minus_control"):
            if part in model:
                model[part]["mean"]["sensitivity"] = None
                model[part]["intervals"] = dict.fromkeys(model[part]["intervals"])
    told["models"]["pruned"]["latency_ms"] = None
    page = Page(write_ladder_report(changed).read_text(encoding="utf-8"))
    assert not re.search(r"\b(nan|NaN|None|inf|null)\b", page.text)


def test_what_comes_from_files_is_harmless(ladder: LadderResult, tmp_path: Path) -> None:
    changed = elsewhere(ladder, tmp_path)
    told = changed.result
    told["data"]["name"] = told["command"] = HOSTILE
    told["warnings"] = [HOSTILE]
    told["notes"] = [{"note": HOSTILE, "recordings": [HOSTILE]}]
    told["split"]["training"][0] = HOSTILE
    told["certificate"]["circumstances"]["forced"] = HOSTILE
    subjects = [model["certification"]["subjects"] for model in (told["baseline"], *told["ladder"])]
    subjects.append(told["controls"]["retrained"]["certification"]["subjects"])
    for table in subjects:
        table[HOSTILE] = table.pop(min(table))
    source = write_ladder_report(changed).read_text(encoding="utf-8")
    assert Page(source).all("script") == []
    assert Page(source).open == []
    assert HOSTILE in html.unescape(source)
    assert "<script>" not in (tmp_path / "model-card.md").read_text(encoding="utf-8")


def test_nobody_s_name_and_no_local_path(ladder: LadderResult, tmp_path: Path) -> None:
    changed = elsewhere(ladder, tmp_path)
    changed.result["command"] = "secateur prune"
    write_ladder_report(changed)
    for name in ("report.html", "model-card.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not any(part in text for part in PATIENT.split())
        assert str(ladder.folder.path) not in text


def test_simulated_shows_in_page_card_and_figure(ladder: LadderResult, source: str) -> None:
    assert "(simulated)" in source[source.index("<title>") : source.index("</title>")]
    assert "SIMULATED DATA" in ladder_card(ladder)
    with look():
        drawn = to_svg(ladder_pareto.pareto(ladder.result, title=True), "f1", "sizes")
    assert "SIMULATED data" in drawn


def test_the_card_has_a_row_for_every_rung_and_its_threshold(ladder: LadderResult) -> None:
    card, told = ladder_card(ladder), ladder.result
    for rung in told["ladder"]:
        assert f"| {rung_label(rung)} | " in card
    threshold = told["certificate"]["circumstances"]["thresholds"][rung_label(told["ladder"][-1])]
    assert f"threshold {number(threshold)};" in card
    assert "secateur verify pruned.onnx" in card
    assert "None" not in card


def test_the_same_result_gives_the_same_bytes(
    ladder: LadderResult, report: Path, tmp_path: Path
) -> None:
    write_ladder_report(elsewhere(ladder, tmp_path))
    for name in ("report.html", "model-card.md", "figures/overview.png"):
        assert (tmp_path / name).read_bytes() == (report.parent / name).read_bytes()
