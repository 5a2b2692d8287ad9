"""Two conditions held against each other, with everything that may honestly be said of them."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from secateur.errors import ScoringError
from secateur.scoring.comparing.by_subject import (
    Effect,
    SubjectComparison,
    compare_subjects,
    effect_of,
)
from secateur.scoring.comparing.families import holm
from secateur.scoring.comparing.mixed import Mixed, mixed_model
from secateur.scoring.comparing.outcomes import (
    Outcome,
    differences,
    fold_means,
    ratio_of_sides,
    subject_differences,
)
from secateur.scoring.comparing.overlap import Estimate, between, over_folds
from secateur.scoring.intervals import LEAST_SUBJECTS, LEVEL, Interval

FEW_FOLDS = 5


@dataclass(frozen=True)
class NonInferiority:
    """Whether ours is worse than theirs by less than `margin`, or is shown to be worse by more.

    `bound`, `upper`: one-sided 95 % lower and upper bound of the difference; `p`, `p_refuted`: of so high,
    and of so low, a mean at a true difference of −margin. `holds`: `p`, corrected in its family where it is
    (`p_holm`), below 5 %: the lower bound lies above −margin. `refuted`: the same of `p_refuted`: the upper
    bound lies below −margin. That ours is worse at all refutes nothing: it may be worse by less.
    """

    margin: float
    bound: float
    upper: float
    p: float
    p_refuted: float
    holds: bool
    refuted: bool
    p_holm: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Ours minus theirs in the metric's unit; more is better.

    `difference`: mean over `folds`, None where there is none. `interval` (95 %), `p` (two-sided),
    `noninferior` and `detectable` (smallest true difference found at 5 % with a power of 80 %): corrected
    for training sets that overlap (see `overlap`); None for fewer than two folds, all equal, or sizes not
    known. `paired`: whether differences were taken inside folds; else no fold is shared, and `folds` counts
    those of both sides.
    `seeds`: different ones; `unpaired`: folds on one side alone. `effect`: d_z over subjects. `mixed_reason`:
    why there is no mixed model. `p_holm`: after `in_family`. `notes`: what limits it, in words.
    """

    difference: float | None
    interval: Interval | None
    p: float | None
    folds: int
    seeds: int
    paired: bool
    unpaired: int
    by_subject: SubjectComparison
    mixed: Mixed | None
    mixed_reason: str
    effect: Effect | None
    noninferior: NonInferiority | None
    detectable: float | None
    p_holm: float | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and dictionaries, as JSON takes them."""
        fields = dataclasses.asdict(self)
        return {key: _plain(value) for key, value in fields.items()}


def compare(
    ours: Sequence[Outcome], theirs: Sequence[Outcome], margin: float | None = None
) -> Comparison:
    """Hold two conditions against each other; a metric of which less is better is negated by the caller.

    Folds that both have are paired. Where not one is (two ways to split, say), means over folds are compared
    unpaired, which says less. `margin`: what ours may be worse by. Raises `ScoringError` for one below zero.
    """
    if margin is not None and not margin >= 0:
        raise ScoringError(f"margin {margin:g}: wanted what may be lost, a number from 0 on")
    ours = [outcome for outcome in ours if outcome.score is not None]
    theirs = [outcome for outcome in theirs if outcome.score is not None]
    pairs = differences(ours, theirs)
    here, there = fold_means(ours), fold_means(theirs)
    alone = len(here.keys() ^ there.keys())
    is_paired = bool(pairs.folds) or not (here and there)
    if is_paired:
        shared = [
            [outcome for outcome in side if outcome.fold in pairs.folds] for side in (ours, theirs)
        ]
        values = list(pairs.folds.values())
        estimate = over_folds(values, ratio_of_sides(*shared))
        difference = statistics.fmean(values) if values else None
    else:
        shared = [list(ours), list(theirs)]
        difference = statistics.fmean(here.values()) - statistics.fmean(there.values())
        estimate = _unpaired(shared)
    by_subject = subject_differences(ours, theirs, pairs)
    mixed, reason = mixed_model(pairs.cells)
    compared = Comparison(
        difference=difference,
        interval=estimate.interval() if estimate else None,
        p=estimate.p() if estimate else None,
        folds=len(pairs.folds) if is_paired else len(here) + len(there),
        seeds=len({outcome.seed for side in shared for outcome in side}),
        paired=is_paired,
        unpaired=alone,
        by_subject=compare_subjects(by_subject),
        mixed=mixed,
        mixed_reason=reason,
        effect=effect_of(np.array(list(by_subject.values()), dtype=np.float64)),
        noninferior=_noninferior(estimate, margin),
        detectable=estimate.detectable() if estimate else None,
        p_holm=None,
        notes=(),
    )
    return dataclasses.replace(compared, notes=tuple(_notes(compared, *shared)))


def in_family(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same with Holm's correction over all: for differences, non-inferiority and its refutation."""
    corrected = holm([comparison.p for comparison in comparisons])
    tests = [comparison.noninferior for comparison in comparisons]
    margins = holm([test.p if test else None for test in tests])
    refutations = holm([test.p_refuted if test else None for test in tests])
    results = []
    for comparison, p, margin_p, refuted_p in zip(
        comparisons, corrected, margins, refutations, strict=True
    ):
        held = comparison.noninferior
        if held is not None and margin_p is not None and refuted_p is not None:
            held = dataclasses.replace(
                held,
                p_holm=margin_p,
                holds=margin_p < 1 - LEVEL,
                refuted=refuted_p < 1 - LEVEL,
            )
        results.append(dataclasses.replace(comparison, p_holm=p, noninferior=held))
    return results


def _unpaired(sides: Sequence[Sequence[Outcome]]) -> Estimate | None:
    mine, other = (
        over_folds(list(fold_means(side).values()), ratio_of_sides(side)) for side in sides
    )
    return between(mine, other) if mine and other else None


def _noninferior(estimate: Estimate | None, margin: float | None) -> NonInferiority | None:
    if estimate is None or margin is None:
        return None
    p, p_refuted = estimate.p_above(-margin), estimate.p_below(-margin)
    return NonInferiority(
        margin,
        estimate.lower(),
        estimate.upper(),
        p,
        p_refuted,
        holds=p < 1 - LEVEL,
        refuted=p_refuted < 1 - LEVEL,
    )


def _notes(compared: Comparison, ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> list[str]:
    notes = []
    if not compared.paired:
        notes.append("no fold is shared: compared unpaired")
    elif compared.unpaired:
        notes.append(f"{compared.unpaired} folds stand on one side alone and are left out")
    folds = [len({outcome.fold for outcome in side}) for side in (ours, theirs)]
    if min(folds) < 2:
        notes.append("fewer than two folds: no test over folds")
    elif ratio_of_sides(ours, theirs) is None:
        notes.append("sizes of the sides are not known: overlap can't be corrected for")
    elif compared.p is None:
        notes.append("all folds are equal: their spread has not been seen")
    elif min(folds) <= FEW_FOLDS:
        notes.append(f"{FEW_FOLDS} folds or fewer")
    runs = [(outcome.fold, outcome.seed) for outcome in ours]
    if runs and len(set(runs)) == len({fold for fold, _ in runs}):
        notes.append("one seed a fold")
    if len(set(runs)) < len(runs):
        notes.append("several runs of one fold and seed are averaged")
    tested = {frozenset(outcome.subjects) for outcome in (*ours, *theirs)}
    if min(folds) >= 2 and len(tested) == 1:
        notes.append("every fold tests the same subjects: it speaks of them alone")
    if len(compared.by_subject.subjects) < LEAST_SUBJECTS:
        notes.append(f"fewer than {LEAST_SUBJECTS} subjects in common")
    return notes


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
