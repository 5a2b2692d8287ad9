"""How many kernels each layer gives up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.networks import NetworkSettings, build_network
from secateur.pruning import PruningSettings, prune
from secateur.pruning.allocation import removed_from_each


def test_global_compares_kernels_with_their_layers_mean_by_hand() -> None:
    # means 2 and 20, so relative scores are 0.5 1 1.5 and 0.1 0.2 2.7; the three smallest are
    # 0.1, 0.2 and 0.5. Unnormalised, the first layer would have lost most.
    scores = {"one": np.array([1.0, 2.0, 3.0]), "two": np.array([2.0, 4.0, 54.0])}
    assert removed_from_each(scores, 0.5, "global") == {"one": 1, "two": 2}
    assert removed_from_each(scores, 0.5, "uniform") == {"one": 2, "two": 2}


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    ratio=st.floats(0, 0.99),
    seed=st.integers(0, 99),
)
def test_global_removes_the_ratio_to_the_kernel_and_no_layers_last(
    sizes: list[int], ratio: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    scores = {str(k): generator.exponential(10.0**k, size) for k, size in enumerate(sizes)}
    removed = removed_from_each(scores, ratio, "global")
    wanted = math.floor(ratio * sum(sizes) + 0.5 + 1e-9)
    assert sum(removed.values()) == min(wanted, sum(sizes) - len(sizes))
    assert all(removed[str(k)] < size for k, size in enumerate(sizes))


def test_an_allocation_decided_elsewhere_is_kept_to() -> None:
    settings = NetworkSettings(widths=(6, 8, 10))
    network = build_network(settings, 4, 1024, seed=1)
    windows = np.random.default_rng(0).normal(size=(4, 4, 1024)).astype(np.float32)
    gone = {name: k for k, name in enumerate(("blocks.0.conv", "blocks.1.conv", "blocks.2.conv"))}
    chosen = PruningSettings(importance="random")
    pruned = prune(network, chosen, windows, seed=3, removed=gone)
    assert pruned.network.settings.widths == (6, 7, 8)
    assert pruned.ratio_achieved == pytest.approx(3 / 24)
