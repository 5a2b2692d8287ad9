"""Reading a spoilt file the way Secateur does, and judging what came of it.

Comes in: a `Case` and a scratch folder. Goes out: an `Outcome`: a typed error, a recording or table that
can be used, or a finding: anything else. Next: `fuzz_files` counts them; a test holds that there are none.

What is allowed: a `SecateurError` in one line; or finite float32 samples, no more of them than the file
has room for. And no more memory than `MEMORY` + `MEMORY_FACTOR` × the file's size, counted by tracemalloc
(which sees NumPy's arrays too).
"""

from __future__ import annotations

import math
import sys
import time
import traceback
import tracemalloc
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fuzz.mutations import Case
from secateur.detectors import load_detector
from secateur.errors import SecateurError
from secateur.events import Events, read_tsv
from secateur.recordings import Recording, duration_of, open_recording
from secateur.recordings.layouts.chbmit import read_summary
from secateur.recordings.layouts.listing import list_text
from secateur.recordings.layouts.siena import match_files
from secateur.recordings.layouts.siena_list import read_paragraphs, to_events
from secateur.windows import window_samples

MEMORY = 64 * 2**20
MEMORY_FACTOR = 50
SECONDS = 2.0
"""Of the processor's time: others may be busy on it."""
ENDINGS = {
    "edf": ".edf",
    "tsv": "_events.tsv",
    "summary": "-summary.txt",
    "list": ".txt",
    "detector": ".onnx",
}


@dataclass(frozen=True)
class Outcome:
    """`what`: typed error, readable or finding; `told`: the error, or where the finding lies."""

    index: int
    kind: str
    what: str
    told: str
    seconds: float
    peak: int
    size: int


def examine(case: Case, folder: Path) -> Outcome:
    """Read `case` from a file in `folder` and judge."""
    path = folder / f"case{ENDINGS[case.kind]}"
    path.write_bytes(case.content)
    size = len(case.content)
    tracemalloc.start()
    began = time.process_time()
    what, told = _attempt(case.kind, path)
    seconds = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if seconds > SECONDS:  # tracing may have been what took so long
        began = time.process_time()
        _attempt(case.kind, path)
        seconds = time.process_time() - began
    if peak > MEMORY + MEMORY_FACTOR * size:
        what, told = (
            "finding",
            f"{peak / 2**20:.0f} MB of memory for a file of {size} bytes. {told}",
        )
    if seconds > SECONDS:
        what, told = "finding", f"took {seconds:.1f} s. {told}"
    return Outcome(case.index, case.kind, what, told, seconds, peak, size)


def _attempt(kind: str, path: Path) -> tuple[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _READERS[kind](path)
    except SecateurError as error:
        if "\n" in str(error) or "\r" in str(error):
            return "finding", f"an error of several lines: {error}"
        return "typed error", f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return "finding", "".join(traceback.format_exception(error)[-4:])
    return "readable", ""


def _demand(true: bool, said: str) -> None:
    if not true:
        raise AssertionError(said)


def _read_edf(path: Path) -> None:
    recording = open_recording(path)
    _demand(isinstance(recording, Recording), "is no recording")
    count, rate = len(recording.channels), recording.sampling_rate
    _demand(count > 0 and recording.samples > 0, "an empty recording")
    _demand(math.isfinite(rate) and rate > 0, f"a sampling rate of {rate}")
    duration = duration_of(recording)
    _demand(math.isfinite(duration) and duration > 0, f"a duration of {duration}")
    recorded = sum(last - first for first, last in recording.stretches)
    _demand(2 * count * recorded <= path.stat().st_size, "more samples than the file")
    _demand(recording.stretches[-1][1] == recording.samples, "does not end with its last stretch")
    few = min(recording.samples, 64)
    begin = recording.read(0.0, few / rate)
    whole = recording.read()
    _demand(begin.shape == (count, few), f"{begin.shape} for {few} samples")
    _demand(whole.shape == (count, recording.samples), f"{whole.shape} in whole")
    _demand(whole.dtype == np.float32, f"samples are {whole.dtype}")
    _demand(bool(np.isfinite(whole).all()), "samples are not finite")
    _demand(np.array_equal(begin, whole[:, :few]), "the beginning is not that of the whole")
    last = recording.read((recording.samples - few) / rate, None)
    _demand(np.array_equal(last, whole[:, -few:]), "the end is not that of the whole")


def _use(events: Events, path: Path) -> None:
    """What is done with events: joined, masked, written and read again."""
    joined = events.merged().clipped()
    _demand(events.seconds <= events.duration + 1e-6, "more seizure than recording")
    mask = joined.to_mask(1.0)
    _demand(len(mask) == round(events.duration), "a mask of another length")
    again = path.with_name("again_events.tsv")
    events.write_tsv(again)
    _demand(len(read_tsv(again, events.duration)) == len(events), "events lost in writing")


def _read_table(path: Path) -> None:
    _use(read_tsv(path, 3600.0), path)
    _use(read_tsv(path), path)


def _read_summary(path: Path) -> None:
    for seizures in read_summary(path).values():
        for start, end in seizures:
            _demand(0 <= start < end < 1e8, f"a seizure from {start} to {end}")


def _read_list(path: Path) -> None:
    paragraphs = read_paragraphs(list_text(path), path)
    matched = match_files(paragraphs, [path.with_name(f"PN99-{k}.edf") for k in (1, 2)])
    for own in matched.paragraphs.values():
        events, _ = to_events(own, None, 3600.0)
        for event in events:
            _demand(event.onset >= 0 and 0 < event.duration <= 86400, f"an event {event}")


def _read_detector(path: Path) -> None:
    """Open it, let it see two windows and detect in some seconds of noise; no file but its own is read."""
    _OPENED.clear()
    if not _WATCHED:
        _WATCHED.append(True)
        sys.addaudithook(_note)
    warnings.simplefilter("ignore", RuntimeWarning)  # absurd scales make absurd numbers
    _OPENED.append("")
    try:
        detector = load_detector(path)
        settings, rate = detector.info.windows, detector.info.chain.sampling_rate
        length, channels = window_samples(settings, rate)[0], len(detector.info.scale.mean)
        noise = np.random.default_rng(0).normal(size=(2, channels, length)).astype(np.float32)
        logits = detector.logits(noise)
        _demand(logits.shape == (2, 2) and logits.dtype == np.float32, f"logits {logits.shape}")
        names = detector.chain.channel_names
        labels = ["F3-C3"] if detector.info.chain.montage == "each" else names
        signal = 30 * np.random.default_rng(1).normal(size=(len(labels), 1280))
        events = detector.detect(signal.astype(np.float32), 256.0, labels)
        _demand(events.seconds <= 5 + 1e-6, f"events of {events.seconds} s")
    finally:
        opened = [one for one in _OPENED if one not in ("", str(path))]
        _OPENED.clear()
        _demand(not opened, f"other files were opened: {opened}")


_OPENED: list[str] = []
_WATCHED: list[bool] = []


def _note(event: str, told: tuple[object, ...]) -> None:
    """What an audit hook hears while a detector is looked at."""
    if _OPENED and event in ("open", "socket.connect", "subprocess.Popen", "os.system"):
        _OPENED.append(str(told[0]))


_READERS = {
    "detector": _read_detector,
    "edf": _read_edf,
    "tsv": _read_table,
    "summary": _read_summary,
    "list": _read_list,
}
