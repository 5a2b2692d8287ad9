"""The report: one page that opens anywhere, a model card, a figure for a README.

Comes in: a `RunResult`. Goes out: `report.html`, `model-card.md` and `figures/overview.png` in the
run's folder. Next: a reader; `cli` says where the page is.
"""

from __future__ import annotations

from pathlib import Path

from secateur.files import write_whole
from secateur.reporting import frame
from secateur.reporting.drawing import look, to_png
from secateur.reporting.html import page
from secateur.reporting.model_card import model_card
from secateur.reporting.overview import overview
from secateur.reporting.sections import header, sections
from secateur.runs import RunResult

REPORT = "report.html"
MODEL_CARD = "model-card.md"
OVERVIEW = "figures/overview.png"


def write_report(result: RunResult) -> Path:
    """Write report, model card and overview into the run's folder; returns the report's path.

    The same result gives the same bytes. Each file appears whole or not at all.
    """
    folder = result.folder.path
    with look():
        content = report_html(result)
        picture = to_png(overview(result, title=True))
    write_whole(folder / OVERVIEW, picture)
    write_whole(folder / MODEL_CARD, model_card(result))
    write_whole(folder / REPORT, content)
    return folder / REPORT


def report_html(result: RunResult) -> str:
    """The page; to be called where figures look as `drawing.look` says."""
    told = result.result
    return page(frame.page_title(told), header(result), sections(result), frame.footer(told))
