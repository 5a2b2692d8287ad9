"""How many kernels each convolution gives up, and which.

Comes in: a ratio and each layer's scores. Goes out: the indices that stay. Next: `surgery` cuts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def removed_of(kernels: int, ratio: float) -> int:
    """Kernels that go from a layer of `kernels`: ratio · kernels, halves rounded up; one always stays."""
    # the small term undoes binary fractions: 0.35 · 10 is meant to be 3.5
    return min(kernels - 1, math.floor(ratio * kernels + 0.5 + 1e-9))


def removed_from_each(
    scores: Mapping[str, NDArray[np.float64]], ratio: float, allocation: str
) -> dict[str, int]:
    """Kernels that each convolution gives up. `scores`: by convolution, one for each kernel.

    "uniform": the ratio of each. "global": the ratio of all together, to the kernel; the smallest scores
    go wherever they are, once each layer's scores are divided by their mean (longer sums make larger
    norms), and every layer keeps its best kernel.
    """
    if allocation == "uniform":
        return {name: removed_of(len(score), ratio) for name, score in scores.items()}
    wanted = math.floor(ratio * sum(map(len, scores.values())) + 0.5 + 1e-9)
    candidates: list[tuple[float, str]] = []
    for name, score in scores.items():
        relative = score / max(float(score.mean()), 1e-30)
        candidates += [(float(value), name) for value in np.sort(relative)[:-1]]
    candidates.sort(key=lambda one: one[0])
    removed = dict.fromkeys(scores, 0)
    for _, name in candidates[:wanted]:
        removed[name] += 1
    return removed


def kept_by_score(scores: NDArray[np.float64], removed: int) -> tuple[int, ...]:
    """Indices, rising, of what stays when the `removed` smallest go; of equals the first goes first."""
    order = np.argsort(scores, kind="stable")
    return tuple(sorted(int(k) for k in order[removed:]))
