"""The chain gives the same samples however the signal is cut, and lets no future in."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from secateur.detectors import PostProcessing
from secateur.detectors.event_rules import to_events
from secateur.errors import RecordingError
from secateur.recordings import ArrayRecording
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import (
    ChainSettings,
    Scale,
    SignalChain,
    WindowSettings,
    decision_interval,
    window_starts,
)
from secateur.windows.filters import Resampler, ratio_of
from secateur.windows.scaling import (
    MEMORY,
    PRIOR,
    ScaleFit,
    Scaler,
    asinh,
    compress,
    gains_by_second,
)
from tests.support.cohorts import eeg

RATES = (100.0, 128.0, 173.61, 200.0, 250.0, 256.0, 500.0, 512.0, 1000.0)
SCALE = Scale(mean=tuple(range(18)), spread=tuple(float(k + 1) for k in range(18)))


def recording(rate: float = 256.0, seconds: float = 9.3, seed: int = 0) -> ArrayRecording:
    return ArrayRecording(eeg(seconds, [(2, 5)], seed, rate=rate), rate, BIPOLAR_18)


@given(
    rate=st.sampled_from(RATES),
    notch=st.sampled_from([None, 50.0, 60.0]),
    scaling=st.sampled_from(["training-set", "running"]),
    cuts=st.lists(st.integers(1, 900), min_size=1, max_size=30),
)
@settings(max_examples=40)
def test_any_cutting_gives_the_same_samples_to_the_bit(
    rate: float, notch: float | None, scaling: str, cuts: list[int]
) -> None:
    chain = SignalChain(ChainSettings.model_validate({"notch": notch, "scaling": scaling}), SCALE)
    signal = recording(rate)
    at_once = chain.run(signal)
    run = chain.begin(signal.channels, rate)
    data = signal.read()
    at = 0
    parts: list[np.ndarray] = []
    while at < data.shape[1]:
        step = cuts[len(parts) % len(cuts)]
        parts.append(run.push(data[:, at : at + step]))
        at += step
    parts.append(run.finish())
    pieces = np.concatenate(parts, axis=1)
    assert at_once.shape == pieces.shape == (18, chain.over(signal).samples((0, signal.samples)))
    assert np.array_equal(at_once, pieces)


@given(rate=st.sampled_from(RATES), at=st.integers(300, 1500))
@settings(max_examples=30)
def test_nothing_depends_on_what_comes_after_the_resamplers_delay(rate: float, at: int) -> None:
    signal = recording(rate).read()
    chain = SignalChain(ChainSettings(scaling="running"), SCALE)
    changed = signal.copy()
    first = min(int(at * rate / 256), signal.shape[1] - 1)
    changed[:, first:] += 500
    original = chain.run(ArrayRecording(signal, rate, BIPOLAR_18))
    other = chain.run(ArrayRecording(changed, rate, BIPOLAR_18))
    delay = Resampler(rate, 256).delay
    safe = int((first / rate - delay) * 256) - 1
    assert np.array_equal(original[:, :safe], other[:, :safe])


@pytest.mark.parametrize("rate", RATES)
def test_resampling_keeps_the_time_of_things(rate: float) -> None:
    time = np.arange(int(10 * rate)) / rate
    data = np.stack([np.sin(2 * np.pi * 7 * time), np.cos(2 * np.pi * 3 * time) + 40])
    resampler = Resampler(rate, 256)
    out = (
        np.concatenate((resampler.push(data), resampler.finish()), axis=1) if rate != 256 else data
    )
    after = np.arange(out.shape[1]) / 256
    expected = np.stack([np.sin(2 * np.pi * 7 * after), np.cos(2 * np.pi * 3 * after) + 40])
    assert out.shape[1] == pytest.approx(2560, abs=1)
    assert np.abs(out - expected)[:, 100:-100].max() < 0.08  # 60 dB of 40, and of 1


def test_resampling_removes_what_would_fold_back() -> None:
    time = np.arange(5120) / 512
    data = np.sin(2 * np.pi * 200 * time)[None]
    resampler = Resampler(512, 256)
    out = np.concatenate((resampler.push(data), resampler.finish()), axis=1)
    assert np.abs(out[:, 100:-100]).max() < 2e-3


def test_the_band_is_the_one_asked_for() -> None:
    time = np.arange(256 * 60) / 256
    chain = SignalChain(ChainSettings(notch=50.0, high=70.0))
    gains = {}
    for frequency in (0.1, 1.0, 10.0, 50.0, 69.0, 110.0):
        data = np.tile(np.sin(2 * np.pi * frequency * time), (18, 1))
        out = chain.run(ArrayRecording(data, 256, BIPOLAR_18))
        gains[frequency] = np.sqrt(2) * out[0, 256 * 30 :].std()
    sections = scipy.signal.butter(4, (0.5, 70), "bandpass", fs=256, output="sos")
    _, expected = scipy.signal.sosfreqz(sections, [1.0, 10.0, 69.0], fs=256)
    assert [gains[1.0], gains[10.0], gains[69.0]] == pytest.approx(np.abs(expected), abs=0.02)
    assert gains[0.1] < 0.01
    assert gains[110.0] < 0.02
    assert gains[50.0] < 0.02


def test_a_clip_that_begins_far_from_zero_does_not_ring() -> None:
    data = np.full((18, 1024), 800.0)
    assert (
        np.abs(SignalChain(ChainSettings()).run(ArrayRecording(data, 256, BIPOLAR_18))).max() < 1e-6
    )


def test_training_set_scaling_is_mean_and_deviation_of_all_recordings() -> None:
    generator = np.random.default_rng(0)
    parts = [generator.normal(3, 5, (2, n)).astype(np.float32) for n in (100, 1, 777)]
    fit = ScaleFit(2, robust=False)
    for part in parts:
        fit.add(part, 256)
    joined = np.concatenate(parts, axis=1).astype(np.float64)
    assert fit.scale().mean == pytest.approx(joined.mean(axis=1))
    assert fit.scale().spread == pytest.approx(joined.std(axis=1))


def test_running_scaling_follows_its_rule() -> None:
    generator = np.random.default_rng(1)
    rate, seconds = 256, 400
    data = generator.normal(0, 7, (1, rate * seconds)).astype(np.float32)
    settings_ = ChainSettings(scaling="running")
    out = Scaler(settings_, Scale(mean=(0.0,), spread=(1.0,))).push(data.copy())
    log = 0.0
    for k in range(seconds):
        block = slice(k * rate, (k + 1) * rate)
        assert out[0, block] == pytest.approx(data[0, block] * np.exp(-log), rel=1e-5)
        q = np.log(1.4826 * np.median(np.abs(data[0, block])))
        q = np.clip(q, log - np.log(8), log + np.log(8))
        log += (q - log) / min(PRIOR + k + 1, MEMORY)
    assert np.exp(log) == pytest.approx(7, rel=0.2)


def test_a_channel_that_was_flat_for_half_an_hour_comes_back_as_it_went() -> None:
    generator = np.random.default_rng(2)
    data = generator.normal(0, 20, (1, 256 * 1920)).astype(np.float32)
    data[:, 256 * 60 : 256 * 1860] = 0
    scale = Scale(mean=(0.0,), spread=(20.0,))
    scaler = Scaler(ChainSettings(scaling="running"), scale)
    out = np.concatenate(
        [scaler.push(part.copy()) for part in np.array_split(data, 50, axis=1)], axis=1
    )
    assert np.abs(out[0, 256 * 1860 : 256 * 1861]).max() < 6
    assert out[0, 256 * 1861 :].std() == pytest.approx(1, abs=0.1)
    gains = gains_by_second(scale, [data], 256.0)
    assert (gains[0, 60:1861] == gains[0, 60]).all()
    fit, without = ScaleFit(1, robust=True), ScaleFit(1, robust=True)
    fit.add(data, 256.0)
    without.add(np.delete(data, np.s_[256 * 60 : 256 * 1860], axis=1), 256.0)
    assert fit.scale() == without.scale()


def test_a_dead_channel_is_not_blown_up() -> None:
    fit = ScaleFit(2, robust=True)
    fit.add(np.zeros((2, 1000), np.float32), 256)
    assert fit.scale().spread == (1.0, 1.0)


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in (
        {"low": 50.0},
        {"high": 200.0},
        {"notch": 55.0},
        {"notch": 60.0, "high": 30.0, "sampling_rate": 100.0},
        {"scaling": "window"},
        {"hihg": 40.0},
        {"sampling_rate": float("nan")},
    ):
        with pytest.raises(ValueError, match="validation error"):
            ChainSettings.model_validate(wrong)


def test_a_rate_too_slow_for_the_band_is_refused_or_noted() -> None:
    chain = SignalChain(ChainSettings())
    with pytest.raises(RecordingError, match="too slow"):
        chain.begin(BIPOLAR_18, 0.9, too_slow="note")
    with pytest.raises(RecordingError, match=r"sampled at 64 Hz, .* above 32 Hz, .* 0\.5 to 40 Hz"):
        chain.begin(BIPOLAR_18, 64.0)
    with pytest.raises(RecordingError, match="--force"):
        chain.run(recording(64.0))
    chained = chain.over(recording(64.0), too_slow="note")
    assert sum(piece.shape[1] for piece in chained.pieces(chained.stretches[0])) > 2000
    assert len(chained.notes) == 1
    assert "nothing above 32 Hz" in chained.notes[0]
    assert chain.over(recording(80.0)).notes == ()


def test_asinh_is_numpys_to_a_millionth_and_stays_finite() -> None:
    values = np.concatenate((np.linspace(-50, 50, 40_001), [-1e6, -1e-6, 0.0, 1e-6, 1e6]))
    assert asinh(np.array([-3e38, 3e38], np.float32)).tolist() == pytest.approx(
        [-42.14, 42.14], abs=0.1
    )
    assert asinh(np.empty((3, 0), np.float32)).shape == (3, 0)
    values = values.astype(np.float32)
    expected = np.arcsinh(values.astype(np.float64))
    for result in (asinh(values), compress(ChainSettings(), values.copy())):
        assert result.dtype == np.float32
        assert np.abs(result - expected).max() <= 1e-6


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        (1024.5902, False),
        (600.614990234375, False),
        (999.4121105232217, True),
        (2034.5052083333, False),
        (1025 / 1.000412, False),
        (9999.87654321, False),
        (173.61, True),
        (199.98, True),
        (20_000.0, True),
    ],
)
def test_odd_rates_are_filtered_by_few_numbers_and_drift_by_half_a_sample_an_hour(
    rate: float, exact: bool
) -> None:
    chain = SignalChain(ChainSettings())
    ratio, is_exact = ratio_of(rate, 256.0)
    assert is_exact == exact
    off = abs(float(ratio) * rate / 256 - 1)
    assert off * 3600 * max(rate, 256) <= 0.5
    assert max(ratio.numerator, ratio.denominator) <= 300_000
    notes = chain.rate_notes(rate, "x", "refuse")
    assert len(notes) == (not exact)
    assert all("half a sample an hour" in note for note in notes)


@given(
    simple=st.sampled_from([50.0, 128.0, 256.0, 1024.0, 2048.0, 16_000.0, 16_384.0, 19_200.0]),
    distance=st.floats(-9, -4),
    target=st.sampled_from([64.0, 256.0, 1000.0]),
)
def test_no_rate_needs_a_filter_that_fills_the_memory(
    simple: float, distance: float, target: float
) -> None:
    """The nearer a rate lies to a simple one, the larger the numbers that tell the two apart."""
    rate = simple * (1 + 10**distance)
    chain = SignalChain(ChainSettings(sampling_rate=target, high=20))
    ratio, exact = ratio_of(rate, target)
    assert max(ratio.numerator, ratio.denominator) <= 1_100_000
    an_hour = 3600 * abs(float(ratio) * rate / target - 1)
    assert an_hour <= max(2e-3, 0.51 / max(rate, target))
    if not exact and an_hour * max(rate, target) > 0.51:
        (note,) = chain.rate_notes(rate, "x", "note")
        assert f"times drift by {1000 * an_hour:.2g} ms an hour" in note


@pytest.mark.parametrize(
    "rate", [100.0, 173.61, 250.0, 256.0, 512.0, 600.614990234375, 1024.5902, 2000.0]
)
def test_a_burst_is_called_where_it_was_put(rate: float) -> None:
    """Through resampling, filters and windows, within one hop, by how loud each window's last hop is."""
    onset, end, seconds = 40.5, 55.25, 90.0
    time = np.arange(round(seconds * rate)) / rate
    data = np.random.default_rng(3).normal(0, 5, (18, len(time)))
    inside = (time >= onset) & (time < end)
    data[:, inside] += 300 * np.sin(2 * np.pi * 5 * time[inside])
    chain, windows = SignalChain(ChainSettings(), SCALE), WindowSettings()
    out = chain.run(ArrayRecording(data, rate, BIPOLAR_18))
    starts = window_starts(out.shape[1], windows, 256.0)
    begin, stop = decision_interval(starts, windows, 256.0)
    size = [
        np.abs(out[:, round(a * 256) : round(b * 256)]).mean()
        for a, b in zip(begin, stop, strict=True)
    ]
    loud = (np.array(size) > 3 * np.median(size)).astype(float)
    (event,) = to_events(begin, loud, 1.0, PostProcessing(), seconds)
    assert abs(event.onset - onset) <= 1
    assert abs(event.end - end) <= 1
