"""The queue of alarms: each to each sink, in order, at least once, whatever fails or is killed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secateur.errors import SinkError
from secateur.live.sinks import AlarmQueue, queue
from secateur.live.sinks.sink import DeliveryError, RejectedError
from tests.support.waiting import until


def alarm(number: int, kind: str = "opened") -> tuple[dict[str, Any], str]:
    key = f"bed-{number:06d}"
    return {"key": key, "bed": "bed", "kind": kind, "words": "é"}, key


class Recorder:
    """A sink that writes down what it gets; `answer` may raise."""

    def __init__(self, address: str = "test:a", answer: Callable[[str], None] = lambda key: None):
        self.address, self._answer = address, answer
        self.keys: list[str] = []
        self.begun = self.closed = False

    def begin(self) -> None:
        self.begun = True

    def send(self, body: str, key: str) -> None:
        self._answer(key)
        self.keys.append(key)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "PATIENT", 0.0)
    monkeypatch.setattr(queue, "PAUSES", (0.002, 0.02))


@pytest.fixture
def heard() -> list[str]:
    return []


def test_a_sink_that_fails_half_of_the_time_gets_all_in_order(
    tmp_path: Path, heard: list[str]
) -> None:
    chance = random.Random(1)

    def flaky(key: str) -> None:
        if chance.random() < 0.5:
            raise DeliveryError("503")

    flawed, sound = Recorder("test:flawed", flaky), Recorder("test:sound")
    alarms = AlarmQueue(tmp_path / "q", [flawed, sound], heard.append)
    for k in range(200):
        alarms.put(*alarm(k))
    alarms.close(10.0)
    expected = [alarm(k)[1] for k in range(200)]
    assert sound.keys == expected
    assert flawed.keys == expected
    assert flawed.closed
    assert sum("gets its alarms again" in words for words in heard) == len(heard) / 2


def test_a_failure_among_many_is_nobodys_news(
    tmp_path: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PATIENT", 0.3)
    tries = iter(range(1000))
    down = threading.Event()

    def flaky(key: str) -> None:
        if next(tries) % 2 or down.is_set():
            raise DeliveryError("503")

    sink = Recorder("test:flaky", flaky)
    alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
    alarms.put_all([alarm(k) for k in range(10)])
    until(lambda: len(sink.keys) == 10)
    assert heard == []
    down.set()
    alarms.put(*alarm(10))
    until(lambda: len(heard) == 1)
    down.clear()
    alarms.close(5.0)
    assert "(503); they wait and are tried again" in heard[0]
    assert "gets its alarms again" in heard[1]


def test_a_sink_that_is_down_holds_up_neither_others_nor_whoever_puts(
    tmp_path: Path, heard: list[str]
) -> None:
    free = threading.Event()

    def hang(key: str) -> None:
        if not free.wait(5.0):
            raise DeliveryError("still down")

    down, up = Recorder("test:down", hang), Recorder("test:up")
    alarms = AlarmQueue(tmp_path / "q", [down, up], heard.append)
    begun = time.monotonic()
    alarms.put_all([alarm(k) for k in range(100)])
    assert time.monotonic() - begun < 1.0
    until(lambda: len(up.keys) == 100)
    assert down.keys == []
    assert alarms.waiting() == {"test:down": 100, "test:up": 0}
    free.set()
    alarms.close(5.0)
    assert down.keys == up.keys


def test_what_was_not_delivered_is_delivered_by_the_next_process_first(
    tmp_path: Path, heard: list[str]
) -> None:
    def down(key: str) -> None:
        raise DeliveryError("down")

    first = AlarmQueue(tmp_path / "q", [Recorder("test:a", down)], heard.append)
    first.put_all([alarm(k) for k in range(3)])
    first.close(0.05)
    sink, new = Recorder("test:a"), Recorder("test:new")
    second = AlarmQueue(tmp_path / "q", [sink, new], heard.append)
    second.put_all([alarm(2), alarm(3)])  # one that is there already
    second.close(5.0)
    assert sink.keys == [alarm(k)[1] for k in range(4)]
    assert new.keys == [alarm(3)[1]]  # it knows nothing of what came before it was a sink


def test_old_heartbeats_are_passed_over_alarms_never(
    tmp_path: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    up = threading.Event()

    def away(key: str) -> None:
        if not up.is_set():
            raise DeliveryError("away")

    sink = Recorder("test:a", away)
    alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
    kinds = ["opened", "heartbeat", "heartbeat", "technical", "heartbeat", "closed"]
    alarms.put_all([alarm(k, kind) for k, kind in enumerate(kinds)])
    monkeypatch.setattr(queue, "STALE", -1.0)  # from now on each heartbeat is old
    up.set()
    until(lambda: alarms.waiting() == {"test:a": 0})
    monkeypatch.setattr(queue, "STALE", 60.0)
    alarms.put(*alarm(6, "heartbeat"))
    alarms.close(5.0)
    assert sink.keys == [alarm(k)[1] for k in (0, 3, 5, 6)]


def test_what_a_sink_rejects_is_put_aside_with_the_reason(tmp_path: Path, heard: list[str]) -> None:
    def picky(key: str) -> None:
        if key == alarm(1)[1]:
            raise RejectedError("422 no such ward")

    sink = Recorder("test:a", picky)
    alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
    alarms.put_all([alarm(k) for k in range(3)])
    until(lambda: len(sink.keys) == 2)
    assert alarms.rejected() == [("test:a", alarm(1)[1], "422 no such ward")]
    alarms.close(5.0)
    (words,) = heard
    assert "rejects bed-000001 (422 no such ward); it is put aside" in words


def test_nothing_that_a_sink_raises_ends_its_tries(tmp_path: Path, heard: list[str]) -> None:
    errors = iter([ZeroDivisionError("a bug"), UnicodeError("é"), None])

    def buggy(key: str) -> None:
        if (error := next(errors)) is not None:
            raise error

    sink = Recorder("test:a", buggy)
    alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
    alarms.put(*alarm(0))
    alarms.close(5.0)
    assert sink.keys == [alarm(0)[1]]
    assert "a bug" in heard[0]


def test_delivered_alarms_leave_the_file_some_time(
    tmp_path: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_KEPT", 20)
    sink = Recorder()
    alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
    alarms.put_all([alarm(k) for k in range(50)])
    until(lambda: len(sink.keys) == 50)
    alarms.put(*alarm(49))
    alarms.close(5.0)
    assert len(sink.keys) == 50
    database = sqlite3.connect(tmp_path / "q")
    assert database.execute("SELECT COUNT(*) FROM alarms").fetchone() == (20,)
    database.close()


def test_a_disk_that_is_full_keeps_no_alarm_from_its_sinks(
    tmp_path: Path, heard: list[str]
) -> None:
    up = threading.Event()

    def away(key: str) -> None:
        if not up.is_set():
            raise DeliveryError("away")

    sink = Recorder("test:a", away)
    alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
    alarms.put(*alarm(0))
    pages = alarms._database.execute("PRAGMA page_count").fetchone()[0]
    alarms._database.execute(f"PRAGMA max_page_count={pages}")
    alarms.put_all([alarm(k) for k in range(1, 200)])
    assert any("can't be written (database or disk is full)" in words for words in heard)
    up.set()
    alarms.close(5.0)
    assert sink.keys == [alarm(k)[1] for k in range(200)]


def test_files_that_are_no_queue_and_addresses_twice(tmp_path: Path, heard: list[str]) -> None:
    (tmp_path / "text").write_text("no database at all, for certain\n" * 100)
    with pytest.raises(SinkError, match="no queue of alarms can be kept there"):
        AlarmQueue(tmp_path / "text", [Recorder()], heard.append)
    with pytest.raises(SinkError, match="no queue of alarms can be kept there"):
        AlarmQueue(tmp_path / "text" / "q", [Recorder()], heard.append)
    with pytest.raises(SinkError, match="the same address twice"):
        AlarmQueue(tmp_path / "q", [Recorder(), Recorder()], heard.append)
    database = sqlite3.connect(tmp_path / "later")
    database.execute("PRAGMA user_version=7")
    database.close()
    with pytest.raises(SinkError, match="another version"):
        AlarmQueue(tmp_path / "later", [Recorder()], heard.append)


_PROCESS = """
import sys
from pathlib import Path
from secateur.live.sinks import AlarmQueue, queue
from secateur.live.sinks.sink import DeliveryError
queue.PAUSES = (0.001, 0.01)
out, first = Path(sys.argv[1]), int(sys.argv[2])
class Sink:
    address = "test:file"
    def begin(self): self.tries, self.file = 0, (out / "delivered").open("a")
    def send(self, body, key):
        self.tries += 1
        if self.tries % 3 == 0:
            raise DeliveryError("now and then")
        print(key, file=self.file, flush=True)
    def close(self): pass
alarms = AlarmQueue(out / "q", [Sink()], lambda words: None)
number = first
while True:
    key = f"bed-{number:06d}"
    alarms.put({"key": key, "kind": "opened"}, key)
    print(key, flush=True)
    number += 1
"""


def killed_process(out: Path, first: int, seconds: float) -> Iterator[str]:
    """The keys whose `put` had returned when the process was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(out), str(first)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    with process, process.stdout as lines:
        yield lines.readline().strip()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        yield from (line.strip() for line in lines if line.endswith("\n"))


def test_nothing_is_lost_in_three_kills(tmp_path: Path, heard: list[str]) -> None:
    keys: list[str] = []
    for k in range(3):
        first = int(keys[-1][-6:]) + 1 if keys else 0
        keys += killed_process(tmp_path, first, 0.1 * k)
    sink = Recorder("test:file")
    AlarmQueue(tmp_path / "q", [sink], heard.append).close(10.0)
    delivered = (tmp_path / "delivered").read_text().split() + sink.keys
    assert len(keys) > 20
    assert set(keys) <= set(delivered)
    once = list(dict.fromkeys(delivered))
    assert once == sorted(once)  # in order, where an alarm came twice by its first time
