"""Accuracy-constrained pruning: the ladder, who is judged, and the certificate."""

from .result import LadderOutput, Outcome
from .search import find
from .settings import LadderSettings, resolve_ladder

__all__ = [
    "LadderOutput",
    "LadderSettings",
    "Outcome",
    "find",
    "resolve_ladder",
]
