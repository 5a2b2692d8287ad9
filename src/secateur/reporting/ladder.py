"""The report of a ladder: one page that opens anywhere, a model card, a figure for a README.

Comes in: a `LadderResult`. Goes out: `report.html`, `model-card.md` and `figures/overview.png` in its
folder. Next: a reader; `cli` says where the page is.
"""

from __future__ import annotations

from pathlib import Path

from secateur.certifying import LadderResult
from secateur.files import write_whole
from secateur.reporting import frame
from secateur.reporting.drawing import look, to_png
from secateur.reporting.html import page
from secateur.reporting.ladder_card import ladder_card
from secateur.reporting.ladder_pareto import pareto
from secateur.reporting.ladder_sections import header, sections
from secateur.reporting.report import MODEL_CARD, OVERVIEW, REPORT


def write_ladder_report(result: LadderResult) -> Path:
    """Write report, model card and overview into the folder; returns the report's path.

    The same result gives the same bytes. Each file appears whole or not at all.
    """
    folder = result.folder.path
    with look():
        content = ladder_html(result)
        picture = to_png(pareto(result.result, title=True))
    write_whole(folder / OVERVIEW, picture)
    write_whole(folder / MODEL_CARD, ladder_card(result))
    write_whole(folder / REPORT, content)
    return folder / REPORT


def ladder_html(result: LadderResult) -> str:
    """The page; to be called where figures look as `drawing.look` says."""
    told = result.result
    return page(frame.page_title(told), header(told), sections(result), frame.footer(told))
