"""Finished runs as a table: one row a run, and outcomes for comparisons.

Comes in: results. Goes out: `Row`s, `runs.csv` (the same bytes for the same runs, whenever and wherever they
were done), `Outcome`s of a metric. Next: `answering` compares them, `reporting` writes them as Parquet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from secateur.recordings import UNKNOWN
from secateur.runs.result import as_csv
from secateur.scoring.comparing import Outcome
from secateur.scoring.metrics import METRICS, metric_of, window_metrics
from secateur.studies.findings import At

Model = Literal["baseline", "pruned", "minus"]
MODELS: tuple[Model, ...] = ("baseline", "pruned")


@dataclass(frozen=True)
class Row:
    """A finished run. `name`: its hash; `at`: its values on the axes; `result`: as it was written."""

    name: str
    at: At
    result: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """Of the weights."""
        return int(self.result["settings"].get("seed", 0))

    @property
    def fold(self) -> str:
        """Name of who trained and who tested: equal for runs on the same partition.

        What the command line called the folders is no part of it.
        """
        split, data = self.result["split"], self.result["data"]
        contents = [data[key] for key in ("name", "recordings", "seizures")]
        elsewhere = self.result["where"][1] is not None
        told = [split.get("training"), split.get("test"), split["by"], contents, elsewhere]
        if split["by"] in ("random", "recording"):
            told.append(split["seed"])
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]

    def score(self, model: Model, metric: str) -> float | None:
        """Of the whole test side; "minus": pruned minus baseline."""
        if model == "minus":
            return _minus(self.score("pruned", metric), self.score("baseline", metric))
        test = self.result["models"][model]["test"]
        if test is None:
            return None
        scope = metric_of(metric).scope
        if scope == "events":
            return _number(test["events"].get(METRICS[metric].field))
        if scope == "prevalence":
            return METRICS[metric].measure(test)
        if metric.endswith("_by_subject"):
            known = [v for v in self.subjects(model, metric).values() if v is not None]
            return sum(known) / len(known) if known else None
        return _number(test.get(metric))

    def subjects(self, model: Model, metric: str) -> dict[str, float | None]:
        """Of each test subject, where the metric is one inside a subject."""
        if model == "minus":
            ours, theirs = self.subjects("pruned", metric), self.subjects("baseline", metric)
            return {name: _minus(value, theirs.get(name)) for name, value in ours.items()}
        test = self.result["models"][model]["test"]
        inside = metric.removesuffix("_by_subject")
        if test is None:
            return {}
        found: dict[str, float | None] = {}
        for name, values in test["subjects"].items():
            if name.rpartition("/")[2] == UNKNOWN:
                continue  # all recordings of who isn't told are no subject
            scores = dict(zip(window_metrics(), values, strict=True))
            if scores["sensitivity"] is None or scores["specificity"] is None:
                # runs stored up to result version 4 hold them for subjects who lack a class
                scores |= {"macro_f1": None, "auprc": None}
            if METRICS[inside].scope == "prevalence":
                scores[inside] = METRICS[inside].measure(scores)
            found[name] = _number(scores.get(inside))
        return found

    def outcome(self, model: Model, metric: str) -> Outcome:
        """For comparisons, in which more is better."""
        sign = metric_of(metric).sign
        counts, unit = self.result["split"]["counts"], self._unit
        score = self.score(model, metric)
        return Outcome(
            fold=self.fold,
            seed=self.seed,
            score=None if score is None else sign * score,
            subjects={
                name: None if value is None else sign * value
                for name, value in self.subjects(model, metric).items()
            },
            test=self._size("test", counts, unit),
            training=self._size("training", counts, unit),
        )

    @property
    def _unit(self) -> str:
        by = self.result["split"]["by"]
        return {"random": "windows", "recording": "recordings"}.get(by, "subjects")

    def _size(self, side: str, counts: Mapping[str, Any], unit: str) -> int:
        if side not in counts:
            return 0
        if unit == "subjects":
            return len(self.result["split"][side])
        return int(counts[side][unit])


def flat(row: Row, metrics: Sequence[str]) -> dict[str, Any]:
    """One line of runs.csv: no times, no paths."""
    result = row.result
    told: dict[str, Any] = {"run": row.name, **row.at, "partition": row.fold}
    for model in MODELS:
        sizes = result["models"][model]
        for size in ("parameters", "macs", "best_epoch"):
            told[f"{model}_{size}"] = sizes[size]
        told[f"{model}_epochs"] = len(sizes["epochs"]["validation_loss"])
    for metric in metrics:
        for model in MODELS:
            told[f"{model}_{metric}"] = row.score(model, metric)
    for key, value in (result.get("ladder") or {}).items():
        told[f"ladder_{key}"] = value
    return told


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """runs.csv: `flat` rows in the order of the plan."""
    return as_csv(rows) if rows else "run\n"


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
