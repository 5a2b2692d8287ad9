"""Siena's lists, written by hand: what is put right, what is said, what is refused.

Times are those of the data set's version 1.0.0 wherever a patient is named.
"""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import CohortError
from secateur.recordings import Cohort, Entry, load_cohort
from secateur.recordings.layouts.siena import read_paragraphs, to_events
from tests.support.cohorts import LAYOUTS


@pytest.fixture
def real() -> Path:
    if not LAYOUTS.is_dir():
        pytest.skip(f"the real EEG headers are not here ({LAYOUTS.name} beside the checkout)")
    return LAYOUTS / "siena"


def patient(folder: Path, name: str, text: str, **starts: str) -> Path:
    """Recordings of two hours that begin at `starts`, called name-1 and so on, and a list."""
    noise = np.random.default_rng(0).normal(size=7200)
    (folder / name).mkdir(parents=True)
    for stem, start in starts.items():
        signal = edfio.EdfSignal(noise, 1, label="EEG F3", physical_dimension="uV")
        day = edfio.Recording(startdate=date(2017, 1, 1))
        edf = edfio.Edf([signal], recording=day, starttime=time.fromisoformat(start))
        edf.write(folder / name / f"{name}-{stem.removeprefix('n').replace('_', '.')}.edf")
    (folder / name / f"Seizures-list-{name}.txt").write_text(text)
    return folder


def seizures(cohort: Cohort) -> dict[str, list[tuple[float, float]]]:
    return {entry.key: [(item.onset, item.duration) for item in entry.events] for entry in cohort}


def test_real_headers_open_with_what_the_lists_tell(real: Path) -> None:
    both = load_cohort(real)
    assert (both.layout, both.name) == ("siena", "Siena")
    assert not both.problems
    assert both.subjects == ("Siena/PN00", "Siena/PN16")
    assert seizures(both) == {
        "PN00/PN00-1": [(1143, 70)],
        "PN00/PN00-2": [(1220, 54)],
        "PN00/PN00-3": [(765, 60)],
        "PN00/PN00-4": [(1006, 74)],
        "PN00/PN00-5": [(904, 67)],
        "PN16/PN16-1": [(7184, 123)],
        "PN16/PN16-2": [(8574, 107)],
    }
    for entry in both:
        recording = entry.open()
        assert recording.sampling_rate == 512
        assert {"EEG Fp1", "EEG O1", "EEG T4"} <= set(recording.channels)
    item = load_cohort(real / "PN00")
    assert [(e.key, e.subject) for e in item] == [(e.key, e.subject) for e in both][:5]


def test_an_hour_too_many_is_taken_off_and_said(real: Path) -> None:
    entry = next(entry for entry in load_cohort(real) if entry.key == "PN00/PN00-3")
    assert "18.28.29 to 19.29.29" in entry.notes[0]
    assert "taken as 18.29.29" in entry.notes[0]


def entry_of(folder: Path) -> Entry:
    (entry,) = load_cohort(folder).entries
    return entry


def test_one_registration_above_two_seizures_and_past_midnight(tmp_path: Path) -> None:
    """PN01: no number in the name, `Start time` alone, colons, a seizure on the next day."""
    text = (
        "File name: PN01.edf\nRegistration start time: 19.00.44\nRegistration end time: 08.29.41\n"
        "\nSeizure n 1\nStart time: 21:51:02\nEnd time: 21:51:56\n"
        "\nSeizure n 2\nStart time: 07:53:17\nEnd time: 07:54:31\n"
    )
    entry = entry_of(patient(tmp_path, "PN01", text, n1="19:00:44"))
    assert [(item.onset, item.duration) for item in entry.events] == [(10218, 54), (46353, 74)]
    assert entry.notes[0] == "PN01.edf in the list is taken for PN01-1.edf"


def test_a_letter_for_a_zero(tmp_path: Path) -> None:
    """PN06."""
    text = (
        "File name: PNO6-1.edf\nRegistration start time:04.21.22\nSeizure start time: 05.54.25\n"
        "Seizure end time: 05.55.29\nFile name: pn06-3.EDF\nRegistration start time: 06.25.51\n"
        "Seizure start time: 08.10.26\nSeizure end time: 08.11.08\n"
    )
    cohort = load_cohort(patient(tmp_path, "PN06", text, n1="04:21:22", n3="06:25:51"))
    assert seizures(cohort) == {"PN06/PN06-1": [(5583, 64)], "PN06/PN06-3": [(6275, 42)]}
    assert "PNO6-1.edf in the list is taken for PN06-1.edf" in cohort.entries[0].notes


@pytest.mark.parametrize("named", ["File name: PN11-.edf\n", "File name: PN11.edf\n", ""])
def test_a_missing_number_where_one_recording_can_be_meant(tmp_path: Path, named: str) -> None:
    text = f"{named}Registration start time: 11.31.25\nStart time: 13.30.19\nEnd time: 13.31.14\n"
    entry = entry_of(patient(tmp_path, "PN11", text, n1="11:31:25"))
    assert [(item.onset, item.duration) for item in entry.events] == [(7134, 55)]


def test_a_missing_number_where_two_can_be_meant_is_a_problem_that_names_them(
    tmp_path: Path,
) -> None:
    text = (
        "File name: PN11-.edf\nStart time: 13.00.00\nEnd time: 13.01.00\n"
        "File name: PN11-3.edf\nStart time: 13.00.00\nEnd time: 13.01.00\n"
    )
    folder = patient(tmp_path, "PN11", text, n1="12:30:00", n2="12:30:00", n3="12:30:00")
    cohort = load_cohort(folder)
    assert seizures(cohort) == {"PN11/PN11-3": [(1800, 60)]}
    reasons = {item.key: item.reason for item in cohort.problems}
    assert set(reasons) == {"PN11/PN11-.edf", "PN11/PN11-1", "PN11/PN11-2"}
    assert reasons["PN11/PN11-.edf"] == (
        "the list names PN11-.edf, which may be PN11-1.edf or PN11-2.edf"
    )
    assert "does not name it, so its seizures are unknown" in reasons["PN11/PN11-1"]


def test_what_is_listed_and_not_there_is_a_note(tmp_path: Path) -> None:
    """PN10-10 is never taken for PN10-1."""
    text = "".join(
        f"File name: PN10-{k}.edf\nStart time: 08.50.00\nEnd time: 08.51.00\n" for k in (1, 10)
    )
    cohort = load_cohort(patient(tmp_path, "PN10", text, n10="08:45:22"))
    assert seizures(cohort) == {"PN10/PN10-10": [(278, 60)]}
    assert cohort.notes == ("PN10: PN10-1.edf is listed and not there",)


def test_several_seizures_of_one_recording(tmp_path: Path) -> None:
    """PN12: the second paragraph repeats the file and not its times. PN10: a time with a space."""
    text = (
        "File name: PN12-1.2.edf\nRegistration start time: 15.51.31\nSeizure start time: 16:13.23\n"
        "Seizure end time: 16.14.26\n\nSeizure n 2\nFile name: PN12-1.2.edf\n"
        "Seizure start time: 17.31.01\nSeizure end time:17.32.09\n"
    )
    entry = entry_of(patient(tmp_path, "PN12", text, n1_2="15:51:31"))
    assert [(item.onset, item.duration) for item in entry.events] == [(1312, 63), (5970, 68)]
    text = (
        "File name: PN10-7.8.9.edf\nRegistration start time:1 6.49.25\n"
        "Seizure start time: 17.35.13\nSeizure end time: 17.36.01\n"
    )
    entry = entry_of(patient(tmp_path / "b", "PN10", text, n7_8_9="16:49:25"))
    assert [(item.onset, item.duration) for item in entry.events] == [(2748, 48)]
    assert not entry.notes


def test_of_two_times_the_later_in_the_line_is_taken_and_said(tmp_path: Path) -> None:
    """PN10: `opure` is Italian for or."""
    text = (
        "File name: PN10-2.edf\nRegistration start time: 09.50.15\n"
        "Seizure start time: 11.40.13 (CLINICAL ONSET); 11.40.19 (ELECTRIC ONSET)\n"
        "Seizure end time: 11.41.04 opure 11.40.43\n"
    )
    entry = entry_of(patient(tmp_path, "PN10", text, n2="09:50:15"))
    assert [(item.onset, item.duration) for item in entry.events] == [(6604, 24)]
    assert entry.notes == (
        "the list tells 11.40.13 and 11.40.19 for one time: 11.40.19 is taken",
        "the list tells 11.41.04 and 11.40.43 for one time: 11.40.43 is taken",
    )


WORDS = ["File name:", "Registration", "Seizure", "start", "end", "time:", "23.59.59", "00:00:01"]
LINES = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=6)


@given(lines=st.lists(LINES, max_size=12), duration=st.floats(0, 1e6))
def test_any_text_gives_seizures_or_a_reason(lines: list[list[str]], duration: float) -> None:
    try:
        paragraphs = read_paragraphs("\n".join(" ".join(line) for line in lines), Path("list.txt"))
        events, _ = to_events(paragraphs, datetime(2017, 1, 1, 12), duration)
    except CohortError:
        return
    assert all(0 <= item.onset < 86400 and 0 < item.duration < 86400 for item in events)


def paragraph(begin: str, finish: str, start: str, end: str) -> str:
    times = {
        "Registration start time": begin,
        "Registration end time": finish,
        "Seizure start time": start,
        "Seizure end time": end,
    }
    return "\n".join(f"{name}: {value}" for name, value in times.items() if value)


@pytest.mark.parametrize(
    ("begin", "finish", "header", "duration", "onset", "message"),
    [
        # the list tells none
        ("", "", "20:00:00", 7200, 3600, None),
        # they agree, and the file goes on for 20 s, as eighteen of Siena's do
        ("20.00.00", "22.00.00", "20:00:00", 7220, 3600, None),
        # PN05-3: ten seconds apart and either would do
        ("20.00.10", "22.00.00", "20:00:00", 7210, 3590, "the list's is taken"),
        # PN14-3: three hours apart, and the file's length tells who is right
        ("17.00.00", "22.00.00", "20:00:00", 7200, 3600, "the file's is taken"),
        # a file that was cut short tells nothing
        ("20.30.00", "22.00.00", "20:00:00", 2, 1800, "the list's is taken"),
    ],
)
def test_the_lists_start_holds_unless_only_the_files_fits_its_length(
    begin: str, finish: str, header: str, duration: float, onset: float, message: str | None
) -> None:
    paragraphs = read_paragraphs(paragraph(begin, finish, "21.00.00", "21.01.00"), Path("list.txt"))
    start = datetime.combine(datetime(2017, 1, 1), time.fromisoformat(header))
    events, notes = to_events(paragraphs, start, duration)
    assert [(item.onset, item.duration) for item in events] == [(onset, 60)]
    assert [message in note for note in notes if message] == ([True] if message else [])


def test_a_long_seizure_within_the_recording_stays_long() -> None:
    paragraphs = read_paragraphs(
        paragraph("20.00.00", "23.00.00", "21.00.00", "22.01.00"), Path("x")
    )
    events, notes = to_events(paragraphs, None, 10800)
    assert [(item.onset, item.duration) for item in events] == [(3600, 3660)]
    assert not notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Start time: 25.00.00\nEnd time: 10.00.00", "line 1: wanted a time of day"),
        ("Start time: soon", "line 1: wanted a time of day"),
        ("End time: 10.00.00", "line 1: a seizure's end without its start"),
        ("Start time: 10.00.00\nStart time: 11.00.00", "line 2: a second start"),
        ("Start time: 10.00.00\nFile name: PN00-2.edf", "line 2: a seizure before it"),
        ("Start time: 10.00.00", "ends inside a seizure"),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(CohortError, match=message):
        read_paragraphs(text, Path("Seizures-list-PN00.txt"))


@pytest.mark.parametrize(
    ("times", "start", "message"),
    [
        (("20.00.00", "22.00.00", "19.00.00", "19.01.00"), None, "outside the recording"),
        (("20.00.00", "22.00.00", "21.00.00", "21.00.00"), None, "of no length"),
        (("", "", "21.00.00", "21.01.00"), None, "neither the list nor the file"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(
    times: tuple[str, str, str, str], start: datetime | None, message: str
) -> None:
    with pytest.raises(CohortError, match=message):
        to_events(read_paragraphs(paragraph(*times), Path("x")), start, 7200)


def test_a_patient_without_a_list_is_told_once_with_where_to_get_it(tmp_path: Path) -> None:
    folder = patient(tmp_path, "PN05", "", n2="06:46:02", n3="06:01:23")
    (folder / "PN05" / "Seizures-list-PN05.txt").unlink()
    with pytest.raises(CohortError, match=r"2 recordings and no Seizures-list-PN05\.txt") as caught:
        load_cohort(folder)
    assert "https://physionet.org/files/siena-scalp-eeg/1.0.0/PN05/" in str(caught.value)
