"""What every report is made of, whatever it is written in: headings, paragraphs, tables, figures, notes, and
numbers as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from matplotlib.figure import Figure

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


UNDEFINED = "–"


Pair = Sequence[float] | None


def number(value: float | None, digits: int = 3) -> str:
    """A share or score; a true minus sign; – where it is not defined."""
    if value is None:
        return UNDEFINED
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, with its sign."""
    if value is None:
        return UNDEFINED
    text = number(value, digits)
    return f"+{text}" if float(text.replace("−", "-")) > 0 else text


def bounds(pair: Pair, digits: int = 3, *, sign: bool = False) -> str:
    """An interval: [0.812, 0.934]; – where there is none."""
    if pair is None:
        return UNDEFINED
    write = signed if sign else number
    return f"[{write(pair[0], digits)}, {write(pair[1], digits)}]"


def count(value: float | None) -> str:
    """A whole number with its thousands apart."""
    return UNDEFINED if value is None else f"{value:,.0f}"


def large(value: float | None) -> str:
    """A count in thousands or millions, to three figures: 3.06 M."""
    if value is None:
        return UNDEFINED
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.3g}\u00a0{letter}"
    return f"{value:,.0f}"


def kilobytes(value: float | None) -> str:
    """Bytes in kB (1000 bytes)."""
    return UNDEFINED if value is None else f"{value / 1000:,.1f}\u00a0kB"


def milliseconds(value: float | None) -> str:
    """Milliseconds, to microseconds where there are few."""
    if value is None:
        return UNDEFINED
    return f"{value:.3f}\u00a0ms" if value < 10 else f"{value:,.1f}\u00a0ms"


def percent(value: float | None, digits: int = 0) -> str:
    """A share in percent."""
    return UNDEFINED if value is None else f"{number(100 * value, digits)}\u00a0%"


def plain(value: float) -> str:
    """A setting as one would write it: 4 and not 4.0."""
    return f"{value:g}"


def share(part: float | None, total: float | None) -> float | None:
    """Part over total where both are known."""
    return None if part is None or not total else part / total


def short_names(subjects: Sequence[str]) -> dict[str, str]:
    """Subjects without their data set's name, where they can still be told apart."""
    short = {name: name.rsplit("/", 1)[-1] for name in subjects}
    return short if len(set(short.values())) == len(short) else {name: name for name in subjects}
