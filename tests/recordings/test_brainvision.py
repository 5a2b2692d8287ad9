"""BrainVision files: MNE is the oracle of what is whole; what is odd is read right or refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.errors import RecordingError, RecordingNotFoundError
from secateur.recordings import ReadingSettings, files_of, open_recording
from tests.support.brainvision import write_brainvision
from tests.support.cohorts import eeg

LABELS = ("F3", "C3", "P3")


@pytest.fixture
def data() -> NDArray[np.float64]:
    return eeg(10, [(2, 5)], 0, channels=3)


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
@pytest.mark.parametrize("kind", ["INT_16", "INT_32", "IEEE_FLOAT_32"])
def test_it_reads_what_mne_reads(
    tmp_path: Path, data: NDArray[np.float64], orientation: str, kind: str
) -> None:
    mne = pytest.importorskip("mne")
    path = write_brainvision(
        tmp_path / "a.vhdr",
        data,
        LABELS,
        common={"DataOrientation": orientation},
        binary={"BinaryFormat": kind},
    )
    recording = open_recording(path)
    assert (recording.channels, recording.sampling_rate, recording.samples) == (LABELS, 256, 2560)
    assert recording.start == datetime(2020, 2, 3, 4, 5, 6)
    assert recording.notes == ()
    complete = recording.read()
    assert complete.dtype == np.float32
    oracle = mne.io.read_raw_brainvision(path, verbose="ERROR").get_data() * 1e6
    assert np.allclose(complete, oracle, rtol=1e-6, atol=0)
    assert np.abs(complete - data).max() < 0.06
    assert np.array_equal(recording.read(1.5, 7.25, [2, 0]), complete[[2, 0], 384:1856])
    assert recording.read(3, 3).shape == (3, 0)
    with pytest.raises(RecordingError, match="it holds 0 to 10"):
        recording.read(0, 11)


def test_a_file_cut_short_is_read_as_far_as_it_goes_or_refused(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    """Channel after channel, a shorter file would shift all channels but the first."""
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS)
    complete = open_recording(path).read()
    samples = path.with_suffix(".eeg")
    samples.write_bytes(samples.read_bytes()[:-1000])
    recording = open_recording(path)
    assert recording.notes == (
        "its data file holds 2393 whole samples, its header says 2560: the size is right",
    )
    assert np.array_equal(recording.read(), complete[:, :2393])
    for cut in (1000, 600):
        other = write_brainvision(
            tmp_path / "b.vhdr", data, LABELS, common={"DataOrientation": "VECTORIZED"}
        )
        samples = other.with_suffix(".eeg")
        samples.write_bytes(samples.read_bytes()[:-cut])
        with pytest.raises(RecordingError, match="wanted 6 for each of 2560 samples"):
            open_recording(other)
    torn = write_brainvision(tmp_path / "c.vhdr", data, LABELS)
    torn.with_suffix(".eeg").write_bytes(torn.with_suffix(".eeg").read_bytes() + b"\0")
    assert open_recording(torn).notes == (
        "cut off inside a sample: its 2560 whole samples are read",
    )


def test_channel_after_channel_it_must_say_where_one_ends(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    """Cut short by a sample of each channel, its size alone fits all the same."""
    common = {"DataOrientation": "VECTORIZED", "DataPoints": None}
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS, common=common)
    samples = path.with_suffix(".eeg")
    samples.write_bytes(samples.read_bytes()[:-6])
    with pytest.raises(
        RecordingError, match=r"no DataPoints tells where one ends .* DataPoints=2559"
    ):
        open_recording(path)


@pytest.mark.parametrize(
    ("common", "binary", "message"),
    [
        ({}, {"UseBigEndianOrder": "YES"}, "its UseBigEndianOrder can't be read; wanted NO"),
        (
            {},
            {"BinaryFormat": "IEEE_FLOAT_64"},
            "its BinaryFormat can't be read; wanted IEEE_FLOAT_32",
        ),
        ({"DataFormat": "ASCII"}, {}, "its DataFormat can't be read; wanted BINARY"),
        ({"DataType": "FREQUENCYDOMAIN"}, {}, "its DataType can't be read"),
        ({"DataOrientation": None}, {}, "its DataOrientation can't be read"),
        ({"SamplingInterval": "0"}, {}, "its SamplingInterval is no number above 0"),
        ({"SamplingInterval": "1e-300"}, {}, "its SamplingInterval is no number above 0"),
        ({"NumberOfChannels": "4"}, {}, "lists no Ch4 of 4 channels"),
        ({"NumberOfChannels": "nan"}, {}, "its NumberOfChannels is no number above 0"),
        ({"SegmentationType": "MARKERBASED"}, {}, "cut into segments"),
        ({"DataFile": "../a.eeg"}, {}, "its DataFile lies outside its folder"),
        ({"DataFile": "..\\a.eeg"}, {}, "its DataFile lies outside its folder"),
        ({"DataFile": "/etc/passwd"}, {}, "its DataFile lies outside its folder"),
        ({"DataFile": "C:\\eeg\\a.eeg"}, {}, "its DataFile lies outside its folder"),
        ({"MarkerFile": "/etc/passwd"}, {}, "its MarkerFile lies outside its folder"),
        ({"DataFile": "Winterbottom.eeg"}, {}, "the file that its DataFile names is not beside it"),
        ({"DataFile": None}, {}, "the file that its DataFile names is not beside it"),
    ],
)
def test_what_cannot_be_read_right_is_refused_in_one_line(
    tmp_path: Path,
    data: NDArray[np.float64],
    common: dict[str, str | None],
    binary: dict[str, str],
    message: str,
) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS, common=common)
    text = path.read_text(encoding="utf-8")
    for name, value in binary.items():
        text = text.replace("BinaryFormat=INT_16", f"BinaryFormat=INT_16\r\n{name}={value}")
        if name == "BinaryFormat":
            text = text.replace("BinaryFormat=INT_16\r\n", "")
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(RecordingError, match=message) as caught:
        open_recording(path)
    assert "\n" not in str(caught.value)
    assert "Winterbottom" not in str(caught.value)
    if "outside" in message:  # nothing there may be read, or hashed
        with pytest.raises(RecordingError, match=message):
            files_of(path)


@pytest.mark.parametrize(
    "name", ["$b.eeg", "$B.eeg", "A.EEG", ".\\a.eeg", "./a.eeg", ".\\$b.EEG", "a.eeg"]
)
def test_the_data_file_is_found_as_its_name_is_meant(
    tmp_path: Path, data: NDArray[np.float64], name: str
) -> None:
    path = write_brainvision(
        tmp_path / "a.vhdr",
        data,
        LABELS,
        common={"DataFile": name, "MarkerFile": name.replace("eeg", "vmrk").replace("EEG", "VMRK")},
        comment="[Comments]\r\nDataFile=/etc/other.eeg\r\nMarkerFile=other.vmrk",
    )
    recording = open_recording(path)
    assert recording.start == datetime(2020, 2, 3, 4, 5, 6)
    assert np.abs(recording.read() - data).max() < 0.06
    assert [part.name for part in files_of(path)] == ["a.vhdr", "a.eeg", "a.vmrk"]


def test_umlauts_of_either_code_page(tmp_path: Path, data: NDArray[np.float64]) -> None:
    for codepage in ("utf-8", "cp1252"):
        folder = tmp_path / codepage
        path = write_brainvision(
            folder / "Müller.vhdr", data, ("Fp1", "Übrig", "F3"), codepage=codepage
        )
        recording = open_recording(path)
        assert recording.channels == ("Fp1", "Übrig", "F3")
        assert len(files_of(path)) == 3


@pytest.mark.parametrize("marker", [None, "", "gone.vmrk"])
def test_without_markers_it_is_read_and_that_is_noted(
    tmp_path: Path, data: NDArray[np.float64], marker: str | None
) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS, common={"MarkerFile": marker})
    recording = open_recording(path)
    assert recording.start is None
    assert recording.notes == (
        "its file of markers is not there: when it began and where it pauses is unknown",
    )
    assert len(files_of(path)) == 2


FIRST = "New Segment,,1,1,0,20200203040506000000"


@pytest.mark.parametrize(
    ("date", "second", "pause", "note"),
    [
        (",20200203040530000000", 24, 20, "20 s at 4 s"),
        (",20200203040510000000", 4, 0, "a cut at 4 s, and nobody knows how long it is"),
        (",20190203040510000000", 4, 0, "a cut at 4 s"),
        (",20300203040510000000", 4, 0, "a cut at 4 s"),
        (",00000000000000000000", 4, 0, "a cut at 4 s"),
        ("", 4, 0, "a cut at 4 s"),
    ],
)
def test_each_further_segment_is_a_gap_as_long_as_its_date_tells(
    tmp_path: Path, data: NDArray[np.float64], date: str, second: int, pause: int, note: str
) -> None:
    markers = (FIRST, "Stimulus,S 1,77,1,0", f"New Segment,,1025,1,0{date}")
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS, markers=markers)
    recording = open_recording(path)
    assert recording.stretches == ((0, 1024), (second * 256, 1536 + second * 256))
    assert recording.samples == (10 + pause) * 256
    assert note in recording.notes[0]
    parts = [recording.read(0, 4), recording.read(second, None)]
    assert np.abs(np.concatenate(parts, axis=1) - data).max() < 0.06
    with pytest.raises(RecordingError, match="gap"):
        recording.read(3, second + 1)
    with pytest.raises(RecordingError, match="--gaps split"):
        open_recording(path, ReadingSettings(gaps="refuse"))


def test_a_value_that_is_no_number_is_refused_with_channel_and_time(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    data[1, 700] = np.nan
    path = write_brainvision(
        tmp_path / "a.vhdr", data, LABELS, binary={"BinaryFormat": "IEEE_FLOAT_32"}
    )
    recording = open_recording(path)
    assert recording.read(0, 2).shape == (3, 512)
    with pytest.raises(RecordingError, match=r"channel C3 holds .* at 2\.73438 s"):
        recording.read(2, 10, [2, 1])
    assert recording.read(2, 10, [2]).shape == (1, 2048)


def test_units_references_and_names(tmp_path: Path, data: NDArray[np.float64]) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("Ch1=F3,,0.1,µV", "Ch1=Fp1\\1x,,0.0001,mV").replace("P3,,0.1,µV", "P3,,1,C")
    )
    recording = open_recording(path, ReadingSettings(rename={"C3": "Cz"}))
    assert recording.channels == ("Fp1,x", "Cz")
    assert recording.notes == ("P3: its unit 'C' is no voltage",)
    assert np.abs(recording.read() - data[:2]).max() < 0.06
    path.write_text(text.replace("F3,,", "Fp1,F3,").replace("C3,,", "C3,P3,"))
    assert open_recording(path).channels == ("Fp1-F3", "C3-P3", "P3")
    path.write_text(
        text.replace("F3,,", "F3,FCz,").replace("C3,,", "C3,FCz,").replace("P3,,", "P3,FCz,")
    )
    assert open_recording(path).channels == LABELS


@pytest.mark.parametrize(
    "unit",
    [
        *("µV".encode(page) for page in ("utf-8", "latin-1", "cp437", "mac-roman")),
        *("μV".encode(page) for page in ("utf-8", "shift-jis", "cp1253", "gbk", "big5")),
        *(b"uV", b"uVolt", b"microV"),
    ],
)
def test_microvolts_in_any_code_page(
    tmp_path: Path, data: NDArray[np.float64], unit: bytes
) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS)
    expected = open_recording(path).read()
    path.write_bytes(path.read_bytes().replace("µV".encode(), unit))
    recording = open_recording(path)
    assert np.array_equal(recording.read(), expected)
    assert recording.notes == ()


def test_a_unit_that_is_no_voltage_is_named_once_for_all_channels(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS)
    header = path.read_bytes()
    path.write_bytes(header.replace("µV".encode(), b"mmHg", 2))
    recording = open_recording(path)
    assert (recording.channels, recording.notes) == (
        ("P3",),
        ("F3, C3: its unit 'mmHg' is no voltage",),
    )
    path.write_bytes(header.replace("µV".encode(), b"mmHg"))
    with pytest.raises(RecordingError, match="read: F3, C3, P3: its unit 'mmHg' is no voltage"):
        open_recording(path)


def test_a_value_that_is_there_twice_is_refused_without_quoting_it(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, LABELS, common={"Winterbottom": "1"})
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[Binary Infos]", "Winterbottom=1\n[Binary Infos]"))
    assert open_recording(path).samples == 2560
    path.write_text(text.replace("[Binary Infos]", "Winterbottom=2\n[Binary Infos]"))
    with pytest.raises(RecordingError, match="line 13 sets a value a second time") as caught:
        open_recording(path)
    assert "Winterbottom" not in str(caught.value)


def test_what_is_no_header_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFoundError, match="there is no such file"):
        open_recording(tmp_path / "a.vhdr")
    (tmp_path / "a.vhdr").write_bytes(b"\xff\xfeB\0r\0a\0i\0n")
    with pytest.raises(RecordingError, match="no header file of BrainVision's"):
        open_recording(tmp_path / "a.vhdr")
