"""Agreement of choices, beside what chance would give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ScoringError
from secateur.pruning.stability import (
    OVER_ALL,
    jaccard,
    jaccard_by_chance,
    overlaps,
    rank_correlations,
)


def test_jaccard_by_hand() -> None:
    assert jaccard({"a": (0, 1, 2)}, {"a": (1, 2, 3)}) == 2 / 4
    # the same number in another layer is another unit
    assert jaccard({"a": (0, 1), "b": (0,)}, {"a": (0,), "b": (1,)}) == 1 / 4
    assert jaccard({"a": ()}, {"a": ()}) == 1


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 4)).filter(
            lambda one: max(one[1:]) <= one[0]
        ),
        min_size=1,
        max_size=2,
    )
)
def test_chance_is_the_mean_over_all_choices(choices: list[tuple[int, int, int]]) -> None:
    def every(place: int) -> list[dict[str, tuple[int, ...]]]:
        each = [itertools.combinations(range(one[0]), one[place]) for one in choices]
        return [
            {str(k): chosen for k, chosen in enumerate(way)} for way in itertools.product(*each)
        ]

    mean = np.mean([jaccard(one, other) for one in every(1) for other in every(2)])
    assert jaccard_by_chance(choices) == pytest.approx(mean)


def test_half_of_many_kept_overlaps_by_a_third_by_chance() -> None:
    assert jaccard_by_chance([(1000, 500, 500)]) == pytest.approx(1 / 3, abs=1e-3)


def test_overlaps_by_hand() -> None:
    runs = [
        {"a": (0, 1), "b": (0,)},
        {"a": (0, 1), "b": (1,)},
        {"a": (0, 2), "b": (0,)},
    ]
    result = overlaps(runs, {"a": 4, "b": 2})
    # pairs in turn: a 1, 1/3, 1/3; b 0, 1, 0; together 2/4, 2/4, 1/5
    assert result["a"].jaccard == pytest.approx((1 + 2 / 3) / 3)
    assert result["b"].jaccard == pytest.approx(1 / 3)
    assert result[OVER_ALL].jaccard == pytest.approx(1.2 / 3)
    # two of four: 0, 1, 2 shared in 1, 4, 1 of 6 ways
    assert result["a"].by_chance == pytest.approx((4 / 3 + 1) / 6)
    assert result["b"].by_chance == pytest.approx(1 / 2)


@given(st.integers(2, 30), st.integers(0, 99), st.data())
def test_choices_that_agree_have_one_and_random_ones_what_chance_gives(
    units: int, seed: int, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, units))
    generator = np.random.default_rng(seed)
    one = tuple(int(k) for k in generator.permutation(units)[:kept])
    same = overlaps([{"a": one}, {"a": one}], {"a": units})
    assert same["a"].jaccard == same[OVER_ALL].jaccard == 1
    assert 0 <= same["a"].by_chance <= 1
    assert (same["a"].by_chance == pytest.approx(1)) == (kept == units)


def test_rank_correlation_by_hand() -> None:
    runs = [
        {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([1.0, 2.0])},
        {"a": np.array([10.0, 30.0, 20.0]), "b": np.array([2.0, 1.0])},
    ]
    result = rank_correlations(runs)
    # a: two of three pairs in the same order; b: its only pair turned round; weights 3 and 1
    assert result["a"] == pytest.approx(1 / 3)
    assert result["b"] == pytest.approx(-1)
    assert result[OVER_ALL] == pytest.approx((3 * 1 / 3 - 1) / 4)


def test_what_has_no_order_has_no_correlation() -> None:
    runs = [
        {"a": np.array([1.0, 2.0]), "alike": np.ones(3), "single": np.ones(1)},
        {"a": np.array([3.0, 4.0]), "alike": np.arange(3.0), "single": np.ones(1)},
    ]
    result = rank_correlations(runs)
    assert result["alike"] is None
    assert result["single"] is None
    assert result[OVER_ALL] == pytest.approx(1)
    assert rank_correlations([{"a": np.ones(2)}] * 2)[OVER_ALL] is None


def test_one_run_or_another_network_is_refused() -> None:
    for runs in ([], [{"a": (0,)}], [{"a": (0,)}, {"b": (0,)}]):
        with pytest.raises(ScoringError, match="two runs or more of one network"):
            overlaps(runs, {"a": 2})
    with pytest.raises(ScoringError, match="got 0"):
        rank_correlations([])
    with pytest.raises(ScoringError, match="got 2 of 2 shape"):
        rank_correlations([{"a": np.ones(2)}, {"a": np.ones(3)}])
