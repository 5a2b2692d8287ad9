"""Spoilt files give a typed error or a readable part: no other error, no warning, no hang, no flood.

The first 200 files of benchmarks/fuzz here, its 20,000 in `make test-all`; below, what they found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz.examining import examine, nothing_else_opened
from benchmarks.fuzz.mutations import KINDS, Case, make_case
from benchmarks.fuzz.seeds import TABLE, brainvision_seeds, edf, seeds
from benchmarks.fuzz.workers import fuzz
from secateur.errors import CohortError, EventsError, RecordingError, RecordingNotFoundError
from secateur.events import Event, Events, read_tsv
from secateur.recordings import open_recording
from tests.support.cohorts import eeg, write_edf

FIXED = 256
DIGITAL_MIN, PHYSICAL_MIN = 16 + 80 + 8 + 8 + 8, 16 + 80 + 8
"""Bytes of a signal's header before these fields."""


@pytest.mark.parametrize("begin", range(0, 200, 50))
def test_a_spoilt_file_is_refused_in_words_or_read_in_part(begin: int, tmp_path: Path) -> None:
    outcomes = [examine(make_case(0, index), tmp_path) for index in range(begin, begin + 50)]
    assert [outcome for outcome in outcomes if outcome.what == "finding"] == []
    assert {outcome.what for outcome in outcomes} == {"typed error", "readable"}


@pytest.mark.long
def test_twenty_thousand_spoilt_files() -> None:
    findings = [outcome for outcome in fuzz(0, 20_000, 2, make_case) if outcome.what == "finding"]
    assert findings == []


def test_the_same_seed_spoils_the_same_way() -> None:
    for index in range(len(KINDS)):
        assert make_case(3, index) == make_case(3, index)
        assert make_case(3, index) != make_case(4, index)


@pytest.mark.parametrize("kind", ["edf", "bdf"])
def test_what_is_spoilt_was_right(kind: str, tmp_path: Path) -> None:
    for name, content in seeds()[kind]:
        case = Case(0, kind, {f"right.{kind}": content}, (name,))
        assert examine(case, tmp_path).what == "readable", name


@pytest.mark.parametrize("name", brainvision_seeds())
def test_what_is_spoilt_of_brainvision_was_right(name: str, tmp_path: Path) -> None:
    case = Case(0, "brainvision", brainvision_seeds()[name], (name,))
    assert examine(case, tmp_path).what == "readable"


def test_what_the_examiner_calls_a_finding(tmp_path: Path) -> None:
    """Another file opened, which a header names."""
    (tmp_path / "elsewhere.txt").write_text("1\n")
    linked = tmp_path / "case" / "Z001.txt"
    case = Case(0, "edf", {"case.edf": b""}, ())
    assert examine(case, tmp_path).what == "typed error"
    assert not linked.parent.exists()
    with (
        pytest.raises(AssertionError, match="other files were opened"),
        nothing_else_opened(linked.parent),
    ):
        (tmp_path / "elsewhere.txt").read_text()


def edf_with(path: Path, at: int, *words: str) -> Path:
    """Two signals of 2 s, with `words` in a field of 8 bytes, one for each signal."""
    write_edf(path, eeg(2, [], 0, channels=2), ["F3-C3", "C3-P3"])
    raw = bytearray(path.read_bytes())
    for k, word in enumerate(words):
        begin = FIXED + 2 * at + 8 * k
        raw[begin : begin + 8] = word.encode().ljust(8)
    path.write_bytes(raw)
    return path


@pytest.mark.clause("EDF FAQ 7")
@pytest.mark.parametrize("word", ["-32768.", "-32768.0", "-32768e0"])
def test_a_digital_range_may_be_written_as_any_number(tmp_path: Path, word: str) -> None:
    right = open_recording(edf_with(tmp_path / "a.edf", DIGITAL_MIN, "-32768"))
    other = open_recording(edf_with(tmp_path / "b.edf", DIGITAL_MIN, word))
    assert np.array_equal(right.read(), other.read())


@pytest.mark.clause("EDF+ 2.1.3.6")
def test_a_decimal_comma_is_a_decimal_point(tmp_path: Path) -> None:
    point = open_recording(edf_with(tmp_path / "a.edf", PHYSICAL_MIN, "-99.5"))
    comma = open_recording(edf_with(tmp_path / "b.edf", PHYSICAL_MIN, "-99,5"))
    assert np.array_equal(point.read(), comma.read())


@pytest.mark.parametrize("word", ["-1e39", "-1e308"])
def test_a_channel_beyond_all_voltages_is_left_out(tmp_path: Path, word: str) -> None:
    recording = open_recording(edf_with(tmp_path / "a.edf", PHYSICAL_MIN, word))
    assert recording.channels == ("C3-P3",)
    assert "F3-C3: its physical range is beyond all voltages" in recording.notes
    assert np.isfinite(recording.read()).all()


@pytest.mark.clause("EDF+ 2.1.3.6")
@pytest.mark.parametrize("word", ["-1_000", "nan", "-inf", "٣", "0x10"])
def test_what_python_takes_for_a_number_is_not_always_one(tmp_path: Path, word: str) -> None:
    recording = open_recording(edf_with(tmp_path / "a.edf", PHYSICAL_MIN, word))
    assert recording.channels == ("C3-P3",)


@pytest.mark.parametrize("duration", ["1e300", "1e-300", "9999999"])
def test_a_record_of_no_believable_length_is_refused(tmp_path: Path, duration: str) -> None:
    path = tmp_path / "a.edf"
    raw = bytearray(edf([100], 4))
    raw[244:252] = duration.encode().ljust(8)
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="are believable"):
        open_recording(path)


@pytest.mark.parametrize("reserved", ["EDF+C", "EDF+D"])
def test_annotations_without_end_keep_nobody_busy(tmp_path: Path, reserved: str) -> None:
    """Looking for their ends takes the square of their length: minutes for these."""
    content = bytearray(edf([2], 2, reserved=reserved, annotations=400_000))
    room = (len(content) - 3 * FIXED) // 2 - 4
    for record in range(2):
        at = 3 * FIXED + 4 + record * (room + 4)
        content[at : at + room] = (b"+%d\x14" % record * room)[: room - 1] + b"\0"
    path = tmp_path / "a.edf"
    path.write_bytes(content)
    assert open_recording(path).samples == 4


@pytest.mark.clause("EDF+ 2.2.4")
def test_a_record_that_does_not_tell_its_time_is_named(tmp_path: Path) -> None:
    content = edf([100], 3, reserved="EDF+D", annotations=60).replace(b"+1\x14", b"+x\x14")
    path = tmp_path / "a.edf"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="data record 2 does not tell when it begins"):
        open_recording(path)


def test_events_of_one_time_with_and_without_confidence_can_be_sorted() -> None:
    sure, unknown = Event(1, 2, "sz", 0.5), Event(1, 2, "sz")
    assert Events((sure, unknown), 10).events == (unknown, sure)


@pytest.mark.parametrize("length", ["1e300", "1e9", "-5"])
def test_a_table_of_a_recording_longer_than_a_year_is_refused(tmp_path: Path, length: str) -> None:
    """A mask of it would fill the memory."""
    path = tmp_path / "a_events.tsv"
    path.write_text(TABLE.replace("3600.00", length))
    with pytest.raises(EventsError, match=r"are believable|after the end"):
        read_tsv(path)


@pytest.mark.parametrize("word", ["nan", "inf", "high"])
def test_a_confidence_is_a_number(tmp_path: Path, word: str) -> None:
    path = tmp_path / "a_events.tsv"
    path.write_text(TABLE.replace("0.87", word))
    with pytest.raises(EventsError, match="confidence is"):
        read_tsv(path)


def test_a_data_files_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    files = dict(brainvision_seeds()["multiplexed"])
    header = files["case.vhdr"].replace(b"DataFile=case.eeg", b"DataFile=" + b"a" * 5000)
    (tmp_path / "case.vhdr").write_bytes(header)
    with pytest.raises(RecordingError, match="not beside it"):
        open_recording(tmp_path / "case.vhdr")


def test_errors_are_one_line_that_any_terminal_prints() -> None:
    for error in (
        CohortError("a\n\x1b[2Jb\udc80"),
        RecordingNotFoundError("a\n", "\x1b[2Jb\udc80"),
    ):
        assert str(error).isprintable()
        assert str(error).startswith("a")
        assert str(error).endswith("?[2Jb?")


def test_a_tables_header_is_not_printed_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "a_events.tsv"
    path.write_text("\x1b[2J\tonset\t" + "long" * 5000)
    with pytest.raises(EventsError, match="duration is missing; found onset, long") as caught:
        read_tsv(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200 + len(str(path))
