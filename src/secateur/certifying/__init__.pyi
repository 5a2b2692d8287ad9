"""Accuracy-constrained pruning: the ladder, who is judged, and the certificate."""

from .result import LadderResult, Outcome
from .search import find
from .settings import LadderSettings, ladder_words, resolve_ladder

__all__ = [
    "LadderResult",
    "LadderSettings",
    "Outcome",
    "find",
    "ladder_words",
    "resolve_ladder",
]
