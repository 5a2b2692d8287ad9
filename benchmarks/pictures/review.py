"""The documents' pictures of the review page: simulated EEG, in Debian's Chromium.

    python -m benchmarks.pictures.review DETECTOR.onnx

DETECTOR: one that was trained on simulated EEG, as `make run` makes it. Writes docs/review-*.png anew; what
they show is the page as it is.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from secateur.files import write_whole
from secateur.recordings.simulated import simulate_cohort
from tests.support.chromium import chromium, media, resize
from tests.support.reviewing import Desk, served

DOCS = Path(__file__).resolve().parents[2] / "docs"
_COLOURS = 256
_SEED = 3
_SUBJECTS, _HOURS = 4, 0.2


def write_recordings(folder: Path) -> None:
    """Simulated nights without their tables: the events are the detector's."""
    with TemporaryDirectory() as scratch:
        cohort = simulate_cohort(Path(scratch) / "cohort", _SUBJECTS, _HOURS, _SEED)
        for number, edf in enumerate(sorted(cohort.rglob("*.edf")), start=1):
            shutil.copy(edf, folder / f"simulated-{number:02d}.edf")


def keep(desk: Desk, name: str) -> None:
    """The window as it is, in few colours so that the file is small."""
    image = Image.open(io.BytesIO(desk.browser.get_screenshot_as_png())).convert("RGB")
    packed = io.BytesIO()
    few = image.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(packed, "PNG", optimize=True)
    write_whole(DOCS / f"review-{name}.png", packed.getvalue())
    print(
        f"docs/review-{name}.png: {image.width} × {image.height}, {len(packed.getvalue()) / 1024:.0f} KiB"
    )


def settled(desk: Desk) -> None:
    """Wait until the detector has come to the end and all is drawn."""
    desk.wait(lambda: "so far" not in desk.text("#strip-note") and desk.text("#strip-note"), 120)
    desk.wait(lambda: desk.verdicts, 30)
    desk.until_drawn()


def work(desk: Desk) -> None:
    """What a person might say of the recordings."""
    for number, keys in ((1, "nana"), (2, "nanr"), (3, "narr")):
        desk.open(f"simulated-{number:02d}")
        settled(desk)
        for key in keys:
            desk.js("document.getElementById('status').textContent = ''")
            desk.press(key)
            desk.wait(lambda: desk.status)


def take(desk: Desk) -> None:
    """All pictures, one after the other."""
    work(desk)
    desk.open("simulated-01")
    settled(desk)
    desk.press("n", "w")
    desk.wait(lambda: desk.find("#explanation").is_displayed(), 30)
    desk.until_drawn()
    keep(desk, "page")
    media(desk.browser, prefers_color_scheme="dark")
    desk.press("n", "w", "-")
    desk.wait(lambda: not desk.find("#explanation").is_displayed())
    desk.until_drawn()
    keep(desk, "dark")
    media(desk.browser, prefers_color_scheme="light")
    desk.press("o")
    desk.wait(lambda: desk.js("return document.querySelectorAll('#agreement tr').length > 4"))
    keep(desk, "overview")
    resize(desk.browser, 400, 800, 1.5)
    desk.open("simulated-02")
    settled(desk)
    desk.press("n", "t", "T")
    desk.until_drawn()
    keep(desk, "narrow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detector", type=Path)
    words = parser.parse_args()
    with TemporaryDirectory() as scratch, chromium() as browser:
        write_recordings(Path(scratch))
        resize(browser, 1360, 850)
        with served(Path(scratch), "--detector", words.detector, "--reviewer", "AB") as address:
            take(Desk(browser, address))


if __name__ == "__main__":
    main()
