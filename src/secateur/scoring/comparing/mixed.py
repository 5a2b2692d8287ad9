"""A mixed model of differences: subjects and folds both taken for random.

d_sf = mean + subject_s + fold_f + rest, fitted by restricted maximum likelihood (Laird and Ware,
Biometrics 38, 1982). Luck of a fold's network and a subject's own difficulty are each given their share of
the variance, which may be none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.comparing.components import RestrictedLikelihood
from secateur.scoring.comparing.overlap import Estimate
from secateur.scoring.intervals import Interval

LEAST_LEVELS = 3
"""Of folds or subjects; the variance of fewer can't be estimated."""


@dataclass(frozen=True)
class Mixed:
    """Mean difference with 95 % interval and two-sided p by Student's t.

    Degrees of freedom: folds or subjects, whichever are fewer, minus one; the normal distribution is too sure
    of itself with few. `subject_deviation`, `fold_deviation`: standard
    deviations of the random effects, None where a part has none in the model.
    """

    estimate: float
    interval: Interval
    p: float
    subject_deviation: float | None
    fold_deviation: float | None


def mixed_model(cells: Mapping[str, Mapping[str, float]]) -> tuple[Mixed | None, str]:
    """Fit to {subject: {fold: difference}}. The text says why there is no model, empty where there is."""
    subjects = [name for name, folds in cells.items() for _ in folds]
    folds = [fold for differences in cells.values() for fold in differences]
    values = np.array([d for differences in cells.values() for d in differences.values()])
    effects = {"subject": subjects, "fold": folds}
    # A label that never comes twice can't be told from the rest
    effects = {name: labels for name, labels in effects.items() if len(set(labels)) < len(labels)}
    reason = _reason(values, subjects, folds, effects)
    if reason:
        return None, reason
    scale = float(values.std(ddof=1))
    levels = [np.unique(labels, return_inverse=True)[1] for labels in effects.values()]
    model = RestrictedLikelihood(values / scale, levels)
    best = model.best()
    mean, error = (scale * number for number in model.mean(best))
    estimate = Estimate(mean, error, min(len(set(subjects)), len(set(folds))) - 1)
    deviations = {name: scale * float(best[k]) for k, name in enumerate(effects)}
    interval, p = estimate.interval(), estimate.p()
    return Mixed(mean, interval, p, deviations.get("subject"), deviations.get("fold")), ""


def _reason(
    values: NDArray[np.float64],
    subjects: Sequence[str],
    folds: Sequence[str],
    effects: Mapping[str, Sequence[str]],
) -> str:
    for name, labels in (("subjects", subjects), ("folds", folds)):
        if len(set(labels)) < LEAST_LEVELS:
            return f"fewer than {LEAST_LEVELS} {name} are shared"
    if not effects:
        return "each fold tests one subject once: the two can't be told apart"
    if np.ptp(values) == 0:
        return "all differences are equal"
    return ""
