"""What this machine can do at most on one thread: the rate of a matrix product, and of copying.

Comes in: nothing. Goes out: `Limits`, the best of some rounds. Next: `benching` and the speed benchmarks put
a network's operations beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from secateur.detectors.running.graph import Graph, Node
from secateur.detectors.running.runtimes import open_session

_SIDE = 768
"""Of the square matrices: large enough for the processor to reach its rate, small enough for its cache."""
_COPIED = 1 << 26
"""Bytes; more than a processor's own cache, so memory is what is measured."""


@dataclass(frozen=True)
class Limits:
    """`multiply`: float32 operations a second, a product and a sum each one. `copy`: bytes a second, each
    counted once though it is read and written.
    """

    multiply: float
    copy: float

    def share(self, macs: float, seconds: float) -> float:
        """What part of `multiply` was reached by `macs` multiply-accumulates in `seconds`."""
        return 2 * macs / seconds / self.multiply


def measure_limits(rounds: int = 10) -> Limits:
    """Rates of this machine now: ONNX Runtime's float32 matrix product and NumPy's copy, on one thread."""
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, _SIDE, _SIDE)).astype(np.float32)
    shape = (_SIDE, _SIDE)
    product = Graph(
        (Node("MatMul", ("one", "other"), ("product",)),),
        {"other": other},
        {"one": shape},
        {"product": shape},
        17,
    )
    session = open_session(product.to_bytes())
    source = np.ones(_COPIED // 4, dtype=np.float32)
    target = np.zeros_like(source)
    return Limits(
        2 * _SIDE**3 / best_of(rounds, lambda: session.run(one)),
        _COPIED / best_of(rounds, lambda: np.copyto(target, source)),
    )


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some rounds, after one that isn't counted."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)
