"""A mixed model of differences: subjects and folds both taken for random.

d_sf = mean + subject_s + fold_f + rest, fitted by restricted maximum likelihood (Laird and Ware,
Biometrics 38, 1982) with statsmodels. Luck of a fold's network and a subject's own difficulty are
each given their share of the variance.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.comparing.overlap import Estimate
from secateur.scoring.intervals import Interval

LEAST_LEVELS = 3
"""Of folds or subjects; the variance of fewer can't be told."""


@dataclass(frozen=True)
class Mixed:
    """Mean difference with 95 % interval and two-sided p by Student's t.

    Degrees of freedom: folds or subjects, whichever are fewer, minus one; the normal distribution, as
    statsmodels has it, is too sure of itself with few. `subject_deviation`, `fold_deviation`: standard
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
    folds = [fold for by_fold in cells.values() for fold in by_fold]
    values = np.array([d for by_fold in cells.values() for d in by_fold.values()], dtype=np.float64)
    parts = {"subject": subjects, "fold": folds}
    # A label that never comes twice can't be told from the rest
    parts = {name: labels for name, labels in parts.items() if len(set(labels)) < len(labels)}
    reason = _reason(values, subjects, folds, parts)
    if reason:
        return None, reason
    try:
        import statsmodels.regression.mixed_linear_model as models
    except ImportError:
        return None, "statsmodels is not installed: pip install 'secateur[study]'"
    scale = float(values.std(ddof=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of zero is no failure; what is, is asked below
        try:
            fit = _fit(models, values / scale, parts)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError) as error:
            return None, f"the model could not be fitted: {str(error).splitlines()[0]}"
        mean, wrong = float(fit.fe_params[0]) * scale, float(fit.bse_fe[0]) * scale
        variances = {n: float(v) for n, v in zip(parts, fit.vcomp, strict=True)}
    if not fit.converged or not math.isfinite(wrong) or wrong <= 0:
        return None, "the model did not converge"
    estimate = Estimate(mean, wrong, min(len(set(subjects)), len(set(folds))) - 1)
    deviations = {name: scale * math.sqrt(max(value, 0.0)) for name, value in variances.items()}
    return (
        Mixed(
            mean,
            estimate.interval(),
            estimate.p(),
            deviations.get("subject"),
            deviations.get("fold"),
        ),
        "",
    )


def _reason(
    values: NDArray[np.float64],
    subjects: Sequence[str],
    folds: Sequence[str],
    parts: Mapping[str, Sequence[str]],
) -> str:
    for name, labels in (("subjects", subjects), ("folds", folds)):
        if len(set(labels)) < LEAST_LEVELS:
            return f"fewer than {LEAST_LEVELS} {name} are shared"
    if not parts:
        return "each fold tests one subject once: the two can't be told apart"
    if np.ptp(values) == 0:
        return "all differences are equal"
    return ""


def _fit(models: Any, values: NDArray[np.float64], parts: Mapping[str, Sequence[str]]) -> Any:
    """One group of all, so that subjects and folds may cross; each part an indicator matrix."""
    names, columns, matrices = [], [], []
    for name, labels in parts.items():
        levels = sorted(set(labels))
        names.append(name)
        columns.append([levels])
        matrices.append(
            [np.array([[label == level for level in levels] for label in labels], float)]
        )
    ones = np.ones(len(values))
    spec = models.VCSpec(names, columns, matrices)
    return models.MixedLM(values, ones[:, None], groups=ones, exog_vc=spec).fit(reml=True)
