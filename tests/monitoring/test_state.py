"""The state's file: whatever the order, whatever is killed, the same bytes; and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from secateur.errors import MonitorError, RunError
from secateur.events import Events
from secateur.files import locked
from secateur.monitoring.judging import report
from secateur.monitoring.patients import mark_of, patient_of
from secateur.monitoring.recording import as_sketch
from secateur.monitoring.sketch import HourSketch, SavedHour
from secateur.monitoring.sketching import Sketcher
from secateur.monitoring.state import Listed, Monitor, Patient, RecordingSketch, opened
from secateur.recordings import map_montage
from secateur.recordings.montage import BIPOLAR_18
from tests.support.sketches import hour_of

DETECTOR = "d" * 64
EPOCH = datetime(1970, 1, 1)


def brought(number: int, minutes: int = 12, patient: str = "sub-01") -> RecordingSketch:
    """The recording `number` of several that follow each other, as a sketch."""
    start = datetime(2026, 3, 1, 20, 0) + timedelta(minutes=minutes * number)
    rate, labels = 64.0, ("F3", "C3", "P3", "O1")
    montage = map_montage(labels, "as-recorded")
    sketcher = Sketcher(labels, montage, rate, start)
    data = np.random.default_rng(number).standard_normal((4, round(60 * minutes * rate)))
    sketcher.push(0, (20 * data).astype(np.float32))
    begins = np.arange(0.0, 60 * minutes - 4)
    hours = sketcher.finish(begins, np.full(len(begins), 0.1), Events((), 1.0), 0.5)
    item = Listed(patient, f"{number}.edf", (start - EPOCH).total_seconds(), 60.0 * minutes)
    return as_sketch(item, "", f"{number:064x}", "", hours, sketcher.setup)


def filled(path: Path, sketches: list[RecordingSketch]) -> bytes:
    with opened(path, DETECTOR) as monitor:
        for sketch in sketches:
            monitor.add(sketch)
    return path.read_bytes()


def test_where_nothing_can_be_written_the_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    state = tmp_path / "file" / "ward-7.monitor"
    words = r"ward-7.monitor: cannot be written \(.+\); give"
    with pytest.raises(RunError, match=words) as refused, opened(state, DETECTOR):
        pass
    assert "\n" not in str(refused.value)


def test_the_file_is_the_same_in_whichever_order_recordings_come(tmp_path: Path) -> None:
    sketches = [brought(number) for number in range(8)]
    expected = filled(tmp_path / "a", sketches)
    assert filled(tmp_path / "b", sketches[::-1]) == expected
    half = tmp_path / "c"
    filled(half, [sketches[5], sketches[1], sketches[2]])  # as if it had been killed here
    assert filled(half, sketches) == expected
    hours = list(Monitor.read(half, DETECTOR).patients["sub-01"].hours())
    # six recordings of 12 minutes: hours that several recordings share
    assert [hour.seconds for hour in hours] == [3600, 2160]


def test_nobody_else_writes_it_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "w.monitor"
    with (
        locked(tmp_path / ".w.monitor.lock"),
        pytest.raises(RunError, match="another process"),
        opened(path, DETECTOR),
    ):
        pass
    assert not path.exists()


def test_an_interrupted_call_keeps_what_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "w.monitor"

    def interrupted() -> None:
        with opened(path, DETECTOR) as monitor:
            monitor.add(brought(0))
            monitor.add(brought(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(Monitor.read(path, DETECTOR).patients["sub-01"].recordings) == 2


def test_another_detectors_state_and_what_is_none_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "w.monitor"
    filled(path, [brought(0)])
    with pytest.raises(MonitorError, match="another detector"):
        Monitor.read(path, "e" * 64)
    content = json.loads(path.read_text())
    content["patients"][0]["hours"][0]["packed"] = "AAAA"
    damaged = tmp_path / "damaged"
    damaged.write_text(json.dumps(content))
    with pytest.raises(MonitorError, match="damaged"):
        Monitor.read(damaged, DETECTOR)
    (tmp_path / "text").write_text("hello")
    for other in (tmp_path / "text", tmp_path):
        with pytest.raises(MonitorError, match=r"(wanted a|no) monitor's state"):
            Monitor.read(other, DETECTOR)


def test_two_patients_under_one_key_are_refused(tmp_path: Path) -> None:
    first, second = (brought(number) for number in (0, 1))
    with opened(tmp_path / "w", DETECTOR) as monitor:
        monitor.add(RecordingSketch(**{**vars(first), "mark": "aaaa"}))
        with pytest.raises(MonitorError, match=r"1\.edf: its header names another patient"):
            monitor.add(RecordingSketch(**{**vars(second), "mark": "bbbb"}))


def test_recordings_whose_clock_can_not_be_right_belong_to_no_day(tmp_path: Path) -> None:
    night = Listed("p", "a.edf", 0.0, 7200.0)
    overlapping = Listed("p", "b.edf", 3600.0, 7200.0)
    nearly = Listed("p", "c.edf", 7190.0, 3600.0)
    silent = Listed("p", "d.edf", None, 3600.0)
    other = Listed("q", "e.edf", 3600.0, 7200.0)
    monitor = Monitor(tmp_path / "w", DETECTOR, {})
    items = [night, overlapping, nearly, silent, other]
    reasons = monitor.undated(items)
    assert [bool(reason) for reason in reasons] == [False, True, False, True, False]
    assert "overlaps a.edf" in reasons[1]
    assert "does not tell when it began" in reasons[3]
    assert monitor.undated(items[::-1]) == reasons[::-1]


def test_of_copies_the_one_that_belongs_to_a_day_counts_whichever_is_done_first(
    tmp_path: Path,
) -> None:
    first = brought(0)
    copies = [
        replace(first, listed=replace(first.listed, name=name), undated="overlaps 0.edf")
        for name in ("copy.edf", "again.edf")
    ]
    expected = filled(tmp_path / "a", [first, *copies])
    assert filled(tmp_path / "b", [*copies, first]) == expected
    assert filled(tmp_path / "c", [first]) == expected
    assert filled(tmp_path / "d", copies) == filled(tmp_path / "e", copies[::-1])


def test_days_before_those_that_were_judged_are_not_compared(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path / "w", DETECTOR, {})
    monitor.add(brought(0))
    monitor.state_judged("sub-01", date(2026, 3, 1))
    day = 86_400.0
    begin = brought(0).listed.begin
    assert begin is not None
    earlier, same, later = (
        Listed("sub-01", f"x{shift}", begin + shift, 60.0) for shift in (-day, 3600.0, day)
    )
    reasons = monitor.undated([later, earlier, same])
    assert [bool(reason) for reason in reasons] == [False, True, False]
    assert "before 2026-03-01" in reasons[1]


def test_faults_of_a_recording_without_a_day_are_kept_and_told(tmp_path: Path) -> None:
    labels, rate = ("F3", "C3", "P3", "O1"), 64.0
    sketcher = Sketcher(labels, map_montage(labels, "as-recorded"), rate, None)
    data = (20 * np.random.default_rng(0).standard_normal((4, 64 * 600))).astype(np.float32)
    data[2, 6400:] = 0
    sketcher.push(0, data)
    begins = np.arange(0.0, 590.0)
    hours = sketcher.finish(begins, np.full(590, 0.9), Events((), 600.0), 0.5)
    assert hours[0].high > 0
    item = Listed("p", "n.edf", None, 600.0)
    monitor = Monitor(tmp_path / "w", DETECTOR, {})
    monitor.add(as_sketch(item, "no start", "0" * 64, "", hours, sketcher.setup))
    monitor.write()
    result = report(Monitor.read(monitor.path, DETECTOR).patients["p"])
    assert result.days == ()
    ((recording, faults),) = result.undated
    assert recording.undated == "no start"
    assert [(fault.kind, fault.channel, fault.begin, fault.end) for fault in faults] == [
        ("flat", "P3", 120, 600)
    ]
    assert result.called


def test_a_patients_month_takes_at_most_three_megabytes(tmp_path: Path) -> None:
    """A month of one-hour recordings of 18 channels, as uneven within the hour as EEG is."""
    rng = np.random.default_rng(0)
    hours: list[HourSketch] = [hour_of(rng, BIPOLAR_18, 3600 * k) for k in range(48)]
    monitor = Monitor(tmp_path / "w", DETECTOR, {})
    for k in range(720):
        hour = SavedHour.of(hours[k % 48], 0).model_copy(update={"start": 3600 * k})
        item = Listed("sub-01", f"sub-01/eeg/sub-01_run-{k:04d}_eeg.edf", 3600.0 * k, 3600.0)
        monitor.patients.setdefault("sub-01", Patient("sub-01")).add(
            RecordingSketch(item, f"{k:064x}", "", hours[0].setup, (hour,))
        )
    size = len(monitor.to_bytes())
    assert size <= 3_000_000
    assert size > 500_000


def test_a_patient_is_known_by_folder_and_checked_by_the_header(tmp_path: Path) -> None:
    assert patient_of("sub-07/ses-01/eeg/sub-07_ses-01_run-0_eeg.edf", "ward") == "sub-07"
    assert patient_of("sub-07_run-0_eeg.edf", "ward") == "sub-07"
    assert patient_of("bed-3/night.edf", "ward") == "bed-3"
    assert patient_of("night.edf", "bed-3") == "bed-3"

    def header(field: str) -> Path:
        path = tmp_path / "x.edf"
        path.write_bytes(b"0       " + field.ljust(80).encode() + b" " * 168)
        return path

    assert mark_of(header("X F X X")) == mark_of(header("")) == ""
    first = mark_of(header("0815 M 01-JAN-1990 Doe"))
    assert len(first) == 4
    assert first == mark_of(header("0815  M 01-JAN-1990 doe"))
    assert first != mark_of(header("0816 M 01-JAN-1990 Roe"))
    assert mark_of(tmp_path / "x.vhdr") == ""
