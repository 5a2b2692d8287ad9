"""Accuracy-constrained pruning: the ladder, who is judged, and the certificate."""

from secateur.studies.ladder.result import LadderResult, Outcome
from secateur.studies.ladder.search import find
from secateur.studies.ladder.settings import LadderSettings, ladder_words, resolve_ladder

__all__ = [
    "LadderResult",
    "LadderSettings",
    "Outcome",
    "find",
    "ladder_words",
    "resolve_ladder",
]
