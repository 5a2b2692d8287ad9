"""How good the verdicts on windows are: the numbers of the confusion table, areas under curves, Brier score;
and where the threshold belongs. Truth (bool), probabilities and weights have shape (n,); what is not defined
is None.

Everything takes weights so that a bootstrap over subjects or recordings is a change of weights and not
a copy of the data; and sorts once, so that a replicate costs a pass and no sort.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ScoringError
from secateur.scoring.metrics import METRICS, window_metrics

Number = TypeVar("Number", bound=np.generic)

SHRINKAGE = 0.5
"""Part of the way from the best threshold on validation to its anchor that is gone unless set otherwise."""


@dataclass(frozen=True)
class Confusion:
    """Weights of windows by truth and verdict; counts where every weight is 1."""

    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def sensitivity(self) -> float | None:
        """Share of ictal windows that are called so."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float | None:
        """Share of background windows that are called so."""
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def accuracy(self) -> float | None:
        """Share of windows called what they are."""
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def f1_ictal(self) -> float | None:
        """F1 of the class seizure; None where it neither is nor is called."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def f1_background(self) -> float | None:
        """F1 of the class background."""
        return _ratio(2 * self.tn, 2 * self.tn + self.fp + self.fn)

    @property
    def macro_f1(self) -> float | None:
        """Mean of both classes' F1; None where the truth lacks a class.

        There a single false window would halve it, from 1.0 to 0.5, whatever the others are.
        """
        if self.sensitivity is None or self.specificity is None:
            return None
        return ((self.f1_ictal or 0.0) + (self.f1_background or 0.0)) / 2

    def table(self) -> list[list[int]]:
        """[[tn, fp], [fn, tp]]: rows are truth, columns verdict, background first."""
        return [[round(self.tn), round(self.fp)], [round(self.fn), round(self.tp)]]


def _ratio(part: float, total: float) -> float | None:
    return part / total if total > 0 else None


class WindowScores:
    """Truth and probabilities of some windows, sorted once, to be scored under any weights."""

    def __init__(
        self, truth: NDArray[np.bool_], probability: NDArray[np.floating], threshold: float
    ) -> None:
        truth = np.asarray(truth, dtype=np.bool_)
        values: NDArray[np.float64] = np.asarray(probability, dtype=np.float64)
        if truth.shape != values.shape or truth.ndim != 1:
            raise ScoringError(
                f"truth and probabilities must be of one shape (n,); "
                f"got {truth.shape} and {values.shape}"
            )
        if not np.isfinite(values).all():
            raise ScoringError("a probability is not a number")
        self._order = np.argsort(-values, kind="stable")
        self.truth = truth[self._order]
        self.probability = values[self._order]
        self.threshold = threshold

    @cached_property
    def _steps(self) -> NDArray[np.int64]:
        """Last position of each run of equal probabilities, in the sorted order."""
        if len(self.probability) == 0:
            return np.empty(0, dtype=np.int64)
        change = np.flatnonzero(np.diff(self.probability))
        return np.append(change, len(self.probability) - 1)

    def ordered(self, values: NDArray[Number]) -> NDArray[Number]:
        """A value of each window, shape (n,), in falling order of probability, as `truth` is."""
        return values[self._order]

    def _weights(self, weights: NDArray[np.floating] | None) -> NDArray[np.float64]:
        if weights is None:
            return np.ones(len(self.truth))
        return np.asarray(weights, dtype=np.float64)[self._order]

    def confusion(
        self, weights: NDArray[np.floating] | None = None, threshold: float | None = None
    ) -> Confusion:
        """Weights by truth and verdict; a window is called ictal at `threshold` or above."""
        limit = self.threshold if threshold is None else threshold
        w = self._weights(weights)
        called = self.probability >= limit
        return Confusion(
            tp=float(w[called & self.truth].sum()),
            fp=float(w[called & ~self.truth].sum()),
            fn=float(w[~called & self.truth].sum()),
            tn=float(w[~called & ~self.truth].sum()),
        )

    def _cumulative(
        self, weights: NDArray[np.floating] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """True and false positives as the threshold falls past each distinct probability."""
        w = self._weights(weights)
        tp = np.cumsum(np.where(self.truth, w, 0.0))[self._steps]
        fp = np.cumsum(np.where(self.truth, 0.0, w))[self._steps]
        return tp, fp

    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """False positive rate and sensitivity at every threshold, from (0, 0) to (1, 1)."""
        tp, fp = self._cumulative(None)
        fpr = np.concatenate(([0.0], fp / max(fp[-1] if len(fp) else 0, 1e-300)))
        tpr = np.concatenate(([0.0], tp / max(tp[-1] if len(tp) else 0, 1e-300)))
        return fpr, tpr

    def precision_recall(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sensitivity and precision at every threshold, falling."""
        tp, fp = self._cumulative(None)
        return tp / max(tp[-1] if len(tp) else 0, 1e-300), tp / np.maximum(tp + fp, 1e-300)

    def auroc(self, weights: NDArray[np.floating] | None = None) -> float | None:
        """Area under the ROC curve, ties counted half; None where a class is missing."""
        tp, fp = self._cumulative(weights)
        if len(tp) == 0 or tp[-1] <= 0 or fp[-1] <= 0:
            return None
        area = np.trapezoid(np.concatenate(([0.0], tp)), np.concatenate(([0.0], fp)))
        return float(area / (tp[-1] * fp[-1]))

    def auprc(self, weights: NDArray[np.floating] | None = None) -> float | None:
        """Average precision: precision weighted by steps of sensitivity; None where a class is missing.

        Without background it would be 1, whatever the probabilities.
        """
        tp, fp = self._cumulative(weights)
        if len(tp) == 0 or tp[-1] <= 0 or fp[-1] <= 0:
            return None
        precision = tp / np.maximum(tp + fp, 1e-300)
        return float((np.diff(tp, prepend=0.0) * precision).sum() / tp[-1])

    def brier(self, weights: NDArray[np.floating] | None = None) -> float | None:
        """Mean squared difference between probability and truth."""
        w = self._weights(weights)
        total = w.sum()
        if total <= 0:
            return None
        return float((w * (self.probability - self.truth) ** 2).sum() / total)

    def all(self, weights: NDArray[np.floating] | None = None) -> dict[str, float | None]:
        """Every metric of windows."""
        weighted = Weighted(self, weights)
        return {key: METRICS[key].measure(weighted) for key in window_metrics()}


class Weighted:
    """What a metric of windows is computed from: scores under one set of weights, each number once."""

    def __init__(self, scores: WindowScores, weights: NDArray[np.floating] | None) -> None:
        self.scores = scores
        self.weights = weights

    @cached_property
    def confusion(self) -> Confusion:
        """The table at the threshold."""
        return self.scores.confusion(self.weights)

    @cached_property
    def auroc(self) -> float | None:
        """Area under the ROC curve."""
        return self.scores.auroc(self.weights)

    @cached_property
    def auprc(self) -> float | None:
        """Average precision."""
        return self.scores.auprc(self.weights)

    @cached_property
    def brier(self) -> float | None:
        """Brier score."""
        return self.scores.brier(self.weights)


def chosen_threshold(
    truth: NDArray[np.bool_],
    probability: NDArray[np.floating],
    *,
    prevalence: float | None = None,
    prior: float = 0.5,
    shrinkage: float = SHRINKAGE,
) -> float:
    """The best threshold on validation, shrunk towards where the classes' shares put it.

    What is best on a few validation subjects is a noisy guess of what is best on others; its anchor
    (`threshold_anchor`) depends on them far less. `shrinkage` of the way between them is gone, on the scale
    of log odds; 0 takes the best as it is. `prevalence`: share of ictal windows that is expected, to which
    the windows are weighed; None: that of these. `prior`: the share that the network learned from. Raises
    `ScoringError` where a class is missing.
    """
    weights = None
    if prevalence is not None and 0 < np.mean(truth) < 1:
        share = float(np.mean(truth))
        weights = np.where(truth, prevalence / share, (1 - prevalence) / (1 - share))
    best = best_threshold(truth, probability, weights)
    anchor = threshold_anchor(WindowScores(truth, probability, best).confusion(weights), prior)
    if shrinkage == 0 or not 0 < best < 1:
        return best if shrinkage < 1 else anchor
    return _share_of(shrinkage * _log_odds(anchor) + (1 - shrinkage) * _log_odds(best))


def moved_threshold(threshold: float, before: float, after: float) -> float:
    """`threshold`, moved by what isn't shrunk away of the way from `before` to `after`, in log odds."""
    if not all(0 < share < 1 for share in (threshold, before, after)):
        return threshold
    way = _log_odds(after) - _log_odds(before)
    return _share_of(_log_odds(threshold) + (1 - SHRINKAGE) * way)


def threshold_anchor(table: Confusion, prior: float = 0.5) -> float:
    """Where a calibrated network's threshold for macro-F1 belongs; `table`: at the best one.

    At the optimum, calling one window more changes macro-F1 by nothing: a window of posterior p adds
    (2p − F1_ictal) / (called + π) to the one F1 and takes (2 − 2p − F1_background) / (quiet + 1 − π) from the
    other, with π, called and quiet as shares of all windows. Solved for p that is [F1_ictal (quiet + 1 − π) +
    (2 − F1_background) (called + π)] / 4: one half where classes are alike or told apart well, F1_ictal / 2
    where seizures are rare, as Z. Lipton et al. (Optimal Thresholding of Classifiers to Maximize F1 Measure,
    2014) have it for a single F1. A network that learned at a share `prior` of ictal windows says p's odds
    times those of `prior` over those of π (M. Saerens et al., Neural Computation 14, 2002).
    """
    total = table.tp + table.fp + table.fn + table.tn
    ictal, called = (table.tp + table.fn) / total, (table.tp + table.fp) / total
    yes, no = called + ictal, 2 - called - ictal
    posterior = ((table.f1_ictal or 0.0) * no + (2 - (table.f1_background or 0.0)) * yes) / 4
    return _share_of(_log_odds(posterior) + _log_odds(prior) - _log_odds(ictal))


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def _share_of(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def best_threshold(
    truth: NDArray[np.bool_],
    probability: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> float:
    """The threshold with the largest macro-F1.

    Of several equally good ones the middle of the widest gap between probabilities is taken, so that
    a hair's difference in a probability changes nothing. To be used on validation data only. Raises
    `ScoringError` where a class is missing.
    """
    scores = WindowScores(truth, probability, 0.5)
    tp, fp = scores._cumulative(weights)
    if len(tp) == 0 or tp[-1] == 0 or fp[-1] == 0:
        raise ScoringError("a threshold can't be chosen where only one class occurs")
    fn, tn = tp[-1] - tp, fp[-1] - fp
    ictal = 2 * tp / (2 * tp + fp + fn)
    background = 2 * tn / np.maximum(2 * tn + fp + fn, 1e-300)
    macro = (ictal + background) / 2
    levels = scores.probability[scores._steps]
    below = np.append(levels[1:], 0.0)
    best = np.flatnonzero(macro >= macro.max() - 1e-12)
    widest = best[np.argmax(levels[best] - below[best])]
    return float((levels[widest] + below[widest]) / 2)
