"""How steady a choice of kernels is: over networks of several seeds, or one at several epochs.

Kernels of networks that began from different weights have nothing to do with each other whatever their
numbers, so over seeds of initialisation overlap is near chance for any importance. The chance level
stands beside every number.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom, kendalltau

from secateur.errors import ScoringError

Kept = Mapping[str, Sequence[int]]
"""By group: the sets of channels that stay."""

OVER_ALL = "all"
"""The name under which all groups together stand."""


@dataclass(frozen=True)
class Overlap:
    """Means over all pairs of runs. `jaccard`: sets that both keep among those that either keeps, 1 for
    the same choice. `by_chance`: what random choices of as many sets would have.
    """

    jaccard: float
    by_chance: float


def jaccard(kept_a: Kept, kept_b: Kept) -> float:
    """|A ∩ B| / |A ∪ B| over all groups together; 1 where neither keeps anything."""
    first, second = ({(name, k) for name in kept for k in kept[name]} for kept in (kept_a, kept_b))
    together = len(first | second)
    return len(first & second) / together if together else 1.0


def jaccard_by_chance(choices: Sequence[tuple[int, int, int]]) -> float:
    """Mean Jaccard index of two independent random choices of coupled channels.

    `choices`: for each group its size, and how many of them the first and the second choice keep.
    Exact: in each group the number shared is hypergeometric, groups are independent, and s shared of a
    and b kept make s / (a + b − s).
    """
    chances = np.ones(1)
    for size, first, second in choices:
        shared = np.arange(min(first, second) + 1)
        chances = np.convolve(chances, hypergeom(size, first, second).pmf(shared))
    both = sum(first + second for _, first, second in choices)
    if not both:
        return 1.0
    shared = np.arange(len(chances))
    return float((chances * shared / (both - shared)).sum())


def overlaps(runs: Sequence[Kept], sizes: Mapping[str, int]) -> dict[str, Overlap]:
    """Overlap of what `runs` keep, by group, and over all under `OVER_ALL`.

    `sizes`: how many sets each group has. Numbers kept may differ from run to run. Raises `ScoringError` for
    fewer than two runs, or runs of networks with other groups.
    """
    _require_alike([dict.fromkeys(run, 0) for run in runs], dict.fromkeys(sizes, 0))
    overlap = {}
    for name in (*sizes, OVER_ALL):
        names = list(sizes) if name == OVER_ALL else [name]
        pairs = [
            tuple({each: run[each] for each in names} for run in pair)
            for pair in itertools.combinations(runs, 2)
        ]
        chance = [
            jaccard_by_chance([(sizes[each], len(run_a[each]), len(run_b[each])) for each in names])
            for run_a, run_b in pairs
        ]
        overlap[name] = Overlap(
            float(np.mean([jaccard(run_a, run_b) for run_a, run_b in pairs])),
            float(np.mean(chance)),
        )
    return overlap


def rank_correlations(
    runs: Sequence[Mapping[str, NDArray[np.float64]]],
) -> dict[str, float | None]:
    """Kendall's τ-b of scores, mean over all pairs of runs, by group, and over all under `OVER_ALL`.

    1 for the same order, 0 by chance, −1 for the opposite one. Over all: the groups' mean, weighted by
    their pairs of sets (scores of different layers aren't ranked together). None where a group has one
    set or a run's scores are all alike, and such a group doesn't count over all. Raises `ScoringError`
    as `overlaps` does.
    """
    shapes = [{name: len(score) for name, score in run.items()} for run in runs]
    _require_alike(shapes, shapes[0] if shapes else {})
    mean_taus: dict[str, float | None] = {}
    for name in shapes[0]:
        taus = [
            _kendall(run_a[name], run_b[name]) for run_a, run_b in itertools.combinations(runs, 2)
        ]
        known = [tau for tau in taus if tau is not None]
        mean_taus[name] = float(np.mean(known)) if len(known) == len(taus) else None
    counted = {name: tau for name, tau in mean_taus.items() if tau is not None}
    weights = [shapes[0][name] * (shapes[0][name] - 1) / 2 for name in counted]
    mean = float(np.average(list(counted.values()), weights=weights)) if counted else None
    return {**mean_taus, OVER_ALL: mean}


def _kendall(scores_a: NDArray[np.float64], scores_b: NDArray[np.float64]) -> float | None:
    if len(np.unique(scores_a)) < 2 or len(np.unique(scores_b)) < 2:
        return None
    return float(kendalltau(scores_a, scores_b).statistic)


def _require_alike(shapes: Sequence[Mapping[str, int]], expected: Mapping[str, int]) -> None:
    if len(shapes) < 2 or any(shape != expected for shape in shapes):
        raise ScoringError(
            f"stability compares two runs or more of one network, group by group; got {len(shapes)} of "
            f"{len({tuple(shape.items()) for shape in shapes})} shape(s)"
        )
