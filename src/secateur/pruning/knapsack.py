"""The most importance that a cost can buy.

Comes in: relative scores, a `CostModel`, what it may cost. Goes out: how many units each group gives up.
Next: `decide` returns it.

What is kept is worth the product over layers of the share of their importance that stays. Layers stand
in series: what one has lost no other gives back, and a plain sum would buy most for its money by leaving the
dearest layer a single kernel.

A unit costs in its own layer and in those that read it, and what it costs there depends on how many
others are kept, so units can't be packed one by one. It is a mixed-integer linear programme: one binary
variable for each number of units that a group may keep, worth the logarithm of its share, and for each two
groups that meet in a layer the product of both numbers, written exactly (for each number a of one group a
continuous variable that is the other's number where a is chosen and 0 elsewhere). HiGHS solves it, through
scipy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from secateur.errors import SettingsError
from secateur.pruning.costs import CostModel
from secateur.pruning.groups import Structure

_GAP = 1e-4
_NOTHING = 1e-12
"""The share that units without any importance count as: a logarithm needs one."""


@dataclass
class _Programme:
    """Columns and rows as they are written down."""

    gains: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)

    def columns(self, gains: NDArray[np.float64], whole: bool) -> NDArray[np.int64]:
        """New variables, ≥ 0 and, if whole, 0 or 1; returns their numbers."""
        begin = len(self.gains)
        self.gains += gains.tolist()
        self.whole += [int(whole)] * len(gains)
        return np.arange(begin, len(self.gains))

    def row(self, terms: Mapping[int, float], lower: float, upper: float) -> None:
        """A constraint: lower ≤ Σ term · variable ≤ upper."""
        self.entries += [(len(self.lower), column, value) for column, value in terms.items()]
        self.lower.append(lower)
        self.upper.append(upper)

    def solve(self) -> NDArray[np.float64]:
        rows, columns, values = zip(*self.entries, strict=True)
        matrix = coo_array((values, (rows, columns)), shape=(len(self.lower), len(self.gains)))
        highest = np.where(self.whole, 1.0, np.inf)
        solved = milp(
            -np.array(self.gains),
            integrality=np.array(self.whole),
            bounds=Bounds(np.zeros(len(highest)), highest),
            constraints=LinearConstraint(
                matrix.tocsr(), np.array(self.lower), np.array(self.upper)
            ),
            options={"mip_rel_gap": _GAP},
        )
        if solved.x is None:
            raise SettingsError(f"no allocation was found for this cost: {solved.message}")
        return np.asarray(solved.x)


def most_importance(
    structure: Structure,
    scores: Mapping[str, NDArray[np.float64]],
    cost: CostModel,
    budget: float,
    round_to: int,
) -> dict[str, int]:
    """Units that go such that the kept importance is the greatest whose cost ≤ `budget`.

    `scores`: by group; only their proportions count. `budget`: in the cost's unit. Where not even the
    smallest network is within it, that one is returned. Optimal to `_GAP` of the logarithm of the
    product.
    """
    from secateur.pruning.allocation import levels

    permitted = {group.name: levels(group, round_to) for group in structure.groups}
    smallest = {name: int(numbers[-1]) for name, numbers in permitted.items()}
    if cost.of(smallest) >= budget:
        return smallest
    programme = _Programme()
    chosen: dict[str, NDArray[np.int64]] = {}
    kept: dict[str, NDArray[np.int64]] = {}
    for group in structure.groups:
        kept[group.name] = group.size - permitted[group.name]
        best_first = np.cumsum(np.sort(scores[group.name])[::-1])
        gains = np.log(np.maximum(best_first / max(best_first[-1], 1e-300), _NOTHING))
        chosen[group.name] = programme.columns(gains[kept[group.name] - 1], whole=True)
        programme.row(dict.fromkeys(chosen[group.name].tolist(), 1.0), 1, 1)
    constant, single, pairs = _expanded(cost)
    whole = cost.of({})
    terms: dict[int, float] = {}
    for name, columns in chosen.items():
        for column, number in zip(columns.tolist(), kept[name].tolist(), strict=True):
            square = pairs.get((name, name), 0.0) * number * number
            terms[column] = (single.get(name, 0.0) * number + square) / whole
    for (one, other), price in pairs.items():
        if one != other:
            products = _product(programme, chosen, kept, (one, other))
            terms |= {column: price * number / whole for column, number in products.items()}
    programme.row(terms, -np.inf, (budget - constant) / whole)
    found = programme.solve()
    return {
        name: int(permitted[name][np.argmax(found[columns])]) for name, columns in chosen.items()
    }


def _product(
    programme: _Programme,
    chosen: Mapping[str, NDArray[np.int64]],
    kept: Mapping[str, NDArray[np.int64]],
    pair: tuple[str, str],
) -> dict[int, float]:
    """Columns with factors whose sum is the product of both groups' numbers."""
    one, other = pair
    if len(kept[one]) > len(kept[other]):
        one, other = other, one
    least, most = float(kept[other].min()), float(kept[other].max())
    parts = programme.columns(np.zeros(len(kept[one])), whole=False).tolist()
    for part, choice in zip(parts, chosen[one].tolist(), strict=True):
        programme.row({part: 1.0, choice: -most}, -np.inf, 0)
        programme.row({part: 1.0, choice: -least}, 0, np.inf)
    number = {
        c: -float(k) for c, k in zip(chosen[other].tolist(), kept[other].tolist(), strict=True)
    }
    programme.row(dict.fromkeys(parts, 1.0) | number, 0, 0)
    return dict(zip(parts, kept[one].astype(float).tolist(), strict=True))


def _expanded(
    cost: CostModel,
) -> tuple[float, dict[str, float], dict[tuple[str, str], float]]:
    """The cost as constant + Σ price · kept + Σ price · kept · kept."""
    constant = 0.0
    single: dict[str, float] = {}
    pairs: dict[tuple[str, str], float] = {}
    for layer in cost.layers:
        out, into = layer.outputs, layer.inputs
        constant += layer.factor * out.fixed * into.fixed + layer.fixed
        for extent, fixed in ((out, into.fixed), (into, out.fixed)):
            for name, count in extent.per_set.items():
                single[name] = single.get(name, 0.0) + layer.factor * count * fixed
        for one, count in out.per_set.items():
            for other, number in into.per_set.items():
                pair = (min(one, other), max(one, other))
                pairs[pair] = pairs.get(pair, 0.0) + layer.factor * count * number
    return constant, single, pairs
