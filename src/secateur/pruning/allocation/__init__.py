"""How many kernels each convolution gives up, and which.

Comes in: a ratio or a size to reach, and each unit's score. Goes out: numbers of units, then the indices
that stay. Next: `surgery` cuts.
"""

from __future__ import annotations

from secateur.pruning.allocation.costs import CostModel, macs_of
from secateur.pruning.allocation.curves import Curve, measure_curves
from secateur.pruning.allocation.decision import Decision, decide, kept_by_score
from secateur.pruning.allocation.shares import removed_of
from secateur.pruning.allocation.targets import meet

__all__ = [
    "CostModel",
    "Curve",
    "Decision",
    "decide",
    "kept_by_score",
    "macs_of",
    "measure_curves",
    "meet",
    "removed_of",
]
