"""Pages of EEG: what is read, filtered, thinned out and packed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from secateur.errors import SettingsError
from secateur.recordings import ArrayRecording, Recording, open_recording
from secateur.recordings.montage import BIPOLAR_18, ELECTRODES_10_20
from secateur.review.montages import ReadMontage, montages_of
from secateur.review.traces import LOST, PageRequest, filters_of, page_of
from tests.support.edf_bytes import stamped, write_bytes

RATE = 256.0
LABELS = (*(f"EEG {name}-REF" for name in ELECTRODES_10_20), "ECG")


class Reads(ArrayRecording):
    """Remembers the seconds that were read."""

    seconds = 0.0

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        assert stop is not None
        self.seconds += stop - start
        return super().read(start, stop, channels)


def noise(seconds: float, labels: Sequence[str] = LABELS, offset: float = 0.0) -> Reads:
    values = np.random.default_rng(0).normal(offset, 30, (len(labels), round(seconds * RATE)))
    return Reads(values, RATE, labels, path="night.edf")


def of_key(recording: Recording, key: str) -> ReadMontage:
    return next(montage for montage in montages_of(recording.channels) if montage.key == key)


def microvolts(recording: Recording, key: str, request: PageRequest) -> NDArray[np.float64]:
    page = page_of(recording, of_key(recording, key), request)
    return np.where(page.values == LOST, np.nan, page.values * page.unit)


def test_bipolar_and_average_are_differences_of_the_electrodes() -> None:
    recording = noise(4)
    data = recording.read(1, 3)
    row = {name: data[k] for k, name in enumerate(ELECTRODES_10_20)}
    request = PageRequest(1, 2, width=2000)
    bipolar = of_key(recording, "bipolar")
    assert bipolar.montage_map.names == BIPOLAR_18
    expected = [row[a] - row[b] for a, b in (name.split("-") for name in BIPOLAR_18)]
    np.testing.assert_allclose(microvolts(recording, "bipolar", request), expected, atol=0.01)
    mean = data[:19].mean(axis=0)
    expected = [row[name] - mean for name in ELECTRODES_10_20]
    np.testing.assert_allclose(microvolts(recording, "average", request), expected, atol=0.01)
    np.testing.assert_allclose(microvolts(recording, "referential", request), data[:19], atol=0.01)
    assert of_key(recording, "recorded").traces[-1].group == "other"


@pytest.mark.parametrize(
    ("label", "side", "group"),
    [
        ("Fp1-F7", "left", "left temporal"),
        ("T4-T6", "right", "right temporal"),
        ("C3-P3", "left", "left parasagittal"),
        ("P4-O2", "right", "right parasagittal"),
        ("Fz-Cz", "middle", "midline"),
    ],
)
def test_pairs_are_grouped_by_chain_and_hemisphere(label: str, side: str, group: str) -> None:
    traces = {trace.label: trace for trace in of_key(noise(1), "bipolar").traces}
    assert (traces[label].side, traces[label].group) == (side, group)


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        (("F7-T3", "T3-T5", "ECG"), ["bipolar", "recorded"]),
        (("F7-A1", "F8-A2", "T3-A1", "T4-A2"), ["bipolar", "referential", "recorded"]),
        (("LA1", "LA2", "LA3", "LA4"), ["recorded"]),
        (("X", "-"), ["recorded"]),
        (LABELS, ["bipolar", "referential", "average", "recorded"]),
    ],
)
def test_montages_are_those_that_the_channels_allow(
    labels: tuple[str, ...], keys: list[str]
) -> None:
    assert [montage.key for montage in montages_of(labels)] == keys


def test_real_recordings_can_be_read_in_montages(clips: Path) -> None:
    for path in (sorted(clips.rglob("*.edf"))[0], sorted((clips / "sub-12").rglob("*.edf"))[0]):
        recording = open_recording(path)
        for montage in montages_of(recording.channels):
            page = page_of(recording, montage, PageRequest(2, 10, 0.5, 70, 60, 500))
            assert page.values.shape == (len(montage.traces), 500, 2)
            assert (page.values[..., 0] <= page.values[..., 1]).all()


@given(begin=st.integers(0, 2000), count=st.integers(1, 4000), width=st.integers(1, 900))
def test_extremes_are_those_of_the_samples(begin: int, count: int, width: int) -> None:
    recording = noise(20, LABELS[:3])
    request = PageRequest(begin / RATE, count / RATE, width=width)
    montage = of_key(recording, "recorded")
    page = page_of(recording, montage, request)
    data = recording.read(begin / RATE, min(begin + count, recording.samples) / RATE)
    count = data.shape[1]
    assert page.kind == ("samples" if count <= 2 * width else "extremes")
    if page.kind == "samples":
        np.testing.assert_allclose(page.values * page.unit, data, atol=0.51 * page.unit)
        return
    # sample i belongs to the point floor(i · points / count)
    point = np.arange(count) * width // count
    for k in (0, width // 2, width - 1):
        own = data[:, point == k]
        np.testing.assert_allclose(
            page.values[:, k, 0] * page.unit, own.min(axis=1), atol=0.51 * page.unit
        )
        np.testing.assert_allclose(
            page.values[:, k, 1] * page.unit, own.max(axis=1), atol=0.51 * page.unit
        )


@pytest.mark.parametrize("filters", [(0.1, 0, 0), (0.5, 70, 60), (0, 15, 50), (5, 0, 0)])
def test_a_page_is_what_a_filter_that_always_ran_would_show(
    filters: tuple[float, float, float],
) -> None:
    recording = noise(120, LABELS[:2], offset=2000.0)
    high, low, notch = filters
    montage = of_key(recording, "recorded")
    expected = recording.read(0, 120).astype(np.float64)
    if high:
        sections = signal.butter(1, high, "highpass", fs=RATE, output="sos")
        state = signal.sosfilt_zi(sections)[:, None, :] * expected[None, :, :1]
        expected, _ = signal.sosfilt(sections, expected, zi=state)
    if low:
        expected = signal.sosfilt(signal.butter(2, low, fs=RATE, output="sos"), expected)
    if notch:
        expected = signal.lfilter(*signal.iirnotch(notch, 30, fs=RATE), expected)
    for begin in (70.0, 75.3, 100.0):
        request = PageRequest(begin, 10, *filters, 4000)
        page = page_of(recording, montage, request)
        first = round(begin * RATE)
        own = expected[:, first : first + page.values.shape[1]]
        # an offset of 2 mV, of which a ten-thousandth may be there still
        np.testing.assert_allclose(page.values * page.unit, own, atol=0.35)


def test_nothing_is_shown_before_it_began() -> None:
    data = np.zeros((1, round(20 * RATE)), dtype=np.float32)
    data[0, round(10 * RATE) :] = 100
    recording = ArrayRecording(data, RATE, ("Cz",))
    shown = microvolts(recording, "recorded", PageRequest(5, 10, 0.5, 30, 50, 4000))
    assert not shown[0, : round(5 * RATE)].any()
    assert shown[0, round(5 * RATE) + 5] > 10


def test_only_what_is_shown_is_read() -> None:
    recording = noise(600)
    page_of(recording, of_key(recording, "bipolar"), PageRequest(300, 10, 0.5, 70, 60))
    assert recording.seconds < 14


def test_lost_stretches_are_marked_and_filters_begin_anew(tmp_path: Path) -> None:
    count = 200
    records = [[np.full(count, 100 + k), stamped(f"+{k if k < 5 else k + 3}")] for k in range(10)]
    labels = ["Cz", "EDF Annotations"]
    path = write_bytes(tmp_path / "gap.edf", labels, records, reserved="EDF+D")
    recording = open_recording(path)
    page = page_of(recording, of_key(recording, "recorded"), PageRequest(2, 8, width=2000))
    assert page.lost == ((5.0, 8.0),)
    missing = page.values[0] == LOST
    assert missing[3 * count : 6 * count].all()
    assert missing.sum() == 3 * count
    wide = page_of(recording, of_key(recording, "recorded"), PageRequest(0, 13, width=13))
    assert (wide.values[0] == LOST).all(axis=1).tolist() == [5 <= k < 8 for k in range(13)]
    quiet = microvolts(recording, "recorded", PageRequest(7, 4, 0.5, width=2000))
    np.testing.assert_allclose(quiet[~np.isnan(quiet)][0], 0, atol=1e-3)
    # a page that lies inside the gap holds nothing at all
    empty = page_of(recording, of_key(recording, "recorded"), PageRequest(5.5, 2, 0.5))
    assert (empty.values == LOST).all()


def test_values_off_every_page_are_cut_and_small_ones_keep_their_digits() -> None:
    data = np.zeros((2, round(4 * RATE)), dtype=np.float32)
    data[0], data[1] = 1e7, 0.004 * np.sin(np.arange(data.shape[1]))
    loud = page_of(ArrayRecording(data, RATE, ("Cz", "Pz")), *_alone(data, PageRequest(0, 4)))
    assert loud.unit == 1.0
    assert (loud.values[0] == 32767).all()
    quiet = ArrayRecording(data[1:], RATE, ("Pz",))
    shown = microvolts(quiet, "recorded", PageRequest(0, 4, width=2000))
    np.testing.assert_allclose(shown, data[1:], atol=0.0006)


def _alone(data: NDArray[np.float32], request: PageRequest) -> tuple[ReadMontage, PageRequest]:
    return of_key(ArrayRecording(data, RATE, ("Cz", "Pz")), "recorded"), request


def test_a_page_at_the_end_is_shorter_and_one_behind_it_the_last_sample() -> None:
    recording = noise(10)
    montage = of_key(recording, "recorded")
    assert page_of(recording, montage, PageRequest(8, 10)).seconds == 2
    behind = page_of(recording, montage, PageRequest(11, 10))
    assert (behind.begin, behind.values.shape[1]) == (10 - 1 / RATE, 1)


def test_filters_stay_below_half_of_the_rate() -> None:
    assert filters_of(100.0)["low"] == [0, 15, 30, 35]
    assert filters_of(100.0)["notch"] == [0]
    recording = noise(4)
    with pytest.raises(SettingsError, match="128 Hz"):
        page_of(recording, of_key(recording, "recorded"), PageRequest(0, 2, low=128))
