"""Finished runs as a table: one row a run, outcomes for comparisons, and `runs.csv`, the same bytes for the
same runs whenever and wherever they were done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from secateur.recordings import UNKNOWN, data_set_of
from secateur.results import StudyRun
from secateur.results.scores import EpochScores, TestScores
from secateur.results.study_run import MODELS, ModelName
from secateur.scoring.comparing import Outcome
from secateur.scoring.intervals import minus
from secateur.scoring.metrics import (
    BY_SUBJECT,
    METRICS,
    OrdinaryEEG,
    key_of,
    metric_of,
    set_of,
)
from secateur.studies.findings import At

Model = Literal["baseline", "pruned", "minus"]


@dataclass(frozen=True)
class Row:
    """A finished run. `name`: its hash; `at`: its values on the axes; `result`: as it was written."""

    name: str
    at: At
    result: StudyRun

    @property
    def seed(self) -> int:
        """Of the weights."""
        return int(self.result.settings["seed"])

    @property
    def fold(self) -> str:
        """Name of who trained and who tested: equal for runs on the same partition.

        What folders and data sets are called is no part of it, where their contents are on record.
        """
        run, split, data = self.result, self.result.split, self.result.data
        elsewhere = run.where[1] is not None
        contents: list[Any] = [data.name, data.recordings, data.seizures]
        training, test = split.training, split.test
        if run.contents:
            contents = [run.contents.get("data"), run.contents.get("test_data")]
            training, test = _labels(training), _labels(test or ())
        partition: list[Any] = [training, test, split.by, contents, elsewhere]
        if split.by in ("random", "recording"):
            partition.append(split.seed)
        return hashlib.sha256(json.dumps(partition).encode()).hexdigest()[:12]

    def score(self, model: Model, metric: str) -> float | None:
        """Of the whole test side; "minus": pruned minus baseline."""
        if model == "minus":
            return minus(self.score("pruned", metric), self.score("baseline", metric))
        key, epochs = key_of(metric)
        if key.endswith(BY_SUBJECT) or metric_of(key).scope == "background":
            known = [v for v in self.subjects(model, metric).values() if v is not None]
            return sum(known) / len(known) if known else None
        scores = self._scores(model, epochs)
        if scores is None:
            return None
        if metric_of(key).scope == "prevalence":
            return METRICS[key].measure(scores.scores)
        return scores.score(key) if isinstance(scores, TestScores) else scores.scores.get(key)

    def subjects(self, model: Model, metric: str) -> dict[str, float | None]:
        """Of each test subject, where the metric is one inside a subject."""
        if model == "minus":
            ours, theirs = self.subjects("pruned", metric), self.subjects("baseline", metric)
            return {name: minus(value, theirs.get(name)) for name, value in ours.items()}
        key, epochs = key_of(metric)
        if metric_of(key).scope == "background":
            return self._ordinary(model, key)
        scored, inside = self._scores(model, epochs), METRICS[key.removesuffix(BY_SUBJECT)]
        subjects = scored.subjects if scored is not None else {}
        names = self._people(tuple(subjects))
        return {
            name: inside.measure(scores) if inside.scope == "prevalence" else scores.get(inside.key)
            for name, scores in zip(names, subjects.values(), strict=True)
            if name.rpartition("/")[2] != UNKNOWN  # all recordings of who isn't told are no subject
        }

    def _ordinary(self, model: ModelName, key: str) -> dict[str, float | None]:
        """Of each person of the data sets declared free of seizures, or of the one that `key` names."""
        base, data_set = set_of(key)
        test = self.result.model(model).test
        scores: dict[str, float | None] = {}
        for alarms in test.false_alarms if test is not None else ():
            if not alarms.declared_seizure_free or data_set not in (None, alarms.data):
                continue
            assert test is not None
            for subject, count in alarms.subjects.items():
                quiet = test.subjects[subject]["specificity"]
                called = None if quiet is None else 1 - quiet
                person = OrdinaryEEG(called, count.alarms, count.hours)
                scores[subject] = METRICS[base].measure(person)
        return scores

    def _people(self, subjects: tuple[str, ...]) -> tuple[str, ...]:
        """Names that tell test subjects apart: by what their data set holds, not by what it is called.

        Of several data sets by their names: who else tests makes nobody another person.
        """
        contents = self.result.contents
        if not contents or len({data_set_of(name) for name in subjects}) > 1:
            return subjects
        data = contents.get("test_data") or contents["data"]
        return tuple(f"{data}/{label}" for label in _labels(subjects))

    def _scores(self, model: ModelName, epochs: int | None) -> TestScores | EpochScores | None:
        """Scores on the test side in the end, or, of the pruned network, after few epochs of retraining."""
        result = self.result.model(model)
        if epochs is None or model == "baseline":
            return result.test
        return (result.after_epochs or {}).get(epochs)

    def outcome(self, model: Model, metric: str) -> Outcome:
        """For comparisons, in which more is better."""
        sign = metric_of(metric).sign
        score = self.score(model, metric)
        return Outcome(
            fold=self.fold,
            seed=self.seed,
            score=None if score is None else sign * score,
            subjects={
                name: None if value is None else sign * value
                for name, value in self.subjects(model, metric).items()
            },
            test=self._size("test"),
            training=self._size("training"),
        )

    def _size(self, side: Literal["training", "test"]) -> int:
        """Windows, recordings or subjects of a side: what was divided."""
        split = self.result.split
        if side not in split.counts:
            return 0
        counts = split.counts[side]
        if split.by == "random":
            return counts.windows
        if split.by == "recording":
            return counts.recordings
        return sum(data_set_of(name) not in split.tests_only for name in getattr(split, side) or ())


def _labels(subjects: tuple[str, ...]) -> tuple[str, ...]:
    """Subjects without the name of their data set, where there is one alone."""
    if len({data_set_of(name) for name in subjects}) > 1:
        return subjects
    return tuple(name.rpartition("/")[2] for name in subjects)


def flat(row: Row, metrics: Sequence[str]) -> dict[str, Any]:
    """One line of runs.csv: no times, no paths."""
    line: dict[str, Any] = {"run": row.name, **row.at, "partition": row.fold}
    models = [model for model in MODELS if model in row.result.models]
    for model in models:
        result = row.result.models[model]
        for size in ("parameters", "macs", "best_epoch"):
            line[f"{model}_{size}"] = getattr(result, size)
        line[f"{model}_epochs"] = result.epochs.count
    for metric in metrics:
        for model in models:
            line[f"{model}_{metric}"] = row.score(model, metric)
    if row.result.ladder is not None:
        line |= {f"ladder_{name}": value for name, value in row.result.ladder}
    return line


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """runs.csv: `flat` rows in the order of the plan."""
    from secateur.runs.result import as_csv  # which loads torch

    return as_csv(rows) if rows else "run\n"


def seconds_of(rows: Sequence[Row]) -> float:
    """Processor seconds of all runs; a network before pruning that several share counts once."""
    total, baselines = 0.0, {}
    for row in rows:
        spent = row.result.seconds
        total += sum(value for name, value in spent.items() if name != "baseline")
        baselines[(spent.get("baseline"), row.fold, row.seed)] = spent.get("baseline") or 0.0
    return total + sum(baselines.values())
