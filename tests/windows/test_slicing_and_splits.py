from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import SplitError
from secateur.events import Event, Events
from secateur.recordings import Entry
from secateur.windows import (
    Split,
    SplitSettings,
    WindowSettings,
    check_contents,
    decision_interval,
    label_windows,
    split_by_subject,
    window_starts,
)
from secateur.windows.splits import SIDES


@given(samples=st.integers(0, 5000), hop=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_windows_are_all_that_fit_and_speak_for_their_last_hop(samples: int, hop: float) -> None:
    settings = WindowSettings(hop=hop)
    starts = window_starts(samples, settings, 256.0)
    assert len(starts) == max(0, (samples - 1024) // round(hop * 256) + 1)
    assert all(start + 1024 <= samples for start in starts)
    begin, stop = decision_interval(starts, settings, 256.0)
    assert np.allclose(stop - begin, hop)
    assert np.allclose(stop, starts / 256 + 4)


def test_the_window_at_t_speaks_for_the_second_from_t_plus_3() -> None:
    begin, stop = decision_interval(np.array([0, 256]), WindowSettings(), 256.0)
    assert (begin.tolist(), stop.tolist()) == ([3.0, 4.0], [4.0, 5.0])


def test_labels_go_by_the_share_inside_an_event_and_edges_are_marked() -> None:
    events = Events((Event(6.0, 10.0),), 30.0)
    starts = np.arange(0, 26) * 256
    labels = label_windows(starts / 256.0, events, WindowSettings(), 256.0)
    assert np.flatnonzero(labels.ictal).tolist() == list(range(4, 15))
    assert np.flatnonzero(labels.crosses_event_edge).tolist() == [3, 4, 5, 13, 14, 15]
    strict = label_windows(starts / 256.0, events, WindowSettings(label_share=1.0), 256.0)
    assert np.flatnonzero(strict.ictal).tolist() == list(range(6, 13))


@given(
    people=st.sets(st.text("abcdef", min_size=1, max_size=4), min_size=3, max_size=40),
    seed=st.integers(0, 1000),
    validation=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
)
def test_no_split_lets_a_subject_cross_or_a_side_be_empty(
    people: set[str], seed: int, validation: float, test: float
) -> None:
    settings = SplitSettings(validation=validation, test=test, seed=seed)
    split = split_by_subject(sorted(people), settings)
    sides = [set(getattr(split, side)) for side in SIDES]
    assert all(sides)
    assert sum(map(len, sides)) == len(people)
    assert set.union(*sides) == people
    assert split == split_by_subject(sorted(people, reverse=True), settings)


def test_sixteen_subjects_are_eight_three_and_five() -> None:
    split = split_by_subject([f"s{k}" for k in range(16)], SplitSettings())
    assert [len(getattr(split, side)) for side in SIDES] == [8, 3, 5]


def test_with_test_data_none_of_ours_is_kept_for_testing() -> None:
    split = split_by_subject(["a", "b", "c", "d"], SplitSettings(), ["x", "y"])
    assert split.test == ("x", "y")
    assert set(split.training) | set(split.validation) == {"a", "b", "c", "d"}
    with pytest.raises(SplitError, match="a stands in"):
        split_by_subject(["a", "b", "c"], SplitSettings(), ["a"])


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(SplitError, match="2 subjects can't be split into 3"):
        split_by_subject(["a", "b"], SplitSettings())
    with pytest.raises(SplitError, match="1 subject can't"):
        split_by_subject(["a"], SplitSettings(), ["x"])


def test_a_subject_on_two_sides_cannot_be_made() -> None:
    with pytest.raises(SplitError, match="b stands in training and in test"):
        Split(("a", "b"), ("c",), ("b",))


def test_equal_contents_on_two_sides_are_refused_and_on_one_are_not() -> None:
    def entry(key: str) -> Entry:
        return Entry(key, "s", "", "", Path(key), 1.0, Events((), 1.0))

    check_contents(
        {"training": [(entry("a"), "1"), (entry("b"), "1")], "test": [(entry("c"), "2")]}
    )
    with pytest.raises(SplitError, match="a in training and c in test"):
        check_contents({"training": [(entry("a"), "1")], "test": [(entry("c"), "1")]})
