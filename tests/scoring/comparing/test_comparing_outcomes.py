"""What is paired with what, the correction for overlap by hand, and input that says little."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ScoringError
from secateur.scoring.comparing import (
    Comparison,
    Outcome,
    compare,
    resampled_interval,
    summarise,
)


def run(
    fold: str,
    seed: int,
    score: float | None,
    subjects: Mapping[str, float | None] | None = None,
    training: int = 5,
) -> Outcome:
    return Outcome(fold, seed, score, subjects or {}, 3, training)


def four_folds(values: Sequence[float]) -> list[Outcome]:
    return [run(f"fold {place}", 1, value) for place, value in enumerate(values)]


def test_an_interval_over_splits_is_raised_for_shared_training_sets_by_hand() -> None:
    # variance of 1, 2, 3, 4 is 5/3; (1/4 + 0.6) · 5/3 = 1.41667; t(0.975, 3) = 3.18245
    low, high = resampled_interval([1.0, 2.0, 3.0, 4.0], 0.6)
    assert (low + high) / 2 == pytest.approx(2.5)
    assert (high - low) / 2 == pytest.approx(3.18245 * 1.41667**0.5, rel=1e-5)
    assert resampled_interval([0.5, 0.5], 0.6) == (0.5, 0.5)
    with pytest.raises(ScoringError, match="two or more, got 1"):
        resampled_interval([1.0], 0.6)


def test_a_gain_of_one_subject_hangs_on_it_and_its_median_is_small() -> None:
    people = {"a": 0.5, "b": 0.51, "c": 0.52, "d": 0.9, "left out": None}
    ours = [run("1", 1, 0.6, people)]
    theirs = [run("1", 1, 0.5, dict.fromkeys(people, 0.5))]
    subjects = compare(ours, theirs).by_subject
    assert subjects.difference == pytest.approx((0 + 0.01 + 0.02 + 0.4) / 4)
    assert subjects.median == pytest.approx(0.015)
    assert subjects.hinge is not None
    assert subjects.hinge[0] == "d"
    assert subjects.hinge[1] == pytest.approx(0.01)
    lost = compare(theirs, ours).by_subject.hinge
    assert lost is not None
    assert lost[0] == "d"
    assert compare(ours, ours).by_subject.hinge is None


def test_a_median_is_over_subjects_of_their_means_over_folds_and_seeds() -> None:
    runs = [
        run("1", 1, 0.6, {"a": 0.2, "b": 0.9}),
        run("1", 2, 0.6, {"a": 0.4, "b": 0.9}),
        run("2", 1, 0.6, {"a": 0.9, "c": None}),
    ]
    assert summarise(runs).median == pytest.approx(((0.3 + 0.9) / 2 + 0.9) / 2)
    assert summarise(four_folds([0.1, 0.2])).median is None


def test_a_comparison_over_four_folds_by_hand() -> None:
    # 3 test and 5 training subjects: the same numbers as above
    found = compare(four_folds([1.0, 2.0, 3.0, 4.0]), four_folds([0.0] * 4), margin=0.5)
    error = 1.41667**0.5
    assert found.difference == pytest.approx(2.5)
    assert found.interval == pytest.approx((2.5 - 3.18245 * error, 2.5 + 3.18245 * error), rel=1e-4)
    # t = 2.5 / 1.19024 = 2.1004 with 3 degrees of freedom; the distribution of t(3) is known in closed form
    t = 2.5 / error
    angle = math.atan(t / math.sqrt(3))
    assert found.p == pytest.approx(1 - 2 / math.pi * (angle + math.sin(2 * angle) / 2), rel=1e-4)
    assert found.noninferior is not None
    assert found.noninferior.bound == pytest.approx(2.5 - 2.35336 * error, rel=1e-4)
    assert found.noninferior.holds
    assert (found.folds, found.seeds, found.unpaired, found.paired) == (4, 1, 0, True)
    assert "one seed a fold" in found.notes
    assert "5 folds or fewer" in found.notes


def test_seeds_are_averaged_inside_a_fold_before_anything_else() -> None:
    # A fold with many seeds weighs no more than one with two
    many = [run("a", seed, value) for seed, value in enumerate([0.2, 0.4, 0.6, 0.8])]
    found = summarise([*many, run("b", 1, 0.7), run("b", 2, 0.9)])
    assert found.mean == pytest.approx((0.5 + 0.8) / 2)
    assert found.spread == pytest.approx(0.3 / math.sqrt(2))
    assert (found.folds, found.seeds, found.runs) == (2, 4, 6)
    assert found.interval == pytest.approx(resampled_interval([0.5, 0.8], 0.6))


def test_more_seeds_alone_do_not_narrow_the_interval() -> None:
    once = four_folds([0.1, 0.3, 0.2, 0.6])
    copies = [run(one.fold, seed, one.score) for one in once for seed in range(10)]
    assert summarise(copies).interval == pytest.approx(summarise(once).interval)


def test_seeds_that_both_have_are_paired_and_only_they() -> None:
    ours = [run("a", 1, 0.9), run("a", 2, 0.1), run("b", 1, 0.8)]
    theirs = [run("a", 1, 0.7), run("b", 1, 0.7)]
    found = compare(ours, theirs)
    assert found.difference == pytest.approx((0.2 + 0.1) / 2)
    apart = compare(ours, [run("a", 7, 0.7), run("b", 8, 0.7)])
    assert apart.difference == pytest.approx((-0.2 + 0.1) / 2)


def test_folds_on_one_side_alone_are_counted_and_left_out() -> None:
    found = compare(four_folds([0.5, 0.6, 0.7, 0.9]), four_folds([0.4, 0.4]))
    assert (found.folds, found.unpaired) == (2, 2)
    assert found.difference == pytest.approx(0.15)
    assert any("2 folds stand on one side alone" in note for note in found.notes)


def test_where_no_fold_is_shared_means_are_compared_unpaired_by_hand() -> None:
    ours = [run(f"x{n}", 1, value) for n, value in enumerate([1.0, 2.0, 3.0])]
    theirs = [run(f"y{n}", 1, value) for n, value in enumerate([0.0, 2.0])]
    found = compare(ours, theirs)
    # variances 1 and 2; errors² (1/3 + 0.6) · 1 = 0.9333 and (1/2 + 0.6) · 2 = 2.2
    one, other = 0.93333, 2.2
    freedom = (one + other) ** 2 / (one**2 / 2 + other**2 / 1)
    assert not found.paired
    assert found.folds == found.unpaired == 5
    assert found.difference == pytest.approx(1.0)
    from scipy.stats import t

    reach = t.ppf(0.975, freedom) * math.sqrt(one + other)
    assert found.interval == pytest.approx((1 - reach, 1 + reach), rel=1e-4)
    assert "no fold is shared: compared unpaired" in found.notes


def test_unpaired_without_correction_is_welch_of_scipy() -> None:
    from scipy.stats import ttest_ind

    from secateur.scoring.comparing.overlap import between, over_folds

    ours, theirs = [0.81, 0.84, 0.9, 0.77], [0.7, 0.79, 0.74]
    one, other = over_folds(ours, 0.0), over_folds(theirs, 0.0)
    assert one is not None
    assert other is not None
    told = ttest_ind(ours, theirs, equal_var=False)
    assert between(one, other).p() == pytest.approx(told.pvalue)
    assert between(one, other).freedom == pytest.approx(told.df)


def test_subjects_are_averaged_over_folds_and_seeds_inside_each() -> None:
    ours = [
        run("a", 1, 0.5, {"anna": 0.9, "ben": 0.5}),
        run("a", 2, 0.5, {"anna": 0.7, "ben": None}),
        run("b", 1, 0.5, {"anna": 0.4, "cleo": 0.8}),
    ]
    theirs = [
        run("a", 1, 0.4, {"anna": 0.6, "ben": 0.6}),
        run("a", 2, 0.4, {"anna": 0.6, "ben": 0.6}),
        run("b", 1, 0.4, {"anna": 0.4, "cleo": None}),
    ]
    found = compare(ours, theirs).by_subject
    # anna: fold a (0.3 + 0.1) / 2, fold b 0.0; ben: seed 1 alone; cleo: nowhere on both sides
    assert found.subjects == pytest.approx({"anna": 0.1, "ben": -0.1})
    assert found.difference == pytest.approx(0.0)


NOTHING: list[Outcome] = []
ONE = [run("a", 1, 0.7, {"anna": 0.7})]
UNDEFINED = [run("a", 1, None, {"anna": None}), run("b", 1, None, {"ben": 0.3})]
SAME = [run(f, s, 0.5, {"anna": 0.5, "ben": 0.4}) for f in "abc" for s in (1, 2)]
UNKNOWN = [
    run(f, 1, v, {"anna": v}, training=0) for f, v in zip("abc", (0.1, 0.2, 0.4), strict=True)
]


@pytest.mark.parametrize("ours", [NOTHING, ONE, UNDEFINED, SAME, UNKNOWN])
@pytest.mark.parametrize("theirs", [NOTHING, ONE, UNDEFINED, SAME, UNKNOWN])
def test_input_that_says_little_gives_little_and_says_why(
    ours: list[Outcome], theirs: list[Outcome]
) -> None:
    found = compare(ours, theirs, margin=0.01)
    assert found.p is None
    for one in (found.interval, found.noninferior, found.detectable, found.mixed):
        assert one is None
    assert found.mixed_reason
    assert found.notes
    json.dumps(found.as_dict(), allow_nan=False)
    summary = summarise(ours)
    assert summary.interval is None
    assert (summary.mean is None) == (summary.folds == 0)


def test_equal_scores_everywhere_prove_nothing() -> None:
    found = compare(SAME, SAME, margin=0.01)
    assert found.difference == 0
    assert found.effect is None
    assert found.by_subject.wilcoxon_p is None
    assert any("spread has not been seen" in note for note in found.notes)


def test_a_margin_below_zero_is_refused() -> None:
    with pytest.raises(ScoringError, match="a number from 0 on"):
        compare(ONE, ONE, margin=-0.01)


def test_a_study_that_tests_the_same_subjects_in_every_fold_says_so() -> None:
    ours = [run(f, 1, v, {"anna": v}) for f, v in zip("abc", (0.1, 0.2, 0.4), strict=True)]
    found = compare(ours, [run(f, 1, 0.1, {"anna": 0.1}) for f in "abc"])
    assert any("speaks of them alone" in note for note in found.notes)


scores = st.floats(0, 1).map(lambda value: round(value, 3)) | st.none()
outcomes = st.lists(
    st.builds(
        run,
        st.sampled_from("abcde"),
        st.integers(1, 3),
        scores,
        st.dictionaries(st.sampled_from(["anna", "ben", "cleo", "dora"]), scores),
    ),
    max_size=12,
)


@given(outcomes, outcomes)
def test_the_other_way_round_is_the_opposite(ours: list[Outcome], theirs: list[Outcome]) -> None:
    there, back = _without_model(ours, theirs), _without_model(theirs, ours)
    assert (there.difference is None) == (back.difference is None)
    assert there.p == pytest.approx(back.p)
    if there.difference is not None and back.difference is not None:
        assert there.difference == pytest.approx(-back.difference, abs=1e-9)
    if there.interval is not None and back.interval is not None:
        assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-9)
    assert there.detectable == pytest.approx(back.detectable)
    assert there.by_subject.wilcoxon_p == pytest.approx(back.by_subject.wilcoxon_p)
    json.dumps(there.as_dict(), allow_nan=False)


@given(outcomes, outcomes)
def test_the_order_of_runs_is_no_matter(ours: list[Outcome], theirs: list[Outcome]) -> None:
    turned = _without_model(list(reversed(ours)), list(reversed(theirs)))
    first = _without_model(ours, theirs)
    assert turned.difference == pytest.approx(first.difference, abs=1e-9)
    assert turned.p == pytest.approx(first.p, abs=1e-6)
    assert turned.folds == first.folds
    assert set(turned.by_subject.subjects) == set(first.by_subject.subjects)


def _without_model(ours: list[Outcome], theirs: list[Outcome]) -> Comparison:
    """The mixed model costs more than all the rest and has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "secateur.scoring.comparing.comparison.mixed_model", lambda cells: (None, "not asked")
        )
        return compare(ours, theirs, margin=0.1)
