"""Events, masks and SzCORE's TSV: what is read, what is refused, what is written."""

from __future__ import annotations

import codecs
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timescoring.annotations import Annotation

from secateur.errors import EventsError
from secateur.events import COLUMNS, DEFAULT_START, Event, Events, has_event_columns, read_tsv
from tests.support.cohorts import CLIPS


@st.composite
def masks(draw: st.DrawFn) -> tuple[np.ndarray, float]:
    flags = draw(st.lists(st.booleans(), min_size=1, max_size=200))
    return np.array(flags), draw(st.sampled_from([0.5, 1.0, 4.0, 10.0, 256.0]))


@given(masks())
def test_a_mask_becomes_events_and_the_same_mask_again(case: tuple[np.ndarray, float]) -> None:
    mask, rate = case
    events = Events.from_mask(mask, rate)
    assert np.array_equal(events.to_mask(rate), mask)
    assert events.seconds == pytest.approx(mask.sum() / rate)
    assert all(a.end < b.onset for a, b in zip(events.events, events.events[1:], strict=False))


@given(masks())
def test_events_become_a_file_and_the_same_events_again(case: tuple[np.ndarray, float]) -> None:
    mask, _ = case
    events = Events.from_mask(mask, 4.0, datetime(2020, 2, 3, 4, 5, 6))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_events.tsv"
        events.write_tsv(path)
        back = read_tsv(path)
    assert [(e.onset, e.duration) for e in back] == [(e.onset, e.duration) for e in events]
    assert back.duration == events.duration
    assert back.start == events.start


@pytest.mark.clause("SzCORE table")
def test_the_file_is_szcores_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "a_events.tsv"
    start = datetime(2016, 11, 6, 13, 43, 4)
    Events((Event(296.0, 40.0, "sz", 0.87654),), 600.0, start).write_tsv(path)
    assert path.read_text() == (
        "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
        "296.00\t40.00\tsz\t0.88\tall\t2016-11-06 13:43:04\t600.00\n"
    )
    Events((), 600.0, start).write_tsv(path)
    assert path.read_text().splitlines()[1] == (
        "0.00\t600.00\tbckg\tn/a\tall\t2016-11-06 13:43:04\t600.00"
    )
    assert list(tmp_path.iterdir()) == [path]


SZCORES_ROW = re.compile(
    r"\d+\.\d\d\t\d+\.\d\d\t(?:sz(?:_\w+)?|bckg)\t(?:n/a|[01]\.\d\d)\tall\t"
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t\d+\.\d\d"
)


@pytest.mark.clause("SzCORE table")
@given(
    duration=st.floats(0.001, 200_000),
    shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), max_size=20),
    start=st.none() | st.datetimes(),
)
def test_every_file_keeps_szcores_rules(
    duration: float, shares: list[tuple[float, float, float]], start: datetime | None
) -> None:
    """Its readers take the length from the first row, and masks from rounded times."""
    times = [(onset * duration, length * (1 - onset) * duration) for onset, length, _ in shares]
    kept = tuple(
        Event(onset, length, "sz", share[2])
        for (onset, length), share in zip(times, shares, strict=True)
        if onset + length > onset
    )
    text = Events(kept, duration, start).tsv()
    header, *rows = text.removesuffix("\n").split("\n")
    assert header.split("\t") == list(COLUMNS)
    assert len(rows) == max(1, len(kept))
    for row in rows:
        assert SZCORES_ROW.fullmatch(row), row
        onset, length, kind, confidence, _, date, total = row.split("\t")
        assert Decimal(onset) + Decimal(length) <= Decimal(total)
        assert (kind == "bckg") == (confidence == "n/a") == (not kept)
        assert float(total) == round(duration, 2)
        begun = datetime.strptime(date, "%Y-%m-%d %H:%M:%S")
        assert begun == (start or DEFAULT_START).replace(microsecond=0)
    if not kept:
        assert rows[0].split("\t")[:2] == ["0.00", f"{duration:.2f}"]
        return
    assert duration < 0.01 or all(float(row.split("\t")[1]) > 0 for row in rows)
    cells = [tuple(map(float, row.split("\t")[:2])) for row in rows]
    spans = [(onset, onset + length) for onset, length in cells]
    mask = Annotation(spans, 10, round(duration * 10)).mask
    assert abs(int(mask.sum()) / 10 - Events(kept, duration).seconds) <= 0.2 * len(kept)


@pytest.mark.clause("SzCORE table")
def test_a_background_row_is_no_event_and_types_of_seizure_are(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    rows = ["0\t10\tbckg\tn/a\tall\tn/a\t60", "10\t5\tsz_foc_ia\tn/a\tall\tn/a\t60"]
    path.write_text("\t".join(COLUMNS) + "\n" + "\n".join(rows) + "\n")
    assert [(e.onset, e.kind) for e in read_tsv(path)] == [(10.0, "sz_foc_ia")]


def test_an_event_is_cut_at_the_recordings_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("onset\tduration\teventType\n50\t30\tsz\n60.5\t5\tsz\n")
    events = read_tsv(path, 60.0)
    assert [(e.onset, e.end) for e in events] == [(50.0, 60.0)]
    with pytest.raises(EventsError, match=r"begins at 60.5 s, after the end"):
        read_tsv(path, 59.0)
    assert len(read_tsv(path, 59.0, cut=False)) == 2


def test_overlap_counts_shared_seconds_once() -> None:
    events = Events((Event(2, 4), Event(5, 3), Event(20, 1)), 30)
    starts = np.array([0.0, 4.0, 10.0, 19.5])
    assert events.overlap(starts, starts + 4).tolist() == [2.0, 4.0, 0.0, 1.0]


def test_merging_joins_what_touches_or_lies_close() -> None:
    events = Events((Event(0, 1), Event(1, 1), Event(4, 1)), 10)
    assert [(e.onset, e.end) for e in events.merged()] == [(0, 2), (4, 5)]
    assert [(e.onset, e.end) for e in events.merged(2.0)] == [(0, 5)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "UTF-16"),
        (
            "onset\tduration\teventType\n1\t1\tsz Müller\n".encode("latin-1"),
            "line 2: not text in UTF-8",
        ),
        ("onset\tduration\teventType\n".encode("utf-16-le"), "UTF-16 needs its byte order mark"),
        ("onset\tduration\teventType\n".encode("utf-32"), "zero bytes"),
        (b"a\0b\n", "zero bytes"),
        (b"start\tduration\teventType\n", "onset is missing"),
        (b"onset\tduration\teventType\nx\t1\tsz\n", "line 2: onset is 'x'"),
        (b"onset\tduration\teventType\n-1\t1\tsz\n", "line 2"),
        (b"onset\tduration\teventType\nnan\t1\tsz\n", "line 2: onset is 'nan'"),
        (b"onset\tduration\teventType\nn/a\t1\tsz\n", "needs onset and duration"),
        (b"onset\tduration\teventType\n1\t1\tsz\n", "no recordingDuration"),
        (b"onset\tduration\teventType\trecordingDuration\n1\t1\tsz\t1e999\n", "recordingDuration"),
        (b"onset\tduration\teventType\n1_0\t1\tsz\n", "line 2: onset is '1_0'"),
        (b"onset\tduration\teventType\n1,5\t1\tsz\n", "line 2: onset is '1,5'"),
        (b"onset\tduration\teventType\n\n1\t0\tsz\n", "line 3: a seizure of 0 s"),
        (b"onset\tduration\teventType\n1\t1e-30\tsz\n", "line 2: an event begins at 0 s"),
        (b"onset\tduration\teventType\tonset\n1\t1\tsz\t2\n", "column onset is there twice"),
        (b"Onset\tonset\tduration\teventType\n1\t2\t1\tsz\n", "column onset is there twice"),
        (b'onset\tduration\teventType\n1\t1\t"sz\n', "line 2: eventType holds a quote"),
        (b"onset\tduration\teventType\n1\t1\n", "line 2: no eventType"),
        (b"onset\tduration\teventType\n1\t1\tn/a\n", "line 2: no eventType"),
        (b"onset\tduration\teventType\n1\t1\tsz\t3\n", "line 2: more cells than the 3 columns"),
        (
            b"onset\tduration\teventType\n1\t1\tsz\nonset\tduration\teventType\n",
            "line 3: the header",
        ),
        (
            b"onset\tduration\teventType\trecordingDuration\n1\t1\tsz\t60\n3\t1\tsz\t61\n",
            "line 3: recordingDuration is 61 s, the rows above have 60 s",
        ),
        (b"onset\tduration\teventType\trecordingDuration\n9\t1\tsz\t5\n", "after the end"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.tsv"
    path.write_bytes(content)
    with pytest.raises(EventsError, match=reason) as caught:
        read_tsv(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


GOOD = "onset\tduration\teventType\trecordingDuration\n10\t20\tsz\t100\n"


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        codecs.BOM_UTF16_BE + GOOD.encode("utf-16-be"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace("sz", '"sz"').encode(),
        GOOD.replace("sz", ' "SZ_foc" ').encode(),
        b'"onset"\t"duration"\t"eventType"\t"note"\n"10"\t"20"\t"sz"\t"a ""b"""\n',
        GOOD.replace("100\n", "100\n50\tn/a\timpd\tn/a\nn/a\tn/a\tbckg\n\n \t \n").encode(),
        "onset\tduration\teventType\tnote\n10\t20\tsz\tone\u2028line\x85still\n".encode(),
    ],
)
def test_what_programs_make_of_a_table_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    assert has_event_columns(path)
    assert [(e.onset, e.duration) for e in read_tsv(path, 100.4)] == [(10, 20)]


@pytest.mark.parametrize(
    "kind",
    [
        "seizure",
        "FNSZ",
        "ictal",
        "Anfall",
        "crisis",
        "Seziure",
        "sz?",
        "szs",
        "szfree",
        "not_sz",
        "epi-sz-foc",
    ],
)
def test_a_type_that_may_mean_a_seizure_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(GOOD.replace("sz", kind))
    with pytest.raises(EventsError, match="line 2: eventType is"):
        read_tsv(path)


@pytest.mark.parametrize("kind", ["bckg", "impd", "postictal", "interictal spike", "artefact"])
def test_another_type_is_passed_over(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(GOOD.replace("sz", kind))
    assert len(read_tsv(path)) == 0
    assert read_tsv(path).other_types == (() if kind == "bckg" else (kind,))


def test_events_of_another_recording_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(GOOD)
    assert read_tsv(path, 99.0).duration == 99
    with pytest.raises(
        EventsError, match=r"line 2: recordingDuration is 100 s, the recording lasts 98\.9"
    ):
        read_tsv(path, 98.9)
    path.write_text(GOOD + "40\t1\tsz\t100.5\n")
    with pytest.raises(EventsError, match=r"is 100\.5 s, the rows above have 100 s"):
        read_tsv(path, 100.0)


def test_an_event_of_a_hop_keeps_a_length_in_the_file(tmp_path: Path) -> None:
    events = Events((Event(10.001, 0.003), Event(59.999, 0.001)), 60.0)
    events.write_tsv(tmp_path / "a.tsv")
    back = read_tsv(tmp_path / "a.tsv")
    assert [(e.onset, round(e.duration, 9)) for e in back] == [(10.0, 0.01), (59.99, 0.01)]


def test_impossible_events_are_refused() -> None:
    for onset, duration in (
        (-1.0, 1.0),
        (1.0, 0.0),
        (1.0, -1.0),
        (float("nan"), 1.0),
        (0.0, float("inf")),
    ):
        with pytest.raises(EventsError):
            Event(onset, duration)
    with pytest.raises(EventsError):
        Events((), -1.0)


def test_all_real_files_are_read(clips: Path) -> None:
    files = sorted(CLIPS.rglob("*_events.tsv"))
    events = [read_tsv(path) for path in files]
    assert len(files) == 223
    assert sum(map(len, events)) == 138
    assert sum(e.seconds for e in events) == pytest.approx(8159)
    assert sum(e.duration for e in events) == pytest.approx(13811)


def test_tabs_behind_the_columns_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("onset\tduration\teventType\n10\t20\tsz\t\t \t\n")
    assert len(read_tsv(path, 100)) == 1


def test_a_number_of_a_hundred_thousand_digits_is_refused_at_once(tmp_path: Path) -> None:
    """A pattern that tries every place for the point needs minutes for it."""
    path = tmp_path / "a_events.tsv"
    path.write_text(f"onset\tduration\teventType\tconfidence\n5\t5\tsz\t{'1' * 100_000}\n")
    with pytest.raises(EventsError, match="wanted a number") as caught:
        read_tsv(path)
    assert str(caught.value).count("line 2") == 1
