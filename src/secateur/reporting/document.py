"""What every report is made of, whatever it is written in: headings, paragraphs, tables, figures, notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from matplotlib.figure import Figure

from secateur.reporting.style import UNDEFINED, Pair, bounds, number, signed
from secateur.scoring.metrics import metric_of


@dataclass(frozen=True)
class Span:
    """Part of a text that stands out, or is to be typed."""

    text: str
    role: Literal["plain", "strong", "code"] = "plain"


Text = str | Span | tuple[str | Span, ...]


def spans(text: Text) -> list[Span]:
    """A text's parts in order."""
    parts = text if isinstance(text, tuple) else (text,)
    return [part if isinstance(part, Span) else Span(part) for part in parts]


def plain_text(text: Text) -> str:
    """A text without its roles."""
    return "".join(part.text for part in spans(text))


def strong(text: str) -> Span:
    """Text that stands out."""
    return Span(text, "strong")


def code(text: str) -> Span:
    """Text to be typed, or a file's name."""
    return Span(text, "code")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph. `role`: "lead" for what stands out, "command" for what is typed, "file" for a file."""

    text: Text
    role: Literal["", "lead", "command", "file"] = ""
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Subheading:
    """A heading inside a part."""

    text: str
    kind: ClassVar[str] = "subheading"


@dataclass(frozen=True)
class Points:
    """A list."""

    items: Sequence[Text]
    kind: ClassVar[str] = "points"


@dataclass(frozen=True)
class Note:
    """What must be read with what follows."""

    text: Text
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Tiles:
    """Numbers in large: name, number, and what is to be said of it."""

    items: Sequence[tuple[str, str, str]]
    kind: ClassVar[str] = "tiles"


@dataclass(frozen=True)
class Cell:
    """A number or word in a table or its head, and its interval or second line, which may be empty."""

    middle: str
    interval: str = ""
    strong: bool = False

    @property
    def plain(self) -> str:
        """Both in one line."""
        return f"{self.middle} {self.interval}".rstrip()


@dataclass(frozen=True)
class Table:
    """A table. `name`: for references, in ASCII. `head`, and every row: a cell a column; the first column
    names its row. `words`: columns of text; `marks`: the model whose colour each row has, or none.
    """

    name: str
    caption: str
    head: Sequence[Cell | str]
    rows: Sequence[Sequence[Cell | str]]
    words: Sequence[int] = ()
    marks: Sequence[str] = ()
    kind: ClassVar[str] = "table"

    @property
    def heads(self) -> list[Cell]:
        """The head's cells."""
        return [_cell(cell) for cell in self.head]

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows' cells."""
        return [[_cell(cell) for cell in row] for row in self.rows]

    def mark(self, row: int) -> str:
        """The model whose colour a row has; empty for none."""
        return self.marks[row] if row < len(self.marks) else ""

    def is_text(self, column: int) -> bool:
        """Whether a column holds words and not numbers."""
        return column == 0 or column in self.words


def _cell(cell: Cell | str) -> Cell:
    return Cell(cell) if isinstance(cell, str) else cell


@dataclass(frozen=True)
class Picture:
    """A figure. `name`: of its file, without an ending; `alt`: what those hear who can't see it."""

    name: str
    figure: Figure
    alt: str
    caption: str
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Folded:
    """What a reader opens if wanted; printed open."""

    summary: str
    blocks: Sequence[Block]
    kind: ClassVar[str] = "folded"


Block = Paragraph | Subheading | Points | Note | Tiles | Table | Picture | Folded


@dataclass(frozen=True)
class Part:
    """A part with its heading. `anchor`: in ASCII."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """All of it. `kind` and `name`: what it is of; `warnings`: what must be known before anything else;
    `source`: where the numbers come from.
    """

    kind: str
    name: str
    title: str
    lead: str
    warnings: Sequence[str]
    simulated: bool
    parts: Sequence[Part]
    source: str
    tab: str = ""

    @property
    def pictures(self) -> Iterator[Picture]:
        """All figures in order."""
        for part in self.parts:
            yield from _pictures(part.blocks)


def _pictures(blocks: Iterable[Block]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Folded):
            yield from _pictures(block.blocks)


def scored(value: float | None, pair: Pair, metric: str) -> Cell:
    """A metric's score, and its interval if any."""
    digits = metric_of(metric).digits
    return Cell(number(value, digits), bounds(pair, digits))


def difference(value: float | None, pair: Pair, metric: str) -> Cell:
    """A difference of scores with its interval."""
    digits = metric_of(metric).digits
    return Cell(signed(value, digits), bounds(pair, digits, sign=True))


def probability(p: float | None) -> str:
    """A p."""
    return UNDEFINED if p is None else "< 0.001" if p < 0.001 else number(p)
