"""Alarms of live detection beside a recording: read as they are appended, each bed's own, bounded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from secateur.events import Event, Events
from secateur.live.alarm import Alarm
from secateur.live.log import AlarmLog
from secateur.live.recorder import recording_name
from secateur.review import alarms as review_alarms
from secateur.review.alarms import AlarmReader, log_of
from secateur.review.folder import RecordingsFolder
from secateur.review.session import ReviewSession
from tests.support.review_pages import opened
from tests.support.reviewing import alarm

Json = dict[str, Any]


def write(folder: Path, *alarms: Alarm) -> None:
    log = AlarmLog(folder / "alarms.jsonl")
    for each in alarms:
        log.write(each)
    log.close()


def append(folder: Path, content: bytes) -> None:
    with (folder / "alarms.jsonl").open("ab") as file:
        file.write(content)


def line(each: Alarm) -> bytes:
    return each.model_dump_json().encode() + b"\n"


def reader(folder: Path, bed: str | None = None) -> AlarmReader:
    return AlarmReader(folder / "alarms.jsonl", bed, folder)


def words(answer: Json) -> list[str]:
    return [row["words"] for row in answer["alarms"]]


def test_openings_and_what_is_technical_are_told_by_time(tmp_path: Path) -> None:
    write(
        tmp_path,
        alarm(12, "silence"),
        alarm(10, "flat", channels=("Fp1", "O2")),
        alarm(14, kind="heartbeat"),
        alarm(16, kind="opened", onset=11.0),
        alarm(30, kind="closed", onset=11.0),
    )
    answer = reader(tmp_path).answer()
    expected = [(10, "technical", "flat"), (12, "technical", "silence"), (16, "opened", "")]
    rows = [(row["seconds"], row["kind"], row["trouble"]) for row in answer["alarms"]]
    assert rows == expected
    assert answer["alarms"][0]["channels"] == ["Fp1", "O2"]
    assert answer["alarms"][0]["words"] == "flat at 10 s"
    assert (answer["left_out"], answer["damaged"], answer["problem"]) == (0, 0, None)


def test_only_what_was_appended_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, alarm(1, "lag"))
    known = reader(tmp_path)
    assert words(known.answer()) == ["lag at 1 s"]
    lines: list[bytes] = []
    take = AlarmReader._take

    def noting(self: AlarmReader, line: bytes) -> None:
        lines.append(line)
        take(self, line)

    monkeypatch.setattr(AlarmReader, "_take", noting)
    version = known.version()
    new = line(alarm(2, "lost"))
    append(tmp_path, new[:20])
    assert known.version() == version, "half a line waits"
    append(tmp_path, new[20:])
    assert known.version() > version
    assert words(known.answer()) == ["lag at 1 s", "lost at 2 s"]
    assert lines == [new]


def test_a_damaged_line_is_passed_over_and_counted(tmp_path: Path) -> None:
    write(tmp_path, alarm(1, "lag"))
    known = reader(tmp_path)
    version = known.version()
    append(tmp_path, b'{"key": "x", \xff\n' + line(alarm(2, "lost")))
    assert known.version() > version
    append(tmp_path, b"x" * (1 << 16) + b"x\n" + line(alarm(3, "disk")))
    answer = known.answer()
    assert words(answer) == ["lag at 1 s", "lost at 2 s", "disk at 3 s"]
    assert answer["damaged"] == 2, "one that is no JSON, one that is too long"
    torn = line(alarm(4, "lost"))[:60] + line(alarm(5, kind="heartbeat"))
    append(tmp_path, torn + line(alarm(6, kind="heartbeat"))[:-9] + b"\n")
    assert known.answer()["damaged"] == 4, "two in one, and a heartbeat without its end"


def test_the_latest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_alarms, "MOST", 3)
    troubles = [alarm(second, "lost") for second in range(5)]
    write(tmp_path, alarm(0, kind="opened", onset=0.0), *troubles)
    answer = reader(tmp_path).answer()
    assert [row["seconds"] for row in answer["alarms"]] == [0, 2, 3, 4]
    assert answer["left_out"] == 2


def test_another_log_in_its_place_is_read_from_its_begin(tmp_path: Path) -> None:
    write(tmp_path, alarm(1, "lag"), alarm(2, "lost"))
    known = reader(tmp_path)
    version = known.version()
    (tmp_path / "new").mkdir()
    write(tmp_path / "new", alarm(5, "lag"))
    (tmp_path / "new" / "alarms.jsonl").replace(tmp_path / "alarms.jsonl")
    assert known.version() > version
    assert [row["seconds"] for row in known.answer()["alarms"]] == [5]
    (tmp_path / "alarms.jsonl").unlink()
    assert known.answer()["alarms"] == []


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    outside, night = tmp_path / "outside", tmp_path / "night"
    outside.mkdir()
    night.mkdir()
    write(outside, alarm(1, "lag"))
    (night / "alarms.jsonl").symlink_to(outside / "alarms.jsonl")
    known = reader(night)
    assert known.version() > 0
    answer = known.answer()
    assert answer["alarms"] == []
    assert answer["problem"] == "alarms.jsonl: is a link that leads out of the folder: not followed"


def test_words_do_not_tell_the_way_to_the_folder(tmp_path: Path) -> None:
    words = f"the table can't be written: '{tmp_path}/events.tsv'"
    write(tmp_path, alarm(1, "disk", words=words))
    assert reader(tmp_path).answer()["alarms"][0]["words"].endswith(": 'events.tsv'")


def test_beds_of_one_log_have_their_own(tiny_cohort: Path, tmp_path: Path) -> None:
    night, recordings = tmp_path / "live", tmp_path / "recordings"
    recordings.mkdir()
    source = sorted(tiny_cohort.rglob("*.edf"))[0]
    for bed in ("bed-1", "bed-2"):
        shutil.copy(source, recordings / f"{bed}.edf")
        (night / bed).mkdir(parents=True)
        Events((Event(1, 2),), 60.0).write_tsv(night / bed / "events.tsv")
    shutil.copy(source, recordings / "elsewhere.edf")
    write(night, alarm(1, "lag", bed="bed-1"), alarm(2, "lost", bed="bed-2"))
    with opened(ReviewSession(RecordingsFolder(recordings), tables=night)) as client:
        rows = client.get("/api/recordings").json()["recordings"]
        of = {row["name"]: client.get(f"/api/recordings/{row['id']}/alarms").json() for row in rows}
    assert words(of["bed-1.edf"]) == ["lag at 1 s"]
    assert words(of["bed-2.edf"]) == ["lost at 2 s"]
    assert of["elsewhere.edf"] == review_alarms.no_alarms()


@pytest.mark.parametrize("part", [".", "bed"], ids=["one bed", "several"])
def test_a_night_that_live_recorded_has_its_alarms(
    tiny_cohort: Path, tmp_path: Path, part: str
) -> None:
    state = tmp_path / ".state" / "bed" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    folder = tmp_path / part
    folder.mkdir(exist_ok=True)
    shutil.copy(sorted(tiny_cohort.rglob("*.edf"))[0], folder / recording_name("bed"))
    Events((Event(1, 2),), 60.0).write_tsv(folder / "events.tsv")
    write(tmp_path, alarm(1, "lag"))
    with opened(ReviewSession(RecordingsFolder(tmp_path))) as client:
        id = client.get("/api/recordings").json()["recordings"][0]["id"]
        assert words(client.get(f"/api/recordings/{id}/alarms").json()) == ["lag at 1 s"]


@pytest.mark.parametrize("looked_at", ["tables", "recording", "recordings", "itself", "here"])
def test_one_bed_of_a_ward_has_its_alarms_where_its_folder_alone_is_looked_at(
    tiny_cohort: Path, tmp_path: Path, looked_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward, recordings = tmp_path / "live", tmp_path / "recordings"
    recordings.mkdir()
    source = sorted(tiny_cohort.rglob("*.edf"))[0]
    for bed in ("bed-1", "bed-2"):
        (ward / ".state" / bed).mkdir(parents=True)
        (ward / ".state" / bed / "state.json").write_text("{}")
        (ward / bed).mkdir()
        Events((Event(1, 2),), 60.0).write_tsv(ward / bed / "events.tsv")
        shutil.copy(source, ward / bed / recording_name(bed))
        shutil.copy(source, recordings / f"{bed}.edf")
    disk = f"can't be written: '{ward}/bed-1/x'"
    write(ward, alarm(1, "lag", bed="bed-1", words=disk), alarm(2, "lost", bed="bed-2"))
    monkeypatch.chdir(ward / "bed-1")
    folder, tables = {
        "tables": (recordings / "bed-1.edf", ward / "bed-1"),
        "recordings": (recordings, ward / "bed-1"),
        "recording": (ward / "bed-1" / recording_name("bed-1"), None),
        "itself": (ward / "bed-1", None),
        "here": (Path(), None),
    }[looked_at]
    with opened(ReviewSession(RecordingsFolder(folder), tables=tables)) as client:
        id = client.get("/api/recordings").json()["recordings"][0]["id"]
        events = client.get(f"/api/recordings/{id}/events").json()
        assert (events["source"], len(events["events"])) == ("file", 1)
        answer = client.get(f"/api/recordings/{id}/alarms").json()
        assert words(answer) == ["can't be written: 'bed-1/x'"]


def test_a_log_above_the_folder_of_tables_is_not_looked_for(tmp_path: Path) -> None:
    bed = tmp_path / "bed-1"
    bed.mkdir()
    write(tmp_path, alarm(1, "lag"))
    assert log_of(bed / "events.tsv", bed) is None
    assert log_of(bed / "events.tsv", tmp_path) is not None


def test_whoever_waits_for_changes_hears_of_an_alarm(tiny_cohort: Path, tmp_path: Path) -> None:
    night, recordings = tmp_path / "live", tmp_path / "recordings"
    night.mkdir()
    recordings.mkdir()
    shutil.copy(sorted(tiny_cohort.rglob("*.edf"))[0], recordings / "night.edf")
    Events((Event(1, 2),), 60.0).write_tsv(night / "events.tsv")
    with opened(ReviewSession(RecordingsFolder(recordings), tables=night)) as client:
        id = client.get("/api/recordings").json()["recordings"][0]["id"]
        address = f"/api/recordings/{id}"
        ask: Callable[[str], Json] = lambda path: client.get(f"{address}/{path}").json()  # noqa: E731
        events = ask("events")
        assert ask("alarms")["alarms"] == []
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(ask, f"changes?since={events['version']}&alarms=0")
            write(night, alarm(7, "silence"))
            news = waiting.result(timeout=15)
        assert news["version"] == events["version"], "an act is not refused because of an alarm"
        answer = ask("alarms")
        assert news["alarms"] == answer["version"] > 0
        assert words(answer) == ["silence at 7 s"]
        assert ask("changes?since=-1&alarms=0")["alarms"] == answer["version"]
