"""Attribution by gradients: input × gradient, and gradients integrated on the way from the own background.

Sources: A. Shrikumar et al., arXiv 1605.01713 (input × gradient); M. Sundararajan, A. Taly and Q. Yan,
Axiomatic attribution for deep networks, arXiv 1703.01365 (integrated gradients); with several references,
averaged: G. Erion et al., Nat. Mach. Intell. 3 (2021) 620.
"""

from __future__ import annotations

import numpy as np

from secateur.explaining.bands import BANDS, products_by_band
from secateur.explaining.network import Attributed, ExplainedNetwork, Windows


def input_times_gradient(
    network: ExplainedNetwork, windows: Windows, rate: float | None = None
) -> Attributed:
    """Each sample times the margin's gradient there; counted from the margin of a flat, scaled signal.

    `rate`: in Hz, where shares of bands are asked for. Complete only where the network has no bias and is
    linear between zero and the window. Raises `SettingsError` where no gradient is known of the network.
    """
    margins, gradients = network.gradients(windows)
    flat = network.flat_margin(windows.shape[1:])
    bands = None if rate is None else products_by_band(windows, gradients, rate)
    return Attributed(windows * gradients, margins, np.array([flat]).repeat(len(windows)), bands)


def integrated_gradients(
    network: ExplainedNetwork,
    windows: Windows,
    references: Windows,
    steps: int,
    rate: float | None = None,
) -> Attributed:
    """The gradient's mean on the straight ways from each of `references` to a window, times their difference.

    `windows`: n × channels × samples; `references`: k of the same shape, each counting alike. `steps`:
    gradients for each window in all, so steps / k on each way, where Gauss and Legendre place them.
    `rate`: in Hz, where shares of bands are asked for.
    """
    nodes, weights = np.polynomial.legendre.leggauss(max(1, steps // len(references)))
    positions = ((1 + nodes) / 2).astype(np.float32)
    halves = (weights / (2 * len(references))).astype(np.float32)
    values, bands = (
        np.zeros_like(windows),
        None if rate is None else np.zeros((len(windows), len(BANDS))),
    )
    for reference in references:
        for index, window in enumerate(windows):
            way = window - reference
            mean, between = np.zeros_like(way), np.empty_like(way)
            for position, half in zip(positions, halves, strict=True):
                np.add(np.multiply(way, position, out=between), reference, out=between)
                _, gradients = network.gradients(between[None])
                mean += np.multiply(gradients[0], half, out=between)
            values[index] += way * mean
            if bands is not None and rate is not None:
                bands[index] += products_by_band(way[None], mean[None], rate)[0]
    start = float(network.margins(references).mean())
    return Attributed(values, network.margins(windows), np.full(len(windows), start), bands)
