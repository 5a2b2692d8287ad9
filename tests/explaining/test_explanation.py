"""An event explained: what adds up, what stands where, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import secateur
from secateur.errors import EventsError, RecordingError, SecateurError, SettingsError
from secateur.events import Event, Events
from secateur.explaining import METHODS, ExplainingDetector, ExplainingSettings, explain_events
from secateur.explaining.bands import BANDS, band_parts, power_by_band, products_by_band
from secateur.explaining.drawing import head_of, traces_of
from secateur.explaining.removal import Game, fades
from secateur.networks import to_onnx
from secateur.recordings import ArrayRecording
from tests.support.explained import RATE, built, looking_at, noise, opened, recording_of

EVENT = Event(100.0, 12.0)
THRESHOLD = 0.999
MATRICES = [method for method in METHODS if method not in ("contributions", "bands")]


@pytest.fixture(scope="module")
def detector() -> ExplainingDetector:
    return opened(looking_at(2), threshold=THRESHOLD)


@pytest.fixture(scope="module")
def recording() -> ArrayRecording:
    return recording_of(240, loud=(2, 100, 112))


def test_bands_add_up_to_the_signal_and_each_holds_its_own() -> None:
    signal = noise(2, 3, 1024)
    parts = band_parts(signal, RATE)
    assert parts.shape == (5, 2, 3, 1024)
    assert np.allclose(parts.sum(axis=0), signal, atol=1e-5)
    weights = noise(2, 3, 1024, 1)
    products = products_by_band(signal, weights, RATE)
    expected = (parts * weights).sum(axis=(2, 3)).T
    assert np.allclose(products, expected, atol=1e-2)
    assert np.allclose(products.sum(axis=1), (signal * weights).sum(axis=(1, 2)), atol=1e-2)


@pytest.mark.parametrize(("hertz", "band"), [(2, 0), (6, 1), (10, 2), (20, 3), (50, 4)])
def test_a_rhythm_lies_in_the_band_of_its_frequency(hertz: float, band: int) -> None:
    rhythm = np.sin(2 * np.pi * hertz * np.arange(1024) / RATE).astype(np.float32)
    assert power_by_band(rhythm[None], RATE)[band] > 0.97


def test_seconds_fade_into_each_other_and_add_up_to_one() -> None:
    parts = fades((0, 256, 512), 700, RATE)
    assert np.allclose(parts.sum(axis=0), 1)
    assert (parts[0, :240] == 1).all()
    assert (parts[1, 270:490] == 1).all()
    assert np.abs(np.diff(parts)).max() < 0.1


@pytest.mark.parametrize("method", METHODS)
def test_shares_add_up_and_stand_where_the_network_looks(
    method: str, detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    why = detector.explain(recording, EVENT, method=method, windows=4, samples=100)
    assert why.seconds[0] == 97.0
    assert len(why.seconds) == 15
    assert why.milliseconds > 0
    assert why.evaluations >= len(why.signal.starts) if method == "gradient" else why.evaluations
    if why.attribution is not None and why.by_channel is not None and why.by_second is not None:
        assert why.attribution.shape == (4, 15)
        assert np.allclose(why.attribution.sum(axis=1), why.by_channel)
        assert np.allclose(why.attribution.sum(axis=0), why.by_second)
        others = np.delete(why.by_channel, 2)
        assert np.abs(others).max() < 1e-4 * abs(why.by_channel[2])
        assert why.ranked_channels()[0][0] == "C2"
        assert why.margin > why.reference + 0.1
    if method in MATRICES or method == "bands":
        assert list(why.by_band) == list(BANDS)
        assert max(why.by_band, key=lambda band: why.by_band[band]) == "theta"
    if method in ("shap", "contributions"):
        assert why.completeness == pytest.approx(1, abs=1e-4)
    if method == "integrated":
        assert why.completeness == pytest.approx(1, abs=0.05)
        assert sum(why.by_band.values()) == pytest.approx(why.total, rel=1e-3)
    if method == "gradient":
        assert sum(why.by_band.values()) == pytest.approx(why.total, rel=1e-3)
    if method == "bands":
        assert why.attribution is None
        assert math.isnan(why.completeness)


@pytest.mark.parametrize("method", ["gradient", "occlusion"])
def test_before_and_behind_the_seizure_little_is_added(
    method: str, detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    why = detector.explain(recording, Event(97, 18), method=method, windows=9)
    assert why.by_second is not None
    loud = (why.seconds >= 100) & (why.seconds < 112)
    assert why.by_second[loud].mean() > 3 * abs(why.by_second[~loud].mean())


def test_the_margin_is_that_by_which_the_detector_called(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    probabilities = detector.window_probabilities(recording)
    index = int(np.flatnonzero(probabilities.begin == 105.0)[0])
    why = detector.explain(recording, 105.5)
    expected = probabilities.probability[index]
    assert len(why.signal.starts) == 1
    assert why.seconds.tolist() == [102.0, 103.0, 104.0, 105.0]
    # a probability near one says little of the margin; its logarithm does
    assert why.margin == pytest.approx(math.log(expected / (1 - expected)), abs=1e-3)
    whole = detector.explain(recording, EVENT)
    inside = (probabilities.begin >= 100) & (probabilities.begin < 112)
    odds = probabilities.probability[inside] / (1 - probabilities.probability[inside])
    assert whole.margin == pytest.approx(np.log(odds).mean(), abs=1e-3)


def test_what_is_taken_away_is_replaced_by_background_that_is_named(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    why = detector.explain(recording, EVENT, method="bands", references=3)
    assert (
        "the same recording's own background, windows that the detector doesn't call"
        in why.background
    )
    assert "60 s or more from any event given" in why.background
    assert why.background.count(",") >= 3
    assert detector.explain(recording, EVENT).background == ""


def test_occlusion_is_the_fall_when_one_second_of_one_channel_is_replaced(
    detector: ExplainingDetector,
) -> None:
    from secateur.explaining.network import ExplainedNetwork

    network = ExplainedNetwork(detector)
    window, references = 3 * noise(1, 4, 1024)[0], noise(2, 4, 1024, 7)
    game = Game(network, window, references, fades((0, 256, 512, 768), 1024, RATE), RATE)
    falls, start = game.occlusion()
    own = []
    for reference in references:
        changed = window.copy()
        mask = fades((0, 256, 512, 768), 1024, RATE)[1]
        changed[2] += mask * (reference[2] - window[2])
        own.append(network.margins(window[None])[0] - network.margins(changed[None])[0])
    assert falls.reshape(4, 4)[2, 1] == pytest.approx(np.mean(own), abs=1e-5)
    assert np.abs(falls.reshape(4, 4)[[0, 1, 3]]).max() < 1e-5
    assert start == pytest.approx(network.margins(references).mean())


def test_shap_names_errors_by_sampling_and_players_can_be_chosen(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    cells = detector.explain(recording, EVENT, method="shap", windows=3, samples=100)
    assert cells.errors.by_channel is not None
    assert cells.errors.attribution is not None
    assert cells.errors.by_channel[2] < 0.3 * abs(cells.by_channel[2])  # type: ignore[index]
    channels = detector.explain(recording, EVENT, method="shap", windows=3, players="channels")
    assert channels.attribution is None
    assert channels.by_second is None
    assert channels.by_channel is not None
    assert channels.completeness == pytest.approx(1, abs=1e-4)
    assert (channels.errors.by_channel == 0).all()  # type: ignore[union-attr]
    seconds = detector.explain(recording, EVENT, method="shap", windows=3, players="seconds")
    assert seconds.by_channel is None
    assert seconds.completeness == pytest.approx(1, abs=1e-4)


def test_of_a_long_event_so_many_windows_are_asked_and_that_is_noted(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    why = detector.explain(recording, EVENT, method="bands", windows=5)
    assert "5 of the event's 12 windows, evenly spread" in why.notes
    assert detector.explain(recording, EVENT, windows=5).notes == ()


def test_the_same_seed_gives_the_same_values(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    first, again, other = (
        detector.explain(recording, 105, method="shap", samples=40, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.attribution, again.attribution)  # type: ignore[arg-type]
    assert not np.array_equal(first.attribution, other.attribution)  # type: ignore[arg-type]


def test_several_events_are_explained_in_one_pass_as_each_by_itself(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    events = [Event(20, 5), EVENT]
    together = explain_events(detector, recording, events)
    for why, event in zip(together, events, strict=True):
        alone = detector.explain(recording, event)
        assert why.event == event
        assert np.allclose(why.attribution, alone.attribution)  # type: ignore[arg-type]


def test_background_stays_ten_seconds_away_where_a_minute_leaves_none(
    detector: ExplainingDetector,
) -> None:
    why = detector.explain(recording_of(100), Event(40, 20), method="bands", windows=1)
    assert why.background.endswith(", 10 s or more from any event given")


def test_background_keeps_away_from_other_events_too(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    settings = ExplainingSettings(method="bands", windows=1)
    others = Events((Event(125, 115),), 240)
    (why,) = explain_events(detector, recording, [EVENT], settings, others=others)
    begins = why.background.split("beginning at ")[1].split(" s")[0]
    assert all(float(begin) < 90 for begin in begins.split(", "))


def test_montage_each_is_explained_channel_by_channel() -> None:
    detector = opened(looking_at(0, 1), THRESHOLD, montage="each", channels=())
    names = ["FP1-F7", "F7-T7", "T7-P7"]
    source = recording_of(120, 3, loud=(1, 60, 70))
    recording = ArrayRecording(source.read(), RATE, names)
    for method in ("gradient", "contributions", "occlusion"):
        why = detector.explain(recording, Event(60, 10), method=method, windows=3)
        assert why.attribution is not None
        assert why.attribution.shape == (3, 13)
        assert why.ranked_channels()[0][0] == "F7-T7"


class Gapped(ArrayRecording):
    """Sixty seconds, nothing from 60 to 80 s, and sixty more."""

    def __init__(self) -> None:
        source = recording_of(140)
        super().__init__(source.read(), RATE, source.channels, path="gapped.edf")
        self.stretches = ((0, round(60 * RATE)), (round(80 * RATE), round(140 * RATE)))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (
            Event(300, 5),
            "night.edf: the event at 300 s for 5 s lies outside of the recording, which",
        ),
        (Event(235, 20), "lies outside of the recording, which lasts 240 s"),
        (
            Event(1, 1.5),
            "no window that decides about it: windows of 4 s every 1 s, each about its",
        ),
        (Event(50.6, 0.2), "no window that decides about it"),
        (500.0, "lies outside of the recording"),
    ],
)
def test_an_event_that_cannot_be_of_the_recording_is_refused(
    event: Event | float, reason: str, detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    with pytest.raises(EventsError, match=reason):
        detector.explain(recording, event)


@pytest.mark.parametrize("event", [Event(55, 40), Event(65, 5), Event(55, 10)])
def test_an_event_across_a_gap_is_refused(event: Event, detector: ExplainingDetector) -> None:
    with pytest.raises(EventsError, match="reaches into a gap; explain what lies before and after"):
        detector.explain(Gapped(), event)


def test_behind_a_gap_times_count_from_the_recordings_start(detector: ExplainingDetector) -> None:
    why = detector.explain(Gapped(), Event(100, 4))
    assert why.seconds[0] == 97.0
    with pytest.raises(EventsError, match="no window that decides about it"):
        detector.explain(Gapped(), Event(80.5, 2))


def test_a_recording_shorter_than_a_window_is_refused(detector: ExplainingDetector) -> None:
    with pytest.raises(EventsError, match=r"no window that decides about it: .* in 3 s without"):
        detector.explain(recording_of(3), Event(1, 2))


def test_a_recording_without_background_is_refused_where_some_is_needed(
    recording: ArrayRecording,
) -> None:
    everything = opened(looking_at(2), threshold=0.0)
    with pytest.raises(RecordingError, match="holds no background without an event that could"):
        everything.explain(recording, EVENT, method="occlusion")
    assert everything.explain(recording, EVENT).attribution is not None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"samples": 0},
            r"samples \(--samples\): wanted 1 or more, got 0",
        ),
        ({"steps": 0}, r"steps \(--steps\): wanted 1 or more"),
        ({"method": "lime"}, r"method \(--method\): .*'gradient', 'integrated', 'contributions'"),
        ({"sample": 5}, "sample is no setting; there is method, steps, samples"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    settings: dict[str, Any],
    reason: str,
    detector: ExplainingDetector,
    recording: ArrayRecording,
) -> None:
    with pytest.raises(SettingsError, match=reason):
        detector.explain(recording, EVENT, **settings)


def test_a_network_without_average_is_refused_contributions(recording: ArrayRecording) -> None:
    detector = opened(to_onnx(built("eegnet", 4)))
    with pytest.raises(SettingsError, match="contributions are known of networks that end in an"):
        detector.explain(recording, EVENT, method="contributions")


@pytest.mark.parametrize("second", [-1.0, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(
    second: float, detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    with pytest.raises(SecateurError, match="wanted a time in seconds, 0 or later"):
        detector.explain(recording, second)


def test_what_the_facade_opens_explains(
    tmp_path: Any, detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    from secateur.detectors import write_detector

    path = tmp_path / "d.onnx"
    write_detector(path, looking_at(2), detector.info)
    why = secateur.load_detector(path).explain(
        recording.read(),
        EVENT,
        sampling_rate=RATE,
        channels=recording.channels,
    )
    expected = detector.explain(recording, EVENT)
    assert np.allclose(why.attribution, expected.attribution)  # type: ignore[arg-type]


def test_on_the_head_electrodes_are_called_as_their_channels_call_them() -> None:
    names = ["F7-T3", "T3-T5", "T8-P8", "EEG Cz-REF", "EMG", "O2-A1"]
    source = recording_of(60, 6)
    recording = ArrayRecording(source.read(), RATE, names)
    detector = opened(looking_at(2, 6), THRESHOLD, channels=tuple(names))
    head = head_of(detector.explain(recording, 20.0))
    assert head is not None
    places = {name: (x, y) for name, x, y in head.electrodes}
    assert set(places) == {"F7", "T3", "T5", "T8", "P8", "Cz", "O2", "A1"}
    assert places["Cz"] == (150, 150)
    assert places["T3"][0] < places["Cz"][0] < places["T8"][0]
    assert places["F7"][1] < places["T3"][1] < places["T5"][1] < places["O2"][1]
    assert head.absent == ("EMG",)
    assert head.edges[-1].name == "T8-P8"
    assert {edge.name for edge in head.edges if edge.begin == edge.end} == {"EEG Cz-REF"}


def test_bars_of_seconds_fill_their_height_on_both_sides_of_zero(
    detector: ExplainingDetector, recording: ArrayRecording
) -> None:
    why = detector.explain(recording, Event(97, 18))
    assert why.by_second is not None
    mixed = np.where(np.arange(len(why.seconds)) % 2, why.by_second, -why.by_second / 3)
    shares = replace(why.shares, by_second=mixed)
    traces = traces_of(replace(why, shares=shares))
    tops = [block.y for block in traces.seconds]
    ends = [block.y + block.height for block in traces.seconds]
    assert min(tops) == pytest.approx(0)
    assert max(ends) == pytest.approx(traces.seconds_height)
    assert all((block.share > 0) == (block.y < traces.zero - 1e-9) for block in traces.seconds)
