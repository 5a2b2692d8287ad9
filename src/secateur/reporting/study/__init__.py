"""A study's report: what was asked, what the runs say, what is missing.

Comes in: `Findings`. Goes out: `study.md` and `runs.parquet` in the study's folder. Next: people read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from secateur.files import replacing, write_whole
from secateur.scoring.comparing import Summary
from secateur.studies.grid import Condition, Family, Findings


def write_study_report(findings: Findings, folder: Path) -> Path:
    """Write the report and the table of runs; returns the report's path."""
    path = folder / "study.md"
    write_whole(path, "\n\n".join(_parts(findings)) + "\n")
    if findings.rows:
        with replacing(folder / "runs.parquet") as beside:
            pyarrow.parquet.write_table(pyarrow.table(_columns(findings.rows)), beside)
    return path


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """By name; an axis of words and numbers ("natural", 0.17) becomes one of words."""
    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    for name, values in columns.items():
        if any(isinstance(value, str) for value in values):
            columns[name] = [None if value is None else str(value) for value in values]
    return columns


def _parts(findings: Findings) -> Iterable[str]:
    study = findings.study
    yield f"# {study.title or study.name}"
    yield study.question
    if findings.cautions:
        yield "\n".join(f"- {one}" for one in findings.cautions)
    failed = sum(one.state == "failed" for one in findings.missing)
    yield (
        f"{findings.finished} of {findings.planned} runs have a result, {failed} failed. Means over folds of "
        "means over seeds; in brackets 95 %, the variance raised for overlapping training sets "
        "(Nadeau and Bengio)."
    )
    yield "## Conditions"
    yield _table(
        ["condition", "runs", "parameters", "MACs"]
        + [f"{metric}{what}" for metric in study.metrics for what in ("", ", minus baseline")],
        [_row(one, study.metrics) for one in findings.conditions],
    )
    for family in findings.families:
        yield from _family(family)
    failures = [f"- {one.name}: {one.reason}" for one in findings.missing if one.state == "failed"]
    if failures:
        yield "## Runs that failed"
        yield "\n".join(failures)
    yield "## How to make it again"
    versions = ", ".join(f"{name} {version}" for name, version in findings.versions.items())
    yield f"`{findings.command}`"
    yield f"{versions}; {findings.seconds / 60:.0f} processor minutes."


def _row(one: Condition, metrics: Sequence[str]) -> list[str]:
    cells = [one.name, f"{one.runs} of {one.planned}"]
    cells += [
        f"{one.sizes[key]:,.0f}" if key in one.sizes else "" for key in ("parameters", "macs")
    ]
    for metric in metrics:
        cells += [_told(one.scores[metric], "{:.3f}"), _told(one.minus[metric], "{:+.3f}")]
    return cells


def _told(summary: Summary, form: str) -> str:
    if summary.mean is None:
        return ""
    mean = form.format(summary.mean)
    if summary.interval is None:
        return mean
    return f"{mean} ({form.format(summary.interval[0])} to {form.format(summary.interval[1])})"


def _family(family: Family) -> Iterable[str]:
    yield f"## {family.title}"
    lines = []
    for answer in family.answers:
        verdict = f" *{answer.says}: {answer.verdict}.*" if answer.says else ""
        lines.append(f"- {answer.claim}{verdict}")
    yield "\n".join(lines)
    for at, ranks in family.ranks:
        where = ", ".join(f"{name} {value}" for name, value in at.items())
        order = sorted(ranks.average.items(), key=lambda pair: pair[1])
        told = ", ".join(f"{name} {rank:.2f}" for name, rank in order)
        yield f"Average ranks{f' at {where}' if where else ''}: {told}."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
