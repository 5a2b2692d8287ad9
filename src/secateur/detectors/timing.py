"""How long a detector takes for one window on this machine; `benching` measures more than that."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from secateur.detectors.detector import Detector
from secateur.windows import window_samples

Latency = dict[str, float]


def measure_latency(detectors: Mapping[str, Detector], runs: int = 300) -> dict[str, Latency]:
    """Milliseconds of processor time a window: one thread, batch 1; `median` and `p99` of `runs`.

    The detectors take turns, so that a busy moment of the machine falls on all of them.
    """
    inputs = {}
    generator = np.random.default_rng(0)
    for name, detector in detectors.items():
        info = detector.info
        length, _ = window_samples(info.windows, info.chain.sampling_rate)
        shape = (1, len(info.scale.mean), length)
        inputs[name] = generator.standard_normal(shape).astype(np.float32)
        for _ in range(20):
            detector.logits(inputs[name])
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(runs):
        for name, detector in detectors.items():
            began = time.process_time()
            detector.logits(inputs[name])
            times[name].append(time.process_time() - began)
    return {name: spread_of(taken) for name, taken in times.items()}


def spread_of(seconds: Sequence[float]) -> Latency:
    """Median and 99th percentile, in milliseconds."""
    middle, late = np.quantile(seconds, [0.5, 0.99]) * 1000
    return {"median": float(middle), "p99": float(late)}
