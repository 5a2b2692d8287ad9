"""The threshold by a budget of false alarms, held against counting at every threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.detectors import PostProcessing
from secateur.detectors.budget import within_budget
from secateur.detectors.evaluation import WindowTable
from secateur.detectors.event_rules import to_events
from secateur.events import Event, Events
from secateur.recordings import Entry
from secateur.scoring import compare

HOUR = 3600
RULES = PostProcessing()


def entry(key: str, seizures: tuple[Event, ...] = ()) -> Entry:
    events = Events(seizures, float(HOUR))
    return Entry(key, f"set/{key}", "", "", Path(key), float(HOUR), events)


def noisy(entries: list[Entry], seed: int) -> tuple[WindowTable, NDArray[np.float64]]:
    """Probabilities with bursts, as those of a network on EEG."""
    generator = np.random.default_rng(seed)
    keys = tuple(each.key for each in entries)
    recording = np.repeat(np.arange(len(entries)), HOUR)
    seconds = np.tile(np.arange(HOUR, dtype=float), len(entries))
    table = WindowTable(keys, keys, recording, seconds, np.zeros(len(recording), dtype=bool))
    bursts = np.convolve(generator.normal(0, 1, len(recording)), np.ones(9) / 3, "same")
    return table, 1 / (1 + np.exp(3 - 2 * bursts))


def alarms_at(
    threshold: float, entries: list[Entry], table: WindowTable, probability: NDArray[np.float64]
) -> int:
    rules = RULES.moved_to(threshold)
    return sum(
        compare(
            each.events,
            to_events(
                table.second[table.rows(each.key)],
                probability[table.rows(each.key)],
                1.0,
                rules,
                each.duration,
            ),
        ).events.fp
        for each in entries
    )


@pytest.mark.parametrize("per_day", [1, 24, 60])
def test_it_is_the_lowest_threshold_within_the_budget(per_day: float) -> None:
    entries = [entry("a"), entry("b", (Event(600.0, 60.0),)), entry("c")]
    table, probability = noisy(entries, 1)
    budget = within_budget(entries, table, probability, 1.0, RULES, per_day)
    hours = 3 - 60 / HOUR
    assert budget.allowed == int(per_day * hours / 24)
    assert budget.alarms.hours == pytest.approx(hours)
    assert budget.alarms.alarms == alarms_at(budget.threshold, entries, table, probability)
    assert budget.alarms.alarms <= budget.allowed
    candidates = np.sort(probability)
    lower = candidates[np.searchsorted(candidates, budget.threshold) - 1]
    just_below = (lower + candidates[np.searchsorted(candidates, lower) - 1]) / 2
    assert alarms_at(just_below, entries, table, probability) > budget.allowed
    above = np.quantile(candidates[candidates > budget.threshold], np.linspace(0, 1, 40))
    assert all(alarms_at(each, entries, table, probability) <= budget.allowed for each in above)


def test_too_few_hours_allow_no_alarm_and_the_limit_is_told() -> None:
    entries = [entry("a")]
    table, probability = noisy(entries, 2)
    budget = within_budget(entries, table, probability, 1.0, RULES, 12)
    assert (budget.allowed, budget.alarms.alarms) == (0, 0)
    assert "none in 1 h: at most 71.9 a day, so few hours" in budget.words
    higher = within_budget(entries, table, probability, 1.0, RULES, 240)
    assert higher.threshold < budget.threshold
