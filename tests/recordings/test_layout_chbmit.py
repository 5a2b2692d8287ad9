"""CHB-MIT as PhysioNet hands it out: its summaries, its real headers, and one child who is two cases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secateur.errors import CohortError
from secateur.events import Event, Events
from secateur.recordings import Cohort, load_cohort
from secateur.recordings.layouts.chbmit import read_summary
from tests.support.cohorts import LAYOUTS, PATIENT, eeg, write_cohort, write_edf

SUMMARIES = LAYOUTS.parent / "chbmit-summaries"
LABELS = ["F3-C3", "C3-P3"]


@pytest.fixture
def real() -> Path:
    if not LAYOUTS.is_dir():
        pytest.skip(f"the real EEG headers are not here ({LAYOUTS.name} beside the checkout)")
    return LAYOUTS / "chbmit"


def case(folder: Path, name: str, recordings: dict[str, list[tuple[int, int]]]) -> Path:
    """A case of CHB-MIT: recordings of 60 s with the seizures that its summary lists."""
    lines = ["Data Sampling Rate: 256 Hz", "Channels in EDF Files:", "Channel 1: F3-C3", ""]
    for stem, seizures in recordings.items():
        write_edf(folder / name / f"{stem}.edf", eeg(60, [], len(stem), channels=2), LABELS)
        lines += [f"File Name: {stem}.edf", f"Number of Seizures in File: {len(seizures)}"]
        for start, end in seizures:
            lines += [f"Seizure Start Time: {start} seconds", f"Seizure End Time: {end} seconds"]
    (folder / name / f"{name}-summary.txt").write_text("\n".join(lines))
    return folder


def seizures_of(cohort: Cohort) -> dict[str, list[tuple[float, float]]]:
    return {entry.key: [(item.onset, item.end) for item in entry.events] for entry in cohort}


def test_all_real_summaries_together_list_198_seizures() -> None:
    if not SUMMARIES.is_dir():
        pytest.skip(f"the real summaries are not here ({SUMMARIES.name} beside the checkout)")
    summaries = {path.name[:5]: read_summary(path) for path in SUMMARIES.glob("*-summary.txt")}
    assert len(summaries) == 24
    assert sum(len(each) for item in summaries.values() for each in item.values()) == 198
    assert summaries["chb01"]["chb01_03"] == ((2996.0, 3036.0),)
    assert "chb02_16+" in summaries["chb02"]
    assert "chb17b_69" in summaries["chb17"]
    assert summaries["chb24"]["chb24_01"] == ((480.0, 505.0), (2451.0, 2476.0))
    assert summaries["chb10"]["chb10_89"] == ((1383.0, 1437.0),)


def test_real_headers_open_as_one_data_set_or_case_by_case(real: Path) -> None:
    both = load_cohort(real)
    assert (both.layout, both.name, both.subjects_known) == ("chb-mit", "CHB-MIT", True)
    assert not both.problems
    assert both.subjects == ("CHB-MIT/chb05", "CHB-MIT/chb08")
    assert (len(both), both.seizures) == (59, 10)
    for entry in both:
        recording = entry.open()
        assert recording.sampling_rate == 256
        assert {"FP1-F7", "P8-O2", "CZ-PZ"} <= set(recording.channels)
    item = load_cohort(real / "chb05")
    assert [(e.key, e.subject) for e in item] == [
        (e.key, e.subject) for e in both if e.session == "chb05"
    ]
    assert seizures_of(item)["chb05/chb05_06"] == [(417, 532)]


def test_a_seizure_past_the_end_of_its_file_is_kept_as_listed_and_said(real: Path) -> None:
    entry = next(entry for entry in load_cohort(real) if entry.key == "chb05/chb05_06")
    assert entry.duration == 2
    assert [(event.onset, event.end) for event in entry.events] == [(417, 532)]
    assert not len(entry.events.clipped())
    assert "from 417 to 532 s and the file ends at 2 s: kept as listed" in entry.notes[0]


def test_whatever_form_a_summary_takes_its_seizures_are_read(tmp_path: Path) -> None:
    summary = tmp_path / "chb99-summary.txt"
    summary.write_bytes(
        b"File Name: chb99_01.edf\r\nFile Start Time: 23:59:50\r\nFile End Time: 24:59:50\r\n"
        b"Number of Seizures in File: 2\r\nSeizure 1 Start Time:  10 seconds\r\n"
        b"Seizure 1 End Time:   20 seconds \r\nSeizure 2 Start Time: 30 seconds\r\n"
        b"Seizure 2 End Time: 40 seconds\r\n\r\nChannels changed:\r\nChannel 1: FP1-F7\r\n\r\n"
        b"File Name: chb99b_69.edf\r\nNumber of Seizures in File: 1\r\n"
        b"Seizure Start Time: 5 seconds\r\nSeizure End Time: 6 seconds\r\n"
        b"File Name: chb99_16+.edf\r\nNumber of Seizures in File: 0\r\n"
    )
    assert read_summary(summary) == {
        "chb99_01": ((10.0, 20.0), (30.0, 40.0)),
        "chb99b_69": ((5.0, 6.0),),
        "chb99_16+": (),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Seizure Start Time: 5 seconds", "line 1: seizures stand before any File Name"),
        ("File Name: a\nSeizure Start Time: soon", "line 2: wanted a number of seconds"),
        ("File Name: a\nSeizure End Time: 5 seconds", "line 2: a seizure ends at 5 s without"),
        ("File Name: a\nSeizure Start Time: 5 seconds", "ends inside a seizure"),
        ("File Name: a\nSeizure Start Time: 5\nFile Name: b", "line 3: a seizure of a has a start"),
        ("File Name: a\nNumber of Seizures in File: 1", "a is said to have 1 seizures and 0"),
        ("File Name: a\0", "not a text file"),
    ],
)
def test_a_summary_that_contradicts_itself_is_refused_by_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "chb01-summary.txt"
    path.write_text(text)
    with pytest.raises(CohortError, match=message) as caught:
        read_summary(path)
    assert "\n" not in str(caught.value)
    write_edf(tmp_path / "chb01_01.edf", eeg(10, [], 0, channels=2), LABELS)
    with pytest.raises(CohortError, match="none of its 1 recordings can be used"):
        load_cohort(tmp_path)


WORDS = [
    "File Name:",
    "Seizure",
    "Start Time:",
    "End Time:",
    "Number of Seizures in File:",
    "1",
    "9",
]
LINES = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=12))
def test_any_text_gives_seizures_in_order_or_a_reason(
    tmp_path: Path, lines: list[list[str]]
) -> None:
    path = tmp_path / "chb01-summary.txt"
    text = "\n".join(" ".join(line) for line in lines)
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read = read_summary(path)
    except CohortError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(0 <= start < end for each in read.values() for start, end in each)


def test_a_long_line_takes_no_longer_than_its_length(tmp_path: Path) -> None:
    path = tmp_path / "chb01-summary.txt"
    path.write_text("File Name: a" + 500_000 * " " + "b\n" + 500_000 * " ")
    assert len(read_summary(path)) == 1
    path.write_text(2**20 * "x" + "x")
    with pytest.raises(CohortError, match="1048577 bytes, a list has at most 1048576"):
        read_summary(path)


def test_chb21_is_the_child_chb01(tmp_path: Path) -> None:
    folder = tmp_path / "anything"
    case(folder, "chb01", {"chb01_01": [(10, 20)]})
    case(folder, "chb21", {"chb21_01": [(30, 40)]})
    cohort = load_cohort(folder)
    assert cohort.subjects == ("CHB-MIT/chb01",)
    assert [(entry.session, entry.run) for entry in cohort] == [
        ("chb01", "chb01_01"),
        ("chb21", "chb21_01"),
    ]
    assert "same child" in cohort.notes[0]
    assert load_cohort(folder / "chb21").subjects == ("CHB-MIT/chb01",)


@pytest.mark.parametrize("names", [["chb01_01", "chb21_01"], ["chb01/a", "chb21/a"]])
def test_chb21_is_the_child_chb01_in_a_plain_folder(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        path = write_edf(tmp_path / f"{name}.edf", eeg(10, [], 0, channels=2), LABELS)
        Events((Event(2.0, 3.0),), 10.0).write_tsv(path.with_name(f"{path.stem}_events.tsv"))
    cohort = load_cohort(tmp_path)
    assert cohort.layout == "plain"
    assert cohort.subjects == (f"{tmp_path.name}/chb01",)
    assert [entry.session for entry in cohort] == ["chb01", "chb21"]
    assert "same child" in cohort.notes[1]


@pytest.mark.parametrize(
    ("label", "name", "subject", "session"),
    [
        ("chb21", "whatever", "sub-chb01", "chb21"),
        ("21", "CHB-MIT Scalp EEG", "sub-01", "chb21"),
        ("21", "BIDS_CHB-MIT", "sub-01", "chb21"),
        ("21", "Another cohort", "sub-21", "01"),
        ("02", "CHB-MIT Scalp EEG", "sub-02", "01"),
        ("chb02", "CHB-MIT Scalp EEG", "sub-chb02", "01"),
    ],
)
def test_chb21_is_the_child_chb01_in_bids(
    tmp_path: Path, label: str, name: str, subject: str, session: str
) -> None:
    folder = write_cohort(tmp_path / "c", subjects=1, name=name)
    for path in sorted(folder.rglob("*01*"), reverse=True):
        path.rename(path.with_name(path.name.replace("sub-01", f"sub-{label}")))
    (entry,) = load_cohort(folder)
    assert (entry.subject, entry.session) == (f"{name}/{subject}", session)


def test_a_case_without_its_summary_is_told_once_with_where_to_get_it(tmp_path: Path) -> None:
    case(tmp_path, "chb01", {"chb01_01": [], "chb01_02": []})
    case(tmp_path, "chb02", {"chb02_01": []})
    (tmp_path / "chb01" / "chb01-summary.txt").unlink()
    cohort = load_cohort(tmp_path)
    assert [entry.key for entry in cohort] == ["chb02/chb02_01"]
    assert [(item.key, item.reason) for item in cohort.problems] == [
        (
            "chb01",
            "2 recordings and no chb01-summary.txt beside, which lists the seizures; get it from "
            "https://physionet.org/files/chbmit/1.0.0/chb01/chb01-summary.txt",
        )
    ]
    with pytest.raises(CohortError, match=r"chb01: 2 recordings and no chb01-summary\.txt"):
        load_cohort(tmp_path, strict=True)
    with pytest.raises(CohortError, match=r"get it from https://physionet\.org"):
        load_cohort(tmp_path / "chb01")


def test_a_recording_that_no_list_names_is_left_out(tmp_path: Path) -> None:
    case(tmp_path, "chb24", {"chb24_01": [(10, 20)]})
    other = tmp_path / "chb24" / "chb24_02.edf"
    shutil.copy(tmp_path / "chb24" / "chb24_01.edf", other)
    shutil.copy(other, tmp_path / "chb24" / "holiday.edf")
    problems = {item.key: item.reason for item in load_cohort(tmp_path).problems}
    assert set(problems) == {"chb24/chb24_02", "chb24/holiday"}
    assert "its seizures are unknown" in problems["chb24/chb24_02"]
    assert "RECORDS-WITH-SEIZURES" in problems["chb24/chb24_02"]
    assert str(tmp_path) not in str(problems)
    assert "chbNN_MM.edf" in problems["chb24/holiday"]


def test_what_the_data_sets_own_list_leaves_out_has_no_seizure(tmp_path: Path) -> None:
    """As with ten files of chb24, whose summary names only those with seizures."""
    case(tmp_path, "chb24", {"chb24_01": [(10, 20)]})
    for k in (2, 3):
        shutil.copy(tmp_path / "chb24" / "chb24_01.edf", tmp_path / f"chb24/chb24_{k:02d}.edf")
    (tmp_path / "RECORDS-WITH-SEIZURES").write_text("chb24/chb24_01.edf\nchb24/chb24_03.edf\n")
    cohort = load_cohort(tmp_path)
    assert seizures_of(cohort) == {"chb24/chb24_01": [(10, 20)], "chb24/chb24_02": []}
    assert "nor does RECORDS-WITH-SEIZURES" in cohort.entries[1].notes[0]
    assert [item.key for item in cohort.problems] == ["chb24/chb24_03"]


def test_lists_without_recordings_are_no_cohort(tmp_path: Path) -> None:
    (tmp_path / "chb01-summary.txt").write_text("File Name: chb01_01.edf\n")
    with pytest.raises(CohortError, match=r"no recording in it"):
        load_cohort(tmp_path)


def test_no_name_in_a_header_reaches_a_cohort(tmp_path: Path) -> None:
    assert PATIENT.split()[1] not in repr(load_cohort(case(tmp_path, "chb01", {"chb01_01": []})))
