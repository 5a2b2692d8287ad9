"""Every way to divide, and what may cross."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from secateur.errors import SplitError
from secateur.events import Event, Events
from secateur.recordings import Entry
from secateur.windows import (
    SplitSettings,
    split_by_recording,
    split_by_subject,
    split_windows,
    subsample,
)
from secateur.windows.splits import SIDES

PEOPLE = [f"data/sub-{k:02d}" for k in range(1, 17)]


def settings(**values: Any) -> SplitSettings:
    return SplitSettings.model_validate(values)


def entry(key: str, seizures: int, subject: str = "s") -> Entry:
    events = Events(tuple(Event(10.0 * k, 5.0) for k in range(seizures)), 100.0)
    return Entry(key, subject, "", "", Path(key), 100.0, events)


@given(people=st.integers(4, 30), folds=st.integers(2, 12), seed=st.integers(0, 50))
def test_every_subject_tests_in_exactly_one_fold(people: int, folds: int, seed: int) -> None:
    names = [f"s{k}" for k in range(people)]
    if people - -(-people // min(folds, people)) < 2:
        return
    if folds > people:
        with pytest.raises(SplitError, match="would leave some empty"):
            split_by_subject(names, settings(by="folds", folds=folds, fold=1, seed=seed))
        return
    tested: list[str] = []
    for fold in range(1, folds + 1):
        split = split_by_subject(names, settings(by="folds", folds=folds, fold=fold, seed=seed))
        assert split.training
        assert split.validation
        assert sorted(split.training + split.validation + split.test) == sorted(names)
        tested += split.test
    assert sorted(tested) == sorted(names)


def test_folds_differ_in_size_by_one_at_most_and_a_seed_deals_them_anew() -> None:
    def sizes(seed: int) -> list[tuple[str, ...]]:
        return [
            split_by_subject(PEOPLE, settings(by="folds", folds=5, fold=k, seed=seed)).test
            for k in range(1, 6)
        ]

    assert sorted(map(len, sizes(0))) == [3, 3, 3, 3, 4]
    assert sizes(0) == sizes(0) != sizes(1)


def test_leaving_one_out_leaves_each_out_in_turn() -> None:
    tested: list[str] = []
    for fold in range(1, 17):
        split = split_by_subject(PEOPLE, settings(by="leave-one-subject-out", fold=fold))
        assert len(split.test) == 1
        tested += split.test
    assert tested == PEOPLE
    with pytest.raises(SplitError, match="16 folds, counted from 1"):
        split_by_subject(PEOPLE, settings(by="leave-one-subject-out", fold=17))


def test_frozen_folds_name_people_by_label_or_by_number() -> None:
    frozen = [{"test": ["chb01", "sub-02"]}, {"test": ["3", "data/sub-04"]}, {"test": ["chb99"]}]
    split = split_by_subject(PEOPLE[:8], settings(by="folds", frozen=frozen, fold=1))
    assert split.test == ("data/sub-01", "data/sub-02")
    assert set(split.training + split.validation) == {"data/sub-03", "data/sub-04"}
    assert any("not in the data: chb99" in note for note in split.notes)
    assert any("left out: data/sub-05" in note for note in split.notes)
    assert not any("two names" in note for note in split.notes)
    with pytest.raises(SplitError, match="tests chb99; of them nobody"):
        split_by_subject(PEOPLE[:8], settings(by="folds", frozen=frozen, fold=3))


def test_a_child_with_two_cases_stands_on_the_test_side_alone() -> None:
    frozen = [
        {"test": ["chb01", "chb02"], "training": ["chb03", "chb21"], "validation": ["chb04"]},
        {"test": ["chb03"]},
    ]
    split = split_by_subject(PEOPLE[:4], settings(by="folds", frozen=frozen, fold=1))
    assert split.test == ("data/sub-01", "data/sub-02")
    assert split.training == ("data/sub-03",)
    assert any(note.endswith("test side alone: data/sub-01") for note in split.notes)
    dealt = [{"test": ["chb01", "chb02"]}, {"test": ["chb21", "chb03"]}, {"test": ["chb04"]}]
    split = split_by_subject(PEOPLE[:4], settings(by="folds", frozen=dealt, fold=2))
    assert split.test == ("data/sub-01", "data/sub-03")
    assert any(note.endswith("test side alone: data/sub-01") for note in split.notes)


def test_recordings_are_divided_with_and_without_seizures_alike() -> None:
    entries = [entry(f"r{k:03d}", seizures=int(k < 40)) for k in range(100)]
    split = split_by_recording(entries, settings(by="recording"))
    assert split.unit == "recording"
    counts = {side: len(getattr(split, side)) for side in SIDES}
    assert counts == {"training": 50, "validation": 20, "test": 30}
    ill = {side: sum(name < "r040" for name in getattr(split, side)) for side in SIDES}
    assert ill == {"training": 20, "validation": 8, "test": 12}
    with pytest.raises(SplitError, match="more are needed"):
        split_by_recording(entries[:2], settings(by="recording"))


@given(
    ictal=st.integers(5, 400),
    background=st.integers(5, 400),
    prevalence=st.floats(0.02, 0.98),
    seed=st.integers(0, 9),
)
def test_thinning_reaches_the_prevalence_and_spares_the_rarer_class(
    ictal: int, background: int, prevalence: float, seed: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.arange(ictal + background) < ictal)
    kept = subsample(labels, prevalence, np.random.default_rng(seed))
    assert np.array_equal(kept, np.unique(kept))
    left = int(labels[kept].sum()), int((~labels[kept]).sum())
    assert left[0] == ictal or left[1] == background
    exact: tuple[float, float] = (ictal, ictal * (1 - prevalence) / prevalence)
    if left[0] < ictal:
        exact = (background * prevalence / (1 - prevalence), background)
    assert np.allclose(left, exact, atol=0.5001)
    assert np.array_equal(subsample(labels, None, np.random.default_rng(0)), np.arange(len(labels)))


@given(ictal=st.integers(10, 200), background=st.integers(10, 200), seed=st.integers(0, 9))
def test_a_random_split_is_stratified_and_no_window_stands_twice(
    ictal: int, background: int, seed: int
) -> None:
    labels = np.arange(ictal + background) < ictal
    sides = split_windows(labels, settings(by="random", seed=seed))
    for side, other in itertools.combinations(SIDES, 2):
        assert not set(sides[side]) & set(sides[other])
    assert sum(map(len, sides.values())) == len(labels)
    shares = {"training": 0.5, "validation": 0.2, "test": 0.3}
    for side, share in shares.items():
        assert abs(labels[sides[side]].sum() - share * ictal) <= 1
        assert abs((~labels[sides[side]]).sum() - share * background) <= 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"by": "folds"}, "needs their number"),
        ({"by": "folds", "folds": 5}, "needs the fold that tests"),
        ({"by": "leave-one-subject-out"}, "needs the fold that tests"),
        ({"by": "folds", "folds": 5, "fold": 6}, "there are 5 folds"),
        ({"by": "subject", "fold": 1}, "a fold goes with folds"),
        ({"by": "random", "folds": 5}, "folds go with a split by folds"),
        ({"by": "random", "frozen": [{"test": ["a"]}]}, "frozen folds go with"),
        ({"by": "folds", "folds": 3, "fold": 1, "frozen": [{"test": ["a"]}]}, "1 folds are frozen"),
        ({"validation": 0.5, "test": 0.5}, "must leave something"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**values)


def test_a_limit_on_windows_is_read_by_both_names_and_kept_by_that_of_finished_runs() -> None:
    by_name, by_old_name = settings(max_windows=500), settings(at_most=500)
    assert by_name == by_old_name
    assert by_name.max_windows == 500
    assert by_name.model_dump(mode="json")["at_most"] == 500
    assert "max_windows" not in by_name.model_dump()
    with pytest.raises(ValidationError):
        settings(max_windows=500, at_most=500)
