"""Any stretch of any signals is what the calibration says of each stored number."""

from __future__ import annotations

import warnings
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateur.errors import RecordingError
from secateur.recordings import open_recording
from secateur.recordings.edf import DataRecords, read_header

SECONDS, RATE = 150, 128
FACTORS = (1.0, 1e3, 1.0)


@pytest.fixture(scope="module")
def edf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three signals of one rate, a slower one between them, and annotations."""
    generator = np.random.default_rng(0)
    signals = []
    for label, rate, unit, reach in (
        ("Fp1-F3", RATE, "uV", 800.0),
        ("slow", 16, "uV", 100.0),
        ("F3-C3", RATE, "mV", 0.7),
        ("C3-P3", RATE, "uV", 123.4),
    ):
        values = generator.uniform(-reach, reach, SECONDS * rate)
        signals.append(
            edfio.EdfSignal(
                values, rate, label=label, physical_dimension=unit, physical_range=(-reach, reach)
            )
        )
    path = tmp_path_factory.mktemp("records") / "a.edf"
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(3, None, "cough")]).write(path)
    return path


@given(
    stretch=st.tuples(*[st.integers(0, SECONDS * RATE)] * 2).map(sorted),
    chosen=st.lists(st.integers(0, 2), max_size=4),
)
@settings(max_examples=40)
def test_any_stretch_is_the_formula_to_the_bit(
    edf: Path, stretch: list[int], chosen: list[int]
) -> None:
    first, last = stretch
    signals = [edfio.read_edf(edf).signals[k] for k in (0, 2, 3)]
    expected = np.empty((len(chosen), last - first), dtype=np.float32)
    for row, k in enumerate(chosen):
        signal = signals[k]
        gain = (signal.physical_max - signal.physical_min) / (
            signal.digital_max - signal.digital_min
        )
        numbers = signal.digital[first:last].astype(np.float64)
        expected[row] = ((numbers - signal.digital_min) * gain + signal.physical_min) * FACTORS[k]
    got = open_recording(edf).read(first / RATE, last / RATE, chosen)
    assert got.dtype == np.float32
    assert np.array_equal(got, expected)


def test_a_record_longer_than_what_is_worked_on_at_once(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).integers(-32768, 32768, (2, 40_000)).astype("<i2")
    path = tmp_path / "long.edf"
    signals = [
        edfio.EdfSignal(row.astype(float), 1.0, label=x)
        for x, row in zip("ab", numbers, strict=True)
    ]
    edfio.Edf(signals, data_record_duration=20_000).write(path)
    path.write_bytes(path.read_bytes()[: 256 * 3] + _as_records(numbers, 20_000))
    header = read_header(path)
    expected = np.empty((2, 18_000), dtype=np.float32)
    for row, k in enumerate((1, 0)):
        signal = header.signals[k]
        stored = numbers[k, 15_000:33_000].astype(np.float64)
        expected[row] = (stored - signal.digital[0]) * signal.gain + signal.physical[0]
    assert np.array_equal(DataRecords(path, header).read(15_000, 33_000, [1, 0]), expected)


def _as_records(numbers: np.ndarray, per_record: int) -> bytes:
    return numbers.reshape(len(numbers), -1, per_record).transpose(1, 0, 2).tobytes()


def test_a_file_that_became_shorter_or_went_is_named(edf: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(edf.read_bytes())
    recording = open_recording(path)
    path.write_bytes(edf.read_bytes()[:-5000])
    assert recording.read(0, 10).shape == (3, 10 * RATE)
    with pytest.raises(RecordingError, match="did the file change"):
        recording.read()
    path.unlink()
    with pytest.raises(RecordingError, match="did the file change"):
        recording.read(0, 10)


def test_real_recordings_are_read_as_edfio_reads_them(clips: Path, layouts: Path) -> None:
    files = [*sorted(clips.rglob("*.edf"))[::8], *sorted(layouts.rglob("*.edf"))[::5]]
    assert len(files) > 30
    for path in files:
        ours = open_recording(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = edfio.read_edf(path)
            begins = theirs.startdatetime.replace(microsecond=0)
        assert ours.start == begins
        signals = [
            signal
            for signal in theirs.signals
            if signal.physical_dimension.lower() == "uv"
            and signal.sampling_frequency == ours.sampling_rate
            and signal.physical_max != signal.physical_min
        ]
        assert [signal.label for signal in signals] == list(ours.channels)
        values = ours.read()
        for row, signal in zip(values, signals, strict=True):
            assert np.allclose(row, signal.data, rtol=1e-6, atol=1e-3)
