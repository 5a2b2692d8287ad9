"""EDF and BDF are read by the same rules: every stored number, unit, range and field."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np
import pyedflib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.errors import RecordingError
from secateur.recordings import open_recording
from secateur.recordings.edf import EdfRecording, read_header
from tests.support.edf_bytes import stamped, write_bytes

FORMATS = pytest.mark.parametrize("bdf", [False, True], ids=["edf", "bdf"])
LABELS = ["F3-C3", "C3-P3", "slow"]
RECORDS = 12


def stored(bdf: bool, *counts: int, records: int = RECORDS) -> list[list[NDArray[np.int64]]]:
    """Random numbers of the whole range, its ends among them."""
    top = 2 ** (23 if bdf else 15)
    generator = np.random.default_rng(0)
    rows = [generator.integers(-top, top, (records, count)) for count in counts]
    rows[0][0, :2] = -top, top - 1
    return [[row[k] for row in rows] for k in range(records)]


def name_of(bdf: bool) -> str:
    return "a.bdf" if bdf else "a.edf"


def formula(
    path: Path, records: Sequence[Sequence[NDArray[np.int64]]], k: int
) -> NDArray[np.float32]:
    """Signal k of all records in µV, as the specification has it."""
    signal = read_header(path).signals[k]
    numbers = np.concatenate([record[k] for record in records]).astype(np.float64)
    (low, high), (bottom, top) = signal.physical, signal.digital
    microvolts = ((numbers - bottom) * ((high - low) / (top - bottom)) + low) * signal.microvolts
    return microvolts.astype(np.float32)


@pytest.mark.clause("EDF+ 2.1.3.7")
@pytest.mark.parametrize("per_record", [64, 5000, 20_000], ids="a record of {} samples".format)
@FORMATS
@given(
    cut=st.tuples(*[st.floats(0, 1)] * 2).map(sorted),
    rows=st.lists(st.integers(0, 1), max_size=3),
)
@settings(max_examples=15)
def test_any_piece_of_any_signals_is_the_formula_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory,
    bdf: bool,
    per_record: int,
    cut: list[float],
    rows: list[int],
) -> None:
    records = stored(bdf, per_record, per_record, per_record // 16)
    path = tmp_path_factory.mktemp("piece") / name_of(bdf)
    write_bytes(path, LABELS, records, bdf=bdf, units=["uV", "nV", "mV"])
    recording = open_recording(path)
    first, last = (round(at * recording.samples) for at in cut)
    got = recording.read(first / per_record, last / per_record, rows)
    assert got.shape == (len(rows), last - first)
    for row, k in zip(got, rows, strict=True):
        assert np.array_equal(row, formula(path, records, k)[first:last])


@FORMATS
def test_signals_of_every_rate_are_the_same_however_the_reading_is_cut(
    tmp_path: Path, bdf: bool
) -> None:
    """MNE interpolates the slower ones, differently at the ends of each piece."""
    records = stored(bdf, 256, 256, 100)
    path = write_bytes(tmp_path / name_of(bdf), LABELS, records, bdf=bdf)
    slow = EdfRecording(path).at_rate_of(["slow"])
    assert (slow.channels, slow.sampling_rate, slow.samples) == (("slow",), 100, 100 * RECORDS)
    pieces = [slow.read(at / 10, (at + 7) / 10) for at in range(0, 10 * RECORDS - 7, 7)]
    together = np.concatenate(pieces, axis=1)
    assert np.array_equal(together[0], formula(path, records, 2)[: together.shape[1]])


def test_bdf_is_read_as_pyedflib_and_edfio_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.bdf"
    data = np.random.default_rng(1).normal(0, 5000, (3, 2560))
    with pyedflib.EdfWriter(str(path), 3, file_type=pyedflib.FILETYPE_BDFPLUS) as writer:
        for k, label in enumerate(("F3", "C3", "P3")):
            writer.setSignalHeader(
                k,
                {"label": label, "dimension": "uV", "sample_frequency": 256, "transducer": "",
                 "prefilter": "",
                 "physical_min": -262144, "physical_max": 262143,
                 "digital_min": -8388608, "digital_max": 8388607},
            )  # fmt: skip
        writer.writeSamples(list(data))
        writer.writeAnnotation(2.0, 1.0, "eyes closed")
    recording = open_recording(path)
    assert recording.channels == ("F3", "C3", "P3")  # no annotations among them
    assert recording.notes == ()
    assert (recording.sampling_rate, recording.samples) == (256, 2560)
    with pyedflib.EdfReader(str(path)) as reader:
        theirs = np.stack([reader.readSignal(k) for k in range(3)])
    assert np.allclose(recording.read(), theirs, rtol=1e-6, atol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signals = edfio.read_bdf(path).signals
    assert np.allclose(recording.read(), [signal.data for signal in signals], rtol=1e-6, atol=1e-3)


@pytest.mark.clause("EDF+ 2.1.3.9")
@FORMATS
@pytest.mark.parametrize(
    ("unit", "microvolts"),
    [
        ("uV", 1), ("UV", 1), (b"\xb5V", 1), ("µV".encode(), 1), ("μV".encode(), 1),
        ("µV".encode().decode("latin-1").encode(), 1), ("μV".encode("shift-jis"), 1),
        ("µV".encode("cp437"), 1), ("µV".encode("cp850"), 1), ("μV".encode("cp1253"), 1),
        ("μV".encode("iso8859-7"), 1), ("μV".encode("gbk"), 1), ("μV".encode("euc-jp"), 1),
        ("μV".encode("big5"), 1), ("μV".encode("euc-kr"), 1), ("µV".encode("mac-roman"), 1),
        ("uVolt", 1), ("uVolts", 1), ("microV", 1), ("[uV]", 1), ("(uV)", 1), ("u V", 1),
        (b"uV\0\0\0\0\0\0", 1), (b"uV\0mmHg", 1),
        ("pV", 1e-6), ("nV", 1e-3), ("mV", 1e3), ("mVolt", 1e3), ("V", 1e6), ("Volt", 1e6), ("kV", 1e9),
    ],
)  # fmt: skip
def test_whatever_the_unit_is_called_microvolts_come_out(
    tmp_path: Path, bdf: bool, unit: str | bytes, microvolts: float
) -> None:
    records = stored(bdf, 16, records=2)
    path = tmp_path / name_of(bdf)
    expected = open_recording(write_bytes(path, ["Cz"], records, bdf=bdf)).read() * microvolts
    recording = open_recording(write_bytes(path, ["Cz"], records, bdf=bdf, units=unit))
    assert recording.notes == ()
    assert np.allclose(recording.read(), expected, rtol=1e-6)


@FORMATS
@pytest.mark.parametrize("unit", [".V", "?V", "%", "mmHg", "uS", "Boolean", "Vs", "uV/cm"])
def test_a_unit_that_is_no_voltage_is_named_once_for_all_channels(
    tmp_path: Path, bdf: bool, unit: str
) -> None:
    labels = [f"C{k}" for k in range(1, 7)]
    records = stored(bdf, *[16] * 6, records=2)
    path = write_bytes(tmp_path / name_of(bdf), labels, records, bdf=bdf, units=unit)
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    assert str(caught.value) == (
        f"{path}: no channel can be read: C1, C2, C3 and 3 more: its unit {unit!r} is no voltage"
    )
    write_bytes(path, labels, records, bdf=bdf, units=["uV", *[unit] * 5])
    recording = open_recording(path)
    assert recording.channels == ("C1",)
    assert recording.notes == (f"C2, C3, C4 and 2 more: its unit {unit!r} is no voltage",)


@pytest.mark.clause("EDF FAQ 11")
@FORMATS
def test_a_blank_unit_is_taken_as_microvolts_and_noted(tmp_path: Path, bdf: bool) -> None:
    records = stored(bdf, 16, 16, records=2)
    path = tmp_path / name_of(bdf)
    expected = open_recording(write_bytes(path, LABELS[:2], records, bdf=bdf)).read()
    recording = open_recording(write_bytes(path, LABELS[:2], records, bdf=bdf, units=""))
    assert np.array_equal(recording.read(), expected)
    assert recording.notes == ("no unit given for F3-C3, C3-P3: taken as µV",)


@pytest.mark.clause("EDF FAQ 11")
@FORMATS
def test_fields_padded_with_zero_bytes_are_cut_there(tmp_path: Path, bdf: bool) -> None:
    records = stored(bdf, 16, 16, records=2)
    path = tmp_path / name_of(bdf)
    expected = open_recording(write_bytes(path, LABELS[:2], records, bdf=bdf))
    recording = open_recording(write_bytes(path, LABELS[:2], records, bdf=bdf, pad=b"\0"))
    assert np.array_equal(recording.read(), expected.read())
    assert (recording.channels, recording.start) == (expected.channels, expected.start)
    assert recording.start is not None
    assert recording.notes == ()


@pytest.mark.clause("EDF+ 2.1.3.5")
@FORMATS
def test_a_reversed_physical_range_is_inverted_polarity(tmp_path: Path, bdf: bool) -> None:
    records = stored(bdf, 16, records=2)
    path = write_bytes(tmp_path / name_of(bdf), ["Cz"], records, bdf=bdf, physical=("100", "-100"))
    recording = open_recording(path)
    assert recording.notes == ()
    first, second = recording.read()[0, :2]  # the least and the largest number
    assert (first, second) == (100, -100)


@pytest.mark.clause("EDF+ 2.1.3.5")
@pytest.mark.clause("EDF FAQ 8")
@FORMATS
@pytest.mark.parametrize(
    ("ranges", "reason"),
    [
        ({"digital": ("100", "-100")}, "its digital range is 100 to -100"),
        ({"digital": ("0", "0")}, "its digital range is 0 to 0"),
        ({"physical": ("5", "5")}, "its physical minimum and maximum are both 5"),
        ({"physical": ("", "")}, "its physical or digital range is no number"),
        ({"physical": ("-9e300", "9e300")}, "its physical range is beyond all voltages"),
    ],
)
def test_a_range_that_calibrates_nothing_leaves_its_channel_out(
    tmp_path: Path, bdf: bool, ranges: dict[str, tuple[str, str]], reason: str
) -> None:
    sound = {"digital": ("-100", "100"), "physical": ("-100", "100")}
    both = {name: [sound[name], ranges.get(name, sound[name])] for name in sound}
    records = stored(bdf, 16, 16, records=2)
    path = write_bytes(tmp_path / name_of(bdf), ["F3", "C3"], records, bdf=bdf, **both)  # type: ignore[arg-type]
    recording = open_recording(path)
    assert recording.channels == ("F3",)
    assert recording.notes == (f"C3: {reason}",)


def test_a_biosemi_file_gives_its_eeg_without_the_status_channel(tmp_path: Path) -> None:
    records = stored(True, 16, 16, records=2)
    path = write_bytes(
        tmp_path / "a.BDF",
        ["A1", "Status"],
        records,
        bdf=True,
        units=["uV", "Boolean"],
        reserved="24BIT",
    )
    recording = open_recording(path)
    assert recording.channels == ("A1",)
    assert recording.notes == ("Status: its unit 'Boolean' is no voltage",)


@FORMATS
def test_a_file_cut_off_inside_a_record_yields_the_complete_ones(tmp_path: Path, bdf: bool) -> None:
    records = stored(bdf, 16, 16)
    path = write_bytes(tmp_path / name_of(bdf), LABELS[:2], records, bdf=bdf)
    path.write_bytes(path.read_bytes()[:-1])
    recording = open_recording(path)
    assert recording.samples == 16 * (RECORDS - 1)
    assert recording.notes == (
        f"cut off inside a data record: its {RECORDS - 1} whole records are read",
        f"the header tells {RECORDS} data records, the file holds {RECORDS - 1}: {RECORDS - 1} are read",
    )


@FORMATS
def test_a_file_by_the_other_formats_name_is_refused(tmp_path: Path, bdf: bool) -> None:
    path = write_bytes(tmp_path / name_of(not bdf), ["Cz"], stored(bdf, 16, records=2), bdf=bdf)
    own, other = ("BDF", "edf") if bdf else ("EDF", "bdf")
    with pytest.raises(RecordingError, match=rf"{own} file that is called \.{other}"):
        open_recording(path)


@pytest.mark.clause("EDF+ 2.2.1")
@FORMATS
def test_annotations_are_no_channel_whichever_format_names_them(tmp_path: Path, bdf: bool) -> None:
    width = 3 if bdf else 2
    for label in ("EDF Annotations", "BDF Annotations"):
        records = [
            [record[0], stamped(f"+{k}", 20, width)] for k, record in enumerate(stored(bdf, 16))
        ]
        path = write_bytes(
            tmp_path / name_of(bdf), ["Cz", label], records, bdf=bdf, units=["uV", ""]
        )
        assert open_recording(path).channels == ("Cz",)
        assert open_recording(path).notes == ()


@FORMATS
def test_a_record_of_hours_is_read_at_the_samples_that_are_asked_for(
    tmp_path: Path, bdf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secateur.recordings import edf as module

    read = 0
    fill = module._Stored.fill

    def counted(self: module._Stored, file: object, count: int) -> None:
        nonlocal read
        read += count
        fill(self, file, count)  # type: ignore[arg-type]

    monkeypatch.setattr(module._Stored, "fill", counted)
    rows = stored(bdf, *[200_000] * 4, records=1)
    path = write_bytes(tmp_path / name_of(bdf), list("abcd"), rows, bdf=bdf, duration="1000")
    recording = open_recording(path)
    got = np.concatenate([recording.read(at, at + 50) for at in range(0, 1000, 50)], axis=1)
    assert read == got.size == 4 * 200_000
    assert np.array_equal(got[2], formula(path, rows, 2))


@FORMATS
@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_gives_a_typed_error_in_a_line_or_what_was_recorded(
    tmp_path: Path, bdf: bool, data: st.DataObject
) -> None:
    """Cut anywhere, or with other bytes anywhere in its header or time stamps: nothing else may happen."""
    form, width = ("BDF", 3) if bdf else ("EDF", 2)
    records = [
        [*record, stamped(f"+{k}.25", 20, width)] for k, record in enumerate(stored(bdf, 32, 8))
    ]
    path = tmp_path / name_of(bdf)
    write_bytes(path, ["F3", "slow", f"{form} Annotations"], records, bdf=bdf, units=["uV", "uV", ""],
                reserved=f"{form}+D")  # fmt: skip
    raw = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw)))]
    else:
        record = data.draw(st.integers(0, RECORDS - 1))
        stamp = 1024 + width * (60 * record + 40)
        begin = data.draw(st.sampled_from([data.draw(st.integers(0, 1023)), stamp]))
        text = data.draw(
            st.one_of(
                st.binary(min_size=1, max_size=20),
                st.from_regex(rb"[+-]?[0-9]{1,14}([.,][0-9]{0,9})?\x14\x14\0", fullmatch=True),
            )
        )
        raw[begin : begin + len(text)] = text
    path.write_bytes(raw)
    try:
        recording = open_recording(path)
        rate = recording.sampling_rate
        pieces = [recording.read(a / rate, b / rate) for a, b in recording.stretches]
    except RecordingError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return
    assert sum(piece.nbytes for piece in pieces) <= 4 * len(raw)
    assert all(np.isfinite(piece).all() for piece in pieces)
    assert not any("\n" in note for note in recording.notes)
