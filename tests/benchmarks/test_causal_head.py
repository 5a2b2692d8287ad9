"""A head over the last minute looks back alone, is never worse than its network where it is stopped, and is
judged as the page says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.quality.causal_head import (
    HEADS,
    FittedHead,
    Side,
    _behind_background,
    _drawn,
    _recordings,
    fit_head,
    inputs_of,
    judge,
    running_mean,
    seen_by,
)
from benchmarks.quality.causal_head_tables import HISTORIC, page
from benchmarks.quality.repeats import rows_of
from secateur.detectors import PostProcessing
from secateur.events import Events
from secateur.networks import NetworkSettings, build_network
from secateur.runs import RunSettings, Source, resolve
from secateur.runs.data import gather
from secateur.windows import Cache

QUALITY = Path(__file__).parents[2] / "benchmarks" / "quality"
SETTINGS = {"split.by": "folds", "split.folds": 3, "split.fold": 1, "seed": 2}


@pytest.fixture(scope="module")
def settings() -> RunSettings:
    return resolve(None, SETTINGS)


@pytest.fixture(scope="module")
def sides(tiny_cohort: Path, settings: RunSettings) -> dict[str, Side]:
    """What a network that has learned nothing makes of the small cohort."""
    material = gather(Source(tiny_cohort), settings, Cache())
    network = build_network(NetworkSettings(widths=(4, 6, 8)), 18, 1024, 0)
    generator = np.random.default_rng(0)
    return {name: seen_by(network, side, generator) for name, side in material.sides.items()}


def test_a_running_mean_weighs_what_came_before() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    means = running_mean(values, 5.0, 1.0)
    weights = np.exp(-np.arange(20) / 5.0)
    for k in range(20):
        by_hand = np.average(values[: k + 1], axis=0, weights=weights[: k + 1][::-1])
        assert means[k] == pytest.approx(by_hand)
    assert running_mean(np.ones((9, 1)), 20.0, 1.0) == pytest.approx(np.ones((9, 1)))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_sees_nothing_of_what_comes_later(name: str, sides: dict[str, Side]) -> None:
    side = sides["test"]
    row = side.alone[0]
    before = inputs_of(HEADS[name], side, replace(row, rows=row.rows[:20]))
    assert inputs_of(HEADS[name], side, row)[:20] == pytest.approx(before, rel=1e-12)


def test_a_head_is_never_worse_than_its_network_where_it_is_stopped(
    sides: dict[str, Side], settings: RunSettings
) -> None:
    for name in (*HISTORIC, "features of now"):
        head = fit_head(HEADS[name], sides, settings)
        _, odds, truth = _drawn(HEADS[name], sides["validation"], settings)
        of_network = np.mean(np.logaddexp(0, odds) - truth * odds)
        assert head.loss < of_network + 1e-5
    assert fit_head(HEADS["features of now"], sides, settings).loss < of_network - 0.05


def test_without_weights_a_head_is_the_network(sides: dict[str, Side]) -> None:
    side, nothing = sides["test"], np.zeros(8)
    head = FittedHead(HEADS["features of now"], nothing, nothing + 1, nothing, 0.0, 0.0)
    for row in side.alone:
        assert np.array_equal(head.odds(side, row), side.odds[row.rows])


def test_what_stands_before_a_recording_moves_its_events(sides: dict[str, Side]) -> None:
    side = sides["training"]
    part, others = side.windows.prepared[0], side.windows.prepared[1:]
    quiet = replace(
        others[0],
        entry=replace(
            others[0].entry,
            subject=part.entry.subject,
            events=Events((), others[0].entry.duration),
        ),
    )
    windows = side.windows
    before = windows.prepared
    windows.prepared = [part, quiet, *others[1:]]
    try:
        rows = _behind_background(windows, side.alone, np.random.default_rng(0))
        assert rows[0].behind == min(60, len(side.alone[1].rows))
        assert [row.behind for row in rows[1:]] == [0] * len(rows[1:])  # nobody quiet of their own
        (recording,) = _recordings(side, rows[:1], [side.odds[rows[0].rows]], [{}])
    finally:
        windows.prepared = before
    (event,), (own,) = recording.entry.events.events, part.entry.events.events
    assert event.onset == own.onset + rows[0].behind * side.hop
    assert recording.duration == part.entry.duration + rows[0].behind * side.hop
    (alone,) = _recordings(side, side.alone[:1], [side.odds[side.alone[0].rows]], [{}])
    assert np.array_equal(recording.label[rows[0].behind :], alone.label)
    assert recording.begin[rows[0].behind :] == pytest.approx(
        alone.begin + rows[0].behind * side.hop
    )


def test_with_one_person_their_area_is_that_of_all(sides: dict[str, Side]) -> None:
    side = sides["test"]
    rules = PostProcessing(threshold=0.5)
    noise = np.random.default_rng(1)
    odds = [
        2 * side.windows.labels[row.rows] - 1 + noise.normal(0, 1.5, len(row.rows))
        for row in side.alone
    ]
    recordings = _recordings(side, side.alone, odds, [{} for _ in odds])
    own = [replace(each, entry=replace(each.entry, subject="clips/sub-1")) for each in recordings]
    for most in (0, 3):
        row = judge(own, rules, most)
        assert row["by_subject"] == {"clips/sub-1": pytest.approx(row["area"])}
        assert 0 < row["equal"] <= row["seizures"] == len(own)


def test_the_page_is_what_the_folds_say() -> None:
    results = rows_of(QUALITY / "causal-head.jsonl")
    assert (QUALITY / "causal-head.md").read_text() == page(results)
    for result in results:
        for network in result["models"].values():
            for judged in network["judged"].values():
                plain = judged["ways"]["plain"]
                alarms = sum(counts["alarms"] for counts in plain["chosen"]["sets"].values())
                assert alarms == judged["most"]
                assert plain["equal"] >= plain["chosen"]["found"]


def test_the_documents_tell_what_the_page_says() -> None:
    text = (QUALITY / "causal-head.md").read_text()
    rows = re.findall(r"^\| (?:18|six) pairs \|.*$", text, re.M)
    differences = [row.split(" | ")[3] for row in rows]
    assert len(differences) == 8
    words = [
        re.sub(r"to \+", "to ", each).replace("-", "−").replace("(+", "(") for each in differences
    ]
    findings = (QUALITY.parents[1] / "docs" / "explanation" / "findings.md").read_text()
    method = " ".join(
        (QUALITY.parents[1] / "docs" / "explanation" / "method.md").read_text().split()
    )
    assert [each for each in words if each not in findings] == []
    assert [each for each in words[:2] if each.replace(" (", ", ").rstrip(")") not in method] == []
