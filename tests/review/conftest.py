"""Recordings, a server and a browser that the tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from secateur.recordings.montage import BIPOLAR_18
from tests.support.chromium import MISSING, chromium
from tests.support.edf_bytes import write_long
from tests.support.reviewing import Desk, served, write_night


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a night, a day, and what can't be read."""
    folder = tmp_path_factory.mktemp("ward")
    write_night(folder / "night.edf")
    write_long(folder / "day.edf", BIPOLAR_18, 24, noise=(0, 720, 1439))
    (folder / "broken.edf").write_bytes(b"0       nothing")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Debian's Chromium; tests that need it skip where it isn't."""
    if MISSING:
        pytest.skip(MISSING)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(ward: Path) -> Iterator[str]:
    """Of a server of the ward, with its token."""
    with served(ward, "--reviewer", "AB") as address:
        yield address


@pytest.fixture
def desk(browser: Chrome, address: str, ward: Path) -> Iterator[Desk]:
    """The night, on which nobody has said anything yet; the browser complains of nothing."""
    for path in ward.glob("*_desc-reviewed*"):  # hidden ones too
        path.unlink()
    desk = Desk(browser, address)
    browser.get("about:blank")
    desk.complaints()  # of a page whose server went with the test before
    desk.open("night")
    yield desk
    assert desk.complaints() == []
