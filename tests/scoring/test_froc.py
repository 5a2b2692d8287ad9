"""FROC curves against counts made by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from secateur.events import Event, Events
from secateur.scoring.false_alarms import FalseAlarms
from secateur.scoring.froc import (
    Froc,
    OperatingPoint,
    SweptRecording,
    countable_rates,
    hull,
    mean_sensitivity,
    spread_over,
    sweep,
    thresholds_for,
    within,
)

HOUR = 3600.0


def at(threshold: float, peaks: list[tuple[float, float]], duration: float) -> Events:
    """An event of 10 s at each onset whose peak reaches the threshold."""
    return Events(tuple(Event(onset, 10.0) for onset, peak in peaks if peak >= threshold), duration)


def recording(
    data: str, seizures: list[float], peaks: list[tuple[float, float]], duration: float = HOUR
) -> SweptRecording:
    reference = Events(tuple(Event(onset, 36.0) for onset in seizures), duration)
    return SweptRecording(
        data,
        reference,
        (duration - 36.0 * len(seizures)) / HOUR,
        partial(at, peaks=peaks, duration=duration),
        max(peak for _, peak in peaks),
    )


@pytest.fixture(scope="module")
def curve() -> Froc:
    """Three seizures of which one is missed by all thresholds above 0.2; an hour of ordinary EEG."""
    return sweep(
        [
            recording(
                "clips", [600, 1800, 3000], [(610, 0.9), (1810, 0.6), (3010, 0.2), (1200, 0.7)]
            ),
            recording("quiet", [], [(500, 0.5), (1500, 0.3), (2500, 0.3)]),
        ],
        [0.95, 0.8, 0.6, 0.4, 0.25, 0.1],
    )


def test_every_threshold_counts_hits_and_alarms_by_data_set(curve: Froc) -> None:
    assert curve.thresholds == (0.1, 0.25, 0.4, 0.6, 0.8, 0.95)
    assert curve.seizures == 3
    assert curve.tp == (3, 2, 2, 2, 1, 0)
    assert curve.alarms == {"clips": (1, 1, 1, 1, 0, 0), "quiet": (3, 3, 1, 0, 0, 0)}
    assert curve.hours["clips"] == pytest.approx((HOUR - 3 * 36) / HOUR)
    assert curve.hours["quiet"] == 1.0


def test_points_have_rates_of_one_set_or_of_all(curve: Froc) -> None:
    point = curve.points("quiet")[2]
    assert (point.threshold, point.tp, point.alarms) == (0.4, 2, FalseAlarms(1, 1.0))
    assert point.sensitivity == pytest.approx(2 / 3)
    assert point.alarms.per_day == 24.0
    together = curve.points()[0].alarms
    assert together.alarms == 4
    assert together.hours == pytest.approx(1.97)


def test_the_hull_keeps_what_none_beats(curve: Froc) -> None:
    best = hull(curve.points("quiet"))
    assert [(p.threshold, p.tp, p.alarms.alarms) for p in best] == [(0.6, 2, 0), (0.1, 3, 3)]
    best = hull(curve.points("clips"))
    assert [(p.threshold, p.tp, p.alarms.alarms) for p in best] == [(0.8, 1, 0), (0.1, 3, 1)]


def test_what_is_found_within_a_rate(curve: Froc) -> None:
    points = curve.points("quiet")
    for rate, threshold in ((0.0, 0.6), (24.0, 0.6), (71.9, 0.6), (72.0, 0.1), (500.0, 0.1)):
        point = within(points, rate)
        assert point is not None
        assert point.threshold == threshold
    noisy = OperatingPoint(0.5, 1, 1, FalseAlarms(2, 1.0))
    assert within([noisy], 24.0) is None


def test_merged_alarms_do_not_make_the_hull_fall() -> None:
    """At a lower threshold two alarms become one: fewer alarms, and the curve runs back."""

    def point(threshold: float, found: int, alarms: int) -> OperatingPoint:
        return OperatingPoint(threshold, found, 4, FalseAlarms(alarms, 2.0))

    best = hull([point(0.9, 1, 0), point(0.7, 2, 5), point(0.5, 3, 2), point(0.3, 3, 4)])
    assert [(p.tp, p.alarms.alarms) for p in best] == [(1, 0), (3, 2)]


def test_thinning_keeps_the_corners_and_the_own_threshold() -> None:
    thresholds = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    curve = Froc(thresholds, (2, 2, 2, 2, 1, 1, 1), 2, {"a": (1,) * 7}, {"a": 1.0})
    assert curve.thinned().thresholds == (0.0, 0.3, 0.4, 0.6)
    thin = curve.thinned((0.1,))
    assert thin.thresholds == (0.0, 0.1, 0.3, 0.4, 0.6)
    assert thin.tp == (2, 2, 2, 1, 1)
    assert thin.alarms == {"a": (1,) * 5}


def test_thresholds_lie_where_windows_are_called() -> None:
    background = np.linspace(0.0, 0.5, 1001)
    thresholds = thresholds_for(np.array([0.4, 0.9]), [background], 0.35)
    assert thresholds == sorted(set(thresholds))
    assert {0.0, 0.35, 0.4, 0.9} <= set(thresholds)
    called = [int((background >= threshold).sum()) for threshold in thresholds]
    assert {0, 1, 2, 3, 1001} <= set(called)
    assert len(thresholds) < 60
    assert thresholds_for(np.empty(0), [np.empty(0)], 0.5) == [0.0, 0.5]


def test_rates_that_the_hours_can_tell() -> None:
    assert countable_rates(2.4, (1.0, 3.0, 10.0, 30.0)) == [10.0, 30.0]
    assert countable_rates(0.0, (1.0,)) == []


def test_runs_are_spread_over_rates(curve: Froc) -> None:
    other = sweep([recording("quiet", [600], [(610, 0.9), (1500, 0.95)])], [0.93, 0.5])
    # 0 a day: 2 of 3 and nothing; 24 and up: 2 of 3 and the only one; 72: 3 of 3 and the only one
    spread = spread_over([curve.points("quiet"), other.points("quiet")], [0.0, 24.5, 72.0])
    assert [(at.lowest, at.highest) for at in spread] == [
        (0.0, pytest.approx(2 / 3)),
        (pytest.approx(2 / 3), 1.0),
        (1.0, 1.0),
    ]
    assert spread[1].mean == pytest.approx(5 / 6)


def test_the_area_is_the_mean_over_numbers_of_false_alarms(curve: Froc) -> None:
    # clips: 1 of 3 with none, 3 of 3 with one
    assert mean_sensitivity(curve.points("clips"), 0) == pytest.approx(1 / 3)
    assert mean_sensitivity(curve.points("clips"), 1) == pytest.approx((1 / 3 + 1) / 2)
    assert mean_sensitivity(curve.points("clips"), 3) == pytest.approx((1 / 3 + 3) / 4)
    assert mean_sensitivity([], 2) == 0.0
