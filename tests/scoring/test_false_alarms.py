"""False alarms a day, held against the Poisson distribution itself."""

from __future__ import annotations

import pytest
from scipy.stats import poisson

from secateur.scoring.false_alarms import FalseAlarms, worst_subjects


@pytest.mark.parametrize(("alarms", "hours"), [(0, 0.8), (1, 2.4), (39, 2.4), (7, 168.0)])
def test_the_limits_are_those_of_the_poisson_distribution(alarms: int, hours: float) -> None:
    counted = FalseAlarms(alarms, hours)
    days = hours / 24
    assert counted.per_day == pytest.approx(alarms / days)
    assert counted.limit is not None
    assert counted.interval is not None
    lower, upper = counted.interval
    # at the limit so few alarms come by chance just that rarely
    assert poisson.cdf(alarms, counted.limit * days) == pytest.approx(0.05)
    assert poisson.cdf(alarms, upper * days) == pytest.approx(0.025)
    if alarms:
        assert poisson.sf(alarms - 1, lower * days) == pytest.approx(0.025)
    else:
        assert lower == 0


def test_it_is_told_in_words() -> None:
    assert FalseAlarms(0, 0.8).words == "none in 0.8 h: at most 89.9 a day"
    assert FalseAlarms(39, 2.4).words == "39 in 2.4 h: 390 a day, at most 509 a day"
    assert FalseAlarms(0, 0.0).words == "no EEG without seizures"
    assert FalseAlarms(0, 0.0).as_dict()["limit"] is None


def test_hours_and_alarms_add_up_and_the_worst_are_named() -> None:
    people = {f"p{k}": FalseAlarms(k, 0.5) for k in range(8)}
    assert sum(people.values(), FalseAlarms(0, 0.0)) == FalseAlarms(28, 4.0)
    assert list(worst_subjects(people)) == ["p7", "p6", "p5", "p4", "p3"]
    assert list(worst_subjects({"a": FalseAlarms(0, 1.0), "b": FalseAlarms(1, 9.0)})) == ["b"]
