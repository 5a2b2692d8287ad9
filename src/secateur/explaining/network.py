"""What explanations ask of a detector's network: its margin, the margin's gradient, each second's share.

The margin of a window is its seizure logit minus its background logit: the log of the odds, in logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.detector import Detector
from secateur.detectors.network.model import Graph
from secateur.detectors.network.run import OnnxRuntime
from secateur.detectors.network.shapes import sizes_of
from secateur.errors import SettingsError
from secateur.explaining.backward import with_gradient
from secateur.explaining.contributions import with_contributions
from secateur.explaining.eight_bits import in_eight_bits, require_origin
from secateur.explaining.settings import BY_GRADIENT, Method

Windows = NDArray[np.float32]
"""Windows × channels × samples, scaled as the network takes them."""
Floats = NDArray[np.float64]

_MARGINS_AT_ONCE, _GRADIENTS_AT_ONCE = 32, 1
"""Windows in a call of the runtime; more leave a processor's cache and are slower."""


class Attributed(NamedTuple):
    """What each sample of each window adds to the window's margin, in logits.

    `values`: windows × channels × samples. `margins`: of the windows, shape (n,). `references`: the margins
    that the values are counted from, shape (n,): with them, complete values add up to `margins`. `bands`: the
    values' sums by band, n × bands, where they were asked for.
    """

    values: NDArray[np.float32]
    margins: Floats
    references: Floats
    bands: Floats | None = None


class ExplainedNetwork:
    """A detector's network, or `graph` in its place. `evaluations`: of how many windows it was asked so far,
    `gradient_evaluations`: of how many of these for the gradient too.

    Under montage "each" the network looks at every channel by itself, and the mean over channels counts.
    """

    origin: ExplainedNetwork | None = None
    """Of a network in 8 bits the one in floats that it was made from, where gradients are taken of that."""

    def __init__(self, detector: Detector, graph: Graph | None = None) -> None:
        self._detector = detector
        self.graph = detector.network if graph is None else graph
        self._logits = detector.logits if graph is None else _opened(graph).run
        self._each = detector.info.chain.montage == "each"
        self._flat: dict[tuple[int, ...], float] = {}
        self.evaluations = self.gradient_evaluations = 0

    @classmethod
    def of_both(cls, quantised: Detector, origin: Detector) -> ExplainedNetwork:
        """The network of a detector in 8 bits, whose gradients are those of the float one it was made from.

        Raises `DetectorError` or `SettingsError` where it wasn't made from that one.
        """
        require_origin(quantised, origin)
        network = cls(quantised)
        network.origin = cls(origin)
        return network

    def explained_by(self, method: Method) -> ExplainedNetwork:
        """The network that a method looks at: this one, or for gradients of 8 bits its origin.

        Raises `SettingsError` where an origin is given and the method has no use for it.
        """
        if self.origin is None:
            return self
        if method not in BY_GRADIENT:
            raise SettingsError(
                f"float detector {self.origin.detector.path}: is not needed, {method} looks at the file in "
                "8 bits itself"
            )
        return self.origin

    @property
    def detector(self) -> Detector:
        """The detector whose network it is."""
        return self._detector

    def with_weights(self, weights: Mapping[str, NDArray[Any]]) -> ExplainedNetwork:
        """The same network with other values of some of its weights, by name."""
        graph = replace(self.graph, weights={**self.graph.weights, **weights}, metadata={})
        return ExplainedNetwork(self._detector, graph)

    def require(self, method: Method) -> None:
        """Raise `SettingsError` where the network doesn't allow the method."""
        if method in BY_GRADIENT:
            _ = self._backward
        elif method == "contributions":
            _ = self._summing

    @property
    def in_eight_bits(self) -> bool:
        """Whether it computes in 8 bits, through which no gradient goes."""
        return in_eight_bits(self.graph)

    def margins(self, windows: Windows) -> Floats:
        """The margin of each window: shape (n,)."""
        out = np.empty(len(windows), dtype=np.float64)
        for first in range(0, len(windows), _MARGINS_AT_ONCE):
            part = windows[first : first + _MARGINS_AT_ONCE]
            out[first : first + len(part)] = self._mean(self._logits(self._rows(part)), len(part))
        self.evaluations += len(windows)
        return out

    def flat_margin(self, shape: tuple[int, ...]) -> float:
        """The margin of a flat, scaled signal of channels × samples; asked once for each shape."""
        if shape not in self._flat:
            self._flat[shape] = float(self.margins(np.zeros((1, *shape), dtype=np.float32))[0])
        return self._flat[shape]

    def gradients(self, windows: Windows) -> tuple[Floats, NDArray[np.float32]]:
        """The margin of each window, and its gradient: shapes (n,) and n × channels × samples.

        Raises `SettingsError` where no gradient is known of the network.
        """
        margins, gradients = self._both(self._backward, windows, _GRADIENTS_AT_ONCE)
        self.gradient_evaluations += len(windows)
        rows = gradients.reshape(windows.shape)
        return margins, rows / np.float32(windows.shape[1]) if self._each else rows

    def contributions(self, windows: Windows) -> Attributed:
        """Of windows n × channels × samples each second's share: values of n × 1 × samples, exact.

        Each share stands at the middle of the samples that its step of the network sees. Under montage
        "each" there is a row a channel. Raises `SettingsError` where the network doesn't end in average and
        linear.
        """
        summing = self._summing
        margins, shares = self._both(summing.session, windows, _MARGINS_AT_ONCE)
        rows = windows.shape[1] if self._each else 1
        values = np.zeros((len(windows), rows, windows.shape[2]), dtype=np.float32)
        steps = shares.reshape(len(windows), rows, -1)
        if rows > 1:
            steps = steps / np.float32(rows)
        if summing.places is None:
            for step, centre in enumerate(summing.centres):
                values[:, :, centre] += steps[:, :, step]
        else:
            values[:, :, summing.places] = steps
        return Attributed(values, margins, summing.bias.repeat(len(windows)))

    @cached_property
    def _backward(self) -> OnnxRuntime:
        if self.in_eight_bits:
            raise SettingsError(
                f"{self._detector.path}: is in 8 bits, through which no gradient goes; give the float "
                "detector that it was made from (secateur explain --float), or explain with contributions, "
                "occlusion, shap or bands"
            )
        return _opened(with_gradient(self.graph))

    @cached_property
    def _summing(self) -> _Summing:
        parts = with_contributions(self.graph, sizes_of(self.graph))
        return _Summing(_opened(parts.graph), parts.centres, np.array([parts.bias]))

    def _both(
        self, session: OnnxRuntime, windows: Windows, most: int
    ) -> tuple[Floats, NDArray[np.float32]]:
        self.evaluations += len(windows)
        if len(windows) <= most:
            logits, second = session.run_all(self._rows(windows))
            return self._mean(logits, len(windows)), second
        margins, seconds = [], []
        for first in range(0, len(windows), most):
            part = windows[first : first + most]
            logits, second = session.run_all(self._rows(part))
            margins.append(self._mean(logits, len(part)))
            seconds.append(second)
        return np.concatenate(margins), np.concatenate(seconds)

    def _rows(self, windows: Windows) -> Windows:
        if self._each:
            windows = windows.reshape(-1, 1, windows.shape[2])
        return np.ascontiguousarray(windows, dtype=np.float32)

    def _mean(self, logits: NDArray[np.float32], count: int) -> Floats:
        # of a window by itself numpy's own difference takes longer
        margins = np.array([seizure - background for background, seizure in logits.tolist()])
        return margins.reshape(count, -1).mean(axis=1) if len(margins) > count else margins


@dataclass(frozen=True)
class _Summing:
    session: OnnxRuntime
    centres: NDArray[np.int64]
    bias: Floats

    @cached_property
    def places(self) -> slice | None:
        """The steps' centres where they are evenly spread; None otherwise."""
        steps = np.unique(np.diff(self.centres))
        if len(steps) != 1 or steps[0] <= 0:
            return None
        return slice(int(self.centres[0]), int(self.centres[-1]) + 1, int(steps[0]))


def _opened(graph: Graph) -> OnnxRuntime:
    return OnnxRuntime(graph.to_bytes())
