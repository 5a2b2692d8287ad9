"""From patients' days to what a study of drift says: decay, detection, what regaining costs, and when to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

import secateur
from secateur.recordings.simulated.drifts import Drift
from secateur.results.drift_study import (
    Curve,
    Decay,
    Detection,
    DriftFindings,
    NetworkDay,
    Pair,
    PolicyOutcome,
    RealPair,
    Trial,
)
from secateur.scoring.comparing.by_subject import bootstrap_interval
from secateur.studies.drift import trials
from secateur.studies.drift.days import DayRecord, verdicts
from secateur.studies.drift.following import FIRST_DAYS, POLICIES
from secateur.studies.drift.networks import Trained
from secateur.studies.drift.settings import DriftStudy
from secateur.studies.drift.trials import Trials, Tried

METRICS = ("auroc", "macro_f1", "event_sensitivity", "fp_per_day")
WORSE_IF_HIGHER = ("fp_per_day",)
LOSS_LOOKED_FOR = 0.05
LEAST_LOST = 0.02
"""Of AUROC or macro-F1, without which there is nothing to regain."""
_LAST_DAYS = 7
_TRAILING = 3
"""Days with a seizure over which a loss must be seen."""


@dataclass(frozen=True)
class Followed:
    """One patient of one seed: what befell them, every day, and what was tried."""

    seed: int
    index: int
    drifts: tuple[Drift, ...]
    days: tuple[DayRecord, ...]
    trials: Trials

    @property
    def onset(self) -> int | None:
        """The first day on which anything has changed."""
        return min((drift.onset for drift in self.drifts), default=None)

    def network_day(self, record: DayRecord, name: str) -> NetworkDay:
        """A network's scores of a day; of an adapted one that isn't there yet, its parent's."""
        return record.networks.get(name) or record.networks[name.rpartition(":")[2]]

    def mean(self, name: str, metric: str, days: Sequence[DayRecord]) -> float | None:
        """A metric over days: counts are added up, what is of windows is averaged."""
        own = [self.network_day(record, name) for record in days]
        if metric == "event_sensitivity":
            seizures = sum(day.seizures for day in own)
            return sum(day.hits for day in own) / seizures if seizures else None
        if metric == "fp_per_day":
            hours = sum(day.free_hours for day in own)
            return 24 * sum(day.false_alarms for day in own) / hours if hours else None
        return _mean([getattr(day, metric) for day in own])

    def by_day(self, name: str, metric: str) -> list[tuple[int, float]]:
        """The days that have a value, and it."""
        values = [(record.day, self.mean(name, metric, [record])) for record in self.days]
        return [(day, value) for day, value in values if value is not None]


def findings_of(
    study: DriftStudy,
    followed: Sequence[Followed],
    networks: Mapping[str, Trained],
    real: Sequence[RealPair],
    command: str,
) -> DriftFindings:
    """All that the study says."""
    parameters = {name: each.load().info.provenance.parameters for name, each in networks.items()}
    return DriftFindings(
        secateur=secateur.__version__,
        settings=study.model_dump(mode="json"),
        networks=study.networks,
        parameters=parameters,
        planned=len(study.seeds) * study.patients.patients * study.patients.days,
        finished=sum(len(each.days) for each in followed),
        curves=tuple(_curves(study, followed)),
        decay=tuple(_decay(study, followed)),
        detection=tuple(
            _detection(name, group, patients)
            for group, patients in _groups(followed).items()
            for name in study.networks
        ),
        trials=tuple(_trials([tried for each in followed for tried in each.trials.tried])),
        policies=tuple(_policies(study, followed)),
        real=tuple(real),
        command=command,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _interval(values: Sequence[float]) -> Pair:
    return bootstrap_interval(np.array(values, dtype=np.float64))


def _curves(study: DriftStudy, followed: Sequence[Followed]) -> Iterator[Curve]:
    days = tuple(range(1, study.patients.days + 1))
    for name, metric in product(study.networks, METRICS):
        by_day: dict[int, list[float | None]] = defaultdict(list)
        for each in followed:
            for day, value in each.by_day(name, metric):
                by_day[day].append(value)
        yield Curve(
            network=name, metric=metric, days=days, mean=tuple(_mean(by_day[day]) for day in days)
        )


def _groups(followed: Sequence[Followed]) -> dict[str, list[Followed]]:
    """Everybody, those in whom nothing drifts, and those of each kind of drift."""
    groups = {"all": list(followed)}
    steady = [each for each in followed if not each.drifts]
    if steady:
        groups["no drift"] = steady
    for kind in dict.fromkeys(drift.kind for each in followed for drift in each.drifts):
        groups[kind] = [
            each for each in followed if any(drift.kind == kind for drift in each.drifts)
        ]
    return groups


def _decay(study: DriftStudy, followed: Sequence[Followed]) -> Iterator[Decay]:
    for (group, patients), metric in product(_groups(followed).items(), METRICS):
        baseline = _lost(patients, "baseline", metric)
        for name in study.networks:
            lost = _lost(patients, name, metric)
            both = [lost[key] - baseline[key] for key in lost if key in baseline]
            more = both if name != "baseline" else []
            slopes = [
                slope
                for each in patients
                if (slope := _slope(each.by_day(name, metric))) is not None
            ]
            until = [
                day
                for each in patients
                if metric in ("auroc", "macro_f1")
                and (day := _lost_on(each.by_day(name, metric))) is not None
            ]
            yield Decay(
                network=name,
                group=group,
                metric=metric,
                patients=len(lost),
                before=_mean([each.mean(name, metric, _first(each)) for each in patients]),
                after=_mean([each.mean(name, metric, _last(each)) for each in patients]),
                lost=_mean(list(lost.values())),
                lost_interval=_interval(list(lost.values())),
                more_than_baseline=_mean(more),
                more_interval=_interval(more),
                slope=_mean(slopes),
                slope_interval=_interval(slopes),
                days_until=float(np.median(until)) if until else None,
                reached=len(until),
            )


def _first(each: Followed) -> tuple[DayRecord, ...]:
    return each.days[:FIRST_DAYS]


def _last(each: Followed) -> tuple[DayRecord, ...]:
    return each.days[FIRST_DAYS:][-_LAST_DAYS:]


def _lost(patients: Sequence[Followed], name: str, metric: str) -> dict[tuple[int, int], float]:
    """What each patient lost from the first days to the last, above zero for worse."""
    sign = -1 if metric in WORSE_IF_HIGHER else 1
    lost = {}
    for each in patients:
        before, after = (each.mean(name, metric, days) for days in (_first(each), _last(each)))
        if before is not None and after is not None:
            lost[each.seed, each.index] = sign * (before - after)
    return lost


def _slope(values: Sequence[tuple[int, float]]) -> float | None:
    """A week's change by least squares; None for fewer than three days."""
    if len(values) < 3:
        return None
    days, scores = np.array(values, dtype=np.float64).T
    return float(7 * np.polyfit(days, scores, 1)[0])


def _lost_on(values: Sequence[tuple[int, float]]) -> int | None:
    """The first day on which the last `_TRAILING` values lie `LOSS_LOOKED_FOR` below the first days'."""
    before = [score for day, score in values if day <= FIRST_DAYS]
    later = [(day, score) for day, score in values if day > FIRST_DAYS]
    if not before:
        return None
    for end in range(_TRAILING, len(later) + 1):
        recent = [score for _, score in later[end - _TRAILING : end]]
        if np.mean(before) - np.mean(recent) >= LOSS_LOOKED_FOR:
            return later[end - 1][0]
    return None


def _detection(name: str, group: str, followed: Sequence[Followed]) -> Detection:
    delays, called, early, false, unknown = [], 0, 0, 0, []
    for each in followed:
        kinds = {day: v.kind for day, v in verdicts(each.days, name).items() if day > FIRST_DAYS}
        drift_days = sorted(day for day, kind in kinds.items() if kind == "drift")
        unknown += [kind == "not enough known" for kind in kinds.values()]
        onset = each.onset
        if onset is None:
            false += bool(drift_days)
            continue
        early += any(day < onset for day in drift_days)
        after = [day for day in drift_days if day >= onset]
        called += bool(after)
        delays += [after[0] - onset] if after else []
    drifting = sum(each.onset is not None for each in followed)
    return Detection(
        network=name,
        group=group,
        drifting=drifting,
        called=called,
        early=early,
        delay=float(np.median(delays)) if delays else None,
        steady=len(followed) - drifting,
        false=false,
        unknown_days=float(np.mean(unknown)) if unknown else 1.0,
    )


def _trials(tried: Sequence[Tried]) -> Iterator[Trial]:
    for metric in trials.METRICS:
        groups: dict[tuple[str, str, float, int], list[Tried]] = defaultdict(list)
        for each in tried:
            if each.before[metric] - each.unadapted[metric] >= LEAST_LOST:
                groups[each.network, each.method, each.minutes, each.epochs].append(each)
        for (network, method, minutes, epochs), own in groups.items():
            lost = sum(each.before[metric] - each.unadapted[metric] for each in own)
            regained = sum(each.adapted[metric] - each.unadapted[metric] for each in own)
            yield Trial(
                network=network,
                metric=metric,
                method=method,
                minutes=minutes,
                epochs=epochs,
                patients=len(own),
                lost=lost / len(own),
                regained=regained / lost,
                processor_seconds=float(np.mean([each.processor_seconds for each in own])),
                macs=float(np.mean([each.macs for each in own])),
            )


def _policies(study: DriftStudy, followed: Sequence[Followed]) -> Iterator[PolicyOutcome]:
    followed = [each for each in followed if each.index in study.with_policies]
    for network in study.policies.networks if followed else ():
        never = {
            (each.seed, each.index): each.mean(network, "auroc", each.days[FIRST_DAYS:])
            for each in followed
        }
        for policy in ("never", *POLICIES):
            name = network if policy == "never" else f"{policy}:{network}"
            means = {
                (each.seed, each.index): each.mean(name, "auroc", each.days[FIRST_DAYS:])
                for each in followed
            }
            better = [
                mean - other
                for key, mean in means.items()
                if mean is not None and (other := never[key]) is not None
            ]
            learned = [
                [record.relearned[name] for record in each.days if name in record.relearned]
                for each in followed
            ]
            yield PolicyOutcome(
                network=network,
                policy=policy,
                patients=len(followed),
                auroc=_mean(list(means.values())),
                macro_f1=_mean(
                    [each.mean(name, "macro_f1", each.days[FIRST_DAYS:]) for each in followed]
                ),
                against_never=_mean(better) if policy != "never" else None,
                against_never_interval=_interval(better) if policy != "never" else None,
                relearned=float(np.mean([len(own) for own in learned])),
                minutes=float(np.mean([sum(r.minutes for r in own) for own in learned])),
                processor_seconds=float(
                    np.mean([sum(r.processor_seconds for r in own) for own in learned])
                ),
                macs=float(np.mean([sum(r.macs for r in own) for own in learned])),
            )
