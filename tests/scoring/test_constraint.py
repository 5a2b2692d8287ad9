"""What may be lost, what was, and what follows about patients to come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ScoringError, SettingsError
from secateur.scoring import (
    Constraint,
    Judgement,
    check_background,
    climb,
    judge,
    losses_of,
    margin_metrics,
    needed,
    parse_margins,
)
from secateur.scoring.calibration import Design, critical_value, level_of, spent
from secateur.scoring.earlier_rules import mean_bounds
from secateur.scoring.ladder import RETRAINED, Reference
from secateur.scoring.margins import ScoreTable
from secateur.scoring.statements import (
    RESAMPLES,
    bootstrap_t_bounds,
    estimate_mean,
    harmed_bound,
    skewness,
    subjects_for_share,
    t_bounds,
)

NUMBERS = st.floats(-1, 1).map(lambda x: round(x, 4))


def table(values: list[float | None], metric: str = "auroc") -> ScoreTable:
    return {f"s{k:02d}": {metric: value} for k, value in enumerate(values)}


def after(losses: list[float], metric: str = "auroc") -> ScoreTable:
    """Scores of a network that loses so much against a baseline of 0.9 everywhere."""
    return table([0.9 - loss for loss in losses], metric)


def judged(
    baseline: ScoreTable, pruned: ScoreTable, constraint: Constraint, **others: ScoreTable
) -> Judgement:
    """One file that judged everybody once, the first certification."""
    retrained = [others["retrained"]] if others else None
    return judge([pruned], Reference([baseline], retrained), constraint)


def whole(n: int, metric: str = "auroc") -> ScoreTable:
    return table([0.9] * n, metric)


# Margins


def test_margins_are_read_as_they_are_written() -> None:
    assert parse_margins("auroc=0.01, macro_f1 = .02,fp_per_day=3") == {
        "auroc": 0.01,
        "macro_f1": 0.02,
        "fp_per_day": 3.0,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("auroc=-0.01", "a number from 0 on"),
        ("auroc=nan", "a number from 0 on"),
        ("auroc=1", "for one per cent say 0.01"),
        ("brier=0.1", "no such metric; there are accuracy, macro_f1, auroc"),
        ("auroc=much", "'much' is not a number"),
        ("auroc=0.1,auroc=0.2", "given twice"),
        ("auroc", "wanted metric=number"),
        ("", "wanted metric=number"),
        ("auroc=0.1,", "wanted metric=number"),
    ],
)
def test_a_margin_that_cannot_be_meant_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        parse_margins(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("margins", [{}, {"auroc": -1.0}, {"brier": 0.1}, {"auroc": math.inf}])
def test_a_constraint_checks_its_margins_too(margins: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"margin"):
        Constraint(margins=margins)


def test_who_states_only_a_confidence_gets_the_usual_margin() -> None:
    assert Constraint(confidence=0.9).margins == {"auroc": 0.01}


# Losses


def test_a_loss_is_what_became_worse() -> None:
    assert losses_of(table([0.9, 0.8]), table([0.85, 0.9]), "auroc").values == pytest.approx(
        [0.05, -0.1]
    )
    alarms = losses_of(table([2.0], "fp_per_day"), table([5.0], "fp_per_day"), "fp_per_day")
    assert alarms.values == pytest.approx([3.0])


@pytest.mark.parametrize("metric", margin_metrics())
@given(
    before=st.lists(NUMBERS, min_size=1, max_size=9),
    shift=st.floats(0.01, 1).map(lambda x: round(x, 4)),
)
def test_losing_and_winning_are_opposites(metric: str, before: list[float], shift: float) -> None:
    a, b = table(list(before), metric), table([x + shift for x in before], metric)
    there, back = losses_of(a, b, metric), losses_of(b, a, metric)
    assert np.allclose(there.values, -back.values)
    assert (there.values.sum() > 0) == (metric == "fp_per_day")


def test_who_has_no_score_is_left_out_and_it_is_said() -> None:
    found = losses_of(table([0.9, None, 0.9, None]), table([0.8, 0.8, None, None]), "auroc")
    assert found.subjects == ("s00",)
    assert found.left_out == {
        "s01": "auroc is not defined for the baseline",
        "s02": "auroc is not defined for the pruned network",
        "s03": "auroc is not defined for the baseline and the pruned network",
    }
    assert (
        judged(table([0.9, None]), table([0.9, None]), Constraint(margins={"auroc": 0.1}))
        .statements[0]
        .n
        == 1
    )


def test_tables_that_do_not_match_are_refused() -> None:
    with pytest.raises(ScoringError, match="s01 is in one table alone"):
        losses_of(table([0.9]), table([0.9, 0.8]), "auroc")
    with pytest.raises(ScoringError, match="s00 has no auprc"):
        losses_of(table([0.9]), table([0.9]), "auprc")
    with pytest.raises(ScoringError, match="which is no number"):
        losses_of(table([math.nan]), table([0.9]), "auroc")


def test_events_want_an_hour_of_background() -> None:
    seconds = {"a": 7200.0, "b": 1800.0, "c": 3599.0}
    assert check_background({"auroc": 0.1}, seconds) is None
    assert check_background({"event_f1": 0.1}, {"a": 3600.0}) is None
    with pytest.raises(ScoringError, match=r"2 of 3 subjects have under an hour .* \(b: 0.50 h\)"):
        check_background({"event_f1": 0.1}, seconds)
    assert check_background({"fp_per_day": 1}, seconds, force=True) is not None


# The mean statement


def test_the_t_bound_by_hand() -> None:
    # mean 2, sd 2, n = 4: 2 + 2.3534 · 2/√4
    bound = t_bounds(np.array([[0.0, 2.0, 2.0, 4.0]]), 0.95)[0]
    assert bound == pytest.approx(2 + 2.353363 * math.sqrt(8 / 3) / 2, abs=1e-5)


def test_the_t_bound_is_scipys() -> None:
    values = np.random.default_rng(1).normal(size=(5, 12))
    for row, bound in zip(values, t_bounds(values, 0.9), strict=True):
        told = scipy.stats.ttest_1samp(row, 0.0, alternative="less").confidence_interval(0.9)
        assert bound == pytest.approx(told.high)


def test_the_bootstrap_bound_is_what_resampling_one_by_one_gives() -> None:
    values = np.array([0.02, -0.01, 0.0, 0.05, 0.01, 0.0, -0.02, 0.11])
    generator, ratios = np.random.default_rng(3), []
    for _ in range(20_000):
        drawn = generator.choice(values, len(values))
        error = drawn.std(ddof=1) / math.sqrt(len(values))
        ratios.append((drawn.mean() - values.mean()) / error)
    error = values.std(ddof=1) / math.sqrt(len(values))
    naive = values.mean() - np.quantile(ratios, 0.05) * error
    assert bootstrap_t_bounds(values[None], 0.95)[0] == pytest.approx(naive, rel=0.05)


LOSSES = st.lists(NUMBERS, min_size=8, max_size=14).filter(lambda x: np.ptp(x) > 1e-3)


@given(LOSSES, st.floats(0.5, 20), st.floats(-3, 3))
def test_bounds_follow_the_unit(losses: list[float], factor: float, shift: float) -> None:
    values = np.array([losses])
    assert mean_bounds(values * factor + shift, 0.95)[0] == pytest.approx(
        mean_bounds(values, 0.95)[0] * factor + shift, abs=1e-6
    )


@given(LOSSES)
def test_bounds_do_not_depend_on_the_company(losses: list[float]) -> None:
    values = np.array([losses])
    others = np.vstack([values[:, ::-1] + 1, values, values * 0])
    assert mean_bounds(others, 0.95)[1] == pytest.approx(mean_bounds(values, 0.95)[0], abs=1e-9)
    assert mean_bounds(others, 0.95)[2] == math.inf


@given(LOSSES)
def test_more_confidence_never_lowers_a_bound(losses: list[float]) -> None:
    values = np.array([losses])
    bounds = [float(mean_bounds(values, level)[0]) for level in (0.8, 0.9, 0.95, 0.99)]
    assert bounds == sorted(bounds)
    assert bounds[-1] >= max(t_bounds(values, 0.99)[0], values.mean())


def test_one_who_lost_much_among_many_who_lost_nothing_forbids_a_bound() -> None:
    """Over a third of the resamples hold nobody harmed: their spread says nothing, and that is counted."""
    harmed = np.array([[0.0] * 11 + [0.1]])
    assert t_bounds(harmed, 0.95)[0] < 0.1
    assert mean_bounds(harmed, 0.95)[0] == math.inf
    assert mean_bounds(-harmed, 0.95)[0] < math.inf
    assert skewness(harmed[0]) == pytest.approx(
        10 / math.sqrt(11)
    )  # (1 − 2p) / √(p(1 − p)), p = 1/12
    assert RESAMPLES * 0.05 > 1


def test_equal_losses_say_nothing_about_the_mean() -> None:
    judgement = judged(whole(12), after([0.0] * 12), Constraint(margins={"auroc": 0.01}))
    assert not judgement.passed
    assert judgement.statements[0].bound is None
    assert "no spread" in str(judgement.statements[0].reason)


# The exact statement


@given(st.integers(1, 60), st.data())
def test_the_exact_bound_is_clopper_and_pearsons(n: int, data: st.DataObject) -> None:
    harmed = data.draw(st.integers(0, n))
    bound = harmed_bound(harmed, n, 0.95)
    if harmed == n:
        assert bound == 1
    else:
        assert scipy.stats.binom.cdf(harmed, n, bound) == pytest.approx(0.05)


@given(st.integers(1, 100), st.sampled_from([0.9, 0.95, 0.99]))
def test_with_nobody_harmed_it_can_say_no_better(n: int, confidence: float) -> None:
    assert harmed_bound(0, n, confidence) == pytest.approx(1 - (1 - confidence) ** (1 / n))


def test_the_exact_statement_decides_only_where_asked() -> None:
    losses = [0.001 * k for k in range(12)]
    free = judged(whole(12), after(losses), Constraint(margins={"auroc": 0.02}))
    assert free.passed
    assert free.statements[0].harm.bound == pytest.approx(1 - 0.04 ** (1 / 12))  # a first look: 4 %
    strict = Constraint(margins={"auroc": 0.02}, harmed_share=0.2)
    held = judged(whole(12), after(losses), strict)
    assert not held.passed
    assert "may be as large as 0.235, allowed is 0.2" in str(held.statements[0].reason)


def test_harm_of_mere_retraining_is_counted_beside() -> None:
    constraint = Constraint(margins={"auroc": 0.02})
    retrained = after([0.05] * 3 + [0.0] * 9)
    told = judged(whole(12), after([0.001 * k for k in range(12)]), constraint, retrained=retrained)
    harm = told.statements[0].retrained_harm
    assert harm is not None
    assert (harm.harmed, harm.n) == (3, 12)


# Several margins, few subjects


def test_every_margin_must_hold() -> None:
    losses = [0.001 * k for k in range(12)]
    both = Constraint(margins={"auroc": 0.02, "macro_f1": 0.001})
    before = {name: {"auroc": 0.9, "macro_f1": 0.9} for name in whole(12)}
    then = {
        name: {"auroc": 0.9 - loss, "macro_f1": 0.9 - loss}
        for name, loss in zip(before, losses, strict=True)
    }
    judgement = judged(before, then, both)
    assert [one.passed for one in judgement.statements] == [True, False]
    assert not judgement.passed


def test_below_eight_subjects_nothing_is_said_about_the_mean() -> None:
    constraint = Constraint(margins={"auroc": 0.5})
    losses = [0.001 * k for k in range(8)]
    assert judged(whole(8), after(losses), constraint).passed
    seven = judged(whole(7), after(losses[:7]), constraint)
    assert not seven.passed
    assert "fewer than 8" in str(seven.statements[0].reason)


# The ladder


@given(st.lists(st.sampled_from([True, False, None]), max_size=8))
def test_nothing_below_a_failed_rung_counts(passed: list[bool | None]) -> None:
    found = climb(passed)
    first = next((k for k, one in enumerate(passed) if not one), len(passed))
    assert found.verdicts[:first] == ("passed",) * first
    assert all(one == "not tested" for one in found.verdicts[first + 1 :])
    assert found.answer == (first - 1 if first else None)


# How many would have been needed


def needs(losses: list[float], constraint: Constraint) -> Any:
    """What one file that judged everybody would have needed."""
    reference = Reference([whole(len(losses))])
    (only,) = needed(judge([after(losses)], reference, constraint), reference, constraint)
    return only


@pytest.mark.parametrize("mean", [0.0, 0.004, -0.01])
def test_the_number_needed_gives_the_power_it_promises(mean: float) -> None:
    """About: it takes the standard error for known."""
    losses = np.random.default_rng(5).normal(0, 0.02, 24)
    losses += mean - losses.mean()
    constraint = Constraint(margins={"auroc": 0.01})
    n = needs(losses.tolist(), constraint).for_mean
    generator = np.random.default_rng(6)

    def power(subjects: int) -> float:
        critical = critical_value(Design(subjects), 0.025)
        assert critical is not None
        studies = generator.normal(mean, losses.std(ddof=1), (4000, 1, subjects))
        return float((estimate_mean(studies).bounds(critical) < 0.01).mean())

    assert power(n) > 0.72
    assert n == 8 or power(n - 1) < 0.88


def test_more_repeats_may_do_where_training_s_luck_is_large() -> None:
    generator = np.random.default_rng(8)
    folds = [generator.permutation(np.arange(20) % 5) for _ in range(2)]
    names = sorted(whole(20))
    tables = [
        table([0.9 - 0.004 * (k % 2) - float(luck[fold]) for k, fold in enumerate(row)])
        for row, luck in zip(folds, generator.normal(0, 0.01, (2, 5)), strict=True)
    ]
    dealt = tuple(
        tuple(tuple(names[k] for k in np.flatnonzero(row == fold)) for fold in range(5))
        for row in folds
    )
    constraint = Constraint(margins={"auroc": 0.015})
    reference = Reference([whole(20)] * 2, None, dealt)
    judgement = judge(tables, reference, constraint)
    assert judgement.statements[0].training_share == pytest.approx(0.9, abs=0.1)
    (only,) = needed(judgement, reference, constraint)
    assert not judgement.passed
    assert only.more_repeats is not None
    assert 2 < only.more_repeats < 9
    assert f"or {only.more_repeats} repeats with these 20" in only.words


def test_no_number_helps_a_mean_beyond_the_margin() -> None:
    constraint = Constraint(margins={"auroc": 0.01})
    beyond = needs([0.001 * k + 0.01 for k in range(12)], constraint)
    assert beyond.for_mean is None
    assert "no number of subjects would have done" in beyond.words
    assert "can't be told" in needs([0.0] * 12, constraint).words


def test_subjects_for_the_exact_statement() -> None:
    assert subjects_for_share(0.0, 0.2, 0.95) == 14  # 0.8¹⁴ = 0.044
    assert subjects_for_share(0.0, 0.05, 0.95) == 59  # 0.95⁵⁹ = 0.0485
    assert subjects_for_share(0.2, 0.2, 0.95) is None
    n = subjects_for_share(0.1, 0.2, 0.95)
    assert n is not None
    assert harmed_bound(math.ceil(0.1 * n), n, 0.95) <= 0.2
    asked = Constraint(margins={"auroc": 0.01}, harmed_share=0.1)
    told = needs([0.002 * k for k in range(12)], asked)
    assert (told.unharmed, told.as_seen) == (31, None)  # 0.9³¹ = 0.038, of 4 %
    assert "31 if nobody is and no number at the share seen" in told.words


# Subjects, folds and trainings


def crossed(
    seed: int, n: int, repeats: int, deviations: tuple[float, float]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """2,000 studies in five folds; deviations of subjects and of trainings."""
    generator = np.random.default_rng(seed)
    folds = np.stack([generator.permutation(np.arange(n) % 5) for _ in range(repeats)])
    subjects = generator.normal(0, deviations[0], (2000, 1, n))
    luck = generator.normal(0, deviations[1], (2000, repeats, 5))
    return subjects + np.take_along_axis(luck, folds[None], axis=2), folds


@pytest.mark.parametrize("repeats", [1, 2, 5])
@pytest.mark.parametrize("deviations", [(1.0, 0.7), (1.0, 0.0), (0.3, 1.0)])
def test_the_error_is_that_of_the_mean_over_patients_and_trainings(
    repeats: int, deviations: tuple[float, float]
) -> None:
    losses, folds = crossed(repeats, 23, repeats, deviations)
    estimate = estimate_mean(losses, folds)
    ratio = float((estimate.error**2).mean() / estimate.mean.var())
    assert 0.92 < ratio < (1.1 if deviations[1] else 1.4)  # luck that is none is never taken off
    assert estimate.luck.mean() == pytest.approx(deviations[1] ** 2, rel=0.1, abs=0.12)


def test_one_file_that_judged_all_has_the_error_of_student_s_t() -> None:
    values = np.random.default_rng(1).normal(size=(5, 12))
    estimate = estimate_mean(values[:, None])
    student = float(scipy.stats.t.ppf(0.9, 11))
    assert estimate.bounds(student) == pytest.approx(t_bounds(values, 0.9))


def test_the_less_favourable_of_both_baselines_counts() -> None:
    losses = [0.001 * k for k in range(12)]
    constraint = Constraint(margins={"auroc": 0.03})
    better = table([0.93] * 12)
    assert judged(whole(12), after(losses), constraint).passed
    judgement = judged(whole(12), after(losses), constraint, retrained=better)
    (statement,) = judgement.statements
    assert not statement.passed
    assert statement.bound == statement.bounds[RETRAINED]
    assert f"against {RETRAINED} may be as large as" in str(statement.reason)
    assert statement.retrained_mean == pytest.approx(0.03 + np.mean(losses))
    assert statement.harm.harmed == 11  # by the less favourable, too


def test_a_subject_defined_in_one_repeat_alone_is_refused() -> None:
    with pytest.raises(ScoringError, match="other subjects in one repeat"):
        judge(
            [table([0.9, 0.9]), table([0.9, None])],
            Reference([table([0.9, 0.9])] * 2),
            Constraint(),
        )


# Alpha


def test_certifications_share_one_alpha() -> None:
    assert [spent(0.05, k) for k in (1, 2, 3)] == pytest.approx([0.04, 0.008, 0.0016])
    assert sum(spent(0.05, k) for k in range(1, 40)) == pytest.approx(0.05)
    assert [level_of(alpha) for alpha in (0.2, 0.05, 0.04, 0.008, 0.005, 0.0049)] == [
        0.05,
        0.05,
        0.025,
        0.005,
        0.005,
        None,
    ]


def test_a_later_look_needs_more_and_the_third_gets_none() -> None:
    losses = [0.001 * k for k in range(12)]
    bounds = []
    for certification in (1, 2, 3):
        reference = Reference([whole(12)], certification=certification)
        (statement,) = judge(
            [after(losses)], reference, Constraint(margins={"auroc": 0.5})
        ).statements
        bounds.append(statement.bound)
    first, second, third = bounds
    assert first is not None
    assert second is not None
    assert first < second
    assert third is None
    assert "certification 3 on some of these recordings, which leaves it 0.16 %" in str(
        statement.reason
    )


@given(st.integers(8, 300), st.sampled_from([None, 3, 4, 5, 9, 20]), st.integers(1, 12))
def test_between_tabulated_designs_the_larger_neighbour_counts(
    n: int, folds: int | None, repeats: int
) -> None:
    values = [critical_value(Design(n, folds, repeats), level) for level in (0.05, 0.025, 0.01)]
    assert None not in values
    assert values == sorted(values)  # type: ignore[type-var]
    if folds is not None and folds > 5:
        five = critical_value(Design(n, 5, repeats), 0.05)
        assert five is not None
        assert values[0] is not None
        assert values[0] >= five
    assert critical_value(Design(7, folds, repeats), 0.05) is None
    assert critical_value(Design(n, 2, repeats), 0.05) is None
