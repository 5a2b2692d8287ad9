"""Which windows each epoch sees, and what is changed in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secateur.errors import TrainingError
from secateur.recordings import data_set_of
from secateur.recordings.montage import mirrored
from secateur.training.settings import AugmentationSettings, TrainingSettings
from secateur.windows import WindowSet


class EpochDraw:
    """Draws windows by one generator; the same seed gives the same windows, changed alike."""

    def __init__(self, windows: WindowSet, settings: TrainingSettings, seed: int) -> None:
        self._windows = windows
        self._settings = settings
        self._generator = np.random.default_rng([seed, 1])
        usable = windows.trainable()
        ictal = windows.labels[usable]
        self._ictal, self._background = usable[ictal], usable[~ictal]
        if len(self._ictal) == 0 or len(self._background) == 0:
            raise TrainingError(
                f"to learn from are {len(self._ictal)} ictal and {len(self._background)} background "
                "windows (those across an event's edge left out); both are needed"
            )
        self._mirror = mirrored(windows.channel_names) if settings.augmentation.mirror else None
        self._usable = usable
        people = [part.entry.subject for part in windows.prepared]
        # of rising sums a draw is found by bisection; made once, for they are as many as the windows
        self._up_to = np.cumsum(_alike(windows.recording[usable], people, ictal))
        self._up_to /= self._up_to[-1]

    @property
    def balanced(self) -> bool:
        """Whether classes, data sets and subjects are drawn alike."""
        return self._settings.draw == "balanced" and self._settings.background_per_epoch is None

    def next(self) -> NDArray[np.int64]:
        """Indices for one epoch, in random order."""
        if self.balanced:
            return self.sample(self._settings.windows_per_epoch)
        background = self._background
        count = self._settings.background_per_epoch
        if count is not None and count < len(background):
            background = self._generator.choice(background, count, replace=False)
        return self._generator.permutation(np.concatenate((self._ictal, background)))

    def sample(self, count: int) -> NDArray[np.int64]:
        """So many windows as an epoch would show them, with replacement."""
        if self.balanced:
            drawn = np.searchsorted(self._up_to, self._generator.random(count), side="right")
            return self._usable[drawn]
        return self._generator.choice(self._usable, count)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The windows at `indices`, changed as the settings say: windows × channels × samples."""
        rules = self._settings.augmentation
        shifts = None
        if rules.shift:
            back, forth = self._windows.back[indices], self._windows.forth[indices]
            shifts = self._generator.integers(-back, forth + 1)
        values = self._windows.scaled(indices, shifts)
        if self._mirror is not None:
            others, signs = map(np.array, self._mirror)
            swapped = self._generator.random(len(values)) < 0.5
            values[swapped] = values[swapped][:, others] * signs[:, None].astype(np.float32)
        return self._windows.compressed(_changed(values, rules, self._generator))

    def labels(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Classes of the windows at `indices`: 0 background, 1 ictal."""
        return self._windows.labels[indices].astype(np.int64)

    @property
    def prior(self) -> float:
        """Share of ictal windows in what is learned from, weighed as the loss weighs them.

        What a network says of a window is its posterior at this share.
        """
        drawn = 0.5
        if not self.balanced:
            drawn = len(self._ictal) / (len(self._ictal) + self._background_drawn)
        background, ictal = self.class_weights()
        return ictal * drawn / (ictal * drawn + background * (1 - drawn))

    @property
    def _background_drawn(self) -> int:
        """Background windows of one epoch that isn't balanced."""
        limit = self._settings.background_per_epoch
        return len(self._background) if limit is None else min(len(self._background), limit)

    def class_weights(self) -> tuple[float, float]:
        """Weights of background and ictal in the loss; their mean over what is drawn is 1."""
        chosen = self._settings.class_weights
        if not isinstance(chosen, str):
            return chosen
        if chosen == "none" or self.balanced:
            return 1.0, 1.0
        background = self._background_drawn
        total = background + len(self._ictal)
        return total / (2 * background), total / (2 * len(self._ictal))


def _alike(
    recording: NDArray[np.integer], subjects: Sequence[str], ictal: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """A chance for each window: classes alike, within a class its data sets, within a set its subjects.

    `recording`: of each window, an index into `subjects`, who have their data set before their label as
    `Entry.subject` has it. `ictal`: of each window. Both of shape (n,).
    """
    chance = np.zeros(len(ictal))
    people, person_of = np.unique(subjects, return_inverse=True)
    person = person_of[recording]
    sets = np.array([data_set_of(name) for name in people.tolist()])
    for kind in (False, True):
        own = ictal == kind
        counts = np.bincount(person[own], minlength=len(people))
        present = counts > 0
        beside = np.array([np.sum(present & (sets == name)) for name in sets])
        number = len(np.unique(sets[present]))
        chance[own] = (0.5 / np.maximum(number * beside * counts, 1))[person[own]]
    return np.asarray(chance / chance.sum())


def _changed(
    windows: NDArray[np.float32], rules: AugmentationSettings, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Gain, silenced channels and order of channels; `windows` is changed in place where it can be."""
    count, channels, _ = windows.shape
    if rules.gain > 1:
        reach = np.log(rules.gain)
        gains = np.exp(generator.uniform(-reach, reach, count)).astype(np.float32)
        windows *= gains[:, None, None]
    most = min(rules.drop_channels, channels - 1)
    if most > 0 and rules.drop_probability > 0:
        for row in np.flatnonzero(generator.random(count) < rules.drop_probability):
            silenced = generator.choice(channels, generator.integers(1, most + 1), replace=False)
            windows[row, silenced] = 0
    if rules.permute_channels:
        order = generator.permuted(np.tile(np.arange(channels), (count, 1)), axis=1)
        return np.asarray(windows[np.arange(count)[:, None], order])
    return windows
