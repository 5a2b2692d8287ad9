"""Whether a study's networks give the same reasons for the same seizures, and whether they bear them out."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.explaining.trials import rank_correlation
from secateur.results import ExplainedEvent, NetworkExplanations
from secateur.scoring.intervals import Interval, mean_interval
from secateur.studies.explained_run import UNPRUNED, RunOfNetworks

SEEDS = "two whole networks, different seeds"
AT_RANDOM = "whole, labels at random"
TOP = 5
"""Channels that are named first."""


@dataclass(frozen=True)
class Estimate:
    """A mean over subjects. `interval`: 95 %, bootstrap over subjects; None for fewer than five."""

    value: float
    interval: Interval | None

    @classmethod
    def of(cls, by_subject: Mapping[str, float]) -> Estimate:
        """Of one value a subject."""
        values = list(by_subject.values())
        return cls(statistics.fmean(values), mean_interval(values))


@dataclass(frozen=True)
class Agreement:
    """How alike two networks' maps of the same seizures are, by method.

    `rank`: Spearman's correlation over channels; `top`: share of the `TOP` channels named first that are the
    same. `less`: of the rank correlation, that of two whole networks subtracted, seizure by seizure; None for
    those themselves.
    """

    rank: Mapping[str, Estimate]
    top: Mapping[str, Estimate]
    less: Mapping[str, Estimate | None]

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of which both networks have maps."""
        return tuple(self.rank)


@dataclass(frozen=True)
class Faithfulness:
    """How much farther the margin falls (deletion) and rises (insertion) by a method's order than by chance
    and than by plain amplitude, in logits. `margin`: mean margin of seizures minus that of what stands in.
    """

    deletion: Mapping[str, tuple[Estimate, Estimate]]
    insertion: Mapping[str, tuple[Estimate, Estimate]]
    margin: float

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of which the network has maps."""
        return tuple(self.deletion)


@dataclass(frozen=True)
class Reasons:
    """On one data set: by network. `control`: the name of two whole networks among the agreements."""

    data: str
    seizures: int
    subjects: int
    channels: int
    agreement: Mapping[str, Agreement]
    faithfulness: Mapping[str, Faithfulness]
    control: str = SEEDS


Seizure = tuple[str, str, float]
"""Subject, recording and onset."""
Pair = tuple[NetworkExplanations, NetworkExplanations]


def reasons_of(runs: Sequence[RunOfNetworks]) -> Iterator[Reasons]:
    """On each data set."""
    for data in dict.fromkeys(run.data for run in runs):
        here = [run for run in runs if run.data == data]
        yield _reasons_on(data, here)


def _reasons_on(data: str, runs: Sequence[RunOfNetworks]) -> Reasons:
    wholes = {run.key: run.before for run in runs if not run.at_random}
    pairs: dict[str, list[Pair]] = {SEEDS: list(_of_two_seeds(wholes))}
    networks: dict[str, dict[tuple[str, str, int], NetworkExplanations]] = {UNPRUNED: wholes}
    for run in runs:
        partner = _partner(run, wholes)
        if run.at_random:
            networks.setdefault(AT_RANDOM, {})[run.key] = run.before
            if partner is not None:
                pairs.setdefault(AT_RANDOM, []).append((run.before, partner))
        networks.setdefault(run.name, {})[run.key] = run.own
        if partner is not None:
            pairs.setdefault(run.name, []).append((run.own, partner))
    control = _alike(pairs[SEEDS])
    events = {_seizure(event): event for net in wholes.values() for event in net.events}
    return Reasons(
        data=data,
        seizures=len(events),
        subjects=len({subject for subject, _, _ in events}),
        channels=_channels(events.values()),
        agreement={name: _agreement(some, control) for name, some in pairs.items() if some},
        faithfulness={name: _faithfulness(list(some.values())) for name, some in networks.items()},
    )


def _partner(
    run: RunOfNetworks, wholes: Mapping[tuple[str, str, int], NetworkExplanations]
) -> NetworkExplanations | None:
    """The whole network that a network is compared with: before its pruning, or of the true labels."""
    return wholes.get(run.key) if run.at_random else run.before


def _of_two_seeds(
    wholes: Mapping[tuple[str, str, int], NetworkExplanations],
) -> Iterator[Pair]:
    by_fold: dict[tuple[str, str], list[NetworkExplanations]] = defaultdict(list)
    for (data, fold, _), network in wholes.items():
        by_fold[data, fold].append(network)
    for some in by_fold.values():
        yield from itertools.combinations(some, 2)


def _seizure(event: ExplainedEvent) -> Seizure:
    return event.subject, event.recording, event.onset


def _channels(events: Iterable[ExplainedEvent]) -> int:
    """How many channels the maps have, at most."""
    return max(
        (len(own.by_channel) for event in events for own in event.methods.values()), default=0
    )


_Alike = dict[str, dict[Seizure, tuple[float, float]]]
"""By method and seizure: rank correlation and share of the top that is the same."""


def _alike(pairs: Sequence[Pair]) -> _Alike:
    """Means over pairs of networks."""
    seen: dict[str, dict[Seizure, list[tuple[float, float]]]] = {}
    for ours, theirs in pairs:
        others = {_seizure(event): event for event in theirs.events}
        for event in ours.events:
            other = others.get(_seizure(event))
            if other is None:
                continue
            for method, own in event.methods.items():
                if method in other.methods:
                    a, b = np.array(own.by_channel), np.array(other.methods[method].by_channel)
                    values = rank_correlation(a, b), _overlap(a, b)
                    seen.setdefault(method, {}).setdefault(_seizure(event), []).append(values)
    return {
        method: {
            seizure: (
                statistics.fmean(rank for rank, _ in values),
                statistics.fmean(top for _, top in values),
            )
            for seizure, values in by_seizure.items()
        }
        for method, by_seizure in seen.items()
    }


def _overlap(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Share of the first channels of the one that are among the first of the other."""
    count = min(TOP, len(ours))
    first = [set(np.argsort(-values, kind="stable")[:count].tolist()) for values in (ours, theirs)]
    return len(first[0] & first[1]) / count


def _agreement(pairs: Sequence[Pair], control: _Alike) -> Agreement:
    alike = _alike(pairs)
    rank, top, less = {}, {}, {}
    for method, by_seizure in alike.items():
        rank[method] = _estimate({seizure: both[0] for seizure, both in by_seizure.items()})
        top[method] = _estimate({seizure: both[1] for seizure, both in by_seizure.items()})
        other = control.get(method, {})
        shared = {
            seizure: both[0] - other[seizure][0]
            for seizure, both in by_seizure.items()
            if seizure in other
        }
        less[method] = _estimate(shared) if shared and other != by_seizure else None
    return Agreement(rank, top, less)


def _estimate(by_seizure: Mapping[Seizure, float]) -> Estimate:
    """Over subjects, whose seizures count together."""
    subjects: dict[str, list[float]] = defaultdict(list)
    for (subject, _, _), value in by_seizure.items():
        subjects[subject].append(value)
    return Estimate.of({subject: statistics.fmean(values) for subject, values in subjects.items()})


def _faithfulness(networks: Sequence[NetworkExplanations]) -> Faithfulness:
    events = [event for network in networks for event in network.events]
    methods = list(dict.fromkeys(method for event in events for method in event.methods))

    def beyond(read: Callable[[ExplainedEvent, str], float], method: str) -> Estimate:
        seen: dict[Seizure, list[float]] = defaultdict(list)
        for event in events:
            if method in event.methods:
                seen[_seizure(event)].append(read(event, method))
        return _estimate({seizure: statistics.fmean(values) for seizure, values in seen.items()})

    return Faithfulness(
        deletion={
            method: (
                beyond(lambda event, m: event.methods[m].fall - event.chance[0], method),
                beyond(lambda event, m: event.methods[m].fall - event.amplitude[0], method),
            )
            for method in methods
        },
        insertion={
            method: (
                beyond(lambda event, m: event.methods[m].rise - event.chance[1], method),
                beyond(lambda event, m: event.methods[m].rise - event.amplitude[1], method),
            )
            for method in methods
        },
        margin=statistics.fmean(event.margin - event.reference for event in events),
    )
