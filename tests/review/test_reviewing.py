"""Events of tables and of the detector under review: acts over the server, conflicts, tables of others."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from secateur.cli import main
from secateur.errors import EventsError, SettingsError
from secateur.events import Event, Events, read_tsv
from secateur.live.state import LOCK
from secateur.review.folder import RecordingsFolder
from secateur.review.session import ReviewSession
from tests.support.explained import packed
from tests.support.live_nights import alarms_in
from tests.support.review_pages import opened
from tests.support.written_networks import model


@pytest.fixture
def folder(tiny_cohort: Path, tmp_path: Path) -> Path:
    """One recording of a minute."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    shutil.copy(sorted(tiny_cohort.rglob("*.edf"))[0], folder / "night.edf")
    return folder


@pytest.fixture
def table(folder: Path) -> Path:
    """What another program called in it."""
    path = folder / "night_events.tsv"
    Events((Event(10, 5, confidence=0.8), Event(30, 12)), 60.0).write_tsv(path)
    return path


def address(client: TestClient) -> str:
    return f"/api/recordings/{client.get('/api/recordings').json()['recordings'][0]['id']}"


@pytest.fixture
def browser(folder: Path, table: Path) -> Iterator[TestClient]:
    with opened(ReviewSession(RecordingsFolder(folder), reviewer="ab")) as client:
        yield client


def act(client: TestClient, events: dict[str, Any], **words: Any) -> dict[str, Any]:
    response = client.post(f"{address(client)}/acts", json={"version": events["version"], **words})
    assert response.status_code == 200, response.json()
    answer: dict[str, Any] = response.json()
    assert answer["version"] != events["version"]
    return answer


def test_acts_are_kept_beside_the_recording_and_the_machines_table_stays(
    browser: TestClient, folder: Path, table: Path
) -> None:
    before = table.read_bytes()
    events = browser.get(f"{address(browser)}/events").json()
    assert [event["verdict"] for event in events["events"]] == ["open", "open"]
    first, second = (event["id"] for event in events["events"])
    events = act(browser, events, act="accept", event=first)
    events = act(browser, events, act="change", event=second, onset=29, duration=14)
    events = act(browser, events, act="add", onset=50, duration=3)
    events = act(browser, events, act="channels", event=first, channels=["F7-T3"])
    events = act(browser, events, act="undo")
    assert [event["verdict"] for event in events["events"]] == ["accepted", "changed", "added"]
    assert browser.get(f"{address(browser)}/events").json() == events
    assert table.read_bytes() == before
    assert (folder / "night_desc-reviewedAB_events.tsv").is_file()
    row = browser.get("/api/recordings").json()["recordings"][0]
    assert (row["events"], row["reviewed"]) == (3, 3)
    agreement = browser.get("/api/agreement").json()
    expected = {"events": 2, "kept": 1, "moved": 1, "rejected": 0, "added": 1, "open": 0}
    for part in (agreement, *agreement["recordings"]):
        assert {name: part[name] for name in expected} == expected
    assert agreement["recordings"][0]["name"] == "night.edf"


def test_another_window_that_was_faster_gets_a_conflict_with_what_is_there(
    browser: TestClient,
) -> None:
    seen = browser.get(f"{address(browser)}/events").json()
    first, second = (event["id"] for event in seen["events"])
    now = act(browser, seen, act="reject", event=first)
    late = browser.post(
        f"{address(browser)}/acts",
        json={"version": seen["version"], "act": "accept", "event": second},
    )
    assert late.status_code == 409
    assert late.json() == now
    changes = browser.get(f"{address(browser)}/changes?since={seen['version']}").json()
    assert changes["version"] == now["version"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"x"', b"\xff", b"{}", b'{"version": 1, "act": "drop"}']
)
def test_what_is_no_act_is_one_line(browser: TestClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = browser.post(f"{address(browser)}/acts", content=content, headers=headers)
    assert response.status_code == 400
    assert "\n" not in response.json()["error"]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (Events((Event(10, 5),), 3600.0), "another recording"),
        (Events((Event(100, 5),), 60.0), "after the end"),
    ],
)
def test_a_table_of_another_recording_is_one_line(
    folder: Path, table: Path, events: Events, reason: str
) -> None:
    table.write_text(events.tsv())
    with opened(ReviewSession(RecordingsFolder(folder))) as client:
        row = client.get("/api/recordings").json()["recordings"][0]
        assert reason in row["problem"]
        assert row["duration"] == 60
        response = client.get(f"{address(client)}/events")
        assert response.status_code == 400
        assert reason in response.json()["error"]
        assert str(folder) not in response.text
        assert client.get(f"{address(client)}/traces").status_code == 200


def test_tables_come_from_a_folder_of_their_own(folder: Path, table: Path, tmp_path: Path) -> None:
    tables = tmp_path / "marked"
    tables.mkdir()
    Events((Event(1, 2),), 60.0).write_tsv(tables / "night_events.tsv")
    with opened(ReviewSession(RecordingsFolder(folder), tables=tables)) as client:
        events = client.get(f"{address(client)}/events").json()["events"]
        assert [event["onset"] for event in events] == [1.0]


def test_the_table_of_one_recording_can_be_named(folder: Path, table: Path, tmp_path: Path) -> None:
    other = tmp_path / "theirs.tsv"
    Events((Event(1, 2),), 60.0).write_tsv(other)
    with opened(ReviewSession(RecordingsFolder(folder / "night.edf"), tables=other)) as client:
        events = client.get(f"{address(client)}/events").json()
        assert [event["onset"] for event in events["events"]] == [1.0]
        assert events["table"] == "theirs.tsv"
    shutil.copy(folder / "night.edf", folder / "day.edf")
    with pytest.raises(SettingsError, match=r"theirs\.tsv: is one table, .* several recordings"):
        ReviewSession(RecordingsFolder(folder), tables=other)
    with pytest.raises(SettingsError, match="is an EDF recording, wanted a folder of tables"):
        ReviewSession(RecordingsFolder(folder / "day.edf"), tables=folder / "night.edf")


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_what_live_writes_is_taken_as_it_grows(
    folder: Path, table: Path, tmp_path: Path, end: str
) -> None:
    night = tmp_path / "live"
    state = night / ".state" / "ward-7" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")  # no state of a bed whose source has ended
    (night / LOCK).touch()
    path = night / "events.tsv"
    Events((Event(1, 2), Event(15, 4)), 20.0).write_tsv(path)
    with opened(ReviewSession(RecordingsFolder(folder), tables=night)) as client:

        def onsets(version: int) -> tuple[int, list[float]]:
            answer = client.get(f"{address(client)}/changes?since={version}").json()
            assert answer["version"] != version
            events = client.get(f"{address(client)}/events").json()
            return answer["version"], [event["onset"] for event in events["events"]]

        # the second may still go on: its end is not known
        version, known = onsets(-1)
        assert known == [1.0]
        Events((Event(1, 2), Event(15, 10)), 40.0).write_tsv(path)
        version, known = onsets(version)
        assert known == [1.0, 15.0]
        seen = {"version": version, "act": "seen"}
        refused = client.post(f"{address(client)}/acts", json=seen)
        assert "live has not come to the end" in refused.json()["error"]
        Events((Event(1, 2), Event(15, 10), Event(55, 5)), 60.0).write_tsv(path)
        version = client.get(f"{address(client)}/events").json()["version"]
        row = client.get("/api/recordings").json()["recordings"][0]
        assert (row["events"], row["unfinished"]) == (2, "live")
        if end == "stopped":
            (night / LOCK).unlink()
        else:  # nobody saves the state each minute any more
            long_ago = time.time() - 600
            os.utime(state, (long_ago, long_ago))
        assert onsets(version)[1] == [1.0, 15.0, 55.0]
        events = client.get(f"{address(client)}/events").json()
        assert (events["table"], events["unfinished"]) == ("events.tsv", None)
        for event in events["events"]:
            events = act(client, events, act="accept", event=event["id"])
        assert act(client, events, act="seen")["seen"] is not None


def test_what_live_has_written_to_its_end_can_be_gone_through(folder: Path, tmp_path: Path) -> None:
    detector, night = tmp_path / "D.onnx", tmp_path / "live"
    chain: dict[str, Any] = {"montage": "bipolar-18", "channels": ()}
    detector.write_bytes(packed(model("valid"), 0.2, **chain))
    source = f"replay:{folder / 'night.edf'}@1000x"
    command = ["live", "--source", source, "--detector", str(detector), "--out", str(night)]
    assert main(command) == 0
    expected = read_tsv(night / "events.tsv")
    assert len(expected) > 0
    seen = [a for a in alarms_in(night / "alarms.jsonl") if a.kind in ("opened", "technical")]
    with opened(ReviewSession(RecordingsFolder(folder), tables=night, reviewer="AB")) as client:
        events = client.get(f"{address(client)}/events").json()
        assert [event["onset"] for event in events["events"]] == [e.onset for e in expected]
        alarms = client.get(f"{address(client)}/alarms").json()
        assert [(row["kind"], row["words"]) for row in alarms["alarms"]] == [
            (a.kind, a.words) for a in seen
        ]
        assert {row["kind"] for row in alarms["alarms"]} == {"opened", "technical"}
        assert alarms["damaged"] == alarms["left_out"] == 0
        for event in events["events"]:
            events = act(client, events, act="accept", event=event["id"])
        events = act(client, events, act="seen")
        assert events["seen"]["reviewer"] == "AB"


def test_a_table_that_is_a_link_out_of_the_folder_is_not_read(
    folder: Path, table: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.tsv"
    table.rename(outside)
    table.symlink_to(outside)
    with opened(ReviewSession(RecordingsFolder(folder))) as client:
        response = client.get(f"{address(client)}/events")
        assert response.status_code == 400
        assert "out of the folder" in response.json()["error"]


def test_settings_that_cannot_be_are_refused(folder: Path) -> None:
    with pytest.raises(EventsError, match="initials"):
        ReviewSession(RecordingsFolder(folder), reviewer="../x")
    with pytest.raises(SettingsError, match="no such folder"):
        ReviewSession(RecordingsFolder(folder), tables=folder / "nowhere")


def test_a_recording_without_events_is_complete_once_somebody_has_gone_through_it(
    folder: Path,
) -> None:
    Events((), 60.0).write_tsv(folder / "night_events.tsv")
    with opened(ReviewSession(RecordingsFolder(folder), reviewer="ab")) as client:
        row = client.get("/api/recordings").json()["recordings"][0]
        assert (row["events"], row["complete"]) == (0, False)
        events = act(client, client.get(f"{address(client)}/events").json(), act="seen")
        assert events["seen"]["reviewer"] == "AB"
        assert client.get("/api/recordings").json()["recordings"][0]["complete"] is True
        assert client.get("/api/agreement").json()["complete"] == 1
