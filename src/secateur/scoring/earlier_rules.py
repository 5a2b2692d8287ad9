"""The rules of certificates made before version 2: Student's t and bootstrap-t over subjects.

They leave the luck of training out and are too bold where few patients are badly harmed
(docs/explanation/certificate.md). Kept so that such certificates can be judged again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.ladder import Harm, Judgement, Reference, Statement, Tables
from secateur.scoring.margins import Constraint, ScoreTable, losses_of
from secateur.scoring.statements import (
    LEAST_FOR_MEAN,
    bootstrap_t_bounds,
    harmed_bound,
    is_harmed,
    skewness,
    t_bounds,
)


def mean_bounds(losses: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """The more careful of the two bounds for each study; `losses` studies × subjects."""
    return np.maximum(t_bounds(losses, confidence), bootstrap_t_bounds(losses, confidence))


def judge(pruned: Tables, reference: Reference, constraint: Constraint) -> Judgement:
    """Hold one pruned network against the constraint as under rules 1: one repeat, one baseline."""
    return Judgement(
        statements=tuple(
            _statement(pruned[0], reference, constraint, metric) for metric in constraint.margins
        )
    )


def _statement(
    pruned: ScoreTable, reference: Reference, constraint: Constraint, metric: str
) -> Statement:
    baseline = reference.baseline[0]
    losses = losses_of(baseline, pruned, metric)
    margin, confidence = constraint.margins[metric], constraint.confidence
    values, n = losses.values, len(losses.values)
    harm = _harm(baseline, pruned, metric, constraint)
    bounds = [float("nan")] * 2
    if n >= LEAST_FOR_MEAN:
        methods = (t_bounds, bootstrap_t_bounds)
        bounds = [float(method(values[None], confidence)[0]) for method in methods]
    reason = _reason(bounds, n, harm, margin, constraint.harmed_share)
    retrained = reference.retrained
    return Statement(
        metric=metric,
        margin=margin,
        n=n,
        left_out=losses.left_out,
        mean=_rounded(float(values.mean()) if n else None),
        deviation=_rounded(float(values.std(ddof=1)) if n > 1 else None),
        skewness=_rounded(skewness(values)),
        bounds={
            name: round(bound, 8) if math.isfinite(bound) else None
            for name, bound in zip(("t", "bootstrap-t"), bounds, strict=True)
        },
        harm=harm,
        retrained_harm=None
        if retrained is None
        else _harm(baseline, retrained[0], metric, constraint),
        passed=reason is None,
        reason=reason,
    )


def _harm(baseline: ScoreTable, other: ScoreTable, metric: str, constraint: Constraint) -> Harm:
    values = losses_of(baseline, other, metric).values
    harmed = int(is_harmed(values, constraint.margins[metric]).sum())
    bound = harmed_bound(harmed, len(values), constraint.confidence)
    return Harm(harmed=harmed, n=len(values), bound=round(bound, 8))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 8)


def _reason(
    bounds: list[float], n: int, harm: Harm, margin: float, allowed: float | None
) -> str | None:
    if n < LEAST_FOR_MEAN:
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


def certificate_of_1(tables: Any) -> Any:
    """A certificate's JSON, by whatever rules it was made, in today's form.

    Certificates of rules 1 say no rules, and hold one table a model.
    """
    if not isinstance(tables, dict) or "rules" in tables:
        return tables
    tables = {**tables, "rules": 1}
    for name in ("baseline", "retrained"):
        if isinstance(tables.get(name), dict):
            tables[name] = [tables[name]]
    for name, to_today in (("rungs", _rung_of_1), ("statements", statement_of_1)):
        if isinstance(tables.get(name), list):
            tables[name] = [to_today(each) for each in tables[name]]
    circumstances = tables.get("circumstances")
    if isinstance(circumstances, dict):
        folds = circumstances.get("folds")
        today = {"folds": [folds] if folds else [], "defaults_chosen_on": ""}
        tables["circumstances"] = {**circumstances, **today}
    return tables


def _rung_of_1(tables: Any) -> Any:
    if isinstance(tables, dict) and isinstance(tables.get("pruned"), dict):
        return {**tables, "pruned": [tables["pruned"]]}
    return tables


def statement_of_1(tables: Any) -> Any:
    """A statement's JSON in today's form: two bounds stood beside each other."""
    if not isinstance(tables, dict) or "t_bound" not in tables:
        return tables
    tables = dict(tables)
    tables["bounds"] = {
        "t": tables.pop("t_bound"),
        "bootstrap-t": tables.pop("bootstrap_bound", None),
    }
    return tables
