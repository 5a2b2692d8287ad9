"""Window scores equal scikit-learn's, weights equal repetition, thresholds are the best there are."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ScoringError
from secateur.scoring import (
    WindowScores,
    best_threshold,
    chosen_threshold,
    moved_threshold,
    threshold_anchor,
    window_metrics,
)
from secateur.scoring.intervals import (
    interval,
    intervals,
    mean_interval,
    mean_over,
    paired_intervals,
    pooled_replicates,
    resampling,
)
from secateur.scoring.reweighting import replicated


@st.composite
def verdicts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    size = draw(st.integers(2, 60))
    truth = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    truth[:2] = [True, False]
    # few distinct values, so that ties are common
    levels = draw(st.lists(st.integers(0, 10), min_size=size, max_size=size))
    return truth, np.array(levels) / 10, draw(st.integers(0, 11)) / 10


@given(verdicts())
def test_every_score_is_scikit_learns(case: tuple[np.ndarray, np.ndarray, float]) -> None:
    truth, probability, threshold = case
    ours = WindowScores(truth, probability, threshold).all()
    called = probability >= threshold
    labels = [False, True]
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(truth, called),
        "macro_f1": sklearn.metrics.f1_score(
            truth, called, average="macro", labels=labels, zero_division=0.0
        ),
        "auroc": sklearn.metrics.roc_auc_score(truth, probability),
        "auprc": sklearn.metrics.average_precision_score(truth, probability),
        "brier": np.mean((probability - truth) ** 2),
        "sensitivity": sklearn.metrics.recall_score(truth, called),
        "specificity": sklearn.metrics.recall_score(~truth, ~called),
    }
    assert ours == pytest.approx(expected)
    table = WindowScores(truth, probability, threshold).confusion().table()
    assert table == sklearn.metrics.confusion_matrix(truth, called, labels=labels).tolist()


@given(verdicts(), st.data())
def test_a_weight_of_n_is_n_copies(
    case: tuple[np.ndarray, np.ndarray, float], data: st.DataObject
) -> None:
    truth, probability, threshold = case
    counts = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(truth), max_size=len(truth)))
    )
    weighted = WindowScores(truth, probability, threshold).all(counts.astype(float))
    repeated = WindowScores(
        np.repeat(truth, counts), np.repeat(probability, counts), threshold
    ).all()
    for name in window_metrics():
        if repeated[name] is None:
            assert weighted[name] is None
        else:
            assert weighted[name] == pytest.approx(repeated[name])


@given(verdicts())
def test_the_threshold_is_as_good_as_any(case: tuple[np.ndarray, np.ndarray, float]) -> None:
    truth, probability, _ = case
    chosen = best_threshold(truth, probability)
    scores = WindowScores(truth, probability, chosen)
    # a threshold above every probability, which calls nothing ictal, is never chosen
    candidates = [t - gap for t in np.unique(probability) for gap in (0.0, 0.05)]
    best = max(scores.confusion(threshold=t).macro_f1 or 0 for t in candidates)
    got = scores.confusion().macro_f1
    assert got is not None
    assert got >= best - 1e-12
    assert 0 <= chosen <= 1


def calibrated(prevalence: float, count: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities of a network that learned classes alike: log odds N(±2, 4)."""
    generator = np.random.default_rng(5)
    truth = generator.random(count) < prevalence
    return truth, 1 / (1 + np.exp(-generator.normal(np.where(truth, 2.0, -2.0), 2.0)))


@pytest.mark.parametrize("prevalence", [0.45, 0.17, 0.02])
def test_where_a_network_is_calibrated_the_anchor_is_the_best_threshold(prevalence: float) -> None:
    truth, probability = calibrated(prevalence)
    best = best_threshold(truth, probability)
    scores = WindowScores(truth, probability, best)
    anchor = threshold_anchor(scores.confusion())
    at_best, at_anchor, at_half = (
        scores.confusion(threshold=t).macro_f1 or 0.0 for t in (best, anchor, 0.5)
    )
    assert at_anchor == pytest.approx(at_best, abs=0.003)
    assert at_half < at_anchor + 1e-3
    if prevalence == 0.45:
        assert anchor == pytest.approx(0.55, abs=0.02)
    # the more is shrunk, the nearer to the anchor, in equal steps of log odds
    thresholds = [chosen_threshold(truth, probability, shrinkage=s) for s in (0, 0.5, 1)]
    assert thresholds[0] == best
    assert thresholds[2] == pytest.approx(anchor)
    odds = np.log(np.array(thresholds) / (1 - np.array(thresholds)))
    assert odds[1] == pytest.approx((odds[0] + odds[2]) / 2)


def test_a_threshold_is_chosen_for_the_share_of_seizures_that_is_expected() -> None:
    """Windows that are 45 % ictal, weighed to 2 %, give what windows give that are 2 % ictal."""
    many, few = calibrated(0.45), calibrated(0.02)
    expected = chosen_threshold(*few)
    assert chosen_threshold(*many, prevalence=0.02) == pytest.approx(expected, abs=0.02)
    assert expected > 0.9
    assert chosen_threshold(*many) < 0.6


def test_the_anchor_is_said_in_the_terms_of_what_the_network_learned_from() -> None:
    """A network that saw a share of 10 % says lower probabilities of the same windows."""
    truth, probability = calibrated(0.02)
    odds = probability / (1 - probability) * (0.1 / 0.9)
    half, tenth = (
        chosen_threshold(truth, chance, prior=prior)
        for chance, prior in ((probability, 0.5), (odds / (1 + odds), 0.1))
    )
    assert tenth / (1 - tenth) == pytest.approx(half / (1 - half) * (0.1 / 0.9), rel=1e-3)


def test_a_threshold_moves_by_half_of_what_the_best_one_moved() -> None:
    assert moved_threshold(0.7, 0.6, 0.6) == pytest.approx(0.7)
    assert moved_threshold(0.5, 0.5, 0.8) == pytest.approx(2 / 3)
    assert moved_threshold(0.7, 0.0, 0.6) == 0.7


def test_what_is_not_defined_is_none() -> None:
    only = WindowScores(np.array([False, False]), np.array([0.1, 0.2]), 0.5).all()
    assert only["auroc"] is None
    assert only["auprc"] is None
    assert only["macro_f1"] is None
    assert only["sensitivity"] is None
    assert only["specificity"] == 1
    nothing = WindowScores(np.empty(0, bool), np.empty(0), 0.5).all()
    assert set(nothing.values()) == {None}
    with pytest.raises(ScoringError, match="only one class"):
        best_threshold(np.array([True, True]), np.array([0.1, 0.2]))
    with pytest.raises(ScoringError, match="not a number"):
        WindowScores(np.array([True]), np.array([np.nan]), 0.5)
    with pytest.raises(ScoringError, match="one shape"):
        WindowScores(np.array([True]), np.array([0.1, 0.2]), 0.5)


def test_a_subject_who_lacks_a_class_counts_for_neither_macro_f1_nor_auprc() -> None:
    """One false window would make 0.5 of 1.0, and average precision is 1 without background."""
    who = np.repeat(["a", "b", "c"], 10)
    truth = np.array([True, False] * 5 + [False] * 10 + [True] * 10)
    probability = np.where(truth, 0.9, 0.1)

    def means_of(probability: np.ndarray) -> dict[str, float | None]:
        def score(chosen: np.ndarray) -> dict[str, float | None]:
            return WindowScores(truth[chosen], probability[chosen], 0.5).all()

        return mean_over(who, score)[0]

    one_false = probability.copy()
    one_false[15] = 0.9
    before, after = means_of(probability), means_of(one_false)
    assert before["macro_f1"] == after["macro_f1"] == 1.0
    assert before["auprc"] == after["auprc"] == 1.0
    assert before["specificity"] == 1.0
    assert after["specificity"] == 0.95
    # where the class is there, what is called decides
    never = WindowScores(truth[:10], np.zeros(10), 0.5).all()
    assert never["macro_f1"] == pytest.approx(1 / 3)


def scene(subjects: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    who = np.repeat([f"s{k}" for k in range(subjects)], 80)
    where = np.array([f"{s}r{k % 4}" for k, s in enumerate(who)])
    truth = generator.random(len(who)) < 0.4
    probability = np.clip(0.3 * truth + generator.random(len(who)) * 0.7, 0, 1)
    return who, where, truth, probability


def test_intervals_are_over_subjects_from_five_up_and_say_so() -> None:
    who, where, truth, probability = scene(5)
    plan = resampling(who, where)
    assert plan.over == "subjects"
    assert plan.counts.shape[1] == 5
    few = resampling(*scene(4)[:2])
    assert few.over == "recordings"
    assert few.counts.shape[1] == 16
    assert "these subjects only" in few.label
    found = intervals(pooled_replicates(WindowScores(truth, probability, 0.5), plan))
    point = WindowScores(truth, probability, 0.5).all()
    for name in window_metrics():
        limits, value = found[name], point[name]
        assert limits is not None
        assert value is not None
        assert limits[0] <= value <= limits[1]


@pytest.mark.parametrize(
    ("prevalence", "digits"), [(0.4, 17), (0.4, 1), (0.02, 17), (0.02, 1), (0.0, 17), (1.0, 17)]
)
def test_replicates_are_the_scores_under_weights(prevalence: float, digits: int) -> None:
    """Few seizures and many, ties of many windows, replicates that lack a class, more levels than a block."""
    generator = np.random.default_rng(3)
    who, where, _, probability = scene(9)
    truth = (generator.random(len(who)) < prevalence) & (who != "s0")
    probability = np.round(probability, digits)
    if prevalence == 1:
        truth[:] = True
    scores, plan = WindowScores(truth, probability, 0.35), resampling(who, where)
    with patch("secateur.scoring.reweighting._LEVELS", 7):
        replicates = pooled_replicates(scores, plan)
    assert len(replicates) == len(plan.counts)
    for replicate, count in zip(replicates[:200], plan.counts, strict=False):
        for name, value in scores.all(count[plan.unit].astype(np.float64)).items():
            assert replicate[name] == (None if value is None else pytest.approx(value, abs=1e-12))
    alone = replicated(scores, plan.unit, np.eye(9, dtype=np.int64)[:1])[0]
    assert alone["auroc"] is None  # s0 has one class alone
    assert alone["accuracy"] is not None


def test_an_interval_of_a_difference_of_equals_is_zero() -> None:
    who, where, truth, probability = scene(6)
    plan = resampling(who, where)
    replicates = pooled_replicates(WindowScores(truth, probability, 0.5), plan)
    assert all(limits == (0.0, 0.0) for limits in paired_intervals(replicates, replicates).values())


def test_intervals_cover_as_often_as_they_say() -> None:
    """A mean over 12 subjects: the bootstrap is known to be a little narrow, and not more."""
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        limits = mean_interval(list(generator.normal(0.8, 0.1, 12)), seed=trial)
        assert limits is not None
        covered += limits[0] <= 0.8 <= limits[1]
    assert 0.86 <= covered / 300 <= 0.97


def test_a_mean_over_subjects_is_unweighted_and_skips_the_undefined() -> None:
    who = np.array(["a"] * 4 + ["b"] * 2 + ["c"] * 2)
    truth = np.array([1, 1, 0, 0, 1, 0, 0, 0], bool)
    probability = np.array([0.9, 0.8, 0.1, 0.2, 0.2, 0.9, 0.3, 0.1])
    means, each = mean_over(
        who, lambda chosen: WindowScores(truth[chosen], probability[chosen], 0.5).all()
    )
    assert each["a"]["auroc"] == 1
    assert each["b"]["auroc"] == 0
    assert each["c"]["auroc"] is None
    assert means["auroc"] == 0.5
    assert mean_interval([1.0, 0.0, None]) is None
    assert interval([]) is None
    assert interval([None] * 5 + [1.0] * 5) is None
