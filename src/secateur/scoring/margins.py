"""What may be lost, and what each subject did lose.

Comes in: "auroc=0.01,macro_f1=0.02", and tables of scores, {subject: {metric: value or None}}. Goes out:
`Constraint` and `Losses`. Next: `statements` puts bounds on them, `ladder` judges by them.

The loss of a subject is baseline minus pruned in the metric's own unit, the other way round for false
alarms, so that above zero is always worse. Subjects are the unit, windows never.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, field_validator

from secateur.errors import ScoringError, SettingsError
from secateur.scoring.metrics import METRICS, event_metrics, margin_metrics
from secateur.settings import Flag, Settings

LEAST_BACKGROUND = 3600.0
"""Seconds of background that a subject must have before events are counted for a certificate."""

DIGITS = 6
"""Decimals to which scores are rounded before anything is computed from them: what a certificate stores is
then what was judged, and can be judged again."""

ScoreTable = Mapping[str, Mapping[str, float | None]]
"""By subject and metric; None where a metric is not defined for a subject."""


class Constraint(Settings):
    """What must hold: the mean loss over patients stays below each margin, at the full `confidence`."""

    margins: Annotated[
        dict[str, float],
        Field(min_length=1),
        BeforeValidator(lambda value: parse_margins(value) if isinstance(value, str) else value),
        Flag("margin", "METRIC=LOSS,…"),
    ] = Field(
        default_factory=lambda: {"auroc": 0.01},
        description="What may be lost, mean over patients, in the metric's own unit, such as "
        f"auroc=0.01,macro_f1=0.02. On any of {', '.join(margin_metrics())}.",
    )
    confidence: Annotated[float, Field(ge=0.5, le=0.999), Flag("confidence")] = 0.95
    """How sure it must be that the margins hold."""
    harmed_share: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Flag("harmed-share")] = None
    """Certify too that at most this share of patients lose more than the margin."""

    @field_validator("margins")
    @classmethod
    def _possible(cls, margins: dict[str, float]) -> dict[str, float]:
        for metric, margin in margins.items():
            _check_margin(metric, margin)
        return margins


def _check_margin(metric: str, margin: float) -> None:
    if metric not in margin_metrics():
        raise SettingsError(
            f"margin for {metric!r}: no such metric; there are {', '.join(margin_metrics())}"
        )
    if not math.isfinite(margin) or margin < 0:
        raise SettingsError(
            f"margin {metric}={margin:g}: wanted how much may be lost, a number from 0 on, such as "
            f"{metric}={'0.01' if METRICS[metric].is_share else '1'}"
        )
    if METRICS[metric].is_share and margin >= 1:
        raise SettingsError(
            f"margin {metric}={margin:g}: {metric} lies between 0 and 1, so this allows anything; "
            "for one per cent say 0.01"
        )


def parse_margins(text: str) -> dict[str, float]:
    """Read what a user states, such as "auroc=0.01,macro_f1=0.02", as {metric: margin}.

    Raises `SettingsError` in one line.
    """
    margins: dict[str, float] = {}
    for part in text.split(","):
        metric, sign, number = (word.strip() for word in part.partition("="))
        if not sign or not metric or not number:
            raise SettingsError(
                f"margin {part.strip()!r}: wanted metric=number, such as auroc=0.01"
            )
        if metric in margins:
            raise SettingsError(f"margin for {metric}: given twice; one number for each metric")
        try:
            margin = float(number)
        except ValueError:
            raise SettingsError(
                f"margin {metric}={number}: {number!r} is not a number; wanted one such as 0.01"
            ) from None
        _check_margin(metric, margin)
        margins[metric] = margin
    return margins


@dataclass(frozen=True)
class Losses:
    """What each subject lost; `values` of shape (n,), or (repeats, n), beside `subjects`.

    `left_out`: subjects for whom the metric is not defined, and for which model it is not.
    """

    metric: str
    subjects: tuple[str, ...]
    values: NDArray[np.float64]
    left_out: dict[str, str]


def losses_of(baseline: ScoreTable, pruned: ScoreTable, metric: str) -> Losses:
    """Losses by subject, in alphabetical order. Raises `ScoringError` where the tables don't match."""
    if set(baseline) != set(pruned):
        odd = sorted(set(baseline) ^ set(pruned))
        raise ScoringError(
            f"both models must be scored on the same subjects; {odd[0]} is in one table alone"
        )
    names, values, left_out = [], [], {}
    for subject in sorted(baseline):
        before = _score(baseline, subject, metric)
        after = _score(pruned, subject, metric)
        if before is not None and after is not None:
            names.append(subject)
            more = METRICS[metric].higher_is_better
            values.append(before - after if more else after - before)
            continue
        missing = {"the baseline": before, "the pruned network": after}
        which = " and ".join(model for model, value in missing.items() if value is None)
        left_out[subject] = f"{metric} is not defined for {which}"
    return Losses(metric, tuple(names), np.array(values, dtype=np.float64), left_out)


def repeated_losses(
    baseline: Sequence[ScoreTable], pruned: Sequence[ScoreTable], metric: str
) -> Losses:
    """Losses, shape (repeats, n). Raises `ScoringError` where the tables of repeats don't match."""
    if len(baseline) != len(pruned):
        raise ScoringError(
            f"the baseline was scored in {len(baseline)} repeats, the pruned network in {len(pruned)}"
        )
    each = [losses_of(*tables, metric) for tables in zip(baseline, pruned, strict=True)]
    if len({losses.subjects for losses in each}) > 1:
        raise ScoringError(f"{metric} is defined for other subjects in one repeat than in another")
    return Losses(
        metric, each[0].subjects, np.stack([each.values for each in each]), each[0].left_out
    )


def _score(table: ScoreTable, subject: str, metric: str) -> float | None:
    try:
        value = table[subject][metric]
    except KeyError:
        raise ScoringError(f"{subject} has no {metric} in its table of scores") from None
    if value is None:
        return None
    if not math.isfinite(value):
        raise ScoringError(f"{metric} of {subject} is {value}, which is no number")
    return round(float(value), DIGITS)


def check_background(
    margins: Mapping[str, float], seconds: Mapping[str, float], *, force: bool = False
) -> str | None:
    """Whether events may be counted on so much background; `seconds` of it by subject.

    Returns a note where `force` alone allowed it, else None. Raises `ScoringError` where a margin is on
    an event metric and a subject has under an hour of background.
    """
    asked = [metric for metric in margins if metric in event_metrics()]
    short = sorted((seconds[subject], subject) for subject in seconds)
    short = [each for each in short if each[0] < LEAST_BACKGROUND]
    if not asked or not short:
        return None
    number = (
        f"{len(short)} of {len(seconds)} subjects have under an hour of background "
        f"({short[0][1]}: {short[0][0] / 3600:.2f} h)"
    )
    if not force:
        raise ScoringError(
            f"margin on {asked[0]}: {number}, too little to count events on; take a margin on windows "
            "(auroc, macro_f1, …), or --force, in Python settings={'force': True}"
        )
    return f"{', '.join(asked)} forced: {number}"
