"""Our filters are SciPy's, however the signal is cut, and their state can be saved and taken up again."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import ChainSettings, Scale, SignalChain
from secateur.windows.filters import BlockFilter, Resampler, block_form, butterworth, notch
from tests.support.cohorts import eeg

BANDS = ((0.5, 40.0), (1.0, 3.0), (8.0, 12.0), (0.1, 48.0))
RATES = (100.0, 128.0, 173.61, 200.0, 250.0, 256.0, 500.0, 512.0, 1000.0)
SCALE = Scale(mean=(0.5,) * 18, spread=tuple(float(k + 1) for k in range(18)))
CUTS = st.lists(st.sampled_from([1, 7, 8, 31, 32, 33, 255, 256, 257, 600, 3000]), min_size=1)


def cut(data: NDArray[np.float32], cuts: list[int]) -> list[NDArray[np.float32]]:
    """`data` in pieces as long as `cuts` say, over and over."""
    parts: list[NDArray[np.float32]] = []
    at = 0
    while at < data.shape[1]:
        step = cuts[len(parts) % len(cuts)]
        parts.append(data[:, at : at + step])
        at += step
    return parts


@given(
    order=st.integers(1, 10),
    band=st.sampled_from(BANDS),
    rate=st.sampled_from([100.0, 173.61, 256.0]),
    without=st.sampled_from([None, 45.0]),
    cuts=CUTS,
)
@settings(max_examples=60, deadline=None)
def test_filtered_in_blocks_is_filtered_sample_after_sample(
    order: int, band: tuple[float, float], rate: float, without: float | None, cuts: list[int]
) -> None:
    ours = butterworth(order, *band, rate)
    theirs = scipy.signal.butter(order, band, "bandpass", fs=rate, output="sos")
    if without:
        ours = np.concatenate((ours, notch(without, 30.0, rate)))
        other = scipy.signal.tf2sos(*scipy.signal.iirnotch(without, 30.0, fs=rate))
        theirs = np.concatenate((theirs, other))
    data = np.random.default_rng(order).normal(40, 10, (3, 4000)).astype(np.float32)
    form = block_form(ours)
    at_once = BlockFilter(form, 3).push(data)
    start = scipy.signal.sosfilt_zi(theirs)[:, None] * data[None, :, :1]
    expected, _ = scipy.signal.sosfilt(theirs, data, axis=1, zi=start)
    assert at_once.dtype == np.float32
    assert np.abs(at_once - expected).max() < 1e-6 * np.abs(expected).max()
    begun = BlockFilter(form, 3)
    parts = [begun.push(part) for part in cut(data, cuts)]
    assert np.array_equal(np.concatenate(parts, axis=1), at_once)


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize("band", BANDS)
def test_the_band_pass_lets_through_what_scipys_does(order: int, band: tuple[float, float]) -> None:
    theirs = scipy.signal.butter(order, band, "bandpass", fs=100.0, output="sos")
    frequencies = np.geomspace(band[0] / 5, 49, 200)
    _, ours = scipy.signal.sosfreqz(butterworth(order, *band, 100.0), frequencies, fs=100.0)
    _, expected = scipy.signal.sosfreqz(theirs, frequencies, fs=100.0)
    assert np.abs(ours - expected).max() < 1e-8


def test_a_first_order_band_pass_by_hand() -> None:
    # edges at a sixth and a third of the rate: tan(π/6) = 1/√3, tan(π/3) = √3, so with c = 2(√3 − 1/√3) the
    # analogue s c/(s² + c s + 4) becomes 2c(1 − z⁻²) over (8 + 2c) + (8 − 2c) z⁻²
    width = 2 * (np.sqrt(3) - 1 / np.sqrt(3))
    gain = 2 * width / (8 + 2 * width)
    expected = [gain, 0, -gain, 1, 0, (8 - 2 * width) / (8 + 2 * width)]
    assert butterworth(1, 50.0, 100.0, 300.0)[0] == pytest.approx(expected, abs=1e-15)


def test_a_notch_is_silent_at_its_middle_and_half_as_strong_at_its_edges() -> None:
    section = notch(50.0, 25.0, 256.0)
    _, gains = scipy.signal.sosfreqz(section, [0.0, 50.0, 127.9], fs=256.0)
    assert np.abs(gains) == pytest.approx([1, 0, 1], abs=1e-4)
    frequencies = np.linspace(48, 52, 40_001)
    _, near = scipy.signal.sosfreqz(section, frequencies, fs=256.0)
    held_back = frequencies[np.abs(near) ** 2 <= 0.5]
    assert held_back[-1] - held_back[0] == pytest.approx(50 / 25, abs=1e-3)


@given(
    rate=st.sampled_from([*RATES, 99.73]),
    target=st.sampled_from([256.0, 128.0, 173.61]),
    cuts=CUTS,
)
@settings(max_examples=40, deadline=None)
def test_resampling_is_scipys_polyphase_filter(rate: float, target: float, cuts: list[int]) -> None:
    ratio = Fraction(str(target)) / Fraction(str(rate))
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return
    data = np.random.default_rng(0).normal(40, 10, (2, round(5 * rate))).astype(np.float32)
    resampler = Resampler(rate, target)
    parts = [resampler.push(part) for part in cut(data, cuts)] + [resampler.finish()]
    half = -(-10 * max(up, down) // down) * down
    taps = up * scipy.signal.firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", 5.0))
    lead = -(-half // (up * down)) * down
    tail = -(-half // up) + down
    held = np.pad(data.astype(np.float64), ((0, 0), (lead, tail)), mode="edge")
    total = -(-data.shape[1] * up // down)
    begin = (half + lead * up) // down
    expected = scipy.signal.upfirdn(taps, held, up, down, axis=1)[:, begin : begin + total]
    got = np.concatenate(parts, axis=1)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-12 * np.abs(expected).max()


@given(
    rate=st.sampled_from([128.0, 173.61, 256.0, 512.0]),
    scaling=st.sampled_from(["training-set", "running"]),
    at=st.integers(0, 2000),
)
@settings(max_examples=30, deadline=None)
def test_a_saved_state_goes_on_to_the_bit(rate: float, scaling: str, at: int) -> None:
    chain = SignalChain(ChainSettings.model_validate({"scaling": scaling, "notch": 50.0}), SCALE)
    data = eeg(8.3, [(2, 5)], 0, rate=rate).astype(np.float32)
    run = chain.begin(BIPOLAR_18, rate)
    run.push(data[:, :at])
    plain = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in run.state().items()
    }
    other = chain.begin(BIPOLAR_18, rate)
    other.restore(json.loads(json.dumps(plain)))
    for part in cut(data[:, at:], [300]):
        assert np.array_equal(run.push(part), other.push(part))
    assert np.array_equal(run.finish(), other.finish())


def test_a_saved_state_does_not_move_with_what_comes_later() -> None:
    chain = SignalChain(ChainSettings(scaling="running"), SCALE)
    data = eeg(4.1, [], 0, rate=250.0).astype(np.float32)
    run = chain.begin(BIPOLAR_18, 250.0)
    run.push(data[:, :333])
    saved = run.state()
    after = run.push(data[:, 333:])
    run.restore(saved)
    assert np.array_equal(run.push(data[:, 333:]), after)


def test_every_sample_comes_out_with_the_push_that_brings_it() -> None:
    data = eeg(2, [], 0).astype(np.float32)
    run = SignalChain(ChainSettings(), SCALE).begin(BIPOLAR_18, 256.0)
    assert [run.push(part).shape[1] for part in cut(data, [1, 8, 300])] == [1, 8, 300, 1, 8, 194]
    signal = ArrayRecording(data, 256.0, BIPOLAR_18)
    assert SignalChain(ChainSettings(), SCALE).run(signal).shape == (18, 512)
