"""A study's report as one page that opens anywhere.

Comes in: a `Document`. Goes out: HTML in the look of the other reports. Next: `study.html`.
"""

from __future__ import annotations

from secateur.reporting import frame
from secateur.reporting.html import (
    Figures,
    Markup,
    Section,
    Table,
    bullets,
    join,
    page,
    tag,
    with_interval,
)
from secateur.reporting.html import paragraph as p
from secateur.reporting.study.document import Block, Cell, Document, Grid, Picture, Points, Words


def web(document: Document, version: str) -> str:
    """The whole page; to be called where figures look as `drawing.look` says."""
    drawn = Figures()
    sections = [
        Section(part.anchor, part.title, join(_block(one, drawn) for one in part.blocks))
        for part in document.parts
    ]
    word = " (simulated)" if document.simulated else ""
    return page(
        f"{document.title}{word}: Secateur study",
        frame.front(
            f"Secateur study · {document.name}",
            document.title,
            document.lead,
            document.cautions,
            document.simulated,
        ),
        sections,
        frame.back(
            document.simulated,
            f"Made by secateur {version}; every number comes from the finished runs in runs/.",
        ),
    )


def _block(block: Block, drawn: Figures) -> Markup:
    match block:
        case Words(text, "code"):
            return tag("pre", tag("code", text), tabindex="0")
        case Words(text, role):
            return p(text, class_="method") if role else p(text)
        case Points(items, ()):
            return bullets(items)
        case Points(items, strong):
            return bullets(
                Markup(tag("strong", head) + " " + tag("span", item))
                for head, item in zip(strong, items, strict=True)
            )
        case Grid():
            return Table(
                block.caption,
                block.head,
                [[_cell(cell) for cell in row] for row in block.rows],
                words=block.words,
            ).html()
        case Picture(_, figure, alt, caption):
            return drawn.html(figure, alt, caption)


def _cell(cell: Cell) -> str | Markup:
    return with_interval(cell.middle, cell.interval) if cell.interval else cell.middle
