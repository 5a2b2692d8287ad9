"""Studies of networks fitted to each test subject: nothing later is seen before it is judged."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from secateur.cli import main
from secateur.detectors import Detector, load_detector
from secateur.detectors.adapting import StudiedAdapting
from secateur.errors import SettingsError
from secateur.results import AdaptedRun, read_study_run
from secateur.results.study_run import MODELS, ModelName
from secateur.runs import Source, adapted
from secateur.runs.adapted import fitted_detector, parted_subjects
from secateur.runs.data import RunData, gather
from secateur.runs.folder import RunFolder
from secateur.runs.plan import Stage
from secateur.runs.settings import RunSettings
from secateur.runs.stages import StageContext, run_stage
from secateur.studies import evaluate_study, read_plan, read_study
from secateur.studies.plan import drafts, named
from secateur.studies.record import result_of
from secateur.studies.store import store_at
from secateur.studies.work_item import WorkItem, Workspace, do, stock_of
from secateur.windows import Cache
from tests.support.followed_cohorts import write_followed

STUDY = """
question = "Fitted, or from scratch?"
metrics = ["auroc_by_subject", "macro_f1_by_subject", "event_sensitivity"]
[axes]
"adapt.method" = ["none", "full", "scratch"]
fold = [1, 2]
[adapt]
epochs = 1
[fixed]
split = "folds:2"
epochs = 1
least-epochs = 1
seed = 1
[settings.network]
widths = [4, 6, 8]
[settings.training]
windows_per_epoch = 96
recalibration = 2
[[compare]]
axis = "adapt.method"
to = "scratch"
[[hypothesis]]
says = "fitted is better"
that = {"adapt.method" = "full"}
than = {"adapt.method" = "scratch"}
is = "better"
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_followed(tmp_path_factory.mktemp("followed") / "followed")


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asked") / "fitted.toml"
    path.write_text(STUDY)
    return path


def carried_out(study_file: Path, followed: Path, out: Path) -> dict[str, AdaptedRun]:
    words = ["study", str(study_file), "--data", str(followed), "--out", str(out)]
    assert main([*words, "--workers", "1"]) == 0
    runs = {}
    for path in (out / "runs").glob("*.json"):
        run = read_study_run(path.read_bytes(), path.name)
        assert isinstance(run, AdaptedRun)
        runs[path.name] = run
    return runs


@pytest.fixture(scope="module")
def finished(
    study_file: Path, followed: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, AdaptedRun]]:
    out = tmp_path_factory.mktemp("fitted") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEUR_CACHE", str(tmp_path_factory.mktemp("cache")))
        runs = carried_out(study_file, followed, out)
        assert len([*(Cache().folder / "pruned").rglob("pruned.onnx")]) == 2  # one a fold
    return out, runs


def test_everybody_is_judged_once_or_named(
    finished: tuple[Path, dict[str, AdaptedRun]],
) -> None:
    runs = [*finished[1].values()]
    assert len(runs) == 6
    for method in ("none", "full", "scratch"):
        some = [run for run in runs if run.adapting["method"] == method]
        judged = sorted(name for run in some for name in run.subjects)
        assert judged == [f"Followed/sub-{k:02}" for k in range(1, 6)]
        left_out = {name: why for run in some for name, why in run.left_out.items()}
        assert left_out == {"Followed/sub-06": "1 seizure in all; wanted one earlier and one later"}
    for run in runs:
        assert run.split.test == tuple(run.subjects)
        assert run.split.counts["test"].recordings == 2 * len(run.subjects)
        for subject in run.subjects.values():
            assert (subject.earlier.recordings, subject.later.recordings) == (2, 2)
            assert (subject.earlier.seizures, subject.later.seizures) == (2, 2)
        test = run.model("pruned").test
        assert test is not None
        assert test.events.ref == 2 * len(run.subjects)
        assert {*test.scores.values()} == {None}  # windows of several detectors are no one's
        assert all(scores["auroc"] is not None for scores in test.subjects.values())


def test_ways_differ_and_beside_scratch_the_whole_network_is_as_it_is(
    finished: tuple[Path, dict[str, AdaptedRun]],
) -> None:
    scores: dict[tuple[str, str, int | None], Any] = {}
    for run in finished[1].values():
        for name in MODELS:
            test = run.model(name).test
            assert test is not None
            scores[run.adapting["method"], name, run.split.fold] = test.subjects
    for fold in (1, 2):
        assert scores["scratch", "baseline", fold] == scores["none", "baseline", fold]
        for name in MODELS:
            assert scores["full", name, fold] != scores["none", name, fold]
        assert scores["scratch", "pruned", fold] != scores["none", "pruned", fold]


def auroc(run: AdaptedRun, subject: str) -> float:
    test = run.model("pruned").test
    assert test is not None
    value = test.subjects[subject]["auroc"]
    assert value is not None
    return value


def test_the_report_tells_subject_by_subject(
    finished: tuple[Path, dict[str, AdaptedRun]],
) -> None:
    out, runs = finished
    findings = evaluate_study(read_plan(str(out)), store_at(out))
    assert findings.adapting is not None
    table = findings.adapting.tables[0]
    assert [way.name for way in table.scores] == [
        "unpruned, as it is",
        "unpruned, full",
        "pruned, as it is",
        "pruned, full",
        "from scratch",
    ]
    assert table.reference.name == "from scratch"
    fitted = next(each for each in table.against if each.way.name == "pruned, full")
    differences = []
    for name in findings.adapting.subjects:
        full, scratch = (
            auroc(run, name)
            for method in ("full", "scratch")
            for run in runs.values()
            if run.adapting["method"] == method and name in run.subjects
        )
        differences.append(full - scratch)
    assert fitted.comparison.difference == pytest.approx(statistics.fmean(differences))
    assert fitted.comparison.median == pytest.approx(statistics.median(differences))
    assert fitted.better == sum(difference > 0 for difference in differences)
    text = (out / "study.md").read_text()
    for words in (
        "Subject by subject, on later recordings",
        "Could have seen",
        "Followed/sub-06: 1 seizure in all",
        "fitted is better",
    ):
        assert words in text


def test_interrupted_and_resumed_it_is_the_same(
    finished: tuple[Path, dict[str, AdaptedRun]],
    study_file: Path,
    followed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ended after pruning, before anybody is judged, and in the middle of the judging of another run."""
    workspace = Workspace(str(tmp_path / "out"), tmp_path / "cache")
    asked = drafts(read_study(study_file), {"data": Source(followed)})
    jobs = [
        named(draft, stock_of(draft.source, draft.settings, workspace.cache))
        for draft in asked
        if draft.at["fold"] == 1 and draft.at["adapt.method"] != "none"
    ]
    calls = 0
    fit_one = adapted.fitted_detector

    def ended(*args: Any) -> Detector:
        nonlocal calls
        calls += 1
        if calls in (1, 4):
            raise KeyboardInterrupt
        return fit_one(*args)

    monkeypatch.setattr(adapted, "fitted_detector", ended)
    for job in jobs:
        with pytest.raises(KeyboardInterrupt):
            do(WorkItem(job, workspace))
    for job in jobs:
        assert not do(WorkItem(job, workspace)).error
        run = result_of(job.name, store_at(workspace.location))
        undisturbed = finished[1][f"{job.name}.json"]
        assert run is not None
        assert run.model_dump(exclude={"seconds"}) == undisturbed.model_dump(exclude={"seconds"})


SETTINGS = RunSettings.model_validate(
    {
        "seed": 1,
        "split": {"by": "folds", "folds": 2, "fold": 1, "seed": 1},
        "network": {"widths": [4, 6, 8]},
        "training": {
            "epochs": 1,
            "least_epochs": 1,
            "windows_per_epoch": 96,
            "recalibration": 2,
        },
    }
)


def networks(material: RunData, folder: Path) -> dict[ModelName, RunFolder]:
    run = RunFolder(folder, "x")
    for stage in (
        Stage("baseline", "baseline"),
        Stage("pruned", "pruned", (), SETTINGS.pruning),
    ):
        run_stage(stage, StageContext(material, SETTINGS, run))
    return {"baseline": run, "pruned": run}


def test_nothing_of_the_later_recordings_is_learned(followed: Path, tmp_path: Path) -> None:
    """With other later recordings, signals and seizures, every fitted detector is the same file."""
    other = write_followed(tmp_path / "other", later_seed=7)
    ours, theirs = (
        gather(Source(folder), SETTINGS, Cache(tmp_path / "cache")) for folder in (followed, other)
    )
    folders = networks(ours, tmp_path / "run")  # what others trained is no matter here
    for method in ("threshold", "bn", "head", "full", "scratch"):
        adapting = StudiedAdapting(method=method, epochs=1)
        files = []
        for material in (ours, theirs):
            subjects, _ = parted_subjects(material, SETTINGS, 0.5)
            assert subjects
            files.append(
                {
                    (subject.name, name): fitted_detector(
                        name, folders[name], subject, SETTINGS, adapting
                    ).fingerprint
                    for subject in subjects
                    for name in MODELS
                }
            )
            starts = [[p.entry.open().start for p in s.earlier + s.later] for s in subjects]
            assert all(times == sorted(times) for times in starts)  # type: ignore[type-var]
        assert files[0] == files[1]
        own = load_detector(folders["pruned"].detector("pruned")).fingerprint
        fitted = {value for (_, name), value in files[0].items() if name == "pruned"}
        assert len(fitted) == len(subjects)  # to each of them
        assert own not in fitted


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("folds:2", "recording"), "a split by recording lets everybody train"),
        (("[adapt]\nepochs = 1\n", ""), "adapt.method is no key of a table"),
        (('"full", ', '"fulll", '), "fulll"),
        (("epochs = 1\n[fixed]", "epochs = 1\n[explain]\n[fixed]"), "a study does one of both"),
        (("question", "pruned = false\nquestion"), r"\[adapt\] is of networks before pruning"),
        (("[fixed]", "[fixed]\nmargin = 0.1"), r"\[adapt\], and flags of prune"),
    ],
)
def test_what_makes_no_sense_is_refused(
    change: tuple[str, str], words: str, followed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "odd.toml"
    text = STUDY.replace(*change)
    if "recording" in change[1]:
        text = text.replace("fold = [1, 2]\n", "seed = [1, 2]\n").replace("seed = 1\n", "")
    path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        drafts(read_study(path), {"data": Source(followed)})


def test_other_epochs_are_another_run(followed: Path, tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    path.write_text(STUDY.replace("fold = [1, 2]", 'fold = [1]\n"adapt.epochs" = [1, 3]'))
    planned = drafts(read_study(path), {"data": Source(followed)})
    assert {(draft.adapt.method, draft.adapt.epochs) for draft in planned if draft.adapt} == {
        (method, epochs) for method in ("none", "full", "scratch") for epochs in (1, 3)
    }
