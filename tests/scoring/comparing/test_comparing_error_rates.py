"""How often each statement errs, on the simulated studies of benchmarks/quality/error_rates.py."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from benchmarks.quality import error_rates
from benchmarks.quality.error_rates import RATIO, STUDIES, SUBJECTS, TEST
from secateur.scoring.comparing import Outcome, compare
from secateur.scoring.comparing.overlap import corrected_errors


def chance(level: float, studies: int) -> float:
    """What a rate of `level` may come out as: three standard errors up."""
    return level + 3 * math.sqrt(level * (1 - level) / studies)


def test_equal_learners_are_told_apart_in_one_study_of_twenty_and_by_the_plain_test_in_many() -> (
    None
):
    corrected, plain = error_rates.told_apart(4)
    assert corrected <= chance(0.05, STUDIES), (corrected, plain)
    assert plain > 0.25


def test_what_was_simulated_is_what_compare_does() -> None:
    values, tested = error_rates.equal_learners(4)
    for study in values[:20]:
        ours = [
            Outcome(str(n), 1, float(v), {}, TEST, SUBJECTS - TEST) for n, v in enumerate(study)
        ]
        theirs = [Outcome(str(n), 1, 0.0, {}, TEST, SUBJECTS - TEST) for n in range(len(tested))]
        found = compare(ours, theirs)
        t = study.mean() / corrected_errors(study, RATIO)
        assert found.p == pytest.approx(2 * stats.t.sf(abs(t), len(study) - 1), abs=1e-8)


def test_a_learner_worse_by_the_margin_is_called_non_inferior_in_one_study_of_twenty() -> None:
    assert error_rates.called_not_worse(4) <= chance(0.05, STUDIES)


@pytest.mark.parametrize("loss", [0.0, 1.5, 2.9])
def test_a_true_hypothesis_of_not_worse_is_seldom_refuted(loss: float) -> None:
    """It was in 43 of 100 studies, where a loss within the margin was shown to be a loss."""
    told = error_rates.verdict_errors(loss, margin=3.0)
    assert told["refuted"] <= chance(0.05, error_rates.VERDICTS), told


def test_a_false_hypothesis_of_not_worse_is_seldom_shown_and_often_refuted() -> None:
    assert error_rates.verdict_errors(3.0, 3.0)["shown"] <= chance(0.05, error_rates.VERDICTS)
    assert error_rates.verdict_errors(9.0, 3.0)["refuted"] > 0.5


def test_the_smallest_detectable_difference_is_found_four_times_in_five() -> None:
    assert error_rates.power() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("shape", "least"), [("normal", 0.93), ("skewed", 0.90), ("heavy", 0.93)])
@pytest.mark.parametrize("subjects", [8, 16])
def test_bootstrap_intervals_over_subjects_hold_the_truth(
    shape: str, least: float, subjects: int
) -> None:
    assert error_rates.bootstrap_coverage(shape, subjects) >= least


def test_effect_intervals_hold_the_truth() -> None:
    assert error_rates.effect_coverage() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_a_family_without_a_difference_errs_in_one_study_of_twenty(shared: float) -> None:
    corrected, plain = error_rates.family_errors(shared)
    assert corrected <= chance(0.05, 2000)
    assert plain > 0.15


def test_mixed_models_hold_the_truth_where_subjects_and_folds_have_luck() -> None:
    pytest.importorskip("statsmodels", reason="no statsmodels here")
    mixed, plain = error_rates.mixed_coverage()
    assert mixed >= 0.9
    assert plain < 0.85


def test_equal_conditions_are_seldom_further_apart_than_the_critical_difference() -> None:
    assert error_rates.rank_errors() <= chance(0.05, 400)
