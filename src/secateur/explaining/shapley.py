"""Shapley values of a game: each player's mean marginal worth over all orders in which players may come.

Exact by enumeration for few players, else by drawing orders, each followed by its reverse: E. Strumbelj and
I. Kononenko, Knowl. Inf. Syst. 41 (2014) 647; R. Mitchell et al., J. Mach. Learn. Res. 23 (2022) 43.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_EXACT = 12
"""Players up to which all coalitions may be asked: 4096."""
_WORTH_EXACT = 8
"""All coalitions are asked where they are at most so many times as many as were to be drawn."""

Coalitions = NDArray[np.bool_]
"""Coalitions × players: who is there."""
Worth = Callable[[Coalitions, int], NDArray[np.float64]]
"""The worth of each coalition, by the reference with a number that stands in for who is absent."""


@dataclass(frozen=True)
class Shapley:
    """`draws`: draws × players, whose mean are the values; a single one where they are exact.

    `empty`: the mean worth of nobody, over the references that the draws used.
    """

    draws: NDArray[np.float64]
    empty: float
    exact: bool

    @property
    def values(self) -> NDArray[np.float64]:
        """One for each player."""
        return np.asarray(self.draws.mean(axis=0))

    def errors(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard errors of the means over `draws` (draws × …), of sums of players too.

        Zero where values are exact, nan where there is a single draw.
        """
        if self.exact:
            return np.zeros(draws.shape[1:])
        if len(draws) < 2:
            return np.full(draws.shape[1:], np.nan)
        return np.asarray(draws.std(axis=0, ddof=1) / math.sqrt(len(draws)))


def shapley_values(
    worth: Worth, players: int, samples: int, references: int, generator: np.random.Generator
) -> Shapley:
    """Shapley values of `players`, averaged over `references`.

    `samples`: coalitions to be asked, about: at least two orders, which is one draw. Up to `MOST_EXACT`
    players all are asked, where that is not more than eight times `samples`.
    """
    if (players <= MOST_EXACT and 2**players <= _WORTH_EXACT * samples) or players == 1:
        used = min(references, max(1, samples // 2**players))
        return _exact(worth, players, used)
    return _drawn(worth, players, samples, references, generator)


def _exact(worth: Worth, players: int, references: int) -> Shapley:
    numbers = np.arange(2**players)
    present = (numbers[:, None] >> np.arange(players) & 1).astype(bool)
    worths = np.mean([worth(present, k) for k in range(references)], axis=0)
    sizes = present.sum(axis=1)
    factor = [
        math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
        for size in range(players)
    ]
    values = np.empty(players)
    for player in range(players):
        without = numbers[~present[:, player]]
        gains = worths[without | 1 << player] - worths[without]
        values[player] = gains @ np.array(factor)[sizes[without]]
    return Shapley(values[None], float(worths[0]), exact=True)


def _drawn(
    worth: Worth, players: int, samples: int, references: int, generator: np.random.Generator
) -> Shapley:
    pairs = max(1, (samples - 2) // (2 * (players - 1)))
    order_of = generator.permutation(references)
    draws, empty = np.zeros((pairs, players)), np.empty(pairs)
    for pair in range(pairs):
        order = generator.permutation(players)
        both = np.concatenate([_coming(order), _coming(order[::-1])[1:-1]])
        worths = worth(both, int(order_of[pair % references]))
        empty[pair] = worths[0]
        forth = worths[: players + 1]
        back = np.concatenate([worths[:1], worths[players + 1 :], worths[players : players + 1]])
        draws[pair, order] += np.diff(forth) / 2
        draws[pair, order[::-1]] += np.diff(back) / 2
    return Shapley(draws, float(empty.mean()), exact=False)


def _coming(order: NDArray[np.int64]) -> Coalitions:
    """Nobody, the first, the first two, and so on to all."""
    return np.asarray(np.argsort(order)[None, :] < np.arange(len(order) + 1)[:, None])
