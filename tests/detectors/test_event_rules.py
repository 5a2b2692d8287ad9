"""From probabilities to events: each rule by hand, by an oracle, and all at once equals any pieces."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from secateur.detectors import PostProcessing
from secateur.detectors.event_rules import EventBuilder, to_events
from secateur.events import Event

Pushed = tuple[tuple[Event, ...], tuple[Event, ...]]


def push(builder: EventBuilder, begin: float, probability: float) -> Pushed:
    """One stretch."""
    return builder.push(np.array([begin]), np.array([probability]))


CHANCE = np.array([0.0, 0.9, 0.5, 0.5, 0.2, 0.2, 0.7, 0.2, 0.2, 0.2, 0.2, 0.5, 0.8, 0.6, 0.5, 0.1])


def called_events(chance: Any = CHANCE, **changes: Any) -> list[tuple[float, float, float | None]]:
    """Onset, end and confidence; a stretch is one second, the first begins at 0."""
    rules = PostProcessing(**{"threshold": 0.6, "merge_gap": 0, "shortest": 0, **changes})
    events = to_events(np.arange(float(len(chance))), chance, 1.0, rules, float(len(chance)))
    return [(e.onset, e.end, e.confidence) for e in events]


def test_plain_rules_call_what_is_at_the_threshold_or_above() -> None:
    assert called_events() == [(1, 2, 0.9), (6, 7, 0.7), (12, 14, 0.8)]


def test_an_event_goes_on_until_the_probability_falls_below_the_release() -> None:
    assert called_events(release=0.5) == [(1, 4, 0.9), (6, 7, 0.7), (12, 15, 0.8)]
    assert called_events(release=0.6) == called_events()


def test_what_never_reaches_the_threshold_is_no_event_however_long() -> None:
    assert called_events([0.59] * 9, release=0.1) == []


def test_smoothing_is_the_mean_of_the_last_seconds_and_of_fewer_at_the_beginning() -> None:
    chance = [0.8, 0.2, 0.5, 0.8, 0.8, 0.2]
    # 0.8, 0.5, 0.5, 0.5, 0.7, 0.6
    ((onset, end, peak), (later, last, other)) = called_events(chance, smoothing=3, threshold=0.59)
    assert (onset, end, later, last) == (0, 1, 4, 6)
    assert [peak, other] == pytest.approx([0.8, 0.7])
    assert called_events(chance, smoothing=0.9) == called_events(chance)


def test_gaps_are_closed_and_then_the_short_are_dropped() -> None:
    assert called_events(merge_gap=4) == [(1, 7, 0.9), (12, 14, 0.8)]
    assert called_events(merge_gap=5) == [(1, 14, 0.9)]
    assert called_events(shortest=2) == [(12, 14, 0.8)]
    assert called_events(merge_gap=4, shortest=3) == [(1, 7, 0.9)]


def test_after_an_event_there_is_none_for_the_refractory_time() -> None:
    chance = [0.9, 0.0, 0.8, 0.7, 0.7, 0.0, 0.0, 0.6]
    assert called_events(chance) == [(0, 1, 0.9), (2, 5, 0.8), (7, 8, 0.6)]
    # the second begins at 3 instead, without its largest probability; it ends at 5, so nothing until 7
    assert called_events(chance, refractory=2) == [(0, 1, 0.9), (3, 5, 0.7), (7, 8, 0.6)]
    assert called_events(chance, refractory=2, shortest=1) == called_events(chance, refractory=2)
    # two seconds are left of it, and what is dropped has no refractory time
    assert called_events(chance, refractory=4, shortest=1) == [(0, 1, 0.9), (7, 8, 0.6)]
    # a short one is dropped before it could keep others away
    assert called_events(chance, refractory=2, shortest=2) == [(2, 5, 0.8)]


def test_the_end_of_the_recording_cuts() -> None:
    rules = PostProcessing(threshold=0.6, merge_gap=0, shortest=0)
    events = to_events(np.array([3.0, 4.0]), np.array([0.7, 0.7]), 1.0, rules, 4.5)
    assert [(e.onset, e.end) for e in events] == [(3, 4.5)]


def test_an_event_that_the_end_cuts_off_entirely_is_none() -> None:
    rules = PostProcessing(threshold=0.5, shortest=0, merge_gap=0)
    assert len(to_events(np.arange(10.0), np.repeat([0.0, 1.0], 5), 1.0, rules, 5.0)) == 0
    assert len(to_events(np.arange(10.0), np.repeat([0.0, 1.0], 5), 1.0, rules, 5.5)) == 1


def test_nothing_is_joined_or_smoothed_across_a_gap_in_the_signal() -> None:
    begin = np.array([0.0, 1.0, 3.0, 4.0])
    rules = PostProcessing(threshold=0.6, merge_gap=5, shortest=0, smoothing=2)
    events = to_events(begin, np.array([0.0, 1.0, 0.7, 0.7]), 1.0, rules, 5.0)
    assert [(e.onset, e.end) for e in events] == [(3, 5)]


def test_a_gap_in_which_no_time_was_lost_is_one() -> None:
    begin, rules = (
        np.arange(4.0),
        PostProcessing(threshold=0.6, merge_gap=5, shortest=0, smoothing=2),
    )
    chance = np.array([0.0, 1.0, 0.7, 0.7])
    events = to_events(begin, chance, 1.0, rules, 4.0, restarts=(2,))
    assert [(e.onset, e.end) for e in events] == [(2, 4)]
    assert len(to_events(begin, chance, 1.0, rules, 4.0, restarts=(0, 4))) == 1
    alone = PostProcessing(threshold=0.6, shortest=0)
    events = to_events(begin, np.ones(4), 1.0, alone, 4.0, restarts=(2, 2))
    assert [(e.onset, e.end) for e in events] == [(0, 2), (2, 4)]


def test_a_release_above_the_threshold_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"release is 0.7, above the threshold of 0.6"):
        PostProcessing(threshold=0.6, release=0.7)


def test_an_event_is_told_as_soon_as_it_is_certain_and_once_more_when_it_is_final() -> None:
    builder = EventBuilder(PostProcessing(threshold=0.5, merge_gap=2, shortest=3), 1.0)
    steps = [push(builder, float(k), p) for k, p in enumerate([0, 0.6, 0.7, 0, 0, 0.9, 0, 0, 0, 0])]
    # from 1 to 3 and, two seconds later, from 5 to 6: five seconds in all
    assert [k for k, (opened, _) in enumerate(steps) if opened] == [5]
    assert steps[5][0] == (Event(1.0, 5.0, "sz", 0.9),)
    # the stretch that ends at 9 leaves more than two seconds to whatever may come
    assert [k for k, (_, closed) in enumerate(steps) if closed] == [8]
    assert steps[8][1] == (Event(1.0, 5.0, "sz", 0.9),)
    assert builder.finish(10.0) == ()


def test_a_gap_closes_what_is_open() -> None:
    builder = EventBuilder(PostProcessing(threshold=0.5, merge_gap=9, shortest=1), 1.0)
    push(builder, 0.0, 0.9)
    assert builder.gap() == (Event(0.0, 1.0, "sz", 0.9),)
    assert builder.gap() == ()
    assert push(builder, 1.0, 0.9)[0] == (Event(1.0, 1.0, "sz", 0.9),)


SECONDS = st.sampled_from([0.0, 0.5, 1.0, 1.7, 3.0, 8.0])


@st.composite
def rules(draw: st.DrawFn) -> PostProcessing:
    threshold = draw(st.sampled_from([0.0, 0.4, 0.6, 1.0]))
    release = draw(st.none() | st.floats(0, 1).map(lambda share: share * threshold))
    names = ("smoothing", "merge_gap", "shortest", "refractory")
    return PostProcessing(
        threshold=threshold, release=release, **{name: draw(SECONDS) for name in names}
    )


@st.composite
def tracks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """Where stretches begin, with gaps in the signal here and there; probabilities; the hop."""
    hop = draw(st.sampled_from([0.1, 0.5, 1.0, 1 / 3]))
    chance = draw(st.lists(st.sampled_from([0.0, 0.3, 0.4, 0.5, 0.6, 0.77, 1.0]), max_size=60))
    skipped = draw(st.lists(st.sampled_from([0] * 9 + [1, 7]), max_size=60))
    places = np.cumsum([1 + k for k in [*skipped, *[0] * len(chance)][: len(chance)]], dtype=int)
    return places * hop, np.array(chance, dtype=np.float64), hop


@given(rules=rules(), track=tracks(), more=st.sampled_from([0.0, 0.05, 9.0]))
def test_events_of_the_whole_are_those_of_one_by_one(
    rules: PostProcessing, track: tuple[np.ndarray, np.ndarray, float], more: float
) -> None:
    begin, chance, hop = track
    duration = float(begin[-1]) + hop + more if len(begin) else more
    builder = EventBuilder(rules, hop)
    opened: list[Event] = []
    closed: list[Event] = []
    for at, probability in zip(begin.tolist(), chance.tolist(), strict=True):
        # saved as JSON and resumed by another builder at every step
        state = json.loads(json.dumps(builder.state()))
        builder = EventBuilder(rules, hop)
        builder.restore(state)
        now, final = push(builder, at, probability)
        opened += now
        closed += final
    closed += builder.finish(duration)
    assert tuple(closed) == to_events(begin, chance, hop, rules, duration).events
    assert [event.onset for event in opened] == [event.onset for event in closed]
    assert all(early.end <= late.end for early, late in zip(opened, closed, strict=True))


def oracle(
    begin: np.ndarray, chance: np.ndarray, hop: float, rules: PostProcessing, duration: float
) -> list[tuple[float, float, float]]:
    """The rules of docs/explanation/method.md word by word: onset, end and confidence of each event."""
    count = max(1, int(rules.smoothing / hop + 1e-9))
    calls: list[list[tuple[float, float, float]]] = []  # the stretches of each
    recent: list[float] = []
    calling, until = False, None
    joined: list[list[tuple[float, float, float]]] = []
    barriers: set[int] = set()
    for at, probability in zip(begin.tolist(), chance.tolist(), strict=True):
        if until is not None and at - until > 1e-6:
            recent, calling = [], False
            barriers.add(len(calls))
        recent = [*recent, probability][-count:]
        mean = sum_of(recent) / len(recent)
        continues = calling
        calling = mean >= (rules.lower if calling else rules.threshold)
        until = at + hop
        if calling and not continues:
            calls.append([])
        if calling:
            calls[-1].append((at, until, mean))
    for number, call in enumerate(calls):
        near = joined and call[0][0] - joined[-1][-1][1] <= rules.merge_gap + 1e-9
        if near and number not in barriers:
            joined[-1].extend(call)
        else:
            joined.append(list(call))
    events: list[tuple[float, float, float]] = []
    free = 0.0
    for stretches in joined:
        onset, end = max(stretches[0][0], free), stretches[-1][1]
        if end - onset < rules.shortest - 1e-9 or end - onset <= 1e-9:
            continue
        peak = max((mean for _, stop, mean in stretches if stop > free), default=0.0)
        end = min(end, duration)
        events.append((onset, onset + max(0.0, end - onset), peak))
        free = events[-1][1] + rules.refractory
    return events


def sum_of(values: list[float]) -> float:
    """By hand: sum() rounds otherwise from Python 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total


@given(rules=rules(), track=tracks(), more=st.sampled_from([0.0, 0.05, 9.0]))
def test_events_are_those_of_the_rules_word_by_word(
    rules: PostProcessing, track: tuple[np.ndarray, np.ndarray, float], more: float
) -> None:
    begin, chance, hop = track
    duration = float(begin[-1]) + hop + more if len(begin) else more
    events = to_events(begin, chance, hop, rules, duration)
    assert [(e.onset, e.end, e.confidence) for e in events] == oracle(
        begin, chance, hop, rules, duration
    )


@given(rules=rules(), track=tracks(), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_events_are_the_same_in_any_pieces(
    rules: PostProcessing, track: tuple[np.ndarray, np.ndarray, float], sizes: list[int]
) -> None:
    begin, chance, hop = track
    builder = EventBuilder(rules, hop)
    events: list[Event] = []
    ends = np.flatnonzero(np.diff(begin) > 1.5 * hop) + 1
    at = turn = 0
    while at < len(begin):
        size = sizes[turn % len(sizes)]
        stop = min([at + size, len(begin), *(end for end in ends.tolist() if end > at)])
        events += builder.push(begin[at:stop], chance[at:stop])[1]
        at, turn = stop, turn + 1
    duration = float(begin[-1]) + hop if len(begin) else 0.0
    events += builder.finish(duration)
    assert tuple(events) == to_events(begin, chance, hop, rules, duration).events


@given(rules=rules(), track=tracks())
def test_events_are_apart_and_long_enough(
    rules: PostProcessing, track: tuple[np.ndarray, np.ndarray, float]
) -> None:
    begin, chance, hop = track
    duration = float(begin[-1]) + hop if len(begin) else 0.0
    events = to_events(begin, chance, hop, rules, duration).events
    assert all(event.duration >= rules.shortest - 1e-9 for event in events)
    for event, other in pairwise(events):
        assert other.onset >= event.end + rules.refractory - 1e-9


def test_a_stretch_is_final_as_soon_as_nothing_can_join_it() -> None:
    builder = EventBuilder(PostProcessing(threshold=0.5, merge_gap=0, shortest=0), 1.0)
    push(builder, 0.0, 0.9)
    assert push(builder, 1.0, 0.1) == ((), (Event(0.0, 1.0, "sz", 0.9),))
