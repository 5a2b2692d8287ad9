"""What an attribution of one window is put through: removing, adding, noise, layers with shuffled weights.

Sources: W. Samek et al., arXiv 1509.06321 (removing in the order of attribution); V. Petsiuk, A. Das and
K. Saenko, arXiv 1806.07421 (deletion and insertion); C.-K. Yeh et al., arXiv 1901.09392 (small noise);
J. Adebayo et al., arXiv 1810.03292 (layers with random weights).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from secateur.events import Event
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.removal import Game, fades
from secateur.explaining.segments import Background, EventWindows
from secateur.explaining.settings import ExplainingSettings
from secateur.explaining.shares import Shares, Task, shares_of

Floats = NDArray[np.float64]
STEPS = 10
"""Parts in which a window is removed and put together again."""
_ORDERS = 4
"""Random orders."""
_NOISE, _NOISES = 0.05, 3
"""Of each channel's own amplitude; and how often noise is drawn."""
_WITH_WEIGHTS = ("Conv", "Gemm", "MatMul", "GRU", "LSTM", "RNN")


@dataclass(frozen=True)
class Trial:
    """One window that is explained, and what stands in for what is taken away."""

    network: ExplainedNetwork
    signal: EventWindows
    background: Background
    settings: ExplainingSettings

    def attribution(self, segment: NDArray[np.float32] | None = None) -> Shares:
        """The shares of the window, or of another of the same shape; channels × seconds are never None."""
        signal = self.signal if segment is None else replace(self.signal, segment=segment)
        return shares_of(Task.of(self.network, signal, self.settings, self.background))

    def in_place_of(self, network: ExplainedNetwork) -> Trial:
        """The same window, explained of another network."""
        return replace(self, network=network)

    def amplitude(self) -> Floats:
        """Root mean square of each second of each channel: channels × seconds."""
        return amplitude_of(self.signal)

    def game(self) -> Game:
        """The window's seconds of channels as players."""
        _, edges = self.signal.cells(0)
        cells = fades(tuple(edges), self.signal.length, self.signal.rate)
        window, references = self.signal.segment, self.background.windows[:2]
        return Game(self.network, window, references, cells, self.signal.rate)

    def curves(self, orders: list[NDArray[np.int64]]) -> Floats:
        """Orders × 2: mean fall as the first go first, and mean rise as the first come first; logits."""
        game, scores = self.game(), np.zeros((len(orders), 2))
        counts = np.round(np.linspace(0, game.count, STEPS + 1)).astype(int)
        for number, order in enumerate(orders):
            rank = np.argsort(order)
            taken = rank[None, :] < counts[:, None]
            for reference in range(len(game.references)):
                falling = game.worth(~taken, reference)
                rising = game.worth(taken, reference)
                scores[number] += (falling[0] - falling).mean(), (rising - rising[0]).mean()
        return scores / len(game.references)


def one_window(signal: EventWindows, index: int) -> EventWindows:
    """One of an event's windows as a signal of its own."""
    start = int(signal.starts[index])
    segment = np.ascontiguousarray(signal.segment[:, start : start + signal.length])
    begin = signal.begin + start / signal.rate
    event = Event(max(0.0, begin), signal.length / signal.rate)
    starts = np.zeros(1, dtype=np.int64)
    return replace(signal, event=event, segment=segment, begin=begin, starts=starts)


def amplitude_of(signal: EventWindows) -> Floats:
    """Root mean square of each second of each channel: channels × seconds."""
    edges = signal.edges
    squares = np.add.reduceat(signal.segment.astype(np.float64) ** 2, edges[:-1], axis=1)
    return np.asarray(np.sqrt(squares / np.diff(edges)))


@dataclass(frozen=True)
class Measures:
    """Of one window. `falls`, `rises`: by the attribution's order, by amplitude's, and by chance; logits.

    `residual`: what the attributions don't add up to, as a share of margin − reference. `loudness`: rank
    correlation of attributions with amplitude. `shaken`: largest change under small noise, as a share of the
    map. `shuffled`: rank correlation with the map once the last layer, the last two, and so on to all, have
    shuffled weights; empty where that wasn't tried.
    """

    falls: tuple[float, float, float]
    rises: tuple[float, float, float]
    residual: float
    loudness: float
    shaken: float
    shuffled: tuple[float, ...]
    map: Floats


def measured(trial: Trial, generator: np.random.Generator, *, shuffle: bool) -> Measures:
    """All measures of one window. `shuffle`: layers too."""
    shares = trial.attribution()
    assert shares.attribution is not None
    own, loud = shares.attribution, trial.amplitude()
    orders = [np.argsort(-own.ravel(), kind="stable"), np.argsort(-loud.ravel(), kind="stable")]
    orders += [generator.permutation(own.size) for _ in range(_ORDERS)]
    curves = trial.curves(orders)
    curves = np.vstack((curves[:2], curves[2:].mean(axis=0)))
    gap = shares.margin - shares.reference
    residual = abs(gap - own.sum()) / max(abs(gap), 1e-9)
    return Measures(
        (curves[0, 0], curves[1, 0], curves[2, 0]),
        (curves[0, 1], curves[1, 1], curves[2, 1]),
        float(residual),
        rank_correlation(own, loud),
        _shaken(trial, own, generator),
        tuple(_shuffled(trial, own, generator)) if shuffle else (),
        own,
    )


def _shaken(trial: Trial, own: Floats, generator: np.random.Generator) -> float:
    """The largest relative change of the map when noise is put on the window."""
    segment = trial.signal.segment
    spread = segment.std(axis=1, keepdims=True)
    changes = []
    for _ in range(_NOISES):
        noise = generator.standard_normal(segment.shape).astype(np.float32)
        other = trial.attribution(segment + np.float32(_NOISE) * spread * noise).attribution
        assert other is not None
        changes.append(relative_distance(own, other))
    return max(changes)


def _shuffled(trial: Trial, own: Floats, generator: np.random.Generator) -> Iterator[float]:
    """Correlations with the map, from the last layer with shuffled weights to all of them."""
    network = trial.network
    for names in layers_of(network):
        weights = {}
        for name in names:
            weight = network.graph.weights[name]
            weights[name] = generator.permutation(weight.ravel()).reshape(weight.shape)
        network = network.with_weights(weights)
        other = trial.in_place_of(network).attribution().attribution
        assert other is not None
        yield rank_correlation(np.abs(own), np.abs(other))


def layers_of(network: ExplainedNetwork) -> list[list[str]]:
    """Names of the weights of each layer that multiplies, from the last to the first."""
    graph = network.graph
    makers = {name: node for node in graph.nodes for name in node.outputs}
    layers = []
    for node in reversed(graph.nodes):
        if node.kind not in _WITH_WEIGHTS:
            continue
        names = []
        for name in node.inputs[1:3] if node.kind in ("GRU", "LSTM", "RNN") else node.inputs[1:2]:
            maker = makers.get(name)
            stored = maker.inputs[0] if maker is not None else name
            if stored in graph.weights:
                names.append(stored)
        if names:
            layers.append(names)
    return layers


def rank_correlation(left: Floats, right: Floats) -> float:
    """Spearman's, over all cells; 0 where one of them is the same everywhere."""
    ranks = [_ranks(values.ravel()) for values in (left, right)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])


def relative_distance(own: Floats, other: Floats) -> float:
    """The length of the difference of two maps as a share of the first's."""
    length = float(np.linalg.norm(own))
    return float(np.linalg.norm(own - other)) / length if length > 0 else 0.0
