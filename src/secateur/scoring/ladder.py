"""Whether a pruned network holds, and how far down a ladder of them one may go.

Comes in: tables of scores by subject and a `Constraint`. Goes out: a `Judgement` for each rung, and the
`Climb`: which rungs passed and which is the answer. Next: `certificate` stores them, `studies` goes down
the ladder by them.

Several margins are each tested at the full level and all must pass: to reject "some margin is broken"
one must reject each (intersection-union test; Berger, Technometrics 24, 1982). The rungs are fixed
beforehand and tested in order, mild to severe, each at the full level, until one fails: whatever comes
first among the rungs that truly break the constraint would have to be passed by error, so the chance
of certifying any such rung stays below that of one test (fixed-sequence testing; Maurer, Hothorn and
Lehmacher, in Biometrie in der chemisch-pharmazeutischen Industrie 6, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from secateur.scoring.margins import Constraint, ScoreTable, losses_of
from secateur.scoring.statements import (
    LEAST_FOR_MEAN,
    bootstrap_t_bounds,
    harmed_bound,
    is_harmed,
    skewness,
    subjects_for_mean,
    subjects_for_share,
    t_bounds,
)

_DIGITS = 8

Verdict = Literal["passed", "failed", "not tested"]


class Told(BaseModel):
    """What is stored in a certificate: frozen, unknown names refused, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Harm(Told):
    """How many of `n` subjects lost more than the margin, and the upper bound on such patients' share."""

    harmed: int
    n: int
    bound: float


class Statement(Told):
    """What is said about one metric.

    `n`: subjects counted; `left_out`: the others and why. `mean`, `deviation`, `skewness`: of their
    losses. `t_bound`, `bootstrap_bound`: upper bounds on the mean loss, None where none can be given;
    the larger decides. `harm`: the exact statement; `retrained_harm`: the same count for the baseline
    merely retrained. `reason`: why it did not pass.
    """

    metric: str
    margin: float
    n: int
    left_out: dict[str, str]
    mean: float | None
    deviation: float | None
    skewness: float | None
    t_bound: float | None
    bootstrap_bound: float | None
    harm: Harm
    retrained_harm: Harm | None
    passed: bool
    reason: str | None

    @property
    def bound(self) -> float | None:
        """The more careful bound on the mean loss."""
        if self.t_bound is None or self.bootstrap_bound is None:
            return None
        return max(self.t_bound, self.bootstrap_bound)


class Judgement(Told):
    """All statements about one pruned network; it passed where every one did."""

    statements: tuple[Statement, ...]

    @property
    def passed(self) -> bool:
        """Whether every margin holds."""
        return all(one.passed for one in self.statements)


@dataclass(frozen=True)
class Climb:
    """What came of a ladder. `answer`: the last rung that passed, None where the first failed."""

    verdicts: tuple[Verdict, ...]
    answer: int | None


def judge(
    baseline: ScoreTable,
    pruned: ScoreTable,
    constraint: Constraint,
    retrained: ScoreTable | None = None,
) -> Judgement:
    """Hold one pruned network against the constraint. `retrained`: the baseline trained on as long.

    Tables are {subject: {metric: value or None}} with the same subjects and every metric that has a
    margin. Raises `ScoringError` where they don't match.
    """
    return Judgement(
        statements=tuple(
            _statement(baseline, pruned, constraint, retrained, metric)
            for metric in constraint.margins
        )
    )


def _statement(
    baseline: ScoreTable,
    pruned: ScoreTable,
    constraint: Constraint,
    retrained: ScoreTable | None,
    metric: str,
) -> Statement:
    losses = losses_of(baseline, pruned, metric)
    margin, confidence = constraint.margins[metric], constraint.confidence
    values, n = losses.values, len(losses.values)
    harm = _harm(baseline, pruned, metric, constraint)
    bounds = []
    if n >= LEAST_FOR_MEAN:
        for method in (t_bounds, bootstrap_t_bounds):
            bounds.append(float(method(values[None], confidence)[0]))
    reason = _reason(bounds, n, harm, margin, constraint.harmed_share)
    finite = [bound if bound < float("inf") else None for bound in bounds] or [None, None]
    return Statement(
        metric=metric,
        margin=margin,
        n=n,
        left_out=losses.left_out,
        mean=_rounded(float(values.mean()) if n else None),
        deviation=_rounded(float(values.std(ddof=1)) if n > 1 else None),
        skewness=_rounded(skewness(values)),
        t_bound=_rounded(finite[0]),
        bootstrap_bound=_rounded(finite[1]),
        harm=harm,
        retrained_harm=None
        if retrained is None
        else _harm(baseline, retrained, metric, constraint),
        passed=reason is None,
        reason=reason,
    )


def _harm(baseline: ScoreTable, other: ScoreTable, metric: str, constraint: Constraint) -> Harm:
    values = losses_of(baseline, other, metric).values
    harmed = int(is_harmed(values, constraint.margins[metric]).sum())
    bound = harmed_bound(harmed, len(values), constraint.confidence)
    return Harm(harmed=harmed, n=len(values), bound=round(bound, _DIGITS))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _reason(
    bounds: list[float], n: int, harm: Harm, margin: float, allowed: float | None
) -> str | None:
    if not bounds:
        return f"{n} subjects: no statement about a mean is made with fewer than {LEAST_FOR_MEAN}"
    if bounds[0] == float("inf"):
        return "the losses seen have no spread to speak of, so nothing follows about the mean"
    if max(bounds) == float("inf"):
        return (
            "nearly all losses are alike and a few are not, so that too many resamples have no spread; "
            "nothing follows about the mean"
        )
    if max(bounds) >= margin:
        return f"the mean loss may be as large as {max(bounds):.4g}, the margin is {margin:g}"
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
    for one in passed:
        if not standing or one is None:
            verdicts.append("not tested")
            standing = False
            continue
        verdicts.append("passed" if one else "failed")
        standing = one
    last = verdicts.count("passed")
    return Climb(tuple(verdicts), last - 1 if last else None)


class Needed(Told):
    """How many subjects would have been needed for one margin; None: no number would have done.

    `for_mean`: for the mean statement, with 80 % power, were the losses seen the true ones; `spread`:
    whether these had any, without which it can't be told. `unharmed` and `as_seen`: for the exact one, if
    nobody were harmed and if as large a share were as was here; both None where no share was asked for.
    """

    metric: str
    n: int
    spread: bool
    for_mean: int | None
    unharmed: int | None
    as_seen: int | None

    @property
    def words(self) -> str:
        """In one sentence."""
        return f"{self.metric}: {'; '.join([self._of_mean, *self._of_share])}"

    @property
    def _of_mean(self) -> str:
        if not self.spread:
            return (
                f"the losses of these {self.n} subjects have no spread, so it can't be told "
                "how many would have been needed"
            )
        if self.for_mean is None:
            return (
                "the mean loss seen is not below the margin, or too close to it: "
                "no number of subjects would have done"
            )
        return (
            f"about {self.for_mean} subjects would have been needed (here {self.n}) for an 80 % chance, "
            "were the losses seen the true ones"
        )

    @property
    def _of_share(self) -> list[str]:
        if self.unharmed is None:
            return []
        at_this = "no number" if self.as_seen is None else str(self.as_seen)
        return [
            f"for the share harmed, {self.unharmed} if nobody is and {at_this} at the share seen"
        ]


def needed(judgement: Judgement, constraint: Constraint) -> tuple[Needed, ...]:
    """For each margin, from the losses of one rung (the mildest, where nothing passed)."""
    return tuple(_needed(one, constraint) for one in judgement.statements)


def _needed(one: Statement, constraint: Constraint) -> Needed:
    unharmed = as_seen = for_mean = None
    if (allowed := constraint.harmed_share) is not None:
        unharmed = subjects_for_share(0.0, allowed, constraint.confidence)
        seen = one.harm.harmed / one.n if one.n else 1.0
        as_seen = subjects_for_share(seen, allowed, constraint.confidence)
    spread = bool(one.deviation)
    if one.mean is not None and one.deviation:
        for_mean = subjects_for_mean(one.mean, one.deviation, one.margin, constraint.confidence)
    return Needed(
        metric=one.metric,
        n=one.n,
        spread=spread,
        for_mean=for_mean,
        unharmed=unharmed,
        as_seen=as_seen,
    )
