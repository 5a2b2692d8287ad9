"""The page's server as a browser would ask it, and pages of traces as they are sent."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient

from secateur.review.app import application
from secateur.review.safety import Access
from secateur.review.session import ReviewSession

PORT = 8571
HOST = f"http://127.0.0.1:{PORT}"


@contextmanager
def opened(session: ReviewSession) -> Iterator[TestClient]:
    """A browser that has opened the address that was printed."""
    access = Access(PORT)
    with TestClient(application(session, access), base_url=HOST) as browser:
        browser.get("/", params={"token": access.token}, follow_redirects=False)
        browser.base_url = f"{HOST}{access.path}"
        yield browser


def page_from(content: bytes) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Header and values in µV: traces × points, or × 2 for extremes; nan where samples were lost."""
    length = struct.unpack_from("<I", content)[0]
    assert length % 2 == 0
    header = json.loads(content[4 : 4 + length])
    codes = np.frombuffer(content, "<i2", offset=4 + length)
    values = np.where(codes == -32768, np.nan, codes * header["unit"])
    ends = () if header["kind"] == "samples" else (2,)
    return header, values.reshape((len(header["labels"]), header["points"], *ends))
