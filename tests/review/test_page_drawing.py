"""What stands on the canvas: µV at their size, negative up; lost stretches; attribution; the strip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import Select

from tests.support.cohorts import eeg, write_edf
from tests.support.edf_bytes import stamped, write_bytes
from tests.support.reviewing import Desk, served, write_night

DETECTOR = Path(__file__).resolve().parents[1] / "golden" / "files" / "padded.onnx"
MILLIMETRE = 96 / 25.4
PULSE = -2000
"""Stored numbers of the pulse from 3 to 4 s: −200 µV."""
ROWS = """
const [colour, at, tolerance] = arguments;
const canvas = document.getElementById('canvas');
const scale = canvas.width / canvas.clientWidth;
const probe = document.createElement('canvas').getContext('2d');
probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(colour);
probe.fillRect(0, 0, 1, 1);
const wanted = probe.getImageData(0, 0, 1, 1).data;
const column = canvas.getContext('2d').getImageData(Math.round(at * scale), 0, 1, canvas.height).data;
const rows = [];
for (let y = Math.round(30 * scale); y < canvas.height; y++) { // below the clock
  const far = Math.max(...[0, 1, 2].map((k) => Math.abs(column[4 * y + k] - wanted[k])));
  if (far < tolerance) rows.push(y / scale);
}
return rows;
"""
"""Rows, CSS pixels, of a column of the canvas that have about this colour."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two traces: a pulse and nothing, of which 6 to 8 s were not recorded; and a night."""
    folder = tmp_path_factory.mktemp("known")
    pulse, flat = np.full(100, PULSE), np.zeros(100, int)
    records: list[tuple[Any, ...]] = []
    for second in (0, 1, 2, 3, 4, 5, 8, 9):
        records.append((pulse if second == 3 else flat, flat, stamped(f"+{second}")))
    labels = ["C3-REF", "C4-REF", "EDF Annotations"]
    write_bytes(folder / "pulse.edf", labels, records, reserved="EDF+D")
    write_night(folder / "night.edf")
    labels = [f"LG{number}" for number in range(96)]
    write_edf(folder / "grid.edf", eeg(20, [], 1, channels=96), labels)
    return folder


@pytest.fixture(scope="module")
def drawn(browser: Chrome, known: Path) -> Iterator[Desk]:
    """The pulse without filters."""
    with served(known, "--detector", DETECTOR) as address:
        desk = Desk(browser, address)
        desk.open("pulse")
        for name in ("high", "low"):
            Select(desk.find(f"#{name}")).select_by_value("0")
        Select(desk.find("#montage")).select_by_value("recorded")
        desk.until_drawn()
        yield desk


def rows(desk: Desk, colour: str, seconds: float, tolerance: int = 130) -> list[float]:
    """Where a trace's colour stands at a second of the page; one that is spread over two rows counts."""
    return list(desk.js(ROWS, colour, column(desk, seconds), tolerance))


def column(desk: Desk, seconds: float) -> float:
    """Where a second of the page stands, CSS pixels from the canvas' left edge."""
    canvas, over = (
        desk.js(
            "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", name
        )
        for name in ("#canvas", "#strip .u-over")
    )
    left = over["left"] - canvas["left"]  # the strip and the traces begin at the same place
    return float(left + seconds / 10 * (canvas["width"] - 1 - left))


def test_microvolts_have_their_size_and_negative_is_up(drawn: Desk) -> None:
    def height(seconds: float) -> float:
        return float(np.mean(rows(drawn, "--left", seconds)))

    rest = height(1.5)
    for sensitivity in (10, 20):
        Select(drawn.find("#sensitivity")).select_by_value(str(sensitivity))
        drawn.until_drawn()
        drawn.wait(lambda: abs(height(1.5) - rest) < 1)
        up = rest - height(3.5)
        expected = -PULSE / 10 / sensitivity * MILLIMETRE
        assert up == pytest.approx(expected, abs=1), "a CSS pixel"
        assert rows(drawn, "--right", 3.5) == pytest.approx(rows(drawn, "--right", 1.5), abs=1)


def test_a_lost_stretch_has_no_trace(drawn: Desk) -> None:
    assert rows(drawn, "--left", 5.5)
    assert not rows(drawn, "--left", 7.1)
    assert len(rows(drawn, "--lost", 7.1, 30)) > 20, "hatched"
    assert rows(drawn, "--left", 8.5)


def test_the_strip_fills_and_a_page_is_explained(drawn: Desk) -> None:
    drawn.open("night")
    drawn.wait(lambda: "threshold 0.50" in drawn.text("#strip-note"))
    drawn.wait(lambda: "so far" not in drawn.text("#strip-note"))
    drawn.press("n", "w")
    drawn.wait(lambda: drawn.find("#explanation").is_displayed())
    assert len(drawn.browser.find_elements("css selector", "#bands tbody tr")) >= 4
    name = drawn.find("#head svg").get_attribute("aria-label")
    assert name is not None
    assert "head" in name
    drawn.press("w")
    drawn.wait(lambda: not drawn.find("#explanation").is_displayed())
    assert drawn.complaints() == []


def test_many_channels_keep_their_distance_and_a_problem_is_told(drawn: Desk) -> None:
    drawn.open("grid")
    heights = "return ['canvas', 'traces'].map(id => document.getElementById(id).clientHeight)"
    canvas, panel = drawn.js(heights)
    assert canvas > 96 * 11 > panel, "it scrolls"
    drawn.wait(lambda: "No probability by padded.onnx" in drawn.text("#strip-note"))
    assert not drawn.find("#accept").is_enabled()
    assert drawn.complaints() == []
