"""The recording of a live signal: what stands in it, what is told of it, and what can't be recorded."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import edfio
import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.detectors import load_detector
from secateur.errors import RunError, SettingsError
from secateur.live.recorder import SignalRecorder, recording_name
from secateur.live.state import LOCK
from secateur.live.stream import StreamInfo
from secateur.recordings import open_recording
from secateur.recordings.edf import read_header
from secateur.review import folder as review_folder
from secateur.review.folder import RecordingsFolder
from secateur.review.machine import MachineSource
from secateur.review.session import ReviewSession
from tests.support.live_nights import (
    CHANNELS,
    RATE,
    START,
    Night,
    require_recorded,
    signal,
    ward_of,
    write_detector,
)
from tests.support.waiting import until

COUNT = round(RATE)
INFO = StreamInfo("bed", CHANNELS, RATE)


def begun(path: Path, *, anew: bool = True, info: StreamInfo = INFO) -> SignalRecorder:
    recorder = SignalRecorder(path, info)
    recorder.begin(anew=anew)
    return recorder


def push(
    recorder: SignalRecorder, data: NDArray[np.float32], begin: int, end: int
) -> list[tuple[str, str]]:
    return recorder.push(begin, data[:, begin:end], START)


def stated_records(path: Path) -> int:
    return int(path.read_bytes()[236:244])


@pytest.mark.clause("EDF+ 2.1.3.3")
@pytest.mark.clause("EDF+ 2.1.3.10")
def test_it_grows_by_whole_records_and_states_their_number_at_the_end(tmp_path: Path) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(10)
    recorder = begun(path)
    push(recorder, data, 0, COUNT - 1)
    assert not path.exists()
    sizes = []
    for at in range(COUNT - 1, 5 * COUNT + 7, 3):
        push(recorder, data, at, at + 3)
        sizes.append(path.stat().st_size if path.exists() else 0)
    assert len(set(sizes)) == 5
    header = read_header(path)
    assert stated_records(path) == -1
    assert header.records == 5
    assert header.discontinuous
    recorder.close()
    assert stated_records(path) == 5
    require_recorded(path, data, [(0, 5 * COUNT + 7)])
    foreign = edfio.read_edf(path)
    assert foreign.num_data_records == 5
    assert foreign.data_record_duration == 1
    assert (foreign.patient.code, foreign.patient.name) == ("X", "X")


@pytest.mark.clause("EDF+ 2.1.2")
def test_a_gap_is_a_gap_and_what_came_before_is_passed_over(tmp_path: Path) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(60)
    recorder = begun(path)
    for begin, end in ((0, 200), (150, 230), (231, 400), (401, 450), (1000, 2000), (1500, 2100)):
        assert push(recorder, data, begin, end) == []
    recorder.close()
    require_recorded(path, data, [(0, 230), (231, 400), (401, 450), (1000, 2100)])
    assert read_header(path).records == 3 + 2 + 17


def test_half_a_record_is_cut_off_and_each_sample_stands_once(tmp_path: Path) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(20)
    push(begun(path), data, 0, 500)  # and is never closed
    path.write_bytes(
        path.read_bytes() + bytes(1000)
    )  # two records without content, half of a third
    recorder = begun(path, anew=False)
    assert stated_records(path) == -1
    for begin, end in ((300, 450), (450, 900)):
        assert push(recorder, data, begin, end) == []
    recorder.close()
    require_recorded(path, data, [(0, 900)])
    recorder = begun(path, anew=False)
    push(recorder, data, 1000, 1200)
    recorder.close()
    require_recorded(path, data, [(0, 896), (1000, 1200)])


def test_what_is_lost_in_the_first_second_moves_no_time(tmp_path: Path) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(20)
    recorder = begun(path)
    assert push(recorder, data, 0, 40) == []
    ((trouble, words),) = push(recorder, data, 50, 100)
    assert (trouble, words.partition(" ")[0]) == ("signal", "10")
    push(recorder, data, 100, 500)
    recorder.close()
    expected = data.copy()
    expected[:, 40:50] = 0
    require_recorded(path, expected, [(0, 500)])


def test_what_edf_cannot_hold_is_told_once(tmp_path: Path) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(20)
    data[0, 100:110], data[1, 300:310], data[2, 300], data[2, 301] = 4000, np.nan, -np.inf, 3e38
    recorder = begun(path)
    notes = [note for at in range(0, 640, 10) for note in push(recorder, data, at, at + 10)]
    recorder.close()
    assert [trouble for trouble, _ in notes] == ["signal", "signal"]
    assert "3,276.7 µV are clipped" in notes[0][1]
    assert "without a value" in notes[1][1]
    data[1, 300:310] = 0
    require_recorded(path, np.clip(data, -3276.7, 3276.7), [(0, 640)])


def test_a_full_disk_is_told_and_leaves_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(20)
    recorder, write, full = begun(path), os.pwrite, [True]

    def pwrite(file: int, content: bytes, at: int) -> int:
        return write(file, content[: len(content) // 2] if full[0] else content, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    notes = push(recorder, data, 0, 3 * COUNT)
    assert [trouble for trouble, _ in notes] == ["disk"]
    assert "No space left" in notes[0][1]
    assert path.stat().st_size == 0
    full[0] = False
    ((trouble, words),) = push(recorder, data, 3 * COUNT, 5 * COUNT)
    assert (trouble, "written again, from 3.00 s" in words) == ("disk", True)
    full[0] = True
    push(recorder, data, 5 * COUNT, 6 * COUNT)
    full[0] = False
    push(recorder, data, 6 * COUNT, 7 * COUNT)
    recorder.close()
    data[:, :COUNT] = 0  # times count from a record that could not be written
    seconds = [(0, 1), (3, 5), (6, 7)]
    require_recorded(path, data, [(begin * COUNT, end * COUNT) for begin, end in seconds])


@pytest.mark.clause("EDF FAQ 9")
def test_a_rate_that_is_no_whole_number_has_longer_records(tmp_path: Path) -> None:
    path, generator = tmp_path / "bed_eeg.edf", np.random.default_rng(0)
    data = generator.normal(0, 30, (2, 1000)).astype(np.float32)
    recorder = begun(path, info=StreamInfo("bed", ("Fp1", "Cz"), 62.5))
    push(recorder, data, 0, 300)
    push(recorder, data, 313, 1000)
    recorder.close()
    recording = open_recording(path)
    assert recording.sampling_rate == 62.5
    assert list(recording.stretches) == [(0, 250), (313, 938)]
    values = recording.read(313 / 62.5, 938 / 62.5)
    assert np.abs(values - data[:, 313:938]).max() <= 0.0502


@pytest.mark.clause("EDF+ 2.1.3.1")
@pytest.mark.parametrize(
    ("channels", "rate", "reason"),
    [
        (("Fp1",), 99.97, "no record of 1 to 10 s"),
        (("Fp1", "a label of 17 chr"), 256.0, "up to 16"),
        (("µ",), 256.0, "up to 16"),
        (("EDF Annotations",), 256.0, "up to 16"),
    ],
)
def test_what_cannot_be_an_edf_is_refused(
    channels: tuple[str, ...], rate: float, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=reason):
        SignalRecorder(tmp_path / "bed_eeg.edf", StreamInfo("bed", channels, rate))


def test_another_recording_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path, data = tmp_path / "bed_eeg.edf", signal(20)
    recorder = begun(path)
    push(recorder, data, 0, 500)
    recorder.close()
    content = path.read_bytes()
    with pytest.raises(RunError, match="is there already"):
        begun(path)
    with pytest.raises(RunError, match="not this bed's recording"):
        begun(path, anew=False, info=StreamInfo("bed", ("Fp1", "Cz", "O1"), RATE))
    assert path.read_bytes() == content


def test_the_page_finds_each_bed_and_its_table_as_the_night_goes_on(tmp_path: Path) -> None:
    detector = load_detector(write_detector(tmp_path / "D.onnx"))
    nights = [signal(100, seed) for seed in range(2)]
    plan = [(at, at + 50) for at in range(0, nights[0].shape[1], 50)]
    out = tmp_path / "out"
    ward = ward_of(out, [Night(data, plan) for data in nights], detector)
    for bed in ward.beds:
        bed.recorder = SignalRecorder(bed.folder / recording_name(bed.name), bed.source.info)
    ward.run(lambda: min(bed.seconds for bed in ward.beds) > 80)
    (out / LOCK).touch()  # as the command leaves it there while it goes on
    folder = RecordingsFolder(out)
    items = folder.items()
    assert [item.name for item in items] == ["bed-1-2/bed-1-2_eeg.edf", "bed-1/bed-1_eeg.edf"]
    for item, bed in zip(items, reversed(ward.beds), strict=True):
        events = MachineSource(folder, None).of(item, folder.open(item))
        closed = [event.onset for event in bed.events if event.end < 70]
        assert closed
        assert [event.onset for event in events.events][: len(closed)] == closed
        assert not events.complete


def test_the_page_follows_a_recording_that_grows_and_has_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_folder, "_AGAIN", 0.0)
    monkeypatch.setattr(review_folder, "_SHARE", 0)
    detector = load_detector(write_detector(tmp_path / "D.onnx"))
    data, path = signal(200), tmp_path / "night" / "bed_eeg.edf"
    recorder = begun(path)
    push(recorder, data, 0, 60 * COUNT)
    session = ReviewSession(RecordingsFolder(path.parent), detector)
    try:
        id = session.recordings()["recordings"][0]["id"]
        for begin, end in ((60, 70), (90, 130), (140, 200)):
            push(recorder, data, begin * COUNT + 5, end * COUNT)
            progress = (end - 1 + 5 / COUNT, 1)
            until(partial(lambda expected: session.state(id)[1:3] == expected, progress))
            assert session.describe(id)["live"]
        seen = session.events(id)["events"]
    finally:
        session.close()
    recorder.close()
    expected = detector.detect(open_recording(path))
    assert len(seen) >= len(expected) - 1 > 3
    assert [event["onset"] for event in seen] == [round(e.onset, 2) for e in expected][: len(seen)]


def test_a_bed_called_as_a_recording_has_no_ending_twice() -> None:
    assert recording_name("ward-7") == "ward-7_eeg.edf"
    assert recording_name("sub-01_run-02_eeg") == "sub-01_run-02_eeg.edf"
