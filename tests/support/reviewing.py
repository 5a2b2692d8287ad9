"""The page of `secateur review` as a person has it: a server of its own process, opened in Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from secateur.events import Event, Events
from secateur.live.alarm import Alarm, Kind
from secateur.recordings.layouts.listing import events_path
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg, write_edf

SECONDS = 120.0
MACHINE = (
    Event(20.0, 12.0, confidence=0.8),
    Event(60.0, 15.5, confidence=0.95),
    Event(90.0, 8.0, confidence=0.6),
)
"""What a detector is said to have called of a night."""
PATIENCE = 20.0
"""Seconds that something on the page may take on a busy machine."""


def write_night(path: Path) -> None:
    """Two minutes with three rhythms that a detector called, and its table."""
    data = eeg(SECONDS, [(event.onset, event.end) for event in MACHINE], 1)
    write_edf(path, data, BIPOLAR_18)
    table = events_path(path) or path.with_name(f"{path.stem}_events.tsv")
    Events(MACHINE, SECONDS).write_tsv(table)


def alarm(seconds: float, trouble: str = "", *, kind: Kind = "technical", **fields: Any) -> Alarm:
    """What live detection told `seconds` into its stream."""
    words = f"{trouble or kind} at {seconds:g} s"
    time = "2026-11-28T15:24:48.123Z"
    values = {"key": f"bed-{seconds:g}", "bed": "bed", "words": words, "time": time, **fields}
    return Alarm(kind=kind, stream_seconds=seconds, trouble=trouble, **values)


@contextmanager
def served(folder: Path, *flags: str | Path) -> Iterator[str]:
    """`secateur review` of a folder on a free port; gives the address that it prints."""
    command = [sys.executable, "-m", "secateur", "review", str(folder), "--port", "0"]
    # the token of what is printed is in no log: it is read here alone
    server = subprocess.Popen(
        [*command, *map(str, flags)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    try:
        words = server.stdout.readline().split()
        assert words, "the server ended"
        yield words[-1]
    finally:
        server.terminate()
        server.wait(timeout=10)
        server.stdout.close()


class Desk:
    """One window of the page. `address`: as printed, with the token."""

    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser, self.address = browser, address

    def overview(self) -> None:
        """Open the list of recordings, as from the address that is printed."""
        self.browser.get("about:blank")
        self.browser.get(self.address)
        self.wait(lambda: self.js("return document.querySelector('#recordings tbody tr') !== null"))

    def open(self, name: str) -> None:
        """Open a recording by a part of its name, and wait for its traces and events."""
        self.overview()
        self.find_link(name).click()
        self.until_drawn()
        self.wait(lambda: self.text("#events-count"))

    def find_link(self, name: str) -> WebElement:
        """A recording in the list of all."""
        links = self.browser.find_elements(By.CSS_SELECTOR, "#recordings a")
        return next(link for link in links if name in link.text)

    def until_drawn(self) -> None:
        """Wait until all of the page's signal is on the canvas."""
        self.wait(
            lambda: self.js("return document.getElementById('canvas').dataset.complete") == "true"
        )

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.browser.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of an element, be it scrolled out of sight."""
        return str(self.js("return document.querySelector(arguments[0]).textContent", selector))

    def press(self, *keys: str) -> None:
        """Keys, one after the other, to whatever has the focus."""
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def press_with(self, modifier: str, key: str) -> None:
        """A key while another is held."""
        chain = ActionChains(self.browser)
        chain.key_down(modifier).send_keys(key).key_up(modifier).perform()

    def press_control(self, key: str) -> None:
        self.press_with(Keys.CONTROL, key)

    def wait(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """The first true answer of a condition; the last thing that the page said, if there is none."""
        until = time.monotonic() + seconds
        while True:
            answer = condition()
            if answer:
                return answer
            assert time.monotonic() < until, f"waited in vain; the page says: {self.status!r}"
            time.sleep(0.03)

    def wait_status(self, words: str) -> None:
        """Wait until the page says something with these words."""
        self.wait(lambda: words in self.status)

    @property
    def status(self) -> str:
        return self.text("#status")

    @property
    def verdicts(self) -> list[str]:
        """Of the events, in the order of the list."""
        script = "return [...document.querySelectorAll('.verdict')].map(e => e.textContent)"
        return list(self.js(script))

    @property
    def times(self) -> list[str]:
        """What the events are called, in the order of the list."""
        script = (
            "return [...document.querySelectorAll('#events tbody button')].map(e => e.textContent)"
        )
        return list(self.js(script))

    @property
    def interval(self) -> str:
        """From when to when the page goes."""
        return self.text("#interval")

    def complaints(self) -> list[str]:
        """Errors in the browser's log since it was last asked for: of scripts, of the content policy."""
        log: list[dict[str, Any]] = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]
