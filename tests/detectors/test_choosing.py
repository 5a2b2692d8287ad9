"""Rules are the best of a fixed grid on validation, and plain ones where nothing is better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.detectors import PostProcessing
from secateur.detectors.choosing import (
    ENOUGH_BACKGROUND,
    choose_by_froc,
    choose_rules,
    froc_curves,
    froc_grid,
    grid,
    rules_of,
)
from secateur.detectors.evaluation import WindowTable
from secateur.detectors.event_rules import to_events
from secateur.detectors.sweeping import RecordingWindows, froc_of, recording_windows
from secateur.events import Event, Events
from secateur.recordings import Entry
from secateur.scoring import WindowScores, compare, compare_all

PLAIN = PostProcessing(threshold=0.6)


def entry(subject: str, seconds: float, *seizures: tuple[float, float]) -> Entry:
    events = Events(tuple(Event(a, b - a) for a, b in seizures), seconds)
    path = Path(f"{subject}.edf")
    return Entry(f"{subject}/one.edf", subject, "", "", path, seconds, events)


def table_of(entries: list[Entry]) -> WindowTable:
    """A window a second, labelled as the truth."""
    masks = [item.events.to_mask(1.0) for item in entries]
    sizes = [len(mask) for mask in masks]
    return WindowTable(
        tuple(item.key for item in entries),
        tuple(item.subject for item in entries),
        np.repeat(np.arange(len(entries)), sizes),
        np.concatenate([np.arange(float(size)) for size in sizes]),
        np.concatenate(masks),
    )


def blips(label: NDArray[np.bool_], every: int, length: int = 4) -> NDArray[np.float64]:
    """Sure where there is a seizure, and for `length` seconds in each `every`."""
    return np.where(label | (np.arange(len(label)) % every < length), 0.9, 0.1)


def test_the_grid_is_small_and_begins_with_the_plain_rules() -> None:
    tried = grid(PLAIN)
    assert tried[0] == PLAIN
    assert len(tried) == len(set(map(repr, tried))) <= 40
    assert all(item.threshold == 0.6 and item.lower <= 0.6 for item in tried)
    own = PLAIN.model_copy(update={"merge_gap": 7.0, "refractory": 2.0})
    assert grid(own)[0] == own
    assert all(item.refractory == 2 for item in grid(own))
    for item in grid(own):  # copies aren't checked when they are made
        assert PostProcessing.model_validate(item.model_dump()) == item


def test_short_false_alarms_are_dropped_by_event_where_there_is_background_enough() -> None:
    entries = [entry("a", 2 * ENOUGH_BACKGROUND, (1000, 1060)), entry("b", 5000)]
    table = table_of(entries)
    chance = blips(table.label, 997)
    choice = choose_rules(entries, table, chance, 1.0, PLAIN)
    assert choice.criterion == "event F1"
    assert choice.score == 1
    assert choice.plain_score is not None
    assert choice.plain_score < 0.4
    assert choice.tried == len(grid(PLAIN))
    for rules, score in ((choice.rules, choice.score), (PLAIN, choice.plain_score)):
        claims = [
            to_events(table.second[own], chance[own], 1.0, rules, item.duration)
            for item in entries
            for own in [table.key == item.key]
        ]
        pairs = [(item.events, claim) for item, claim in zip(entries, claims, strict=True)]
        assert compare_all(pairs).events.f1 == score


def test_windows_decide_where_a_subject_has_under_an_hour_of_background() -> None:
    entries = [entry("a", 2 * ENOUGH_BACKGROUND, (1000, 1060)), entry("b", 3599)]
    table = table_of(entries)
    choice = choose_rules(entries, table, blips(table.label, 983), 1.0, PLAIN)
    assert choice.criterion == "window F1"
    assert choice.score == 1
    false = int((blips(table.label, 983) >= 0.6).sum()) - 60
    assert choice.plain_score == pytest.approx(2 * 60 / (2 * 60 + false))


def test_window_f1_is_that_of_windows_called_by_whether_they_lie_in_an_event() -> None:
    entries = [entry("a", 300, (50, 90)), entry("b", 200, (100, 120), (150, 170))]
    table = table_of(entries)
    chance = np.clip(
        0.5 * table.label + np.random.default_rng(0).random(len(table.label)) / 2, 0, 1
    )
    choice = choose_rules(entries, table, chance, 1.0, PLAIN.model_copy(update={"threshold": 0.5}))
    masks = []
    for item in entries:
        own = table.key == item.key
        events = to_events(table.second[own], chance[own], 1.0, choice.rules, item.duration)
        masks.append(events.to_mask(1.0))
    scores = WindowScores(table.label, np.concatenate(masks).astype(float), 0.5).confusion()
    assert choice.score == scores.f1_ictal


def test_equals_go_to_the_plain_rules() -> None:
    entries = [entry("a", 300, (50, 90))]
    table = table_of(entries)
    choice = choose_rules(entries, table, table.label.astype(float), 1.0, PLAIN)
    assert (choice.rules, choice.score, choice.plain_score) == (PLAIN, 1, 1)
    nothing = choose_rules(entries, table, np.zeros(len(table.label)), 1.0, PLAIN)
    assert (nothing.rules, nothing.score) == (PLAIN, 0)


def test_rules_by_which_one_subject_does_not_gain_are_not_taken() -> None:
    entries = [entry("a", 2000, (1000, 1060)), entry("b", 2000, (500, 508)), entry("c", 2000)]
    table = table_of(entries)
    chance = blips(table.label, 983)
    assert choose_rules(entries, table, chance, 1.0, PLAIN).rules.shortest == 6
    chance[table.subject == "b"] = table.label[table.subject == "b"]  # nothing is wrong with b
    assert choose_rules(entries, table, chance, 1.0, PLAIN).rules.shortest == 6
    chance[(table.subject == "b") & (table.second >= 505)] = 0  # six seconds would lose its seizure
    choice = choose_rules(entries, table, chance, 1.0, PLAIN)
    assert (choice.rules, choice.score) == (PLAIN, choice.plain_score)


def test_channels_of_one_file_are_no_more_background_than_the_file() -> None:
    item = entry("a", 2000, (50, 90))
    channels = [replace(item, key=f"{item.key}:{k}") for k in range(4)]
    table = table_of(channels)
    choice = choose_rules(channels, table, table.label.astype(float), 1.0, PLAIN)
    assert choice.criterion == "window F1"


def test_what_was_chosen_is_read_back() -> None:
    entries = [entry("a", 3000, (1000, 1060))]
    table = table_of(entries)
    choice = choose_rules(entries, table, blips(table.label, 97), 1.0, PLAIN)
    assert rules_of(choice.as_dict()) == choice.rules


def test_by_froc_short_blips_that_are_surer_than_seizures_are_told_apart() -> None:
    """Blips of 6 s at 0.9 every 1000 s, a seizure of a minute at 0.7: no threshold alone has both."""
    entries = [entry("a", 3600, (2400, 2460)), entry("b", 3600)]
    table = table_of(entries)
    spike = np.arange(len(table.label)) % 1000 < 6
    chance = np.where(spike, 0.9, np.where(table.label, 0.7, 0.1))
    windows = recording_windows(entries, table, chance, 1.0)
    curves = froc_curves(windows, PLAIN)
    assert [rules for rules, _ in curves] == froc_grid(PLAIN)
    choice = choose_by_froc(curves, PLAIN)
    assert choice.criterion == "FROC"
    assert choice.tried == len(froc_grid(PLAIN)) <= 30
    # plain: eight blips before the seizure; with longer evidence it is found with none of them
    assert choice.plain_score == pytest.approx(1 / 9)
    assert choice.score == 1
    assert choice.rules.smoothing > 0 or choice.rules.shortest > 6
    pairs = [(item.entry.events, item.events(choice.rules)) for item in windows]
    assert compare_all(pairs).events.tp == 1
    assert compare_all(pairs).events.fp == 0


def test_by_froc_plain_rules_stay_where_nothing_finds_more() -> None:
    entries = [entry("a", 3600, (2400, 2460)), entry("b", 3600)]
    table = table_of(entries)
    choice = choose_by_froc(
        froc_curves(recording_windows(entries, table, blips(table.label, 10**9, 0), 1.0), PLAIN),
        PLAIN,
    )
    assert choice.rules.model_copy(update={"threshold": 0.6}) == PLAIN
    # 0.9 in the seizure and 0.1 outside: many thresholds are equal, the middle one has room on both sides
    assert 0.3 < choice.rules.threshold < 0.7
    assert choice.score == choice.plain_score == 1
    quiet = [entry("b", 3600)]
    alone = recording_windows(quiet, table_of(quiet), np.full(3600, 0.1), 1.0)
    assert choose_by_froc(froc_curves(alone, PLAIN), PLAIN).criterion == "fixed"


def test_smoothing_beforehand_gives_what_the_rules_give() -> None:
    """Means over 5 s, in two stretches with a gap of no lost time and one of lost time between them."""
    rules = PostProcessing(threshold=0.5, smoothing=5.0, shortest=1.0, release=0.4)
    chance = np.random.default_rng(3).uniform(size=300)
    begin = np.arange(300.0)
    begin[200:] += 40
    item = RecordingWindows(
        entry("a", 400, (20, 60)), 400.0, begin, chance, np.zeros(300, dtype=np.bool_), 1.0, (100,)
    )
    for threshold in (0.4, 0.5, 0.6):
        moved = rules.moved_to(threshold)
        plain = moved.model_copy(update={"smoothing": 0.0})
        assert item.smoothed(rules).events(plain) == item.events(moved)
        curve = froc_of([item], moved)
        k = curve.thresholds.index(threshold)
        counted = compare(item.entry.events, item.events(moved)).events
        assert (curve.tp[k], curve.alarms[""][k]) == (counted.tp, counted.fp)
