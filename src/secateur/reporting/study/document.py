"""What a report of a study is made of, whatever it is written in: parts of words, tables and figures.

Comes in: nothing; these are the nouns. Goes out: `Part` and the blocks in it. Next: `contents` fills them,
`web`, `markdown` and `latex` write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Words:
    """A paragraph. `role`: "lead" for what stands out, "code" for what is typed into a shell."""

    text: str
    role: str = ""


@dataclass(frozen=True)
class Points:
    """A list. `strong`: text before each item that stands out, or none."""

    items: Sequence[str]
    strong: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """A number or word in a table, and its interval, which may be empty."""

    middle: str
    interval: str = ""

    @property
    def plain(self) -> str:
        """Both in one line."""
        return f"{self.middle} {self.interval}".rstrip()


@dataclass(frozen=True)
class Grid:
    """A table. `name`: for references, in ASCII. `head`, and every row: a cell a column; the first column
    names its row. `words`: columns of text.
    """

    name: str
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: Sequence[int] = ()


@dataclass(frozen=True)
class Picture:
    """A figure. `name`: of its file, without an ending; `alt`: what those hear who can't see it."""

    name: str
    figure: Figure
    alt: str
    caption: str


Block = Words | Points | Grid | Picture


@dataclass(frozen=True)
class Part:
    """A part with its heading. `anchor`: in ASCII."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """All of it. `cautions`: what must be known before anything else."""

    name: str
    title: str
    lead: str
    cautions: Sequence[str]
    simulated: bool
    parts: Sequence[Part]
