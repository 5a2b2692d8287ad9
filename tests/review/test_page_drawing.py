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
from tests.support.reviewing import SECONDS, Desk, served, write_night

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
def desk(browser: Chrome, known: Path) -> Iterator[Desk]:
    with served(known, "--detector", DETECTOR) as address:
        yield Desk(browser, address)


@pytest.fixture
def drawn(desk: Desk) -> Desk:
    """The pulse without filters; opened anew, since tests open other recordings."""
    desk.open("pulse")
    for name in ("high", "low"):
        Select(desk.find(f"#{name}")).select_by_value("0")
    Select(desk.find("#montage")).select_by_value("recorded")
    desk.until_drawn()
    return desk


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


@pytest.mark.parametrize("speed", [15, 30])
def test_seconds_have_their_length(drawn: Desk, speed: int) -> None:
    Select(drawn.find("#timebase")).select_by_value(f"{speed}mm")
    drawn.wait(lambda: drawn.interval.endswith(f"· {speed} mm/s"))
    drawn.until_drawn()
    left = column(drawn, 0)
    across = [left + second * speed * MILLIMETRE for second in (2.7, 2.95, 3.05, 3.3)]
    heights = [np.mean(drawn.js(ROWS, "--left", at, 130)) for at in across]
    assert heights[0] == pytest.approx(heights[1], abs=1)
    assert heights[2] == pytest.approx(heights[3], abs=1)
    assert heights[1] - heights[2] > 20, "the pulse begins at 3 s"
    Select(drawn.find("#timebase")).select_by_value("10s")
    drawn.until_drawn()


def test_filters_are_chosen_by_keys_and_change_the_traces(drawn: Desk) -> None:
    def pulse() -> float:
        drawn.until_drawn()
        return float(np.mean(rows(drawn, "--left", 3.9)))

    drawn.js("document.activeElement.blur()")
    rest, before = float(np.mean(rows(drawn, "--left", 1.5))), pulse()
    drawn.press("h", "h", "h", "h")
    drawn.wait_status("High-pass")
    assert Select(drawn.find("#high")).first_selected_option.text.endswith(" Hz")
    drawn.wait(lambda: abs(pulse() - rest) < 0.2 * abs(before - rest))
    drawn.press("H", "H", "H", "H")
    drawn.wait_status("High-pass off")
    drawn.wait(lambda: abs(pulse() - before) < 1)
    drawn.press("l")
    drawn.wait_status("Low-pass 15 Hz")
    drawn.press("L", "f")
    drawn.wait_status("Notch off")  # 100 samples a second have no mains in them
    drawn.wait(lambda: abs(pulse() - before) < 1)


def on_strip(desk: Desk, colour: str, seconds: float) -> int:
    """How many pixels of the strip have a colour at a second of the night."""
    left, across = desk.js(
        "const box = (e) => document.querySelector(e).getBoundingClientRect();"
        "return [box('#strip .u-over').left - box('#strip canvas').left, box('#strip .u-over').width]"
    )
    script = ROWS.replace("getElementById('canvas')", "querySelector('#strip canvas')")
    script = script.replace("30 * scale", "0")
    return len(desk.js(script, colour, left + seconds / SECONDS * across, 8))


def test_events_stand_on_the_strip_by_their_verdict(drawn: Desk) -> None:
    drawn.open("night")
    drawn.wait(lambda: on_strip(drawn, "--open", 25))
    assert on_strip(drawn, "--open", 45) == 0
    drawn.press("n", "a")
    drawn.wait(lambda: on_strip(drawn, "--accepted", 25))
    assert on_strip(drawn, "--open", 25) == 0
    drawn.press("u")
    drawn.wait(lambda: drawn.verdicts[0] == "open")


BEHIND = """
const canvas = document.getElementById('canvas');
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
let orange = 0, violet = 0;
for (let at = 0; at < data.length; at += 4) {
  const [r, g, b] = data.subarray(at, at + 3);
  if (r > 230 && r - g > 15 && g - b > 15) orange++;
  if (b > 190 && b - g > 15 && r - g > 8) violet++;
}
return [orange, violet];
"""
"""Pixels of light orange and of light violet."""


def test_the_strip_fills_and_a_page_is_explained(drawn: Desk) -> None:
    drawn.open("night")
    drawn.wait(lambda: "threshold 0.50" in drawn.text("#strip-note"))
    drawn.wait(lambda: "so far" not in drawn.text("#strip-note"))
    drawn.press("n")
    drawn.until_drawn()
    before = drawn.js(BEHIND)
    drawn.press("w")
    drawn.wait(lambda: drawn.find("#explanation").is_displayed())
    drawn.wait(lambda: sum(drawn.js(BEHIND)) > sum(before) + 2000)
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
