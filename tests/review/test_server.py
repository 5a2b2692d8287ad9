"""The page's server, asked as a browser asks it, over real EDF files."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from secateur.recordings import open_recording
from secateur.review.app import application
from secateur.review.folder import RecordingsFolder
from secateur.review.safety import Access
from secateur.review.session import ReviewSession

PORT = 8571
HOST = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def client(tiny_cohort: Path) -> Iterator[TestClient]:
    """A browser that has opened the printed address, on six recordings, without a detector."""
    session = ReviewSession(RecordingsFolder(tiny_cohort))
    access = Access(PORT)
    with TestClient(application(session, access), base_url=HOST) as browser:
        browser.get("/", params={"token": access.token}, follow_redirects=False)
        yield browser


def _first(client: TestClient) -> str:
    return str(client.get("/api/recordings").json()["recordings"][0]["id"])


def page_from(content: bytes) -> tuple[dict[str, object], NDArray[np.float64]]:
    """Header and values in µV of a page as it is sent; nan where samples were lost."""
    length = struct.unpack_from("<I", content)[0]
    header = json.loads(content[4 : 4 + length])
    codes = np.frombuffer(content, "<i2", offset=4 + length)
    values = np.where(codes == -32768, np.nan, codes * header["unit"])
    shape = (len(header["labels"]), header["points"], -1)
    values = values.reshape(shape)
    return header, values[..., 0] if header["kind"] == "samples" else values


def test_recordings_are_listed(client: TestClient, tiny_cohort: Path) -> None:
    rows = client.get("/api/recordings").json()["recordings"]
    assert [row["name"] for row in rows] == sorted(
        path.relative_to(tiny_cohort).as_posix() for path in tiny_cohort.rglob("*.edf")
    )
    assert all(row["problem"] is None and row["duration"] == 60 for row in rows)


def test_unfiltered_samples_are_the_recordings(client: TestClient, tiny_cohort: Path) -> None:
    path = sorted(tiny_cohort.rglob("*.edf"))[0]
    params: dict[str, str | int] = {"begin": 12, "seconds": 3, "montage": "recorded", "width": 2000}
    response = client.get(f"/api/recordings/{_first(client)}/traces", params=params)
    header, values = page_from(response.content)
    assert header["kind"] == "samples"
    recording = open_recording(path)
    assert header["labels"] == [label.strip() for label in recording.channels]
    unit = float(str(header["unit"]))
    np.testing.assert_allclose(values, recording.read(12, 15), atol=0.51 * unit)
