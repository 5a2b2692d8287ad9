"""What a study of drift comes to, as its `drift.json` holds it."""

from __future__ import annotations

from typing import Any

from secateur.results.scores import Record

Pair = tuple[float, float] | None
"""A 95 % interval; None where too few patients are there for one."""


class NetworkDay(Record):
    """One network's scores on one patient's day; None where the day has no seizure.

    `hits` of `seizures`, `false_alarms` in `free_hours` outside seizures: by event.
    """

    auroc: float | None
    macro_f1: float | None
    hits: int
    seizures: int
    false_alarms: int
    free_hours: float


class RelearnedOn(Record):
    """A network that learned from a day: labelled minutes, and what that cost."""

    minutes: float
    processor_seconds: float
    macs: int


class Curve(Record):
    """A network's mean over patients, by day; None where no patient has a value."""

    network: str
    metric: str
    days: tuple[int, ...]
    mean: tuple[float | None, ...]


class Decay(Record):
    """What a network lost on patients of one group ("all", "no drift" or a kind of drift).

    `before`, `after`: means over patients of the reference days and of the last seven; `lost`: before minus
    after inside each patient (for false alarms after minus before); `more_than_baseline`: what it lost beyond
    the baseline, paired by patient; `slope`: of the metric, a week; `days_until`: median day on which 0.05
    were lost (for AUROC and macro-F1), of `reached` patients.
    """

    network: str
    group: str
    metric: str
    patients: int
    before: float | None
    after: float | None
    lost: float | None
    lost_interval: Pair
    more_than_baseline: float | None
    more_interval: Pair
    slope: float | None
    slope_interval: Pair
    days_until: float | None
    reached: int


class Detection(Record):
    """How the monitor did with one network's probabilities, on patients of one group (as in `Decay`).

    Of `drifting` patients: `called` after the onset, `delay` in days (median of these), `early`: before it.
    Of `steady` ones `false`: called at all.
    """

    network: str
    group: str = "all"
    drifting: int
    called: int
    early: int
    delay: float | None
    steady: int
    false: int
    unknown_days: float
    """Share of days after the first seven of which not enough was known."""


class Trial(Record):
    """A way to relearn, over patients who had lost something of the metric.

    `regained`: the sum of what was regained over the sum of what was lost.
    """

    network: str
    metric: str
    method: str
    minutes: float
    epochs: int
    patients: int
    lost: float
    regained: float | None
    processor_seconds: float
    macs: float


class PolicyOutcome(Record):
    """Never, every so many days, or on alarm: means over patients of the days after the first seven."""

    network: str
    policy: str
    patients: int
    auroc: float | None
    macro_f1: float | None
    against_never: float | None
    against_never_interval: Pair
    relearned: float
    minutes: float
    processor_seconds: float
    macs: float


class RealPair(Record):
    """A real child's sessions, or the halves of a case by order: AUROC by network in each."""

    child: str
    first: str
    second: str
    recordings: tuple[int, int]
    auroc: dict[str, tuple[float | None, float | None]]


class DriftFindings(Record):
    """All of it. `settings`: the study's file; `finished` of `planned` patient-days have a result."""

    secateur: str
    settings: dict[str, Any]
    networks: tuple[str, ...]
    parameters: dict[str, int]
    planned: int
    finished: int
    curves: tuple[Curve, ...]
    decay: tuple[Decay, ...]
    detection: tuple[Detection, ...]
    trials: tuple[Trial, ...]
    policies: tuple[PolicyOutcome, ...]
    real: tuple[RealPair, ...]
    command: str = ""
