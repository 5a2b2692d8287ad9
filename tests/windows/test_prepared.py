"""Prepared recordings, their cache, and the windows drawn from them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secateur.errors import ChannelsError, RecordingError, RunError, SplitError
from secateur.events import Event, Events
from secateur.recordings import ArrayRecording, Cohort, load_cohort
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import (
    Cache,
    ChainSettings,
    SignalChain,
    WindowSet,
    WindowSettings,
    fit_scale,
    prepare,
)
from secateur.windows.filling import fill
from secateur.windows.prepared import stretch_of, unlike_others
from tests.support.cohorts import eeg, write_cohort, write_edf


@pytest.fixture
def cohort(tiny_cohort: Path) -> Cohort:
    return load_cohort(tiny_cohort)


def test_a_prepared_recording_is_the_chains_and_is_made_once(
    cohort: Cohort, tmp_path: Path
) -> None:
    cache, settings = Cache(tmp_path), ChainSettings()
    entry = cohort.entries[0]
    first = cache.recording(entry.open(), settings).signals[0]
    chained = SignalChain(settings).run(entry.open())
    assert first.shape == chained.shape
    assert np.array_equal(first.read(), chained)
    assert np.array_equal(first.read(100, 700), chained[:, 100:700])
    assert np.array_equal(first.channel(4).read(5, 9), chained[4:5, 5:9])
    assert np.array_equal(np.concatenate(list(first.pieces(1000)), axis=1), chained)
    files = sorted(tmp_path.rglob("*.npy"))
    stamp = files[0].stat().st_mtime_ns
    cache.recording(entry.open(), settings.model_copy(update={"scaling": "running"})).signals[0]
    assert sorted(tmp_path.rglob("*.npy")) == files
    assert files[0].stat().st_mtime_ns == stamp
    cache.recording(entry.open(), settings.model_copy(update={"high": 30.0})).signals[0]
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_a_damaged_cache_is_made_anew(cohort: Cohort, tmp_path: Path) -> None:
    cache, entry = Cache(tmp_path), cohort.entries[0]
    expected = cache.recording(entry.open(), ChainSettings()).signals[0].read()
    for path in tmp_path.rglob("*.npy"):
        path.write_bytes(b"not an array")
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    again = cache.recording(entry.open(), ChainSettings()).signals[0].read()
    assert np.array_equal(again, expected)


def test_a_prepared_recording_that_is_gone_is_said_and_not_guessed(
    cohort: Cohort, tmp_path: Path
) -> None:
    signal = Cache(tmp_path).recording(cohort.entries[0].open(), ChainSettings()).signals[0]
    content = signal.path.read_bytes()
    signal.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match="shorter"):
        signal.read()
    signal.path.unlink()
    with pytest.raises(RunError, match="was the cache deleted"):
        signal.read(0, 10)


def test_contents_are_hashed_once_and_again_when_they_change(tmp_path: Path) -> None:
    cache, path = Cache(tmp_path / "cache"), tmp_path / "x"
    path.write_bytes(b"one")
    first = cache.content_hash(path)
    memory = next((tmp_path / "cache" / "hashes").iterdir())
    text = memory.read_text()
    assert cache.content_hash(path) == first
    assert memory.read_text() == text
    path.write_bytes(b"two, longer")
    assert cache.content_hash(path) != first


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_said(cohort: Cohort, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match="SECATEUR_CACHE"):
        Cache(tmp_path / "x").recording(cohort.entries[0].open(), ChainSettings()).signals[0]


def test_a_cache_that_is_a_file_is_said(cohort: Cohort, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(RunError, match="SECATEUR_CACHE"):
        Cache(file).recording(cohort.entries[0].open(), ChainSettings()).signals[0]


def window_set(cohort: Cohort, scaling: str = "training-set") -> WindowSet:
    chain = ChainSettings.model_validate({"scaling": scaling})
    prepared, _ = prepare(cohort.entries, chain, Cache())
    return WindowSet(prepared, chain, WindowSettings(), fit_scale(prepared, chain, 18))


@pytest.mark.parametrize("scaling", ["training-set", "running"])
def test_windows_are_cut_from_the_chained_recording(cohort: Cohort, scaling: str) -> None:
    windows = window_set(cohort, scaling)
    chain = ChainSettings.model_validate({"scaling": scaling})
    scale = fit_scale(windows.prepared, chain, 18)
    generator = np.random.default_rng(0)
    chosen = generator.choice(len(windows), 40)
    batch = windows.batch(chosen)
    for row, index in zip(batch, chosen, strict=True):
        entry = windows.prepared[windows.recording[index]].entry
        chained = SignalChain(chain, scale).run(entry.open())
        start = windows.starts[index]
        assert np.array_equal(row, chained[:, start : start + 1024])


def test_windows_across_an_edge_are_left_out_of_training_alone(cohort: Cohort) -> None:
    windows = window_set(cohort)
    assert len(windows) == 6 * 57
    assert windows.crosses_event_edge.sum() == 6 * 6
    assert len(windows.trainable()) == len(windows) - windows.crosses_event_edge.sum()
    assert set(windows.subject_of) == set(cohort.subjects)
    assert windows.seconds.min() == 3.0


def test_a_side_of_one_class_is_named(cohort: Cohort) -> None:
    windows = window_set(cohort)
    windows.labels[:] = False
    with pytest.raises(SplitError, match="the validation side has no ictal window"):
        windows.require_both_classes("validation")
    windows.labels[:] = True
    with pytest.raises(SplitError, match="no background window"):
        windows.require_both_classes("test")


def test_missing_channels_end_it_or_are_filled_or_left_out(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2)
    edf = sorted(folder.rglob("*.edf"))[0]
    write_edf(edf, eeg(60, [], 0, channels=17), BIPOLAR_18[:17])
    cohort = load_cohort(folder)
    with pytest.raises(ChannelsError, match="lacks T6-O2"):
        prepare(cohort.entries, ChainSettings(), Cache())
    done, problems = prepare(cohort.entries, ChainSettings(missing="zero"), Cache())
    assert (len(done), problems) == (2, [])
    assert done[0].notes == ("missing, filled with zeros: T6-O2",)
    assert not done[0].signal.channel(17).read().any()
    done, problems = prepare(cohort.entries, ChainSettings(missing="skip"), Cache())
    assert len(done) == 1
    assert "lacks T6-O2" in problems[0].reason


def test_a_recording_that_vanishes_is_listed_unless_strict(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=2)
    cohort = load_cohort(folder)
    cohort.entries[0].path.unlink()
    done, problems = prepare(cohort.entries, ChainSettings(), Cache())
    assert len(done) == 1
    assert "no such file" in problems[0].reason
    with pytest.raises(RecordingError):
        prepare(cohort.entries, ChainSettings(), Cache(), strict=True)
    shutil.rmtree(folder)


def test_a_recording_with_gaps_is_prepared_stretch_by_stretch(tmp_path: Path) -> None:
    path = tmp_path / "contents"
    path.write_bytes(b"whatever names the file")
    data = eeg(60, [], 0)
    recording = ArrayRecording(data, 256.0, BIPOLAR_18, path=path)
    recording.stretches = ((0, 5000), (5000, 7000), (9000, data.shape[1]))
    cache = Cache(tmp_path / "cache")
    for written in (True, False):
        cached = cache.recording(recording, ChainSettings())
        assert cached.written == written
        assert cached.notes == ()
        for signal, (first, last) in zip(cached.signals, recording.stretches, strict=True):
            alone = ArrayRecording(data[:, first:last], 256.0, BIPOLAR_18)
            assert np.array_equal(signal.read(), SignalChain(ChainSettings()).run(alone))
            assert np.array_equal(signal.read(100, 300), signal.read()[:, 100:300])
    assert cached.stretches[1] == (5000 / 256, 7000 / 256)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1


def test_what_was_recorded_between_gaps_keeps_its_part_of_the_events(cohort: Cohort) -> None:
    events = Events((Event(5, 10), Event(30, 5), Event(50, 20)), 100)
    entry = replace(cohort.entries[0], events=events, duration=100)
    part = stretch_of(entry, 12.0, 60.0)
    assert [(event.onset, event.end) for event in part.events] == [(0, 3), (18, 23), (38, 48)]
    assert (part.duration, part.source_start, part.key) == (48, 12, f"{entry.key}[12 to 60 s]")
    assert stretch_of(entry, 16.0, 30.0).events.events == ()


def test_a_recording_in_another_unit_than_the_others_is_named(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=4)
    edf = sorted(folder.rglob("*.edf"))[2]
    write_edf(edf, eeg(60, [(20, 40)], 9), BIPOLAR_18, unit="mV")
    cohort = load_cohort(folder)
    for _ in range(2):  # also from the cache
        prepared, problems = prepare(cohort.entries, ChainSettings(), Cache(tmp_path))
        assert problems == []
        assert [len(item.notes) for item in prepared] == [0, 0, 2, 0]
        about, unlike = prepared[2].notes
        assert "amplitude is no EEG's" in about
        assert "unlike the others'" in unlike
    with pytest.raises(RecordingError, match=f"{edf.name}: its amplitude is unlike"):
        prepare(cohort.entries, ChainSettings(), Cache(tmp_path), strict=True)
    filled = fill(cohort, ChainSettings(), Cache(tmp_path))
    assert list(filled.notes.values()) == [[cohort.entries[2].key]] * 2
    assert unlike_others([(entry, 10.0**k) for k, entry in enumerate(cohort.entries[:2])]) == {}
