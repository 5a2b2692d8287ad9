"""Scores inside each subject: windows and events counted as elsewhere, None where not defined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.detectors.evaluation import WindowTable, background_seconds, subject_scores
from secateur.events import Event, Events
from secateur.recordings import Entry, load_cohort
from secateur.scoring import WindowScores, always, compare_all, margin_metrics
from secateur.windows import WindowSettings


def entry(
    subject: str, run: int, seizures: list[tuple[float, float]], duration: float = 600.0
) -> Entry:
    events = Events(tuple(Event(*item) for item in seizures), duration)
    return Entry(f"{subject}-{run}", subject, "1", str(run), Path("none"), duration, events)


ENTRIES = [
    entry("b", 1, [(100.0, 30.0)]),
    entry("a", 1, [(50.0, 20.0), (300.0, 20.0)]),
    entry("b", 2, []),
    entry("c", 1, []),
]


def table_of(entries: list[Entry], hop: float = 1.0) -> WindowTable:
    seconds = [np.arange(0, item.duration, hop) for item in entries]
    labels = [
        np.array([any(e.onset <= t < e.end for e in item.events) for t in own], dtype=np.bool_)
        for item, own in zip(entries, seconds, strict=True)
    ]
    return WindowTable(
        tuple(item.key for item in entries),
        tuple(item.subject for item in entries),
        np.repeat(np.arange(len(entries)), [len(own) for own in seconds]),
        np.concatenate(seconds),
        np.concatenate(labels),
    )


TABLE = table_of(ENTRIES)
CLAIMS = {
    "a-1": Events((Event(55.0, 5.0),), 600.0),
    "b-1": Events((Event(500.0, 10.0),), 600.0),
    "b-2": Events((Event(10.0, 10.0),), 600.0),
    "c-1": Events((), 600.0),
}


def test_scores_by_hand() -> None:
    perfect = TABLE.label.astype(np.float64)
    scores = subject_scores(ENTRIES, TABLE, perfect, 0.5, CLAIMS)
    assert list(scores) == ["a", "b", "c"]
    assert all(set(item) == set(margin_metrics()) for item in scores.values())
    assert scores["a"]["auroc"] == scores["a"]["macro_f1"] == scores["b"]["sensitivity"] == 1
    # one of two seizures found, no false alarm: F1 = 2 / (2 + 1)
    assert scores["a"]["event_sensitivity"] == 0.5
    assert scores["a"]["event_f1"] == pytest.approx(2 / 3)
    assert scores["a"]["fp_per_day"] == 0
    # two false alarms in twenty minutes, the seizure missed
    assert scores["b"]["event_sensitivity"] == scores["b"]["event_f1"] == 0
    assert scores["b"]["fp_per_day"] == pytest.approx(2 * 72)
    # no seizure: nothing to find, and no F1
    for metric in ("auroc", "auprc", "macro_f1", "sensitivity", "event_sensitivity", "event_f1"):
        assert scores["c"][metric] is None
    assert scores["c"]["specificity"] == 1


@given(st.integers(0, 10_000), st.booleans())
def test_what_is_defined_does_not_depend_on_the_model(seed: int, fires: bool) -> None:
    generator = np.random.default_rng(seed)
    chance = generator.random(len(TABLE.label))
    claims = {
        item.key: always(item.events) if fires else Events((), item.duration) for item in ENTRIES
    }
    ours = subject_scores(ENTRIES, TABLE, chance, 0.5, claims)
    theirs = subject_scores(ENTRIES, TABLE, 1 - TABLE.label.astype(float), 0.5, CLAIMS)
    for subject, row in ours.items():
        for metric, value in row.items():
            assert (value is None) == (theirs[subject][metric] is None), (subject, metric)


def test_background_is_added_up_by_subject() -> None:
    assert background_seconds(ENTRIES) == {"a": 560.0, "b": 1170.0, "c": 600.0}


def test_a_subject_alone_scores_as_among_others(clips: Path) -> None:
    """Truth and length of real recordings, the verdicts drawn."""
    cohort = load_cohort(clips)
    entries = [item for item in cohort if item.subject in cohort.subjects[:3]]
    table = table_of(entries, WindowSettings().hop)
    generator = np.random.default_rng(2)
    chance = np.clip(table.label * 0.3 + generator.random(len(table.label)) * 0.7, 0, 1)
    claims = {
        item.key: Events.from_mask(chance[table.key == item.key] > 0.6, 1.0) for item in entries
    }
    claims = {item.key: Events(claims[item.key].events, item.duration) for item in entries}
    scores = subject_scores(entries, table, chance, 0.6, claims)
    for subject in scores:
        own = [item for item in entries if item.subject == subject]
        chosen = table.subject == subject
        windows = WindowScores(table.label[chosen], chance[chosen], 0.6).all()
        events = compare_all([(item.events.clipped(), claims[item.key]) for item in own]).events
        assert scores[subject]["auroc"] == windows["auroc"]
        assert scores[subject]["event_f1"] == events.f1
        assert scores[subject]["fp_per_day"] == events.fp_per_day
