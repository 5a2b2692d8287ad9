"""A stream: what it tells and when, what it does with signals that aren't whole, and its saved state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.detectors import Detector, DetectorInfo, PostProcessing, pack
from secateur.detectors.stream import DetectorStream, Step
from secateur.errors import ChannelsError, RecordingError, SettingsError, StreamError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import ArrayRecording
from secateur.windows import ChainSettings, Scale, WindowSettings

RATE, CHANNELS = 64.0, ("Fp1", "Cz", "O2")
WITH_ECG = ("ECG", *CHANNELS)


def detector(name: str = "valid", scaling: str = "running") -> Detector:
    network = build_network(
        NetworkSettings(name=name, widths=(4, 4, 4), pooling=(4, 2, 2)), 3, 256, 5
    )
    info = DetectorInfo.model_validate(
        {
            "secateur": "0",
            "chain": ChainSettings(
                montage="as-recorded",
                channels=CHANNELS,
                sampling_rate=RATE,
                high=25,
                scaling=scaling,
            ),
            "scale": Scale(mean=(0.0,) * 3, spread=(20.0,) * 3),
            "windows": WindowSettings(),
            "post_processing": PostProcessing(threshold=0.5, merge_gap=3, shortest=2, release=0.4),
        }
    )
    return Detector(pack(to_onnx(network.eval()), info), name)


OF = detector()


def signal(seconds: float, seed: int = 0, rows: int = 3) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, 20, (rows, round(seconds * RATE)))
    return noise.astype(np.float32)


def probabilities(steps: list[Step]) -> NDArray[np.float64]:
    return np.concatenate([step.probabilities for step in steps])


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ("Fp1", "channels: got the string 'Fp1', wanted a list: ['Fp1']"),
        (None, "channels: got NoneType, wanted a list of strings"),
        ([1, 2, 3], "channels: got int 1 in it, wanted a list of strings"),
    ],
)
def test_channels_that_are_no_list_are_refused(channels: object, words: str) -> None:
    samples = np.zeros((3, 640), dtype=np.float32)
    with pytest.raises(SettingsError) as caught:
        OF.stream(channels, RATE)  # type: ignore[arg-type]
    assert str(caught.value) == words
    with pytest.raises(SettingsError) as caught:
        ArrayRecording(samples, RATE, channels)  # type: ignore[arg-type]
    assert str(caught.value) == words
    with pytest.raises(SettingsError):
        OF.detect(samples, RATE, channels)  # type: ignore[arg-type]
    with pytest.raises(SettingsError):
        OF.chain.begin(channels, RATE)  # type: ignore[arg-type]


def test_a_stream_that_is_too_slow_is_refused_with_what_a_stream_can_do() -> None:
    with pytest.raises(RecordingError) as caught:
        OF.stream(CHANNELS, 40.0)
    assert str(caught.value).endswith(
        "a stream must hold the band; once recorded, secateur detect --force takes it, or in Python "
        'window_probabilities(recording, too_slow="note")'
    )
    slow = ArrayRecording(np.zeros((3, 4000), dtype=np.float32), 40.0, CHANNELS)
    with pytest.raises(
        RecordingError, match='--force takes it all the same, in Python too_slow="note"'
    ):
        OF.detect(slow)
    assert len(OF.window_probabilities(slow, too_slow="note").probability)


def test_a_window_is_told_with_its_last_sample() -> None:
    stream, data = OF.stream(CHANNELS, RATE), signal(6)
    assert len(stream.push(data[:, :255]).probabilities) == 0
    step = stream.push(data[:, 255:256])
    assert step.seconds.tolist() == [3.0]
    assert step.hop == 1.0
    assert stream.push(data[:, 256:384]).seconds.tolist() == [4.0, 5.0]
    assert stream.samples == 384


def test_arrays_are_recordings() -> None:
    data = signal(20)
    by_array = OF.detect(data, sampling_rate=RATE, channels=CHANNELS)
    assert by_array == OF.detect(ArrayRecording(data, RATE, CHANNELS))
    with pytest.raises(SettingsError, match="needs its sampling_rate"):
        OF.detect(data)
    with pytest.raises(SettingsError, match="go with an array"):
        OF.detect(ArrayRecording(data, RATE, CHANNELS), sampling_rate=RATE)
    with pytest.raises(SettingsError, match="got str; wanted a recording"):
        OF.detect("night.edf")


def test_lost_samples_end_the_stretch_and_the_next_begins_anew() -> None:
    first, second = signal(10, 1), signal(12, 2)
    stream = OF.stream(CHANNELS, RATE)
    steps = [stream.push(first, at=0), stream.push(second, at=round(13 * RATE)), stream.close()]
    alone = [
        OF.window_probabilities(ArrayRecording(item, RATE, CHANNELS)) for item in (first, second)
    ]
    assert steps[1].notes == ("192 samples lost before second 13",)
    assert np.allclose(probabilities(steps), np.concatenate([item.probability for item in alone]))
    begins = np.concatenate((alone[0].begin, alone[1].begin + 13))
    assert np.array_equal(np.concatenate([step.seconds for step in steps]), begins)
    closed = [event for step in steps for event in step.closed]
    assert all(event.end <= 10 or event.onset >= 13 for event in closed)


def test_what_comes_again_is_passed_over() -> None:
    data = signal(12)
    stream, plain = OF.stream(CHANNELS, RATE), OF.stream(CHANNELS, RATE)
    steps = [stream.push(data[:, :400], at=0), stream.push(data[:, 100:300], at=100)]
    steps.append(stream.push(data[:, 350:], at=350))
    assert [step.notes for step in steps] == [
        (),
        ("200 samples came again and were passed over",),
        ("50 samples came again and were passed over",),
    ]
    assert np.array_equal(probabilities(steps), plain.push(data).probabilities)


def test_a_lost_channel_is_a_gap_where_the_network_needs_it() -> None:
    data = signal(20, rows=4)
    data[0, 100:] = np.nan  # the ECG, which nobody needs
    stream = OF.stream(WITH_ECG, RATE)
    assert stream.push(data[:, :640]).notes == stream.notes == ("left out: ECG",)
    broken = data[:, 640:].copy()
    broken[2, 64:128] = np.inf
    step = stream.push(broken)
    assert step.notes == ("no signal in Cz for 64 samples from second 11: nothing is judged there",)
    assert (step.seconds[step.seconds > 11] >= 12 + 3).all()
    assert np.isfinite(step.probabilities).all()


@pytest.mark.parametrize("cut", [1, 100])
def test_what_a_file_is_noted_for_a_stream_is_too(cut: int) -> None:
    rate = 1024.5902
    data = np.random.default_rng(0).normal(0, 20, (4, 4096)).astype(np.float32)
    stream = OF.stream(WITH_ECG, rate)
    recording = ArrayRecording(data, rate, WITH_ECG)
    assert stream.notes == OF.window_probabilities(recording).notes
    assert "its rate of 1024.5902 Hz is taken as" in stream.notes[1]
    assert stream.push(data[:, :0]).notes == ()
    assert stream.push(data[:, :cut]).notes == stream.notes
    assert stream.push(data[:, cut : cut + 100]).notes == ()
    assert OF.resume(stream.save()).push(data[:, cut + 100 :]).notes == ()


def test_a_channel_that_stands_still_is_told_once() -> None:
    data = signal(20)
    data[1, 300:900] = 7.0
    stream = OF.stream(CHANNELS, RATE)
    notes = [stream.push(data[:, k : k + 50]).notes for k in range(0, data.shape[1], 50)]
    noted = [(k, note) for k, note in enumerate(notes) if note]
    # four looks a second, sixteen at a time
    assert noted == [(15, ("Cz has stood still for 4 s",))]


def test_voltages_of_no_eeg_are_told_once_after_a_minute_or_at_the_end() -> None:
    data = signal(100) * np.float32(1e-6)
    stream = OF.stream(CHANNELS, RATE)
    notes = [stream.push(data[:, k : k + 64]).notes for k in range(0, data.shape[1], 64)]
    (number,) = (k for k, some in enumerate(notes) if some)
    assert 60 <= number < 70
    assert "amplitude is no EEG's" in notes[number][0]
    resumed = OF.resume(stream.save())
    assert stream.close().notes == resumed.close().notes == ()
    short = OF.stream(CHANNELS, RATE)
    assert short.push(data[:, :640]).notes == ()
    assert "amplitude is no EEG's" in short.close().notes[0]


def test_events_of_an_array_in_volts_say_so() -> None:
    events = OF.detect(signal(100) * np.float32(1e-6), RATE, CHANNELS)
    assert "amplitude is no EEG's" in events.notes[0]
    assert OF.detect(signal(100), RATE, CHANNELS).notes == ()


@pytest.mark.parametrize("lost", [0, 1, 700])
def test_a_recording_with_a_gap_is_judged_as_a_stream_that_lost_samples(lost: int) -> None:
    first, second = signal(10.3, 1), signal(12, 2)
    until = first.shape[1]
    filled = np.concatenate((first, np.zeros((3, lost), np.float32), second), axis=1)
    recording = ArrayRecording(filled, RATE, CHANNELS)
    recording.stretches = ((0, until), (until + lost, filled.shape[1]))
    bulk = OF.window_probabilities(recording)
    stream = OF.stream(CHANNELS, RATE)
    steps = [stream.push(first, at=0)]
    if lost:
        steps += [stream.push(second, at=until + lost), stream.close()]
        assert np.array_equal(bulk.begin, np.concatenate([step.seconds for step in steps]))
        assert np.allclose(bulk.probability, probabilities(steps), atol=1e-6)
        assert OF.events(bulk).events == tuple(e for step in steps for e in step.closed)
    alone = [
        OF.window_probabilities(ArrayRecording(part, RATE, CHANNELS)) for part in (first, second)
    ]
    joined = np.concatenate([part.probability for part in alone])
    assert np.array_equal(bulk.probability, joined)
    for event in OF.events(bulk):
        assert event.end <= until / RATE or event.onset >= (until + lost) / RATE


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    stream, plain, data = OF.stream(CHANNELS, RATE), OF.stream(CHANNELS, RATE), signal(8)
    stream.push(data[:, :200])
    with pytest.raises(
        StreamError, match=r"wanted 3 channels × samples in µV; got .* shape \(2, 9\)"
    ):
        stream.push(np.zeros((2, 9)))
    with pytest.raises(StreamError, match="wanted 3 channels"):
        stream.push(np.zeros((3, 4), dtype=complex))
    with pytest.raises(
        StreamError, match="begun at 64 Hz, this chunk is stated to be sampled at 128 Hz"
    ):
        stream.push(data[:, 200:], sampling_rate=128)
    with pytest.raises(StreamError, match="before the stream"):
        stream.push(data, at=-1)
    assert np.array_equal(
        stream.push(data[:, 200:], sampling_rate=RATE).probabilities,
        plain.push(data).probabilities,
    )
    stream.close()
    for late in (lambda: stream.push(data), stream.close, stream.save):
        with pytest.raises(StreamError, match="is closed"):
            late()
    with pytest.raises(ChannelsError):
        OF.stream(("Fp1", "Cz"), RATE)
    with pytest.raises(StreamError, match="above 0 Hz"):
        OF.stream(CHANNELS, 0)


def run(stream: DetectorStream, data: NDArray[np.float32]) -> list[Step]:
    return [
        *(stream.push(data[:, k : k + 50]) for k in range(0, data.shape[1], 50)),
        stream.close(),
    ]


@pytest.mark.parametrize("name", ["valid", "paper"])
@given(
    st.integers(0, 1500),
    st.sampled_from(("running", "training-set")),
    st.sampled_from((64.0, 100.0)),
)
def test_saved_and_taken_up_again_to_the_bit(name: str, at: int, scaling: str, rate: float) -> None:
    of, data = detector_of(name, scaling), signal(25, at)
    unbroken, halves = of.stream(CHANNELS, rate), of.stream(CHANNELS, rate)
    before = [unbroken.push(data[:, :at]), halves.push(data[:, :at])]
    again = of.resume(halves.save())
    steps, resumed = run(unbroken, data[:, at:]), run(again, data[:, at:])
    for item, other in zip([before[0], *steps], [before[1], *resumed], strict=True):
        assert np.array_equal(item.probabilities, other.probabilities)
        assert np.array_equal(item.seconds, other.seconds)
        assert (item.opened, item.closed, item.notes) == (other.opened, other.closed, other.notes)


_KEPT: dict[tuple[str, str], Detector] = {}


def detector_of(name: str, scaling: str) -> Detector:
    return _KEPT.setdefault((name, scaling), detector(name, scaling))


def test_no_event_crosses_a_gap_in_which_no_time_was_lost() -> None:
    info = OF.info.model_copy(
        update={
            "windows": WindowSettings(length=4, hop=4),
            "post_processing": PostProcessing(threshold=0, merge_gap=9),
        }
    )
    network = build_network(
        NetworkSettings(name="valid", widths=(4, 4, 4), pooling=(4, 2, 2)), 3, 256, 5
    )
    of = Detector(pack(to_onnx(network.eval()), info), "hops of a window")
    recording = ArrayRecording(signal(16), RATE, CHANNELS)
    recording.stretches = ((0, 512), (512, 1024))
    assert [(e.onset, e.end) for e in of.detect(recording)] == [(0, 8), (8, 16)]
