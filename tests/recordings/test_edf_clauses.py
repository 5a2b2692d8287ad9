"""What EDF+ and its questions and answers ask of readers, clause by clause, where no other test holds it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from secateur.recordings import open_recording
from tests.support.edf_bytes import write_bytes

NUMBERS = np.arange(8)


def dated(path: Path, date: str = "01.02.20", time: str = "03.04.05", recording: str = "") -> Path:
    """A file with these header fields."""
    write_bytes(path, ["Cz"], [[NUMBERS]])
    raw = bytearray(path.read_bytes())
    raw[88:168] = recording.encode().ljust(80)
    raw[168:184] = date.encode().ljust(8) + time.encode().ljust(8)
    path.write_bytes(raw)
    return path


@pytest.mark.clause("EDF+ 2.1.3.1")
@pytest.mark.parametrize(("byte", "label"), [(b"\t", "C?z"), (b"\xe4", "Cäz")])
def test_edf_plus_2_1_3_1_other_signs_in_a_label_are_read_and_steer_nothing(
    tmp_path: Path, byte: bytes, label: str
) -> None:
    path = write_bytes(tmp_path / "a.edf", ["C#z"], [[NUMBERS]])
    path.write_bytes(path.read_bytes().replace(b"C#z", b"C" + byte + b"z"))
    assert open_recording(path).channels == (label,)


@pytest.mark.clause("EDF+ 2.1.3.2")
@pytest.mark.clause("EDF FAQ 3")
@pytest.mark.parametrize(
    ("date", "year"),
    [("31.12.85", 1985), ("31.12.99", 1999), ("01.01.00", 2000), ("01.01.84", 2084)],
)
def test_edf_plus_2_1_3_2_two_digits_of_a_year_from_85_on_are_of_the_last_century(
    tmp_path: Path, date: str, year: int
) -> None:
    start = open_recording(dated(tmp_path / "a.edf", date)).start
    assert start is not None
    assert start.year == year


@pytest.mark.clause("EDF+ 2.1.3.2")
@pytest.mark.clause("EDF+ 2.1.3.4")
def test_edf_plus_2_1_3_4_four_digits_of_a_year_go_before_two(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    late = open_recording(dated(path, "05.06.yy", recording="Startdate 05-JUN-2090 X X X"))
    assert late.start == datetime(2090, 6, 5, 3, 4, 5)
    early = open_recording(dated(path, "05.06.75", recording="Startdate 05-JUN-1975 X X X"))
    assert early.start == datetime(1975, 6, 5, 3, 4, 5)
    undated = open_recording(dated(path, "05.06.yy"))
    assert undated.start is None
    assert any("can't be understood" in note for note in undated.notes)


@pytest.mark.clause("EDF+ 2.1.3.4")
def test_edf_plus_2_1_3_4_a_date_that_was_removed_is_not_made_up(tmp_path: Path) -> None:
    path = dated(tmp_path / "a.edf", "01.01.85", "00.00.00", "Startdate X X X X")
    recording = open_recording(path)
    assert recording.start is None
    assert not recording.notes


@pytest.mark.clause("EDF+ 2.1.3.7")
def test_edf_plus_2_1_3_7_samples_are_twos_complement_the_least_byte_first(tmp_path: Path) -> None:
    path = write_bytes(
        tmp_path / "a.edf", ["Cz"], [[np.zeros(4, np.int64)]], physical=("-32768", "32767")
    )
    path.write_bytes(path.read_bytes()[:-8] + bytes.fromhex("0100 ffff 0001 0080"))
    assert open_recording(path).read().tolist() == [[1, -1, 256, -32768]]


@pytest.mark.clause("EDF FAQ 2")
@pytest.mark.parametrize(
    "field", ["2.8.51", "2. 8.51", " 2. 8.51", "02:08-51", "02/08'51", "2  8  51"]
)
def test_edf_faq_2_dates_and_times_are_read_as_programs_write_them(
    tmp_path: Path, field: str
) -> None:
    path = tmp_path / "a.edf"
    assert open_recording(dated(path, date=field)).start == datetime(2051, 8, 2, 3, 4, 5)
    assert open_recording(dated(path, time=field)).start == datetime(2020, 2, 1, 2, 8, 51)


@pytest.mark.clause("EDF FAQ 7")
@pytest.mark.parametrize(
    ("low", "high", "duration", "rate"),
    [("-1E3", "1e3", "1", 8), ("-1000.0", "1000", ".5", 16), ("-1000", "+1000", "5E-1", 16)],
)
def test_edf_faq_7_numbers_may_have_an_exponent_or_begin_with_a_point(
    tmp_path: Path, low: str, high: str, duration: str, rate: float
) -> None:
    ends = {"physical": (low, high), "digital": ("-1000", "1000")}
    path = write_bytes(tmp_path / "a.edf", ["Cz"], [[NUMBERS]], duration=duration, **ends)  # type: ignore[arg-type]
    recording = open_recording(path)
    assert recording.sampling_rate == rate
    assert recording.read().tolist() == [NUMBERS.tolist()]


@pytest.mark.clause("EDF FAQ 9")
def test_edf_faq_9_a_rate_that_is_no_whole_number_is_kept(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a.edf", ["Cz"], [[np.zeros(49_999, np.int64)]], duration="50")
    recording = open_recording(path)
    assert recording.sampling_rate == 999.98
    assert recording.samples == 49_999


@pytest.mark.clause("EDF FAQ 12")
def test_edf_faq_12_a_rate_below_1_hz_has_records_longer_than_a_second(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a.edf", ["Cz"], [[NUMBERS]] * 2, duration="80")
    recording = open_recording(path)
    assert recording.sampling_rate == 0.1
    assert recording.read(80.0, 160.0).tolist() == open_recording(path).read()[:, 8:].tolist()
