"""A share of each layer, or of all together.

Comes in: a ratio, a structure, scores. Goes out: how many units each group gives up, before rounding.
Next: `decide` rounds them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secateur.pruning.allocation.levels import relative
from secateur.pruning.structure import Structure


def removed_of(kernels: int, ratio: float) -> int:
    """Kernels that go from a layer of `kernels`: ratio · kernels, halves rounded up; one always stays."""
    return min(kernels - 1, wanted_of(kernels, ratio))


def wanted_of(kernels: int, ratio: float) -> int:
    """Ratio · kernels, halves rounded up."""
    # the small term undoes binary fractions: 0.35 · 10 is meant to be 3.5
    return math.floor(ratio * kernels + 0.5 + 1e-9)


def uniform(structure: Structure, ratio: float) -> dict[str, int]:
    """The ratio of each group's units: the published method."""
    return {group.name: removed_of(group.units, ratio) for group in structure.groups}


def from_all(
    structure: Structure, scores: Mapping[str, NDArray[np.float64]], ratio: float
) -> dict[str, int]:
    """The ratio of all kernels together: the smallest scores go wherever they are.

    Each layer's scores are divided by their mean first, and its best unit stays. Units go in the order
    of their scores, of equals the first; a tied unit counts once for each convolution that has it, so
    the number is met to within half of such a unit, and exactly where none is tied.
    """
    compared = relative(scores, structure)
    candidates = [
        (float(value), place, group.kernels_per_unit)
        for place, group in enumerate(structure.groups)
        for value in np.sort(compared[group.name])[:-1]
    ]
    candidates.sort(key=lambda one: one[0])
    gone = np.cumsum([0, *(kernels for _, _, kernels in candidates)])
    count = int(np.argmin(np.abs(gone - wanted_of(structure.kernels, ratio))))
    removed = dict.fromkeys(structure.names, 0)
    for _, place, _ in candidates[:count]:
        removed[structure.groups[place].name] += 1
    return removed
