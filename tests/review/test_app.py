"""What the page asks for and gets, over real EDF files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from secateur.detectors import load_detector
from secateur.events import Event
from secateur.explaining import explain_events
from secateur.recordings import open_recording
from secateur.review.folder import RecordingsFolder
from secateur.review.session import ReviewSession
from tests.support.cohorts import PATIENT, write_edf
from tests.support.explained import packed as packed_detector
from tests.support.review_pages import opened, page_from
from tests.support.written_networks import model


@pytest.fixture(scope="module")
def folder(tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of a minute: with events, without, one that is none, and a link out of the folder."""
    folder = tmp_path_factory.mktemp("review") / "recordings"
    paths = sorted(tiny_cohort.rglob("*.edf"))
    for number, path in enumerate(paths[:3]):
        shutil.copytree(path.parent, folder / f"bed-{number}")
    for tsv in (folder / "bed-1").glob("*.tsv"):
        tsv.unlink()
    (folder / "broken.edf").write_bytes(b"0       nothing of a recording")
    outside = folder.parent / "outside.edf"
    shutil.copy(paths[3], outside)
    (folder / "link.edf").symlink_to(outside)
    return folder


@pytest.fixture(scope="module")
def detector(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that nobody trained, whose threshold some windows of bed 1 exceed."""
    content = model("valid")
    chain: dict[str, Any] = {"montage": "bipolar-18", "channels": ()}
    probe = packed_detector(content, **chain)
    path = tmp_path_factory.mktemp("detector") / "D.onnx"
    path.write_bytes(probe)
    recording = open_recording(path_of(folder, "bed-1"))
    known = load_detector(path).window_probabilities(recording)
    path.write_bytes(packed_detector(content, float(np.quantile(known.probability, 0.6)), **chain))
    return path


@pytest.fixture(scope="module")
def browser(folder: Path, detector: Path) -> Iterator[TestClient]:
    with opened(ReviewSession(RecordingsFolder(folder), load_detector(detector))) as client:
        yield client


def rows(client: TestClient) -> dict[str, dict[str, Any]]:
    """The list of recordings by name."""
    listed = client.get("/api/recordings").json()["recordings"]
    return {row["name"]: row for row in listed}


def id_of(client: TestClient, start: str) -> str:
    return next(str(row["id"]) for name, row in rows(client).items() if name.startswith(start))


def path_of(folder: Path, start: str) -> Path:
    return next((folder / start).glob("*.edf"))


def test_all_recordings_are_listed_those_that_cannot_be_read_with_the_reason(
    browser: TestClient, folder: Path
) -> None:
    listed = rows(browser)
    assert list(listed) == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*.edf")
    )
    problems = {name: row["problem"] for name, row in listed.items() if row["problem"]}
    assert set(problems) == {"broken.edf", "link.edf"}
    assert "out of the folder" in problems["link.edf"]
    assert all(row["duration"] == 60 for row in listed.values() if not row["problem"])
    assert all(str(folder) not in str(row) for row in listed.values())


def test_what_the_detector_cannot_judge_is_said_and_is_no_quiet_hour(
    folder: Path, detector: Path, tmp_path: Path
) -> None:
    """No events of a recording without the detector's electrodes, and none called, are two things."""
    write_edf(tmp_path / "neonate.edf", np.zeros((2, 60 * 256)), ["Cz", "C3"])
    with opened(ReviewSession(RecordingsFolder(tmp_path), load_detector(detector))) as client:
        (id,) = (row["id"] for row in rows(client).values())
        _until_known(client, id)
        version = client.get(f"/api/recordings/{id}/events").json()["version"]
        act = {"version": version, "act": "seen"}
        assert client.post(f"/api/recordings/{id}/acts", json=act).status_code == 200
        (row,) = rows(client).values()
        assert row["unjudged"].startswith("montage bipolar-18 lacks")
        assert (row["events"], row["complete"], row["problem"]) == (0, True, None)
        answer = client.get("/api/agreement").json()
        assert (answer["unjudged"], answer["complete_hours"]) == (1, 0)
        assert answer["false_alarms_a_day"] is None
        assert answer["recordings"][0]["events"] is None


def test_unfiltered_samples_are_those_of_the_recording(browser: TestClient, folder: Path) -> None:
    query = "begin=12&seconds=3&montage=recorded&width=2000"
    response = browser.get(f"/api/recordings/{id_of(browser, 'bed-0')}/traces?{query}")
    header, values = page_from(response.content)
    recording = open_recording(path_of(folder, "bed-0"))
    assert (header["kind"], header["begin"], header["seconds"]) == ("samples", 12, 3)
    assert header["labels"] == [label.strip() for label in recording.channels]
    np.testing.assert_allclose(values, recording.read(12, 15), atol=0.51 * header["unit"])


@pytest.mark.parametrize(
    "query",
    [
        "seconds=0",
        "seconds=1e9",
        "begin=-1",
        "begin=nan",
        "width=0",
        "width=1e9",
        "width=2.5",
        "high=x",
        "low=200",
        "montage=../../etc",
        "begin=1&begin=&seconds=inf",
    ],
)
def test_what_is_no_page_is_one_line(browser: TestClient, query: str) -> None:
    response = browser.get(f"/api/recordings/{id_of(browser, 'bed-0')}/traces?{query}")
    assert response.status_code == 400
    assert "\n" not in response.json()["error"]


def _until_known(client: TestClient, id: str) -> dict[str, Any]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        answer: dict[str, Any] = client.get(f"/api/recordings/{id}/probability?points=60").json()
        if answer["progress"] == 1:
            return answer
        time.sleep(0.02)
    raise AssertionError("detection did not come to its end")


def test_strip_and_events_are_those_of_detect(
    browser: TestClient, folder: Path, detector: Path
) -> None:
    id = id_of(browser, "bed-1")
    answer = _until_known(browser, id)
    opened_detector = load_detector(detector)
    known = opened_detector.window_probabilities(open_recording(path_of(folder, "bed-1")))
    assert answer["threshold"] == opened_detector.threshold
    assert answer["problem"] is None
    # a point a second and a window a second
    expected = {round(b): p for b, p in zip(known.begin, known.probability, strict=True)}
    for second in range(60):
        for side in ("least", "greatest"):
            value = answer[side][second]
            assert value == (
                None if second not in expected else pytest.approx(expected[second], abs=1e-4)
            )
    events = browser.get(f"/api/recordings/{id}/events").json()
    assert events["source"] == "ours"
    times = [(event["onset"], event["duration"]) for event in events["events"]]
    expected_events = [(event.onset, event.duration) for event in opened_detector.events(known)]
    assert len(times) > 0
    np.testing.assert_allclose(times, expected_events, atol=0.005)


def test_events_come_from_the_table_beside_the_recording(browser: TestClient) -> None:
    answer = browser.get(f"/api/recordings/{id_of(browser, 'bed-0')}/events").json()
    assert answer["source"] == "file"
    assert len(answer["events"]) == 1


def test_attribution_is_that_of_the_complete_recording(
    browser: TestClient, folder: Path, detector: Path
) -> None:
    id = id_of(browser, "bed-0")
    event = browser.get(f"/api/recordings/{id}/events").json()["events"][0]
    query = f"onset={event['onset']}&duration={event['duration']}"
    answer = browser.get(f"/api/recordings/{id}/attribution?{query}").json()
    opened_detector = load_detector(detector)
    why = explain_events(
        opened_detector,
        open_recording(path_of(folder, "bed-0")),
        [Event(event["onset"], event["duration"])],
    )[0]
    assert why.attribution is not None
    values = np.array(answer["values"])
    np.testing.assert_allclose(values, why.attribution / np.abs(why.attribution).max(), atol=2e-3)
    assert answer["labels"] == list(why.channels)
    assert np.abs(values).max() == 1
    assert answer["begin"] == pytest.approx(why.seconds[0])
    assert answer["head"].startswith("<svg")
    assert [band["name"] for band in answer["bands"]] == list(why.by_band)


@pytest.mark.parametrize("query", ["onset=10&duration=0", "onset=1e6&duration=5", "onset=x"])
def test_what_cannot_be_explained_is_one_line(browser: TestClient, query: str) -> None:
    response = browser.get(f"/api/recordings/{id_of(browser, 'bed-0')}/attribution?{query}")
    assert response.status_code == 400
    assert "\n" not in response.json()["error"]


def test_changes_answers_at_once_where_the_version_is_another(browser: TestClient) -> None:
    id = id_of(browser, "bed-0")
    version = browser.get(f"/api/recordings/{id}/events").json()["version"]
    began = time.monotonic()
    answer = browser.get(f"/api/recordings/{id}/changes?since={version + 1}").json()
    assert time.monotonic() - began < 2
    assert (answer["version"], answer["duration"]) == (version, 60)


def test_a_recording_that_vanishes_is_one_line(
    folder: Path, tmp_path: Path, browser: TestClient
) -> None:
    path = tmp_path / "night.edf"
    shutil.copy(path_of(folder, "bed-1"), path)
    with opened(ReviewSession(RecordingsFolder(tmp_path))) as client:
        address = f"/api/recordings/{id_of(client, 'night')}"
        assert client.get(f"{address}/traces").status_code == 200
        path.unlink()
        for part in ("", "/traces", "/events", "/probability", "/changes"):
            response = client.get(address + part)
            assert response.status_code == 404
            assert response.json() == {"error": "night.edf: is gone; was it moved?"}


def test_an_unknown_recording_is_one_line(browser: TestClient) -> None:
    for id in ("000000000000", "..%2f..%2fetc%2fpasswd", "%00"):
        response = browser.get(f"/api/recordings/{id}/traces")
        assert response.status_code == 404
        assert "\n" not in response.json()["error"]


def test_no_patient_is_named(browser: TestClient) -> None:
    names = set(PATIENT.split())
    for name, row in rows(browser).items():
        address = f"/api/recordings/{row['id']}"
        for part in ("", "/traces", "/events", "/probability", "/changes?since=9"):
            content = browser.get(address + part).content.decode("latin-1")
            assert not any(word in content for word in names), (name, part)


def test_a_fault_is_one_line_and_no_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ReviewSession(RecordingsFolder(folder))

    def fails() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(session, "recordings", fails)
    with opened(session) as client:
        quiet = TestClient(client.app, base_url=str(client.base_url), raise_server_exceptions=False)
        response = quiet.get(
            "/api/recordings",
            headers={
                "cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            },
        )
        assert response.status_code == 500
        assert response.json() == {"error": "the server failed (ZeroDivisionError)"}
