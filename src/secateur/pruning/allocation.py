"""How many kernels each convolution gives up, and which.

Comes in: a ratio and each layer's scores. Goes out: the indices that stay. Next: `surgery` cuts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def removed_of(kernels: int, ratio: float) -> int:
    """Kernels that go from a layer of `kernels`: ratio · kernels, halves rounded up; one always stays."""
    # the small term undoes binary fractions: 0.35 · 10 is meant to be 3.5
    return min(kernels - 1, math.floor(ratio * kernels + 0.5 + 1e-9))


def kept_by_score(scores: NDArray[np.float64], removed: int) -> tuple[int, ...]:
    """Indices, rising, of what stays when the `removed` smallest go; of equals the first goes first."""
    order = np.argsort(scores, kind="stable")
    return tuple(sorted(int(k) for k in order[removed:]))
