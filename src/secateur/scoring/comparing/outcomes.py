"""What runs scored, and which of them belong together.

Seeds are averaged inside a fold before anything else: two networks of one partition differ by chance of
their weights alone, and counting both as evidence about patients would count the same patients twice.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from secateur.scoring.comparing.overlap import over_folds
from secateur.scoring.intervals import Interval

DECIMALS = 12
"""Of differences: 0.3 − 0.1 and 0.2 are equal, whatever floating point says; tests by ranks depend on it."""

Score = Callable[["Outcome"], float | None]


@dataclass(frozen=True)
class Outcome:
    """One run's score.

    `fold`: name of who trained and who tested (equal names: same partition); `seed`: of the weights;
    `score`: of the whole test side, None where it isn't defined; `subjects`: of each test subject; `test`,
    `training`: subjects on those sides (recordings or windows where the split is by those).
    """

    fold: str
    seed: int
    score: float | None
    subjects: Mapping[str, float | None]
    test: int
    training: int


@dataclass(frozen=True)
class Summary:
    """One condition: the mean over folds of means over seeds.

    `median`: over subjects, of each one's mean over folds; None where the metric is none inside a subject.

    `interval`: 95 %, corrected for training sets that overlap (`overlap`); None for fewer than two folds,
    where all are equal, or where the sizes of the sides aren't known. `folds`, `seeds`, `runs`: with a
    score; `subjects`: different ones tested; `spread`: standard deviation over folds, None for one fold.
    """

    mean: float | None
    interval: Interval | None
    folds: int
    seeds: int
    runs: int
    subjects: int
    spread: float | None
    median: float | None = None


@dataclass(frozen=True)
class Differences:
    """Ours minus theirs. `folds`: by fold; `cells`: by subject, then by fold. Empty: no fold is shared."""

    folds: dict[str, float]
    cells: dict[str, dict[str, float]]


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """What one condition scored. Runs without a score are left out."""
    scored = [outcome for outcome in outcomes if outcome.score is not None]
    folds = fold_means(scored)
    estimate = over_folds(list(folds.values()), ratio_of_sides(scored))
    return Summary(
        mean=statistics.fmean(folds.values()) if folds else None,
        interval=estimate.interval() if estimate else None,
        folds=len(folds),
        seeds=len({outcome.seed for outcome in scored}),
        runs=len(scored),
        subjects=len({name for outcome in scored for name in outcome.subjects}),
        spread=statistics.stdev(folds.values()) if len(folds) > 1 else None,
        median=_median_subject(scored),
    )


def _median_subject(outcomes: Sequence[Outcome]) -> float | None:
    names = {name for outcome in outcomes for name in outcome.subjects}
    means = [
        statistics.fmean(folds.values())
        for name in names
        if (folds := fold_means(outcomes, of_subject(name)))
    ]
    return statistics.median(means) if means else None


def whole_side(outcome: Outcome) -> float | None:
    """Score of the whole test side."""
    return outcome.score


def of_subject(name: str) -> Score:
    """Score of one test subject."""
    return lambda outcome: outcome.subjects.get(name)


def fold_means(outcomes: Sequence[Outcome], score: Score = whole_side) -> dict[str, float]:
    """Mean over seeds in each fold that has a score, by name of the fold."""
    means = {}
    for fold, seeds in _seed_means(outcomes, score).items():
        means[fold] = statistics.fmean(seeds.values())
    return dict(sorted(means.items()))


def _seed_means(outcomes: Sequence[Outcome], score: Score) -> dict[str, dict[int, float]]:
    """Score by fold and seed; several runs of one fold and seed are averaged."""
    seen: dict[str, dict[int, list[float]]] = {}
    for outcome in outcomes:
        value = score(outcome)
        if value is not None:
            seen.setdefault(outcome.fold, {}).setdefault(outcome.seed, []).append(value)
    return {
        fold: {seed: statistics.fmean(values) for seed, values in seeds.items()}
        for fold, seeds in seen.items()
    }


def paired(ours: Sequence[Outcome], theirs: Sequence[Outcome], score: Score) -> dict[str, float]:
    """Ours minus theirs in each fold that both have.

    Seeds that both have are paired: they share the order of the windows and much of the start. Where none
    is shared, means over seeds are subtracted.
    """
    left, right = _seed_means(ours, score), _seed_means(theirs, score)
    by_fold = {}
    for fold in sorted(left.keys() & right.keys()):
        ours_here, theirs_here = left[fold], right[fold]
        seeds = ours_here.keys() & theirs_here.keys()
        mine = statistics.fmean(ours_here[seed] for seed in sorted(seeds or ours_here))
        their = statistics.fmean(theirs_here[seed] for seed in sorted(seeds or theirs_here))
        by_fold[fold] = round(mine - their, DECIMALS)
    return by_fold


def differences(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> Differences:
    """All paired differences, of folds and of subjects inside folds."""
    names = sorted(
        {name for outcome in ours for name in outcome.subjects}
        & {name for outcome in theirs for name in outcome.subjects}
    )
    cells = {name: paired(ours, theirs, of_subject(name)) for name in names}
    return Differences(
        paired(ours, theirs, whole_side), {name: folds for name, folds in cells.items() if folds}
    )


def subject_differences(
    ours: Sequence[Outcome], theirs: Sequence[Outcome], pairs: Differences
) -> dict[str, float]:
    """One difference a subject: the mean over folds of what is paired there.

    Where not one fold is shared, each subject's mean over folds and seeds on either side.
    """
    if pairs.folds or pairs.cells:
        return {
            name: round(statistics.fmean(folds.values()), DECIMALS)
            for name, folds in pairs.cells.items()
        }
    by_subject = {}
    for name in sorted({name for outcome in ours for name in outcome.subjects}):
        left, right = (fold_means(side, of_subject(name)) for side in (ours, theirs))
        if left and right:
            difference = statistics.fmean(left.values()) - statistics.fmean(right.values())
            by_subject[name] = round(difference, DECIMALS)
    return by_subject


def ratio_of_sides(*sides: Sequence[Outcome]) -> float | None:
    """n_test / n_train, the mean over runs; of several sides the largest. None where a size is not known."""
    ratios = []
    for side in sides:
        if not side or any(outcome.test < 1 or outcome.training < 1 for outcome in side):
            return None
        ratios.append(statistics.fmean(outcome.test / outcome.training for outcome in side))
    return max(ratios)
