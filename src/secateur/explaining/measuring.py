"""What it costs to explain one window, by method, beside one inference of the same network.

Networks and methods take turns, so that a busy moment of the machine falls on all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from secateur.detectors import Detector
from secateur.detectors.benching import spread_of
from secateur.errors import SettingsError
from secateur.explaining.energy import Meter, energy_of, meters
from secateur.explaining.gradients import input_times_gradient, integrated_gradients
from secateur.explaining.multiplying import gradient_work, inference_work
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.settings import METHODS, StudiedSettings
from secateur.explaining.shares import Task, shares_of
from secateur.explaining.trials import Trial
from secateur.results import Joules, Latency, MethodCost, NetworkCosts, Times

Name = TypeVar("Name", bound=str)

INFERENCE, DELIVERED, HOP = "inference", "gradient with bands", "hop"
"""`DELIVERED`: what `secateur explain` does by default; methods by themselves go without bands."""
_CALLS = {INFERENCE: 20, "contributions": 10, "gradient": 10, DELIVERED: 5, "bands": 2}
"""In each round; of the others one."""
_SECONDS = 60.0
"""Of the recording that is gone through in a pass."""


@dataclass(frozen=True)
class Measured:
    """A network with the window on which its methods are measured."""

    detector: Detector
    trial: Trial


def costs_of(
    networks: Mapping[Name, Measured], settings: StudiedSettings
) -> dict[Name, NetworkCosts]:
    """Costs by the networks' names. `settings`: of the methods, and how many rounds there are."""
    works = {name: contestants(each, settings) for name, each in networks.items()}
    asked = {name: _asked(each.trial.network, works[name]) for name, each in networks.items()}
    every = {name: works[name] | {HOP: _pass(each.detector)} for name, each in networks.items()}
    clocks = {name: {method: _Clock() for method in every[name]} for name in networks}
    for _ in range(settings.rounds):
        for name, own in every.items():
            for method, work in own.items():
                for _ in range(_CALLS.get(method, 1)):
                    clocks[name][method].time(work)
    readable = meters()
    return {
        name: NetworkCosts(
            methods={
                method: _method_cost(
                    networks[name], asked[name][method], clocks[name][method], work, readable
                )
                for method, work in works[name].items()
            },
            hop=clocks[name][HOP].times(_hops(networks[name].detector)),
            macs_a_hop=networks[name].detector.macs_a_hop,
        )
        for name in networks
    }


def contestants(measured: Measured, settings: StudiedSettings) -> dict[str, Callable[[], object]]:
    """All ways to explain the window that the network allows, by name, and the inference by itself."""
    trial = measured.trial
    network, game, references = trial.network, trial.game(), trial.background.windows
    window = game.window[None]
    game = replace(game, references=references)
    every: dict[str, Callable[[], object]] = {
        "contributions": lambda: network.contributions(window),
        "gradient": lambda: input_times_gradient(network, window),
        "integrated": lambda: integrated_gradients(network, window, references, settings.steps),
        "occlusion": game.occlusion,
        "shap": lambda: game.shapley(settings.samples, np.random.default_rng(0)),
        "bands": replace(game, players="bands").occlusion,
    }
    delivered = Task.of(network, trial.signal, settings.of_method("gradient"), trial.background)
    possible: dict[str, Callable[[], object]] = {INFERENCE: lambda: network.margins(window)}
    for method in METHODS:
        try:
            network.require(method)
        except SettingsError:
            continue
        possible[method] = every[method]
    if "gradient" in possible:
        possible[DELIVERED] = partial(shares_of, delivered)
    return possible


class _Clock:
    """Times of calls on both clocks."""

    def __init__(self) -> None:
        self.processor: list[float] = []
        self.elapsed: list[float] = []

    def time(self, work: Callable[[], object]) -> None:
        began, ticked = time.perf_counter(), time.process_time()
        work()
        self.processor.append(time.process_time() - ticked)
        self.elapsed.append(time.perf_counter() - began)

    def times(self, parts: int = 1) -> Times:
        """`parts`: of each call, one of which is told."""

        def latency(seconds: list[float]) -> Latency:
            return Latency(**_rounded(spread_of([each / parts for each in seconds])))

        return Times(
            calls=len(self.processor),
            processor=latency(self.processor),
            elapsed=latency(self.elapsed),
        )


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.5g}") for name, value in numbers.items()}


def _asked(
    network: ExplainedNetwork, works: Mapping[str, Callable[[], object]]
) -> dict[str, tuple[int, int]]:
    """Of how many windows each method asks the network, and for how many of them for the gradient."""
    counts = {}
    for method, work in works.items():
        work()  # opens sessions, and asks once what is known afterwards
        before = network.evaluations, network.gradient_evaluations
        work()
        counts[method] = (
            network.evaluations - before[0],
            network.gradient_evaluations - before[1],
        )
    return counts


def _method_cost(
    measured: Measured,
    asked: tuple[int, int],
    clock: _Clock,
    work: Callable[[], object],
    readable: list[Meter],
) -> MethodCost:
    graph, channels = measured.trial.network.graph, len(measured.trial.signal.channels)
    each = measured.detector.info.chain.montage == "each"
    evaluations, gradients = asked
    total = inference_work(graph) * (evaluations - gradients)
    if gradients:
        total = total + gradient_work(graph) * gradients
    total = total * (channels if each else 1)
    return MethodCost(
        times=clock.times(),
        macs=total.macs,
        bytes_moved=total.bytes_moved,
        evaluations=evaluations,
        energy=tuple(
            Joules(meter=reading.meter, busy=reading.busy, idle=reading.idle)
            for reading in energy_of(work, readable)
        ),
    )


def _pass(detector: Detector) -> Callable[[], None]:
    """A minute of noise through the network alone, as a recording is gone through."""
    channels, samples = (
        len(detector.info.scale.mean),
        round(_SECONDS * detector.info.chain.sampling_rate),
    )
    noise = np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32)
    pieces = detector.as_signals(noise)

    def once() -> None:
        detector.begin(len(pieces)).push(pieces)

    once()  # before it counts
    return once


def _hops(detector: Detector) -> int:
    length, hop = detector.info.window_and_hop
    return (round(_SECONDS * detector.info.chain.sampling_rate) - length) // hop + 1
