from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from secateur.errors import CohortError, EventsError, RecordingError, SecateurError
from secateur.events import Event, Events
from secateur.recordings import ReadingSettings, describe_background, load_cohort
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg, write_cohort, write_edf


@pytest.mark.clause("BIDS names")
def test_the_real_clips_are_read_as_bids(clips: Path) -> None:
    cohort = load_cohort(clips)
    assert (cohort.layout, cohort.name) == ("bids", "CHB-MIT seizure clips")
    assert len(cohort) == 223
    assert len(cohort.subjects) == 16
    assert cohort.seizures == 138
    assert cohort.hours * 3600 == pytest.approx(13811)
    assert cohort.ictal_hours * 3600 == pytest.approx(8159)
    assert not cohort.problems
    assert not cohort.simulated
    sessions = {entry.session for entry in cohort if entry.subject.endswith("/sub-01")}
    assert sessions == {"01", "02"}
    background = describe_background(cohort)
    assert background.words == "post-ictal background only"
    assert background.seizure_throughout == 85


def test_subjects_of_two_data_sets_are_two_people(tmp_path: Path) -> None:
    first = load_cohort(write_cohort(tmp_path / "a", subjects=1, name="A"))
    other = load_cohort(write_cohort(tmp_path / "b", subjects=1, name="B"))
    assert first.subjects == ("A/sub-01",)
    assert other.subjects == ("B/sub-01",)


def test_simulated_recordings_are_called_so_without_their_description(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=1)
    (folder / "dataset_description.json").unlink()
    assert not load_cohort(folder).simulated
    edf = next(folder.rglob("*.edf"))
    edf.with_suffix(".json").write_text('{"Simulated": true}')
    assert load_cohort(folder).simulated


def test_background_between_seizures_is_called_continuous(tiny_cohort: Path) -> None:
    cohort = load_cohort(tiny_cohort)
    assert cohort.simulated
    assert describe_background(cohort).words == "clips of 60 s"
    assert describe_background(cohort).seizure_throughout == 0
    long = [replace(entry, duration=400.0) for entry in cohort]
    assert (
        describe_background(replace(cohort, entries=tuple(long))).words == "continuous recordings"
    )


def plain(folder: Path, names: list[str]) -> Path:
    for k, name in enumerate(names):
        path = write_edf(folder / name, eeg(10, [], k), BIPOLAR_18)
        Events((Event(2.0, 3.0),), 10.0).write_tsv(path.with_suffix(".tsv"))
    return folder


def test_a_plain_folder_is_recognised_and_its_guess_is_said(tmp_path: Path) -> None:
    flat = load_cohort(plain(tmp_path / "flat", ["p1_a.edf", "p1_b.EDF", "p2_a.edf"]))
    assert flat.layout == "plain"
    assert flat.subjects == ("flat/p1", "flat/p2")
    assert "file's name" in flat.notes[0]
    nested = load_cohort(plain(tmp_path / "deep", ["anna/1.edf", "bert/1.edf"]))
    assert nested.subjects == ("deep/anna", "deep/bert")
    assert "folder below the top" in nested.notes[0]


def test_a_bad_file_is_listed_and_ends_nothing_unless_strict(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=3)
    edfs = sorted(folder.rglob("*.edf"))
    edfs[0].write_bytes(b"0       rubbish")
    edfs[1].with_name(edfs[1].name.replace("_eeg.edf", "_events.tsv")).unlink()
    cohort = load_cohort(folder)
    assert len(cohort) == 1
    reasons = [problem.reason for problem in cohort.problems]
    assert reasons[0].startswith("cut off inside the header")
    assert reasons[1].startswith("no events beside it")
    assert not any(str(tmp_path) in problem.reason for problem in cohort.problems)
    with pytest.raises((RecordingError, EventsError)):
        load_cohort(folder, strict=True)


@pytest.mark.clause("BIDS names")
def test_a_file_not_named_as_bids_wants_is_listed(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2)
    edf = sorted(folder.rglob("*.edf"))[0]
    shutil.copy(edf, edf.with_name("holiday.edf"))
    assert [p.reason for p in load_cohort(folder).problems] == [
        "not named as BIDS wants: sub-LABEL[_ses-LABEL]_task-LABEL[_run-N]_eeg.edf (or _ieeg)"
    ]


@pytest.mark.parametrize("name", ["sub-01/night.edf", "sub-01.edf", "sub-01/sub-01_task-rest.edf"])
def test_a_folder_called_as_a_subject_alone_is_plain(tmp_path: Path, name: str) -> None:
    """What is told is what is missing, the events, and not that the recordings' names are no BIDS."""
    edf = write_edf(tmp_path / "c" / name, eeg(10, [], 0), BIPOLAR_18)
    with pytest.raises(CohortError, match=r"no events beside it; .*, give it as --background; "):
        load_cohort(tmp_path / "c")
    assert load_cohort(tmp_path / "c", seizure_free=True).subjects == ("c/sub-01",)
    Events((Event(2.0, 3.0),), 10.0).write_tsv(edf.with_suffix(".tsv"))
    cohort = load_cohort(tmp_path / "c")
    assert (cohort.layout, cohort.subjects) == ("plain", ("c/sub-01",))


def test_linked_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "sub-01").symlink_to(folder / "sub-01")
    (linked / "sub-01-again").symlink_to(linked)
    for aside in (".trash", "derivatives"):
        shutil.copytree(folder / "sub-02", linked / aside / "sub-02")
    assert [entry.subject for entry in load_cohort(linked)] == ["linked/sub-01"]


def test_folders_that_are_no_cohort_are_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none", "no such folder"),
        (tmp_path, "no recording in it"),
    ):
        with pytest.raises(CohortError, match=message):
            load_cohort(path)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(CohortError, match="is a text file, wanted a folder"):
        load_cohort(file)
    folder = write_cohort(tmp_path / "c", subjects=1)
    (folder / "dataset_description.json").write_text("{")
    with pytest.raises(CohortError, match="not readable JSON"):
        load_cohort(folder)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "x"}))
    next(folder.rglob("*.edf")).write_bytes(b"")
    with pytest.raises(SecateurError, match="none of its 1 recordings can be used"):
        load_cohort(folder)


def test_background_stays_post_ictal_when_its_seizure_is_on_another_side(clips: Path) -> None:
    cohort = load_cohort(clips)
    background = [entry for entry in cohort if not len(entry.events)]
    some = replace(cohort, entries=tuple(background))
    assert len(background) == 85
    assert "clips" in describe_background(some).words  # nothing is known of seizures
    assert describe_background(some, cohort).words == "post-ictal background only"


def test_a_seizure_past_the_end_is_kept_as_listed_and_said(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=1)
    tsv = next(folder.rglob("*_events.tsv"))
    tsv.write_text("onset\tduration\teventType\n50\t30\tsz\n5000\t10\tsz\n")
    (entry,) = load_cohort(folder)
    assert [(event.onset, event.duration) for event in entry.events] == [(50, 30), (5000, 10)]
    assert entry.events.seconds == 10
    assert len([note for note in entry.notes if "kept as listed" in note]) == 2


@pytest.mark.parametrize("kind", ["seizure", "Seizure", "ictal", "fnsz", "gen_seiz"])
def test_a_type_that_means_a_seizure_elsewhere_is_no_background(kind: str, tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2)
    tsv = sorted(folder.rglob("*_events.tsv"))[0]
    tsv.write_text(f"onset\tduration\teventType\n5\t10\t{kind}\n")
    (problem,) = load_cohort(folder).problems
    assert f"eventType is {kind!r}" in problem.reason
    for other in ("interictal", "preictal", "artifact", "bckg"):
        tsv.write_text(f"onset\tduration\teventType\n5\t10\t{other}\n")
        assert not load_cohort(folder).problems


@pytest.mark.clause("BIDS description")
def test_a_subject_of_a_described_data_set_keeps_its_name(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2, name="Known")
    for part in (folder, folder / "sub-01", folder / "sub-01" / "ses-01"):
        assert "Known/sub-01" in load_cohort(part).subjects


def bids(folder: Path, names: list[str], labels: tuple[str, ...] = BIPOLAR_18) -> Path:
    """EDFs as BIDS names them; those of EEG have their events."""
    for k, name in enumerate(names):
        subject, modality = name.split("_")[0], name.rpartition("_")[2].partition(".")[0]
        inner = modality if modality in ("eeg", "ieeg") else "eeg"
        path = write_edf(folder / subject / inner / name, eeg(10, [], k)[: len(labels)], labels)
        if modality in ("eeg", "ieeg"):
            tsv = path.name.replace(f"_{modality}.edf", "_events.tsv")
            Events((Event(2.0, 3.0 + k),), 10.0).write_tsv(path.with_name(tsv))
    return folder


@pytest.mark.clause("BIDS kinds")
def test_bids_reads_ieeg_with_its_own_events_and_passes_over_what_is_no_eeg(tmp_path: Path) -> None:
    names = ["task-a_run-01_ieeg.edf", "task-a_run-01_eeg.edf", "task-a_run-01_ecg.edf"]
    names += ["task-a_run-01_emg.edf", "task-a_run-01_mov.edf"]
    cohort = load_cohort(bids(tmp_path, [f"sub-01_{name}" for name in names]))
    assert [(entry.key, entry.run) for entry in cohort] == [
        ("sub-01/eeg/sub-01_task-a_run-01_eeg", "01"),
        ("sub-01/ieeg/sub-01_task-a_run-01_ieeg", "01"),
    ]
    assert [entry.events.seconds for entry in cohort] == [4, 3]
    assert cohort.problems == ()
    assert cohort.notes == ("no EEG by their names, passed over: 1 _ecg, 1 _emg, 1 _mov",)


def test_a_cohort_without_any_eeg_is_one_line(tmp_path: Path) -> None:
    bids(tmp_path / "a", ["sub-01_task-a_ecg.edf"])
    with pytest.raises(CohortError, match=r"no recording in it .* passed over: 1 _ecg") as caught:
        load_cohort(tmp_path / "a")
    assert "\n" not in str(caught.value)
    cohort = load_cohort(plain(tmp_path / "b", ["p1.edf"]))
    assert describe_background(replace(cohort, entries=())).words == "none"


def test_nothing_is_dropped_without_a_word(tmp_path: Path) -> None:
    folder = plain(tmp_path / "c", ["p1.edf"])
    for name in ("p2.set", "p3.set", "p4.edf.gz", ".hidden.set"):
        (folder / name).touch()
    (folder / "p5.mff").mkdir()
    (folder / "p6.edf").symlink_to(tmp_path / "not-fetched.edf")
    cohort = load_cohort(folder)
    assert [(p.key, p.reason) for p in cohort.problems] == [("p6", "there is no such file")]
    assert cohort.notes[-1] == (
        "of formats that can't be read, passed over: 1 .edf.gz, 1 .mff, 2 .set"
    )


def test_labels_are_renamed_where_they_are_and_somewhere_they_must_be(tmp_path: Path) -> None:
    odd = tuple("X1" if name == "Fp1-F3" else name for name in BIPOLAR_18)
    bids(tmp_path, ["sub-01_task-a_eeg.edf"], odd)
    bids(tmp_path, ["sub-02_task-a_eeg.edf"])
    cohort = load_cohort(tmp_path, reading=ReadingSettings(rename={"x1": "Fp1-F3"}))
    assert [entry.open().channels for entry in cohort] == [BIPOLAR_18, BIPOLAR_18]
    with pytest.raises(CohortError, match="no recording has a channel X2 to rename"):
        load_cohort(tmp_path, reading=ReadingSettings(rename={"X1": "Fp1-F3", "X2": "Cz"}))
    taken = load_cohort(tmp_path, reading=ReadingSettings(rename={"X1": "F3-C3"}))
    assert [problem.reason for problem in taken.problems] == [
        "a channel can't be renamed to 'F3-C3', which is there already"
    ]


def test_rows_that_are_no_seizures_are_named(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=1)
    tsv = next(folder.rglob("*_events.tsv"))
    row = tsv.read_text().splitlines()[1].replace("sz", "spell")
    tsv.write_text(tsv.read_text() + row + "\n")
    (entry,) = load_cohort(folder)
    assert len(entry.events) == 1
    assert "rows of other types are taken for no seizures: spell" in entry.notes


def test_a_table_without_a_row_is_noted(tmp_path: Path) -> None:
    """It may be one that nobody has filled in."""
    edf = write_edf(tmp_path / "c" / "p1.edf", eeg(10, [], 0), BIPOLAR_18)
    edf.with_name("p1_events.tsv").write_text("onset\tduration\teventType\n")
    (entry,) = load_cohort(tmp_path / "c")
    assert entry.notes == ("p1_events.tsv has no row: taken as without seizures",)
