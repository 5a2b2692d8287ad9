"""A study with its report, as one call."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from secateur.reporting import write_study_report
from secateur.runs import Source
from secateur.studies import (
    ExecutionOptions,
    Findings,
    Plan,
    StudyFile,
    check_questions,
    evaluate_study,
    read_plan,
)
from secateur.studies.engine import carry_out as do_runs
from secateur.studies.store import Store, store_at
from secateur.studies.table import csv_of


def carry_out(
    study: StudyFile, sources: Mapping[str, Source], location: str, options: ExecutionOptions
) -> Findings:
    """Do what is missing of a study, then write `runs.csv` and the report beside the results.

    Raises `SecateurError`s for what the user can mend; a failed run is none: it stands among the findings.
    """
    check_questions(study)
    plan = do_runs(study, sources, location, options)
    return _reported(plan, location, options)


def resume(location: str, options: ExecutionOptions) -> Findings:
    """Go on with a study that was begun, as it was begun; how to make it again stays as it was told."""
    plan = read_plan(location)
    sources = {
        name: Source(Path(path), strict=name in plan.strict) for name, path in plan.sources.items()
    }
    return carry_out(plan.study, sources, location, replace(options, command=plan.command))


def report_on(location: str) -> Findings:
    """Write the report of what is finished so far."""
    return _reported(read_plan(location), location, ExecutionOptions())


def _reported(plan: Plan, location: str, options: ExecutionOptions) -> Findings:
    store = store_at(location)
    findings = evaluate_study(plan, store)
    options.progress.begin("report", None)
    store.put("runs.csv", csv_of(findings.rows).encode())
    if store.local is not None:
        write_study_report(findings, store.local)
    else:
        with tempfile.TemporaryDirectory() as beside:
            write_study_report(findings, Path(beside))
            _send(Path(beside), store)
    options.progress.end("report", "study.html")
    return findings


def _send(folder: Path, store: Store) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.put(str(path.relative_to(folder)), path.read_bytes())
