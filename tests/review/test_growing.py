"""A recording that is being written: what is new is read and detected; at the end it is as any other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secateur.detectors import Detector
from secateur.events import Event
from secateur.recordings import open_recording
from secateur.recordings.montage import BIPOLAR_18
from secateur.review import folder as review_folder
from secateur.review.folder import RecordingsFolder
from secateur.review.session import ReviewSession
from secateur.review.strip import StripWorker
from tests.support.cohorts import eeg, write_edf
from tests.support.explained import packed
from tests.support.waiting import until
from tests.support.written_networks import model


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two minutes of EEG as an EDF file."""
    path = tmp_path_factory.mktemp("written") / "night.edf"
    return write_edf(path, eeg(120, [(20, 40), (70, 95)], 3), BIPOLAR_18).read_bytes()


@pytest.fixture(scope="module")
def detector(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    path = tmp_path_factory.mktemp("probe") / "night.edf"
    path.write_bytes(content)
    network = model("valid")
    chain: dict[str, Any] = {"montage": "bipolar-18", "channels": ()}
    known = Detector(packed(network, **chain)).window_probabilities(open_recording(path))
    threshold = float(np.quantile(known.probability, 0.6))
    return Detector(packed(network, threshold, **chain))


@pytest.fixture
def session(
    content: bytes, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReviewSession]:
    """A session on a recording of which a minute has been written."""
    monkeypatch.setattr(review_folder, "_AGAIN", 0.0)
    monkeypatch.setattr(review_folder, "_SHARE", 0)
    (tmp_path / "night.edf").write_bytes(
        content[: header_bytes(content) + 60 * record_bytes(content)]
    )
    session = ReviewSession(RecordingsFolder(tmp_path), detector)
    yield session
    session.close()


def header_bytes(content: bytes) -> int:
    return int(content[184:192])


def record_bytes(content: bytes) -> int:
    """Of a second: `write_edf` writes a record a second."""
    records = int(content[236:244])
    assert float(content[244:252]) == 120 / records
    return (len(content) - header_bytes(content)) // records * records // 120


def times(session: ReviewSession, id: str) -> list[tuple[float, float]]:
    return [(event["onset"], event["duration"]) for event in session.events(id)["events"]]


def test_what_is_not_detected_yet_is_no_number(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, detect = threading.Event(), StripWorker._detect

    def held(self: StripWorker, *arguments: Any) -> None:
        assert release.wait(20)
        detect(self, *arguments)

    monkeypatch.setattr(StripWorker, "_detect", held)
    try:
        row = session.recordings()["recordings"][0]
        assert (row["events"], row["unfinished"]) == (None, "detection")
        agreement = session.agreement()
        assert agreement["unfinished"] == 1
        assert agreement["recordings"][0]["events"] is agreement["recordings"][0]["open"] is None
    finally:
        release.set()
    until(lambda: session.recordings()["recordings"][0]["unfinished"] is None)
    assert session.agreement()["unfinished"] == 0
    assert session.agreement()["recordings"][0]["events"] > 0


def test_what_is_new_is_detected_and_the_end_is_as_any_other(
    session: ReviewSession, content: bytes, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = session.folder.path / "night.edf"
    id = session.recordings()["recordings"][0]["id"]
    assert session.describe(id)["live"] is False
    until(lambda: session.state(id)[2] == 1)
    for seconds in (80, 81, 119, 120):
        end = header_bytes(content) + seconds * record_bytes(content)
        with path.open("ab") as file:
            file.write(content[path.stat().st_size : end])
        duration = session.state(id)[1]
        assert duration == seconds
        assert session.describe(id)["live"]
        until(lambda: session.state(id)[2] == 1)
        strip = session.probability(id, seconds)
        assert strip["greatest"][seconds - 1] is not None
    live = times(session, id)
    assert session.events(id)["seen"] is None
    assert session.events(id)["unfinished"] == "growing"
    assert session.state(id)[4] is True
    monkeypatch.setattr(review_folder, "STANDSTILL", 0.0)
    assert session.describe(id)["live"] is False
    assert session.state(id)[4] is False
    until(lambda: session.state(id)[2] == 1)
    expected = detector.detect(open_recording(path))
    rounded = [(round(e.onset, 2), round(e.end, 2)) for e in expected]
    assert [(onset, round(onset + length, 2)) for onset, length in times(session, id)] == rounded
    # an event that reaches the end closes with the recording alone
    assert live == times(session, id)[: len(live)]
    assert len(live) >= len(rounded) - 1 > 0
    assert all(isinstance(event, Event) for event in expected)
