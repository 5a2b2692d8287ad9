"""Bonn's five sets: as folders, and as the archives that they are handed out in."""

from __future__ import annotations

import hashlib
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secateur.errors import CohortError, RecordingError, RecordingNotFoundError
from secateur.files import MEMBER_LIMIT, open_file, sha256_of_file
from secateur.recordings import duration_of, load_cohort, open_recording
from secateur.windows.cache import Cache
from tests.support.cohorts import LAYOUTS, eeg, write_edf

BONN = LAYOUTS.parent / "bonn"
FOLDERS = {"Z": "setA", "O": "setB", "N": "setC", "F": "setD", "S": "setE"}


def segment(seed: int, samples: int = 500) -> str:
    numbers = np.random.default_rng(seed).integers(-200, 200, samples)
    return "\r\n".join(map(str, numbers)) + "\r\n"


def name_of(letter: str, k: int) -> str:
    return f"{letter}{k:03d}.{'TXT' if letter == 'N' else 'txt'}"


def five_sets(folder: Path, how: str) -> Path:
    """Two segments a set: in folders named `setA` or `Z`, or in archives, flat or with a folder inside."""
    for index, (letter, set_folder) in enumerate(FOLDERS.items()):
        texts = {name_of(letter, k): segment(10 * index + k) for k in (1, 2)}
        if how.startswith("zip"):
            folder.mkdir(exist_ok=True)
            with zipfile.ZipFile(folder / f"{letter}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for name, text in texts.items():
                    archive.writestr(f"{letter}/{name}" if how == "zip, nested" else name, text)
        else:
            own = folder / (set_folder if how == "setA" else letter)
            own.mkdir(parents=True)
            for name, text in texts.items():
                (own / name).write_text(text, newline="")
    return folder


@pytest.mark.parametrize("how", ["setA", "Z", "zip", "zip, nested"])
def test_however_the_sets_lie_the_cohort_is_the_same(tmp_path: Path, how: str) -> None:
    cohort = load_cohort(five_sets(tmp_path / "b", how))
    assert (cohort.layout, cohort.name, cohort.subjects_known) == ("bonn", "Bonn", False)
    assert cohort.subjects == ("Bonn/unknown",)
    assert not cohort.problems
    assert [entry.key for entry in cohort] == [
        f"{FOLDERS[letter]}/{letter}{k:03d}" for letter in FOLDERS for k in (1, 2)
    ]
    assert "".join(entry.session for entry in cohort) == "AABBCCDDEE"
    for entry in cohort:
        assert entry.duration == pytest.approx(500 / 173.61)
        assert entry.events.seconds == (entry.duration if entry.session == "E" else 0)
        recording = entry.open()
        assert (recording.channels, recording.sampling_rate) == (("EEG",), 173.61)
    numbers = [float(line) for line in segment(1).split()]
    assert cohort.entries[0].open().read()[0].tolist() == numbers
    assert "does not tell who was recorded" in cohort.notes[0]


def test_all_five_hundred_real_segments_are_read() -> None:
    if not BONN.is_dir():
        pytest.skip(f"the real EEG is not here ({BONN.name} beside the checkout)")
    cohort = load_cohort(BONN)
    assert (cohort.layout, len(cohort), cohort.seizures) == ("bonn", 500, 100)
    assert not cohort.problems
    assert {entry.open().samples for entry in cohort} == {4097}
    alone = load_cohort(BONN / "setE")
    assert alone.subjects == cohort.subjects
    assert {entry.key for entry in alone} < {entry.key for entry in cohort}


def test_a_segment_that_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    folder = five_sets(five_sets(tmp_path / "b", "setA"), "zip")
    cohort = load_cohort(folder)
    assert len(cohort) == 10
    assert "10 segments are there twice" in cohort.notes[1]
    assert all(entry.path.is_file() for entry in cohort)


def test_a_segment_in_another_sets_folder_and_a_damaged_archive_are_problems(
    tmp_path: Path,
) -> None:
    folder = five_sets(tmp_path / "b", "setA")
    shutil.move(folder / "setE" / "S001.txt", folder / "setA" / "S001.txt")
    (folder / "Z.zip").write_bytes(b"PK rubbish")
    (folder / "setB" / "O001.txt").write_text("twelve\n")
    cohort = load_cohort(folder)
    assert {problem.key: problem.reason.split(":")[0] for problem in cohort.problems} == {
        "Z.zip": "cannot be read (damaged archive",
        "setA/S001.txt": "lies in setA and is called as set E's segments are",
        "setB/O001": "line 1",
    }
    assert len(cohort) == 8


def test_text_files_beside_recordings_are_no_bonn(tmp_path: Path) -> None:
    write_edf(tmp_path / "a.edf", eeg(10, [], 0, channels=2), ["F3", "C3"])
    (tmp_path / "Z001.txt").write_text("1\n2\n")
    with pytest.raises(CohortError, match="no events beside it"):
        load_cohort(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\nthree\n", "line 3: wanted one number a line"),
        ("1\n2 3\n", "line 2: wanted one number a line"),
        ("", "empty"),
        ("1\nnan\n", "is no number"),
        ("\x00\x01\x02", "line 1: wanted one number a line"),
    ],
)
def test_text_that_is_no_segment_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "Z001.txt"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message) as caught:
        open_recording(path)
    assert "three" not in str(caught.value)


def test_a_text_file_of_another_name_has_no_known_rate(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("1\n2\n")
    with pytest.raises(RecordingError, match="unknown sampling rate"):
        open_recording(tmp_path / "notes.txt")


def test_a_member_of_an_archive_is_opened_as_a_file_is(tmp_path: Path) -> None:
    folder = five_sets(tmp_path / "b", "zip")
    member = folder / "Z.zip" / "Z001.txt"
    content = segment(1).encode()
    with open_file(member) as file:
        assert file.read() == content
    assert sha256_of_file(member) == hashlib.sha256(content).hexdigest()
    assert duration_of(open_recording(member)) == 500 / 173.61
    for missing in ("Z.zip/Z009.txt", "Q.zip/Z001.txt"):
        with pytest.raises(RecordingNotFoundError):
            open_recording(folder / missing)


def test_the_cache_knows_a_member_by_its_contents(tmp_path: Path) -> None:
    folder, cache = five_sets(tmp_path / "b", "zip"), Cache(tmp_path / "cache")
    member = folder / "Z.zip" / "Z001.txt"
    before = cache.content_hash(member)
    assert before == sha256_of_file(member) == cache.content_hash(member)
    assert before != cache.content_hash(folder / "Z.zip" / "Z002.txt")
    with zipfile.ZipFile(folder / "Z.zip", "w") as archive:
        archive.writestr("Z001.txt", "1\n2\n3\n")
    assert cache.content_hash(member) == sha256_of_file(member) != before


def test_archives_that_would_fill_the_memory_or_are_damaged_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "Z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Z001.txt", b"\n" * (MEMBER_LIMIT + 1))
        archive.writestr("Z002.txt", b"1\n" * 1000)
    with pytest.raises(RecordingError, match="at most 67108864 are read"):
        open_recording(path / "Z001.txt")
    assert open_recording(path / "Z002.txt").samples == 1000
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"Z002.txt", 0, raw.rindex(b"PK\x01\x02")) + len("Z002.txt")
    raw[at : at + 4] = bytes(byte ^ 0xFF for byte in raw[at : at + 4])
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="damaged or locked archive"):
        open_recording(path / "Z002.txt")
    path.write_bytes(raw[:100])
    with pytest.raises(RecordingError, match="damaged or locked archive"):
        open_recording(path / "Z002.txt")


def test_an_archive_that_lies_about_a_size_unpacks_no_more_than_it_told(tmp_path: Path) -> None:
    path = tmp_path / "Z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Z001.txt", b"1\n" * 10_000_000)
    raw = path.read_bytes()
    path.write_bytes(raw.replace((20_000_000).to_bytes(4, "little"), (20).to_bytes(4, "little")))
    tracemalloc.start()
    with pytest.raises(RecordingError, match="damaged or locked archive"):
        open_recording(path / "Z001.txt")
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("Z001.txt", b"1\n")
    with pytest.raises(RecordingError, match="packed in a way that is not read"):
        open_recording(path / "Z001.txt")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_gives_a_typed_error_or_the_samples(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "Z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Z001.txt", segment(1, 50))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=8))
    raw[at : at + len(junk)] = junk
    path.write_bytes(raw)
    try:
        recording = open_recording(path / "Z001.txt")
    except RecordingError as error:
        assert "\n" not in str(error)
    else:
        assert recording.samples == 50
    try:
        load_cohort(tmp_path)
    except CohortError as error:
        assert "\n" not in str(error)
