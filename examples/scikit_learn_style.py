"""A detector as a scikit-learn classifier: `predict_proba` over recordings, scored by scikit-learn.

python examples/scikit_learn_style.py FOLDER DETECTOR.onnx

FOLDER: recordings with their events beside them, as `--data` takes them. Prints a table of metrics over hops,
all recordings together; scores by subject and by event are what `secateur evaluate` is for.
Needs scikit-learn (the extra `train`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

import secateur
from secateur.recordings import Recording


class SeizureClassifier(ClassifierMixin, BaseEstimator):
    """A trained detector. X is a list of recordings; a row comes out for each hop of each of them."""

    def __init__(self, path: str) -> None:
        self.path = path

    def fit(self, X: object = None, y: object = None) -> SeizureClassifier:
        """Open the file: it was trained before."""
        self.detector_ = secateur.load_detector(self.path)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: list[Recording]) -> NDArray[np.float64]:
        """Probabilities of background and seizure, hops × 2."""
        seizure = [self.detector_.window_probabilities(each).probability for each in X]
        return np.column_stack([1 - np.concatenate(seizure), np.concatenate(seizure)])

    def predict(self, X: list[Recording]) -> NDArray[np.int_]:
        """1 where the probability reaches the detector's threshold."""
        return (self.predict_proba(X)[:, 1] >= self.detector_.threshold).astype(int)


def main(folder: Path, detector_file: Path) -> None:
    """Probabilities of every recording against its events."""
    classifier = SeizureClassifier(str(detector_file)).fit()
    truth, probability = [], []
    for entry in secateur.load_cohort(folder):
        hops = classifier.detector_.window_probabilities(entry.open())
        inside = entry.events.overlap(hops.begin, hops.begin + hops.hop)
        truth.append(inside >= hops.hop / 2)
        probability.append(classifier.predict_proba([entry.open()])[:, 1])
    for metric in (roc_auc_score, average_precision_score, brier_score_loss):
        value = metric(np.concatenate(truth), np.concatenate(probability))
        print(f"{metric.__name__:24} {value:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
