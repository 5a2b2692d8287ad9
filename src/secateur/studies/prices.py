"""What explanations cost in a study's runs, and how much of pruning's gain that uses up."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secateur.explaining import ExplainingSettings
from secateur.explaining.energy import modelled
from secateur.explaining.measuring import DELIVERED, INFERENCE
from secateur.explaining.multiplying import Work
from secateur.results import MethodCost, NetworkExplanations
from secateur.studies.explained_run import UNPRUNED, RunOfNetworks

SECONDS_A_DAY = 86_400
_AT_ONCE = ("contributions", "gradient", DELIVERED)
"""Methods that give the margin too: where every window is explained, none goes through the network twice."""
ALARM_WINDOWS = ExplainingSettings().windows
"""Windows that are explained of an alarm: a minute's."""


@dataclass(frozen=True)
class Middle:
    """Median and quartiles over runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Middle:
        """Of one value a run."""
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        return cls(median, low, high)


@dataclass(frozen=True)
class MethodPrice:
    """What a method costs for one window. `milliseconds`, `p99`: processor time of a call, and its 99th
    percentile; `elapsed`, `elapsed_p99`: the same of time that went by. `of_own`: multiples of one inference
    of the same network within a run; `macs_of_own`: of its multiply-accumulates. `model`: joules; `measured`:
    joules by meter, busy and idle. `peak_bytes`: None where nobody told.
    """

    milliseconds: Middle
    p99: float
    elapsed: float
    elapsed_p99: float
    of_own: Middle
    macs: float
    macs_of_own: float
    model: float
    measured: Mapping[str, tuple[float, float]]
    peak_bytes: float | None


@dataclass(frozen=True)
class NetworkPrice:
    """A network's methods, "inference" among them, and what a hop of the shared pass costs it."""

    name: str
    runs: int
    methods: Mapping[str, MethodPrice]
    hop: Middle
    macs_a_hop: float


@dataclass(frozen=True)
class Balance:
    """A smaller network that explains beside the whole one that doesn't, within the same runs.

    `bulk`: against a hop of the shared pass, else against a window by itself. All as multiples of what the
    whole network costs unexplained: `unexplained`, `every` (each window explained, at once with its
    inference where the method gives both), `alarms` (alarms alone, by data set). `share`: of windows that may
    be explained before the gain is used up; above 1: more than all. `macs_share`: the same by
    multiply-accumulates; `energy_share`: by the model of energy, None in bulk. `seconds`: of the processor a
    day, in this order: whole unexplained, smaller unexplained, smaller with every window explained.
    """

    network: str
    method: str
    bulk: bool
    unexplained: Middle
    share: Middle
    macs_share: float
    energy_share: float | None
    every: Middle
    alarms: Mapping[str, float]
    seconds: tuple[float, float, float]

    @property
    def eaten(self) -> bool:
        """Whether every window explained costs more than the whole network unexplained."""
        return self.every.median > 1


def _priced(runs: Sequence[RunOfNetworks]) -> dict[str, list[RunOfNetworks]]:
    """Runs by their network's name: of networks of equal size those that were pruned, or all there are."""
    pruned = [run for run in runs if not (run.at_random or run.scratch)] or list(runs)
    by_name: dict[str, list[RunOfNetworks]] = defaultdict(list)
    for run in pruned:
        by_name[run.name].append(run)
    return by_name


def prices_of(runs: Sequence[RunOfNetworks]) -> Iterator[NetworkPrice]:
    """Of the whole network, then of each that was pruned; over all data sets alike."""
    by_name = _priced(runs)
    every = [run for some in by_name.values() for run in some]
    yield _price(UNPRUNED, [run.before for run in every])
    for name, some in by_name.items():
        yield _price(name, [run.own for run in some])


def _price(name: str, networks: Sequence[NetworkExplanations]) -> NetworkPrice:
    methods = {
        method: _method_price(method, networks)
        for method in networks[0].costs.methods
        if all(method in network.costs.methods for network in networks)
    }
    return NetworkPrice(
        name,
        len(networks),
        methods,
        Middle.of([each.costs.hop.processor.median for each in networks]),
        _mean(each.costs.macs_a_hop for each in networks),
    )


def _method_price(method: str, networks: Sequence[NetworkExplanations]) -> MethodPrice:
    costs = [network.costs.methods[method] for network in networks]
    inferences = [network.costs.methods[INFERENCE] for network in networks]
    peaks = [(network.peak_bytes or {}).get(method) for network in networks]
    known = [peak for peak in peaks if peak is not None]
    readings: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for cost in costs:
        for each in cost.energy:
            readings[each.meter].append((each.busy, each.idle))
    return MethodPrice(
        milliseconds=Middle.of([cost.times.processor.median for cost in costs]),
        p99=statistics.median(cost.times.processor.p99 for cost in costs),
        elapsed=statistics.median(cost.times.elapsed.median for cost in costs),
        elapsed_p99=statistics.median(cost.times.elapsed.p99 for cost in costs),
        of_own=Middle.of(
            [_milliseconds(a) / _milliseconds(b) for a, b in zip(costs, inferences, strict=True)]
        ),
        macs=_mean(cost.macs for cost in costs),
        macs_of_own=_mean(a.macs / b.macs for a, b in zip(costs, inferences, strict=True)),
        model=_mean(modelled(Work(cost.macs, cost.bytes_moved)) for cost in costs),
        measured={
            meter: (_mean(busy for busy, _ in pairs), _mean(idle for _, idle in pairs))
            for meter, pairs in readings.items()
        },
        peak_bytes=max(known, default=None),
    )


def _milliseconds(cost: MethodCost) -> float:
    return cost.times.processor.median


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def alarms_of(runs: Sequence[RunOfNetworks]) -> dict[str, dict[str, float]]:
    """False alarms a day, by data set and network."""
    rates: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.at_random:
            continue
        for name, model in ((UNPRUNED, "baseline"), (run.name, "pruned")):
            rate = run.row.score("pruned" if model == "pruned" else "baseline", "fp_per_day")
            if rate is not None:
                rates[run.data][name].append(rate)
    return {
        data: {name: _mean(values) for name, values in by_name.items()}
        for data, by_name in rates.items()
    }


def balances_of(
    runs: Sequence[RunOfNetworks], alarms: Mapping[str, Mapping[str, float]]
) -> Iterator[Balance]:
    """Against a window by itself, then against a hop of the shared pass. `alarms`: see `alarms_of`."""
    for bulk in (False, True):
        for name, some in _priced(runs).items():
            for method in some[0].own.costs.methods:
                if method != INFERENCE:
                    yield _balance(name, method, some, bulk, alarms)


def _balance(
    name: str,
    method: str,
    runs: Sequence[RunOfNetworks],
    bulk: bool,
    alarms: Mapping[str, Mapping[str, float]],
) -> Balance:
    costs = [_in_place(run, method, bulk) for run in runs]
    hop = float(runs[0].result.settings["windows"]["hop"])
    windows = SECONDS_A_DAY / hop
    twice = method not in _AT_ONCE
    large, small, extra = (statistics.median(each) for each in zip(*costs, strict=True))
    macs = [_macs_in_place(run, method, bulk) for run in runs]
    joules = [] if bulk else [_joules_in_place(run, method) for run in runs]
    rates = {data: own[name] for data, own in alarms.items() if name in own}
    return Balance(
        network=name,
        method=method,
        bulk=bulk,
        unexplained=Middle.of([own / other for other, own, _ in costs]),
        share=Middle.of([(other - own) / more for other, own, more in costs]),
        macs_share=_mean((other - own) / more for other, own, more in macs),
        energy_share=_mean((other - own) / more for other, own, more in joules) if joules else None,
        every=Middle.of([(more + own * twice) / other for other, own, more in costs]),
        alarms={
            data: (small + min(1.0, rate * ALARM_WINDOWS / windows) * extra) / large
            for data, rate in rates.items()
        },
        seconds=(
            1e-3 * windows * large,
            1e-3 * windows * small,
            1e-3 * windows * (extra + small * twice),
        ),
    )


def _in_place(run: RunOfNetworks, method: str, bulk: bool) -> tuple[float, float, float]:
    """Milliseconds a window, of the whole network, of the smaller one, and of its explanation."""
    before, own = run.before.costs, run.own.costs
    extra = _milliseconds(own.methods[method])
    if bulk:
        return before.hop.processor.median, own.hop.processor.median, extra
    return _milliseconds(before.methods[INFERENCE]), _milliseconds(own.methods[INFERENCE]), extra


def _macs_in_place(run: RunOfNetworks, method: str, bulk: bool) -> tuple[float, float, float]:
    before, own = run.before.costs, run.own.costs
    extra = own.methods[method].macs
    if bulk:
        return before.macs_a_hop, own.macs_a_hop, extra
    return before.methods[INFERENCE].macs, own.methods[INFERENCE].macs, extra


def _joules_in_place(run: RunOfNetworks, method: str) -> tuple[float, float, float]:
    """By the model; of a hop no bytes are counted."""
    before, own = run.before.costs.methods, run.own.costs.methods
    costs = (before[INFERENCE], own[INFERENCE], own[method])
    large, small, extra = (modelled(Work(cost.macs, cost.bytes_moved)) for cost in costs)
    return large, small, extra
