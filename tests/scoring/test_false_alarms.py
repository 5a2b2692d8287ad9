"""False alarms a day, held against the Poisson distribution itself."""

from __future__ import annotations

import pytest
from scipy.stats import poisson

from secateur.scoring.false_alarms import FalseAlarms, alarm_cost, worst_subjects


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


def test_what_one_model_costs_more_than_another_is_paired_by_person() -> None:
    theirs = {"a": FalseAlarms(1, 0.5), "b": FalseAlarms(0, 2.0), "c": FalseAlarms(0, 0.0)}
    ours = {"a": FalseAlarms(2, 0.5), "b": FalseAlarms(3, 2.0), "c": FalseAlarms(0, 0.0)}
    cost = alarm_cost(ours, theirs)
    assert cost is not None
    assert cost.people == 2
    assert cost.per_day == pytest.approx((48 + 36) / 2)  # one more in half an hour, three in two
    # five of six alarms fall to one side: 7 of 64 ways
    assert cost.p == pytest.approx(7 / 64)
    assert cost.interval is None
    assert not cost.is_shown
    assert (
        cost.words
        == "+42 a day by person (2 people, too few for an interval; p 0.11 by the totals)"
    )
    assert alarm_cost({}, {}) is None


def test_a_cost_is_shown_by_the_interval_or_else_by_the_totals() -> None:
    def side(alarms: int, people: int) -> dict[str, FalseAlarms]:
        return {f"p{k}": FalseAlarms(alarms, 1.0) for k in range(people)}

    for people in (1, 6):
        cost = alarm_cost(side(6, people), side(0, people))
        assert cost is not None
        assert cost.is_shown
        assert cost.per_day == 144.0
        same = alarm_cost(side(3, people), side(3, people))
        assert same is not None
        assert not same.is_shown
    cost = alarm_cost(side(6, 6), side(0, 6))
    assert cost is not None
    assert cost.words == "+144 a day by person (144 to 144, 6 people)"
