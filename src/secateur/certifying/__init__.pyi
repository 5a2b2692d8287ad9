"""Accuracy-constrained pruning: the ladder, who is judged, and the certificate."""

from .result import LadderResult, Outcome
from .search import find
from .settings import LadderSettings, resolve_ladder

__all__ = [
    "LadderResult",
    "LadderSettings",
    "Outcome",
    "find",
    "resolve_ladder",
]
