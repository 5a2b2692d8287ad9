"""What runs, ladders and studies give their readers: a report as HTML, Markdown and LaTeX, a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secateur.errors import MissingExtraError
from secateur.files import replacing, write_whole

if TYPE_CHECKING:
    from secateur.certifying import LadderOutput
    from secateur.reporting.document import Document
    from secateur.results.drift_study import DriftFindings
    from secateur.runs import RunOutput
    from secateur.studies import Findings

__all__ = [
    "write_drift_report",
    "write_evaluation_page",
    "write_ladder_report",
    "write_run_report",
    "write_study_report",
]

_OVERVIEW = "overview"


def write_run_report(run: RunOutput) -> Path:
    """Write report, model card and figures into a run's folder; returns the page's path.

    The same result gives the same bytes. Each file appears whole or not at all.
    """
    from secateur.reporting.card import run_card
    from secateur.reporting.drawing import look, to_png
    from secateur.reporting.render import markdown
    from secateur.reporting.run import run_document
    from secateur.reporting.run_figures import overview

    folder = run.folder.path
    with look():
        extra = {_OVERVIEW: to_png(overview(run, title=True))}
        path = _write(run_document(run), folder, "report", extra)
    write_whole(folder / "model-card.md", markdown(run_card(run)))
    return path


def write_ladder_report(ladder: LadderOutput) -> Path:
    """The same of a ladder."""
    from secateur.reporting.card import ladder_card
    from secateur.reporting.drawing import look, to_png
    from secateur.reporting.ladder import ladder_document
    from secateur.reporting.ladder_figures import pareto
    from secateur.reporting.render import markdown

    folder = ladder.folder.path
    with look():
        extra = {_OVERVIEW: to_png(pareto(ladder.result, title=True))}
        path = _write(ladder_document(ladder), folder, "report", extra)
    write_whole(folder / "model-card.md", markdown(ladder_card(ladder)))
    return path


def write_study_report(findings: Findings, folder: Path) -> Path:
    """Write a study's report and its table of runs; returns the page's path.

    The same findings give the same bytes. Each file appears whole or not at all.
    """
    import pyarrow
    import pyarrow.parquet

    from secateur.reporting.drawing import look
    from secateur.reporting.study import study_document

    with look():
        path = _write(study_document(findings), folder, "study", {})
    if findings.rows:
        with replacing(folder / "runs.parquet") as beside:
            pyarrow.parquet.write_table(pyarrow.table(_columns(findings.rows)), beside)
    return path


def write_drift_report(findings: DriftFindings, folder: Path) -> Path:
    """Write the report of a study of drift; returns the page's path. The same findings give the same
    bytes.
    """
    from secateur.reporting.drawing import look
    from secateur.reporting.drift_study import drift_document

    with look():
        return _write(drift_document(findings), folder, "study", {})


def write_evaluation_page(report: Mapping[str, Any], path: Path) -> None:
    """Write the page of `secateur evaluate` from what evaluation.json holds. Raises `MissingExtraError`."""
    try:
        from secateur.reporting.drawing import look
        from secateur.reporting.evaluation import evaluation_document
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "train", "a page with figures") from None
    from secateur.reporting.render import html

    with look():
        write_whole(path, html(evaluation_document(report)))


def _write(document: Document, folder: Path, name: str, extra: Mapping[str, bytes]) -> Path:
    """One document in all formats, and its figures; those of an earlier report go."""
    from secateur.reporting.drawing import to_png
    from secateur.reporting.render import html, latex, markdown

    page = html(document)
    pictures = {picture.name: to_png(picture.figure) for picture in document.pictures} | {**extra}
    for figure, content in pictures.items():
        write_whole(folder / "figures" / f"{figure}.png", content)
    for old in (folder / "figures").glob("*.png"):
        if old.stem not in pictures:
            old.unlink()
    write_whole(folder / f"{name}.md", markdown(document))
    write_whole(folder / f"{name}.tex", latex(document))
    write_whole(folder / f"{name}.html", page)
    return folder / f"{name}.html"


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """By name; an axis of words and numbers ("natural", 0.17) becomes one of words."""
    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    for name, values in columns.items():
        if any(isinstance(value, str) for value in values):
            columns[name] = [None if value is None else str(value) for value in values]
    return columns
