"""How many units a group may lose, and scores that layers can be compared by.

Comes in: a group, what its kernels shall be a multiple of, its scores. Goes out: numbers of units, and
scores relative to their layer. Next: `decision`, `curves` and `knapsack`
choose among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.pruning.structure import Group, Structure


def levels(group: Group, round_to: int) -> NDArray[np.int64]:
    """Numbers of units, rising, that may go so that what is kept suits `round_to`.

    The kernels that each convolution keeps (those that could go; what is held fast isn't counted) are
    a multiple of `round_to` and at least one multiple, where the convolution is that wide. Where no
    number of units can make it so (three kernels a unit, fewer units than eight), any number may go but
    the last.
    """
    step = 1
    for slot in group.convolutions:
        width = slot.places.shape[1]
        if group.units * width >= round_to:
            step = math.lcm(step, round_to // math.gcd(round_to, width))
    if step > group.units:
        step = 1
    kept = np.arange(group.units // step * step, 0, -step)
    return np.asarray(group.units - kept, dtype=np.int64)


def nearest(group: Group, wanted: int, round_to: int) -> int:
    """The permitted number of units nearest to `wanted`; of two as near the one that removes fewer."""
    permitted = levels(group, round_to)
    return int(permitted[np.argmin(np.abs(permitted - wanted))])


def relative(
    scores: Mapping[str, NDArray[np.float64]], structure: Structure
) -> dict[str, NDArray[np.float64]]:
    """Scores divided by their mean in the group: longer sums make larger norms.

    Raises `SettingsError` where a group has no scores, too few, or some that are no numbers.
    """
    found = {}
    for group in structure.groups:
        score = np.asarray(scores.get(group.name, ()), dtype=np.float64)
        if score.shape != (group.units,) or not np.isfinite(score).all():
            raise SettingsError(
                f"group {group.name} has {group.units} units and needs a finite score for each, but got "
                f"{int(np.isfinite(score).sum())} finite ones of {score.size}"
            )
        found[group.name] = score / max(float(score.mean()), 1e-300)
    return found
