"""How often each statement errs, on thousands of simulated studies with fixed seeds.

Two learners of equal worth (straight lines through features of their own, of equal use) are fitted to the
same splits of few subjects, again and again: training sets overlap just as in a study.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from secateur.scoring.comparing import Outcome, compare, holm
from secateur.scoring.comparing.by_subject import bootstrap_interval, effect_of
from secateur.scoring.comparing.mixed import mixed_model
from secateur.scoring.comparing.overlap import corrected_errors
from secateur.scoring.statements import bootstrap_t_bounds

SUBJECTS, TEST, FEATURES, REPEATS = 16, 4, 2, 4
STUDIES = 1500
RATIO = TEST / (SUBJECTS - TEST)


@lru_cache(maxsize=1)
def null() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Ours minus theirs by study and fold, 4 × 4 folds by subject; the truth is no difference.

    Also who is tested, folds × TEST, the same for every study.
    """
    generator = np.random.default_rng(7)
    tested = np.concatenate(
        [generator.permutation(SUBJECTS).reshape(-1, TEST) for _ in range(REPEATS)]
    )
    features = generator.normal(size=(2, STUDIES, SUBJECTS, FEATURES))
    truth = features.sum(axis=(0, 3)) + generator.normal(size=(STUDIES, SUBJECTS))
    errors = np.stack(
        [np.stack([_squared_errors(one, truth, test) for one in features]) for test in tested]
    )  # folds × learners × studies × tested
    return (errors[:, 1] - errors[:, 0]).mean(axis=-1).T, tested


def _squared_errors(
    features: NDArray[np.float64], truth: NDArray[np.float64], test: NDArray[np.int64]
) -> NDArray[np.float64]:
    training = np.setdiff1d(np.arange(SUBJECTS), test)
    x, y = features[:, training], truth[:, training, None]
    weights = np.linalg.solve(x.swapaxes(1, 2) @ x, x.swapaxes(1, 2) @ y)
    return np.asarray((features[:, test] @ weights)[..., 0] - truth[:, test]) ** 2


def rate(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean())


def chance(level: float, studies: int) -> float:
    """What a rate of `level` may come out as: three standard errors up."""
    return level + 3 * math.sqrt(level * (1 - level) / studies)


def test_equal_learners_are_told_apart_in_one_study_of_twenty_and_by_the_plain_test_in_many() -> (
    None
):
    values, _ = null()
    edge = stats.t.ppf(0.975, values.shape[1] - 1)
    corrected = rate(np.abs(values.mean(axis=1)) > edge * corrected_errors(values, RATIO))
    plain = rate(np.abs(values.mean(axis=1)) > edge * corrected_errors(values, 0.0))
    assert corrected <= chance(0.05, STUDIES), (corrected, plain)
    assert plain > 0.25


def test_what_was_simulated_is_what_compare_does() -> None:
    values, tested = null()
    for study in values[:20]:
        ours = [
            Outcome(str(n), 1, float(v), {}, TEST, SUBJECTS - TEST) for n, v in enumerate(study)
        ]
        theirs = [Outcome(str(n), 1, 0.0, {}, TEST, SUBJECTS - TEST) for n in range(len(tested))]
        found = compare(ours, theirs)
        t = study.mean() / corrected_errors(study, RATIO)
        assert found.p == pytest.approx(2 * stats.t.sf(abs(t), len(study) - 1), abs=1e-8)


def test_a_learner_worse_by_the_margin_is_called_non_inferior_in_one_study_of_twenty() -> None:
    values, _ = null()  # adding −margin to each value and asking whether it is above −margin
    edge = stats.t.ppf(0.95, values.shape[1] - 1)
    wrong = rate(values.mean(axis=1) > edge * corrected_errors(values, RATIO))
    assert wrong <= chance(0.05, STUDIES)


def test_the_smallest_detectable_difference_is_found_four_times_in_five() -> None:
    # Folds without overlap, where the power can be known
    generator = np.random.default_rng(1)
    values = generator.normal(0.0, 1.0, (4000, 12))
    from secateur.scoring.comparing.overlap import Estimate

    true_error = 1 / math.sqrt(12)
    values += Estimate(0.0, true_error, 11).detectable()
    edge = stats.t.ppf(0.975, 11)
    power = rate(np.abs(values.mean(axis=1)) > edge * corrected_errors(values, 0.0))
    assert power == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "least"),
    [("normal", 0.93), ("skewed", 0.90), ("heavy", 0.93)],
)
@pytest.mark.parametrize("subjects", [8, 16])
def test_bootstrap_intervals_over_subjects_hold_the_truth(
    shape: str, least: float, subjects: int
) -> None:
    generator = np.random.default_rng(2)
    size = (1000, subjects)
    values = {
        "normal": lambda: generator.normal(size=size),
        "skewed": lambda: generator.exponential(size=size) - 1,
        "heavy": lambda: generator.standard_t(3, size=size),
    }[shape]()
    upper, lower = (bootstrap_t_bounds(sign * values, 0.975) for sign in (1, -1))
    held = rate((upper >= 0) & (-lower <= 0))
    assert held >= least, held
    assert bootstrap_interval(values[0]) == pytest.approx((-lower[0], upper[0]))


def test_effect_intervals_hold_the_truth() -> None:
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        found = effect_of(generator.normal(0.5, 1.0, 12))
        assert found is not None
        assert found.interval is not None
        held += found.interval[0] <= 0.5 <= found.interval[1]
    assert held / 1000 == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_a_family_without_a_difference_errs_in_one_study_of_twenty(shared: float) -> None:
    # Six comparisons with one reference: dependent where `shared` is above zero
    generator = np.random.default_rng(4)
    values = generator.normal(size=(2000, 6, 15)) + shared * generator.normal(size=(2000, 1, 15))
    p = np.asarray(stats.ttest_1samp(values, 0.0, axis=2).pvalue)
    corrected = np.array([holm(list(one)) for one in p], dtype=np.float64)
    assert rate(np.asarray((corrected < 0.05).any(axis=1))) <= chance(0.05, 2000)
    assert rate(np.asarray((p < 0.05).any(axis=1))) > 0.15


def test_mixed_models_hold_the_truth_where_subjects_and_folds_have_luck() -> None:
    pytest.importorskip("statsmodels", reason="no statsmodels here")
    generator = np.random.default_rng(5)
    held, done, naive = 0, 0, 0
    for _ in range(150):
        whole = (
            generator.normal(0, 1, (10, 1))
            + generator.normal(0, 1, (1, 8))
            + generator.normal(0, 1, (10, 8))
        )
        table = {
            f"s{s}": {f"f{f}": float(whole[s, f]) for f in range(8) if (s + f) % 2}
            for s in range(10)
        }
        found, _ = mixed_model(table)
        if found is None:
            continue
        done += 1
        held += found.interval[0] <= 0 <= found.interval[1]
        cells = np.array([d for told in table.values() for d in told.values()])
        naive += abs(cells.mean()) <= stats.t.ppf(0.975, len(cells) - 1) * stats.sem(cells)
    assert done >= 140
    assert held / done >= 0.9
    assert naive / done < 0.85
