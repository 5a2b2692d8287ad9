"""How everything looks: names, colours and marks of models.

Colours are Okabe's and Ito's, which colour-blind readers can tell apart; every model has a mark and a
dash of its own besides.
"""

from __future__ import annotations

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

RAISES, LOWERS = COLOURS["pruned"], COLOURS["baseline"]
"""What raises a detector's margin (filled) and what lowers it (hatched), in pictures of attribution."""

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
