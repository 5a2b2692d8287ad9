"""The ladder on small cohorts: who judges whom, what is certified, and what comes back where nothing is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet
import pytest

import secateur
from secateur import results
from secateur.certifying import LadderOutput, LadderSettings, find, resolve_ladder
from secateur.detectors import load_detector
from secateur.detectors.evaluation import evaluate, subject_scores
from secateur.errors import ScoringError, SettingsError, SplitError
from secateur.recordings import load_cohort
from secateur.recordings.montage import BIPOLAR_18
from secateur.runs import Execution, Source
from secateur.scoring.certificate import recompute
from secateur.settings import overrides_of
from secateur.training import load_network
from secateur.windows import Cache
from tests.support.cohorts import TINY_SETTINGS, eeg, write_cohort, write_edf

QUICK: dict[str, Any] = {
    **TINY_SETTINGS,
    "training.windows_per_epoch": 96,
    "ladder.rungs": [0.25, 0.5],
    "ladder.controls": "none",
    "certify.folds": 3,
    "ladder.repeats": 1,
    "constraint.margins": {"auroc": 0.9},
}


class Told:
    """Remembers which stages began."""

    def __init__(self, stop_at: str = "") -> None:
        self.begun: list[str] = []
        self._stop_at = stop_at

    def begin(self, stage: str, of: int | None) -> None:
        self.begun.append(stage)
        if stage == self._stop_at:
            raise KeyboardInterrupt

    def step(self, stage: str, done: int, of: int, note: str) -> None: ...

    def end(self, stage: str, note: str) -> None: ...


def go(data: Path, out: Path, cache: Path, told: dict[str, Any] | None = None) -> LadderOutput:
    settings = resolve_ladder(None, {**QUICK, **(told or {})})
    return find(Source(data), out, settings, Execution(cache=Cache(cache)))


def read(folder: Path) -> results.LadderResult:
    result = results.load(folder)
    assert isinstance(result, results.LadderResult)
    return result


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine subjects, whose seizures are hard enough to see that networks differ."""
    return write_cohort(
        tmp_path_factory.mktemp("nine") / "cohort", subjects=9, seconds=50, rhythm=6
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the ladder by folds is, and its cache."""
    return tmp_path_factory.mktemp("ladder") / "folds", tmp_path_factory.mktemp("ladder-cache")


@pytest.fixture(scope="module")
def by_folds(nine: Path, places: tuple[Path, Path]) -> LadderOutput:
    """Each subject judged in one of three folds; any loss is allowed, so every rung holds."""
    return go(nine, *places)


def test_each_subject_is_judged_once_by_networks_that_have_not_seen_it(
    by_folds: LadderOutput,
) -> None:
    result = read(by_folds.folder.path)
    assert result.certified_by.how == "folds"
    judged = [name for part in result.certified_by.parts for name in part.certification]
    assert sorted(judged) == sorted(set(judged))
    assert len(judged) == 9
    for number, part in enumerate(result.certified_by.parts, start=1):
        assert not set(part.certification) & {*part.training, *part.validation}
        made = load_detector(
            by_folds.folder.path / "folds" / str(number) / "rungs" / "rung-0.5.onnx"
        ).info.provenance
        assert made.subjects == part.training
        assert made.validation_subjects == part.validation


def test_the_last_rung_that_held_is_the_answer_and_carries_its_certificate(
    by_folds: LadderOutput,
) -> None:
    folder = by_folds.folder.path
    result = read(folder)
    assert [rung.verdict for rung in result.ladder] == ["passed", "passed"]
    assert result.chosen == "rung-0.5"
    for rung in result.ladder:
        assert rung.file_bytes == (folder / "rungs" / f"{rung.name}.onnx").stat().st_size
    assert result.models["pruned"].file_bytes == (folder / "pruned.onnx").stat().st_size
    assert (folder / "pruned.onnx").read_bytes() == (
        folder / "rungs" / "rung-0.5.onnx"
    ).read_bytes()
    detector = load_detector(folder / "pruned.onnx")
    certificate = detector.info.certificate
    assert certificate is not None
    assert certificate.kind == "recipe"
    assert certificate.certified
    assert [len(folds) for folds in certificate.circumstances.folds] == [3]
    assert recompute(certificate) == []
    model = result.models["pruned"]
    assert model.parameters == detector.info.provenance.parameters
    assert model.kernels == result.ladder[1].kernels == (2, 3, 4)
    assert model.test is None


def test_the_deployed_recipe_is_refitted_on_all_subjects_but_validation(
    by_folds: LadderOutput,
) -> None:
    made = load_detector(by_folds.folder.path / "pruned.onnx").info.provenance
    assert len(made.subjects) + len(made.validation_subjects) == 9
    assert len(made.validation_subjects) == 2


def test_predictions_hold_every_window_that_was_judged(by_folds: LadderOutput) -> None:
    table = pyarrow.parquet.read_table(by_folds.folder.path / "predictions.parquet")
    assert set(table["side"].to_pylist()) == {"certification"}
    assert len(set(table["subject"].to_pylist())) == 9
    assert {"baseline", "rung-0.25", "rung-0.5"} <= set(table.column_names)
    chance = table["rung-0.5"].to_numpy()
    assert np.isfinite(chance).all()


@pytest.fixture
def own_places(
    by_folds: LadderOutput, places: tuple[Path, Path], tmp_path: Path
) -> tuple[Path, Path]:
    """Folder and cache of the ladder for a test to go on with: looks are counted in both."""
    assert by_folds.folder.path == places[0]
    return tuple(  # type: ignore[return-value]
        Path(shutil.copytree(place, tmp_path / f"own-{place.name}")) for place in places
    )


def test_another_margin_trains_nothing_anew_and_counts_as_another_look(
    by_folds: LadderOutput, nine: Path, own_places: tuple[Path, Path]
) -> None:
    out, cache = own_places
    assert by_folds.outcome.looks.certification == 1
    settings = resolve_ladder(None, {**QUICK, "constraint.margins": {"auroc": 0.8}})
    watcher = Told()
    again = find(Source(nine), out, settings, Execution(cache=Cache(cache), progress=watcher))
    assert watcher.begun == ["prepare", "certify"]
    assert again.outcome.looks.certification == 2
    assert again.outcome.certificate.circumstances.earlier_certifications == 1
    same = go(nine, out, cache)
    assert same.outcome.looks.certification == 1  # the same one again is no new look
    assert read(out).ladder[0].verdict == "passed"


def test_the_third_certification_of_a_recording_is_not_issued(
    by_folds: LadderOutput, nine: Path, own_places: tuple[Path, Path]
) -> None:
    out, cache = own_places
    second = go(nine, out, cache, {"constraint.margins": {"auroc": 0.8}})
    assert second.outcome.looks.certification == 2
    third = go(nine, out, cache, {"constraint.margins": {"auroc": 0.85}})
    assert not third.certified
    (reason,) = {one.reason for one in third.outcome.certificate.statements}
    assert "below 0.5 % none is issued" in str(reason)


def test_where_no_rung_holds_the_baseline_comes_back(
    by_folds: LadderOutput, nine: Path, own_places: tuple[Path, Path]
) -> None:
    out, cache = own_places
    failed = go(nine, out, cache, {"constraint.harmed_share": 0.05})  # nine can't show so little
    assert not failed.certified
    result = read(out)
    assert [rung.verdict for rung in result.ladder] == ["failed", "not tested"]
    assert result.chosen is None
    assert (out / "pruned.onnx").read_bytes() == (out / "baseline.onnx").read_bytes()
    assert result.models["pruned"].kernels == result.models["baseline"].kernels
    assert "auroc" in result.needed[0].words


def test_interrupted_it_keeps_finished_rungs_and_ends_alike(
    by_folds: LadderOutput, nine: Path, own_places: tuple[Path, Path], tmp_path: Path
) -> None:
    out, cache = tmp_path / "again", own_places[1]
    settings = resolve_ladder(None, QUICK)
    stops = Execution(cache=Cache(cache), progress=Told("fold 2 rung-0.5"))
    with pytest.raises(KeyboardInterrupt):
        find(Source(nine), out, settings, stops)
    assert not (out / "result.json").exists()
    watcher = Told()
    go_on = Execution(2, Cache(cache), watcher)
    again = find(Source(nine), out, settings, go_on)
    assert not [name for name in watcher.begun if name.startswith("fold 1")]
    assert again.outcome.judged.repeats == by_folds.outcome.judged.repeats


@pytest.fixture(scope="module")
def in_repeats(nine: Path, tmp_path_factory: pytest.TempPathFactory) -> LadderOutput:
    """Each subject judged in two repeats of three folds."""
    made = tmp_path_factory.mktemp("repeats")
    chosen = {"ladder.repeats": 2, "ladder.rungs": [0.5]}
    return go(nine, made / "out", made / "cache", chosen)


def test_repeats_deal_the_folds_and_the_luck_of_training_anew(in_repeats: LadderOutput) -> None:
    judged = in_repeats.result.certified_by
    assert (judged.folds, judged.repeats) == (3, 2)
    deals = [
        [part.certification for part in judged.parts if part.repeat == repeat] for repeat in (1, 2)
    ]
    certificate = in_repeats.outcome.certificate
    assert deals[0] != deals[1]
    for deal in deals:
        assert sorted(name for names in deal for name in names) == list(certificate.subjects)
    assert len({part.seed_step for part in judged.parts}) == 6
    assert [len(folds) for folds in certificate.circumstances.folds] == [3, 3]
    assert recompute(certificate) == []
    (statement,) = certificate.statements
    assert statement.repeats == 2
    assert statement.training_share is not None
    assert set(statement.bounds) == {"the baseline", "the baseline retrained as long"}


def test_scores_by_subject_are_averages_of_the_repeats(in_repeats: LadderOutput) -> None:
    (rung,) = in_repeats.result.ladder
    first, second = rung.certification.repeats
    for subject, row in rung.certification.subjects.items():
        pair = [float(repeat[subject]["accuracy"] or 0) for repeat in (first, second)]
        assert row["accuracy"] == pytest.approx(np.mean(pair))
    assert first != second


@pytest.fixture(scope="module")
def by_holdout(nine: Path, tmp_path_factory: pytest.TempPathFactory) -> LadderOutput:
    """Eight of twelve subjects kept; quantised rungs, every control."""
    made = tmp_path_factory.mktemp("holdout")
    twelve = write_cohort(
        made / "cohort", subjects=12, seconds=50, name="Twelve", seed=30, rhythm=6
    )
    chosen = {
        "certify.by": "holdout",
        "certify.folds": None,
        "ladder.int8": True,
        "ladder.controls": "all",
        "ladder.rungs": [0.5],
        "pruning.importance": "taylor-by-class",
        "constraint.margins": {"auroc": 0.9, "macro_f1": 0.9},
        "constraint.harmed_share": 0.4,
    }
    return go(twelve, made / "out", made / "cache", chosen)


def test_of_four_sides_none_shares_a_subject(by_holdout: LadderOutput) -> None:
    result = read(by_holdout.folder.path)
    (part,) = result.certified_by.parts
    sides = [part.training, part.validation, part.certification, part.test]
    assert sum(map(len, sides)) == len({name for side in sides for name in side}) == 12
    assert len(part.certification) == 8
    assert result.models["pruned"].test is not None


def test_what_is_certified_is_what_the_file_itself_does(by_holdout: LadderOutput) -> None:
    """The deployed file over the recordings of those it was certified on gives the stored scores."""
    detector = load_detector(by_holdout.folder.path / "rungs" / "rung-0.5-int8.onnx")
    certificate = detector.info.certificate
    assert certificate is not None
    assert certificate.kind == "detector"
    cohort = load_cohort(by_holdout.folder.path.parent / "cohort")
    judged = tuple(entry for entry in cohort if entry.subject in certificate.subjects)
    found = evaluate(detector, replace(cohort, entries=judged))
    hypotheses = {entry.key: detector.detect(entry.open()) for entry in judged}
    scores = subject_scores(judged, found.table, found.probability, detector.threshold, hypotheses)
    assert certificate.rungs[-1].label == "0.5-int8"
    stored = certificate.rungs[-1].pruned
    assert stored is not None
    for metric, column in stored[0].items():
        ours = [scores[subject][metric] for subject in certificate.subjects]
        assert ours == pytest.approx(column, abs=2e-3)


def test_quantised_rungs_stand_in_the_ladder_with_their_own_threshold(
    by_holdout: LadderOutput,
) -> None:
    result = read(by_holdout.folder.path)
    (rung,) = result.ladder
    assert rung.name == "rung-0.5-int8"
    quantised = onnx.load(by_holdout.folder.path / "rungs" / "rung-0.5-int8.onnx")
    assert "QuantizeLinear" in {node.op_type for node in quantised.graph.node}
    assert set(rung.controls) == {"scratch", "scratch-long", "random", "unstructured", "float"}
    whole = load_detector(by_holdout.folder.path / "rungs" / "rung-0.5.onnx")
    assert whole.info.certificate is None  # it was not in the ladder
    assert rung.statements[0].retrained_harm is not None


def test_unstructured_pruning_leaves_as_many_weights_as_the_rung(
    by_holdout: LadderOutput,
) -> None:
    folder = by_holdout.folder
    record, whole = folder.finished("rung-0.5-unstructured"), folder.finished("baseline")
    assert record is not None
    assert whole is not None
    left = load_network(folder.network("rung-0.5")).state_dict()
    masked = load_network(folder.network("rung-0.5-unstructured")).state_dict()
    for name, weight in masked.items():
        if weight.ndim > 1:
            assert int((weight != 0).sum()) == left[name].numel()
    assert record["zero_weights"] > 0
    assert record["macs"] == whole["macs"]


def test_a_target_is_the_only_rung_and_is_met(nine: Path, tmp_path: Path) -> None:
    chosen = {"pruning.target": "params=30%", "ladder.rungs": None}
    result = go(nine, tmp_path / "out", tmp_path / "cache", chosen)
    (rung,) = result.result.ladder
    whole = result.result.models["baseline"].parameters
    assert whole is not None
    assert rung.parameters <= 0.3 * whole
    assert rung.name == "rung-target"


def test_too_few_subjects_are_refused_before_anything_is_trained(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    with pytest.raises(SplitError, match="6 subjects: a certificate needs at least 8"):
        go(tiny_cohort, tmp_path / "out", tmp_path / "cache")
    holdout = {"certify.by": "holdout", "certify.folds": None}
    with pytest.raises(SplitError, match="6 subjects: a certificate needs at least 8"):
        go(tiny_cohort, tmp_path / "out", tmp_path / "cache", holdout)


def test_who_has_no_seizures_does_not_count_for_a_margin_that_needs_them(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    for k in range(4):
        write_edf(tmp_path / "controls" / f"p{k}.edf", eeg(45, [], k), BIPOLAR_18)
    source = Source.of([str(tiny_cohort)], [str(tmp_path / "controls")])
    with pytest.raises(SplitError, match="6 of 10 subjects have seizures: a certificate needs"):
        find(
            source, tmp_path / "out", resolve_ladder(None, QUICK), Execution(cache=Cache(tmp_path))
        )


def test_events_are_not_certified_on_minutes_of_background(nine: Path, tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match="under an hour of background"):
        go(nine, tmp_path / "out", tmp_path / "cache", {"constraint.margins": {"event_f1": 0.1}})


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"margin": "auroc=-0.1"}, "wanted how much may be lost"),
        ({"margin": "auc=0.1"}, "no such metric"),
        ({"rungs": "0.5,half"}, r"ladder\.rungs\.1 \(--rungs\): wanted a number, got 'half'"),
        ({"rungs": "0.5", "target": "macs=10%"}, "would change nothing: pruning.target"),
        ({"target": "size=10%"}, "wanted one of params"),
        ({"target": "macs=lots%"}, "'lots%' is no number; wanted macs=10% or latency_ms=0.3"),
        ({"target": "macs=0.3"}, "shares of the baseline are written 30%"),
        ({"certify": "folds:x"}, "wanted holdout or folds:K"),
        ({"certify": "5"}, "wanted holdout or folds:K"),
        ({"schedule": "iterative"}, "wanted one-shot or iterative:N"),
        ({"ratio": 0.5}, "ratio is no flag of secateur prune"),
        ({"seed": -1}, r"seed \(--seed\): wanted 0 or more, got -1"),
    ],
)
def test_words_that_mean_nothing_are_refused_in_a_line(words: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        resolve_ladder(None, overrides_of(LadderSettings, words))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"ladder.rungs": [0.75, 0.5]}, "rungs must rise"),
        ({"ladder.rungs": [1.5]}, "less than 1"),
        ({"split.by": "random"}, "speaks of patients"),
        ({"constraint.confidence": 1.5}, "wanted 0.999 or less"),
        ({"constraint.confidence": 0.995}, "below 0.5 % none is issued; take at most 0.99"),
        ({"certify.by": "folds:2"}, "wanted 3 or more"),
        ({"pruning.importance": "magic"}, "importance"),
    ],
)
def test_settings_that_can_not_be_are_refused_in_a_line(told: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        resolve_ladder(None, told)


def test_weights_of_unknown_origin_are_judged_on_a_holdout_alone(
    by_folds: LadderOutput, nine: Path, tmp_path: Path
) -> None:
    weights = by_folds.folder.path / "baseline.safetensors"
    source = Source(nine, weights=weights)
    with pytest.raises(SettingsError, match="take --certify holdout"):
        find(source, tmp_path / "out", resolve_ladder(None, QUICK))


def test_the_facade_writes_a_report_too(nine: Path, tmp_path: Path) -> None:
    result = secateur.prune(nine, tmp_path / "out", settings={**QUICK, "ladder.rungs": [0.5]})
    assert result.certified
    page = (tmp_path / "out" / "report.html").read_text()
    assert "certificate" in page.lower()
