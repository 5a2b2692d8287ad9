"""Whether a pruned network holds, and how far down a ladder of them one may go.

Several margins are each tested at the full level and all must pass: to reject "some margin is broken"
one must reject each (intersection-union test; Berger, Technometrics 24, 1982). So it is with the two that a
network is compared with, the baseline and the baseline retrained as long. The rungs are fixed
beforehand and tested in order, mild to severe, each at the full level, until one fails: whatever comes
first among the rungs that truly break the constraint would have to be passed by error, so the chance
of certifying any such rung stays below that of one test (fixed-sequence testing; Maurer, Hothorn and
Lehmacher, in Biometrie in der chemisch-pharmazeutischen Industrie 6, 1995; for settings of a network
Angelopoulos et al., Learn then Test, arXiv 2110.01052, and Laufer-Goldshtein et al., Pareto Testing, ICLR
2023; for how far to prune, arXiv 2408.04759).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from secateur.scoring.calibration import Design, critical_value, level_of, spent
from secateur.scoring.margins import Constraint, Losses, ScoreTable, repeated_losses
from secateur.scoring.statements import (
    LEAST_FOR_MEAN,
    MOST,
    MeanEstimate,
    estimate_mean,
    harmed_bound,
    is_harmed,
    skewness,
    subjects_for_share,
)

_DIGITS = 8
RETRAINED = "the baseline retrained as long"

Verdict = Literal["passed", "failed", "not tested"]
Tables = Sequence[ScoreTable]
"""A model's scores, a table for each repeat."""


class Stored(BaseModel):
    """What is stored in a certificate: frozen, unknown names refused, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Harm(Stored):
    """How many of `n` subjects lost more than the margin, and the upper bound on such patients' share."""

    harmed: int
    n: int
    bound: float


class Statement(Stored):
    """What is said about one metric.

    `n`: subjects counted, in each of `repeats`; `left_out`: the others and why. `mean`, `deviation`,
    `skewness`: of subjects' losses against the baseline, averaged over repeats; `retrained_mean`: against the
    baseline retrained as long. `training_share`: estimated share of a loss's variance that is luck of
    training. `bounds`: upper bounds on the mean loss by what is compared with (by method under the earlier
    rules), None where none can be given; the largest decides, `critical` standard errors above the mean, the
    value of the table at `level`. `harm`: the exact statement, by the less favourable comparison;
    `retrained_harm`: the same count for the baseline merely retrained. `reason`: why it did not pass.
    """

    metric: str
    margin: float
    n: int
    repeats: int = 1
    left_out: dict[str, str]
    mean: float | None
    retrained_mean: float | None = None
    deviation: float | None
    skewness: float | None
    training_share: float | None = None
    bounds: dict[str, float | None]
    level: float | None = None
    critical: float | None = None
    harm: Harm
    retrained_harm: Harm | None
    passed: bool
    reason: str | None

    @property
    def bound(self) -> float | None:
        """The most careful bound on the mean loss."""
        known = [bound for bound in self.bounds.values() if bound is not None]
        return max(known) if known and len(known) == len(self.bounds) else None


class Judgement(Stored):
    """All statements about one pruned network; it passed where every one did."""

    statements: tuple[Statement, ...]

    @property
    def passed(self) -> bool:
        """Whether every margin holds."""
        return all(statement.passed for statement in self.statements)


@dataclass(frozen=True)
class Reference:
    """What pruned networks are compared with, and how everybody was judged.

    `baseline`, `retrained` (trained on as long): a table of scores for each repeat. `folds`: for each repeat
    the subjects that each fold judged; empty where one file judged all. `certification`: which one it is
    on any of these recordings, from 1.
    """

    baseline: Tables
    retrained: Tables | None = None
    folds: tuple[tuple[tuple[str, ...], ...], ...] = ()
    certification: int = 1


@dataclass(frozen=True)
class Climb:
    """What came of a ladder. `answer`: the last rung that passed, None where the first failed."""

    verdicts: tuple[Verdict, ...]
    answer: int | None


def judge(pruned: Tables, reference: Reference, constraint: Constraint) -> Judgement:
    """Hold one pruned network against the constraint; `pruned`: its scores, a table for each repeat.

    Tables are {subject: {metric: value or None}} with the same subjects and every metric that has a
    margin. Raises `ScoringError` where they don't match.
    """
    return Judgement(
        statements=tuple(
            _statement(pruned, reference, constraint, metric) for metric in constraint.margins
        )
    )


def _statement(
    pruned: Tables, reference: Reference, constraint: Constraint, metric: str
) -> Statement:
    compared = {"the baseline": repeated_losses(reference.baseline, pruned, metric)}
    if reference.retrained is not None:
        compared[RETRAINED] = repeated_losses(reference.retrained, pruned, metric)
    losses = compared["the baseline"]
    margin, n = constraint.margins[metric], len(losses.subjects)
    alpha = spent(1 - constraint.confidence, reference.certification)
    harm = max(
        (_harm(each, margin, alpha) for each in compared.values()), key=lambda harm: harm.harmed
    )
    idle = None
    if reference.retrained is not None:
        retrained = repeated_losses(reference.baseline, reference.retrained, metric)
        idle = _harm(retrained, margin, alpha)
    level = level_of(alpha)
    design = _design(losses, reference)
    critical = None if level is None else critical_value(design, level)
    bounds: dict[str, float] = {}
    estimates: dict[str, MeanEstimate] = {}
    if n >= LEAST_FOR_MEAN:
        for name, each in compared.items():
            estimates[name] = estimate_mean(each.values[None], _fold_numbers(each, reference))
            if critical is not None:
                bounds[name] = float(estimates[name].bounds(critical)[0])
    reason = _refusal(design, reference.certification, alpha, critical) or _reason(
        bounds, harm, margin, constraint.harmed_share
    )
    averages = losses.values.mean(axis=0)
    first = estimates.get("the baseline")
    return Statement(
        metric=metric,
        margin=margin,
        n=n,
        repeats=design.repeats,
        left_out=losses.left_out,
        mean=_rounded(float(averages.mean()) if n else None),
        retrained_mean=_rounded(float(compared[RETRAINED].values.mean()))
        if n and RETRAINED in compared
        else None,
        deviation=_rounded(float(averages.std(ddof=1)) if n > 1 else None),
        skewness=_rounded(skewness(averages)),
        training_share=_rounded(float(first.training_share[0]))
        if first is not None and design.folds
        else None,
        bounds={
            name: _rounded(bound) if bound < float("inf") else None
            for name, bound in bounds.items()
        },
        level=level,
        critical=critical,
        harm=harm,
        retrained_harm=idle,
        passed=reason is None,
        reason=reason,
    )


def _design(losses: Losses, reference: Reference) -> Design:
    folds = min(map(len, reference.folds), default=None)
    return Design(len(losses.subjects), folds, len(losses.values))


def _fold_numbers(losses: Losses, reference: Reference) -> NDArray[np.int64] | None:
    """In which fold each subject was judged, repeats × subjects."""
    if not reference.folds:
        return None
    numbers = [
        {name: number for number, names in enumerate(folds) for name in names}
        for folds in reference.folds
    ]
    return np.array([[each[name] for name in losses.subjects] for each in numbers])


def _harm(losses: Losses, margin: float, alpha: float) -> Harm:
    """Whose loss, averaged over repeats, exceeds the margin."""
    averages = losses.values.mean(axis=0)
    harmed = int(is_harmed(averages, margin).sum())
    bound = harmed_bound(harmed, len(averages), 1 - alpha)
    return Harm(harmed=harmed, n=len(averages), bound=round(bound, _DIGITS))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _refusal(
    design: Design, certification: int, alpha: float, critical: float | None
) -> str | None:
    """Why no statement about the mean can be made at all."""
    if design.subjects < LEAST_FOR_MEAN:
        return (
            f"{design.subjects} subjects: no statement about a mean is made with fewer than "
            f"{LEAST_FOR_MEAN}"
        )
    if level_of(alpha) is None:
        return (
            f"this is certification {certification} on some of these recordings, which leaves it "
            f"{100 * alpha:.2g} % of error; below 0.5 % none is issued"
        )
    if critical is None:
        return f"{design.folds} folds: the bound was tried for 3 and more"
    return None


def _reason(
    bounds: dict[str, float], harm: Harm, margin: float, allowed: float | None
) -> str | None:
    worst = max(bounds, key=lambda name: bounds[name])
    if bounds[worst] == float("inf"):
        return "the losses seen have no spread to speak of, so nothing follows about the mean"
    if bounds[worst] >= margin:
        against = f" against {worst}" if worst == RETRAINED else ""
        return f"the mean loss{against} may be as large as {bounds[worst]:.4g}, the margin is {margin:g}"
    if allowed is not None and harm.bound > allowed:
        return f"the share of patients harmed may be as large as {harm.bound:.3f}, allowed is {allowed:g}"
    return None


def climb(passed: Sequence[bool | None]) -> Climb:
    """Verdicts on rungs, mild to severe: after the first that failed, no later one counts as tested.

    `passed`: for each rung whether its judgement passed, None where it was not made. A rung that
    was not judged stops the ladder as one that failed does.
    """
    verdicts: list[Verdict] = []
    standing = True
    for each in passed:
        if not standing or each is None:
            verdicts.append("not tested")
            standing = False
            continue
        verdicts.append("passed" if each else "failed")
        standing = each
    last = verdicts.count("passed")
    return Climb(tuple(verdicts), last - 1 if last else None)


class Needed(Stored):
    """What would have been needed for one margin, of `n` subjects in `repeats`; None: nothing would have
    done.

    `for_mean`: subjects for the mean statement, with 80 % power, were the losses seen the true ones;
    `more_repeats`: or so many repeats with the same subjects; `alpha_left`: whether these recordings can be
    certified on at all; `spread`: whether the losses had any, without
    which it can't be told. `unharmed` and `as_seen`: subjects for the exact one, if nobody were harmed and if
    as large a share were as was here; both None where no share was asked for.
    """

    metric: str
    n: int
    repeats: int = 1
    alpha_left: bool = True
    spread: bool
    for_mean: int | None
    more_repeats: int | None = None
    unharmed: int | None
    as_seen: int | None

    @property
    def words(self) -> str:
        """In one sentence."""
        return f"{self.metric}: {'; '.join([self._of_mean, *self._of_share])}"

    @property
    def _of_mean(self) -> str:
        if not self.alpha_left:
            return "earlier certifications have used these recordings up; others are needed"
        if not self.spread:
            return (
                f"the losses of these {self.n} subjects have no spread, so it can't be told "
                "how many would have been needed"
            )
        if self.for_mean is None and self.more_repeats is not None:
            return (
                f"about {self.more_repeats} repeats with these {self.n} subjects would have been needed for "
                "an 80 % chance, were the losses seen the true ones; more subjects alone would not have done"
            )
        if self.for_mean is None:
            return (
                "the mean loss seen is not below the margin, or too close to it: "
                "no number of subjects would have done"
            )
        more = (
            f", or {self.more_repeats} repeats with these {self.n},"
            if self.more_repeats is not None
            else ""
        )
        return (
            f"about {self.for_mean} subjects{more} would have been needed (here {self.n}) for an 80 % "
            "chance, were the losses seen the true ones"
        )

    @property
    def _of_share(self) -> list[str]:
        if self.unharmed is None:
            return []
        at_this = "no number" if self.as_seen is None else str(self.as_seen)
        return [
            f"for the share harmed, {self.unharmed} if nobody is and {at_this} at the share seen"
        ]


def needed(
    judgement: Judgement, reference: Reference, constraint: Constraint
) -> tuple[Needed, ...]:
    """For each margin, from the losses of one rung (the mildest, where nothing passed)."""
    return tuple(_needed(statement, reference, constraint) for statement in judgement.statements)


def _needed(statement: Statement, reference: Reference, constraint: Constraint) -> Needed:
    unharmed = as_seen = for_mean = more = None
    alpha = spent(1 - constraint.confidence, reference.certification)
    if (allowed := constraint.harmed_share) is not None:
        unharmed = subjects_for_share(0.0, allowed, 1 - alpha)
        seen = statement.harm.harmed / statement.n if statement.n else 1.0
        as_seen = subjects_for_share(seen, allowed, 1 - alpha)
    folds = min(map(len, reference.folds), default=None)
    if statement.mean is not None and statement.deviation and statement.level is not None:
        means = [statement.mean, statement.retrained_mean]
        gap = statement.margin - max(mean for mean in means if mean is not None)
        spread = (statement.deviation, statement.training_share or 0.0)
        seen_by = Design(statement.n, folds, statement.repeats)
        for_mean = _subjects_for_mean(gap, spread, seen_by, statement.level)
        if folds is not None:
            more = next(
                (
                    repeats
                    for repeats in range(statement.repeats + 1, _MOST_REPEATS + 1)
                    if _enough(gap, spread, seen_by, (statement.n, repeats), statement.level)
                ),
                None,
            )
    return Needed(
        metric=statement.metric,
        n=statement.n,
        repeats=statement.repeats,
        alpha_left=level_of(alpha) is not None,
        spread=bool(statement.deviation),
        for_mean=for_mean,
        more_repeats=more,
        unharmed=unharmed,
        as_seen=as_seen,
    )


def _subjects_for_mean(
    gap: float, spread: tuple[float, float], design: Design, level: float
) -> int | None:
    """Fewest subjects with whom the bound would lie below the margin four times in five; None: no number."""
    n = LEAST_FOR_MEAN
    while n <= MOST:
        if _enough(gap, spread, design, (n, design.repeats), level):
            return n
        n = max(n + 1, n * 101 // 100)
    return None


def _enough(
    gap: float, spread: tuple[float, float], seen: Design, to_have: tuple[int, int], level: float
) -> bool:
    """Whether that many subjects and repeats would do, by normal errors; `spread`: deviation, share of luck.

    The deviation seen is one of averages over the repeats there were, luck's part of it that of one training.
    """
    subjects, repeats = to_have
    deviation, luck = spread
    of_training = min(luck, 0.999) * deviation**2 / (1 - min(luck, 0.999) * (1 - 1 / seen.repeats))
    own = max(deviation**2 - of_training / seen.repeats, 0.0)
    pairs = (subjects / seen.folds - 1) / (subjects - 1) if seen.folds else 0.0
    variance = (own + of_training / repeats) / subjects + max(pairs, 0.0) * of_training / repeats
    critical = critical_value(Design(subjects, seen.folds, repeats), level)
    return critical is not None and gap > (critical + _POWER_80) * float(np.sqrt(variance))


_POWER_80 = 0.8416
"""Standard normal quantile: four times in five."""

_MOST_REPEATS = 10
