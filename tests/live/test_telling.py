"""Which channels speak most: those that `explain` names, at every bed at once; null where nobody knows."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.cli import main
from secateur.detectors import Detector, load_detector, pack
from secateur.detectors.eight_bits import quantise
from secateur.explaining import explain_events
from secateur.explaining.writing import most_of
from secateur.live.alarm import Alarm
from secateur.live.stream import StreamInfo
from secateur.live.telling import explain_beds
from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg, write_edf
from tests.support.explained import looking_at, packed
from tests.support.live_nights import (
    CHANNELS,
    RATE,
    Night,
    alarms_in,
    signal,
    ward_of,
    write_detector,
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(write_detector(tmp_path_factory.mktemp("telling") / "D.onnx"))


def plan_in_pieces(data: NDArray[np.float32], size: int) -> list[tuple[int, int]]:
    return [(k, min(k + size, data.shape[1])) for k in range(0, data.shape[1], size)]


def alarms_of(out: Path, *kinds: str) -> list[Alarm]:
    return [alarm for alarm in alarms_in(out / "alarms.jsonl") if alarm.kind in kinds]


def test_closed_events_name_the_channels_that_explain_names(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(400, 3)
    ward = ward_of(tmp_path, [Night(data, plan_in_pieces(data, 50))], detector)
    assert explain_beds(ward.beds, detector) is None
    ward.run(lambda: False)
    recording = ArrayRecording(data, RATE, CHANNELS)
    events = list(detector.detect(recording))
    expected = [tuple(most_of(why)[0]) for why in explain_events(detector, recording, events)]
    closed = alarms_of(tmp_path, "closed")
    assert [alarm.channels for alarm in closed] == expected
    assert len(set(expected)) > 2
    assert all(alarm.channels is not None for alarm in alarms_of(tmp_path, "opened"))


def test_the_channel_that_the_network_looks_at_is_named_also_in_heartbeats(tmp_path: Path) -> None:
    detector = Detector(packed(looking_at(2), threshold=0.5))
    labels = detector.chain.channel_names
    generator = np.random.default_rng(0)
    data = generator.normal(0, 30, (len(labels), 256 * 30)).astype(np.float32)
    night = Night(data, plan_in_pieces(data, 64))
    night.info = StreamInfo("bed 1", labels, 256.0)
    ward = ward_of(tmp_path, [night], detector)
    assert explain_beds(ward.beds, detector) is None
    (bed,) = ward.beds
    bed.begin()
    bed.save()()
    while not night.finished:
        bed.take(night.read(0))
        bed.heartbeat()
    beats = alarms_of(tmp_path, "heartbeat")
    early = [beat for beat in beats if beat.stream_seconds < 3]
    late = [beat for beat in beats if beat.stream_seconds > 8]
    assert early
    assert late
    assert all((beat.confidence, beat.channels) == (None, None) for beat in early)
    assert all(beat.confidence is not None for beat in late)
    assert {beat.channels for beat in late} <= {(labels[2],), ()}
    assert all(beat.onset is None is beat.duration for beat in beats)


def test_what_the_last_window_says_is_not_told_of_a_signal_that_has_stopped(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(30)
    ward = ward_of(tmp_path, [Night(data, plan_in_pieces(data, 64))], detector)
    (bed,) = ward.beds
    bed.begin()
    bed.save()()
    while not bed.source.finished:
        bed.take(bed.source.read(0))
    bed.heartbeat()
    bed._arrived -= 60
    bed.heartbeat()
    now, later = alarms_of(tmp_path, "heartbeat")
    assert now.confidence is not None
    assert now.channels is None  # nobody was asked to explain
    assert later.confidence is None


def test_a_detector_in_8_bits_marks_and_says_once_that_it_names_no_channels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = eeg(60, ((20.0, 45.0),), 6).astype(np.float32)
    path = write_detector(tmp_path / "D.onnx", data, montage="bipolar-18")
    windows = np.random.default_rng(0).normal(size=(16, 18, 1024)).astype(np.float32)
    small = tmp_path / "small.onnx"
    detector = load_detector(path)
    network = replace(detector.network, metadata={}).to_bytes()
    small.write_bytes(pack(quantise(network, [windows]), detector.info))
    night = write_edf(tmp_path / "night.edf", eeg(60, ((20.0, 45.0),), 5), BIPOLAR_18)
    out = tmp_path / "out"
    words = ["live", "--source", f"replay:{night}@max", "--detector", str(small)]
    assert main([*words, "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("alarms name no channels") == 1
    closed = alarms_of(out, "closed")
    assert closed
    assert {alarm.channels for alarm in closed} == {None}
    assert main([*words, "--out", str(tmp_path / "plain"), "--no-explain"]) == 0
    assert "channels" not in capsys.readouterr().out


def test_beds_that_all_alarm_in_one_second_take_a_fraction_of_it(tmp_path: Path) -> None:
    """64 beds of 18 channels: the processor's time from the samples to the lines with channels."""
    generator = np.random.default_rng(1)
    loud = np.interp(np.arange(256 * 40), [0, 2560, 5120, 10240], [0.2, 0.2, 3, 3])
    data = (20 * loud * generator.normal(size=(18, 256 * 40))).astype(np.float32)
    path = write_detector(tmp_path / "D.onnx", data, montage="bipolar-18")
    detector = load_detector(path)
    nights = []
    for _ in range(64):
        night = Night(data, plan_in_pieces(data, 256))
        night.info = StreamInfo("bed", BIPOLAR_18, 256.0)
        nights.append(night)
    ward = ward_of(tmp_path / "out", nights, detector)
    assert explain_beds(ward.beds, detector) is None
    for bed in ward.beds:
        bed.begin()
        bed.save()()
    seconds = []
    while not nights[0].finished:
        pieces = [night.read(0) for night in nights]
        for second in range(len(pieces[0])):
            began = time.thread_time()
            for bed, items in zip(ward.beds, pieces, strict=True):
                bed.take(items[second : second + 1])
            seconds.append(time.thread_time() - began)
    opened = alarms_of(tmp_path / "out", "opened")
    assert len(opened) >= 64
    assert len({alarm.stream_seconds for alarm in opened}) == len(opened) / 64
    assert all(alarm.channels for alarm in opened)
    assert max(seconds) < 0.25
