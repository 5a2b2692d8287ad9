"""How many kernels each convolution gives up, and which.

Comes in: a ratio or a size to reach, and each unit's score. Goes out: numbers of units, then the indices
that stay. Next: `surgery` cuts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secateur.pruning.allocation.costs import CostModel, macs_of
from secateur.pruning.allocation.curves import Curve, measure_curves
from secateur.pruning.allocation.decision import Decision, decide, kept_by_score
from secateur.pruning.allocation.shares import from_all, removed_of, uniform
from secateur.pruning.allocation.targets import meet
from secateur.pruning.structure import Group, Slot, Structure

__all__ = [
    "CostModel",
    "Curve",
    "Decision",
    "decide",
    "kept_by_score",
    "macs_of",
    "measure_curves",
    "meet",
    "removed_from_each",
    "removed_of",
]


def removed_from_each(
    scores: Mapping[str, NDArray[np.float64]], ratio: float, allocation: str
) -> dict[str, int]:
    """`uniform` or `from_all` for convolutions none of which are tied."""
    plain = Structure(
        tuple(
            Group(name, (Slot(name, "kernels", np.arange(len(score))[:, None]),))
            for name, score in scores.items()
        )
    )
    return uniform(plain, ratio) if allocation == "uniform" else from_all(plain, scores, ratio)
