"""Shapley values against their definition, and the errors that are reported of drawn ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.removal import Game, fades
from secateur.explaining.shapley import shapley_values
from tests.support.explained import RATE, looking_at, noise, opened

Worth = Callable[[NDArray[np.bool_], int], NDArray[np.float64]]


def random_game(players: int, seed: int = 0) -> Worth:
    """A worth for each coalition by chance, other for each reference."""
    table = np.random.default_rng(seed).normal(size=(4, 2**players))

    def worth(present: NDArray[np.bool_], reference: int) -> NDArray[np.float64]:
        return np.asarray(table[reference, present @ (1 << np.arange(players))])

    return worth


def triples(players: int) -> tuple[Worth, NDArray[np.float64]]:
    """A game of single players and of triples, whose Shapley values are known: a triple's third each."""
    generator = np.random.default_rng(3)
    alone = generator.normal(size=players)
    members = [generator.choice(players, 3, replace=False) for _ in range(40)]
    strengths = generator.normal(size=40)
    expected = alone.copy()
    for triple, strength in zip(members, strengths, strict=True):
        expected[triple] += strength / 3

    def worth(present: NDArray[np.bool_], _: int) -> NDArray[np.float64]:
        together = [present[:, triple].all(axis=1) for triple in members]
        return np.asarray(present @ alone + np.stack(together, axis=1) @ strengths)

    return worth, expected


def by_definition(worth: Worth, players: int) -> NDArray[np.float64]:
    values = np.zeros(players)
    for order in permutations(range(players)):
        present = np.zeros((1, players), dtype=bool)
        before = worth(present, 0)[0]
        for player in order:
            present[0, player] = True
            after = worth(present, 0)[0]
            values[player] += after - before
            before = after
    return values / math.factorial(players)


@pytest.mark.parametrize("players", [1, 2, 5, 6])
def test_few_players_get_what_the_definition_says(players: int) -> None:
    worth = random_game(players)
    result = shapley_values(worth, players, 64, 1, np.random.default_rng(0))
    assert result.exact
    assert result.values == pytest.approx(by_definition(worth, players))
    assert (result.errors(result.draws) == 0).all()


def by_reference(
    worth: Worth, number: int, present: NDArray[np.bool_], _: int
) -> NDArray[np.float64]:
    return worth(present, number)


def test_exact_values_are_the_mean_over_as_many_references_as_samples_allow() -> None:
    worth = random_game(4)
    one, four = (
        shapley_values(worth, 4, samples, 4, np.random.default_rng(0)) for samples in (16, 64)
    )
    each = [
        shapley_values(partial(by_reference, worth, k), 4, 16, 1, np.random.default_rng(0)).values
        for k in range(4)
    ]
    assert one.values == pytest.approx(each[0])
    assert four.values == pytest.approx(np.mean(each, axis=0))


def test_up_to_twelve_players_all_coalitions_are_asked_where_that_is_not_much_more() -> None:
    asked: list[int] = []
    game = random_game(12)

    def worth(present: NDArray[np.bool_], reference: int) -> NDArray[np.float64]:
        asked.append(len(present))
        return game(present, reference)

    assert not shapley_values(worth, 12, 511, 4, np.random.default_rng(0)).exact
    asked.clear()
    result = shapley_values(worth, 12, 512, 4, np.random.default_rng(0))
    assert result.exact
    assert asked == [4096]
    everybody = np.ones((1, 12), dtype=bool)
    assert result.values.sum() == pytest.approx(game(everybody, 0)[0] - game(~everybody, 0)[0])


def test_drawn_values_add_up_and_come_near_with_errors_that_hold() -> None:
    worth, expected = triples(16)
    everybody = np.ones((1, 16), dtype=bool)
    deviations = []
    for seed in range(40):
        result = shapley_values(worth, 16, 512, 1, np.random.default_rng(seed))
        assert not result.exact
        assert result.values.sum() == pytest.approx(worth(everybody, 0)[0])
        errors = result.errors(result.draws)
        deviations.append((result.values - expected) / errors)
    # about a t distribution of 15 degrees
    assert 0.85 < np.std(deviations) < 1.25
    assert abs(np.mean(deviations)) < 0.1


def test_so_many_coalitions_are_asked_as_samples_say() -> None:
    asked = 0
    game, _ = triples(72)

    def worth(present: NDArray[np.bool_], reference: int) -> NDArray[np.float64]:
        nonlocal asked
        asked += len(present)
        return game(present, reference)

    result = shapley_values(worth, 72, 512, 4, np.random.default_rng(0))
    assert 400 < asked <= 530
    assert len(result.draws) == 3
    single = shapley_values(worth, 72, 1, 4, np.random.default_rng(0))
    assert np.isnan(single.errors(single.draws)).all()


def test_a_windows_values_are_those_of_shaps_own_kernel_explainer() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it sets colours as matplotlib no longer likes
        from shap import KernelExplainer

    network = ExplainedNetwork(opened(looking_at(1, 3)))
    window, references = 3 * noise(1, 3, 1024)[0], noise(2, 3, 1024, 7)
    game = Game(network, window, references, fades((0, 512), 1024, RATE), RATE)
    values = game.shapley(2 * 64, np.random.default_rng(0))
    assert values.exact

    def worth(present: NDArray[np.float64]) -> NDArray[np.float64]:
        worths = [game.worth(present > 0.5, k) for k in range(len(references))]
        return np.asarray(np.mean(worths, axis=0))

    nobody, everybody = np.zeros((1, 6)), np.ones((1, 6))
    oracle = KernelExplainer(worth, nobody).shap_values(everybody, nsamples=64, silent=True)
    assert np.abs(oracle).max() > 0.1
    assert values.values == pytest.approx(np.ravel(oracle), abs=1e-4)
