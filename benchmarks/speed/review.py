"""How fast the review page's server answers on a day of EEG, while it detects, and what it holds in memory.

    python -m benchmarks.speed.review RECORDING.edf DETECTOR.onnx [--pages 300] [--write]

The recording's data records are repeated until there are an hour and a day of them, with time stamps as EDF+
wants them, in a folder that is dropped. A server is started on each as `secateur review` starts it, and asked
as a browser asks it, over one connection. Everything is wall time, for that is what a person waits for; the
machine may be busy with other things. `--write` puts the page into benchmarks/speed/review.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.speed.measuring import HERE, commit, machine, table, versions
from secateur.files import write_whole
from secateur.recordings.edf import read_header

_VIEW = "seconds=10&montage=bipolar&high=0.5&low=70&notch=50&width=1400"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path, help="an EDF+ file with records of a second")
    parser.add_argument("detector", type=Path)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="put the page beside this file")
    words = parser.parse_args()
    columns = []
    for hours in (1, 24):
        with tempfile.TemporaryDirectory() as scratch:
            repeat(words.recording, Path(scratch) / "night.edf", hours * 3600)
            columns.append(measure(Path(scratch), words.detector, hours * 3600, words.pages))
    text = page(columns, words)
    print(text)
    if words.write:
        write_whole(HERE / "review.md", text)


def repeat(source: Path, target: Path, seconds: int) -> None:
    """Write a recording whose data records are those of `source` over and over, `seconds` of them."""
    header = read_header(source)
    own = header.annotations
    assert header.record_duration == 1
    assert own is not None
    counts = [2 * signal.samples_per_record for signal in header.signals]
    at, width = sum(counts[:own]), counts[own]
    raw = source.read_bytes()
    records = [
        raw[header.bytes + k * header.record_bytes : header.bytes + (k + 1) * header.record_bytes]
        for k in range(header.records)
    ]
    with target.open("wb") as file:
        file.write(raw[:236] + f"{seconds:<8}".encode() + raw[244 : header.bytes])
        for second in range(seconds):
            record = records[second % len(records)]
            stamp = f"+{second}\x14\x14\0".encode().ljust(width, b"\0")
            file.write(record[:at] + stamp + record[at + width :])


@dataclass
class Measured:
    """Of one recording: seconds of waiting, and resident memory in MiB."""

    printed: float = 0.0
    first: float = 0.0
    first_processor: float = 0.0
    page_processor: float = 0.0
    busy: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    detected: float = 0.0
    why: float = 0.0
    kibibytes: float = 0.0
    at_first: float = 0.0
    at_end: float = 0.0


class Browser:
    """Asks a server over one connection that is kept."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port)
        self._headers: dict[str, str] = {}
        self._connection.request("GET", f"/?{parts.query}")
        response = self._connection.getresponse()
        response.read()
        cookie = response.getheader("set-cookie") or ""
        self._headers["Cookie"] = cookie.partition(";")[0]
        self._path = response.getheader("location") or "/"

    def get(self, path: str) -> bytes:
        """What is answered below the page's path."""
        self._connection.request("GET", self._path + path, headers=self._headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return content


@contextmanager
def serving(folder: Path, detector: Path) -> Iterator[tuple[int, Browser]]:
    """The process's number, and a browser that has opened its address."""
    command = (sys.executable, "-m", "secateur", "review", str(folder), "--detector", str(detector))
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, Browser(process.stdout.readline().removeprefix("open ").strip())
    finally:
        process.kill()
        process.wait()


def measure(folder: Path, detector: Path, seconds: int, pages: int) -> Measured:
    """Open a recording, turn pages while it is detected and after, ask why something was called."""
    result, chance = Measured(), random.Random(0)
    began = time.perf_counter()
    with serving(folder, detector) as (pid, browser):
        result.printed = time.perf_counter() - began
        began, before = time.perf_counter(), processor(pid)
        rows = json.loads(browser.get("api/recordings"))["recordings"]
        address = f"api/recordings/{rows[0]['id']}"
        browser.get(address)
        content = browser.get(f"{address}/traces?begin=0&{_VIEW}")
        result.first = time.perf_counter() - began
        result.first_processor = processor(pid) - before
        result.kibibytes = len(content) / 1024
        result.at_first = resident(pid)
        while len(result.busy) < pages:
            result.busy.append(turn(browser, address, chance.randrange(seconds - 10)))
            if known(browser, address):
                break
        while not known(browser, address):
            time.sleep(0.05)
        result.detected = time.perf_counter() - began
        before = processor(pid)
        for _ in range(pages):
            result.idle.append(turn(browser, address, chance.randrange(seconds - 10)))
        result.page_processor = (processor(pid) - before) / pages
        began = time.perf_counter()
        browser.get(f"{address}/attribution?onset={seconds - 100}&duration=20")
        result.why = time.perf_counter() - began
        result.at_end = resident(pid)
    return result


def turn(browser: Browser, address: str, begin: float) -> float:
    """Seconds until the page that begins there is here."""
    began = time.perf_counter()
    browser.get(f"{address}/traces?begin={begin}&{_VIEW}")
    return time.perf_counter() - began


def known(browser: Browser, address: str) -> bool:
    """Whether detection has come to its end."""
    return bool(json.loads(browser.get(f"{address}/probability?points=1200"))["progress"] == 1)


def processor(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def page(columns: list[Measured], words: argparse.Namespace) -> str:
    """The page in Markdown."""

    def milliseconds(values: list[float]) -> str:
        if not values:
            return "–"
        middle, high = np.quantile(values, [0.5, 0.95])
        return f"{1000 * middle:.0f} ({1000 * high:.0f})"

    processors = [f"{c.first_processor:.2f}" for c in columns]
    rows = [
        ["from the command to the printed address, s", *(f"{c.printed:.2f}" for c in columns)],
        ["list, description and first page, s", *(f"{c.first:.2f}" for c in columns)],
        ["processor time of that, with the beginning of detection, s", *processors],
        ["a page of 10 s while it detects, ms", *(milliseconds(c.busy) for c in columns)],
        ["a page of 10 s after, ms", *(milliseconds(c.idle) for c in columns)],
        ["processor time of such a page, ms", *(f"{1000 * c.page_processor:.0f}" for c in columns)],
        ["bytes of a page, KiB", *(f"{c.kibibytes:.0f}" for c in columns)],
        ["until the strip is complete, s", *(f"{c.detected:.1f}" for c in columns)],
        ["why, of 20 s near the end, s", *(f"{c.why:.2f}" for c in columns)],
        ["memory after the first page, MiB", *(f"{c.at_first:.0f}" for c in columns)],
        ["memory at the end, MiB", *(f"{c.at_end:.0f}" for c in columns)],
    ]
    header = read_header(words.recording)
    signal = header.signals[0]
    lines = [
        "# The review page's server on an hour and a day of EEG",
        "",
        f"Command: `python -m benchmarks.speed.review {words.recording.name} {words.detector.name} --pages "
        f"{words.pages}`; commit {commit()}; {machine()}; "
        f"{versions('secateur', 'starlette', 'uvicorn', 'onnxruntime')}. "
        f"{len(header.ordinary)} channels at {signal.samples_per_record} Hz as EDF+ with a time stamp a "
        "second. Wall time on a machine that other work shares; medians, in brackets the 95th percentile. "
        "Pages are drawn at random from the whole recording; bipolar, filtered, 1400 points across.",
        "",
        *table(["", "1 h", "24 h"], rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
