"""What attributions say of true seizures is asked of every network alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from secateur.events import Event, Events
from secateur.explaining import StudiedSettings
from secateur.explaining.seizures import explained_seizures
from secateur.recordings import Entry
from tests.support.cohorts import write_edf
from tests.support.explained import RATE, looking_at, opened, recording_of

SETTINGS = StudiedSettings(methods=("gradient", "occlusion"), events=1, windows=1, references=2)


def entry(folder: Path, name: str, seizures: list[Event], seconds: int = 60) -> Entry:
    recording = recording_of(seconds, loud=(2, 20, 40))
    path = folder / f"{name}.edf"
    write_edf(path, recording.read(), list(recording.channels))
    events = Events(tuple(seizures), float(seconds))
    return Entry(name, f"set/{name}", "", "", path, float(seconds), events)


def test_the_same_seizures_stand_for_every_network(tmp_path: Path) -> None:
    entries = [
        entry(tmp_path, "a", [Event(20, 20)]),
        entry(tmp_path, "b", [Event(0, 60)]),  # leaves nothing that could stand in
        entry(tmp_path, "c", [Event(5, 1), Event(20, 20)]),  # the first is shorter than a window
    ]
    seen, blind = (
        explained_seizures(opened(looking_at(channel)), entries, SETTINGS) for channel in (2, 0)
    )
    keys = [[(e.subject, e.recording, e.onset) for e in each.events] for each in (seen, blind)]
    assert keys[0] == keys[1] == [("set/a", "a", 20.0), ("set/c", "c", 20.0)]
    for event in seen.events:
        for own in event.methods.values():
            assert int(np.argmax(own.by_channel)) == 2
            assert own.fall > event.chance[0]
        assert event.margin > event.reference
    for event in blind.events:
        assert all(own.by_channel[2] == 0 for own in event.methods.values())
    assert seen.trial is not None
    assert blind.trial is not None
    np.testing.assert_array_equal(seen.trial.background.windows, blind.trial.background.windows)


def test_again_is_the_same_again(tmp_path: Path) -> None:
    entries = [entry(tmp_path, "a", [Event(20, 20)])]
    detector = opened(looking_at(2))
    first, second = (explained_seizures(detector, entries, SETTINGS) for _ in range(2))
    assert first.events == second.events


def test_methods_that_the_network_does_not_allow_are_left_out(tmp_path: Path) -> None:
    from secateur.detectors.eight_bits import quantise
    from tests.support.explained import noise

    pytest.importorskip("onnx")
    model = quantise(looking_at(2), [noise(8, 4, round(4 * RATE))])
    quantised = explained_seizures(opened(model), [entry(tmp_path, "a", [Event(20, 20)])], SETTINGS)
    assert [*quantised.events[0].methods] == ["occlusion"]
