"""A document as HTML, Markdown and LaTeX, by templates that escape all that isn't their own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from html import escape
from importlib.resources import files
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from secateur.counts import plural
from secateur.pages import DISCLAIMER, environment
from secateur.reporting.document import Document, Picture, plain_text, spans
from secateur.reporting.drawing import to_svg

SIMULATED = (
    "All recordings are simulated: no patient was recorded, and nothing here says how a detector "
    "does on patients."
)

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "−": r"\ensuremath{-}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "×": r"\ensuremath{\times}",
    "±": r"\ensuremath{\pm}",
    "≤": r"\ensuremath{\le}",
    "≥": r"\ensuremath{\ge}",
    "∞": r"\ensuremath{\infty}",
    "→": r"\ensuremath{\to}",
    "★": r"\ensuremath{\star}",
    "·": r"\ensuremath{\cdot}",
    "µ": r"\ensuremath{\mu}",
    "μ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^\circ}",
    "\u00a0": "~",
}


def html(document: Document) -> str:
    """One page that opens anywhere and fetches nothing; to be called where `drawing.look` holds."""
    numbers = iter(range(1, 1 + sum(1 for _ in document.pictures)))
    style = files("secateur.reporting").joinpath("page.css").read_text(encoding="utf-8")
    return _filled("page.html", document, number=partial(next, numbers), style=Markup(style))


def markdown(document: Document, figures: str | None = "figures") -> str:
    """The same as Markdown. `figures`: the folder that they are linked in; None leaves them out."""
    text = _filled("report.md", document, figures=figures)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def latex(document: Document) -> str:
    """The same to be read into a paper by LaTeX, figures from `figures/`."""
    return re.sub(r"\n{3,}", "\n\n", _filled("report.tex", document))


def escaped_markdown(text: object) -> str:
    """Text in which nothing is markup; a line break would end a table's row."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def escaped_latex(text: object) -> str:
    """Text in which nothing is a command; a letter that pdfLaTeX hasn't is left to engines that have it."""
    return "".join(_letter(letter) for letter in str(text))


def _letter(letter: str) -> str:
    if letter in _LATEX:
        return _LATEX[letter]
    if letter in "\n\t":
        return " "
    if letter.isascii():
        return letter if letter.isprintable() else ""
    if ord(letter) < 0x180 and letter.isalpha():
        return letter
    known = unicodedata.category(letter)[0] not in "CM"
    return rf"\secateurletter{{{letter if known else ''}}}{{{ord(letter):04X}}}"


def _filled(template: str, document: Document, **values: Any) -> str:
    templates = _environment(template.rpartition(".")[2])
    return templates.get_template(template).render(
        document=document, disclaimer=DISCLAIMER, simulated=SIMULATED, **values
    )


@cache
def _environment(ending: str) -> Environment:
    """Templates of one format, with what they call."""
    delimiters: dict[str, str] = {}
    if ending == "tex":
        pairs = {"block": ("<%", "%>"), "variable": ("<<", ">>"), "comment": ("<#", "#>")}
        for name, (start, end) in pairs.items():
            delimiters |= {f"{name}_start_string": start, f"{name}_end_string": end}
    escaper: Callable[[object], str] = {
        "html": lambda value: escape(str(value)),
        "md": escaped_markdown,
        "tex": escaped_latex,
    }[ending]
    templates = environment("secateur.reporting", escaper, **delimiters)
    templates.globals.update(spans=spans, plural=plural, drawn=_drawn)
    templates.filters.update(
        verbatim=Markup,
        label=lambda text: Markup(re.sub(r"[^A-Za-z0-9:.-]", "-", text)),
        inline=lambda text: Markup(_words_of(text)),
        code_span=lambda text: Markup(_fenced(text, "`")),
        fenced=lambda text, language: Markup(_fenced(f"{language}\n{plain_text(text)}\n", "```")),
    )
    return templates


def _words_of(text: str) -> str:
    """Part of a Markdown line, blanks at its ends kept."""
    ends = (text[:1].isspace(), text[-1:].isspace())
    return f"{' ' * ends[0]}{escaped_markdown(text)}{' ' * ends[1]}"


def _fenced(text: str, fence: str) -> str:
    """Code between marks longer than any inside it."""
    longest = max((len(marks) for marks in re.findall(r"`+", text)), default=0)
    marks = fence if longest < len(fence) else "`" * (longest + 1)
    return f"{marks}{text}{marks}"


def _drawn(picture: Picture, number: int) -> Markup:
    return Markup(to_svg(picture.figure, f"f{number}", escape(picture.alt)))
