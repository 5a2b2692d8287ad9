"""The control that is no network: a random forest on a few numbers of each channel. A network that isn't
better than this has learnt nothing that was worth a network.

Features of each channel: log power in five bands (delta 0.5–4, theta 4–8, alpha 8–13, beta 13–25,
fast 25–40 Hz; periodogram with a Hann window), log line length, log variance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from secateur.windows import WindowSet

BANDS = ((0.5, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 25.0), (25.0, 40.0))
TREES = 300
FOREST_PRIOR = 0.5
"""Share of ictal windows that it learns from: classes are weighed alike."""
MOST_WINDOWS = 20_000
_BATCH = 256
_AT_ONCE = 16 * _BATCH
"""Windows whose features are held at once, and which the trees judge together."""
_LEAST = 1e-12


def features(windows: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """Windows × channels × samples to windows × (7 · channels)."""
    samples = windows.shape[2]
    tapered = (windows - windows.mean(axis=2, keepdims=True)) * np.hanning(samples)
    power = np.abs(np.fft.rfft(tapered, axis=2)) ** 2
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    columns = [
        power[:, :, (frequency >= low) & (frequency < high)].mean(axis=2) for low, high in BANDS
    ]
    columns.append(np.abs(np.diff(windows, axis=2)).sum(axis=2))
    columns.append(windows.var(axis=2))
    stacked = np.log(np.maximum(np.stack(columns, axis=2), _LEAST))
    return np.asarray(stacked.reshape(len(windows), -1), dtype=np.float32)


def features_of(
    windows: WindowSet,
    indices: NDArray[np.int64],
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Features of the windows at `indices`."""
    parts = []
    for start in range(0, len(indices), _BATCH):
        parts.append(features(windows.scaled(indices[start : start + _BATCH]), windows.rate))
        if progress:
            progress(min(start + _BATCH, len(indices)), len(indices))
    return np.concatenate(parts)


def fit_forest(
    training: WindowSet, seed: int, progress: Callable[[int, int], None] | None = None
) -> RandomForestClassifier:
    """A forest fitted on the windows that the networks learn from, classes weighed alike.

    On at most `MOST_WINDOWS` of them, drawn at random: features of all would outgrow memory.
    """
    usable = training.trainable()
    if len(usable) > MOST_WINDOWS:
        generator = np.random.default_rng([seed, 7])
        usable = np.sort(generator.choice(usable, MOST_WINDOWS, replace=False))
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=5, class_weight="balanced", random_state=seed, n_jobs=1
    )
    return forest.fit(features_of(training, usable, progress), training.labels[usable])


def forest_probability(forest: RandomForestClassifier, windows: WindowSet) -> NDArray[np.float64]:
    """Probability of seizure for every window."""
    probability = np.empty(len(windows))
    for start in range(0, len(windows), _AT_ONCE):
        chosen = np.arange(start, min(start + _AT_ONCE, len(windows)))
        probability[chosen] = forest.predict_proba(features_of(windows, chosen))[:, 1]
    return probability
