"""Detection in the background: whose turn it is, what is kept, what can't be detected."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secateur.detectors import Detector
from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from secateur.review import strip as review_strip
from secateur.review.folder import FolderItem
from secateur.review.strip import Strip, StripWorker, as_json
from tests.support.explained import packed
from tests.support.waiting import until
from tests.support.written_networks import model


@pytest.fixture
def worker() -> Iterator[StripWorker]:
    chain: dict[str, Any] = {"montage": "bipolar-18", "channels": ()}
    worker = StripWorker(Detector(packed(model("valid"), **chain)))
    yield worker
    worker.close()


def item(name: str) -> FolderItem:
    return FolderItem(name, f"{name}.edf", Path(f"{name}.edf"))


def recording(seconds: float, labels: tuple[str, ...] = BIPOLAR_18) -> ArrayRecording:
    values = np.random.default_rng(0).normal(0, 30, (len(labels), round(seconds * 256)))
    return ArrayRecording(values, 256.0, labels)


def finish(strip: Strip) -> None:
    until(lambda: strip.progress == 1)


def test_the_recording_that_is_opened_goes_first_and_the_other_is_done_later(
    worker: StripWorker,
) -> None:
    long, short = recording(4000), recording(100)
    first = worker.strip(item("long"), long)
    until(lambda: first.seconds > 0)
    waiting = worker.strip(item("waiting"), short)
    until(lambda: 0 < first.progress < 1)
    second = worker.strip(item("short"), short, first=True)
    until(lambda: second.progress == 1)
    assert first.progress < 1
    assert waiting.progress < 1
    until(lambda: waiting.progress == 1 == first.progress)
    known = sum(len(begin) for begin, _ in first.windows)
    assert known == 4000 - 3


def test_events_are_kept_where_probabilities_are_not(
    worker: StripWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_strip, "_KEPT", 2)
    source = recording(60)
    strips = {}
    for name in "abc":
        strips[name] = worker.strip(item(name), source)
        finish(strips[name])
    assert strips["c"].windows
    assert not strips["a"].windows
    again = worker.strip(item("a"), source)
    assert again.events is not None
    assert again.progress < 1  # nobody looks at it, so nothing is worked out again
    worker.strip(item("a"), source, first=True)
    until(lambda: again.progress == 1)
    assert again.windows


def test_another_recording_in_its_place_is_worked_anew(worker: StripWorker) -> None:
    source = recording(60)
    strip = worker.strip(item("a"), source)
    finish(strip)
    assert worker.strip(item("a"), source) is strip
    other = worker.strip(item("a"), recording(60))
    assert other is not strip
    assert other.known_events is None
    finish(other)
    assert other.events is not None


def test_events_stay_known_while_a_recording_that_has_ended_is_worked_anew(
    worker: StripWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = replace(item("a"), live=True)
    source = recording(60)
    stream = worker.strip(going_on, source)
    until(lambda: stream.progress == 1 and stream.events is not None)
    release, detect = threading.Event(), StripWorker._detect

    def held(self: StripWorker, *arguments: Any) -> None:
        assert release.wait(20)
        detect(self, *arguments)

    monkeypatch.setattr(StripWorker, "_detect", held)
    complete = worker.strip(item("a"), source)
    try:
        assert complete.events is None
        assert complete.known_events is stream.events
        assert worker.strip(item("b"), source).known_events is None
    finally:
        release.set()
    finish(complete)
    assert complete.known_events is complete.events is not None


def test_a_recording_that_lacks_the_montage_tells_why(worker: StripWorker) -> None:
    strip = worker.strip(item("other"), recording(60, ("X1", "X2")))
    until(lambda: strip.progress == 1)
    assert "bipolar-18" in strip.problem
    assert "/" not in strip.problem.split("bipolar-18")[0]
    assert strip.events is None


def test_a_strip_is_thinned_out_by_extremes() -> None:
    strip = Strip(10.0, 1.0)
    begin = np.arange(3.0, 10.0)
    strip.windows = [(begin[:4], begin[:4] / 10), (begin[4:], begin[4:] / 10)]
    least, greatest = strip.thinned(5)
    assert as_json(least) == [None, 0.3, 0.4, 0.6, 0.8]
    assert as_json(greatest) == [None, 0.3, 0.5, 0.7, 0.9]
    least, greatest = strip.thinned(20)
    assert as_json(greatest) == [None] * 6 + [round(k // 2 / 10, 1) for k in range(6, 20)]
    np.testing.assert_array_equal(least, greatest)
