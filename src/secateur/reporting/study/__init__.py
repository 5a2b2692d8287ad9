"""A study's report: what was asked, what the runs say, what is missing.

Comes in: `Findings`. Goes out: `study.html`, the same as `study.md`, its tables as `study.tex`, `figures/`
and `runs.parquet` in the study's folder. Next: people read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

import secateur
from secateur.files import replacing, write_whole
from secateur.reporting.drawing import look, to_png
from secateur.reporting.study.contents import document
from secateur.reporting.study.document import Document, Picture
from secateur.reporting.study.latex import latex
from secateur.reporting.study.markdown import markdown
from secateur.reporting.study.web import web
from secateur.studies import Findings

REPORT = "study.html"


def write_study_report(findings: Findings, folder: Path) -> Path:
    """Write the report and the table of runs; returns the page's path.

    The same findings give the same bytes. Each file appears whole or not at all.
    """
    with look():
        found = document(findings)
        content = web(found, secateur.__version__)
        pictures = {one.name: to_png(one.figure) for one in _pictures(found)}
    for name, picture in pictures.items():
        write_whole(folder / "figures" / f"{name}.png", picture)
    for old in (folder / "figures").glob("*.png"):
        if old.stem not in pictures:
            old.unlink()
    write_whole(folder / "study.md", markdown(found))
    write_whole(folder / "study.tex", latex(found))
    if findings.rows:
        with replacing(folder / "runs.parquet") as beside:
            pyarrow.parquet.write_table(pyarrow.table(_columns(findings.rows)), beside)
    write_whole(folder / REPORT, content)
    return folder / REPORT


def _pictures(found: Document) -> list[Picture]:
    return [one for part in found.parts for one in part.blocks if isinstance(one, Picture)]


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """By name; an axis of words and numbers ("natural", 0.17) becomes one of words."""
    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    for name, values in columns.items():
        if any(isinstance(value, str) for value in values):
            columns[name] = [None if value is None else str(value) for value in values]
    return columns
