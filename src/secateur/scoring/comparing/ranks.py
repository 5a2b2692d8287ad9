"""Several conditions at once, by their ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ScoringError
from secateur.scoring.comparing.outcomes import DECIMALS
from secateur.scoring.intervals import LEVEL


@dataclass(frozen=True)
class Ranks:
    """`average`: rank by condition, 1 is best, ties share theirs. `blocks`: those that every condition has;
    `left_out`: the others.

    `p`: Friedman's, None for fewer than three conditions, two blocks, or where all are tied.
    `critical_difference`: average ranks further apart differ at 5 % (Nemenyi), None without blocks. Both
    take blocks for independent; folds that share training subjects are not, so this draws more
    than it proves.
    """

    average: Mapping[str, float]
    blocks: int
    left_out: int
    p: float | None
    critical_difference: float | None


def rank(table: Mapping[str, Mapping[str, float]]) -> Ranks:
    """Rank conditions inside each block (fold); `table`: score by condition and block, more is better.

    Friedman, Journal of the American Statistical Association 32, 1937, corrected for ties; critical
    difference after Nemenyi, as in Demšar, Journal of Machine Learning Research 7, 2006.
    Raises `ScoringError` for fewer than two conditions.
    """
    if len(table) < 2:
        raise ScoringError(f"ranks need two conditions or more, got {len(table)}")
    every = set().union(*table.values())
    blocks = sorted(every.intersection(*table.values()))
    if not blocks:
        return Ranks({}, 0, len(every), None, None)
    from scipy.stats import rankdata

    scores = np.array([[scores_of[block] for scores_of in table.values()] for block in blocks])
    ranks = np.asarray(rankdata(-scores.round(DECIMALS), axis=1), dtype=np.float64)
    return Ranks(
        average=dict(zip(table, ranks.mean(axis=0).tolist(), strict=True)),
        blocks=len(blocks),
        left_out=len(every) - len(blocks),
        p=_friedman(ranks),
        critical_difference=_critical_difference(len(table), len(blocks)),
    )


def _friedman(ranks: NDArray[np.float64]) -> float | None:
    """From ranks, blocks × conditions."""
    blocks, conditions = ranks.shape
    spread = float(((ranks - (conditions + 1) / 2) ** 2).sum()) / (blocks * (conditions - 1))
    if conditions < 3 or blocks < 2 or spread == 0:
        return None
    from scipy.stats import chi2

    statistic = blocks * float(((ranks.mean(axis=0) - (conditions + 1) / 2) ** 2).sum()) / spread
    return float(chi2.sf(statistic, conditions - 1))


def _critical_difference(conditions: int, blocks: int) -> float:
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(LEVEL, conditions, math.inf)) / math.sqrt(2)
    return q * math.sqrt(conditions * (conditions + 1) / (6 * blocks))
