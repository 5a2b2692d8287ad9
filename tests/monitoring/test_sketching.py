"""An hour's sketch: the same however the signal comes, added up exactly, saved and read back to the bit."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.events import Event, Events
from secateur.monitoring.sketch import (
    FEATURES,
    MAINS,
    MOST_CHANNELS,
    HourSketch,
    SavedHour,
    Setup,
    Sign,
)
from secateur.monitoring.sketching import Sketcher
from secateur.recordings import Recording, map_montage
from secateur.recordings.montage import BIPOLAR_18, ELECTRODES_10_20

START = datetime(2026, 3, 1, 22, 58, 30)


def sketches(
    data: np.ndarray,
    rate: float,
    labels: tuple[str, ...],
    cuts: list[int],
    start: datetime | None = START,
) -> list[HourSketch]:
    montage = map_montage(labels, "as-recorded" if len(labels) < 18 else "bipolar-18")
    sketcher = Sketcher([labels[k] for k in montage.used], montage, rate, start)
    edges = sorted({0, *cuts, data.shape[1]})
    for begin, end in pairwise(edges):
        sketcher.push(begin, data[list(montage.used), begin:end])
    seconds = int(data.shape[1] / rate)
    begins = np.arange(0.0, seconds - 4)
    chance = np.random.default_rng(1).random(len(begins))
    return sketcher.finish(begins, chance, Events((Event(70.0, 10.0),), float(seconds)), 0.9)


def noise(channels: int, seconds: float, rate: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (30 * rng.standard_normal((channels, round(seconds * rate)))).astype(np.float32)


def assert_same(left: list[HourSketch], right: list[HourSketch]) -> None:
    assert [each.start for each in left] == [each.start for each in right]
    for one_hour, other in zip(left, right, strict=True):
        assert SavedHour.of(one_hour, 0) == SavedHour.of(other, 0)


@given(
    cuts=st.lists(st.integers(1, 24_000), max_size=12),
    rate=st.sampled_from([100.0, 128.0, 173.61]),
)
def test_sketches_are_the_same_however_the_signal_is_cut(cuts: list[int], rate: float) -> None:
    data = noise(4, 137.5, rate)
    data[1, : int(70 * rate)] = 3.0
    labels = ("F3", "C3", "P3", "O1")
    inside = [cut for cut in cuts if cut < data.shape[1]]
    assert_same(sketches(data, rate, labels, inside), sketches(data, rate, labels, []))


def test_a_real_and_a_simulated_recording_are_sketched_alike_in_pieces(
    recording: Recording,
) -> None:
    data = recording.read()
    rate, labels = recording.sampling_rate, recording.channels
    cuts = np.random.default_rng(0).integers(1, data.shape[1], 9).tolist()
    parts = sketches(data, rate, labels, cuts)
    assert_same(parts, sketches(data, rate, labels, []))
    assert sum(part.seconds for part in parts) == int(data.shape[1] / rate)


def test_files_cut_at_whole_minutes_add_up_to_the_undivided_one() -> None:
    rate, labels = 128.0, ("F3", "C3", "P3", "O1")
    data = noise(4, 300, rate)
    data[2, 12_000:30_000] = 500.0
    half = round(120 * rate)
    montage = map_montage(labels, "as-recorded")

    def part(begin: int, end: int, start: datetime) -> list[HourSketch]:
        sketcher = Sketcher(labels, montage, rate, start)
        sketcher.push(0, data[:, begin:end])
        return sketcher.finish(np.empty(0), np.empty(0), Events((), 1.0), 0.5)

    first = part(0, half, START)
    second = part(half, data.shape[1], START.replace(hour=23, minute=0))
    undivided = part(0, data.shape[1], START)
    merged: dict[int, HourSketch] = {}
    for each in [*second, *first]:
        merged[each.start] = merged[each.start] | each if each.start in merged else each
    assert_same([merged[start] for start in sorted(merged)], undivided)


def test_hours_are_those_of_the_clock_and_minutes_belong_to_one_of_them() -> None:
    hours = sketches(noise(4, 300, 128), 128, ("F3", "C3", "P3", "O1"), [])
    assert [(hour.date.isoformat(), hour.hour) for hour in hours] == [
        ("2026-03-01", 22),
        ("2026-03-01", 23),
    ]
    # the minutes begin at 22:58:30, 22:59:30, 23:00:30 and so on
    assert [hour.minutes for hour in hours] == [2, 3]
    assert [hour.seconds for hour in hours] == [120, 180]
    assert [hour.alarms for hour in hours] == [1, 0]
    assert sum(hour.windows for hour in hours) == 296


def test_powers_are_in_decibels_of_microvolts_squared() -> None:
    time = np.arange(256 * 1200) / 256
    sine = np.sqrt(2) * 10 * np.sin(2 * np.pi * 10 * time)
    data = np.tile(sine, (4, 1)).astype(np.float32)
    data += noise(4, 1200, 256) / 300
    hour = sketches(data, 256, ("F3", "C3", "P3", "O1"), [], START.replace(minute=0))[0]
    level = dict(zip(FEATURES, hour.levels().mean(axis=0), strict=True))
    assert level["alpha"] == pytest.approx(20.0, abs=0.3)  # 100 µV²
    assert level["theta"] < 0
    assert level["beta"] < 0
    quantiles = hour.quantiles()
    assert quantiles.shape == (3, 4, len(FEATURES))
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert hour.neighbours() == pytest.approx(np.ones(6), abs=0.01)
    assert hour.summary()["alpha"] == pytest.approx(20.0, abs=0.3)


def test_a_gap_begins_minutes_anew() -> None:
    labels, rate = ("F3", "C3", "P3", "O1"), 128.0
    montage = map_montage(labels, "as-recorded")
    data = noise(4, 90, rate)
    sketcher = Sketcher(labels, montage, rate, START)
    sketcher.push(0, data)
    sketcher.push(round(3600 * rate), data)
    hours = sketcher.finish(np.empty(0), np.empty(0), Events((), 1.0), 0.5)
    assert [hour.minutes for hour in hours] == [2, 2]
    assert [hour.hour for hour in hours] == [22, 23]


def test_a_channel_at_fault_is_not_measured_and_named() -> None:
    labels, rate = ("F3", "C3", "P3", "O1"), 256.0
    data = noise(4, 1500, rate)
    time = np.arange(data.shape[1]) / rate
    data[0] = 0.0
    data[1] = 3000.0
    data[2] += (60 * np.sin(2 * np.pi * 50 * time)).astype(np.float32)
    hour = sketches(data, rate, labels, [], START.replace(minute=0))[0]
    assert dict(hour.signs) == {
        "flat:F3": Sign(25, 30, 1530),
        "mains:P3": Sign(25, 30, 1530),
        "railed:C3": Sign(25, 30, 1530),
    }
    assert hour.shares[MAINS].tolist() == [0, 0, 1, 0]
    known = ~np.isnan(hour.levels()).any(axis=1)
    assert known.tolist() == [False, False, False, True]
    # what the network makes of minutes with a fault is not its patient's
    assert hour.logits.sum() == 0
    assert hour.windows == 1496


def test_referential_electrodes_make_a_montage_of_pairs() -> None:
    data = noise(19, 900, 128)
    labels = tuple(f"EEG {name}-Ref" for name in ELECTRODES_10_20)
    hour = sketches(data, 128, labels, [], START.replace(minute=0))[0]
    assert hour.setup.channels == BIPOLAR_18
    assert len(hour.setup.recorded) == 19
    assert hour.setup.montage
    assert len(hour.setup.pairs) == 171


def test_of_very_many_channels_some_are_kept() -> None:
    setup = Setup(("a",), tuple(f"c{k}" for k in range(200)), 256.0)
    assert len(setup.correlated) == MOST_CHANNELS
    assert setup.correlated[0] == 0
    assert setup.correlated[-1] == 199


def test_what_is_saved_is_read_back_to_the_bit_and_nothing_else() -> None:
    hour = sketches(noise(4, 700, 128), 128, ("F3", "C3", "P3", "O1"), [], START)[0]
    saved = SavedHour.of(hour, 0)
    again = SavedHour.model_validate_json(saved.model_dump_json()).sketch(hour.setup)
    assert SavedHour.of(again, 0) == saved
    with pytest.raises(ValueError, match="another length"):
        saved.model_copy(update={"minutes": saved.minutes + 1}).sketch(hour.setup)
    with pytest.raises(ValueError, match="can't be unpacked"):
        saved.model_copy(update={"packed": b"nothing"}).sketch(hour.setup)
    with pytest.raises(ValueError, match="more windows at the threshold"):
        saved.model_copy(update={"high": 10_000}).sketch(hour.setup)
