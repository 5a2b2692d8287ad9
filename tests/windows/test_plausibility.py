"""What is no EEG's amplitude is noted, from whatever source it comes and however it is cut."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.recordings import ArrayRecording
from secateur.windows.plausibility import AmplitudeCheck, amplitude_notes
from tests.support.cohorts import eeg

LABELS = ("A", "B", "C", "D")


def signal(seconds: float = 120, rate: float = 256.0) -> NDArray[np.float32]:
    data = eeg(seconds, [], 0, channels=4, rate=rate) + 300
    return data.astype(np.float32)


def notes(data: NDArray[np.float32], cuts: tuple[int, ...] = (997,)) -> tuple[str, ...]:
    check = AmplitudeCheck(LABELS, 256.0)
    at = number = 0
    while at < data.shape[1]:
        step = cuts[number % len(cuts)]
        check.push(data[:, at : at + step])
        at, number = at + step, number + 1
    return check.finish()


def test_eeg_has_no_notes_whatever_its_offset_drift_and_mains() -> None:
    time = np.arange(120 * 256) / 256
    assert notes(signal()) == ()
    assert (
        notes(signal() + 30_000 + (100 * time + 300 * np.sin(100 * np.pi * time)).astype("f4"))
        == ()
    )
    assert notes(signal(3)) == ()


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
def test_another_unit_is_noted(factor: float) -> None:
    (note,) = notes(signal() * np.float32(factor))
    assert note.startswith("amplitude is no EEG's: the channels' median spread is")
    recording = ArrayRecording(signal() * factor, 256, LABELS)
    assert amplitude_notes(recording, [0, 2])[0].startswith("amplitude is no EEG's")


def test_one_odd_channel_is_not_the_whole_recording() -> None:
    data = signal()
    data[1] *= 1e6
    assert notes(data) == ()


def test_channels_without_variation_and_at_their_limit_are_named() -> None:
    data = signal()
    data[0] = 5
    data[1, 10_000:] = 305
    data[2] = np.clip(30 * (data[2] - 300), -100, 100)
    assert notes(data) == (
        "no variation for half of the time or more: A, B",
        "at an extreme value for a fifth of the time or more: C",
    )
    assert notes(np.zeros_like(data)) == (
        "no variation for half of the time or more: all channels",
    )
    stuck = signal()
    stuck[3, 15_000:] = 3276.7  # no variation, and that at the end of what can be stored
    assert notes(stuck) == ("at an extreme value for a fifth of the time or more: D",)


@given(frequency=st.integers(1, 60), rate=st.sampled_from([100.0, 200.0, 250.0, 256.0, 512.0]))
def test_a_pure_rhythm_is_no_dead_channel(frequency: int, rate: float) -> None:
    wave = 50 * np.sin(2 * np.pi * frequency * np.arange(round(60 * rate)) / rate + 0.3)
    check = AmplitudeCheck(LABELS[:1], rate)
    check.push(wave.astype(np.float32)[None])
    if frequency < rate / 2:
        assert not any("no variation" in note for note in check.finish())
        assert check.spread is not None
        assert 0.5 < check.spread < 50  # where it is folded to a slow one, less of it is seen


@given(
    cuts=st.lists(st.integers(40, 5000), min_size=1, max_size=9).map(tuple),
    at=st.integers(0, 20_000),
)
def test_notes_do_not_depend_on_pieces_nor_on_being_saved(cuts: tuple[int, ...], at: int) -> None:
    data = signal() * np.float32(1e-4)
    data[3, 9000:] = 1
    assert notes(data, cuts) == notes(data)
    check, other = AmplitudeCheck(LABELS, 256.0), AmplitudeCheck(LABELS, 256.0)
    check.push(data[:, :at])
    plain = {k: v if isinstance(v, int) else v.tolist() for k, v in check.state().items()}
    other.restore(json.loads(json.dumps(plain)))
    other.push(data[:, at:])
    assert other.spread == pytest.approx(spread_of(data))
    assert other.finish() == notes(data)


def spread_of(data: NDArray[np.float32]) -> float | None:
    check = AmplitudeCheck(LABELS, 256.0)
    check.push(data)
    return check.spread


def test_a_saved_state_does_not_move_with_what_comes_later() -> None:
    check = AmplitudeCheck(LABELS, 256.0)
    check.push(signal(30))
    saved = {name: np.array(value) for name, value in check.state().items()}
    kept = check.state()
    check.push(signal(30))
    assert all(np.array_equal(kept[name], saved[name]) for name in saved)
