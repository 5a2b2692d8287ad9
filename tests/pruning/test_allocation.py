"""How many units each group gives up: what every allocation holds to, and each by hand."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.pruning.allocation import (
    Curve,
    Decision,
    decide,
    kept_by_score,
    meet,
    removed_of,
)
from secateur.pruning.costs import CostModel, Extent, LayerCost
from secateur.pruning.groups import Group, Slot, Structure
from secateur.pruning.settings import Allocation, PruningSettings, Target

Scores = dict[str, NDArray[np.float64]]


def group_of(name: str, units: int, widths: tuple[int, ...] = (1,)) -> Group:
    """A group whose unit has `widths` kernels in each of its convolutions."""
    slots = (
        Slot(f"{name}.{k}", "kernels", np.arange(units * width).reshape(units, width))
        for k, width in enumerate(widths)
    )
    return Group(name, tuple(slots))


def of_sizes(*sizes: int) -> Structure:
    return Structure(tuple(group_of(str(k), size) for k, size in enumerate(sizes)))


def pruning(allocation: Allocation, ratio: float, round_to: int = 1) -> PruningSettings:
    return PruningSettings(allocation=allocation, ratio=ratio, round_to=round_to)


def scored(structure: Structure, seed: int) -> Scores:
    generator = np.random.default_rng(seed)
    return {
        group.name: generator.exponential(10.0**k, group.size)
        for k, group in enumerate(structure.groups)
    }


def curves_of(structure: Structure, seed: int) -> dict[str, Curve]:
    generator = np.random.default_rng([seed, 1])
    result = {}
    for group in structure.groups:
        removed = (0, *range(1, group.size))
        result[group.name] = Curve(removed, (0.0, *generator.exponential(1, group.size - 1)))
    return result


def chain_cost(structure: Structure) -> CostModel:
    """Each group reads the one before it: MACs of a plain chain of convolutions of one sample."""
    layers, before = [], Extent(3, {})
    for group in structure.groups:
        after = Extent(0, {group.name: 1})
        layers.append(LayerCost(group.name, 5.0, after, before))
        before = after
    layers.append(LayerCost("linear", 1.0, Extent(2, {}), before))
    return CostModel(tuple(layers), {group.name: group.size for group in structure.groups})


structures = st.lists(
    st.tuples(st.integers(1, 24), st.sampled_from([(1,), (1,), (1, 1), (1, 2), (3,)])),
    min_size=1,
    max_size=4,
).map(lambda forms: Structure(tuple(group_of(str(k), *form) for k, form in enumerate(forms))))
allocations = st.sampled_from(["uniform", "global", "sensitivity", "cost", "dynamic"])


def decided(structure: Structure, settings: PruningSettings, seed: int = 0) -> Decision:
    return decide(
        scored(structure, seed),
        structure,
        settings,
        curves_of(structure, seed),
        chain_cost(structure),
    )


@given(
    structures, allocations, st.floats(0, 0.999), st.sampled_from([1, 2, 4, 8]), st.integers(0, 9)
)
def test_every_group_keeps_a_set_and_what_is_asked_is_what_goes(
    structure: Structure, allocation: Allocation, ratio: float, round_to: int, seed: int
) -> None:
    decision = decided(structure, pruning(allocation, ratio, round_to), seed)
    assert list(decision.removed) == list(structure.names)
    scores = scored(structure, seed)
    gone = 0
    for group in structure.groups:
        kept = kept_by_score(scores[group.name], decision.removed[group.name])
        assert 1 <= len(kept) <= group.size
        gone += (group.size - len(kept)) * group.kernels_each
    assert gone == decision.kernels


@given(structures, allocations, st.integers(0, 9), st.sampled_from([1, 4, 8]))
def test_a_ratio_of_zero_changes_nothing(
    structure: Structure, allocation: Allocation, seed: int, round_to: int
) -> None:
    assert decided(structure, pruning(allocation, 0, round_to), seed).kernels == 0


@given(
    structures,
    st.sampled_from(["uniform", "global", "dynamic"]),
    st.floats(0, 0.999),
    st.floats(0, 0.999),
    st.sampled_from([1, 4, 8]),
)
def test_a_higher_ratio_takes_from_no_layer_less(
    structure: Structure, allocation: Allocation, one: float, other: float, round_to: int
) -> None:
    less, more = (
        decided(structure, pruning(allocation, ratio, round_to)).removed
        for ratio in sorted((one, other))
    )
    assert all(less[name] <= more[name] for name in structure.names)


@given(
    structures,
    st.floats(0.001, 0.999),
    st.sampled_from(["global", "sensitivity"]),
    st.integers(0, 9),
)
def test_the_ratio_of_all_kernels_is_met_to_within_half_of_the_largest_unit(
    structure: Structure, ratio: float, allocation: Allocation, seed: int
) -> None:
    decision = decided(structure, pruning(allocation, ratio), seed)
    goal = math.floor(ratio * structure.kernels + 0.5 + 1e-9)
    most = sum((group.size - 1) * group.kernels_each for group in structure.groups)
    largest = max(group.kernels_each for group in structure.groups)
    assert abs(decision.kernels - min(goal, most)) <= largest / 2
    if largest == 1:
        assert decision.kernels == min(goal, most)


@given(structures, st.floats(0, 0.999), st.lists(st.integers(-20, 20), min_size=4, max_size=4))
def test_global_does_not_see_in_what_unit_a_layers_scores_are(
    structure: Structure, ratio: float, powers: list[int]
) -> None:
    scores = scored(structure, 3)
    scaled = {
        name: score * 2.0**power
        for (name, score), power in zip(scores.items(), powers, strict=False)
    }
    settings = pruning("global", ratio)
    assert decide(scores, structure, settings) == decide(scaled, structure, settings)


@given(
    structures, allocations, st.floats(0.001, 0.999), st.sampled_from([2, 4, 8]), st.integers(0, 9)
)
def test_kernels_kept_are_a_multiple_where_that_can_be(
    structure: Structure, allocation: Allocation, ratio: float, round_to: int, seed: int
) -> None:
    removed = decided(structure, pruning(allocation, ratio, round_to), seed).removed
    for group in structure.groups:
        widths = [slot.places.shape[1] for slot in group.convolutions]
        wide = [width for width in widths if width * group.size >= round_to]
        can = [
            kept
            for kept in range(1, group.size + 1)
            if all(kept * width % round_to == 0 for width in wide)
        ]
        assert group.size - removed[group.name] in (can or range(1, group.size + 1))


def test_rounding_goes_to_the_nearest_multiple_and_keeps_one() -> None:
    structure = of_sizes(32, 20, 12, 8, 6)
    scores = scored(structure, 0)

    def kept(ratio: float) -> list[int]:
        removed = decide(scores, structure, pruning("uniform", ratio, 8)).removed
        return [group.size - removed[group.name] for group in structure.groups]

    # a half leaves 16, 10, 6, 4, 3: 10 and 6 round to 8, 4 to one multiple; six are too few to round
    assert kept(0.5) == [16, 8, 8, 8, 3]
    # three eighths leave 20, 12, 7, 5, 4: of two as near the one that keeps more
    assert kept(0.375) == [24, 16, 8, 8, 4]
    assert kept(0.95) == [8, 8, 8, 8, 1]


def test_halves_are_rounded_up_and_one_unit_stays() -> None:
    for units, ratio, gone in [(8, 0.5, 4), (5, 0.5, 3), (10, 0.35, 4), (3, 0.99, 2), (1, 0.5, 0)]:
        assert removed_of(units, ratio) == gone


def test_global_compares_units_with_their_layers_mean_by_hand() -> None:
    # means 2 and 20, so relative scores are 0.5 1 1.5 and 0.1 0.2 2.7; the three smallest are
    # 0.1, 0.2 and 0.5. Unnormalised, the first layer would have lost most.
    structure = of_sizes(3, 3)
    scores = {"0": np.array([1.0, 2.0, 3.0]), "1": np.array([2.0, 4.0, 54.0])}
    assert decide(scores, structure, pruning("global", 0.5)).removed == {"0": 1, "1": 2}
    assert decide(scores, structure, pruning("global-unnormalised", 0.5)).removed == {
        "0": 2,
        "1": 1,
    }
    assert decide(scores, structure, pruning("uniform", 0.5)).removed == {"0": 2, "1": 2}
    assert decide(scores, structure, pruning("dynamic", 0.5)).removed == {"0": 1, "1": 2}


def test_equal_scores_go_in_order() -> None:
    structure = of_sizes(3, 3)
    same = {"0": np.ones(3), "1": np.ones(3)}
    assert decide(same, structure, pruning("global", 0.5)).removed == {"0": 2, "1": 1}
    assert kept_by_score(np.array([1.0, 1.0, 1.0]), 1) == (1, 2)
    nothing = {"0": np.zeros(3), "1": np.ones(3)}
    assert decide(nothing, structure, pruning("global", 0.34)).removed == {"0": 2, "1": 0}


def test_coupled_channels_count_once_for_each_convolution() -> None:
    # units of three kernels and of one: 16 kernels, of which half are 8
    structure = Structure((group_of("tied", 4, (1, 2)), group_of("free", 4)))
    scores = {"tied": np.array([1.0, 2.0, 3.0, 4.0]), "free": np.array([9.0, 9.5, 10.0, 10.5])}
    decision = decide(scores, structure, pruning("global", 0.5))
    # relative: tied 0.4 0.8 1.2, free 0.92 0.97 1.03; gone in turn 3, 6, 7, 8
    assert decision.removed == {"tied": 2, "free": 2}
    assert decision.kernels == 8


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.floats(0.01, 0.99),
    st.integers(0, 99),
)
def test_sensitivity_is_the_least_summed_loss_of_all_ways(
    sizes: list[int], ratio: float, seed: int
) -> None:
    structure = of_sizes(*sizes)
    curves = curves_of(structure, seed)
    decision = decided(structure, pruning("sensitivity", ratio), seed)

    def loss(gone: tuple[int, ...]) -> float:
        return sum(float(curves[str(k)].at(np.array([number]))[0]) for k, number in enumerate(gone))

    ways = [
        gone
        for gone in itertools.product(*(range(size) for size in sizes))
        if sum(gone) == decision.kernels
    ]
    assert loss(tuple(decision.removed.values())) == pytest.approx(min(map(loss, ways)))


def test_a_curve_runs_straight_between_points_and_never_falls() -> None:
    curve = Curve((0, 2, 4, 7), (0.0, 0.2, 0.1, 0.5))
    assert curve.at(np.array([0, 1, 2, 4, 7])) == pytest.approx([0, 0.1, 0.2, 0.2, 0.5])
    assert curve.at(np.array([5])) == pytest.approx([0.3])


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.floats(0.01, 0.99),
    st.integers(0, 99),
)
def test_cost_stays_within_the_budget_and_uses_it(
    sizes: list[int], ratio: float, seed: int
) -> None:
    structure = of_sizes(*sizes)
    cost = chain_cost(structure)
    removed = decided(structure, pruning("cost", ratio), seed).removed
    budget = (1 - ratio) * cost.of({})
    smallest = {name: size - 1 for name, size in zip(structure.names, sizes, strict=True)}
    if cost.of(smallest) > budget:
        assert removed == smallest
        return
    assert cost.of(removed) <= budget
    for name, number in removed.items():  # none could come back
        assert not number or cost.of({**removed, name: number - 1}) > budget


def test_cost_keeps_nearly_the_most_of_all_ways() -> None:
    """By greed, so not always the best; over 200 chains of three layers it mostly is, and never far off."""
    generator = np.random.default_rng(0)
    shares = []
    for seed in range(200):
        structure = of_sizes(*generator.integers(3, 8, 3).tolist())
        scores, cost = scored(structure, seed), chain_cost(structure)
        removed = decided(structure, pruning("cost", 0.6), seed).removed
        ways = [
            dict(zip(structure.names, gone, strict=True))
            for gone in itertools.product(*(range(group.size) for group in structure.groups))
        ]
        best = max(
            importance_kept(scores, gone) for gone in ways if cost.of(gone) <= 0.4 * cost.of({})
        )
        shares.append(importance_kept(scores, removed) / best)
    assert min(shares) >= 0.8
    assert np.mean(shares) >= 0.98
    assert np.median(shares) == 1


def importance_kept(scores: Scores, gone: Mapping[str, int]) -> float:
    """The product over layers of the share of their importance that stays."""
    shares = [np.sort(score)[gone[name] :].sum() / score.sum() for name, score in scores.items()]
    return float(np.prod(shares))


def test_what_an_allocation_lacks_is_said() -> None:
    structure = of_sizes(3, 4)
    scores = scored(structure, 0)
    with pytest.raises(SettingsError, match="measure_curves"):
        decide(scores, structure, pruning("sensitivity", 0.5))
    with pytest.raises(SettingsError, match="no curve for group 0"):
        decide(scores, structure, pruning("sensitivity", 0.5), {})
    with pytest.raises(SettingsError, match="macs_of"):
        decide(scores, structure, pruning("cost", 0.5))
    for wrong in (np.array([1.0, math.nan, 2.0]), np.ones(2)):
        with pytest.raises(SettingsError, match=r"group 0 has 3 sets .* but got 2 finite"):
            decide({**scores, "0": wrong}, structure, pruning("uniform", 0.5))
    with pytest.raises(SettingsError, match="no measured time for 1, linear"):
        chain_cost(structure).priced({"0": 3.0})


def test_prices_are_what_whole_layers_cost() -> None:
    structure = of_sizes(4, 6)
    priced = chain_cost(structure).priced({"0": 10.0, "1": 20.0, "linear": 1.0})
    assert priced.of({}) == pytest.approx(31)
    assert priced.of({"0": 2}) == pytest.approx(5 + 10 + 1)
    assert priced.of({"0": 2, "1": 3}) == pytest.approx(5 + 5 + 0.5)


@given(structures, st.sampled_from(["uniform", "global"]), st.floats(0.02, 1), st.booleans())
def test_a_target_is_met_by_the_smallest_ratio(
    structure: Structure, allocation: Allocation, limit: float, absolute: bool
) -> None:
    cost, scores = chain_cost(structure), scored(structure, 1)
    asked: list[Mapping[str, int]] = []

    def decide_at(ratio: float) -> Decision:
        return decide(
            scores, structure, pruning(allocation, 0.5).model_copy(update={"ratio": ratio})
        )

    def size_of(removed: Mapping[str, int]) -> float:
        assert dict(removed) not in asked  # measuring is dear: nothing is measured twice
        asked.append(dict(removed))
        return cost.of(removed)

    whole = cost.of({})
    stated = max(limit * whole, 1.01) if absolute else limit
    goal = stated if absolute else limit * whole
    target = Target(what="macs", limit=stated, share=not absolute)
    least = cost.of(decide_at(1 - 1e-9).removed)
    if least > goal:
        sizes = " of ".join(f"{n:,.0f}" if n >= 1000 else f"{n:.3g}" for n in (least, whole))
        with pytest.raises(SettingsError, match=f"can't be met: .* has {re.escape(sizes)} "):
            meet(target, decide_at, size_of)
        return
    ratio, decision = meet(target, decide_at, size_of)
    assert cost.of(decision.removed) <= goal
    assert decide_at(ratio) == decision
    if ratio > 1e-5:
        before = decide_at(ratio - 1e-5)
        assert before == decision or cost.of(before.removed) > goal


@pytest.mark.parametrize("what", ["params", "macs", "bytes"])
def test_a_bare_share_is_refused_and_how_shares_are_written_is_told(what: str) -> None:
    with pytest.raises(ValueError, match=f"{what}=0.3: shares of the baseline are written 30%"):
        Target.model_validate({"what": what, "limit": 0.3})
    assert str(Target.model_validate({"what": what, "limit": 0.3, "share": True})) == f"{what}=30%"


def test_less_than_a_millisecond_can_be_asked_for() -> None:
    assert not Target(what="latency_ms", limit=0.3).share
    with pytest.raises(ValueError, match="at most 100%"):
        Target(what="latency_ms", limit=1.5, share=True)
