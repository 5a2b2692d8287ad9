"""How long runs will take, from those that were done."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from secateur.networks import NetworkSettings, build_network, count_macs
from secateur.results import StudyRun
from secateur.runs.data import PreparedCohort
from secateur.runs.settings import RunSettings
from secateur.studies.plan import Job
from secateur.windows import window_samples

FIXED_MACS = 2e6
"""What a training step costs whatever the network: windows cut, changed and carried about."""
GUESS = 1e-9
"""Seconds for each unit of effort before anything was measured."""


def effort(settings: RunSettings, stock: PreparedCohort) -> tuple[float, float]:
    """Of training the network before pruning, and of retraining it: epochs × windows × MACs, in no unit."""
    length, _ = window_samples(settings.windows, stock.chain.sampling_rate)
    channels = stock.ours[0].signal.channels
    macs = _macs(settings.network, channels, length)
    training = settings.training
    of_epoch = training.windows_per_epoch if training.draw == "balanced" else 2000
    size = training.epochs * of_epoch
    share: float = (1 - settings.pruning.ratio) ** 2
    before = size * (macs + FIXED_MACS)
    return before, size * settings.pruning.steps * (macs * share + FIXED_MACS)


@lru_cache
def _macs(network: NetworkSettings, channels: int, length: int) -> int:
    return count_macs(build_network(network, channels, length, 0), channels, length)


def spent_on(result: StudyRun) -> float:
    """Processor seconds of a result, without a baseline that other runs may share."""
    shared = () if result.kind == "train" else ("baseline",)
    return sum(value for name, value in result.seconds.items() if name not in shared)


def measured(results: Iterable[tuple[Job, StudyRun]]) -> dict[str, float]:
    """Mean seconds of finished runs by what they cost alike: `likeness`."""
    seen: dict[str, list[float]] = {}
    for job, result in results:
        seen.setdefault(likeness(job), []).append(spent_on(result))
    return {key: statistics.fmean(values) for key, values in seen.items()}


def likeness(job: Job) -> str:
    """Runs of equal likeness differ in what doesn't change their cost: seeds, folds, criteria."""
    chosen = job.settings
    return repr(
        (
            job.kind,
            job.bits,
            job.adapt,
            job.where,
            chosen.network,
            chosen.training,
            chosen.pruning.ratio,
            chosen.pruning.steps,
            chosen.chain.montage,
        )
    )


def longest_first(
    jobs: Sequence[Job],
    baselines: Mapping[str, float],
    known: Mapping[str, float],
    present: Iterable[str],
) -> list[tuple[Job, float]]:
    """Jobs with their expected seconds, longest first; the first of each baseline bears its training.

    `baselines`: effort of each by its name; `known`: see `measured`; `present`: baselines that are trained.
    Where nothing is measured, by effort. Equal ones stay in their order.
    """
    alike = {likeness(job): job.work for job in jobs}
    rates = [known[key] / work for key, work in alike.items() if key in known and work > 0]
    rate = statistics.median(rates) if rates else GUESS
    trained = set(present)
    alone = [(job, known.get(likeness(job), job.work * rate)) for job in jobs]
    alone.sort(key=lambda pair: -pair[1])
    costs = []
    for job, seconds in alone:
        extra = 0.0 if job.baseline in trained else baselines.get(job.baseline, 0.0) * rate
        trained.add(job.baseline)
        costs.append((job, seconds + extra))
    return sorted(costs, key=lambda pair: -pair[1])


def seconds_left(
    elapsed: float, done: int, expected: float, remaining: float, at_once: float
) -> float:
    """Seconds of the clock that the remaining runs take, from what those that are done took.

    `expected`, `remaining`: what runs that are done and the others were reckoned to cost. The others that are
    under way are taken for half done.
    """
    under_way = min(remaining, (at_once - 1) / 2 * expected / done)
    progressed = expected + under_way
    return elapsed * (remaining - under_way) / progressed if progressed else 0.0
