"""The main job on a small cohort: what comes out, the same again, and taken up where it stopped."""

from __future__ import annotations

import csv
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from numpy.typing import NDArray

from secateur import results
from secateur.detectors import Detector, PostProcessing, evaluation, load_detector
from secateur.detectors.choosing import choose_rules, rules_of
from secateur.detectors.evaluation import WindowTable
from secateur.errors import CohortError, RunError, SettingsError, SplitError
from secateur.recordings import load_cohort
from secateur.runs import (
    ALL_MODELS,
    MODELS,
    Execution,
    RunOutput,
    RunSettings,
    Source,
    resolve,
)
from secateur.runs.folder import RunFolder, check_folder_for_run
from secateur.runs.run import run
from secateur.runs.settings import PostProcessingSettings, ThresholdSettings
from secateur.scoring import WindowScores, chosen_threshold, window_metrics
from secateur.training import load_network
from tests.support.cohorts import PATIENT, TINY_SETTINGS, write_cohort


def without_times(result: results.RunResult) -> dict[str, Any]:
    return result.model_dump(exclude={"command": True, "models": {"__all__": {"latency_ms"}}})


def read(folder: Path) -> results.RunResult:
    result = results.load(folder)
    assert isinstance(result, results.RunResult)
    return result


def test_everything_promised_is_there(tiny_run: RunOutput) -> None:
    folder = tiny_run.folder.path
    names = {path.name for path in folder.iterdir()}
    assert {
        "baseline.onnx",
        "pruned.onnx",
        "baseline.safetensors",
        "pruned.safetensors",
        "config.toml",
        "history.csv",
        "predictions.parquet",
        "result.json",
        "report.html",
        "model-card.md",
    } <= names
    assert not list(folder.rglob("*.part*"))


def test_result_json_has_every_promised_field(tiny_run: RunOutput) -> None:
    result = read(tiny_run.folder.path)
    assert result == tiny_run.result
    data = result.data
    assert (data.subjects, data.recordings, data.seizures) == (6, 6, 6)
    assert data.hours == pytest.approx(0.1)
    assert data.ictal_hours == pytest.approx(6 * 22 / 3600)
    assert data.prevalence == pytest.approx(22 / 60)
    assert data.simulated
    assert RunSettings.model_validate(result.settings) == tiny_run.settings
    assert set(result.models) == set(ALL_MODELS)
    for name, model in result.models.items():
        assert model.test is not None
        assert set(model.test.scores) == set(window_metrics())
        assert set(model.test.subjects) == set(result.split.test or ())
        assert sum(map(sum, model.test.confusion)) == result.split.counts["test"].windows
        assert set(model.test.events.scores) == {
            "event_f1",
            "event_precision",
            "event_sensitivity",
            "fp_per_day",
        }
        if name != "random_forest":
            assert model.latency_ms is not None
            assert model.latency_ms.median > 0
            assert model.file_bytes == tiny_run.folder.detector(name).stat().st_size
    pruning = result.pruning
    assert pruning.ratio_requested == 0.5
    assert pruning.ratio_achieved == pytest.approx(0.5)
    assert pruning.kept is not None
    assert [len(kept) for kept in pruning.kept.values()] == [2, 3, 4]
    assert pruning.equivalence_max_abs_error <= 1e-9
    assert result.models["pruned"].kernels == (2, 3, 4)
    assert result.models["scratch"].kernels == (2, 3, 4)
    assert result.models["retrained"].kernels == (4, 6, 8)


def test_controls_are_trained_as_long_as_the_pruned_network(tiny_run: RunOutput) -> None:
    records = tiny_run.records
    trained = {name: records[name]["epochs_trained"] for name in MODELS}
    assert trained["scratch-long"] == trained["baseline"] + trained["pruned"] == 4
    assert len(records["scratch-long"]["epochs"]) == 4
    for name in ("scratch", "random", "retrained"):
        assert trained[name] == trained["pruned"]
    assert records["random"]["left"] == records["pruned"]["left"]


def test_a_pruned_network_is_scored_after_the_cut_and_after_few_epochs(tiny_run: RunOutput) -> None:
    """After its best epoch it scores what it scores in the end; before, what the cut left."""
    models = read(tiny_run.folder.path).models
    for name in ("pruned", "random"):
        after, test, best_epoch = (
            models[name].after_epochs,
            models[name].test,
            models[name].best_epoch,
        )
        assert after is not None
        assert test is not None
        assert best_epoch is not None
        assert set(after) == {0, 1, 2}  # two epochs in all
        best = after[best_epoch]
        # in torch here, by ONNX Runtime there
        assert best.scores == pytest.approx(test.scores, abs=1e-3)
        for subject, scores in test.subjects.items():
            assert best.subjects[subject]["auroc"] == pytest.approx(scores["auroc"], abs=1e-3)
        assert best.threshold == pytest.approx(test.threshold, abs=1e-4)
    pruned, random = models["pruned"].after_epochs, models["random"].after_epochs
    assert pruned is not None
    assert random is not None
    assert pruned[0] != random[0]
    assert models["scratch"].after_epochs is None


def test_the_sides_share_no_subject(tiny_run: RunOutput) -> None:
    split = read(tiny_run.folder.path).split
    sides = [set(side) for side in (split.training, split.validation, split.test or ())]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 6


def test_the_table_of_predictions_gives_the_scores_again(tiny_run: RunOutput) -> None:
    folder = tiny_run.folder.path
    table = pyarrow.parquet.read_table(folder / "predictions.parquet")
    assert table.column_names == ["recording", "subject", "second", "label", *ALL_MODELS]
    label = table["label"].to_numpy().astype(bool)
    for name, model in read(folder).models.items():
        chance = table[name].to_numpy().astype(float)
        auroc = WindowScores(label, chance, 0.5).auroc()
        assert model.test is not None
        assert auroc == pytest.approx(model.test.scores["auroc"], abs=1e-4)


def test_the_detectors_file_gives_the_tables_probabilities(
    tiny_run: RunOutput, tiny_cohort: Path
) -> None:
    """The file that is deployed, run over the recording as it is, says what was scored."""
    cohort = load_cohort(tiny_cohort)
    for name in ("baseline", "pruned"):
        detector = load_detector(tiny_run.folder.detector(name))
        for entry in cohort:
            if entry.subject not in tiny_run.material.split.test:
                continue
            probabilities = detector.window_probabilities(entry.open())
            chosen = tiny_run.table.key == entry.key
            assert np.array_equal(probabilities.begin, tiny_run.table.second[chosen])
            assert (
                np.abs(probabilities.probability - tiny_run.probability[name][chosen]).max() < 1e-5
            )


def test_the_threshold_is_from_validation_and_stands_in_the_file(tiny_run: RunOutput) -> None:
    validation = tiny_run.material.sides["validation"].labels
    for name in MODELS:
        chance = tiny_run.folder.arrays(name)["validation"]
        threshold = chosen_threshold(validation, chance)
        assert tiny_run.records[name]["threshold"] == threshold
        assert load_detector(tiny_run.folder.detector(name)).threshold == threshold


def test_a_threshold_that_is_set_is_taken_and_earlier_words_are_read() -> None:
    def chosen(**table: object) -> ThresholdSettings:
        return resolve({"threshold": table}).threshold

    assert chosen(trust=0.0) == ThresholdSettings(fixed=0.5)
    assert chosen(trust=1) == ThresholdSettings(shrinkage=0)
    assert chosen(trust=0.3).shrinkage == pytest.approx(0.7)
    assert chosen() == ThresholdSettings(shrinkage=0.5)
    with pytest.raises(SettingsError, match="prevalence_expected"):
        chosen(prevalence_expected=45)


def test_rules_are_chosen_on_validation_and_stand_in_file_and_result(tiny_run: RunOutput) -> None:
    side = tiny_run.material.sides["validation"]
    entries = [one.entry for one in side.prepared]
    for name, model in tiny_run.result.models.items():
        assert model.post_processing is not None
        chosen = model.post_processing.model_dump()
        chance = tiny_run.folder.arrays(name)["validation"]
        plain = PostProcessing(threshold=tiny_run.records[name]["threshold"])
        found = choose_rules(entries, WindowTable.of(side), chance, side.hop / side.rate, plain)
        assert chosen == found.as_dict()
        assert chosen["criterion"] == "window F1"  # a minute of each subject
        assert chosen["score"] >= chosen["plain_score"]
        if name != "random_forest":
            detector = load_detector(tiny_run.folder.detector(name))
            assert detector.info.post_processing == rules_of(chosen)


def test_a_release_is_a_share_of_each_models_threshold() -> None:
    rules = PostProcessingSettings(threshold=0.8, release=0.4, merge_gap=7, choose=False)
    assert rules.moved_to(0.6) == PostProcessing(threshold=0.6, release=0.3, merge_gap=7)
    plain = PostProcessingSettings(refractory=4)
    assert plain.moved_to(0.3) == PostProcessing(threshold=0.3, refractory=4)


def test_rules_by_words_are_chosen_or_fixed() -> None:
    for word, choose in {"fixed": False, "chosen": True, False: False}.items():
        chosen = resolve(overrides={"post_processing.choose": word}).post_processing
        assert chosen.choose is choose
    with pytest.raises(SettingsError, match=r"wanted chosen .* or fixed"):
        resolve(overrides={"post_processing.choose": "best"})


def test_checkpoint_and_detector_are_one_network(tiny_run: RunOutput) -> None:
    import torch

    windows = tiny_run.material.sides["test"].batch(np.arange(20))
    for name in MODELS:
        network = load_network(tiny_run.folder.network(name))
        with torch.inference_mode():
            expected = network(torch.from_numpy(windows)).numpy()
        got = load_detector(tiny_run.folder.detector(name)).logits(windows)
        assert np.abs(got - expected).max() < 1e-5


def test_the_scale_is_fitted_on_training_subjects_alone(tiny_run: RunOutput) -> None:
    training = tiny_run.material.sides["training"].prepared
    joined = np.concatenate([one.signal.read() for one in training], axis=1).astype(np.float64)
    settings = tiny_run.settings.chain
    if settings.scaling == "training-set":
        assert tiny_run.material.scale.spread == pytest.approx(joined.std(axis=1), rel=1e-6)
    else:
        assert len(tiny_run.material.scale.spread) == 18


def test_the_history_has_every_epoch(tiny_run: RunOutput) -> None:
    with (tiny_run.folder.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == set(MODELS)
    assert len(rows) == sum(len(tiny_run.records[name]["epochs"]) for name in MODELS)


def test_the_resolved_settings_make_the_same_run(tiny_run: RunOutput) -> None:
    path = tiny_run.folder.path / "config.toml"
    assert resolve(path) == tiny_run.settings
    assert tomllib.loads(path.read_text())["network"]["widths"] == [4, 6, 8]


def test_the_same_seed_gives_the_same_result_but_for_times(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path
) -> None:
    for workers in (1, 2):
        again = run(
            Source(tiny_cohort),
            tmp_path / str(workers),
            resolve(None, TINY_SETTINGS),
            Execution(workers),
        )
        assert without_times(read(again.folder.path)) == without_times(read(tiny_run.folder.path))
        for name in MODELS:
            ours, theirs = (one.folder.detector(name).read_bytes() for one in (again, tiny_run))
            assert ours == theirs


def test_another_seed_gives_another_run(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path
) -> None:
    other = resolve(None, {**TINY_SETTINGS, "seed": 4, "split.seed": 3, "training.epochs": 1})
    result = run(Source(tiny_cohort), tmp_path / "b", other)
    assert result.folder.name != tiny_run.folder.name
    assert result.material.split == tiny_run.material.split


class Stops:
    """A progress that ends the run like Ctrl-C, at a stage."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.begun: list[str] = []
        self.steps: list[str] = []

    def begin(self, stage: str, of: int | None) -> None:
        self.begun.append(stage)

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        self.steps.append(stage)
        if stage == self.at:
            raise KeyboardInterrupt

    def end(self, stage: str, note: str) -> None:
        pass


def test_interrupted_it_takes_up_from_the_last_finished_stage(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path
) -> None:
    out, settings = tmp_path / "run", resolve(None, TINY_SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        run(Source(tiny_cohort), out, settings, Execution(progress=Stops("scratch")))
    assert not (out / "result.json").exists()
    stamp = (out / "baseline.onnx").stat().st_mtime_ns
    watcher = Stops("nowhere")
    run(Source(tiny_cohort), out, settings, Execution(progress=watcher))
    assert watcher.begun == ["prepare", "scratch", "scratch-long", "random", "score"]
    assert (out / "baseline.onnx").stat().st_mtime_ns == stamp
    assert without_times(read(out)) == without_times(read(tiny_run.folder.path))


def test_interrupted_while_a_network_is_judged_it_is_not_trained_again(
    tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secateur.runs.workers._LONG", 1)
    out, settings = tmp_path / "run", resolve(None, {**TINY_SETTINGS, "split.test": 0.34})
    source, undisturbed = Source(tiny_cohort), Stops("nowhere")
    complete = run(source, tmp_path / "complete", settings, Execution(progress=undisturbed))
    begun = undisturbed.begun
    sides = {label: undisturbed.steps.count(label) for label in begun if label.endswith(" side")}
    assert sides["pruned, test side"] == len(complete.material.sides["test"].prepared) == 2
    with pytest.raises(KeyboardInterrupt):
        run(source, out, settings, Execution(progress=Stops("pruned, test side")))
    judged, of_recording = [], evaluation._of_recording

    def counted(detector: Detector, *arguments: Any) -> NDArray[np.float64]:
        judged.append(detector.path.name)
        return of_recording(detector, *arguments)

    monkeypatch.setattr(evaluation, "_of_recording", counted)
    watcher = Stops("nowhere")
    result = run(source, out, settings, Execution(progress=watcher))
    assert "pruned" in watcher.begun
    assert "pruned" not in watcher.steps  # no epoch
    assert judged.count("pruned") == 1  # the recording that was left
    assert judged.count("scratch") == sides["scratch, validation side"] + 2
    assert without_times(read(out)) == without_times(read(complete.folder.path))
    for name in ("baseline", "pruned"):
        assert (
            result.folder.detector(name).read_bytes() == complete.folder.detector(name).read_bytes()
        )
    assert not [path.name for path in (out / "stages").iterdir() if ".part" in path.name]
    assert not list((out / "stages").glob("*.trained.json"))


def test_a_folder_of_another_run_or_of_other_things_is_not_touched(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path
) -> None:
    settings = resolve(None, {**TINY_SETTINGS, "seed": 9})
    folder = tiny_run.folder.path
    seeds = r"other settings, seed 3 \(now 9\), split.seed 3 \(now 9\); give"
    with pytest.raises(RunError, match=seeds):
        run(Source(tiny_cohort), folder, settings)
    same = resolve(None, TINY_SETTINGS).model_dump(mode="json")
    with (
        pytest.raises(RunError, match="other data, or of another version"),
        RunFolder(folder, "other").held("run", same),
    ):
        pass
    with pytest.raises(RunError, match="holds what secateur run left"):
        check_folder_for_run(folder, "prune", same)
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(RunError, match="is not empty and holds no run"):
        run(Source(tiny_cohort), tmp_path, settings)
    with pytest.raises(RunError, match="is a file"):
        run(Source(tiny_cohort), tmp_path / "thesis.txt", settings)
    with (
        tiny_run.folder.held(),
        pytest.raises(RunError, match="another process"),
        tiny_run.folder.held(),
    ):
        pass


def test_test_data_is_tested_on_and_nothing_else(tiny_cohort: Path, tmp_path: Path) -> None:
    other = write_cohort(tmp_path / "other", subjects=2, name="Others", seed=50)
    settings = resolve(None, {**TINY_SETTINGS, "training.epochs": 1})
    result = run(Source(tiny_cohort, other), tmp_path / "run", settings).result
    assert result.split.test == ("Others/sub-01", "Others/sub-02")
    assert len(result.split.training + result.split.validation) == 6
    assert result.data.subjects == 8


def test_equal_contents_on_two_sides_are_refused(tiny_cohort: Path, tmp_path: Path) -> None:
    copy = write_cohort(tmp_path / "copy", subjects=1, name="Copy", seed=77)
    source, target = (sorted(folder.rglob("*.edf"))[0] for folder in (tiny_cohort, copy))
    shutil.copy(source, target)
    with pytest.raises(CohortError, match=r"is the same recording as .*, of another data set"):
        run(Source(tiny_cohort, copy), tmp_path / "run", resolve(None, TINY_SETTINGS))
    with pytest.raises(CohortError, match="is trained on and is --test-data"):
        run(Source(tiny_cohort, tiny_cohort), tmp_path / "run", resolve(None, TINY_SETTINGS))
    alike = write_cohort(tmp_path / "alike", subjects=4, name="Alike")
    first, *others = sorted(alike.rglob("*.edf"))
    for other in others:
        shutil.copy(first, other)
    with pytest.raises(SplitError, match="the same contents stand on two sides"):
        run(Source(alike), tmp_path / "run", resolve(None, TINY_SETTINGS))
    assert not (tmp_path / "run").exists()


def test_a_bad_recording_is_listed_and_ends_it_only_if_strict(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=5)
    edf = sorted(folder.rglob("*.edf"))[2]
    edf.write_bytes(edf.read_bytes()[:300])
    settings = resolve(None, {**TINY_SETTINGS, "training.epochs": 1})
    result = run(Source(folder), tmp_path / "run", settings).result
    assert [problem.recording.split("/")[0] for problem in result.problems] == ["sub-03"]
    from secateur.errors import RecordingError

    with pytest.raises(RecordingError):
        run(Source(folder, strict=True), tmp_path / "strict", settings)


def test_no_name_and_no_path_reaches_what_comes_out(tiny_run: RunOutput, tiny_cohort: Path) -> None:
    for path in tiny_run.folder.path.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        assert PATIENT.split()[1].encode() not in content, path
        if path.suffix in (".onnx", ".safetensors"):
            assert str(tiny_cohort.parent).encode() not in content
            assert b"/tmp" not in content


def test_too_few_subjects_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2)
    with pytest.raises(SplitError, match="at least 3"):
        run(Source(folder), tmp_path / "run", RunSettings())
    with pytest.raises(CohortError):
        run(Source(tmp_path / "none"), tmp_path / "run", RunSettings())
    assert not (tmp_path / "run").exists()


def test_settings_name_what_came_and_what_was_wanted(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    cases = [
        ("seed = 'x'", r"c.toml: seed \(--seed\): .*got 'x'"),
        ("[training]\nepochz = 3", "training.epochz is no setting; there is epochs, least_epochs"),
        ("[threshold]\nfalse_alarms = -1", r"\(--false-alarms\): wanted 0 or more, got -1"),
        ("[training]\nepochs = 2.5", r"\(--epochs\): wanted a whole number, got 2.5"),
        ('[pruning]\ntarget = "macs=200%"', r"baseline is at most 100%, got macs=200%$"),
        ('[pruning]\ntarget = "macs=0.3"', r"pruning.target: macs=0.3: shares .* written 30%$"),
        ("[pruning]\nratio = 1.5", r"pruning.ratio \(--ratio\): .*less than 1, got 1.5"),
        (
            "[network]\nname = 'resnet'",
            "network.name .*: wanted one of valid, paper, .*, got 'resnet'",
        ),
        ("pruning = 3", "pruning"),
        ("seed =", "not TOML"),
    ]
    for text, said in cases:
        path.write_text(text)
        with pytest.raises(SettingsError, match=said) as caught:
            resolve(path)
        assert "\n" not in str(caught.value).strip()
    with pytest.raises(SettingsError, match="no such file"):
        resolve(tmp_path / "none.toml")


def test_flags_go_before_the_file_and_the_split_follows_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("seed = 5\n[training]\nepochs = 7\n")
    settings = resolve(path, {"training.epochs": 9, "network.name": None})
    assert (settings.training.epochs, settings.seed, settings.split.seed) == (9, 5, 5)
    assert resolve(path, {"split.seed": 2}).split.seed == 2
    assert resolve(None, {"seed": 8}).split.seed == 8
