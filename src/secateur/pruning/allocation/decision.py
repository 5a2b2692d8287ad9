"""How many units of each group go: one decision from scores, settings and what was measured.

Comes in: scores of units, a structure, `PruningSettings`, and for some allocations curves or costs. Goes
out: a `Decision`. Next: `prune` cuts it and checks that what went is what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.pruning.allocation.costs import CostModel
from secateur.pruning.allocation.curves import Curve, least_loss
from secateur.pruning.allocation.knapsack import most_importance
from secateur.pruning.allocation.levels import nearest, relative
from secateur.pruning.allocation.shares import from_all, uniform
from secateur.pruning.settings import PruningSettings
from secateur.pruning.structure import Structure


@dataclass(frozen=True)
class Decision:
    """`removed`: units that go, by group. `kernels`: how many kernels these are, tied ones counted once
    for each convolution that has them: what is asked for, after rounding and tying, to the kernel.
    """

    removed: dict[str, int]
    kernels: int


def decide(
    scores: Mapping[str, NDArray[np.float64]],
    structure: Structure,
    settings: PruningSettings,
    curves: Mapping[str, Curve] | None = None,
    cost: CostModel | None = None,
) -> Decision:
    """How many units each group gives up under `settings`: which ones, its smallest scores say.

    `settings.ratio` is a share of each group's units ("uniform"), of all kernels ("global", "sensitivity",
    "dynamic": the same as global, to be asked anew with new scores), or of the cost ("cost"). A ratio of
    0 changes nothing. `curves`: from `measure_curves`, for "sensitivity". `cost`: from `macs_of`, priced
    in microseconds or not, for "cost". Numbers suit `settings.round_to` (see `levels`). No group loses
    its last unit, whatever the ratio.

    Raises `SettingsError` where scores are missing or no numbers, or curves or cost are needed.
    """
    compared = relative(scores, structure)
    step, ratio = settings.round_to, settings.ratio
    if ratio == 0:
        removed = dict.fromkeys(structure.names, 0)
    elif settings.allocation == "sensitivity":
        if curves is None:
            raise SettingsError("allocation sensitivity needs curves: measure_curves makes them")
        removed = least_loss(structure, curves, ratio, step)
    elif settings.allocation == "cost":
        if cost is None:
            raise SettingsError("allocation cost needs the cost of each layer: macs_of gives it")
        removed = most_importance(structure, compared, cost, (1 - ratio) * cost.of({}), step)
    else:
        one_by_one = settings.allocation == "uniform"
        raw = uniform(structure, ratio) if one_by_one else from_all(structure, scores, ratio)
        removed = {group.name: nearest(group, raw[group.name], step) for group in structure.groups}
    kernels = sum(removed[g.name] * g.kernels_per_unit for g in structure.groups)
    return Decision(removed, kernels)


def kept_by_score(scores: NDArray[np.float64], removed: int) -> tuple[int, ...]:
    """Indices, rising, of what stays when the `removed` smallest go; of equals the first goes first."""
    order = np.argsort(scores, kind="stable")
    return tuple(sorted(int(k) for k in order[removed:]))
