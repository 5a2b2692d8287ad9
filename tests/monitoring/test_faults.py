"""Faults put into EEG, simulated and real: each is named with channel and time, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.events import Events
from secateur.monitoring.faults import Fault, faults_of, swapped
from secateur.monitoring.sketch import HourSketch, Setup, Sign, Usual
from secateur.monitoring.sketching import Sketcher
from secateur.recordings import Recording, map_montage
from secateur.recordings.montage import BIPOLAR_18
from tests.support.sketches import hour_of

Signal = NDArray[np.float32]


def hours_of(recording: Recording, damage: str = "", channel: int = 3) -> list[HourSketch]:
    """A recording's hours, with a fault from its second minute on; it begins at 12:00:00."""
    montage = map_montage(recording.channels)
    labels = [recording.channels[k] for k in montage.used]
    rate = recording.sampling_rate
    data = recording.read(channels=montage.used)
    # three minutes at least, of which two are at fault
    data = np.tile(data, (1, -(-round(180 * rate) // data.shape[1])))[:, : round(180 * rate)]
    time = np.arange(data.shape[1]) / rate
    late = time >= 60
    rng = np.random.default_rng(0)
    row = data[channel]
    if damage == "flat":
        row[late] = row[0]
    elif damage == "railed":
        row[late] = 3276.0
    elif damage == "clipped":
        row[late] = np.clip(20 * row[late], -300, 300)
    elif damage == "mains":
        row[late] += (4 * row.std() + 40) * np.sqrt(2) * np.sin(2 * np.pi * 50 * time[late])
    elif damage == "off":
        row[late] += 3000 * rng.standard_normal(late.sum()) + 30 * data.std()
    elif damage == "bridged":
        row[late] *= 0.5 / row[late].std()
    sketcher = Sketcher(labels, montage, rate, datetime(2026, 3, 1, 12))
    sketcher.push(0, data)
    return sketcher.finish(np.empty(0), np.empty(0), Events((), 180.0), 0.5)


@pytest.mark.parametrize("damage", ["flat", "railed", "clipped", "mains", "off", "bridged"])
def test_a_fault_is_named_with_channel_and_time(recording: Recording, damage: str) -> None:
    before = faults_of(hours_of(recording))
    assert before == []
    (fault,) = faults_of(hours_of(recording, damage))
    label = recording.channels[map_montage(recording.channels).used[3]]
    assert (fault.kind, fault.channel, fault.minutes) == (damage, label, 2)
    begin = (datetime(2026, 3, 1, 12) - datetime(1970, 1, 1)).total_seconds()
    assert (fault.begin, fault.end) == (begin + 60, begin + 180)
    assert fault.words.startswith(f"{label}: ")


def test_where_every_channel_is_at_fault_it_is_the_recordings() -> None:
    montage = map_montage(BIPOLAR_18)
    sketcher = Sketcher(BIPOLAR_18, montage, 128.0, datetime(2026, 3, 1, 12))
    sketcher.push(0, np.zeros((18, 128 * 600), dtype=np.float32))
    (fault,) = faults_of(sketcher.finish(np.empty(0), np.empty(0), Events((), 600.0), 0.5))
    assert (fault.kind, fault.channel, fault.minutes) == ("flat", "all channels", 10)


def test_channels_that_have_changed_places_are_told_from_all_others() -> None:
    rng = np.random.default_rng(1)
    hours = [hour_of(rng, BIPOLAR_18, 3600 * k) for k in range(6)]
    usual = Usual(hours[0].setup, hours[0].levels(), hours[0].neighbours())
    assert not any(swapped(hour, usual) for hour in hours)
    pairs = hours[0].setup.pairs
    index = {pair: k for k, pair in enumerate(pairs)}
    for i, j in ((0, 9), (4, 5), (2, 17)):
        order = list(range(18))
        order[i], order[j] = j, i
        moved = [index[min(order[a], order[b]), max(order[a], order[b])] for a, b in pairs]
        exchanged = replace(hours[1], correlations=hours[1].correlations[:, moved])
        assert swapped(exchanged, usual) == [(i, j)]


def test_faults_that_follow_each_other_are_one() -> None:
    rng = np.random.default_rng(1)
    hour = hours_with_flat(hour_of(rng, BIPOLAR_18, 0))
    later = [replace(hour, start=3600 * k) for k in (1, 2, 20)]
    faults = faults_of([hour, *later])
    assert [(fault.begin, fault.end, fault.minutes) for fault in faults] == [
        (600, 2 * 3600 + 3600, 90),
        (20 * 3600 + 600, 20 * 3600 + 3600, 30),
    ]
    assert all(isinstance(fault, Fault) for fault in faults)


def hours_with_flat(hour: HourSketch) -> HourSketch:
    return replace(hour, signs={"flat:Cz-Pz": Sign(30, 600, 3600)})


def test_a_few_minutes_of_an_hour_are_no_fault() -> None:
    hour = hour_of(np.random.default_rng(1), BIPOLAR_18, 0)
    short = {"flat:Cz-Pz": Sign(4, 0, 240), "mains:Fz-Cz": Sign(9, 0, 3600)}
    assert faults_of([replace(hour, signs=short)]) == []
    long = {"flat:Cz-Pz": Sign(5, 0, 300), "mains:Fz-Cz": Sign(10, 0, 3600)}
    assert [fault.kind for fault in faults_of([replace(hour, signs=long)])] == ["flat", "mains"]


def test_of_a_changed_montage_a_few_channels_are_named() -> None:
    hour = hour_of(np.random.default_rng(1), BIPOLAR_18, 0)
    others = tuple(f"X{k}" for k in range(20))
    (fault,) = faults_of([hour, replace(hour, setup=Setup(others, others, 256.0))])
    assert fault.words == (
        "montage changed: without Fp1-F3, F3-C3, C3-P3, P3-O1 and 14 more, with X0, X1, X2, X3 and 16 more"
    )
