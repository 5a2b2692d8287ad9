"""Several folders as one cohort."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.errors import CohortError
from secateur.recordings import DataSet, load_cohort, load_data_sets
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg, write_cohort, write_edf


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    top = tmp_path_factory.mktemp("sets")
    first = write_cohort(top / "a", subjects=2, name="One")
    second = write_cohort(top / "b", subjects=3, name="Two", seed=50)
    for person in range(2):
        write_edf(top / "quiet" / f"p{person}.edf", eeg(60, [], 90 + person), BIPOLAR_18)
    return first, second, top / "quiet"


def test_one_folder_without_a_name_is_read_as_ever(folders: tuple[Path, Path, Path]) -> None:
    assert load_data_sets([DataSet(folders[0])]) == load_cohort(folders[0])


def test_subjects_and_recordings_begin_with_their_set(folders: tuple[Path, Path, Path]) -> None:
    first, second, quiet = folders
    sets = [DataSet.parse(f"chb={first}"), DataSet.parse(str(second)), DataSet(quiet, "tuh", True)]
    cohort = load_data_sets(sets)
    assert cohort.name == "chb + Two + tuh"
    assert cohort.subjects == (
        "Two/sub-01", "Two/sub-02", "Two/sub-03", "chb/sub-01", "chb/sub-02", "tuh/p0", "tuh/p1",
    )  # fmt: skip
    assert all(entry.key.startswith(entry.subject.split("/")[0] + "/") for entry in cohort)
    assert cohort.declared == ("tuh",)
    assert not cohort.seizure_free
    assert cohort.seizures == 5
    assert not cohort.simulated  # not all of it; which sets are is noted
    assert {"chb: simulated EEG", "Two: simulated EEG"} <= set(cohort.notes)
    assert "tuh: simulated EEG" not in cohort.notes
    assert any(note.startswith("tuh: free of seizures, as the user says") for note in cohort.notes)


def test_what_contradicts_itself_is_refused(folders: tuple[Path, Path, Path]) -> None:
    first, second, _ = folders
    twice = [DataSet(first), DataSet(first / ".." / "a", seizure_free=True)]
    with pytest.raises(CohortError, match="is --data and --background"):
        load_data_sets(twice)
    with pytest.raises(CohortError, match="two data sets are called x"):
        load_data_sets([DataSet(first, "x"), DataSet(second, "x")])
    with pytest.raises(CohortError, match="a: is declared free of seizures, and 2 of its"):
        load_data_sets([DataSet(second), DataSet(first, seizure_free=True)])


def test_one_person_in_two_sets_is_refused(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    more = write_cohort(tmp_path / "more", subjects=1, name="One", seed=70)
    with pytest.raises(CohortError, match=r"One/sub-01 stands in .* too"):
        load_data_sets([DataSet(folders[0], "a"), DataSet(more, "b")])


def test_a_path_may_hold_an_equals_sign() -> None:
    assert DataSet.parse("a=b") == DataSet(Path("b"), "a")
    assert DataSet.parse("/x/a=b") == DataSet(Path("/x/a=b"))
    assert DataSet.parse("/x/y", seizure_free=True) == DataSet(Path("/x/y"), "", True)
