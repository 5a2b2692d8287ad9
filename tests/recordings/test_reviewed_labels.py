"""A cohort whose seizures are what a person said of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.errors import CohortError, SettingsError
from secateur.events import read_tsv
from secateur.recordings import DataSet, LabelSettings, load_cohort, load_data_sets
from secateur.review.verdicts import MachineEvents, Review
from secateur.runs import RunOutput
from secateur.runs.data import Source, contents_of, gather, prepare_cohort
from secateur.runs.settings import RunSettings, resolve
from secateur.windows import Cache

REVIEWED = LabelSettings(use="reviewed")


def say(recording: Path, *acts: dict[str, object], reviewer: str = "") -> None:
    """Do some acts on the events that stand beside a recording; `event`: their number."""
    own = recording.with_name(f"{recording.stem.removesuffix('_eeg')}_events.tsv")
    machine = MachineEvents(read_tsv(own))
    review = Review(recording, reviewer)
    for act in acts:
        answer = review.answer(machine)
        key = answer["events"][0]["id"] if answer["events"] else ""
        review.act({"version": answer["version"], "event": key, **act}, machine)


@pytest.fixture
def folder(tiny_cohort: Path, tmp_path: Path) -> Path:
    """Six people with a seizure each: moved, kept, rejected; one begun, one not, one without the list."""
    copy = tmp_path / "cohort"
    shutil.copytree(tiny_cohort, copy)
    recordings = sorted(copy.rglob("*.edf"))
    say(recordings[0], {"act": "change", "onset": 5.0, "duration": 12.5}, {"act": "seen"})
    say(recordings[1], {"act": "accept"})
    say(recordings[2], {"act": "reject"}, {"act": "seen"})
    say(recordings[3], {"act": "comment", "comment": "?"})
    say(recordings[5], {"act": "accept"}, {"act": "seen"})
    recordings[5].with_name(f"{recordings[5].stem.removesuffix('_eeg')}_events.tsv").unlink()
    return copy


def test_seizures_are_those_that_a_person_let_stand(folder: Path) -> None:
    listed, cohort = load_cohort(folder), load_cohort(folder, labels=REVIEWED)
    assert [entry.key for entry in cohort] == [
        *(entry.key for entry in listed.entries[:3]),
        listed.problems[0].key,
    ]
    spans = [[(event.onset, event.duration) for event in entry.events] for entry in cohort]
    own = [[(event.onset, event.duration) for event in entry.events] for entry in listed]
    assert spans[0] == [(5.0, 12.5)]
    assert spans[1] == own[1]
    assert spans[2] == []
    assert cohort.simulated == listed.simulated
    reasons = [problem.reason for problem in cohort.problems]
    assert len(reasons) == 2
    assert "1 of 1 rows are open" in reasons[0]
    assert reasons[1] == "nobody has reviewed it"
    assert "seizures are what a person said in a review" in cohort.notes
    missed = "seizures that the machine missed count as background"
    noted = [any(missed in note for note in entry.notes) for entry in cohort]
    assert noted == [False, True, False, False]


def test_reviewed_tables_change_nothing_unless_asked_for_and_a_note_says_so(
    folder: Path, tiny_cohort: Path
) -> None:
    before, after = load_cohort(tiny_cohort), load_cohort(folder)
    assert [entry.events for entry in after] == [entry.events for entry in before.entries[:5]]
    assert "reviewed tables don't count without --labels reviewed: 5" in after.notes
    assert not any("reviewed" in note for note in before.notes)


def test_one_of_several_reviewers_must_be_chosen(folder: Path) -> None:
    recording = sorted(folder.rglob("*.edf"))[1]
    say(recording, {"act": "reject"}, reviewer="CD")
    with pytest.raises(SettingsError, match="reviewed by one without initials and CD: choose one"):
        load_cohort(folder, labels=REVIEWED)
    (entry,) = load_cohort(folder, labels=LabelSettings(use="reviewed", reviewer="cd"))
    assert len(entry.events) == 0
    cohort = load_cohort(folder, labels=LabelSettings(use="reviewed", reviewer=""))
    assert len(cohort) == 4
    with pytest.raises(CohortError, match="reviewed by one without initials and CD alone"):
        load_cohort(recording.parent, labels=LabelSettings(use="reviewed", reviewer="XY"))


def test_a_reviewer_goes_with_reviewed_labels() -> None:
    with pytest.raises(SettingsError, match="goes with --labels reviewed"):
        resolve(None, {"labels.reviewer": "AB"})


def test_background_that_somebody_has_looked_at_counts_as_reviewed(folder: Path) -> None:
    sets = [DataSet(folder, "ward"), DataSet(sorted(folder.rglob("*.edf"))[2].parent, "free", True)]
    cohort = load_data_sets(sets[1:], labels=REVIEWED)
    assert cohort.seizures == 0
    with pytest.raises(CohortError, match="declared free of seizures, and 3 of its recordings"):
        load_data_sets([DataSet(folder, "free", seizure_free=True)], labels=REVIEWED)


def test_a_runs_identity_covers_the_labels_that_it_used(folder: Path, tmp_path: Path) -> None:
    settings = resolve(None, {"labels.use": "reviewed"})
    assert "labels" not in RunSettings().model_dump()
    assert settings.model_dump()["labels"] == {"use": "reviewed", "reviewer": None}

    def contents() -> dict[str, str | None]:
        return contents_of(prepare_cohort(Source(folder), settings, Cache(tmp_path / "cache")))

    before = contents()
    say(sorted(folder.rglob("*.edf"))[2], {"act": "undo"}, {"act": "undo"}, {"act": "accept"})
    assert contents()["data"] != before["data"]


def test_a_run_takes_reviewed_labels_and_tells_what_it_left_out(
    folder: Path, tmp_path: Path
) -> None:
    settings = resolve(None, {"labels.use": "reviewed"})
    say(sorted(folder.rglob("*.edf"))[2], {"act": "undo"}, {"act": "undo"}, {"act": "accept"})
    data = gather(Source(folder), settings, Cache(tmp_path / "cache"))
    assert len(data.recordings) == 4
    assert data.recordings.seizures == 4
    assert [problem.reason for problem in data.problems][1:] == ["nobody has reviewed it"]
    assert "seizures are what a person said in a review" in data.recordings.notes


def test_prepare_and_evaluate_take_reviewed_labels(
    folder: Path, tiny_run: RunOutput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", str(folder), "--labels", "reviewed"]) == 0
    assert "4 recordings" in capsys.readouterr().out
    assert main(["prepare", str(folder), "--reviewer", "AB"]) == 1
    assert "goes with --labels reviewed" in capsys.readouterr().err
    detector, out = tiny_run.folder.detector("baseline"), tmp_path / "numbers.json"
    words = ["evaluate", "--detector", str(detector), "--data", str(folder), "--out", str(out)]
    assert main([*words, "--labels", "reviewed"]) == 0
    report = json.loads(out.read_text())
    assert report["test"]["events"]["ref"] == 3
    assert len(report["problems"]) == 2
