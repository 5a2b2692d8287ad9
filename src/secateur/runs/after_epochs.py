"""What a pruned network scores right after its last cut and after few epochs of retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from secateur.runs.settings import ThresholdSettings
from secateur.scoring import WindowScores
from secateur.scoring.intervals import Scores, mean_over
from secateur.scoring.metrics import AFTER_EPOCHS
from secateur.training import batches_of, logits_of, reproducible
from secateur.windows import WindowSet, probability_of

WINDOWS = {"validation": 128, "test": 384}
"""Looked at of each side, about; all of a side that has no more. A look then costs a hundredth of a
retraining of five epochs (`python -m benchmarks.speed.after_epochs`).
"""


@dataclass(frozen=True)
class Sample:
    """Windows that stand for a side. `indices`: rising; `weights`: how many of the side's windows each stands
    for; both of shape (n,).
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, windows: WindowSet, count: int) -> Sample:
        """As many of each subject and class, evenly over its recordings; at least one where there is one.

        Nothing is drawn by chance: every network that is judged on these windows is judged on the same.
        """
        if len(windows) <= count:
            return cls(np.arange(len(windows)), np.ones(len(windows)))
        each = max(1, count // (2 * len(windows.subjects)))
        weights = np.zeros(len(windows))
        for own in windows.by_subject.values():
            for ictal in (True, False):
                group = own[windows.labels[own] == ictal]
                few = min(each, len(group))
                chosen = group[((np.arange(few) + 0.5) * len(group) / max(1, few)).astype(np.int64)]
                weights[chosen] = len(group) / max(1, few)
        indices = np.flatnonzero(weights)
        return cls(indices, weights[indices])


class AfterEpochs:
    """Scores a network in the middle of its retraining, on a sample of the test side.

    `scores`: by number of epochs, of those in `AFTER_EPOCHS` that were reached: every window metric over the
    sample, and by subject, weighed as the side has its windows; at a threshold chosen on a sample of
    validation. For reports alone: nothing is decided by them. `prior`: share of ictal windows learned from.
    """

    def __init__(
        self, sides: Mapping[str, WindowSet], rules: ThresholdSettings, prior: float, seed: int
    ) -> None:
        self._sides = {side: sides[side] for side in WINDOWS}
        self._samples = {side: Sample.of(sides[side], count) for side, count in WINDOWS.items()}
        # read and scaled once for all looks: that is a third of what a look costs
        self._batches = {
            side: list(batches_of(windows, self._samples[side].indices))
            for side, windows in self._sides.items()
        }
        self._rules, self._prior, self._seed = rules, prior, seed
        self.scores: dict[str, dict[str, Any]] = {}

    def __call__(self, epoch: int, network: nn.Module) -> None:
        """Score `network` after `epoch` epochs; 0 begins anew, as each step of several does."""
        if epoch == 0:
            self.scores.clear()
        if epoch not in AFTER_EPOCHS:
            return
        validation = self._sides["validation"]
        threshold = self._rules.choose(
            validation.labels[self._samples["validation"].indices],
            self._probability("validation", network),
            self._prior,
            share=float(validation.labels.mean()),
        )
        sample, test = self._samples["test"], self._sides["test"]
        labels, probability = test.labels[sample.indices], self._probability("test", network)

        def scores(chosen: NDArray[np.bool_]) -> Scores:
            windows = WindowScores(labels[chosen], probability[chosen], threshold)
            return windows.all(sample.weights[chosen])

        self.scores[str(epoch)] = {
            **scores(np.ones(len(labels), dtype=np.bool_)),
            "threshold": threshold,
            "windows": len(labels),
            "subjects": mean_over(test.subject_of[sample.indices], scores)[1],
        }

    def _probability(self, side: str, network: nn.Module) -> NDArray[np.float64]:
        with reproducible(self._seed):
            logits = logits_of(network, self._batches[side])
        return probability_of(logits)
