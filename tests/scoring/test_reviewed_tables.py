"""Scoring by what a person said: whose tables count, what is left out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.errors import EventsError, ScoringError
from secateur.events import Event, Events
from secateur.reviewed import ReviewedEvent, ReviewedTable, reviewed_path
from secateur.scoring import ReviewChoice, compare_all, pair_files

HOUR = 3600.0
MACHINE = Events((Event(100, 60), Event(1000, 60), Event(2000, 60)), HOUR)


def write_reviewed(recording: Path, verdicts: str, reviewer: str = "") -> Path:
    """A reviewed table of `MACHINE`: a letter for each event's verdict, and one more event for another."""
    names = {"o": "open", "a": "accepted", "r": "rejected", "+": "added"}
    rows = []
    for number, letter in enumerate(verdicts):
        event = MACHINE.events[number] if number < len(MACHINE) else Event(3000, 30)
        machine = None if letter == "+" else event
        rows.append(ReviewedEvent(str(number), event.onset, event.duration, names[letter], machine))
    path = reviewed_path(recording, reviewer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ReviewedTable(tuple(rows), HOUR).tsv())
    return path


def counts(reference: Path, hypothesis: Path, choice: ReviewChoice) -> tuple[int, int, int]:
    score = compare_all(pair_files(reference, hypothesis, choice).pairs.values()).events
    return score.tp, score.fp, score.ref


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings with the machine's tables; two people reviewed `a`, one `b`, and not to the end."""
    for name in "ab":
        MACHINE.write_tsv(tmp_path / f"{name}_events.tsv")
    write_reviewed(tmp_path / "a.edf", "ara+", "AB")
    write_reviewed(tmp_path / "a.edf", "aaa", "CD")
    write_reviewed(tmp_path / "b.edf", "aao", "AB")
    return tmp_path


def test_a_reviewed_file_is_a_reference_and_a_hypothesis(tmp_path: Path) -> None:
    MACHINE.write_tsv(tmp_path / "a_events.tsv")
    reviewed = write_reviewed(tmp_path / "a.edf", "ara+")
    renamed = reviewed.rename(tmp_path / "final.tsv")
    machine = tmp_path / "a_events.tsv"
    assert counts(machine, renamed, ReviewChoice()) == (2, 1, 3)
    assert counts(renamed, machine, ReviewChoice()) == (2, 1, 3)


def test_the_machine_is_scored_by_what_a_person_said_of_it(folder: Path) -> None:
    choice = ReviewChoice("reference", "AB")
    assert counts(folder, folder, choice) == (2, 1, 3)
    assert counts(folder, folder, ReviewChoice("hypothesis", "ab")) == (2, 1, 3)
    paired = pair_files(folder, folder, choice)
    assert paired.left_out == {"b": "1 of its rows are open"}
    assert paired.notes == ()


def test_a_recording_that_the_chosen_one_has_not_reviewed_is_left_out(folder: Path) -> None:
    for side in ("reference", "hypothesis", "both"):
        paired = pair_files(folder, folder, ReviewChoice(side, "CD"))
        assert list(paired.pairs) == ["a"]
        assert paired.left_out == {"b": "reviewed by AB alone"}
    (folder / "b_desc-reviewedAB_events.tsv").unlink()
    paired = pair_files(folder, folder, ReviewChoice("reference", "CD"))
    assert paired.left_out == {"b": "not reviewed"}


def test_where_several_have_reviewed_one_must_be_chosen(folder: Path) -> None:
    with pytest.raises(ScoringError, match=r"a: reviewed by AB and CD: choose one with --reviewer"):
        pair_files(folder, folder, ReviewChoice("reference"))


def test_nothing_is_scored_where_nobody_has_come_to_the_end(folder: Path) -> None:
    with pytest.raises(ScoringError, match="none of 2 recordings can be scored; the first, a: rev"):
        pair_files(folder, folder, ReviewChoice("reference", "XY"))


def test_without_a_choice_tables_are_what_they_were_and_a_note_says_so(folder: Path) -> None:
    paired = pair_files(folder, folder)
    assert counts(folder, folder, ReviewChoice()) == (6, 0, 6)
    assert len(paired.notes) == 2
    assert "2 recordings have reviewed tables, passed over" in paired.notes[0]
    with pytest.raises(ScoringError, match="no reviewed tables count; say for which folder"):
        pair_files(folder, folder, ReviewChoice(None, "AB"))


def test_a_folder_of_reviewed_tables_alone_needs_no_choice(tmp_path: Path) -> None:
    for name in ("sub-01/a", "sub-02/b"):
        write_reviewed(tmp_path / "reviewed" / f"{name}_eeg.edf", "ara")
        (tmp_path / "machine").mkdir(exist_ok=True)
        MACHINE.write_tsv(tmp_path / "machine" / f"{Path(name).name}_events.tsv")
    assert counts(tmp_path / "reviewed", tmp_path / "machine", ReviewChoice()) == (4, 2, 4)
    MACHINE.write_tsv(tmp_path / "machine" / "c_events.tsv")
    paired = pair_files(tmp_path / "reviewed", tmp_path / "machine")
    assert paired.left_out == {"c": "not reviewed"}


def test_one_of_two_files_that_is_not_reviewed_to_the_end_is_refused(folder: Path) -> None:
    with pytest.raises(EventsError, match="1 of 3 rows are open"):
        pair_files(folder / "b_desc-reviewedAB_events.tsv", folder / "b_events.tsv")


def test_one_reviewer_scored_against_another_on_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["score", str(folder), str(folder), "--reviewed", "reference", "--reviewer", "AB"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["left_out"] == {"b": "1 of its rows are open"}
    assert report["events"]["fp"] == 1
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "left out: b: 1 of its rows are open" in output
    assert main(["score", str(folder), str(folder)]) == 0
    assert "--reviewed reference counts them" in capsys.readouterr().out
