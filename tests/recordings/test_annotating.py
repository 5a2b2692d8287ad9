"""Annotations in a copy of an EDF or BDF: nothing of the old moves, and every reader sees the new."""

from __future__ import annotations

import datetime
import tracemalloc
import warnings
from decimal import Decimal
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.errors import RecordingError
from secateur.events import Event, Events
from secateur.recordings import open_recording
from secateur.recordings.annotating import write_annotated
from secateur.recordings.edf import read_header
from tests.support.cohorts import eeg, write_edf
from tests.support.edf_bytes import stamped, write_bytes

SEIZURES = Events((Event(3.25, 10.5, "sz", 0.934), Event(20, 5)), 40)
WRITTEN = [(3.25, 10.5, "sz (Secateur, confidence 0.93)"), (20.0, 5.0, "sz (Secateur)")]
CONFORMING = ("X F X X", "Startdate 06-NOV-2016 X X X")

Mark = tuple[float, float, str]


def plain_edf(
    path: Path,
    *,
    step: str = "1",
    per_record: tuple[int, ...] = (256, 64),
    records: int = 40,
    fields: tuple[str, str] = CONFORMING,
    reserved: str = "",
) -> Path:
    """An EDF written field by field, so that nothing of it is some library's choice."""

    def column(width: int, *texts: str) -> bytes:
        return b"".join(text.encode("latin-1").ljust(width) for text in texts)

    count = len(per_record)
    header = column(8, "0") + column(80, *fields) + column(8, "06.11.16", "13.43.04")
    header += column(8, str(256 * (1 + count))) + column(44, reserved)
    header += column(8, str(records), step) + column(4, str(count))
    header += column(16, *(f"EEG {k}" for k in range(count)))
    header += column(80, *["AgAgCl electrode"] * count) + column(8, *["uV"] * count)
    header += column(8, *["-100.5"] * count) + column(8, *["100.5"] * count)
    header += column(8, *["-32768"] * count) + column(8, *["32767"] * count)
    header += column(80, *["HP:0.1Hz"] * count) + column(8, *map(str, per_record))
    header += column(32, *[""] * count)
    stored = np.random.default_rng(0).integers(-30000, 30000, (records, sum(per_record)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + stored.astype("<i2").tobytes())
    return path


def parts(path: Path) -> tuple[list[bytes], list[list[bytes]], NDArray[np.uint8], list[int]]:
    """Fixed fields, the fields of each signal, the records as bytes, and bytes of each signal in one."""
    raw = path.read_bytes()
    widths = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
    fixed, at = [], 0
    for width in widths:
        fixed.append(raw[at : at + width])
        at += width
    count = int(fixed[-1])
    signals: list[list[bytes]] = [[] for _ in range(count)]
    for width in (16, 80, 8, 8, 8, 8, 8, 80, 8, 32):
        for fields in signals:
            fields.append(raw[at : at + width])
            at += width
    sizes = [(2 if raw[:1] == b"0" else 3) * int(fields[8]) for fields in signals]
    body = (len(raw) - at) // sum(sizes) * sum(sizes)
    records = np.frombuffer(raw[at : at + body], np.uint8).reshape(-1, sum(sizes))
    return fixed, signals, records, sizes


def assert_nothing_old_moved(source: Path, copy: Path) -> None:
    fixed, signals, records, sizes = parts(source)
    new_fixed, new_signals, new_records, new_sizes = parts(copy)
    kept = (0, 1, 2, 3, 4, 8)  # version, patient, recording, date, time, a record's duration
    assert [new_fixed[k] for k in kept] == [fixed[k] for k in kept]
    assert int(new_fixed[5]) == 256 * (1 + len(new_signals))
    assert int(new_fixed[7]) == len(records)
    assert new_signals[:-1] == signals
    assert new_sizes[:-1] == sizes
    assert np.array_equal(new_records[:, : sum(sizes)], records)


def read_by_three(path: Path) -> list[list[Mark]]:
    """The annotations as edfio, EDFlib (strict) and MNE read them."""
    bdf = path.suffix == ".bdf"
    by_edfio, by_mne = (
        (edfio.read_bdf, mne.io.read_raw_bdf) if bdf else (edfio.read_edf, mne.io.read_raw_edf)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = [(a.onset, a.duration or 0.0, a.text) for a in by_edfio(path).annotations]
        with pyedflib.EdfReader(str(path)) as reader:
            theirs = list(zip(*reader.readAnnotations(), strict=True))
        marks = by_mne(path, verbose="ERROR").annotations
    return [
        sorted(ours),
        sorted((float(a), float(b), str(c)) for a, b, c in theirs),
        sorted(
            (float(a), float(b), str(c))
            for a, b, c in zip(marks.onset, marks.duration, marks.description, strict=True)
        ),
    ]


@pytest.mark.clause("EDF+ 2.1.1")
@pytest.mark.clause("EDF+ 2.2.3")
@pytest.mark.parametrize("step", ["1", "0.5", ".0078125", "0.03125", "30", "1.000000"])
def test_plain_edf_becomes_edf_plus_whatever_a_record_lasts(tmp_path: Path, step: str) -> None:
    records = round(40 / float(step)) if float(step) < 30 else 2
    rate = max(1, round(256 * float(step)))
    source = plain_edf(tmp_path / "a.edf", step=step, per_record=(rate, rate), records=records)
    before = source.read_bytes()
    assert write_annotated(source, tmp_path / "out" / "b.edf", SEIZURES) == ()
    copy = tmp_path / "out" / "b.edf"
    assert source.read_bytes() == before
    assert_nothing_old_moved(source, copy)
    assert parts(copy)[0][6] == b"EDF+C".ljust(44)
    for marks in read_by_three(copy):
        assert marks == WRITTEN
    assert np.array_equal(open_recording(copy).read(), open_recording(source).read())
    assert open_recording(copy).start == open_recording(source).start
    assert list(copy.parent.iterdir()) == [copy]


@pytest.mark.clause("EDF+ 2.2.2")
@pytest.mark.clause("EDF+ 2.2.4")
def test_each_record_of_what_was_plain_tells_when_it_begins(tmp_path: Path) -> None:
    source = plain_edf(tmp_path / "a.edf", step="0.5", records=5, per_record=(8,))
    write_annotated(source, tmp_path / "b.edf", Events((Event(0.25, 1),), 2.5))
    _, _, records, sizes = parts(tmp_path / "b.edf")
    own = [bytes(record[sizes[0] :]) for record in records]
    stamps = ["+0", "+0.5", "+1", "+1.5", "+2"]
    assert [text.split(b"\x14\x14\0")[0].decode() for text in own] == stamps
    assert own[0].startswith(b"+0\x14\x14\0+0.25\x151\x14sz (Secateur)\x14\0")
    assert set(own[1].removeprefix(b"+0.5\x14\x14\0")) == {0}


def test_annotations_that_are_there_stay_and_tell_the_time_still(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(eeg(40, [], 0, channels=1)[0], 256, label="F3-C3")
    old = edfio.EdfAnnotation(7.5, 2.0, "eyes closed")
    source = tmp_path / "a.edf"
    edfio.Edf([signal], annotations=[old]).write(source)
    copy = tmp_path / "b.edf"
    assert write_annotated(source, copy, SEIZURES) == ()
    assert_nothing_old_moved(source, copy)
    for marks in read_by_three(copy):
        assert marks == sorted([*WRITTEN, (7.5, 2.0, "eyes closed")])
    again = tmp_path / "c.edf"
    write_annotated(copy, again, Events((Event(30, 1),), 40))
    assert_nothing_old_moved(copy, again)
    for marks in read_by_three(again):
        assert marks == sorted([*WRITTEN, (7.5, 2.0, "eyes closed"), (30.0, 1.0, "sz (Secateur)")])


@pytest.mark.clause("EDF+ 2.2.4")
def test_an_event_counts_from_the_first_sample_not_from_the_headers_second(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(eeg(40, [], 0, channels=1)[0], 256, label="F3-C3")
    source, copy = tmp_path / "a.edf", tmp_path / "b.edf"
    begun = datetime.time(13, 43, 4, 250_000)
    edfio.Edf([signal], starttime=begun, annotations=[edfio.EdfAnnotation(1, 1, "x")]).write(source)
    write_annotated(source, copy, SEIZURES)
    texts = [bytes(record) for record in parts(copy)[2]]
    assert b"+3.5\x1510.5\x14sz" in b"".join(texts)  # 0.25 s later than the first sample
    marks = [(a.onset, a.text) for a in edfio.read_edf(copy).annotations]
    assert marks == [(1.0, "x"), *((onset, text) for onset, _, text in WRITTEN)]


@pytest.mark.clause("EDF+ 2.1.1")
def test_edf_plus_d_without_gaps_stays_edf_plus_d(tmp_path: Path) -> None:
    signal = edfio.EdfSignal(eeg(40, [], 0, channels=1)[0], 256, label="F3-C3")
    source, copy = tmp_path / "a.edf", tmp_path / "b.edf"
    edfio.Edf([signal], annotations=[edfio.EdfAnnotation(1, 1, "x")]).write(source)
    raw = bytearray(source.read_bytes())
    raw[192:197] = b"EDF+D"
    source.write_bytes(raw)
    write_annotated(source, copy, SEIZURES)
    assert_nothing_old_moved(source, copy)
    assert parts(copy)[0][6] == bytes(raw[192:236])
    assert open_recording(copy).samples == 40 * 256


@pytest.mark.clause("EDF+ 2.2.2")
@given(
    onsets=st.lists(st.decimals(0, 86400, places=2), max_size=200),
    records=st.integers(1, 300),
    step=st.sampled_from(["1", "0.5", "10", ".0078125"]),
)
@settings(max_examples=40)
def test_all_annotations_fit_however_few_records_there_are(
    tmp_path_factory: pytest.TempPathFactory, onsets: list[Decimal], records: int, step: str
) -> None:
    folder = tmp_path_factory.mktemp("fit")
    source = plain_edf(folder / "a.edf", step=step, records=records, per_record=(4,))
    events = Events(tuple(Event(float(onset), 1.5) for onset in onsets), 1e6)
    write_annotated(source, folder / "b.edf", events)
    if not onsets:
        assert (folder / "b.edf").read_bytes() == source.read_bytes()
        return
    assert_nothing_old_moved(source, folder / "b.edf")
    marks = [(a.onset, a.duration, a.text) for a in edfio.read_edf(folder / "b.edf").annotations]
    assert sorted(marks) == sorted((float(onset), 1.5, "sz (Secateur)") for onset in onsets)
    widths = [len(bytes(record[8:]).rstrip(b"\0")) for record in parts(folder / "b.edf")[2]]
    assert max(widths) <= read_header(folder / "b.edf").signals[-1].samples_per_record * 2


@pytest.mark.clause("EDF+ 2.2.1")
@pytest.mark.parametrize("bdf", [False, True], ids=["edf", "bdf"])
def test_a_plain_file_of_either_format_becomes_its_plus(tmp_path: Path, bdf: bool) -> None:
    suffix, form = (".bdf", "BDF") if bdf else (".edf", "EDF")
    numbers = np.random.default_rng(0).integers(-3000, 3000, (40, 2, 256))
    source, copy = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_bytes(source, ["F3", "C3"], list(numbers), bdf=bdf, reserved="24BIT" if bdf else "")
    write_annotated(source, copy, SEIZURES)
    assert_nothing_old_moved(source, copy)
    assert parts(copy)[0][6].rstrip() == f"{form}+C".encode()
    assert parts(copy)[1][-1][0].rstrip() == f"{form} Annotations".encode()
    for marks in read_by_three(copy):
        assert marks == WRITTEN
    recording = open_recording(copy)
    assert recording.notes == ()
    assert np.array_equal(recording.read(), open_recording(source).read())
    write_annotated(copy, tmp_path / f"c{suffix}", Events((Event(30, 1),), 40))
    for marks in read_by_three(tmp_path / f"c{suffix}"):
        assert marks == sorted([*WRITTEN, (30.0, 1.0, "sz (Secateur)")])


@pytest.mark.clause("EDF+ 2.2.4")
@pytest.mark.parametrize("bdf", [False, True], ids=["edf", "bdf"])
def test_onsets_after_a_gap_stand_at_their_own_records_time(tmp_path: Path, bdf: bool) -> None:
    """An event 3 s into the second stretch is 3 s after that stretch's first stamp."""
    suffix, form, width = (".bdf", "BDF", 3) if bdf else (".edf", "EDF", 2)
    onsets = [k + 2.5 + (100.25 if k >= 10 else 0) for k in range(20)]
    records = [
        [np.zeros(256, dtype=np.int64), stamped(f"+{onset:g}", 20, width)] for onset in onsets
    ]
    source, copy = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    labels = ["Cz", f"{form} Annotations"]
    write_bytes(source, labels, records, bdf=bdf, units=["uV", ""], reserved=f"{form}+D")
    recording = open_recording(source)
    first, _ = recording.stretches[1]
    events = Events((Event(first / 256 + 3, 2.0),), recording.samples / 256)
    write_annotated(source, copy, events)
    assert_nothing_old_moved(source, copy)
    by_edfio = edfio.read_bdf if bdf else edfio.read_edf
    (mark,) = by_edfio(copy).annotations
    begin = 2.5  # edfio counts from the first record
    assert mark.onset + begin == onsets[10] + 3
    assert open_recording(copy).stretches == recording.stretches


def test_a_file_that_was_cut_off_is_copied_record_by_whole_record(tmp_path: Path) -> None:
    source, copy = plain_edf(tmp_path / "a.edf"), tmp_path / "b.edf"
    source.write_bytes(source.read_bytes()[:-100])
    write_annotated(source, copy, SEIZURES)
    assert_nothing_old_moved(source, copy)
    assert not any("record" in note for note in open_recording(copy).notes)
    assert read_by_three(copy)[0] == WRITTEN


@pytest.mark.clause("EDF FAQ 11")
def test_fields_that_are_not_edf_plus_stay_and_are_told(tmp_path: Path) -> None:
    source = plain_edf(tmp_path / "a.edf", fields=("Winterbottom, L.", "ward 7"))
    (note,) = write_annotated(source, tmp_path / "b.edf", SEIZURES)
    assert "the header's patient and recording field" in note
    assert "Winterbottom" not in note
    assert_nothing_old_moved(source, tmp_path / "b.edf")
    assert edfio.read_edf(tmp_path / "b.edf").num_signals == 2


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ({"per_record": (15_360, 15_361)}, "at most 61440"),
        ({"per_record": (15_360, 15_360)}, "at most 61440"),
        ({"reserved": "EDF+D"}, "nothing in it tells when its records begin"),
    ],
)
def test_where_there_is_no_room_or_no_time_it_is_refused(
    tmp_path: Path, file: dict[str, object], reason: str
) -> None:
    source = plain_edf(tmp_path / "a.edf", records=2, **file)  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match=reason):
        write_annotated(source, tmp_path / "b.edf", SEIZURES)
    assert list(tmp_path.iterdir()) == [source]


def test_what_is_no_edf_and_the_recording_itself_are_refused(tmp_path: Path) -> None:
    source = plain_edf(tmp_path / "a.edf")
    before = source.read_bytes()
    with pytest.raises(RecordingError, match=r"into EDF and BDF alone, not into a \.vhdr"):
        write_annotated(tmp_path / "a.vhdr", tmp_path / "b.edf", SEIZURES)
    with pytest.raises(RecordingError, match="place of the recording itself"):
        write_annotated(source, source, SEIZURES)
    raw = bytearray(before)
    raw[256:272] = b"EDF Annotations "
    source.write_bytes(raw)
    with pytest.raises(RecordingError, match="does not call itself EDF"):
        write_annotated(source, tmp_path / "b.edf", SEIZURES)


def test_real_clips_keep_every_byte(clips: Path, tmp_path: Path) -> None:
    for source in sorted(clips.rglob("*.edf"))[::25]:
        copy = tmp_path / source.name
        before = read_by_three(source)
        assert write_annotated(source, copy, Events((Event(2.5, 3),), 10)) == ()
        assert_nothing_old_moved(source, copy)
        for old, marks in zip(before, read_by_three(copy), strict=True):
            assert marks == sorted([*old, (2.5, 3.0, "sz (Secateur)")])


def test_memory_does_not_grow_with_the_file_and_blocks_leave_no_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = plain_edf(tmp_path / "a.edf", records=4000, per_record=(6000,))
    tracemalloc.start()
    write_annotated(source, tmp_path / "b.edf", SEIZURES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < source.stat().st_size / 2
    monkeypatch.setattr("secateur.recordings.annotating._AT_ONCE", 40_000)
    write_annotated(source, tmp_path / "c.edf", SEIZURES)
    assert (tmp_path / "b.edf").read_bytes() == (tmp_path / "c.edf").read_bytes()


def test_a_written_cohorts_files_are_annotated_too(tmp_path: Path) -> None:
    source = write_edf(tmp_path / "a.edf", eeg(40, [], 1, channels=2), ["F3-C3", "C3-P3"])
    write_annotated(source, tmp_path / "b.edf", SEIZURES)
    assert_nothing_old_moved(source, tmp_path / "b.edf")
    assert read_by_three(tmp_path / "b.edf")[2] == WRITTEN
