"""Parts of the spread: those of statsmodels, intervals that hold what was put in, honest where blind."""

from __future__ import annotations

import numpy as np
import pytest

from secateur.scoring.comparing import Components, Outcome, components
from secateur.scoring.comparing.components import RestrictedLikelihood

TRUE = {"subject": 0.06, "fold": 0.03, "training": 0.04, "rest": 0.02}


def study(
    seed: int, subjects: int = 16, folds: int = 5, seeds: int = 3, deals: int = 2
) -> list[Outcome]:
    """Folds dealt anew so many times, each trained with several seeds."""
    generator = np.random.default_rng(seed)
    own = generator.normal(0, TRUE["subject"], subjects)
    outcomes = []
    for deal in range(deals):
        parts = np.array_split(generator.permutation(subjects), folds)
        for fold, people in enumerate(parts):
            luck = generator.normal(0, TRUE["fold"])
            for weights in range(seeds):
                here = 0.8 + luck + generator.normal(0, TRUE["training"])
                scores = {
                    f"s{k}": here + own[k] + generator.normal(0, TRUE["rest"]) for k in people
                }
                outcomes.append(
                    Outcome(
                        f"{deal}-{fold}", weights, 0.8, scores, len(people), subjects - len(people)
                    )
                )
    return outcomes


def by_name(found: Components) -> dict[tuple[str, ...], float]:
    return {part.names: part.deviation for part in found.parts}


def test_the_parts_are_those_of_statsmodels() -> None:
    import statsmodels.regression.mixed_linear_model as models

    outcomes = study(3)
    found = components(outcomes)
    rows = [(s, o.fold, f"{o.fold}/{o.seed}", v) for o in outcomes for s, v in o.subjects.items()]
    values = np.array([row[3] for row in rows])
    names, columns, matrices = [], [], []
    for k, name in enumerate(("subject", "fold", "training")):
        levels = sorted({str(row[k]) for row in rows})
        names.append(name)
        columns.append([levels])
        matrices.append(
            [np.array([[str(row[k]) == level for level in levels] for row in rows], float)]
        )
    ones = np.ones(len(rows))
    spec = models.VCSpec(names, columns, matrices)
    fit = models.MixedLM(values / values.std(), ones[:, None], groups=ones, exog_vc=spec).fit()
    expected = np.sqrt([*fit.vcomp, fit.scale]) * values.std()
    assert [part.names for part in found.parts] == [(name,) for name in TRUE]
    assert [part.deviation for part in found.parts] == pytest.approx(expected, rel=0.02, abs=5e-4)
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    assert found.values == len(rows) == 96
    assert found.notes == ()


@pytest.mark.slow
def test_intervals_hold_what_was_put_in() -> None:
    held = dict.fromkeys(TRUE, 0)
    studies = 16
    for seed in range(studies):
        for part in components(study(seed)).parts:
            low, high = part.interval
            assert low <= part.deviation + 1e-3
            true = TRUE[part.names[0]]
            held[part.names[0]] += low <= true and (high is None or true <= high)
    assert min(held.values()) >= 13, held  # of 16 at 95 %; fewer come once in a thousand


def test_with_one_seed_a_fold_fold_and_training_stand_together() -> None:
    found = components(study(1, seeds=1))
    assert [part.names for part in found.parts] == [("subject",), ("fold", "training"), ("rest",)]
    assert found.notes == ("fold and training can't be told apart", "one seed a fold")
    together = by_name(found)["fold", "training"]
    assert 0 < together < 0.15


def test_where_each_subject_is_a_fold_of_its_own() -> None:
    found = components(study(2, folds=16, seeds=3, deals=1))
    assert [part.names for part in found.parts] == [("subject", "fold"), ("training", "rest")]
    alone = components(study(2, folds=16, seeds=1, deals=1))
    assert [part.names for part in alone.parts] == [("subject", "fold", "training", "rest")]
    assert alone.parts[0].share == 1


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-3])
def test_scores_that_hang_on_the_subject_alone_are_told_so(noise: float) -> None:
    generator = np.random.default_rng(4)
    own = generator.normal(0.8, 0.05, 12)
    outcomes = [
        Outcome(
            f"{fold}",
            0,
            0.8,
            {f"s{k}": own[k] + noise * generator.normal() for k in range(12)},
            12,
            30,
        )
        for fold in range(5)
    ]
    found = components(outcomes)
    assert found.parts[0].names == ("subject",)
    assert found.parts[0].share > 0.99
    assert found.parts[0].deviation == pytest.approx(own.std(ddof=1), rel=0.02)


def test_nothing_is_said_where_there_is_nothing_to_split() -> None:
    assert components([]).reason == "fewer than two subjects have a score"
    flat = [Outcome("a", 0, 0.5, {"x": 0.5, "y": 0.5}, 2, 4)]
    assert components(flat).reason == "all scores are equal"
    one_fold = [Outcome("a", 0, 0.5, {"x": 0.5, "y": 0.7, "z": None}, 2, 4)]
    found = components(one_fold)
    assert [part.names for part in found.parts] == [("subject", "rest")]
    assert found.values == 2
    assert found.notes[:2] == ("one fold alone", "one training alone")


@pytest.mark.parametrize("deviations", [[1, 0.3, 0.2, 0.1], [0.5, 0.01, 0.02, 0.5], [50, 1, 0, 2]])
def test_slopes_are_those_of_small_steps(deviations: list[float]) -> None:
    generator = np.random.default_rng(8)
    subject, training = np.repeat(np.arange(12), 6), np.tile(np.arange(6), 12)
    luck = generator.normal(size=12)[subject] + 0.2 * generator.normal(size=6)[training]
    values = luck + 0.1 * generator.normal(size=72)
    model = RestrictedLikelihood(values, [subject, training // 2, training])
    here = np.array(deviations, dtype=np.float64)
    deviance, slopes = model.slopes(here)
    assert deviance == model.deviance(here)
    for k, step in enumerate(1e-6 * np.eye(4)):
        by_steps = (model.deviance(here + step) - model.deviance(here - step)) / 2e-6
        assert slopes[k] == pytest.approx(by_steps, rel=1e-4, abs=1e-5)
