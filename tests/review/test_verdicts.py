"""What a person says of events: acts, what undoes them, and the table that keeps them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateur.errors import EventsError, ReviewError, SettingsError
from secateur.events import Event, Events, read_tsv
from secateur.files import write_whole
from secateur.review.acts import UNFINISHED, Act, Signature, step_of, with_machine
from secateur.review.verdicts import ConflictError, MachineEvents, Review
from secateur.reviewed import ReviewedTable, read_reviewed, reviewed_path, reviewed_tables

CHANNELS = ("Fp1", "F3", "C3")
START = datetime(2026, 11, 6, 13, 43, 4)
EVENTS = Events(
    (Event(10, 20, "sz", 0.91), Event(100, 30.5, "sz_foc", 0.5), Event(400, 10, "sz", 0.7)),
    600.0,
    START,
)
MACHINE = MachineEvents(EVENTS)
KEYS = ("m10.00-30.00", "m100.00-130.50", "m400.00-410.00")


def at() -> datetime:
    return datetime(2026, 11, 28, 15, 4, 5, tzinfo=UTC)


def review(folder: Path, reviewer: str = "", channels: tuple[str, ...] = CHANNELS) -> Review:
    return Review(folder / "night_eeg.edf", reviewer, channels, now=at)


class Page:
    """A window that acts on the events that it saw last."""

    def __init__(self, own: Review, machine: MachineEvents = MACHINE) -> None:
        self.review, self.machine = own, machine
        self.answer: dict[str, Any] = own.answer(machine)

    def act(self, act: str, **more: Any) -> dict[str, Any]:
        request = {"version": self.answer["version"], "act": act, **more}
        self.answer = self.review.act(request, self.machine)
        return self.answer

    def verdicts(self) -> list[str]:
        return [row["verdict"] for row in self.answer["events"]]


def test_nothing_is_written_before_somebody_has_said_something(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    assert page.verdicts() == ["open"] * 3
    assert [row["id"] for row in page.answer["events"]] == list(KEYS)
    assert page.answer["events"][1]["machine"] == {"onset": 100.0, "duration": 30.5}
    assert page.answer["seen"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_table_holds_what_was_said_and_what_the_machine_had_said(tmp_path: Path) -> None:
    page = Page(review(tmp_path, "ab"))
    page.act("accept", event=KEYS[0])
    page.act("change", event=KEYS[1], onset=95.5, duration=40)
    page.act("reject", event=KEYS[2])
    page.act("add", onset=200.123, duration=7)
    page.act("comment", event=KEYS[0], comment="clear, left temporal")
    page.act("channels", event=KEYS[0], channels=["C3", "Fp1"])
    path = tmp_path / "night_desc-reviewedAB_events.tsv"
    head, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    table = [dict(zip(head, row, strict=True)) for row in rows]
    assert head[:7] == ["onset", "duration", "eventType", "confidence", "channels", "dateTime",
                        "recordingDuration"]  # fmt: skip
    assert [row["eventType"] for row in table] == ["sz", "sz_foc", "sz", "bckg"]
    assert [row["verdict"] for row in table] == ["accepted", "changed", "added", "rejected"]
    assert {row["reviewer"] for row in table} == {"AB"}
    assert {row["reviewed"] for row in table} == {"2026-11-28T15:04:05Z"}
    assert table[0]["comment"] == "clear, left temporal"
    assert table[0]["channels"] == "Fp1,C3"
    assert table[1]["channels"] == "all"
    assert (table[1]["onset"], table[1]["duration"]) == ("95.50", "40.00")
    assert (table[1]["machineOnset"], table[1]["machineDuration"]) == ("100.00", "30.50")
    assert table[2]["machineOnset"] == "n/a"
    assert table[2]["onset"] == "200.12"


def test_rejected_events_are_no_seizures(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    page.act("change", event=KEYS[1], onset=95.5, duration=40)
    page.act("reject", event=KEYS[2])
    page.act("add", onset=200, duration=7)
    events = read_tsv(page.review.path, 600.0)
    assert [(event.onset, event.end) for event in events] == [(10, 30), (95.5, 135.5), (200, 207)]
    assert events == read_reviewed(page.review.path).seizures


def test_a_table_with_an_open_event_says_nothing_yet(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    with pytest.raises(EventsError, match="2 of 3 rows are open"):
        read_tsv(page.review.path)
    with pytest.raises(EventsError, match="open"):
        _ = read_reviewed(page.review.path).seizures


@pytest.mark.parametrize(
    ("verdict", "kind"), [("rejected", "sz"), ("accepted", "bckg"), ("perhaps", "sz")]
)
def test_a_table_that_contradicts_itself_is_refused(
    tmp_path: Path, verdict: str, kind: str
) -> None:
    page = Page(review(tmp_path))
    for key in KEYS:
        page.act("accept", event=key)
    path = page.review.path
    lines = path.read_text().splitlines()
    cells = lines[1].split("\t")
    cells[2], cells[8] = kind, verdict
    path.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]))
    for reader in (read_tsv, read_reviewed):
        with pytest.raises(EventsError, match=f"line 2: verdict is '?{verdict}"):
            reader(path)


def test_the_machines_table_and_the_recording_are_never_touched(tmp_path: Path) -> None:
    recording, own = tmp_path / "night_eeg.edf", tmp_path / "night_events.tsv"
    recording.write_bytes(b"EEG")
    EVENTS.write_tsv(own)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (recording, own)}
    page = Page(review(tmp_path), MachineEvents(read_tsv(own)))
    page.act("reject", event=KEYS[0])
    page.act("change", event=KEYS[1], onset=1, duration=2)
    page.act("undo")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_taking_back_a_rejection_brings_the_machines_type_back(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("reject", event=KEYS[1])
    fresh = Page(review(tmp_path))
    fresh.act("accept", event=KEYS[1])
    assert read_reviewed(fresh.review.path).events[1].event.kind == "sz_foc"


def test_accepting_keeps_what_was_changed_and_moving_back_is_accepting(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("change", event=KEYS[0], onset=12, duration=18)
    before = page.answer
    assert page.act("accept", event=KEYS[0]) == before
    page.act("reject", event=KEYS[0])
    page.act("accept", event=KEYS[0])
    assert page.answer["events"][0]["verdict"] == "changed"
    page.act("change", event=KEYS[0], onset=10, duration=20)
    assert page.answer["events"][0]["verdict"] == "accepted"


def test_rejecting_what_a_person_added_takes_it_away(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("add", onset=200, duration=7)
    page.act("reject", event="a1")
    assert page.verdicts() == ["open"] * 3
    page.act("undo")
    assert page.verdicts() == ["open", "open", "added", "open"]


def test_undo_and_redo_survive_another_process(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    page.act("reject", event=KEYS[1])
    fresh = Page(review(tmp_path))
    assert fresh.answer == page.answer
    fresh.act("undo")
    assert fresh.verdicts() == ["accepted", "open", "open"]
    Page(review(tmp_path)).act("undo")
    fresh = Page(review(tmp_path))
    assert fresh.verdicts() == ["open"] * 3
    assert fresh.act("undo") == fresh.act("undo")
    fresh.act("redo")
    fresh = Page(review(tmp_path))
    fresh.act("redo")
    assert fresh.answer == page.answer
    fresh.act("undo")
    fresh.act("accept", event=KEYS[2])
    assert fresh.act("redo")["events"][1]["verdict"] == "open"


def test_a_second_window_is_told_that_the_first_has_acted(tmp_path: Path) -> None:
    first, second = Page(review(tmp_path)), Page(review(tmp_path))
    first.act("accept", event=KEYS[0])
    with pytest.raises(ConflictError) as caught:
        second.act("reject", event=KEYS[0])
    assert caught.value.answer == first.answer
    second.answer = caught.value.answer
    second.act("reject", event=KEYS[1])
    assert second.verdicts() == ["accepted", "rejected", "open"]


def test_two_reviewers_have_a_table_each(tmp_path: Path) -> None:
    one, two = Page(review(tmp_path, "AB")), Page(review(tmp_path, "cd"))
    one.act("accept", event=KEYS[0])
    two.act("reject", event=KEYS[0])
    assert one.review.answer(MACHINE)["events"][0]["verdict"] == "accepted"
    assert one.review.answer(MACHINE)["others"] == [{"reviewer": "CD", "events": 3}]
    assert list(reviewed_tables(tmp_path / "night_eeg.edf")) == ["AB", "CD"]


def test_anothers_table_that_cannot_be_read_is_no_reason_to_stop(tmp_path: Path) -> None:
    reviewed_path(tmp_path / "night_eeg.edf", "XY").write_bytes(b"\xff\xfe\x00")
    assert review(tmp_path).answer(MACHINE)["others"] == [{"reviewer": "XY", "events": None}]


@pytest.mark.parametrize("reviewer", ["A/B", "..", "ABCDEFGHI", "a b", "Ä", "=1", "A\n"])
def test_initials_that_no_name_of_a_file_may_hold_are_refused(
    tmp_path: Path, reviewer: str
) -> None:
    with pytest.raises(EventsError, match="initials are up to 8 letters"):
        review(tmp_path, reviewer)


@pytest.mark.parametrize(
    ("comment", "kept"),
    [
        ("spike\tand\nwave\r\n", "spike and wave"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("+49", "+49"),
        ("-", "-"),
        ("@x", "@x"),
        ('say "no"', "say 'no'"),
        ("Krampf, später größer 発作", "Krampf, später größer 発作"),
        ("\u202eevil\x1b[2J", "evil [2J"),
        ("'=1", "=1"),
    ],
)
def test_a_comment_is_one_harmless_cell(tmp_path: Path, comment: str, kept: str) -> None:
    page = Page(review(tmp_path))
    page.act("comment", event=KEYS[0], comment=comment)
    assert page.answer["events"][0]["comment"] == kept
    assert page.verdicts() == ["open"] * 3
    assert Page(review(tmp_path)).answer == page.answer
    cell = page.review.path.read_text(encoding="utf-8").split("\n")[1].split("\t")[11]
    assert cell[:1] not in ("=", "+", "-", "@")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"act": "accept", "event": "m1"}, "there is no event 'm1'"),
        ({"act": "accept"}, "there is no event"),
        ({"act": "change", "event": KEYS[0]}, "needs onset and duration"),
        ({"act": "add", "onset": -1, "duration": 5}, "lies between 0 and 600 s"),
        ({"act": "add", "onset": 598, "duration": 5}, "lies between 0 and 600 s"),
        ({"act": "add", "onset": 5, "duration": 0}, "lasts 0.01 s or more"),
        ({"act": "add", "onset": 1e308, "duration": 1e308}, "lies between 0 and 600 s"),
        ({"act": "channels", "event": KEYS[0], "channels": ["O1"]}, "no channel 'O1'"),
        ({"act": "comment", "event": KEYS[0]}, "a comment is a text"),
        ({"act": "seen"}, "3 events are still open"),
        ({"act": "comment", "event": KEYS[0], "comment": "x" * 501}, "500"),
        ({"act": "comment", "event": KEYS[0], "comment": "\ud800"}, "unicode"),
        ({"act": "delete"}, "act"),
        ({"act": "add", "onset": float("nan"), "duration": 5}, "finite"),
        ({"act": "accept", "event": KEYS[0], "path": "/etc"}, "path is no setting"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    tmp_path: Path, request_: dict[str, Any], reason: str
) -> None:
    page = Page(review(tmp_path))
    with pytest.raises((ReviewError, SettingsError), match=reason):
        page.act(**request_)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        target = tmp_path / "file"
        target.write_text("no folder")
    else:
        target = tmp_path
        tmp_path.chmod(0o500)
    with pytest.raises(ReviewError, match="can't be kept there"):
        Page(review(target)).act("accept", event=KEYS[0])


def test_a_table_of_another_recording_is_refused(tmp_path: Path) -> None:
    Page(review(tmp_path)).act("accept", event=KEYS[0])
    other = MachineEvents(Events((), 900.0))
    with pytest.raises(EventsError, match="of a recording of 600 s, this one lasts 900 s"):
        review(tmp_path).answer(other)


def test_a_link_in_the_tables_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root:x:0:0\n")
    page = Page(review(tmp_path))
    page.review.path.symlink_to(tmp_path / "secret")
    with pytest.raises(ReviewError, match="is a link") as caught:
        page.act("accept", event=KEYS[0])
    assert "x:0:0" not in str(caught.value)
    assert (tmp_path / "secret").read_text() == "root:x:0:0\n"


def test_two_recordings_with_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "night.bdf").write_bytes(b"")
    with pytest.raises(ReviewError, match=r"night\.bdf would have the same reviewed table"):
        review(tmp_path)


def test_a_new_event_of_the_machine_is_open_and_one_that_went_stays_if_judged(
    tmp_path: Path,
) -> None:
    page = Page(review(tmp_path))
    page.act("reject", event=KEYS[0])
    page.act("comment", event=KEYS[1], comment="?")
    later = replace(EVENTS, events=(Event(500, 20, "sz", 0.6),))
    fresh = Page(review(tmp_path), MachineEvents(later))
    assert [(row["id"], row["verdict"]) for row in fresh.answer["events"]] == [
        (KEYS[0], "rejected"),
        (KEYS[1], "open"),
        ("m500.00-520.00", "open"),
    ]


def test_a_recording_without_events_is_reviewed_once_somebody_says_so(tmp_path: Path) -> None:
    silent = MachineEvents(Events((), 600.0))
    page = Page(review(tmp_path, "AB"), silent)
    page.act("add", onset=5, duration=5)
    page.act("undo")
    with pytest.raises(EventsError, match="1 of 1 rows are open"):
        read_tsv(page.review.path)
    page.act("seen")
    assert page.answer["seen"] == {"reviewer": "AB", "time": "2026-11-28T15:04:05Z"}
    assert read_tsv(page.review.path) == Events((), 600.0, read_tsv(page.review.path).start)
    assert read_reviewed(page.review.path).is_complete
    page.act("undo")
    assert page.answer["seen"] is None


def test_what_the_machine_has_not_come_to_is_open(tmp_path: Path) -> None:
    begun = MachineEvents(Events((Event(10, 20),), 300.0), "ours", "detection")
    page = Page(review(tmp_path), begun)
    page.act("accept", event=KEYS[0])
    with pytest.raises(EventsError, match="1 of 2 rows are open"):
        read_tsv(page.review.path)
    with pytest.raises(ReviewError, match="not come to the end"):
        page.act("seen")
    ended = Page(review(tmp_path), MachineEvents(Events((Event(10, 20),), 600.0), "ours"))
    assert ended.verdicts() == ["accepted"]
    ended.act("seen")
    assert read_reviewed(ended.review.path).is_complete


def test_events_that_nobody_judged_stay_until_the_machine_has_come_to_the_end(
    tmp_path: Path,
) -> None:
    Page(review(tmp_path)).act("accept", event=KEYS[0])
    at_work = MachineEvents(Events((), 600.0, START), "ours", "detection")
    page = Page(review(tmp_path), at_work)
    assert page.verdicts() == ["accepted", "open", "open"]
    page.act("reject", event=KEYS[1])
    page.act("undo")
    assert page.verdicts() == ["accepted", "open", "open"]
    # it has come to one of them, which ends elsewhere now
    further = MachineEvents(Events((Event(100, 25),), 600.0, START), "ours", "detection")
    fresh = Page(review(tmp_path), further)
    assert [row["id"] for row in fresh.answer["events"]] == [KEYS[0], "m100.00-125.00", KEYS[2]]
    ended = Page(review(tmp_path), replace(further, unfinished=""))
    assert [row["id"] for row in ended.answer["events"]] == [KEYS[0], "m100.00-125.00"]


def test_an_open_event_is_one(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    with pytest.raises(ReviewError, match=r"2 events are still open; .* them"):
        page.act("seen")
    page.act("accept", event=KEYS[1])
    with pytest.raises(ReviewError, match=r"1 event is still open; .* it first"):
        page.act("seen")


@pytest.mark.parametrize("unfinished", UNFINISHED)
def test_what_goes_on_cannot_have_been_gone_through(tmp_path: Path, unfinished: str) -> None:
    page = Page(review(tmp_path), MachineEvents(Events((), 600.0, START), "file", unfinished))
    with pytest.raises(ReviewError, match="wait until"):
        page.act("seen")


def test_somebody_may_edit_the_table_and_loses_nothing_but_undo(tmp_path: Path) -> None:
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    page.act("accept", event=KEYS[1])
    path = page.review.path
    path.write_text(path.read_text().replace("20.00\tsz\t0.91", "21.00\tsz\t0.91", 1))
    fresh = Page(review(tmp_path))
    assert fresh.answer["events"][0]["duration"] == 21.0
    assert fresh.verdicts() == ["accepted", "accepted", "open"]
    assert fresh.act("undo") == fresh.answer
    fresh.act("reject", event=KEYS[2])
    fresh.act("undo")
    assert fresh.verdicts() == ["accepted", "accepted", "open"]


def test_a_thousand_events_are_answered_while_one_waits(tmp_path: Path) -> None:
    events = tuple(Event(20.0 * k, 7.3, "sz", 0.7) for k in range(1000))
    machine = MachineEvents(Events(events, 86400.0))
    page = Page(review(tmp_path), machine)
    for row in page.answer["events"][:3]:
        page.act("accept", event=row["id"])
    began = time.process_time()
    page.act("reject", event=page.answer["events"][500]["id"])
    assert time.process_time() - began < 1.0  # 0.06 s; a square in it would be seconds


@pytest.mark.parametrize("damage", [b"", b"{}", b"{", b'{"steps": 5}', b"\xff" * 100])
def test_a_damaged_history_costs_nothing_but_undo(tmp_path: Path, damage: bytes) -> None:
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    next(tmp_path.glob(".*.json")).write_bytes(damage)
    fresh = Page(review(tmp_path))
    assert fresh.answer == page.answer
    assert fresh.act("undo") == page.answer


def test_an_act_that_was_cut_off_before_the_table_was_written_did_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the history and the table: the acts before can be undone, the one itself done again."""
    page = Page(review(tmp_path))
    page.act("accept", event=KEYS[0])
    before = page.answer

    def killed(path: Path, content: bytes, *, durable: bool = True) -> None:
        if path.suffix == ".tsv":
            raise KeyboardInterrupt
        write_whole(path, content, durable=durable)

    for act, more in (("reject", {"event": KEYS[1]}), ("undo", {})):
        with monkeypatch.context() as patched:
            patched.setattr("secateur.review.verdicts.write_whole", killed)
            with pytest.raises(KeyboardInterrupt):
                page.act(act, **more)
        page = Page(review(tmp_path))
        assert page.answer == before
    page.act("undo")
    assert page.verdicts() == ["open"] * 3
    page.act("redo")
    assert page.answer == before


def test_no_act_is_lost_when_two_processes_and_a_kill_meet(tmp_path: Path) -> None:
    """Two servers of one reviewer add events until they are killed; each that was answered is there."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from secateur.events import Events
        from secateur.review.verdicts import ConflictError, MachineEvents, Review
        machine = MachineEvents(Events((), 1e6))
        own = Review(Path(sys.argv[1]) / "night.edf", "AB")
        answer, number = own.answer(machine), 0
        while number < 150:
            try:
                onset = number * 10 + int(sys.argv[2])
                request = {"version": answer["version"], "act": "add", "onset": onset, "duration": 1}
                answer = own.act(request, machine)
                print(onset, flush=True)
                number += 1
            except ConflictError as error:
                answer = error.answer
    """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(which)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for which in (0, 5)
    ]
    answered: list[float] = []
    for process in processes:
        assert process.stdout is not None
        answered += [float(process.stdout.readline()) for _ in range(3)]
    for process in processes:
        process.kill()
        assert process.stdout is not None
        answered += [float(line) for line in process.stdout.read().splitlines() if line]
        process.wait()
        process.stdout.close()
    table = read_reviewed(tmp_path / "night_desc-reviewedAB_events.tsv")
    assert {row.onset for row in table.events} >= set(answered)
    Review(tmp_path / "night.edf", "AB").answer(MachineEvents(Events((), 1e6)))


TIMES = st.floats(0, 590).map(lambda value: round(value, 3))
ACTS = st.one_of(
    st.tuples(st.sampled_from(["accept", "reject"]), st.integers(0, 5)),
    st.tuples(st.just("change"), st.integers(0, 5), TIMES, st.floats(0.01, 10)),
    st.tuples(st.just("add"), st.just(0), TIMES, st.floats(0.01, 10)),
    st.tuples(st.just("comment"), st.integers(0, 5), st.text(max_size=20)),
    st.tuples(st.sampled_from(["undo", "redo", "reload"]), st.just(0)),
)


def _request(act: tuple[Any, ...], rows: list[dict[str, Any]]) -> dict[str, Any]:
    request = {"act": act[0], "event": rows[act[1] % len(rows)]["id"]}
    if act[0] in ("change", "add"):
        request |= {"onset": act[2], "duration": act[3]}
    if act[0] == "comment":
        request["comment"] = act[2]
    return request


@settings(max_examples=30)
@given(st.lists(ACTS, max_size=12))
def test_any_acts_and_undos_leave_the_state_of_the_acts_not_undone(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[Any, ...]]
) -> None:
    """A plain stack says which acts stand; done anew on the machine's events, they give the table."""
    page = Page(review(tmp_path_factory.mktemp("acts")))
    done: list[dict[str, Any]] = []
    undone: list[dict[str, Any]] = []
    for act in acts:
        if act[0] == "reload":
            page = Page(review(page.review.recording.parent))
        elif act[0] == "undo":
            page.act("undo")
            undone += [done.pop()] if done else []
        elif act[0] == "redo":
            page.act("redo")
            done += [undone.pop()] if undone else []
        else:
            request, before = _request(act, page.answer["events"]), page.answer["version"]
            page.act(**request)
            if page.answer["version"] != before:
                done, undone = [*done, request], []
    table: ReviewedTable = with_machine(None, EVENTS, complete=True)
    by = Signature("", "2026-11-28T15:04:05Z")
    for request in done:
        step = step_of(Act.model_validate({"version": 0, **request}), table, by, CHANNELS)
        assert step is not None
        table = step.done(table)
    assert page.answer["events"] == [row.as_dict() for row in table.events]
    if page.review.path.exists():
        assert page.review.path.read_text(encoding="utf-8") == table.tsv()
