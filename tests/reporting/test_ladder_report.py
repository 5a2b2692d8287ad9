"""The report of a small ladder: generated from its numbers, whole, offline, honest where nothing holds."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cohorts import PATIENT, TINY_SETTINGS, write_cohort
from tests.support.latex import compiled
from tests.support.pages import HOSTILE, Page

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur import results
from secateur.certifying import LadderOutput, find, resolve_ladder
from secateur.reporting import ladder_figures, write_ladder_report
from secateur.reporting.card import ladder_card
from secateur.reporting.document import count, number, percent, share
from secateur.reporting.drawing import look, to_svg
from secateur.reporting.ladder import ladder_document, sizes_of_rungs
from secateur.reporting.ladder_figures import (
    chosen_rung,
    kept_kernels,
    loss_strips,
    losses_by_rung,
    masking_curves,
    rung_label,
    size_of,
)
from secateur.reporting.ladder_words import answer, confidence_of, controls_in_words
from secateur.reporting.render import escaped_latex, markdown
from secateur.reporting.render import escaped_markdown as literal
from secateur.reporting.render import html as page_of
from secateur.results.warnings import held_warnings
from secateur.runs import Execution, Source
from secateur.scoring import in_words
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


def go(places: tuple[Path, Path], told: dict[str, Any]) -> LadderOutput:
    cohort, out = places
    how = Execution(cache=Cache(out.parent / "cache"))
    return find(Source(cohort), out, resolve_ladder(None, {**QUICK, **told}), how)


@pytest.fixture(scope="module")
def ladder(places: tuple[Path, Path]) -> LadderOutput:
    """Eight judged by the quantised files themselves; any loss is allowed, so both rungs hold."""
    return go(places, {})


@pytest.fixture(scope="module")
def failed(ladder: LadderOutput, places: tuple[Path, Path]) -> LadderOutput:
    """The same networks; that one patient in twenty at most is harmed can't be shown on eight."""
    return go(places, {"constraint.harmed_share": 0.05})


Change = Callable[[dict[str, Any]], None]


def changed_model(ladder: LadderOutput, change: Change) -> results.LadderResult:
    """What result.json holds, some of it changed."""
    tables = json.loads(ladder.result.model_dump_json())
    change(tables)
    return results.LadderResult.model_validate(tables)


def elsewhere(
    ladder: LadderOutput, folder: Path, change: Change = lambda tables: None
) -> LadderOutput:
    """The same result, some of it changed, to be reported to another folder."""
    there = type(ladder.folder)(folder, ladder.folder.name)
    return dataclasses.replace(ladder, folder=there, result=changed_model(ladder, change))


def by_folds(tables: dict[str, Any]) -> None:
    """As where each subject was judged by its fold, without controls and without a test side."""
    (part,) = tables["certified_by"]["parts"]
    half = part["certification"][:4], part["certification"][4:]
    tables["certified_by"]["how"] = "folds"
    tables["certified_by"]["parts"] = [
        {**part, "name": f"fold {number}", "repeat": repeat, "certification": who}
        for repeat in (1, 2, 3)
        for number, who in enumerate(half, start=1)
    ]
    tables["controls"] = {}
    for rung in tables["ladder"]:
        rung["controls"] = {}
    for name in ("scratch", "scratch-long", "random", "retrained", "random_forest"):
        del tables["models"][name]
    for model in tables["models"].values():
        model["test"] = model["minus_baseline"] = model["after_epochs"] = None
    tables["split"]["test"] = None
    for where in (tables["split"]["counts"], tables["split"]["prevalence"]):
        del where["test"]


@pytest.fixture(scope="module")
def report(ladder: LadderOutput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ladder_report(elsewhere(ladder, tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def source(report: Path) -> str:
    return report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_all_files_are_there_and_nothing_is_left_beside_them(report: Path) -> None:
    names = {path.name for path in report.parent.rglob("*") if path.is_file()}
    assert {"model-card.md", "report.html", "report.md", "report.tex", "overview.png"} <= names
    assert all(name.endswith((".html", ".md", ".tex", ".png")) for name in names)


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
    assert len(drawings) == len(page.all("figcaption")) == 7
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)
    assert len(page.all("caption")) == len(page.all("table")) >= 9
    assert all(one.get("scope") in {"col", "row"} for one in page.all("th"))


def test_the_answer_says_how_much_smaller_in_the_results_own_numbers(ladder: LadderOutput) -> None:
    result = ladder.result
    rung, base = chosen_rung(result), result.models["baseline"]
    assert rung is not None
    words = answer(result)
    assert words.startswith(
        "Rung 0.75-int8, of the ladder 0.5-int8, 0.75-int8, is the last that holds"
    )
    assert f"{count(rung.parameters)} of {count(base.parameters)} parameters" in words
    assert f"({percent(share(rung.macs, base.macs), 1)})" in words
    assert f"{sum(rung.kernels)} of {sum(base.kernels or ())} kernels" in words
    for statement in rung.statements:
        assert number(statement.bound, 4) in words
        assert f"{statement.harm.harmed} of 8 lost more than the margin" in words
    assert "No severer rung was tried" in words


def test_kernels_that_cannot_go_are_no_part_of_a_share_without_a_word(
    ladder: LadderOutput,
) -> None:
    """With LayerScale 32 of 40 kernels are held, 4 of the others go, and "50 % removed" would be untrue."""
    held = {"layer": "blocks.0", "kernels": 32, "reason": "it has a factor of its own"}
    changed = changed_model(ladder, lambda tables: tables["pruning"].update(held=[held]))
    assert " of the kernels that can go removed" in answer(changed)
    assert " of the kernels removed" in answer(ladder.result)
    (warning,) = held_warnings({"held": [held], "ratio_of_all": 0.1, "ratio_achieved": 0.5})
    assert warning.startswith(
        "32 kernels can't go, so of all kernels 10.0 % went, of those that could"
    )


def test_confidence_is_not_rounded(ladder: LadderOutput) -> None:
    def as_regulators_ask(tables: dict[str, Any]) -> None:
        tables["certificate"]["constraint"]["confidence"] = 0.975

    assert confidence_of(ladder.result) == "95\u00a0%"
    assert confidence_of(changed_model(ladder, as_regulators_ask)) == "97.5\u00a0%"


def test_where_a_share_harmed_was_asked_for_it_stands_first(ladder: LadderOutput) -> None:
    def asked(tables: dict[str, Any]) -> None:
        tables["certificate"]["constraint"]["harmed_share"] = 0.4

    words = answer(changed_model(ladder, asked))
    first = words.index("of patients to come would (allowed 40.0\u00a0%)")
    assert first < words.index("a mean loss of")
    assert "allowed" not in answer(ladder.result)


def test_where_nothing_holds_it_says_so_and_how_many_would_have_been_needed(
    failed: LadderOutput, tmp_path: Path
) -> None:
    changed = elsewhere(failed, tmp_path)
    source = write_ladder_report(changed).read_text(encoding="utf-8")
    words = answer(changed.result)
    assert words.startswith("No rung holds, so pruned.onnx is the baseline, uncut.")
    assert len(changed.result.needed) == 2
    for needed in changed.result.needed:
        assert needed.words.partition(": ")[2] in words
    assert html.escape(words) in source
    assert "no smaller detector is certified" in source
    assert "not tested" in source
    assert "★ " not in source
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "It is `baseline.onnx` itself: nothing was cut." in card
    assert "kernels kept" not in card


def test_the_certificate_stands_there_whole(ladder: LadderOutput, source: str) -> None:
    card = markdown(ladder_card(ladder))
    for words in in_words(ladder.result.certificate):
        assert html.escape(words) in source
        assert literal(words) in card


def test_every_warning_stands_above_the_results(ladder: LadderOutput, tmp_path: Path) -> None:
    warning = "a warning with <, & and “quotes”"
    changed = elsewhere(ladder, tmp_path, lambda tables: tables.update(warnings=[warning]))
    with look():
        source = page_of(ladder_document(changed))
    assert html.escape(warning) in source[: source.index("<main>")]


def test_of_the_saving_in_macs_a_share_is_realised_in_time(ladder: LadderOutput) -> None:
    """Eight times fewer MACs and twice as fast: a quarter."""

    def cheaper(tables: dict[str, Any]) -> None:
        base, rung = tables["models"]["baseline"], tables["ladder"][0]
        base["macs"], rung["macs"] = 8000, 1000
        base["latency_ms"] = {"median": 0.4, "p99": 1.0}
        rung["latency_ms"] = {"median": 0.2, "p99": 1.0}

    row = sizes_of_rungs(changed_model(ladder, cheaper)).rows[1]
    assert row[-3:] == ["8.0 ×", "2.0 ×", "25\u00a0%"]


def test_losses_are_baseline_minus_pruned_and_the_other_way_round_for_alarms(
    ladder: LadderOutput,
) -> None:
    def of_one(tables: dict[str, Any]) -> None:
        before, after = {"auroc": 0.9, "fp_per_day": 2.0}, {"auroc": 0.75, "fp_per_day": 3.0}
        tables["baseline"]["certification"]["subjects"] = {"a": before}
        for model in (*tables["ladder"], tables["controls"]["retrained"]):
            model["certification"]["subjects"] = {"a": after}

    changed = changed_model(ladder, of_one)
    for metric, lost in (("auroc", 0.15), ("fp_per_day", 1.0)):
        losses = losses_by_rung(changed, metric)
        assert [name for name, _ in losses] == ["rung-0.5-int8", "rung-0.75-int8", None]
        assert all(values == pytest.approx([lost]) for _, values in losses)


def test_a_control_that_does_as_well_is_said_plainly(ladder: LadderOutput) -> None:
    def as_well(tables: dict[str, Any]) -> None:
        for rung, difference in zip(tables["ladder"], (-0.02, 0.03), strict=True):
            minus = rung["controls"]["scratch"]["pruned_minus_control"]
            minus["mean"]["auroc"], minus["intervals"]["auroc"] = difference, [-0.05, 0.05]

    (words, *_) = controls_in_words(changed_model(ladder, as_well))
    assert words == (
        "The same small network trained from scratch: as good as the pruned network or better at "
        "0.5-int8 (−0.020 [−0.050, +0.050]), so there pruning has not shown its worth. The pruned "
        "network does better at 0.75-int8 (+0.030 [−0.050, +0.050])."
    )


def test_a_control_far_away_is_named_and_not_drawn(ladder: LadderOutput) -> None:
    def alike(tables: dict[str, Any]) -> None:
        judged = [tables["baseline"], *tables["ladder"], *tables["controls"].values()]
        judged += [one for rung in tables["ladder"] for one in rung["controls"].values()]
        for one in judged:
            one["certification"]["mean"]["auroc"] = 0.9
            one["minus_baseline"]["intervals"]["auroc"] = [-0.02, 0.02]

    def far(tables: dict[str, Any]) -> None:
        alike(tables)
        tables["controls"]["random_forest"]["certification"]["mean"]["auroc"] = 0.5

    def strict(change: Change) -> results.LadderResult:
        model = changed_model(ladder, change)
        rule = model.certificate.constraint.model_copy(update={"margins": {"auroc": 0.01}})
        certificate = model.certificate.model_copy(update={"constraint": rule})
        return model.model_copy(update={"certificate": certificate})

    assert ladder_figures.too_far(strict(alike)) == []
    away = ladder_figures.too_far(strict(far))
    assert away == ["Forest (no network) (0.500)"]


def test_controls_of_a_quantised_rung_are_as_large_as_it_was_before(ladder: LadderOutput) -> None:
    for rung in ladder.result.ladder:
        assert size_of(rung, "file_bytes", floats=True) == rung.float_file_bytes
        assert size_of(rung, "latency_ms", floats=True) == rung.float_latency_ms.median
        assert size_of(rung, "macs", floats=True) == rung.macs


def test_kept_kernels_are_counted_in_the_picture(ladder: LadderOutput) -> None:
    with look():
        drawn = to_svg(kept_kernels(ladder.result), "f1", "kernels")
    for group, units in ladder.result.ladder[0].units.items():
        kept = ", ".join(str(len(rung.kept[group])) for rung in ladder.result.ladder)
        assert f">{group}: {units} to {kept}</text>" in drawn


def test_many_layers_and_many_margins_have_room(ladder: LadderOutput) -> None:
    units = {f"blocks.{number}.conv": 200 for number in range(11)}

    def many(tables: dict[str, Any]) -> None:
        for rung in tables["ladder"]:
            rung["units"] = units
            rung["kept"] = {name: list(range(0, 200, 2)) for name in units}
        tables["masking"] = {name: [[0.0, 100.0], [0.0, 0.5]] for name in units}

    changed = changed_model(ladder, many)
    with look():
        for figure in (kept_kernels(changed), masking_curves(changed), loss_strips(changed)):
            assert "<svg" in to_svg(figure, "f1", "many")


def test_by_folds_and_without_controls_or_test_it_says_what_is_missing(
    ladder: LadderOutput, tmp_path: Path
) -> None:
    changed = elsewhere(ladder, tmp_path, by_folds)
    source = write_ladder_report(changed).read_text(encoding="utf-8")
    assert "each by networks that had not seen it (2 folds, dealt anew 3 times)" in source
    assert "No controls were trained (--controls none)" in source
    assert "No subject was kept for a test" in source
    assert "Who was judged by which networks" in source
    assert Page(source).open == []


def test_a_holdout_shows_its_side_and_its_test(ladder: LadderOutput, source: str) -> None:
    assert "8 subjects kept for nothing else" in source
    assert ">Certification</th>" in source
    assert "Who was judged by which networks" not in source
    people = len(ladder.result.split.test or ())
    assert f"{people} subject" in source[source.index('<section id="test"') :]


def test_methods_say_where_given_weights_came_from(ladder: LadderOutput, tmp_path: Path) -> None:
    given = elsewhere(ladder, tmp_path, lambda tables: tables.update(weights_given=True))
    for changed, says in ((ladder, False), (given, True)):
        with look():
            text = markdown(ladder_document(changed))
        assert ("weights were given" in text) == says


def test_scores_that_are_not_defined_are_dashes(ladder: LadderOutput, tmp_path: Path) -> None:
    def without(tables: dict[str, Any]) -> None:
        models = [tables["baseline"], *tables["ladder"], *tables["controls"].values()]
        models += [one for rung in tables["ladder"] for one in rung["controls"].values()]
        for model in models:
            for part in ("certification", "minus_baseline", "pruned_minus_control"):
                if part in model:
                    model[part]["mean"]["sensitivity"] = None
                    model[part]["intervals"] = dict.fromkeys(model[part]["intervals"])
        tables["models"]["pruned"]["latency_ms"] = None

    changed = elsewhere(ladder, tmp_path, without)
    page = Page(write_ladder_report(changed).read_text(encoding="utf-8"))
    assert not re.search(r"\b(nan|NaN|None|inf|null)\b", page.text)


def test_what_comes_from_files_is_harmless(ladder: LadderOutput, tmp_path: Path) -> None:
    def hostile(tables: dict[str, Any]) -> None:
        tables["data"]["name"] = tables["command"] = HOSTILE
        tables["warnings"] = [HOSTILE]
        tables["notes"] = [{"note": HOSTILE, "recordings": [HOSTILE]}]
        tables["split"]["training"][0] = HOSTILE
        tables["certificate"]["circumstances"]["forced"] = HOSTILE
        judged = [tables["baseline"], *tables["ladder"], tables["controls"]["retrained"]]
        for model in judged:
            table = model["certification"]["subjects"]
            table[HOSTILE] = table.pop(min(table))

    changed = elsewhere(ladder, tmp_path, hostile)
    source = write_ladder_report(changed).read_text(encoding="utf-8")
    assert Page(source).all("script") == []
    assert Page(source).open == []
    assert HOSTILE in html.unescape(source)
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "<script>" not in card.replace("\\<", "")
    latex = (tmp_path / "report.tex").read_text(encoding="utf-8")
    assert escaped_latex(HOSTILE) in latex
    assert HOSTILE not in latex
    compiled(tmp_path, "report")


def test_nobody_s_name_and_no_local_path(ladder: LadderOutput, tmp_path: Path) -> None:
    changed = elsewhere(ladder, tmp_path, lambda tables: tables.update(command="secateur prune"))
    write_ladder_report(changed)
    for name in ("report.html", "report.md", "report.tex", "model-card.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not any(part in text for part in PATIENT.split())
        assert str(ladder.folder.path) not in text


def test_simulated_shows_in_page_card_and_figure(ladder: LadderOutput, source: str) -> None:
    assert "(simulated)" in source[source.index("<title>") : source.index("</title>")]
    assert "SIMULATED DATA" in markdown(ladder_card(ladder))
    with look():
        drawn = to_svg(ladder_figures.pareto(ladder.result, title=True), "f1", "sizes")
    assert "SIMULATED data" in drawn


def test_the_card_has_a_row_for_every_rung_and_its_threshold(ladder: LadderOutput) -> None:
    card, result = markdown(ladder_card(ladder)), ladder.result
    for rung in result.ladder:
        assert f"| {rung_label(rung)} | " in card
    threshold = result.certificate.circumstances.thresholds[rung_label(result.ladder[-1])]
    assert f"threshold {number(threshold)};" in card
    assert "secateur verify pruned.onnx" in card
    assert "None" not in card


def test_the_same_result_gives_the_same_bytes(
    ladder: LadderOutput, report: Path, tmp_path: Path
) -> None:
    write_ladder_report(elsewhere(ladder, tmp_path))
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    for name in written:
        assert (tmp_path / name).read_bytes() == (report.parent / name).read_bytes(), name
