"""`secateur live` as it is typed: what it writes, that it goes on, and what it refuses in a line."""

from __future__ import annotations

import json
import os
import signal as signals
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from secateur.cli import main
from secateur.events import read_tsv
from secateur.live.alarm import Alarm
from secateur.live.sinks import queue
from secateur.live.state import LOCK
from secateur.recordings import open_recording
from secateur.recordings.montage import BIPOLAR_18
from secateur.review.folder import RecordingsFolder
from secateur.review.machine import MachineSource
from tests.support.cohorts import eeg, write_edf
from tests.support.live_nights import alarms_in, write_detector

SEIZURES = ((30.0, 50.0), (80.0, 95.0))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = eeg(120, SEIZURES, 6).astype(np.float32)
    return write_detector(
        tmp_path_factory.mktemp("detector") / "D.onnx", data, montage="bipolar-18"
    )


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_edf(
        tmp_path_factory.mktemp("night") / "night.edf", eeg(120, SEIZURES, 5), BIPOLAR_18
    )


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t")[:4] for line in path.read_text().splitlines()]


def alarms_of(folder: Path, kind: str) -> list[Alarm]:
    return [alarm for alarm in alarms_in(folder / "alarms.jsonl") if alarm.kind == kind]


def test_a_replayed_file_has_the_events_of_detect(
    night: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--detector", str(detector), "--out"]
    table = tmp_path / "night_events.tsv"
    assert main(["detect", str(night), *words, str(table)]) == 0
    out, state = tmp_path / "live", tmp_path / "ward.monitor"
    live = ["live", "--source", f"replay:{night}@max", *words, str(out)]
    assert main([*live, "--monitor", str(state)]) == 0
    assert rows(out / "events.tsv") == rows(table)
    assert len(read_tsv(table)) >= 2
    opened, closed = alarms_of(out, "opened"), alarms_of(out, "closed")
    assert [alarm.onset for alarm in opened] == [alarm.onset for alarm in closed]
    assert all(set(alarm.channels or ()) <= set(BIPOLAR_18) for alarm in (*opened, *closed))
    assert all(alarm.channels for alarm in (*opened, *closed))
    assert alarms_of(out, "technical")[-1].trouble == "ended"
    assert "seizure since" in capsys.readouterr().out
    (patient,) = json.loads(state.read_text())["patients"]
    assert patient["key"] == "night"
    assert sum(hour["alarms"] for hour in patient["hours"]) == len(closed)
    assert main(live) == 1
    assert "is complete" in capsys.readouterr().err


@pytest.mark.parametrize("by", [signals.SIGTERM, signals.SIGINT])
def test_a_stop_is_in_order_and_the_same_command_goes_on(
    night: Path,
    detector: Path,
    tmp_path: Path,
    by: signals.Signals,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    words = ["live", "--source", f"replay:{night}@60x", "--detector", str(detector)]
    command = [sys.executable, "-m", "secateur", *words, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        begun = time.monotonic()
        while not (out / "alarms.jsonl").exists() or not alarms_of(out, "opened"):
            time.sleep(0.02)
            assert time.monotonic() - begun < 20
        process.send_signal(by)
        assert process.wait(timeout=10) == 0
    first = read_tsv(out / "events.tsv")
    assert 0 < first.duration < 120
    assert not (out / LOCK).exists(), "by which the review page knows that it was stopped"
    assert main([*words, "--out", str(out)]) == 0
    events = f"{len(first)} event{'s' if len(first) > 1 else ''}"
    progress = capsys.readouterr().err.splitlines()[0]
    assert progress.endswith(f" of signal, {events}, 1 technical alarm since it was started")
    batch = tmp_path / "batch_events.tsv"
    assert main(["detect", str(night), "--detector", str(detector), "--out", str(batch)]) == 0
    assert rows(out / "events.tsv") == rows(batch)
    restart, *_ = [a for a in alarms_of(out, "technical") if a.trouble == "restart"]
    assert restart.stream_seconds == pytest.approx(first.duration, abs=0.01)


def test_a_recorded_night_is_reviewed_with_its_table_and_detected_again(
    night: Path, detector: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["--detector", str(detector), "--out"]
    live = ["live", "--source", f"replay:{night}@max"]
    assert main([*live, *words, str(out), "--record"]) == 0
    assert main([*live, *words, str(tmp_path / "plain")]) == 0
    assert rows(out / "events.tsv") == rows(tmp_path / "plain" / "events.tsv")
    folder = RecordingsFolder(out)
    (item,) = folder.items()
    assert item.name == "night_eeg.edf"
    recording = folder.open(item)
    assert np.abs(recording.read() - open_recording(night).read()).max() <= 0.0502
    events = MachineSource(folder, None).of(item, recording)
    assert events.source == "file"
    assert events.complete
    expected = [(event.onset, event.end) for event in read_tsv(out / "events.tsv")]
    assert len(expected) >= 2
    assert [(event.onset, event.end) for event in events.events] == expected
    again = tmp_path / "again.tsv"
    assert main(["detect", str(out / item.name), *words, str(again)]) == 0
    assert [(event.onset, event.end) for event in read_tsv(again)] == expected


def test_a_recording_is_refused_where_its_beginning_went_by(
    night: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["live", "--source", f"replay:{night}@60x", "--detector", str(detector)]
    command = [sys.executable, "-m", "secateur", *words, "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        begun = time.monotonic()
        while not (tmp_path / "out" / "alarms.jsonl").exists() or not alarms_of(
            tmp_path / "out", "opened"
        ):
            time.sleep(0.02)
            assert time.monotonic() - begun < 20
        process.send_signal(signals.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert main([*words, "--out", str(tmp_path / "out"), "--record"]) == 1
    assert "went on without --record" in capsys.readouterr().err


def test_frames_on_standard_input(night: Path, detector: Path, tmp_path: Path) -> None:
    recording = open_recording(night)
    frames = np.ascontiguousarray(recording.read().T).astype("<f4").tobytes()
    words = ["live", "--source", "-", "--detector", str(detector), "--out", str(tmp_path / "out")]
    stated = ["--sampling-rate", "256", "--channels", ",".join(recording.channels)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "secateur", *words, *stated]
    subprocess.run(command, env=environment, input=frames, check=True, capture_output=True)
    batch = tmp_path / "batch_events.tsv"
    assert main(["detect", str(night), "--detector", str(detector), "--out", str(batch)]) == 0
    assert rows(tmp_path / "out" / "events.tsv") == rows(batch)


class Hook(BaseHTTPRequestHandler):
    """Fails half of the time, and keeps what it has said yes to."""

    keys: ClassVar[list[str]] = []
    calls: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.calls.append(len(body))
        good = len(self.calls) % 2 == 0
        if good:
            self.keys.append(json.loads(body)["key"])
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is printed."""


def test_alarms_reach_a_sink_that_fails_half_of_the_time(
    night: Path, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PAUSES", (0.01, 0.05))
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ["live", "--source", f"replay:{night}@max", "--detector", str(detector)]
        hook = f"http://127.0.0.1:{server.server_address[1]}/hook"
        assert main([*words, "--out", str(tmp_path / "out"), "--alarm-to", hook]) == 0
        server.shutdown()
    alarms = alarms_in(tmp_path / "out" / "alarms.jsonl")
    assert list(dict.fromkeys(Hook.keys)) == [alarm.key for alarm in alarms]
    assert len(Hook.calls) > len(Hook.keys) >= len(alarms) > 4


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--source", "telepathy"], "no source"),
        (["--source", "replay:{night}", "--alarm-to", "pigeon:ward"], "no address for alarms"),
        (["--source", "replay:nobody.edf"], "nobody.edf"),
        (["--source", "-", "--source", "-"], "stands there twice"),
        (["--source", "replay:{night}", "--channels", "Fp1"], "is for --source - and for lsl:"),
        (["--source", "replay:{night}", "--sampling-rate", "256"], "is for --source -"),
        (["--source", "replay:{night}", "--monitor", "page.html"], "wanted a file of its own"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(
    words: list[str],
    reason: str,
    night: Path,
    detector: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [word.replace("{night}", str(night)) for word in words]
    assert main(["live", *words, "--detector", str(detector), "--out", str(tmp_path / "o")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert reason in error


def test_two_processes_never_write_one_folder(
    night: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from secateur.marking.worker import alone

    with alone(tmp_path / LOCK, tmp_path):
        words = ["live", "--source", f"replay:{night}", "--detector", str(detector)]
        assert main([*words, "--out", str(tmp_path)]) == 1
    assert "another `secateur live` is writing it" in capsys.readouterr().err
