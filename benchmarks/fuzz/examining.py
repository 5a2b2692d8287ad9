"""Reading a spoilt file the way Secateur does, and judging what came of it.

What is allowed: a `SecateurError` in one line; or finite float32 samples, no more of them than the file has
room for, a table or a network that can be used. And no more memory than `MEMORY` + `MEMORY_FACTOR` × the
case's size, counted by tracemalloc (which sees NumPy's arrays too). No file is opened but the case's own.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.fuzz.mutations import Case
from secateur.detectors import Detector, load_detector
from secateur.errors import SecateurError
from secateur.events import Events, read_tsv
from secateur.recordings import Recording, duration_of, open_recording
from secateur.recordings.layouts.chbmit import read_summary
from secateur.recordings.layouts.listing import list_text
from secateur.recordings.layouts.siena import match_files, read_paragraphs, to_events
from secateur.windows import window_samples

MEMORY = 64 * 2**20
MEMORY_FACTOR = 50
SECONDS = 2.0
"""Of the processor's time: others may be busy on it."""
_FEW = 64
"""Samples that are read by themselves, to be compared with the rest."""


@dataclass(frozen=True)
class Outcome:
    """`what`: typed error, readable or finding; `message`: the error, or where the finding lies."""

    index: int
    kind: str
    what: str
    message: str
    seconds: float
    peak: int
    size: int


def examine(case: Case, folder: Path) -> Outcome:
    """Read `case` from its files in a folder of their own below `folder`, and judge."""
    own = folder / "case"
    own.mkdir()
    try:
        for name, content in case.files.items():
            (own / name).write_bytes(content)
        return _judged(case, own / next(iter(case.files)))
    finally:
        shutil.rmtree(own)


def _judged(case: Case, path: Path) -> Outcome:
    tracemalloc.start()
    began = time.process_time()
    what, message = _attempt(case.kind, path)
    seconds = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if seconds > SECONDS:  # tracing may have been what took so long
        began = time.process_time()
        _attempt(case.kind, path)
        seconds = time.process_time() - began
    if peak > MEMORY + MEMORY_FACTOR * case.size:
        message = f"{peak / 2**20:.0f} MB of memory for {case.size} bytes. {message}"
        what = "finding"
    if seconds > SECONDS:
        what, message = "finding", f"took {seconds:.1f} s. {message}"
    return Outcome(case.index, case.kind, what, message, seconds, peak, case.size)


def _attempt(kind: str, path: Path) -> tuple[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with nothing_else_opened(path.parent):
                _READERS[kind](path)
    except SecateurError as error:
        if not str(error).isprintable():
            return "finding", f"an error of several lines or with signs that steer: {error!r}"
        return "typed error", f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return "finding", "".join(traceback.format_exception(error)[-4:])
    return "readable", ""


_OPENED: list[str] = []
_WATCHING: list[bool] = []
_CODE = (".py", ".pyc", ".so")
"""Ends of the files that Python opens when it imports."""


@contextmanager
def nothing_else_opened(folder: Path) -> Iterator[None]:
    """Raises `AssertionError` where a file outside `folder`, a connection or a process was opened."""
    if not _WATCHING:
        sys.addaudithook(_note)
    _OPENED.clear()
    _WATCHING[:] = [True]
    try:
        yield
    finally:
        _WATCHING[:] = [False]
        opened = [name for name in _OPENED if not name.startswith(str(folder))]
        _demand(not opened, f"other files were opened: {opened}")


def _note(event: str, arguments: tuple[object, ...]) -> None:
    """What an audit hook hears while a case is looked at."""
    if _WATCHING[0] and event in ("open", "socket.connect", "subprocess.Popen", "os.system"):
        name = str(arguments[0])
        if not name.endswith(_CODE):
            _OPENED.append(name)


def _demand(holds: bool, reason: str) -> None:
    if not holds:
        raise AssertionError(reason)


def _read_recording(path: Path) -> None:
    """Open it, read its first stretches and its last: all of each, its beginning and its end."""
    recording = open_recording(path)
    _demand(isinstance(recording, Recording), "is no recording")
    count, rate = len(recording.channels), recording.sampling_rate
    _demand(count > 0 and recording.samples > 0, "an empty recording")
    _demand(math.isfinite(rate) and rate > 0, f"a sampling rate of {rate}")
    duration = duration_of(recording)
    _demand(math.isfinite(duration) and duration > 0, f"a duration of {duration}")
    stretches = recording.stretches
    bounds = [bound for stretch in stretches for bound in stretch]
    _demand(bounds == sorted(bounds) and bounds[0] >= 0, "stretches that are not in order")
    _demand(all(first < last for first, last in stretches), "an empty stretch")
    _demand(bounds[-1] == recording.samples, "does not end with its last stretch")
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    recorded = sum(last - first for first, last in stretches)
    _demand(2 * count * recorded <= size, "more samples than the file")
    for first, last in {*stretches[:20], stretches[-1]}:
        few = min(last - first, _FEW)
        values = recording.read(first / rate, last / rate)
        _demand(values.shape == (count, last - first), f"{values.shape} of {last - first} samples")
        _demand(values.dtype == np.float32, f"samples are {values.dtype}")
        _demand(bool(np.isfinite(values).all()), "samples are not finite")
        begin = recording.read(first / rate, (first + few) / rate)
        _demand(np.array_equal(begin, values[:, :few]), "the beginning is not that of all")
        end = recording.read((last - few) / rate, last / rate)
        _demand(np.array_equal(end, values[:, -few:]), "the end is not that of all")


def _use(events: Events, path: Path) -> None:
    """What is done with events: joined, masked, written and read again."""
    joined = events.merged().clipped()
    _demand(events.seconds <= events.duration + 1e-6, "more seizure than recording")
    mask = joined.to_mask(1.0)
    _demand(len(mask) == round(events.duration), "a mask of another length")
    again = path.with_name("again_events.tsv")
    again.write_text(events.tsv())
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
    """Open it, let it see two windows and detect in some seconds of noise."""
    warnings.simplefilter("ignore", RuntimeWarning)  # absurd scales make absurd numbers
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


def _read_stream(path: Path) -> None:
    """Go on with it over some seconds of noise."""
    stream = _detector_of(path.with_suffix(".onnx").read_bytes()).resume(path.read_bytes())
    shape = (len(stream.channels), round(5 * stream.sampling_rate))
    noise = 30 * np.random.default_rng(1).normal(size=shape).astype(np.float32)
    for step in (stream.push(noise[:, :99]), stream.push(noise[:, 99:]), stream.close()):
        probabilities = step.probabilities
        _demand(bool(((probabilities >= 0) & (probabilities <= 1)).all()), f"{probabilities}")
        _demand(bool(np.isfinite(step.seconds).all()), f"probabilities at {step.seconds} s")


@lru_cache(maxsize=16)
def _detector_of(content: bytes) -> Detector:
    return Detector(content)


_READERS = {
    "detector": _read_detector,
    "stream": _read_stream,
    "edf": _read_recording,
    "bdf": _read_recording,
    "brainvision": _read_recording,
    "tsv": _read_table,
    "summary": _read_summary,
    "list": _read_list,
}
