"""A study's report as Markdown.

Comes in: a `Document`. Goes out: text; figures are linked as `figures/NAME.png`. Next: `study.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from secateur.reporting.study.document import Block, Document, Grid, Picture, Points, Words

_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")


def markdown(document: Document, figures: str | None = "figures") -> str:
    """The whole report. `figures`: the folder that they are linked in; None leaves them out."""
    return "\n\n".join(_pieces(document, figures)) + "\n"


def _pieces(document: Document, figures: str | None) -> Iterable[str]:
    yield f"# {escaped(document.title)}"
    yield escaped(document.lead)
    if document.cautions:
        yield "\n".join(f"- **{escaped(one)}**" for one in document.cautions)
    for part in document.parts:
        blocks = [_block(one, figures) for one in part.blocks]
        told = [one for one in blocks if one]
        if told:
            yield f"## {escaped(part.title)}"
            yield from told


def _block(block: Block, figures: str | None) -> str:
    match block:
        case Words(text, "code"):
            return f"```\n{text}\n```"
        case Words(text):
            return escaped(text)
        case Points(items, strong):
            heads = [f"**{escaped(one)}** " for one in strong] or [""] * len(items)
            return "\n".join(
                f"- {head}{escaped(item)}" for head, item in zip(heads, items, strict=True)
            )
        case Grid():
            return f"{_table(block)}\n\n{escaped(block.caption)}"
        case Picture(name, _, alt, caption):
            if figures is None:
                return ""
            return f"![{escaped(alt)}]({figures}/{name}.png)\n\n{escaped(caption)}"


def _table(grid: Grid) -> str:
    sides = [":--" if k == 0 or k in grid.words else "--:" for k in range(len(grid.head))]
    lines: list[Sequence[str]] = [[escaped(one) for one in grid.head], sides]
    lines += [[escaped(cell.plain) for cell in row] for row in grid.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text in which nothing is markup; a line break would end a table's row."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
