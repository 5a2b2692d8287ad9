"""The few pieces of HTML that the report is made of, each escaping what it is given.

Comes in: text, rows, SVG. Goes out: HTML. Next: `sections` puts them together, `report` makes the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from matplotlib.figure import Figure

from secateur.reporting.drawing import to_svg


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


Cell = str | Markup


def text(value: object) -> Markup:
    """Anything as HTML; only `Markup` passes unchanged."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def join(parts: Iterable[object]) -> Markup:
    """Pieces one after the other."""
    return Markup("\n".join(text(part) for part in parts))


def tag(name: str, *content: object, **attributes: str) -> Markup:
    """`<name attribute="…">content</name>`; class is written class_, aria-label
    aria_label.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{told}>{''.join(text(part) for part in content)}</{name}>")


def paragraph(*content: object, **attributes: str) -> Markup:
    """A paragraph."""
    return tag("p", *content, **attributes)


def bullets(items: Iterable[object], **attributes: str) -> Markup:
    """A list."""
    return tag("ul", *(tag("li", item) for item in items), **attributes)


def folded(summary: str, *content: object) -> Markup:
    """What a reader opens if wanted; printed open."""
    return tag("details", tag("summary", summary), *content)


def with_interval(middle: str, interval: str) -> Markup:
    """A number and, smaller, its interval."""
    return Markup(f'{escape(middle)}<span class="interval">{escape(interval)}</span>')


@dataclass(frozen=True)
class Table:
    """A table with its caption. `head`: a cell each column; the first column names its row.

    `marks`: a class for each row's colour mark, or none. `words`: columns of text, set to the left.
    """

    caption: object
    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    marks: Sequence[str] = ()
    words: Sequence[int] = ()

    def html(self) -> Markup:
        """The table inside what lets it scroll sideways on a small screen."""
        head = tag(
            "tr",
            *(tag("th", cell, **self._kind(k), scope="col") for k, cell in enumerate(self.head)),
        )
        rows = []
        for index, (first, *rest) in enumerate(self.rows):
            mark = self.marks[index] if index < len(self.marks) else ""
            dot = tag("span", class_=f"dot {mark}", aria_hidden="true") if mark else Markup("")
            rows.append(
                tag(
                    "tr",
                    tag("th", dot, first, scope="row"),
                    *(tag("td", cell, **self._kind(k)) for k, cell in enumerate(rest, 1)),
                )
            )
        inner = tag(
            "table", tag("caption", self.caption), tag("thead", head), tag("tbody", join(rows))
        )
        return Markup(tag("div", inner, class_="scroll", tabindex="0"))

    def _kind(self, column: int) -> dict[str, str]:
        return {"class_": "words"} if column in self.words else {}


@dataclass
class Figures:
    """Numbers figures from 1 on, so that captions can be spoken of."""

    drawn: int = 0

    def html(self, figure: Figure, alt: str, caption: object) -> Markup:
        """A figure with its caption; `alt` is what those hear who can't see it."""
        self.drawn += 1
        svg = Markup(to_svg(figure, f"f{self.drawn}", escape(alt)))
        number = tag("strong", f"Figure {self.drawn}. ")
        inner = (tag("div", svg, class_="scroll", tabindex="0"), tag("figcaption", number, caption))
        return tag("figure", *inner, id=f"figure-{self.drawn}")


@dataclass(frozen=True)
class Section:
    """A part of the page. `anchor`: its id; `title`: plain text."""

    anchor: str
    title: str
    body: Markup

    def html(self) -> Markup:
        """The part with its heading."""
        heading = tag("h2", self.title, id=f"{self.anchor}-title")
        inner = Markup(heading + self.body)
        return Markup(
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">{inner}</section>'
        )


def page(title: str, header: Markup, sections: Sequence[Section], footer: Markup) -> str:
    """The whole file. Its policy forbids a browser to fetch anything at all."""
    style = files("secateur.reporting").joinpath("page.css").read_text(encoding="utf-8")
    links = [tag("li", tag("a", one.title, href=f"#{one.anchor}")) for one in sections]
    contents = Markup(f'<nav aria-label="Contents"><ol>{"".join(links)}</ol></nav>')
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    body = "\n".join(section.html() for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<div class="page">
{header}
{contents}
<main>
{body}
</main>
{footer}
</div>
</body>
</html>
"""
