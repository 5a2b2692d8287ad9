"""One person's recordings are parted into earlier and later ones by whole records, in order of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import SplitError
from secateur.events import Event, Events
from secateur.recordings import (
    ArrayRecording,
    Cohort,
    Entry,
    Recording,
    load_cohort,
    part_in_time,
)

BEGINNING = datetime(2020, 1, 1)


@dataclass(frozen=True)
class Clip(Entry):
    """A recording whose header is made up."""

    start: datetime | None = BEGINNING

    def open(self) -> Recording:
        return ArrayRecording(np.zeros((1, 10)), 10, ["A"], start=self.start)


def clip(
    name: str,
    hour: float | None,
    seizures: int = 1,
    *,
    record: str = "",
    second: float = 0.0,
    session: str = "01",
) -> Clip:
    events = Events(tuple(Event(10.0 * k, 5.0) for k in range(seizures)), 60.0)
    start = None if hour is None else BEGINNING + timedelta(hours=hour)
    path = Path(f"{name}.edf")
    return Clip(name, "Set/sub-01", session, "00", path, 60.0, events, record, second, start=start)


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.key for entry in entries]


def test_clocks_decide_and_not_names() -> None:
    parted = part_in_time([clip("a", 3), clip("b", 1), clip("c", 2), clip("d", 4)], 0.5)
    assert (names(parted.earlier), names(parted.later)) == (["b", "c"], ["a", "d"])
    assert parted.note == ""


def test_clips_of_one_record_stay_together_in_their_order() -> None:
    clips = [
        clip("z", 1, record="r1", second=900),
        clip("a", 2, record="r2", second=50),
        clip("b", 1, record="r1", second=30),
        clip("y", 2, 0, record="r2", second=10),
    ]
    parted = part_in_time(clips, 0.4)
    # both seizures of the first record: one at least, and a record is never parted
    assert (names(parted.earlier), names(parted.later)) == (["b", "z"], ["y", "a"])


def test_sessions_come_before_clocks_and_that_is_said() -> None:
    clips = [clip("old", 900, session="1"), clip("new", 5, session="2"), clip("x", 7, session="10")]
    parted = part_in_time(clips, 0.5)
    assert (names(parted.earlier), names(parted.later)) == (["old"], ["new", "x"])
    assert "clocks run against" in parted.note


@pytest.mark.parametrize(
    ("clips", "reason"),
    [
        ([clip("a", 1), clip("b", None)], "b doesn't tell when it was recorded"),
        ([clip("a", 1), clip("b", 1)], "a and b tell the same time"),
        ([clip("a", 1), clip("b", 2, 0)], "1 seizure in all"),
        ([clip("a", 1, 3), clip("b", 2, 0)], "its 3 seizures can't be parted"),
        ([clip("a", 1, 0)], "0 seizures in all"),
    ],
)
def test_what_cannot_be_parted_is_refused(clips: list[Clip], reason: str) -> None:
    with pytest.raises(SplitError, match=reason):
        part_in_time(clips, 0.5)


@given(
    seizures=st.lists(st.integers(0, 4), min_size=2, max_size=12),
    share=st.floats(0.05, 0.95),
    order=st.randoms(use_true_random=False),
)
def test_nothing_later_is_earlier_and_nothing_is_lost(
    seizures: list[int], share: float, order: object
) -> None:
    clips = [clip(f"c{k:02}", k, count) for k, count in enumerate(seizures)]
    shuffled = list(clips)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    try:
        parted = part_in_time(shuffled, share)
    except SplitError:
        assert sum(seizures) < 2 or sum(count > 0 for count in seizures) == 1
        return
    assert [*parted.earlier, *parted.later] == clips
    before = [len(entry.events) for entry in parted.earlier]
    assert sum(before) >= 1
    assert sum(len(entry.events) for entry in parted.later) >= 1
    with_seizure = [count for count in before if count]
    assert len(with_seizure) == 1 or sum(before) <= share * sum(seizures)


def test_every_child_of_the_clips_has_both(clips: Path) -> None:
    """What studies/pretraining.toml says of them beforehand."""
    cohort: Cohort = load_cohort(clips)
    earlier = later = 0
    for subject in cohort.subjects:
        own = [entry for entry in cohort if entry.subject == subject]
        parted = part_in_time(own, 0.5)
        assert not {e.source for e in parted.earlier} & {e.source for e in parted.later}
        earlier += sum(len(entry.events) for entry in parted.earlier)
        later += sum(len(entry.events) for entry in parted.later)
        if subject.endswith(
            "sub-01"
        ):  # chb21 was recorded years after chb01, whatever its dates say
            assert {entry.session for entry in parted.earlier} == {"01"}
            assert parted.note
    assert (len(cohort.subjects), earlier, later) == (16, 61, 77)
