"""Claims: every wording, and that nothing is claimed which the numbers don't hold."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secateur.scoring.comparing import Comparison, Outcome, claim, compare, in_family

MARGIN = 0.05


def outcomes(values: Sequence[float]) -> list[Outcome]:
    """Ten folds, two subjects a fold."""
    return [
        Outcome(
            f"fold {n}", 1, value, {f"s{n % 5}": value, f"t{n % 5}": value + 0.01 * (n % 3)}, 2, 8
        )
        for n, value in enumerate(values)
    ]


def found(middle: float, spread: float, margin: float | None = None) -> Comparison:
    values = [0.5 + middle + spread * (n - 4.5) / 4.5 for n in range(10)]
    return compare(outcomes(values), outcomes([0.5] * 10), margin)


@pytest.mark.parametrize(
    ("comparison", "wanted"),
    [
        (found(0.1, 0.02), "L1 is better than random at ratio 0.5: difference in auroc 0.100"),
        (found(-0.1, 0.02), "L1 is worse than random at ratio 0.5: difference in auroc −0.100"),
        (found(0.01, 0.2), "L1 is not shown better than random at ratio 0.5: difference"),
        (found(-0.01, 0.2), "L1 is not shown worse than random at ratio 0.5: difference"),
        (found(0.001, 0.02, MARGIN), "L1 is not worse than random by 0.05 or more at ratio 0.5:"),
        (
            found(-0.02, 0.02, MARGIN),
            "L1 is worse than random, but by less than 0.05 at ratio 0.5:",
        ),
        (found(-0.01, 0.2, MARGIN), "L1 is not shown worse than random, nor within 0.05 of it at"),
    ],
)
def test_each_verdict_in_words(comparison: Comparison, wanted: str) -> None:
    told = claim("L1", "random", "auroc", "ratio 0.5", comparison)
    assert told.startswith(wanted)
    assert comparison.interval is not None
    low, high = (f"{edge:.3f}".replace("-", "−") for edge in comparison.interval)
    assert f", 95 % {low} to {high} (10 folds, 10 subjects; p " in told
    assert comparison.detectable is not None
    assert told.endswith(f"could have seen {comparison.detectable:.3f}).")


def test_a_family_takes_back_what_one_alone_would_have_claimed() -> None:
    alone = found(0.05, 0.05)
    assert alone.p is not None
    assert 0.005 < alone.p < 0.05
    assert "L1 is better" in claim("L1", "random", "auroc", "", alone)
    told = claim("L1", "random", "auroc", "", in_family([alone, *[found(0.0, 0.3)] * 9])[0])
    assert told.startswith("L1 is not shown better than random: ")
    assert "after Holm" in told


def test_non_inferiority_is_corrected_in_its_family_too() -> None:
    alone = found(-0.01, 0.05, MARGIN)
    assert alone.noninferior is not None
    assert alone.noninferior.holds
    inside = in_family([alone, *[found(-MARGIN, 0.3, MARGIN)] * 9])[0].noninferior
    assert inside is not None
    assert inside.p_holm == pytest.approx(10 * alone.noninferior.p)
    assert not inside.holds


def test_what_cannot_be_tested_says_why_and_what_subjects_tell() -> None:
    nothing = compare([], [])
    assert claim("a", "b", "auroc", "", nothing) == (
        "a can't be compared with b: nothing that both scored in auroc."
    )
    one = [Outcome("only", 1, 0.8, {f"s{n}": 0.7 + n / 50 for n in range(6)}, 6, 10)]
    other = [Outcome("only", 1, 0.7, {f"s{n}": 0.7 for n in range(6)}, 6, 10)]
    told = claim("a", "b", "auroc", "ratio 0.5", compare(one, other))
    assert told.startswith("a can't be tested against b at ratio 0.5: difference in auroc 0.100 (")
    assert "fewer than two folds: no test over folds; over 6 subjects 0.050, 95 % " in told
    assert told.endswith("for these trained networks alone).")


@settings(max_examples=15)  # a mixed model each
@given(st.floats(-0.2, 0.2), st.floats(0.001, 0.3), st.sampled_from([None, 0.01, 0.1]))
def test_what_is_claimed_follows_from_p_and_the_sign(
    middle: float, spread: float, margin: float | None
) -> None:
    comparison = found(round(middle, 4), round(spread, 4), margin)
    told = claim("ours", "theirs", "auroc", "", comparison)
    assert comparison.p is not None
    assert comparison.difference is not None
    shown = comparison.p < 0.05
    assert told.startswith("ours is better") == (shown and comparison.difference > 0)
    assert told.startswith("ours is worse") == (shown and comparison.difference < 0)
    assert ("nan" in told) is False
