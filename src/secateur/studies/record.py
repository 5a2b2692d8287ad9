"""What a study keeps: its plan, a result or a failure of each run, and how far it is. Needs no torch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from secateur.counts import plural
from secateur.errors import RunError
from secateur.results import StudyRun, read_study_run
from secateur.studies.file import REPEATS, StudyFile
from secateur.studies.findings import At, Missing, condition_name
from secateur.studies.store import Store, store_at
from secateur.studies.table import Row, seconds_of

PLAN = "plan.json"
SCHEMA = 1
"""Of the plan."""


@dataclass(frozen=True)
class Plan:
    """A study with its jobs, or as much of them as its results tell. `sources`: folders by name;
    `strict`: those of which no recording may be left out.
    """

    study: StudyFile
    runs: tuple[tuple[str, Mapping[str, Any]], ...]
    sources: Mapping[str, str]
    command: str
    strict: tuple[str, ...] = ()


def plan_bytes(plan: Plan, versions: Mapping[str, Any]) -> bytes:
    """A plan as its file holds it. `versions`: of what computes its results."""
    tables = {
        "schema": SCHEMA,
        "versions": versions,
        "study": plan.study.model_dump(mode="json", by_alias=True),
        "sources": plan.sources,
        "command": plan.command,
        "strict": list(plan.strict),
        "runs": [{"run": name, "at": dict(at)} for name, at in plan.runs],
    }
    return (json.dumps(tables, indent=1) + "\n").encode()


def read_plan(location: str) -> Plan:
    """The plan of a study that was begun. Raises `RunError` where there is none, or one of another schema."""
    content = store_at(location).get(PLAN)
    if content is None:
        raise RunError(
            f"{location}: holds no study (no {PLAN}); begin one with secateur study FILE.toml"
        )
    try:
        tables = json.loads(content)
        schema = tables["schema"]
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{location}: its {PLAN} is damaged; give the study file again") from None
    if schema != SCHEMA:
        raise RunError(
            f"{location}: was written with schema {schema}, this Secateur reads {SCHEMA}; "
            "take the Secateur that wrote it, or another --out"
        )
    return Plan(
        StudyFile.model_validate(tables["study"]),
        tuple((run["run"], run["at"]) for run in tables["runs"]),
        tables["sources"],
        tables["command"],
        tuple(tables.get("strict", ())),
    )


def result_of(name: str, store: Store) -> StudyRun | None:
    """A finished run's result, of whatever schema; None where it isn't there, or can't be read."""
    return study_run(store.get(result_file(name)), name)


def failure_of(name: str, store: Store) -> str | None:
    """A failed run's error in one line; None where it hasn't failed."""
    content = store.get(failure_file(name))
    try:
        failure = json.loads(content or b"null")
        return str(failure["error"]) if failure["run"] == name else None
    except (ValueError, KeyError, TypeError):
        return None  # there is none, or it is damaged


def result_file(name: str) -> str:
    """Where a run's result is in a store."""
    return f"runs/{name}.json"


def failure_file(name: str) -> str:
    """Where a run's failure is in a store."""
    return f"failed/{name}.json"


def study_run(content: bytes | None, name: str) -> StudyRun | None:
    """A run's result from its file; None where there is none, or it is another's or can't be read.

    Such a run counts as not done, and is made anew.
    """
    if content is None:
        return None
    try:
        result = read_study_run(content, result_file(name))
    except RunError:
        return None
    return result if result.run == name else None


def read_runs(plan: Plan, store: Store) -> tuple[list[Row], list[Missing]]:
    """The runs that are finished, and those that aren't."""
    rows, missing = [], []
    for name, at in plan.runs:
        result = result_of(name, store)
        if result is not None:
            rows.append(Row(name, at, result))
            continue
        reason = failure_of(name, store)
        missing.append(Missing(name, at, "to do" if reason is None else "failed", reason or ""))
    return rows, missing


def condition_of(at: At) -> At:
    """The axes that make a condition."""
    return {name: value for name, value in at.items() if name not in REPEATS}


def status_of(location: str) -> list[str]:
    """How far a study is, in lines: counts by condition, failures with their reasons, time spent.

    Raises `RunError` where there is no study.
    """
    plan = read_plan(location)
    rows, missing = read_runs(plan, store_at(location))
    failed = [run for run in missing if run.state == "failed"]
    planned = Counter(condition_name(condition_of(at)) for _, at in plan.runs)
    finished = Counter(condition_name(condition_of(row.at)) for row in rows)
    return [
        f"{plan.study.name}: {len(rows)} of {plural(len(plan.runs), 'run')} have a result, "
        f"{len(failed)} failed, {len(missing) - len(failed)} to do; "
        f"{seconds_of(rows) / 60:.1f} processor minutes spent",
        *(f"  {name}: {finished[name]} of {count}" for name, count in planned.items()),
        *(f"  failed {run.name}: {run.reason}" for run in failed),
    ]
