"""What an event's windows say together: each second's, channel's and band's share of their mean margin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from secateur.explaining.bands import BANDS
from secateur.explaining.gradients import input_times_gradient, integrated_gradients
from secateur.explaining.network import Attributed, ExplainedNetwork, Windows
from secateur.explaining.removal import Game, fades
from secateur.explaining.segments import Background, EventWindows
from secateur.explaining.settings import REPLACING, ExplainingSettings, Method

Floats = NDArray[np.float64]
_BATCH = 32
"""Windows that are taken apart at once."""


@dataclass(frozen=True)
class Errors:
    """Standard errors by sampling, of the same shapes as what they are of; None where nothing was drawn."""

    attribution: Floats | None = None
    by_channel: Floats | None = None
    by_second: Floats | None = None


@dataclass(frozen=True)
class Shares:
    """Shares of an event's mean margin, in logits; None where the method says nothing of that.

    `attribution`: channels × seconds; `by_channel`, `by_second`: its sums. `margin`: the windows' mean;
    `reference`: what the shares are counted from.
    """

    attribution: Floats | None
    by_channel: Floats | None
    by_second: Floats | None
    by_band: Mapping[str, float]
    margin: float
    reference: float
    errors: Errors = field(default_factory=Errors)


@dataclass(frozen=True)
class Task:
    """An event to be explained. `chosen`: indices of its windows that are looked at."""

    network: ExplainedNetwork
    signal: EventWindows
    settings: ExplainingSettings
    background: Background | None
    chosen: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        network: ExplainedNetwork,
        signal: EventWindows,
        settings: ExplainingSettings,
        background: Background | None,
    ) -> Task:
        """All windows, or of a method that asks much of each, as many as the settings say."""
        chosen, count = np.arange(len(signal.starts)), settings.windows
        if settings.method in REPLACING and len(chosen) > count:
            chosen = np.unique(np.linspace(0, len(chosen) - 1, count).round().astype(int))
        return cls(network, signal, settings, background, chosen)

    @property
    def references(self) -> Windows:
        """Windows of background."""
        assert self.background is not None
        return self.background.windows

    def batches(self) -> Iterator[tuple[NDArray[np.int64], Windows]]:
        """The chosen windows, some at a time, with their indices."""
        for first in range(0, len(self.chosen), _BATCH):
            chosen = self.chosen[first : first + _BATCH]
            yield chosen, self.signal.windows(chosen)

    def games(self) -> Iterator[tuple[int, Game]]:
        """Each chosen window with its seconds as players; and the second of the event that it begins in."""
        for chosen, windows in self.batches():
            for index, window in zip(chosen, windows, strict=True):
                first, edges = self.signal.cells(int(index))
                cells = fades(tuple(edges), self.signal.length, self.signal.rate)
                yield first, Game(self.network, window, self.references, cells, self.signal.rate)


def shares_of(task: Task) -> Shares:
    """What the task's method says of its event."""
    return _METHODS[task.settings.method](task)


def _by_samples(attribute: Callable[[Task, Windows], Attributed]) -> Callable[[Task], Shares]:
    """A method that attributes to each sample: sums over windows, then over seconds."""

    def shares(task: Task) -> Shares:
        signal = task.signal
        total: Floats | None = None
        bands: Floats | None = None
        margins: list[Floats] = []
        references: list[Floats] = []
        for chosen, windows in task.batches():
            part = attribute(task, windows)
            if total is None:
                total = np.zeros((part.values.shape[1], signal.segment.shape[1]))
            for index, values in zip(chosen, part.values, strict=True):
                start = signal.starts[index]
                total[:, start : start + signal.length] += values
            if part.bands is not None:
                own = part.bands.sum(axis=0)
                bands = own if bands is None else bands + own
            margins.append(part.margins)
            references.append(part.references)
        assert total is not None
        count = len(task.chosen)
        seconds = np.add.reduceat(total, signal.edges[:-1], axis=1) / count
        by_channel = len(seconds) == len(signal.channels)
        return Shares(
            seconds if by_channel else None,
            seconds.sum(axis=1) if by_channel else None,
            seconds.sum(axis=0),
            {} if bands is None else _named(bands / count),
            float(np.concatenate(margins).mean()),
            float(np.concatenate(references).mean()),
        )

    return shares


def _gradient(task: Task, windows: Windows) -> Attributed:
    return input_times_gradient(task.network, windows, task.signal.rate)


def _integrated(task: Task, windows: Windows) -> Attributed:
    steps, rate = task.settings.steps, task.signal.rate
    return integrated_gradients(task.network, windows, task.references, steps, rate)


def _contributions(task: Task, windows: Windows) -> Attributed:
    return task.network.contributions(windows)


def _named(bands: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(BANDS, bands, strict=True)}


def mean_margin(task: Task) -> float:
    """The mean margin of the task's windows."""
    return float(np.concatenate([task.network.margins(w) for _, w in task.batches()]).mean())


def _occlusion(task: Task) -> Shares:
    signal, count = task.signal, len(task.chosen)
    total = np.zeros((len(signal.channels), len(signal.seconds)))
    bands, reference = np.zeros(len(BANDS)), 0.0
    for first, game in task.games():
        falls, reference = game.occlusion()
        total[:, first : first + len(game.cells)] += falls.reshape(len(total), -1)
        bands += replace(game, players="bands").occlusion()[0]
    attribution = total / count
    return Shares(
        attribution,
        attribution.sum(axis=1),
        attribution.sum(axis=0),
        _named(bands / count),
        mean_margin(task),
        reference,
    )


def _bands(task: Task) -> Shares:
    bands, reference = np.zeros(len(BANDS)), 0.0
    for _, game in task.games():
        falls, reference = replace(game, players="bands").occlusion()
        bands += falls
    named = _named(bands / len(task.chosen))
    return Shares(None, None, None, named, mean_margin(task), reference)


def _shap(task: Task) -> Shares:
    """Shapley values of each window, and the errors of their mean: windows are drawn for independently."""
    settings, signal, count = task.settings, task.signal, len(task.chosen)
    rows, seconds = len(signal.channels), len(signal.seconds)
    generator = np.random.default_rng([settings.seed, 15])
    values, squares = np.zeros((rows, seconds)), np.zeros((rows, seconds))
    channels, seconds_squares = np.zeros((2, rows)), np.zeros((2, seconds))
    bands, empty = np.zeros(len(BANDS)), 0.0
    for first, game in task.games():
        last = first + len(game.cells)
        result = replace(game, players=settings.players).shapley(settings.samples, generator)
        empty += result.empty / count
        draws = result.draws.reshape(
            len(result.draws),
            1 if settings.players == "seconds" else rows,
            1 if settings.players == "channels" else last - first,
        )
        if settings.players == "cells":
            values[:, first:last] += draws.mean(axis=0)
            squares[:, first:last] += result.errors(draws) ** 2
        if settings.players != "seconds":
            own = draws.sum(axis=2)
            channels += own.mean(axis=0), result.errors(own) ** 2
        if settings.players != "channels":
            own = draws.sum(axis=1)
            seconds_squares[:, first:last] += own.mean(axis=0), result.errors(own) ** 2
        bands += replace(game, players="bands").shapley(settings.samples, generator).values

    def mean_of(name: str, sums: Floats) -> tuple[Floats | None, Floats | None]:
        if settings.players not in ("cells", name):
            return None, None
        return sums[0] / count, np.sqrt(sums[1]) / count

    by_channel, channel_errors = mean_of("channels", channels)
    by_second, second_errors = mean_of("seconds", seconds_squares)
    attribution, errors = mean_of("cells", np.stack([values, squares]))
    return Shares(
        attribution,
        by_channel,
        by_second,
        _named(bands / count),
        mean_margin(task),
        empty,
        Errors(errors, channel_errors, second_errors),
    )


_METHODS: Mapping[Method, Callable[[Task], Shares]] = {
    "gradient": _by_samples(_gradient),
    "integrated": _by_samples(_integrated),
    "contributions": _by_samples(_contributions),
    "occlusion": _occlusion,
    "shap": _shap,
    "bands": _bands,
}
