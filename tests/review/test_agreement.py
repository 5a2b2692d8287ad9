"""How far machine and reviewers agree: counted over the tables in a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.errors import ReviewError
from secateur.events import Event, Events
from secateur.review.agreement import Agreement, agreement_in
from secateur.review.verdicts import MachineEvents, Review

MACHINE = MachineEvents(Events((Event(100, 60), Event(1000, 60), Event(2000, 60)), 21600.0))
KEYS = [f"m{event.onset:.2f}-{event.end:.2f}" for event in MACHINE.events]


def said(folder: Path, name: str, reviewer: str, *acts: Mapping[str, object]) -> Review:
    """A review after some acts."""
    folder.mkdir(parents=True, exist_ok=True)
    review = Review(folder / name, reviewer)
    for act in acts:
        review.act({"version": review.answer(MACHINE)["version"], **act}, MACHINE)
    return review


ACCEPTED = [{"act": "accept", "event": key} for key in KEYS]
MIXED: list[dict[str, object]] = [
    {"act": "accept", "event": KEYS[0]},
    {"act": "change", "event": KEYS[1], "onset": 990.0, "duration": 80.0},
    {"act": "reject", "event": KEYS[2]},
    {"act": "add", "onset": 5000.0, "duration": 40.0},
]


def test_a_recording_that_nobody_has_reviewed_is_open(tmp_path: Path) -> None:
    agreement = Agreement.of(Review(tmp_path / "a.edf").table(MACHINE))
    assert agreement.as_dict() == {
        "events": 3,
        "open": 3,
        "kept": 0,
        "moved": 0,
        "rejected": 0,
        "added": 0,
        "hours": 6.0,
        "complete": 0,
        "complete_hours": 0.0,
        "false_alarms_a_day": None,
    }


def test_false_alarms_are_counted_where_nothing_is_open(tmp_path: Path) -> None:
    reviewed = said(tmp_path, "a.edf", "", *MIXED).table(MACHINE)
    begun = said(tmp_path, "b.edf", "", {"act": "reject", "event": KEYS[0]}).table(MACHINE)
    both = Agreement.of(reviewed) + Agreement.of(begun)
    assert (both.events, both.open, both.kept, both.moved, both.rejected, both.added) == (
        6, 2, 1, 1, 2, 1,
    )  # fmt: skip
    assert both.seconds == 2 * 21600.0
    assert both.false_alarms_a_day == 4.0  # one in six hours; the other may be one of many


def test_reviewers_are_scored_against_each_other(tmp_path: Path) -> None:
    said(tmp_path / "sub-01", "a_eeg.edf", "AB", *MIXED)
    said(tmp_path / "sub-01", "a_eeg.edf", "CD", *ACCEPTED)
    said(tmp_path / "sub-02", "b_eeg.edf", "AB", *MIXED)
    said(tmp_path / "sub-02", "b_eeg.edf", "CD", ACCEPTED[0])
    said(tmp_path / "sub-02", "b_eeg.edf", "EF", ACCEPTED[0])
    agreement = agreement_in(tmp_path)
    assert list(agreement.by_reviewer) == ["AB", "CD", "EF"]
    assert agreement.by_reviewer["AB"].events == 6
    assert agreement.by_reviewer["CD"].open == 2
    (pair,) = agreement.pairs
    assert (pair.first, pair.second, pair.recordings) == ("AB", "CD", 1)
    score = pair.score.events
    assert (score.tp, score.fp, score.ref) == (2, 1, 3)


def test_a_table_that_cannot_be_read_is_a_problem_and_the_others_count(tmp_path: Path) -> None:
    said(tmp_path, "a.edf", "AB", *MIXED)
    (tmp_path / "b_desc-reviewedAB_events.tsv").write_text("onset\n")
    agreement = agreement_in(tmp_path)
    assert agreement.by_reviewer["AB"].recordings == 1
    assert "b_desc-reviewedAB_events.tsv: the column duration is missing" in agreement.problems[0]


def test_a_folder_without_reviewed_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="nobody has reviewed anything in it"):
        agreement_in(tmp_path)
    with pytest.raises(ReviewError, match="no such folder"):
        agreement_in(tmp_path / "no")


def test_agreement_on_the_command_line_needs_neither_recordings_nor_a_browser(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    said(tmp_path, "a.edf", "", *MIXED)
    said(tmp_path, "a.edf", "CD", *ACCEPTED)
    assert main(["review", str(tmp_path), "--agreement"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "(no initials) │ 1 │ 1 │ 3 │ 0 │ 1 │ 1 │ 1 │ 1 │ 6.00 │ 4.0" in output
    assert "-, CD │ 1 │ 3 │ 2 │ 1 │ 0.667 │ 0.667 │ 0.667" in output
    assert "Cohen's kappa is not defined for events" in output
    assert main(["review", str(tmp_path), "--agreement", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["reviewers"]["CD"]["kept"] == 3
    assert report["pairs"][0]["events"]["tp"] == 2
    assert main(["review", str(tmp_path / "no"), "--agreement"]) == 1
    assert "no such folder" in capsys.readouterr().err
