"""What kernels are judged by: windows on which surgery is checked, batches in which both classes are alike,
and what was measured of the same network before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from torch import nn

from secateur.errors import SettingsError
from secateur.networks import Network
from secateur.pruning.allocation import Curve, measure_curves
from secateur.pruning.groups import Structure
from secateur.pruning.importance import score_groups
from secateur.pruning.readers import Batches
from secateur.pruning.settings import Importance
from secateur.pruning.tracing import trace
from secateur.windows import WindowSet

_PROOF_WINDOWS = 32
_WINDOWS = 512
_BATCH = 64
_SCORE, _CURVE = "score/", "curve/"


@dataclass(frozen=True)
class CalibrationData:
    """`proof`: windows × channels × samples. `batches`: labelled windows, the same at each call.

    `seed`: for random importance. `known`: arrays that `measure_calibration` found on the network that is
    cut, so that several rungs don't measure it again.
    """

    proof: NDArray[np.float32]
    batches: Batches | None = None
    seed: int = 0
    known: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, windows: WindowSet, seed: int) -> CalibrationData:
        """From the training side: as many ictal windows as background ones, drawn once by `seed`."""
        spread = np.linspace(0, len(windows) - 1, min(_PROOF_WINDOWS, len(windows)))
        order = windows.of_both_classes(_WINDOWS, np.random.default_rng([seed, 7]))
        parts = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]

        @cache  # read when an importance first asks, and held: curves pass over them many times
        def held() -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
            return [(windows.batch(part), windows.labels[part].astype(np.int64)) for part in parts]

        return cls(windows.batch(spread.astype(np.int64)), lambda: iter(held()), seed)

    def scores(
        self, network: nn.Module, structure: Structure, importance: Importance
    ) -> dict[str, NDArray[np.float64]]:
        """One number for each set of coupled channels, by group: known ones, or by `importance`."""
        known = {name: self.known.get(f"{_SCORE}{name}") for name in structure.names}
        if importance != "random" and all(score is not None for score in known.values()):
            return {name: score for name, score in known.items() if score is not None}
        return score_groups(network, structure, importance, self.batches, self.seed)

    def curves(
        self, network: nn.Module, structure: Structure, scores: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, Curve]:
        """What masking costs each group: known curves, or measured ones."""
        if all(f"{_CURVE}{name}" in self.known for name in structure.names):
            return {
                name: Curve(
                    tuple(int(number) for number in self.known[f"{_CURVE}{name}"][0]),
                    tuple(float(rise) for rise in self.known[f"{_CURVE}{name}"][1]),
                )
                for name in structure.names
            }
        if self.batches is None:
            raise SettingsError("allocation sensitivity is measured on windows, and there are none")
        return measure_curves(network, structure, scores, self.batches)


def measure_calibration(
    network: Network, importance: Importance, calibration: CalibrationData
) -> dict[str, NDArray[np.float64]]:
    """Scores by group ("score/…", shape (sets,)) and sensitivity curves ("curve/…", 2 × points: sets
    masked, rise of cross-entropy), for `CalibrationData.known`.
    """
    structure = trace(network, network.channels, network.samples)
    scores = calibration.scores(network, structure, importance)
    curves = calibration.curves(network, structure, scores)
    arrays = {f"{_SCORE}{name}": score for name, score in scores.items()}
    for name, curve in curves.items():
        arrays[f"{_CURVE}{name}"] = np.array([curve.removed, curve.rise], dtype=np.float64)
    return arrays
