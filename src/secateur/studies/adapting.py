"""What a study of fitted networks says child by child: how each way scored on later recordings, and against
the reference.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secateur.results import AdaptedRun, Portion
from secateur.results.study_run import ModelName
from secateur.scoring.comparing import SubjectComparison, compare
from secateur.scoring.comparing.overlap import over_folds
from secateur.scoring.metrics import BY_SUBJECT
from secateur.studies.file import REPEATS, StudyFile
from secateur.studies.findings import At, Value
from secateur.studies.plan import ADAPT
from secateur.studies.table import Row

METHOD = f"{ADAPT}method"
SCRATCH = "scratch"


@dataclass(frozen=True)
class Way:
    """A network and how it was fitted."""

    network: ModelName
    method: str

    @property
    def name(self) -> str:
        """In words."""
        if self.method == SCRATCH:
            return "from scratch"
        whose = "unpruned" if self.network == "baseline" else "pruned"
        return f"{whose}, {'as it is' if self.method == 'none' else self.method}"


@dataclass(frozen=True)
class Against:
    """A way minus the reference, by subject, in the metric turned so that more is better.

    `better`: subjects for whom it is; `detectable`: the smallest true difference found four times in five
    over so many subjects, taken for independent.
    """

    way: Way
    comparison: SubjectComparison
    better: int
    detectable: float | None


@dataclass(frozen=True)
class BySubject:
    """One metric at one combination of the other axes. `scores`: by way and subject, means over runs;
    `against`: every other way minus `reference`.
    """

    at: At
    metric: str
    reference: Way
    scores: Mapping[Way, Mapping[str, float]]
    against: tuple[Against, ...]

    def summary(self, way: Way) -> tuple[float, float]:
        """Mean and median over subjects."""
        values = list(self.scores[way].values())
        return statistics.fmean(values), statistics.median(values)


@dataclass(frozen=True)
class Adapting:
    """All of it. `subjects`: earlier and later recordings by name, `notes` on their order, and who was
    `left_out` and why.
    """

    tables: tuple[BySubject, ...]
    subjects: Mapping[str, tuple[Portion, Portion]]
    notes: Mapping[str, str]
    left_out: Mapping[str, str]


def adapted(rows: Sequence[Row], study: StudyFile) -> Adapting | None:
    """What the runs with fitted networks say; None where there is none."""
    fitted = [row for row in rows if isinstance(row.result, AdaptedRun)]
    if not fitted:
        return None
    subjects: dict[str, tuple[Portion, Portion]] = {}
    notes: dict[str, str] = {}
    left_out: dict[str, str] = {}
    by_point: dict[tuple[tuple[str, Value], ...], list[Row]] = defaultdict(list)
    for row in fitted:
        result = row.result
        assert isinstance(result, AdaptedRun)
        left_out |= result.left_out
        for name, subject in result.subjects.items():
            subjects[name] = (subject.earlier, subject.later)
            if subject.note:
                notes[name] = subject.note
        point = {k: v for k, v in row.at.items() if k not in (*REPEATS, METHOD)}
        by_point[tuple(point.items())].append(row)
    metrics = [metric for metric in study.metrics if metric.endswith(BY_SUBJECT)]
    tables = [
        _by_subject(dict(point), some, metric)
        for point, some in by_point.items()
        for metric in metrics
    ]
    return Adapting(
        tuple(tables), dict(sorted(subjects.items())), notes, dict(sorted(left_out.items()))
    )


def _by_subject(at: At, rows: Sequence[Row], metric: str) -> BySubject:
    of_way: dict[Way, list[Row]] = defaultdict(list)
    for row in rows:
        assert isinstance(row.result, AdaptedRun)
        method = str(row.result.adapting["method"])
        if method != SCRATCH:  # beside it the network before pruning is as it is
            of_way[Way("baseline", method)].append(row)
        of_way[Way("pruned", method)].append(row)
    ways = sorted(of_way, key=lambda way: way.network)
    references = (Way("pruned", SCRATCH), Way("pruned", "none"))
    reference = next((way for way in references if way in of_way), ways[-1])
    scores = {}
    for way in ways:
        values: dict[str, list[float]] = defaultdict(list)
        for row in of_way[way]:
            for name, value in _scores(row, way.network, metric).items():
                values[name].append(value)
        scores[way] = {name: statistics.fmean(values[name]) for name in sorted(values)}
    theirs = [row.outcome(reference.network, metric) for row in of_way[reference]]
    against = []
    for way in ways:
        if way == reference:
            continue
        ours = [row.outcome(way.network, metric) for row in of_way[way]]
        comparison = compare(ours, theirs).by_subject
        values_of = list(comparison.subjects.values())
        estimate = over_folds(values_of, 0.0)
        against.append(
            Against(
                way,
                comparison,
                int(np.sum(np.array(values_of) > 0)),
                estimate.detectable() if estimate else None,
            )
        )
    return BySubject(at, metric, reference, scores, tuple(against))


def _scores(row: Row, network: ModelName, metric: str) -> dict[str, float]:
    """By subject as its run names it, of those for whom the metric is defined."""
    test = row.result.model(network).test
    names = test.subjects if test is not None else ()
    values = row.subjects(network, metric).values()
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}
