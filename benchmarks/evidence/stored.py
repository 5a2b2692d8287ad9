"""What `evidence/NAME` holds of a study: its plan, the runs behind it, and which code did each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.evidence.records import Json, read_records, write_records
from secateur.errors import RunError
from secateur.files import write_whole
from secateur.results import StudyRun, read_study_run, written
from secateur.results.drift_study import DriftFindings
from secateur.scoring.metrics import study_metrics
from secateur.studies import Findings, Plan, Row, StudyFile, evaluate_study
from secateur.studies.record import PLAN, failure_file, result_file
from secateur.studies.store import Store
from secateur.studies.table import flat

TOP = Path(__file__).resolve().parents[2]
EVIDENCE = TOP / "evidence"
RUNS = "runs.parquet"
OLDER = "older.txt"
"""Beside the studies: names of those whose runs are of an earlier result version and not made again yet."""
DRIFT = "drift"
DRIFT_TABLES = ("curves", "decay", "detection", "trials", "policies", "real")
"""Of the study of drift, whose days are too large to ship: what they come to, a file each."""
NESTED = (
    "contents",
    "explained",
    "left_out",
    "left_out",
    "models.*.after_epochs",
    "models.*.groups",
    "models.*.test.froc",
    "models.*.test.subjects",
    "subjects",
)
"""What of a run stays JSON: tables by subject, by data set, by threshold."""
SCHEMA = 1


@dataclass(frozen=True)
class StoredStudy:
    """A study with its results and where they come from.

    `results`: by a run's name; `failures`: one line each. `commits`: of the code that did each run, by its
    name. `recorded`: by commit, how it is known that this code did it.
    """

    plan: Plan
    results: Mapping[str, StudyRun]
    commits: Mapping[str, str]
    recorded: Mapping[str, str]
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def result_versions(self) -> tuple[int, ...]:
        """Of the runs, rising."""
        known = {result.versions.result for result in self.results.values()}
        return tuple(sorted(version or 0 for version in known))

    def findings(self) -> Findings:
        """What the runs say."""
        return evaluate_study(self.plan, StoredRuns("evidence", self))

    def rows(self) -> list[Row]:
        """The runs that are finished, in the plan's order."""
        runs = self.plan.runs
        return [Row(name, at, self.results[name]) for name, at in runs if name in self.results]


@dataclass(frozen=True)
class StoredDrift:
    """What the study of drift came to. `commits`: of the code that made its days, by seed."""

    findings: DriftFindings
    commits: Mapping[str, str]
    recorded: Mapping[str, str]
    result_version: int

    @property
    def result_versions(self) -> tuple[int, ...]:
        """As of a study of runs."""
        return (self.result_version,)


@dataclass(frozen=True)
class StoredRuns(Store):
    """A study's results as the store in which they were made holds them; nothing can be written."""

    study: StoredStudy

    def put(self, name: str, content: bytes) -> None:
        """Refused."""
        raise RunError(f"{name}: stored evidence is not written to")

    def delete(self, name: str) -> None:
        """Refused."""
        raise RunError(f"{name}: stored evidence is not written to")

    def get(self, name: str) -> bytes | None:
        """See `Store`."""
        run = Path(name).stem
        if name == result_file(run) and run in self.study.results:
            return written(self.study.results[run], None)
        if name == failure_file(run) and run in self.study.failures:
            return json.dumps({"run": run, "error": self.study.failures[run]}).encode()
        return None

    def names(self, prefix: str = "", suffix: str = "") -> list[str]:
        """See `Store`."""
        names = [
            *map(result_file, self.study.results),
            *map(failure_file, self.study.failures),
        ]
        return sorted(name for name in names if name.startswith(prefix) and name.endswith(suffix))


def stored_names(evidence: Path = EVIDENCE) -> tuple[str, ...]:
    """Studies that have evidence, by name."""
    return tuple(sorted(path.parent.name for path in evidence.glob(f"*/{PLAN}")))


def older_names(evidence: Path = EVIDENCE) -> tuple[str, ...]:
    """Studies whose runs are known to be of an earlier result version."""
    path = evidence / OLDER
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def write_older(names: Sequence[str], evidence: Path = EVIDENCE) -> None:
    """Write the list of `older_names`."""
    head = (
        "# Studies whose stored runs are of an earlier result version and are being made again.\n"
        "# `python -m benchmarks.evidence --pack` takes a study off when its new runs come.\n"
    )
    write_whole(evidence / OLDER, (head + "".join(f"{name}\n" for name in names)).encode())


def write_study(folder: Path, study: StoredStudy) -> None:
    """Write `plan.json` and `runs.parquet`."""
    rows = study.rows()
    metrics = _metrics(study.plan.study)
    write_records(
        folder / RUNS,
        [row.result.model_dump(mode="json", by_alias=True) for row in rows],
        NESTED,
        [flat(row, metrics) for row in rows],
    )
    versions = [row.result.versions.model_dump(mode="json") for row in rows]
    tables = {
        "schema": SCHEMA,
        "study": study.plan.study.model_dump(mode="json", by_alias=True),
        "command": study.plan.command,
        "sources": {name: Path(path).name for name, path in study.plan.sources.items()},
        "strict": list(study.plan.strict),
        "versions": [each for at, each in enumerate(versions) if each not in versions[:at]],
        "commits": dict(study.recorded),
        "runs": [_planned(study, name, at) for name, at in study.plan.runs],
    }
    write_whole(folder / PLAN, _lines(tables).encode())


def _metrics(study: StudyFile) -> tuple[str, ...]:
    questions = (*study.compare, *study.hypothesis)
    asked = (*study.metrics, *(question.metric for question in questions))
    return tuple(dict.fromkeys((*study_metrics(), *asked)))


def _planned(study: StoredStudy, name: str, at: Mapping[str, Any]) -> Json:
    run: Json = {"run": name, "at": dict(at)}
    if name in study.commits:
        run["commit"] = study.commits[name]
    if name in study.failures:
        run["error"] = study.failures[name]
    return run


def _lines(tables: Json) -> str:
    """JSON in which each planned run is one line."""
    runs = tables.pop("runs")
    text = json.dumps(tables, indent=1, ensure_ascii=False)
    lines = ",\n".join(f"  {json.dumps(run, ensure_ascii=False)}" for run in runs)
    return f'{text.removesuffix("}").rstrip()},\n "runs": [\n{lines}\n ]\n}}\n'


def read_study(name: str, evidence: Path = EVIDENCE) -> StoredStudy:
    """The stored study, every run checked against its schema. Raises `RunError` for what is damaged."""
    tables = _plan_tables(evidence / name)
    results = {}
    for record in read_records(evidence / name / RUNS):
        content = json.dumps(record, allow_nan=False).encode()
        result = read_study_run(content, f"{evidence / name / RUNS} ({record.get('run')})")
        results[result.run] = result
    try:
        plan = Plan(
            StudyFile.model_validate(tables["study"]),
            tuple((run["run"], run["at"]) for run in tables["runs"]),
            tables["sources"],
            tables["command"],
            tuple(tables["strict"]),
        )
        commits = {run["run"]: run["commit"] for run in tables["runs"] if "commit" in run}
        failures = {run["run"]: run["error"] for run in tables["runs"] if "error" in run}
        recorded = tables["commits"]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{evidence / name / PLAN}: is damaged ({error})") from None
    if results.keys() - dict(plan.runs).keys():
        raise RunError(f"{evidence / name / RUNS}: holds runs that {PLAN} doesn't name")
    if results.keys() - commits.keys():
        raise RunError(f"{evidence / name / PLAN}: names no commit of some runs in {RUNS}")
    return StoredStudy(plan, results, commits, recorded, failures)


def _plan_tables(folder: Path) -> Json:
    try:
        tables: Json = json.loads((folder / PLAN).read_bytes())
        schema = tables["schema"]
    except FileNotFoundError:
        raise RunError(f"{folder}: holds no evidence (no {PLAN})") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{folder / PLAN}: is damaged") from None
    if schema != SCHEMA:
        raise RunError(f"{folder / PLAN}: is of schema {schema}, wanted {SCHEMA}")
    return tables


def write_drift(folder: Path, drift: StoredDrift) -> None:
    """Write `plan.json`, and a table of each kind that has rows."""
    tables = drift.findings.model_dump(mode="json", by_alias=True)
    for name in DRIFT_TABLES:
        rows = tables.pop(name)
        (folder / f"{name}.parquet").unlink(missing_ok=True)
        if rows:
            records = _by_day(rows) if name == "curves" else rows
            write_records(folder / f"{name}.parquet", records)
    plan = {
        "schema": SCHEMA,
        "result_version": drift.result_version,
        "commits": dict(drift.recorded),
        "seeds": dict(drift.commits),
        "findings": tables,
    }
    write_whole(folder / PLAN, (json.dumps(plan, indent=1, ensure_ascii=False) + "\n").encode())


def read_drift(evidence: Path = EVIDENCE) -> StoredDrift:
    """The stored study of drift. Raises `RunError` for what is damaged."""
    folder = evidence / DRIFT
    plan = _plan_tables(folder)
    tables = dict(plan["findings"])
    for name in DRIFT_TABLES:
        path = folder / f"{name}.parquet"
        rows = read_records(path) if path.exists() else []
        tables[name] = _as_curves(rows) if name == "curves" else rows
    try:
        findings = DriftFindings.model_validate_json(json.dumps(tables), strict=True)
    except ValueError as error:
        raise RunError(f"{folder}: is damaged ({' '.join(str(error).split())})") from None
    return StoredDrift(findings, plan["seeds"], plan["commits"], plan["result_version"])


def findings_of(name: str, evidence: Path = EVIDENCE) -> Findings | DriftFindings:
    """What a stored study says. Raises `RunError` for what isn't there or is damaged."""
    return read_drift(evidence).findings if name == DRIFT else read_study(name, evidence).findings()


def _by_day(curves: Sequence[Json]) -> list[Json]:
    return [
        {"network": curve["network"], "metric": curve["metric"], "day": day, "mean": mean}
        for curve in curves
        for day, mean in zip(curve["days"], curve["mean"], strict=True)
    ]


def _as_curves(rows: Sequence[Json]) -> list[Json]:
    curves: dict[tuple[str, str], Json] = {}
    for row in rows:
        key = row["network"], row["metric"]
        empty = {"network": key[0], "metric": key[1], "days": [], "mean": []}
        curve = curves.setdefault(key, empty)
        curve["days"].append(row["day"])
        curve["mean"].append(row["mean"])
    return list(curves.values())
