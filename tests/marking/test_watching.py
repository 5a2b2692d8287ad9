"""Recordings into a monitor's state: by folder or on the way of detection, to the same bytes."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
import time
from pathlib import Path

import edfio
import numpy as np
import pytest

from secateur.cli import main
from secateur.detectors import load_detector
from secateur.marking import ExecutionOptions
from secateur.marking.watching import monitor_folder
from secateur.monitoring.state import Monitor
from secateur.recordings.montage import BIPOLAR_18
from tests.marking.test_marking import detector_file

START = datetime.datetime(2026, 3, 1, 21, 57, 0)


def night(
    path: Path,
    start: datetime.datetime,
    *,
    name: str = "X",
    flat: int | None = None,
    minutes: int = 5,
    rate: int = 128,
) -> Path:
    """Noise under 10-20 names; the channel `flat` gives no signal."""
    seed = start.hour * 60 + start.minute
    data = 30 * np.random.default_rng(seed).standard_normal((18, 60 * minutes * rate))
    if flat is not None:
        data[flat] = 0.0
    signals = [
        edfio.EdfSignal(row, rate, label=label, physical_dimension="uV", physical_range=(-400, 400))
        for row, label in zip(np.clip(data, -399, 399), BIPOLAR_18, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf(
        signals,
        patient=edfio.Patient(name=name),
        recording=edfio.Recording(startdate=start.date()),
        starttime=start.time(),
    ).write(path)
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return detector_file(tmp_path_factory.mktemp("detector") / "d.onnx", threshold=0.5)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients: of one two recordings that share an hour, and one of the day after; a flat channel."""
    folder = tmp_path_factory.mktemp("wards") / "ward-7"
    five = datetime.timedelta(minutes=5)
    night(folder / "bed-1" / "a.edf", START)
    night(folder / "bed-1" / "b.edf", START + five)
    night(folder / "bed-1" / "c.edf", START + datetime.timedelta(days=1))
    night(folder / "bed-2" / "a.edf", START, flat=4)
    return folder


def monitored(ward: Path, state: Path, detector: Path, workers: int = 1) -> bytes:
    monitor_folder([ward], state, detector, ExecutionOptions(workers=workers))
    return state.read_bytes()


def test_by_folder_on_the_way_and_by_several_processes_the_state_is_the_same(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = monitored(ward, tmp_path / "a", detector)
    assert monitored(ward, tmp_path / "b", detector, workers=2) == expected
    words = ["detect", str(ward), "--detector", str(detector), "--out", str(tmp_path / "out")]
    assert main([*words, "--monitor", str(tmp_path / "c"), "--workers", "2"]) == 0
    assert (tmp_path / "c").read_bytes() == expected
    assert (
        "bed-2: 1 day: 1 fault; Fp1-F7: no signal, 2026-03-01 21:57:00" in capsys.readouterr().out
    )
    # what was marked before there was a monitor is sketched all the same, and its TSV left alone
    tsv = tmp_path / "out" / "bed-1" / "a_events.tsv"
    before = tsv.stat().st_mtime_ns
    assert main([*words, "--monitor", str(tmp_path / "d"), "--workers", "1"]) == 0
    assert (tmp_path / "d").read_bytes() == expected
    assert tsv.stat().st_mtime_ns == before


def test_a_folder_a_patient_and_days_by_the_clock(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    monitored(ward, tmp_path / "a", detector)
    monitor = Monitor.read(tmp_path / "a", load_detector(detector).fingerprint)
    assert sorted(monitor.patients) == ["bed-1", "bed-2"]
    hours = list(monitor.patients["bed-1"].hours())
    assert [(hour.date.day, hour.hour, hour.seconds) for hour in hours] == [
        (1, 21, 180),
        (1, 22, 420),
        (2, 21, 180),
        (2, 22, 120),
    ]
    assert all(hour.windows for hour in hours)


def test_a_call_that_was_interrupted_goes_on_to_the_same_bytes(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    expected = monitored(ward, tmp_path / "a", detector)
    state, seen = tmp_path / "b", []

    def stop(done: float, total: float) -> None:
        seen.append(done)
        if len(seen) == 3:  # at (0, 0), and after two recordings
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monitor_folder([ward], state, detector, ExecutionOptions(), stop)
    monitor = Monitor.read(state, load_detector(detector).fingerprint)
    assert sum(len(patient.recordings) for patient in monitor.patients.values()) == 2
    seen.clear()
    result = monitor_folder(
        [ward], state, detector, ExecutionOptions(), lambda d, t: seen.append(t)
    )
    assert state.read_bytes() == expected
    assert seen[-1] == 600  # seconds: what was known was not read again
    assert [outcome.status for _, outcome in result.outcomes].count("already there") == 2


def test_the_command_tells_writes_a_page_and_exits_with_three(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "monitor.html"
    alone = ["--detector", str(detector), "--workers", "1", "--state"]
    words = ["monitor", str(ward), *alone, str(tmp_path / "s")]
    assert main([*words, "--out", str(page)]) == 3
    out = capsys.readouterr().out
    assert "bed-1: 2 days: 2 not enough known; not enough known: fewer than 3 days" in out
    assert "bed-2: 1 day: 1 fault; Fp1-F7: no signal" in out
    html = page.read_text()
    assert "Look at the electrodes first: Fp1-F7" in html
    assert "http" not in html.replace("http-equiv", "")
    copy = tmp_path / "bed-1"
    shutil.copytree(ward / "bed-1", copy)
    (copy / "c.edf.gz").touch()
    assert main(["monitor", str(copy), *alone, str(tmp_path / "t")]) == 0
    assert "formats that can't be read, passed over: 1 .edf.gz" in capsys.readouterr().out


def test_what_can_not_be_right_is_said_in_a_line(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--detector", str(detector), "--workers", "1", "--state", str(tmp_path / "s")]
    two = tmp_path / "two"
    night(two / "a.edf", START, name="Doe")
    night(two / "b.edf", START + datetime.timedelta(hours=1), name="Roe")
    assert main(["monitor", str(two), *words]) == 1
    out = capsys.readouterr()
    assert "failed: b.edf: its header names another patient" in out.out
    assert "Doe" not in out.out + out.err
    other = detector_file(tmp_path / "e.onnx", threshold=0.7)
    assert main(["monitor", str(two), "--detector", str(other), *words[2:]]) == 1
    assert "is the state of another detector" in capsys.readouterr().err
    assert main(["monitor", str(two), *words[:2], "--state", str(tmp_path / "x.onnx")]) == 1
    assert "wanted a file of its own" in capsys.readouterr().err
    again = tmp_path / "again" / "p"
    night(again / "a.edf", START)
    night(again / "b.edf", START + datetime.timedelta(minutes=2), minutes=4)
    words[-1] = str(tmp_path / "again.monitor")
    assert main(["monitor", str(again), *words]) == 0
    out = capsys.readouterr()
    assert "note: b.edf: belongs to no day (by its clock it overlaps a.edf" in out.out


def test_what_can_not_be_judged_keeps_nothing_else_from_its_day(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An ECG that ran beside the EEG, and comes before it in the alphabet, is no copy of it."""
    bed = tmp_path / "bed-3"
    night(bed / "b-eeg.edf", START)
    signal = edfio.EdfSignal(
        np.zeros(5 * 60 * 128),
        128,
        label="ECG",
        physical_dimension="uV",
        physical_range=(-400, 400),
    )
    edfio.Edf(
        [signal],
        recording=edfio.Recording(startdate=START.date()),
        starttime=START.time(),
    ).write(bed / "a-ecg.edf")
    words = ["--detector", str(detector), "--workers", "1", "--state", str(tmp_path / "s")]
    assert main(["monitor", str(bed), *words]) == 1
    out = capsys.readouterr().out
    assert "failed: a-ecg.edf: montage bipolar-18 lacks" in out
    assert "belongs to no day" not in out
    assert "bed-3: 1 day" in out


def test_another_montage_or_rate_is_a_fault(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bed-9"
    night(folder / "a.edf", START)
    night(folder / "b.edf", START + datetime.timedelta(hours=2), rate=256)
    words = ["--detector", str(detector), "--workers", "1", "--state", str(tmp_path / "s")]
    assert main(["monitor", str(folder), *words]) == 3
    out = capsys.readouterr().out
    assert "sampling rate changed: 128 Hz before, 256 Hz now, 2026-03-01 23:00:00" in out


@pytest.mark.slow
def test_a_call_that_was_killed_goes_on_to_the_same_bytes(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    expected = monitored(ward, tmp_path / "a", detector)
    state = tmp_path / "b"
    words = ["monitor", ward, "--detector", detector, "--state", state, "--workers", "1"]
    command = [sys.executable, "-m", "secateur", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not state.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert state.exists()
    assert monitored(ward, state, detector) == expected
