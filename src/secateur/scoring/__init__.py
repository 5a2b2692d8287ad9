"""Windows and events against a reference, and how sure the numbers are. No torch, no files of EEG."""

from secateur.scoring.events import (
    TIMESCORING_VERSION,
    EventComparison,
    Score,
    always,
    compare,
    compare_all,
)
from secateur.scoring.trees import pair_files
from secateur.scoring.windows import (
    METRICS,
    Confusion,
    WindowScores,
    best_threshold,
    probability_of,
    trusted_threshold,
)

__all__ = [
    "METRICS",
    "TIMESCORING_VERSION",
    "Confusion",
    "EventComparison",
    "Score",
    "WindowScores",
    "always",
    "best_threshold",
    "compare",
    "compare_all",
    "pair_files",
    "probability_of",
    "trusted_threshold",
]
