"""Results of every schema are read as what they are: each number of each stored file, under its own name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from secateur.errors import RunError
from secateur.results import LadderResult, RunResult, load, read_study_run, written
from secateur.results.earlier import METRICS_OF_1
from secateur.scoring.metrics import METRICS, Metric, window_metrics

TOP = Path(__file__).parents[2]
FILES = Path(__file__).parent / "files"
ALL = sorted((FILES / "stored-runs").glob("*.json"))
"""Of the studies' runs, one of each kind, criterion and split; evidence/ holds all as tables."""
STORED = [path for path in ALL if json.loads(path.read_text())["schema"] == 1]
LADDER_OF_A_STUDY = FILES / "study-ladder-schema-1.json"
SETTINGS = "b7691f252909f4ea3f88e04282927e86c809688a3f7e12e1120b31cd1c6d1e93"
"""SHA-256 of the names and full settings of these runs. With these settings, the recordings and the versions
that they name, the hash that named runs up to schema 1 gave the name of each of the 435 that there were.
"""
EVENTS = {
    "sensitivity": "event_sensitivity",
    "precision": "event_precision",
    "f1": "event_f1",
    "fp_per_day": "fp_per_day",
}


def test_every_number_of_every_stored_run_is_read_under_its_name() -> None:
    assert len(STORED) >= 10
    for path in (*STORED, LADDER_OF_A_STUDY):
        raw = json.loads(path.read_text())
        run = read_study_run(path.read_bytes(), path.name)
        assert run.run == raw["run"]
        assert run.seconds == raw["seconds"]
        assert run.where == tuple(raw["where"])
        assert run.data.model_dump() == raw["data"]
        split = run.split.model_dump(mode="json")
        assert {key: split[key] for key in raw["split"]} == raw["split"]
        assert str(run.versions.result) == raw["versions"]["result"]
        assert run.versions.torch == raw["versions"]["torch"]
        for name, model in run.models.items():
            known = raw["models"][name]
            assert model.epochs.model_dump(mode="json") == known["epochs"]
            assert model.groups == known["groups"]
            sizes = ("parameters", "macs", "file_bytes", "best_epoch")
            assert all(getattr(model, size) == known[size] for size in sizes)
            assert list(model.kernels or ()) == known["kernels"]
            check_test(model.test, known["test"])
        told = {} if run.pruning is None else run.pruning.model_dump(mode="json")
        assert {key: told[key] for key in raw["pruning"]} == raw["pruning"]
        assert (run.ladder and run.ladder.model_dump()) == raw.get("ladder")


def check_test(test: Any, known: Any) -> None:
    assert (test is None) == (known is None)
    if test is None:
        return
    assert (test.threshold, test.windows) == (known["threshold"], known["windows"])
    assert test.scores == {metric: known[metric] for metric in METRICS_OF_1}
    for name, values in known["subjects"].items():
        accuracy, macro_f1, auroc, auprc, brier, sensitivity, specificity = values
        if sensitivity is None or specificity is None:
            # up to result version 4 these were told of subjects who lack a class
            macro_f1 = auprc = None
        assert test.subjects[name] == {
            "accuracy": accuracy,
            "macro_f1": macro_f1,
            "auroc": auroc,
            "auprc": auprc,
            "brier": brier,
            "sensitivity": sensitivity,
            "specificity": specificity,
        }
    assert test.subjects.keys() == known["subjects"].keys()
    counts = {name: getattr(test.events, name) for name in ("tp", "fp", "ref")}
    scores = {name: test.events.scores[key] for name, key in EVENTS.items()}
    assert counts | scores == known["events"]


def test_stored_runs_of_today_are_written_as_they_are_read() -> None:
    of_today = [path for path in ALL if path not in STORED]
    assert of_today
    for path in of_today:
        content = path.read_bytes()
        run = read_study_run(content, path.name)
        assert run.run == path.stem
        assert written(run, None) == content


def test_positions_are_told_from_each_other_by_arithmetic() -> None:
    """What stands under accuracy lies between sensitivity and specificity, in each of the subjects."""
    looked_at = 0
    for path in STORED:
        for model in read_study_run(path.read_bytes(), path.name).models.values():
            assert model.test is not None
            for scores in model.test.subjects.values():
                ends = scores["sensitivity"], scores["specificity"]
                if None not in ends:
                    accuracy = scores["accuracy"]
                    assert accuracy is not None
                    low, high = sorted(end for end in ends if end is not None)
                    assert low - 1e-12 <= accuracy <= high + 1e-12
                    looked_at += 1
    assert looked_at > 80


def test_settings_of_stored_runs_are_whole_and_those_they_were_made_with() -> None:
    digest = hashlib.sha256()
    for path in STORED:
        settings = read_study_run(path.read_bytes(), path.name).settings
        digest.update(json.dumps([path.stem, settings], sort_keys=True).encode())
    assert digest.hexdigest() == SETTINGS


def test_settings_of_stored_runs_are_settings_of_today() -> None:
    pytest.importorskip("torch")
    from secateur.certifying import LadderSettings
    from secateur.runs import RunSettings

    for path in ALL:
        RunSettings.model_validate(read_study_run(path.read_bytes(), path.name).settings)
    run = read_study_run(LADDER_OF_A_STUDY.read_bytes(), "ladder")
    assert run.settings["certify"] == {"by": "folds", "folds": 2, "share": 0.35}
    certify = run.settings["certify"] | {"folds": 3}  # two are not taken any more
    settings = LadderSettings.model_validate(run.settings | {"certify": certify})
    assert settings.constraint.margins == {"auroc": 0.9}
    assert settings.ladder.rungs == (0.5,)


@pytest.mark.parametrize("schema", ["1", "today"])
def test_a_new_metric_leaves_what_is_stored_readable(
    schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = STORED[0].read_bytes()
    before = read_study_run(content, "run")
    if schema == "today":
        content = written(before)
    monkeypatch.setitem(METRICS, "kappa", Metric("kappa", "Kappa", "kappa", lambda windows: 0.0))
    assert window_metrics()[-1] == "kappa"
    again = read_study_run(content, "run")
    assert again == before
    test = again.models["pruned"].test
    assert test is not None
    assert test.score("kappa") is None
    assert test.score("auroc_by_subject") is not None


RENAMED = {"trivial": "random_forest"}
RUNS_OF_1 = [FILES / "run-schema-1.json", FILES / "run-of-clips-schema-1.json"]


@pytest.mark.parametrize("path", RUNS_OF_1, ids=lambda path: path.stem)
def test_a_run_of_schema_1_is_read(path: Path) -> None:
    raw, run = json.loads(path.read_text()), load(path)
    assert isinstance(run, RunResult)
    assert run.split.leakage.model_dump() == raw["split"]["crossing"]
    assert run.versions.secateur == raw["secateur"]
    assert list(run.warnings) == raw["warnings"]
    known = {RENAMED.get(name, name): model for name, model in raw["models"].items()}
    assert run.models.keys() == known.keys()
    for name, model in run.models.items():
        check_full(model, known[name])


def check_full(model: Any, raw: dict[str, Any]) -> None:
    test, known, minus = model.test, raw["test"], raw["minus_baseline"]
    means = known["by_subject"]
    assert test.scores == {metric: known[metric] for metric in METRICS_OF_1}
    assert test.mean_of_subjects == {metric: means[metric] for metric in METRICS_OF_1}
    assert [{"subject": name, **scores} for name, scores in test.subjects.items()] == (
        means["subjects"]
    )
    assert test.at_half.scores | {"confusion": lists(test.at_half.confusion)} == known["at_0.5"]
    assert lists(test.confusion) == known["confusion"]
    assert lists(test.intervals.pooled) == known["intervals"]["pooled"]
    assert lists(test.intervals.mean_of_subjects) == known["intervals"]["by_subject"]
    for events, told in (
        (test.events, known["events"]),
        (test.events.samples, known["events"]["samples"]),
        (test.events.always_firing, known["events"]["always_firing"]),
    ):
        assert {name: events.scores[key] for name, key in EVENTS.items()} == {
            name: told[name] for name in EVENTS
        }
        assert (events.tp, events.fp, events.ref) == (told["tp"], told["fp"], told["ref"])
    assert test.events.delay_median == known["events"]["delay_median"]
    assert test.events.note == known["events"]["note"]
    difference = model.minus_baseline
    assert difference.difference == minus["difference"]
    assert lists(difference.intervals) == minus["intervals"]
    assert difference.mean_of_subjects == minus["by_subject"]["difference"]
    assert lists(difference.intervals_of_subjects) == minus["by_subject"]["intervals"]


def lists(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_a_ladder_of_schema_1_is_read() -> None:
    path = FILES / "ladder-schema-1.json"
    raw, ladder = json.loads(path.read_text()), load(path)
    assert isinstance(ladder, LadderResult)
    assert ladder.chosen == raw["chosen"] == "rung-0.5"
    assert lists(ladder.masking) == raw["sensitivity"]
    assert ladder.certified_by.earlier_certifications == 0
    assert ladder.certified_by.earlier_runs is None  # weren't counted then
    (rung,), (known,) = ladder.ladder, raw["ladder"]
    assert rung.certification.mean == known["certification"]["mean"]
    assert rung.certification.subjects == known["certification"]["subjects"]
    assert lists(rung.minus_baseline.intervals) == known["minus_baseline"]["intervals"]
    statement = known["statements"][0]
    bounds = {"t": statement["t_bound"], "bootstrap-t": statement["bootstrap_bound"]}
    assert rung.statements[0].bounds == bounds
    assert ladder.certificate.verdict == known["verdict"] == "passed"


KINDS = ("run", "ladder", "study-run", "study-ladder")


def read_stored(kind: str, schema: int) -> Any:
    path = FILES / f"{kind}-schema-{schema}.json"
    if kind == "study-run" and schema == 1:
        path = STORED[0]
    if kind.startswith("study"):
        return read_study_run(path.read_bytes(), path.name)
    return load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_schema_is_read_as_the_same(kind: str) -> None:
    """Those of schema 2 were written by its first version, before repeats, rules 2 and other names."""
    first, *results = [read_stored(kind, schema) for schema in (1, 2, 3)]
    assert results[0] == results[1]
    # a study's run of schema 1 told no default, so those of later settings are put into it
    assert first.model_copy(update={"settings": results[0].settings}) == results[0]
    assert written(results[0]) == (FILES / f"{kind}-schema-3.json").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_result_of_today_does_not_tell_is_not_made_up(kind: str, tmp_path: Path) -> None:
    """Every field stands in the file; one that is gone is damage, and no default."""
    tables = json.loads((FILES / f"{kind}-schema-3.json").read_text())
    gone = {
        "run": ("models", "pruned", "test", "false_alarms"),
        "ladder": ("certified_by", "parts", 0, "seed_step"),
        "study-run": ("split", "certification"),
        "study-ladder": ("split", "test"),
    }[kind]
    inner = tables
    for part in gone[:-1]:
        inner = inner[part]
    del inner[gone[-1]]
    path = tmp_path / "result.json"
    path.write_text(json.dumps(tables))
    where = r"\.".join(map(str, gone))
    with pytest.raises(RunError, match=f"{where}: a result of schema 3 tells it"):
        read_study_run(path.read_bytes(), "x") if kind.startswith("study") else load(path)
    tables["schema"] = 2  # where it was told later
    path.write_text(json.dumps(tables))
    read_study_run(path.read_bytes(), "x") if kind.startswith("study") else load(path)


def test_what_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    for path in (FILES / "run-schema-1.json", FILES / "ladder-schema-1.json"):
        result = load(path)
        (tmp_path / "result.json").write_bytes(written(result))
        assert load(tmp_path) == result
    for path in STORED:
        run = read_study_run(path.read_bytes(), path.name)
        assert read_study_run(written(run), path.name) == run


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"auroc"', '"schema":2,"auroc"', "was changed or damaged|lacks"),
        ('"schema":1', '"schema":4', "was written with schema 4, this Secateur reads 1 to 3"),
        ('"schema":1', '"schema":true', "schema"),
        ('"seconds"', '"second"', "seconds: Field required"),
        ('"problems":0', '"problems":"0"', "problems: Input should be a valid integer"),
        ('"windows":', '"windows":1e999,"x":', "windows"),
        ("{", "", "is no result of Secateur, or is damaged"),
        ('"brier":', '"brie":', "lacks what a result of schema 1 holds .KeyError: 'brier'"),
        ('"run":', '"people":3,"run":', "people: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_result_is_refused_in_a_line(old: str, new: str, words: str) -> None:
    content = STORED[0].read_text()
    assert old in content
    with pytest.raises(RunError, match=words) as caught:
        read_study_run(content.replace(old, new, 1).encode(), "runs/a.json")
    assert str(caught.value).startswith("runs/a.json: ")
    assert "\n" not in str(caught.value)


def test_too_few_scores_of_a_subject_are_refused() -> None:
    raw = json.loads(STORED[0].read_text())
    subject = next(iter(raw["models"]["pruned"]["test"]["subjects"].values()))
    subject.pop()
    with pytest.raises(RunError, match="lacks what a result of schema 1 holds"):
        read_study_run(json.dumps(raw).encode(), "run")


def test_a_folder_without_a_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there is no such file; wanted a run's result\.json"):
        load(tmp_path)
