"""Accuracy-constrained pruning: the ladder, who is judged, and the certificate."""

from secateur.certifying.result import LadderResult, Outcome
from secateur.certifying.search import find
from secateur.certifying.settings import LadderSettings, ladder_words, resolve_ladder

__all__ = [
    "LadderResult",
    "LadderSettings",
    "Outcome",
    "find",
    "ladder_words",
    "resolve_ladder",
]
