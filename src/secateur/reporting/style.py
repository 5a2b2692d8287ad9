"""How everything looks: names, colours and marks of models, and how numbers are written.

Colours are Okabe's and Ito's, which colour-blind readers can tell apart; every model has a mark and a
dash of its own besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MODEL_NAMES = {
    "baseline": "Baseline",
    "pruned": "Pruned",
    "scratch": "Small, from scratch",
    "scratch-long": "Small, from scratch, longer",
    "random": "Random kernels",
    "retrained": "Baseline, retrained",
    "random_forest": "Forest (no network)",
}
"""What a model is called in figures and tables, in the order of both."""

NETWORKS = tuple(name for name in MODEL_NAMES if name != "random_forest")
PRODUCT = NETWORKS[:2]
"""Before and after pruning; the others are controls."""

MODEL_MEANING = {
    "baseline": "the whole network",
    "pruned": "the baseline without its least important kernels, retrained",
    "scratch": "a network of the pruned one’s size, trained from new random weights",
    "scratch-long": "the same, trained for as many epochs as the baseline and the pruned network altogether",
    "random": "as many kernels cut as in the pruned network, chosen by chance, retrained alike",
    "retrained": "the whole baseline, trained once more as the pruned network was",
    "random_forest": "a random forest on band powers, line length and variance of each channel",
}

COLOURS = {
    "baseline": "#0072b2",
    "pruned": "#d55e00",
    "scratch": "#009e73",
    "scratch-long": "#006d4e",
    "random": "#cc79a7",
    "retrained": "#56b4e9",
    "random_forest": "#7d7d7d",
    "unstructured": "#e69f00",
}
MARKS = {
    "baseline": "o",
    "pruned": "D",
    "scratch": "s",
    "scratch-long": "p",
    "random": "^",
    "retrained": "v",
    "random_forest": "X",
    "unstructured": "P",
}
DASHES: dict[str, Any] = {
    "baseline": "-",
    "pruned": "-",
    "scratch": (0, (5, 1.5)),
    "scratch-long": (0, (8, 2)),
    "random": (0, (1, 1)),
    "retrained": (0, (5, 1, 1, 1)),
    "random_forest": (0, (2.5, 1.5)),
}

INK = "#1b1f24"
SOFT = "#59636e"
GRID = "#dfe3e8"
TRACE = "#2b323a"
TRUTH = "#f0c419"
PAPER = "#fefefe"

VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    GRID: "--grid",
    TRACE: "--trace",
    TRUTH: "--truth",
    PAPER: "--paper",
    **{colour: f"--{name}" for name, colour in COLOURS.items()},
}
"""Colours that the page sets, so that figures follow it into the dark."""

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


def plural(how_many: int, noun: str) -> str:
    """1 subject, 2 subjects."""
    return f"{how_many:,} {noun}" + ("" if how_many == 1 else "s")


def share(part: float | None, total: float | None) -> float | None:
    """Part over total where both are known."""
    return None if part is None or not total else part / total


def short_names(subjects: Sequence[str]) -> dict[str, str]:
    """Subjects without their data set's name, where they can still be told apart."""
    short = {name: name.rsplit("/", 1)[-1] for name in subjects}
    return short if len(set(short.values())) == len(short) else {name: name for name in subjects}
