"""How often each statement about a study errs, on thousands of simulated studies with fixed seeds.

    python -m benchmarks.quality.error_rates [--write]

Two learners of equal worth (straight lines through features of their own, of equal use) are fitted to the
same splits of few subjects, again and again: training sets overlap just as in a study. What is stated over
subjects is tried on made-up differences of several shapes. `--write` puts the table into
benchmarks/quality/error-rates.md.
"""

from __future__ import annotations

import argparse
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from secateur.files import write_whole
from secateur.scoring.comparing import Outcome, compare, holm, rank
from secateur.scoring.comparing.by_subject import effect_of
from secateur.scoring.comparing.mixed import mixed_model
from secateur.scoring.comparing.overlap import Estimate, corrected_errors
from secateur.scoring.statements import bootstrap_t_bounds
from secateur.studies.questions import verdict

SUBJECTS, TEST, FEATURES = 16, 4, 2
RATIO = TEST / (SUBJECTS - TEST)
STUDIES = 1500
VERDICTS = 400
"""Studies of which verdicts are asked."""
SHAPES = ("normal", "skewed", "heavy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table beside this file")
    told = parser.parse_args()
    text = "\n".join(
        [
            "# How often statements about studies err",
            "",
            "Command: `python -m benchmarks.quality.error_rates`. Simulated, no EEG; what each statement is, "
            "and what it assumes: docs/explanation/statistics.md.",
            "",
            "| statement | simulated | wanted | found |",
            "| --- | --- | --- | --- |",
            *("| " + " | ".join(row) + " |" for row in _rows()),
        ]
    )
    print(text)
    if told.write:
        write_whole(Path(__file__).with_name("error-rates.md"), text + "\n")


def _rows() -> list[tuple[str, str, str, str]]:
    rows = []
    for repeats in (1, 4, 10):
        folds = f"two equal learners, {repeats * SUBJECTS // TEST} folds of {SUBJECTS} subjects"
        corrected, plain = told_apart(repeats)
        rows.append(
            ("a difference, corrected for overlap", folds, "5 % wrong", _percent(corrected))
        )
        rows.append(("the same without the correction", folds, "5 % wrong", _percent(plain)))
        rows.append(
            (
                "not worse by the margin",
                f"{folds}, one worse by just the margin",
                "5 % wrong",
                _percent(called_not_worse(repeats)),
            )
        )
    for loss, wanted in ((3.0, "5 % shown"), (2.9, "5 % refuted"), (0.0, "5 % refuted")):
        told = verdict_errors(loss, 3.0)
        share = told["shown"] if loss == 3.0 else told["refuted"]
        words = f"16 folds, worse by {loss:g} of a mean's standard deviations, margin 3"
        rows.append(("verdict on a hypothesis of not-worse", words, wanted, _percent(share)))
    rows.append(
        (
            "the smallest difference seen four times in five",
            "12 folds without overlap",
            "80 % seen",
            _percent(power()),
        )
    )
    for subjects in (8, 16):
        rows += [
            (
                "bootstrap interval over subjects",
                f"{subjects} subjects, {shape} differences",
                "95 % hold the truth",
                _percent(bootstrap_coverage(shape, subjects)),
            )
            for shape in SHAPES
        ]
    rows.append(
        (
            "interval of the effect size",
            "12 subjects, normal differences",
            "95 % hold the truth",
            _percent(effect_coverage()),
        )
    )
    mixed, plain = mixed_coverage()
    crossed = "10 subjects and 8 folds, each with luck of its own, half of the cells"
    rows.append(("interval of the mixed model", crossed, "95 % hold the truth", _percent(mixed)))
    rows.append(("the same from all cells as if independent", crossed, "95 %", _percent(plain)))
    for shared in (0.0, 0.5):
        corrected, plain = family_errors(shared)
        six = f"six comparisons without a difference{', dependent' if shared else ''}"
        rows.append(("any of a family, after Holm", six, "5 % wrong", _percent(corrected)))
        rows.append(("any of a family, uncorrected", six, "5 % wrong", _percent(plain)))
    rows.append(
        (
            "ranks further apart than the critical difference",
            "six equal conditions, 15 independent folds",
            "5 % wrong",
            _percent(rank_errors()),
        )
    )
    return rows


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def rate(hits: NDArray[np.bool_]) -> float:
    """The share of true ones."""
    return float(hits.mean())


@lru_cache(maxsize=4)
def equal_learners(repeats: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Ours minus theirs by study and fold, `repeats` × 4 folds by subject; the truth is no difference.

    Also who is tested, folds × TEST, the same for every study.
    """
    generator = np.random.default_rng(7)
    tested = np.concatenate(
        [generator.permutation(SUBJECTS).reshape(-1, TEST) for _ in range(repeats)]
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


def told_apart(repeats: int) -> tuple[float, float]:
    """How often equal learners are called different: with the correction for overlap, and without."""
    values, _ = equal_learners(repeats)
    edge = stats.t.ppf(0.975, values.shape[1] - 1)
    corrected, plain = (
        rate(np.abs(values.mean(axis=1)) > edge * corrected_errors(values, ratio))
        for ratio in (RATIO, 0.0)
    )
    return corrected, plain


def called_not_worse(repeats: int) -> float:
    """How often a learner worse by the margin is called not worse by it.

    Adding −margin to each value and asking whether it is above −margin is asking of equal ones for above 0.
    """
    values, _ = equal_learners(repeats)
    edge = stats.t.ppf(0.95, values.shape[1] - 1)
    return rate(values.mean(axis=1) > edge * corrected_errors(values, RATIO))


def verdict_errors(loss: float, margin: float, repeats: int = 4) -> dict[str, float]:
    """How often each verdict falls on the hypothesis that a learner is not worse by `margin`.

    The learner is worse by `loss`; both in standard deviations of a study's mean. Each study goes through
    `compare` and `verdict` as a finished study does.
    """
    values, tested = equal_learners(repeats)
    values = values[:VERDICTS]
    unit = float(values.mean(axis=1).std())
    size = {"test": TEST, "training": SUBJECTS - TEST}
    theirs = [Outcome(str(fold), 1, 0.0, {}, **size) for fold in range(len(tested))]
    found = dict.fromkeys(("shown", "not shown", "refuted"), 0)
    for study in values:
        ours = [
            Outcome(str(fold), 1, float(value) - loss * unit, {}, **size)
            for fold, value in enumerate(study)
        ]
        found[verdict("not-worse", compare(ours, theirs, margin * unit))] += 1
    return {name: count / len(values) for name, count in found.items()}


def power() -> float:
    """How often a difference of just the smallest detectable size is seen; folds without overlap."""
    values = np.random.default_rng(1).normal(0.0, 1.0, (4000, 12))
    values += Estimate(0.0, 1 / math.sqrt(12), 11).detectable()
    edge = stats.t.ppf(0.975, 11)
    return rate(np.abs(values.mean(axis=1)) > edge * corrected_errors(values, 0.0))


def bootstrap_coverage(shape: str, subjects: int) -> float:
    """How often the interval over subjects holds the true mean, 0."""
    generator = np.random.default_rng(2)
    size = (1000, subjects)
    values = {
        "normal": lambda: generator.normal(size=size),
        "skewed": lambda: generator.exponential(size=size) - 1,
        "heavy": lambda: generator.standard_t(3, size=size),
    }[shape]()
    upper, lower = (bootstrap_t_bounds(sign * values, 0.975) for sign in (1, -1))
    return rate((upper >= 0) & (-lower <= 0))


def effect_coverage() -> float:
    """How often the interval of an effect size holds the true one, 0.5."""
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        found = effect_of(generator.normal(0.5, 1.0, 12))
        assert found is not None
        assert found.interval is not None
        held += found.interval[0] <= 0.5 <= found.interval[1]
    return held / 1000


def mixed_coverage() -> tuple[float, float]:
    """How often intervals hold the truth, 0: of the mixed model, and of all cells as if independent."""
    generator = np.random.default_rng(5)
    held, done, naive = 0, 0, 0
    for _ in range(150):
        whole = (
            generator.normal(0, 1, (10, 1))
            + generator.normal(0, 1, (1, 8))
            + generator.normal(0, 1, (10, 8))
        )
        told = {
            f"s{s}": {f"f{f}": float(whole[s, f]) for f in range(8) if (s + f) % 2}
            for s in range(10)
        }
        found, _ = mixed_model(told)
        if found is None:
            continue
        done += 1
        held += found.interval[0] <= 0 <= found.interval[1]
        cells = np.array([d for one in told.values() for d in one.values()])
        naive += abs(cells.mean()) <= stats.t.ppf(0.975, len(cells) - 1) * stats.sem(cells)
    assert done >= 140
    return held / done, naive / done


def family_errors(shared: float) -> tuple[float, float]:
    """How often any of six comparisons is called a difference, after Holm and without.

    `shared`: how much they hang together, as comparisons with one reference do.
    """
    generator = np.random.default_rng(4)
    values = generator.normal(size=(2000, 6, 15)) + shared * generator.normal(size=(2000, 1, 15))
    p = np.asarray(stats.ttest_1samp(values, 0.0, axis=2).pvalue)
    corrected = np.array([holm(list(one)) for one in p], dtype=np.float64)
    return rate(np.asarray((corrected < 0.05).any(axis=1))), rate(
        np.asarray((p < 0.05).any(axis=1))
    )


def rank_errors() -> float:
    """How often any two of six equal conditions are further apart than the critical difference."""
    generator = np.random.default_rng(6)
    wrong = 0
    for _ in range(400):
        scores = generator.normal(size=(6, 15))
        found = rank(
            {str(c): {str(b): float(v) for b, v in enumerate(r)} for c, r in enumerate(scores)}
        )
        assert found.critical_difference is not None
        places = found.average.values()
        wrong += max(places) - min(places) > found.critical_difference
    return wrong / 400


if __name__ == "__main__":
    main()
