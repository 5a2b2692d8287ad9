"""Numbers in documents between markers, written anew from stored studies.

    It loses <!-- ratios: pruned-baseline auroc_by_subject where ratio=0.9 -->0.002 (−0.01 to 0.02)<!-- / -->.

A marker is a comment, so nobody who reads the page sees it. Of the text between, numbers alone are replaced:
one is the value, two the ends of its interval, three the value and both ends. Decimals, a plus sign and words
stay as they stand; a number before " %" or " points" is a hundredth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.evidence.quoting import Quoted, Source, quoted
from benchmarks.evidence.stored import TOP
from secateur.errors import SecateurError, SettingsError

_BEGINS = r"<!-- ((?!table:)[\w-]+: [^>]*?) -->"  # `table:` marks what another command writes
MARKED = re.compile(_BEGINS + r"(.*?)<!-- / -->", re.DOTALL)
_MARKER = re.compile(_BEGINS + r"|<!-- / -->")
_NUMBER = re.compile(r"[−+]?\d+(?:,\d{3})*(?:\.\d+)?")
_HUNDREDTHS = re.compile(r"\s(?:%|points?\b)")


@dataclass(frozen=True)
class Mark:
    """A marked number in a document. `problem`: why it can't be written anew, empty where it can."""

    page: Path
    line: int
    words: str
    before: str
    after: str
    problem: str = ""


def documents(top: Path = TOP) -> list[Path]:
    """Pages in which marked numbers are held: README and all of docs."""
    return [top / "README.md", *sorted((top / "docs").rglob("*.md"))]


def marks(page: Path, source: Source, study: str = "") -> list[Mark]:
    """Every marked number of a page, with what should stand there; with `study`, of those that quote it."""
    text = page.read_text(encoding="utf-8")
    listed, pairs = [], 0
    for match in MARKED.finditer(text):
        pairs += 1
        if study and not match[1].startswith(f"{study}:"):
            continue
        line = text.count("\n", 0, match.start()) + 1
        after, problem = match[2], ""
        begins_line = not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
        try:
            if begins_line:  # where Markdown takes a comment for a block of HTML
                raise SettingsError(f"{match[1]}: a marker may not begin a line")
            after = renewed(match[2], quoted(match[1], source))
        except SecateurError as error:
            problem = str(error)
        listed.append(Mark(page, line, match[1], match[2], after, problem))
    lone = len(_MARKER.findall(text)) - 2 * pairs
    if lone:
        listed.append(Mark(page, 1, "", "", "", f"{lone} markers that begin or end nothing"))
    return listed


def renewed(text: str, number: Quoted) -> str:
    """`text` with its numbers in place of those that stand there. Raises `SettingsError`."""
    places = list(_NUMBER.finditer(text))
    values = {
        1: (number.value,),
        2: (number.low, number.high),
        3: (number.value, number.low, number.high),
    }.get(len(places), ())
    if not values:
        raise SettingsError(f"{text!r}: wanted one number, two or three between markers")
    parts, end = [], 0
    for match, value in zip(places, values, strict=True):
        if value is None:
            raise SettingsError(f"{text!r}: what is asked for has no such number")
        hundredths = _HUNDREDTHS.match(text, match.end())
        parts += [text[end : match.start()], _like(match[0], value * 100 if hundredths else value)]
        end = match.end()
    return "".join([*parts, text[end:]])


def _like(before: str, value: float) -> str:
    """A number with as many decimals as `before`, and a plus sign where that has one."""
    decimals = len(before.partition(".")[2])
    digits = f"{abs(value):,.{decimals}f}"
    if not digits.strip("0.,"):
        return digits
    sign = "−" if value < 0 else "+" if before.startswith("+") else ""
    return sign + digits


def write_anew(page: Path, source: Source) -> int:
    """Renew a page's marked numbers; how many were others. Raises `SettingsError` for the first problem."""
    listed = marks(page, source)
    for mark in listed:
        if mark.problem:
            raise SettingsError(f"{page}, line {mark.line}: {mark.problem}")
    wanted = iter(listed)
    text = page.read_text(encoding="utf-8")
    after = MARKED.sub(
        lambda match: match[0].replace(f"-->{match[2]}<", f"-->{next(wanted).after}<"), text
    )
    if after != text:
        page.write_text(after, encoding="utf-8")
    return sum(mark.before != mark.after for mark in listed)
