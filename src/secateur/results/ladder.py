"""What a ladder leaves: every rung with what those who were judged say of it, and the certificate."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from secateur.recordings import data_set_of
from secateur.results.run import Heading, Latency, Rules
from secateur.results.scores import Means, Record, Scores, SubjectMeans
from secateur.scoring.certificate import Certificate
from secateur.scoring.false_alarms import AlarmCost, rate_cost
from secateur.scoring.ladder import Needed, Statement, Verdict

Curve = tuple[tuple[float, ...], tuple[float, ...]]


class JudgedMeans(SubjectMeans):
    """Means over those who were judged. `subjects`: averages over the `repeats`, which are told one by one;
    empty where there was one alone and an earlier version told none.
    """

    repeats: tuple[dict[str, Scores], ...] = ()

    @property
    def alarm_rates(self) -> dict[str, dict[str, float]]:
        """False alarms a day of each person, by data set; empty where an earlier schema told none."""
        rates: dict[str, dict[str, float]] = defaultdict(dict)
        for subject, scores in self.subjects.items():
            rate = scores.get("fp_per_day")
            if rate is not None:
                rates[data_set_of(subject)][subject] = rate
        return dict(rates)

    def alarm_costs(self, other: JudgedMeans) -> dict[str, AlarmCost]:
        """False alarms a day more than `other` raises, paired by person, by data set."""
        costs = {
            data: rate_cost(rates, other.alarm_rates.get(data, {}))
            for data, rates in self.alarm_rates.items()
        }
        return {data: cost for data, cost in costs.items() if cost is not None}


class Judged(Record):
    """One network by those who were judged, and its difference from the baseline inside each."""

    certification: JudgedMeans
    minus_baseline: Means


class JudgedControl(Judged):
    """A network that stands beside a rung."""

    pruned_minus_control: Means


class Rung(Judged):
    """One network of the ladder, how it was judged, and its controls.

    `float_latency_ms`, `float_file_bytes`: of the network before it was quantised; its own where it isn't.
    """

    name: str
    ratio_requested: float
    ratio_achieved: float
    int8: bool
    parameters: int
    macs: int
    file_bytes: int
    kernels: tuple[int, ...]
    latency_ms: Latency
    float_latency_ms: Latency
    float_file_bytes: int
    threshold: float
    post_processing: Rules
    kept: dict[str, tuple[int, ...]]
    units: dict[str, int]
    verdict: Verdict
    statements: tuple[Statement, ...]
    controls: dict[str, JudgedControl]


class JudgedPart(Record):
    """Who stood where in one part: the hold-out, or a fold of one repeat. `seed_step`: added to the seed."""

    name: str
    repeat: int = 1
    seed_step: int = 0
    training: tuple[str, ...]
    validation: tuple[str, ...]
    certification: tuple[str, ...]
    test: tuple[str, ...]


class CertifiedBy(Record):
    """On whom. `earlier_certifications`, `earlier_runs`: that looked at some of the same recordings; None: an
    earlier schema counted none.
    """

    how: Literal["holdout", "folds"]
    parts: tuple[JudgedPart, ...]
    earlier_certifications: int
    earlier_runs: int | None

    @property
    def folds(self) -> int:
        """Parts of each repeat."""
        return sum(part.repeat == 1 for part in self.parts)

    @property
    def repeats(self) -> int:
        """How often everybody was judged."""
        return max(part.repeat for part in self.parts)


class LadderResult(Heading):
    """All of `result.json` of `secateur prune`.

    `chosen`: the name of the severest rung that held, None where none did; `models` and `pruning` are then
    the baseline's and the mildest rung's. `masking`: by group of kernels, cross-entropy of the baseline
    against the share of the group that is masked. `needed`: where none held, how many subjects it would
    have taken.
    """

    test_data: str | None
    weights_given: bool
    certified_by: CertifiedBy
    chosen: str | None
    ladder: tuple[Rung, ...]
    baseline: Judged
    controls: dict[str, Judged]
    masking: dict[str, Curve]
    certificate: Certificate
    needed: tuple[Needed, ...]
