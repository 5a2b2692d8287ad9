"""EDF files, whole and damaged: the readable part, or a reason."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secateur.errors import RecordingError, RecordingNotFoundError
from secateur.recordings import ArrayRecording, duration_of, open_recording
from tests.support.cohorts import PATIENT, eeg, write_edf

LABELS = ["F3-C3", "C3-P3"]


@pytest.fixture
def edf(tmp_path: Path) -> Path:
    return write_edf(tmp_path / "a.edf", eeg(10, [], 0, channels=2), LABELS)


def patched(path: Path, at: int, content: bytes) -> Path:
    raw = bytearray(path.read_bytes())
    raw[at : at + len(content)] = content
    path.write_bytes(raw)
    return path


def test_samples_come_in_microvolts_for_any_stretch(edf: Path) -> None:
    recording = open_recording(edf)
    expected = np.stack([signal.data for signal in edfio.read_edf(edf).signals])
    complete = recording.read()
    assert complete.dtype == np.float32
    assert np.abs(complete - expected).max() < 1e-3
    assert recording.sampling_rate == 256
    assert duration_of(recording) == 10
    part = recording.read(1.5, 7.25, [1])
    assert np.array_equal(part[0], complete[1, 384:1856])
    assert recording.read(3, 3).shape == (2, 0)


@pytest.mark.clause("EDF+ 2.1.3.9")
@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e3), ("V", 1e6), ("nV", 1e-3), ("µV", 1.0)])
def test_whatever_the_unit_microvolts_come_out(tmp_path: Path, unit: str, factor: float) -> None:
    data = eeg(2, [], 0, channels=2)
    # edfio writes ASCII units only, so the µ is put in afterwards
    path = write_edf(tmp_path / "a.edf", data, LABELS, unit="uV" if unit == "µV" else unit)
    if unit == "µV":
        at = 256 + 2 * (16 + 80)
        patched(path, at, "µV      ".encode("latin-1") * 2)
    assert np.allclose(open_recording(path).read() / factor, data, atol=0.02 * np.ptp(data))


def test_reading_beyond_the_end_is_refused(edf: Path) -> None:
    recording = open_recording(edf)
    for start, stop in ((-1.0, 2.0), (0.0, 11.0), (5.0, 4.0)):
        with pytest.raises(RecordingError, match="it holds 0 to 10"):
            recording.read(start, stop)


def test_a_file_cut_off_yields_its_whole_records(edf: Path) -> None:
    complete = open_recording(edf).read()
    raw = edf.read_bytes()
    edf.write_bytes(raw[: len(raw) - 700])
    recording = open_recording(edf)
    kept = recording.samples
    assert 0 < kept < 2560
    assert np.array_equal(recording.read(), complete[:, :kept])
    assert any("cut off" in note for note in recording.notes)


@pytest.mark.clause("EDF+ 2.1.3.10")
@pytest.mark.clause("EDF FAQ 11")
def test_a_wrong_record_count_gives_way_to_the_size(edf: Path) -> None:
    complete = open_recording(edf).read()
    for count in (b"99      ", b"3       ", b"-1      "):
        recording = open_recording(patched(edf, 236, count))
        assert np.array_equal(recording.read(), complete)
        assert bool(recording.notes) == (count != b"-1      ")


@pytest.mark.parametrize(
    ("at", "content", "reason"),
    [
        (0, b"1       ", "not an EDF file"),
        (0, b"\xffBIOSEMI", "BDF"),
        (252, b"abcd", "number of signals"),
        (252, b"0   ", "0 signals"),
        (252, b"9999", "9999 signals"),
        (252, b"50  ", "cut off inside the header|disagrees"),
        (184, b"12      ", "header's length"),
        (244, b"zero    ", "duration of a data record"),
        (244, b"0       ", "a data record of 0 s"),
        (244, b"-5      ", "a data record of -5 s"),
        (236, b"many    ", "number of data records"),
    ],
)
def test_a_nonsense_header_is_named(edf: Path, at: int, content: bytes, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason) as caught:
        open_recording(patched(edf, at, content))
    assert str(edf) in str(caught.value)
    assert PATIENT.split()[0] not in str(caught.value)


@pytest.mark.clause("EDF FAQ 8")
def test_a_channel_without_calibration_is_left_out(edf: Path) -> None:
    signals = 2
    physical_min = 256 + signals * (16 + 80 + 8)
    raw = edf.read_bytes()
    maximum = raw[physical_min + signals * 8 : physical_min + signals * 8 + 8]
    recording = open_recording(patched(edf, physical_min, maximum))
    assert recording.channels == ("C3-P3",)
    assert "F3-C3: its physical minimum and maximum are both" in recording.notes[0]


def test_channels_at_another_rate_or_of_no_voltage_are_left_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(4, 2560))
    signals = [
        edfio.EdfSignal(noise[0], 256, label="F3", physical_dimension="uV"),
        edfio.EdfSignal(noise[1], 256, label="C3", physical_dimension="uV"),
        edfio.EdfSignal(noise[2, :100], 10, label="SpO2", physical_dimension="%"),
        edfio.EdfSignal(noise[3, :1280], 128, label="P3", physical_dimension="uV"),
    ]
    path = tmp_path / "mixed.edf"
    edfio.Edf(signals).write(path)
    recording = open_recording(path)
    assert recording.channels == ("F3", "C3")
    assert recording.sampling_rate == 256
    assert [note.split(":")[0] for note in recording.notes] == ["SpO2", "P3"]


def test_what_is_not_there_or_empty_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFoundError, match="no such file"):
        open_recording(tmp_path / "no.edf")
    with pytest.raises(FileNotFoundError):
        open_recording(tmp_path / "no.edf")
    with pytest.raises(RecordingError, match="is a folder"):
        open_recording(tmp_path)
    empty = tmp_path / "empty.edf"
    empty.write_bytes(b"")
    with pytest.raises(RecordingError, match="empty: 0 bytes"):
        open_recording(empty)


def test_a_header_without_records_is_empty(edf: Path) -> None:
    edf.write_bytes(edf.read_bytes()[: 256 * 3])
    with pytest.raises(RecordingError, match="no whole data record"):
        open_recording(edf)


@given(data=st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_a_typed_error_or_a_readable_prefix(edf: Path, data: st.DataObject) -> None:
    """Cut anywhere, or with random bytes anywhere in its header: nothing else may happen."""
    raw = bytearray(edf.read_bytes())
    original = bytes(raw)
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw)))]
    else:
        at = data.draw(st.integers(0, 256 * 3))
        junk = data.draw(st.binary(min_size=1, max_size=40))
        raw[at : at + len(junk)] = junk
    path = edf.with_name("damaged.edf")
    path.write_bytes(raw)
    try:
        recording = open_recording(path)
        values = recording.read()
    except RecordingError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return
    assert values.shape == (len(recording.channels), recording.samples)
    assert values.nbytes <= 64 * len(original)


@pytest.mark.clause("EDF+ 2.1.3.3")
def test_a_name_in_the_header_reaches_nothing(edf: Path) -> None:
    assert PATIENT.replace(" ", "_").encode() in edf.read_bytes()
    recording = open_recording(edf)
    public = f"{vars(recording)['notes']}{recording.channels}{recording.start}{recording.path.name}"
    assert "Winterbottom" not in public


def test_arrays_are_recordings_too() -> None:
    data = eeg(3, [], 1, channels=2)
    recording = ArrayRecording(data, 256, LABELS)
    assert np.array_equal(recording.read(1, 2), data[:, 256:512].astype(np.float32))
    for shape, rate in (((3, 10), 256.0), ((2, 10), 0.0)):
        with pytest.raises(RecordingError):
            ArrayRecording(np.zeros(shape), rate, LABELS)
    with pytest.raises(RecordingError, match="is no number"):
        ArrayRecording(np.full((2, 10), np.nan), 256, LABELS)
