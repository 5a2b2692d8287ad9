"""`secateur live` from an LSL stream to a broker and a web server, killed in between: no alarm is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from secateur.events import read_tsv
from secateur.live.alarm import Alarm
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg
from tests.support.live_nights import alarms_in, write_detector
from tests.support.lsl_senders import RATE, Sender, sender
from tests.support.mqtt_brokers import Broker, Listener
from tests.support.waiting import until
from tests.support.web_servers import web_server

pytest.importorskip("pylsl")


@contextmanager
def live(out: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, from the moment at which it reads."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (out.parent / "errors.txt").open("ab") as errors:
        command = [sys.executable, "-m", "secateur", "live", *words, "--out", str(out)]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        ) as process:
            begun = time.time()
            try:
                until(lambda: any(
                    path.stat().st_mtime >= begun for path in out.glob(".state/**/state.json")
                ), 30)  # fmt: skip
                time.sleep(0.3)
                yield process
            finally:
                process.kill()


def push(stream: Sender, data: np.ndarray, begin: int, end: int) -> None:
    """Samples of which each stamp lies in the past; a minute of signal in a second."""
    for k in range(begin, end, 256):
        last = min(k + 256, end)
        stream.outlet.push_chunk(
            np.ascontiguousarray(data[:, k:last].T, np.float32), stream.origin + (last - 1) / RATE
        )
        time.sleep(0.01)


def lasting(alarms: list[Alarm]) -> dict[str, Alarm]:
    return {alarm.key: alarm for alarm in alarms if alarm.kind != "heartbeat"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.mark.slow
def test_alarms_of_a_stream_reach_every_sink_through_a_kill(broker: Broker, tmp_path: Path) -> None:
    data = eeg(120, ((20.0, 40.0), (80.0, 100.0)), 6).astype(np.float32)
    detector = write_detector(tmp_path / "D.onnx", data, montage="bipolar-18")
    out, half, end = tmp_path / "out", round(60 * RATE), round(120 * RATE)
    listener = Listener(broker.port, "ward")
    until(lambda: listener.ready)
    failing = web_server(lambda number: (503 if number % 2 else 200, {}))
    with sender(labels=BIPOLAR_18) as stream, failing as posted:
        stream.origin -= 130  # what is sent was recorded before
        words = ["--source", f"lsl:{stream.name}", "--detector", str(detector)]
        words += ["--alarm-to", f"mqtt://127.0.0.1:{broker.port}/ward"]
        words += ["--alarm-to", f"http://127.0.0.1:{posted.port}/hook"]

        def logged(kind: str) -> list[Alarm]:
            return [alarm for alarm in alarms_in(out / "alarms.jsonl") if alarm.kind == kind]

        with live(out, *words) as process:
            push(stream, data, 0, half)
            until(lambda: bool(logged("closed")))
            process.send_signal(signal.SIGKILL)
        before = lasting(alarms_in(out / "alarms.jsonl"))
        with live(out, *words) as process:
            push(stream, data, half, end)
            until(lambda: any((alarm.onset or 0) > 62 for alarm in logged("closed")), 20)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, (tmp_path / "errors.txt").read_text()
    expected = lasting(alarms_in(out / "alarms.jsonl"))
    assert {key: expected[key] for key in before} == before
    (restart,) = [alarm for alarm in expected.values() if alarm.trouble == "restart"]
    assert "detection was down for" in restart.words
    assert 55 < restart.stream_seconds < 61
    onsets = [alarm.onset or 0.0 for alarm in expected.values() if alarm.kind == "closed"]
    assert onsets == sorted(set(onsets))
    table = read_tsv(out / "events.tsv")
    assert {round(onset, 2) for onset in onsets} <= {event.onset for event in table}
    by_http = [Alarm.model_validate(body) for body in posted.alarms]
    by_mqtt = [Alarm.model_validate(json.loads(text)) for text in listener.texts("ward")]
    assert lasting(by_http) == expected
    assert lasting(by_mqtt) == expected
    assert "offline" in listener.texts("ward/status")
    listener.close()
