"""How long a person waits at the review page in Chromium: for a day's first picture, and for a page turn.

    python -m benchmarks.speed.review_page DETECTOR.onnx [--openings 10] [--turns 200] [--write]

A day of EEG at 256 Hz, 18 channels, noise in its first hour and 0 µV after, which takes no room on the disk.
A first picture counts from when the browser begins to load the page until all traces are on the canvas; a
turn from the key until they are, and, as Chromium itself measures, until the screen has been painted (in
steps of 8 ms). Wall time, for that is what a person waits for; the machine may be busy with other things, and
its load is told. `--write` puts the page into benchmarks/speed/review_page.md.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from selenium.webdriver.common.keys import Keys

from benchmarks.speed.measuring import HERE, commit, machine, table, versions
from secateur.files import write_whole
from secateur.recordings.montage import BIPOLAR_18
from tests.support.chromium import chromium
from tests.support.edf_bytes import write_long
from tests.support.reviewing import Desk, served

_MEASURED = (
    "return performance.getEntriesByName(arguments[0]).splice(-arguments[1]).map(e => e.duration)"
)
_WATCH = """
window.painted = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (entry.name === 'keydown') painted.push(entry.duration);
}).observe({ type: 'event', durationThreshold: 16 });
"""
_HEAP = "return performance.memory.usedJSHeapSize / 1048576"


def first_pictures(desk: Desk, openings: int) -> list[float]:
    """Milliseconds until the first picture of a recording whose address is opened."""
    desk.open("day")
    desk.wait(lambda: "recording=" in desk.browser.current_url)
    address = desk.browser.current_url
    times = []
    for _ in range(openings):
        desk.browser.get("about:blank")
        desk.browser.get(address)
        desk.until_drawn()
        times += desk.js(_MEASURED, "first-picture", 1)
    return times


def turns(desk: Desk, count: int, pause: float) -> tuple[list[float], list[float]]:
    """Milliseconds of page turns with a pause between: until drawn, and until painted.

    Chromium reports no event that was painted within 16 ms: such a one counts as 16.
    """
    desk.press(Keys.HOME)
    desk.until_drawn()
    desk.js("performance.clearMeasures(); window.painted.length = 0")
    for _ in range(count):
        desk.press(Keys.ARROW_RIGHT)
        time.sleep(pause)
    desk.until_drawn()
    time.sleep(0.2)
    drawn = desk.js(_MEASURED, "page-turn", count)
    painted = desk.js("return window.painted")
    return drawn, painted + [16.0] * (count - len(painted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detector", type=Path)
    parser.add_argument("--openings", type=int, default=10)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="put the page beside this file")
    words = parser.parse_args()
    with TemporaryDirectory() as scratch, chromium(1360, 850) as browser:
        write_long(Path(scratch) / "day.edf", BIPOLAR_18, 24, noise=range(60))
        with served(Path(scratch), "--detector", words.detector) as address:
            desk = Desk(browser, address)
            opened = first_pictures(desk, words.openings)
            desk.js(_WATCH)
            during = turns(desk, words.turns, 0.3)
            heap = [desk.js(_HEAP)]
            desk.wait(lambda: "so far" not in desk.text("#strip-note"), 600)
            after = turns(desk, words.turns, 0.3)
            held = turns(desk, words.turns, 0.0)
            heap.append(desk.js(_HEAP))
            load = os.getloadavg()[1]
    rows = [
        waited("first picture, while it detects", opened),
        waited("page turn, a page each 0.3 s, while it detects: drawn", during[0]),
        waited("… painted", during[1]),
        waited("page turn, a page each 0.3 s, detected: drawn", after[0]),
        waited("… painted", after[1]),
        waited("page turn, as fast as keys come: drawn", held[0]),
    ]
    lines = [
        "# How long one waits at the review page",
        "",
        f"Command: `python -m benchmarks.speed.review_page {words.detector.name} --openings {words.openings} "
        f"--turns {words.turns}`; commit {commit()}; {machine()}; "
        f"{versions('secateur', 'starlette', 'uvicorn', 'onnxruntime', 'selenium')}; Chromium "
        f"{browser.capabilities['browserVersion']} without a screen, 1360 × 850.",
        "",
        "24 h, 18 channels, 256 Hz, bipolar, 0.5 to 70 Hz, 10 s a page. Milliseconds of wall time; processes "
        f"that wanted a core meanwhile: {load:.1f} on average. Aimed for are 1000 for the first picture and "
        f"100 for 95 % of page turns. JavaScript's memory after {words.turns} turns {heap[0]:.1f} MiB, after "
        f"{3 * words.turns} {heap[1]:.1f} MiB.",
        "",
        *table(["", "median", "95 %", "most", "times"], rows),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if words.write:
        write_whole(HERE / "review_page.md", text)


def waited(name: str, milliseconds: list[float]) -> list[str]:
    """A row of the table."""
    middle, high = np.quantile(milliseconds, [0.5, 0.95])
    most = max(milliseconds)
    return [name, f"{middle:.0f}", f"{high:.0f}", f"{most:.0f}", str(len(milliseconds))]


if __name__ == "__main__":
    main()
