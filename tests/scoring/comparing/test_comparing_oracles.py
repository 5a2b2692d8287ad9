"""Each statistic against scipy, statsmodels, a brute-force oracle or a published example."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from secateur.errors import ScoringError
from secateur.scoring.comparing import TOO_NARROW, delong, holm, rank
from secateur.scoring.comparing.by_subject import bootstrap_interval, effect_of, signed_ranks
from secateur.scoring.comparing.mixed import mixed_model
from secateur.scoring.comparing.overlap import Estimate, over_folds

DEMSAR = """
4 3 2 1|1 2 3 4|4 1 2 3|4 1 3 2|4 2 3 1|1 2.5 4 2.5|3 2 4 1|2.5 2.5 4 1|4 3 2 1|2.5 2.5 2.5 2.5|4 2.5 1 2.5
|3 2 4 1|4 1 2 3|3 1 4 2"""
"""Ranks of four variants of C4.5 on 14 data sets: Demšar 2006, table 6."""


def test_without_overlap_the_test_over_folds_is_students() -> None:
    values = [0.01, 0.03, -0.02, 0.05, 0.02, 0.0]
    found = over_folds(values, 0.0)
    assert found is not None
    told = stats.ttest_1samp(values, 0.0)
    assert found.p() == pytest.approx(told.pvalue)
    assert found.interval() == pytest.approx(tuple(told.confidence_interval(0.95)))
    one_sided = stats.ttest_1samp(values, -0.01, alternative="greater")
    assert found.p_above(-0.01) == pytest.approx(one_sided.pvalue)
    assert found.lower() == pytest.approx(
        stats.ttest_1samp(values, 0.0, alternative="greater").confidence_interval(0.95).low
    )


@pytest.mark.parametrize("folds", [2, 3, 5, 15, 100])
def test_the_smallest_difference_that_could_have_been_seen_is_that_of_statsmodels(
    folds: int,
) -> None:
    power = pytest.importorskip("statsmodels.stats.power", reason="no statsmodels here")
    wanted = power.TTestPower().power(1.0, nobs=folds, alpha=0.05, alternative="larger")
    assert 0 < wanted <= 1
    edge = Estimate(0.3, 1 / math.sqrt(folds), folds - 1).detectable()
    # of a two-sided test the far tail adds next to nothing: half the level on the near side
    reached = power.TTestPower().power(edge, nobs=folds, alpha=0.025, alternative="larger")
    assert reached == pytest.approx(0.8, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1) | st.none(), max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float | None]) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="no statsmodels here")
    found = holm(p)
    assert [one is None for one in found] == [one is None for one in p]
    known = [one for one in p if one is not None]
    if known:
        told = multitest.multipletests(known, method="holm")[1]
        assert [one for one in found if one is not None] == pytest.approx(list(told))


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, and never below the one before
    assert holm([0.01, 0.04, 0.03, 0.005, None]) == pytest.approx([0.03, 0.06, 0.06, 0.02, None])


def test_wilcoxon_of_five_gains_by_counting() -> None:
    # One of 2⁵ signings is as extreme on either side
    assert signed_ranks(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)
    assert signed_ranks(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.0])) == pytest.approx(2 / 32)
    assert signed_ranks(np.zeros(4)) is None


@settings(max_examples=20)  # scipy goes through all signings where there are ties
@given(arrays(np.float64, st.integers(1, 10), elements=st.integers(-9, 9).map(lambda n: n / 9)))
def test_wilcoxon_is_that_of_scipy_whatever_ties_there_are(values: np.ndarray) -> None:
    found = signed_ranks(values)
    if not values.any():
        assert found is None
        return
    assert found == pytest.approx(stats.wilcoxon(values[values != 0]).pvalue)
    assert found is not None
    assert 0 < found <= 1


def test_the_effect_and_its_interval_by_the_noncentral_t_of_scipy() -> None:
    values = np.array([0.02, 0.05, -0.01, 0.03, 0.04, 0.01, 0.0, 0.06])
    found = effect_of(values)
    assert found is not None
    assert found.size == pytest.approx(values.mean() / values.std(ddof=1))
    assert found.interval is not None
    t = found.size * math.sqrt(8)
    low, high = (edge * math.sqrt(8) for edge in found.interval)
    assert stats.nct.sf(t, 7, low) == pytest.approx(0.025, abs=1e-5)
    assert stats.nct.cdf(t, 7, high) == pytest.approx(0.025, abs=1e-5)
    assert effect_of(np.array([0.1])) is effect_of(np.array([0.1, 0.1])) is None


def test_the_bootstrap_lies_near_the_students_interval_of_many_subjects() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.05, 400)
    told = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert bootstrap_interval(values) == pytest.approx(tuple(told), abs=5e-4)
    assert bootstrap_interval(values[:4]) is None
    assert bootstrap_interval(np.full(9, 0.3)) is None


def cells(subjects: int, folds: int, seed: int = 1) -> dict[str, dict[str, float]]:
    """Every subject in every fold; both have luck of their own."""
    generator = np.random.default_rng(seed)
    whole = (
        0.02
        + generator.normal(0, 0.03, (subjects, 1))
        + generator.normal(0, 0.02, (1, folds))
        + generator.normal(0, 0.02, (subjects, folds))
    )
    return {f"s{s}": {f"f{f}": float(whole[s, f]) for f in range(folds)} for s in range(subjects)}


def test_the_mixed_model_of_a_full_table_is_that_of_the_analysis_of_variance() -> None:
    # Balanced, all variances above zero: REML equals the mean squares' own estimates
    table = cells(8, 6)
    found, reason = mixed_model(table)
    assert found is not None, reason
    values = np.array([[table[s][f] for f in sorted(table[s])] for s in sorted(table)])
    by_subject = 6 * values.mean(axis=1).var(ddof=1)
    by_fold = 8 * values.mean(axis=0).var(ddof=1)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    left = (rest**2).sum() / (7 * 5)
    assert found.estimate == pytest.approx(values.mean())
    assert found.subject_deviation == pytest.approx(math.sqrt((by_subject - left) / 6), rel=1e-2)
    assert found.fold_deviation == pytest.approx(math.sqrt((by_fold - left) / 8), rel=1e-2)
    error = math.sqrt((by_subject + by_fold - left) / 48)
    reach = stats.t.ppf(0.975, 5) * error
    assert found.interval == pytest.approx(
        (values.mean() - reach, values.mean() + reach), abs=0.01 * reach
    )


@pytest.mark.filterwarnings("ignore:The MLE may be on the boundary")
def test_the_mixed_model_of_a_ragged_table_is_that_of_statsmodels_formula() -> None:
    models = pytest.importorskip("statsmodels.formula.api", reason="no statsmodels here")
    table = cells(9, 7)
    table = {
        s: {f: d for n, (f, d) in enumerate(told.items()) if (n + place) % 3}
        for place, (s, told) in enumerate(table.items())
    }
    found, reason = mixed_model(table)
    assert found is not None, reason
    rows = [(d, s, f) for s, told in table.items() for f, d in told.items()]
    data = {
        name: [row[place] for row in rows] for place, name in enumerate(("d", "subject", "fold"))
    }
    frame = pytest.importorskip("pandas").DataFrame(data | {"one": 1})
    oracle = models.mixedlm(
        "d ~ 1",
        frame,
        groups="one",
        vc_formula={"fold": "0 + C(fold)", "subject": "0 + C(subject)"},
    ).fit()
    assert found.estimate == pytest.approx(oracle.fe_params.iloc[0], rel=1e-3)
    half = (found.interval[1] - found.interval[0]) / 2 / stats.t.ppf(0.975, 6)
    assert half == pytest.approx(oracle.bse_fe.iloc[0], rel=1e-2)


@pytest.mark.parametrize("seed", range(5))
def test_a_part_without_variance_is_none_and_no_failure(seed: int) -> None:
    # Subjects are alike by construction: their mean square lies below the rest's, so REML gives them nothing
    generator = np.random.default_rng(seed)
    rest = generator.normal(0, 0.02, (9, 6))
    values = 0.01 + rest - rest.mean(axis=1, keepdims=True) + generator.normal(0, 0.03, 6)
    table = {f"s{s}": {f"f{f}": float(values[s, f]) for f in range(6)} for s in range(9)}
    model, reason = mixed_model(table)
    assert model is not None, reason
    assert model.estimate == pytest.approx(values.mean(), abs=1e-6)
    assert model.subject_deviation == pytest.approx(0, abs=1e-5)
    by_fold = values.mean(axis=0)
    error = by_fold.std(ddof=1) / math.sqrt(6)  # one way: folds alone, balanced
    half = (model.interval[1] - model.interval[0]) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 5) * error, rel=1e-3)


def test_where_no_mixed_model_is_it_says_why() -> None:
    assert "fewer than 3 subjects" in mixed_model({})[1]
    assert "fewer than 3 folds" in mixed_model(cells(5, 2))[1]
    alone = {f"s{n}": {f"f{n}": 0.1 * n} for n in range(5)}
    assert "can't be told apart" in mixed_model(alone)[1]
    level = {s: dict.fromkeys(told, 0.5) for s, told in cells(4, 4).items()}
    assert "all differences are equal" in mixed_model(level)[1]


def test_folds_tested_once_leave_the_model_with_a_random_fold_alone() -> None:
    generator = np.random.default_rng(4)
    luck = generator.normal(0, 0.05, 5)
    table = {
        f"s{n}": {f"f{n % 5}": float(luck[n % 5] + generator.normal(0, 0.02))} for n in range(20)
    }
    found, reason = mixed_model(table)
    assert found is not None, reason
    assert found.subject_deviation is None
    assert found.fold_deviation is not None


def demsar() -> dict[str, dict[str, float]]:
    """Minus the published ranks as scores."""
    rows = [[float(one) for one in row.split()] for row in DEMSAR.split("|")]
    names = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
    return {
        name: {str(block): -row[place] for block, row in enumerate(rows)}
        for place, name in enumerate(names)
    }


def test_demsars_worked_example() -> None:
    found = rank(demsar())
    assert found.blocks == 14
    assert list(found.average.values()) == pytest.approx([3.143, 2.0, 2.893, 1.964], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)  # 2.569 √(4·5 / (6·14))


def test_friedman_is_that_of_scipy() -> None:
    table = demsar()
    told = stats.friedmanchisquare(*(list(one.values()) for one in table.values()))
    assert rank(table).p == pytest.approx(told.pvalue)


@pytest.mark.parametrize(
    ("conditions", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)]
)
def test_critical_differences_are_those_of_demsars_table(conditions: int, q: float) -> None:
    table = {f"c{n}": {str(block): float(n) for block in range(6)} for n in range(conditions)}
    wanted = q * math.sqrt(conditions * (conditions + 1) / 36)
    assert rank(table).critical_difference == pytest.approx(wanted, abs=1e-3)


def test_ranks_leave_out_what_not_all_have_and_share_ties() -> None:
    found = rank({"a": {"1": 0.9, "2": 0.3}, "b": {"1": 0.9, "3": 0.2}, "c": {"1": 0.1}})
    assert found.average == {"a": 1.5, "b": 1.5, "c": 3.0}
    assert (found.blocks, found.left_out, found.p) == (1, 2, None)
    tied = rank({name: {"1": 0.5, "2": 0.5} for name in "abc"})
    assert tied.p is None
    assert rank({"a": {"1": 0.5}, "b": {"2": 0.5}}).critical_difference is None
    with pytest.raises(ScoringError, match="two conditions or more, got 1"):
        rank({"a": {"1": 0.5}})


marks = arrays(np.float64, 14, elements=st.integers(0, 6).map(float))


@given(marks, marks)
def test_delong_by_counting_pairs(ours: np.ndarray, theirs: np.ndarray) -> None:
    truth = np.arange(14) % 3 == 0
    found = delong(truth, ours, theirs, overlap=False)

    def pairs(score: np.ndarray) -> np.ndarray:
        ill, well = score[truth][:, None], score[~truth][None]
        return np.asarray((ill > well) + 0.5 * (ill == well))

    one, other = pairs(ours), pairs(theirs)
    assert (found.ours, found.theirs) == pytest.approx((one.mean(), other.mean()))
    apart = one - other
    variance = apart.mean(axis=1).var(ddof=1) / 5 + apart.mean(axis=0).var(ddof=1) / 9
    if variance < 1e-20:
        assert found.p is None
        assert found.interval is None
        return
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(apart.mean()) / math.sqrt(variance)))
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(apart.mean() - 1.959964 * math.sqrt(variance))
    assert found.label == TOO_NARROW == "too narrow: windows are not independent"


def test_delong_refuses_what_it_cannot_be_asked() -> None:
    truth = np.array([True, True, False, False])
    score = np.array([0.9, 0.4, 0.5, 0.1])
    with pytest.raises(ScoringError, match="windows that overlap"):
        delong(truth, score, score, overlap=True)
    with pytest.raises(ScoringError, match="one truth and two scores"):
        delong(truth, score[:3], score, overlap=False)
    with pytest.raises(ScoringError, match="got 1 ictal"):
        delong(np.array([True, False, False, False]), score, score, overlap=False)
    with pytest.raises(ScoringError, match="no finite number"):
        delong(truth, np.array([0.9, np.nan, 0.1, 0.2]), score, overlap=False)
