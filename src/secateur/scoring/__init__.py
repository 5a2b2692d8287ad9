"""Windows and events against a reference, and how sure the numbers are. No torch, no files of EEG."""

from secateur.scoring.certificate import (
    Certificate,
    Circumstances,
    make_certificate,
    recompute,
)
from secateur.scoring.events import (
    TIMESCORING_VERSION,
    EventComparison,
    Score,
    always,
    beaten_by_always,
    compare,
    compare_all,
)
from secateur.scoring.ladder import (
    Climb,
    Judgement,
    Needed,
    Statement,
    climb,
    judge,
    needed,
)
from secateur.scoring.margins import (
    Constraint,
    check_background,
    losses_of,
    parse_margins,
)
from secateur.scoring.metrics import (
    METRICS,
    Metric,
    margin_metrics,
    metric_of,
    register,
    window_metrics,
)
from secateur.scoring.trees import PairedTables, ReviewChoice, Side, pair_files
from secateur.scoring.windows import (
    SHRINKAGE,
    Confusion,
    WindowScores,
    best_threshold,
    chosen_threshold,
    moved_threshold,
    threshold_anchor,
)
from secateur.scoring.wording import in_words

__all__ = [
    "METRICS",
    "SHRINKAGE",
    "TIMESCORING_VERSION",
    "Certificate",
    "Circumstances",
    "Climb",
    "Confusion",
    "Constraint",
    "EventComparison",
    "Judgement",
    "Metric",
    "Needed",
    "PairedTables",
    "ReviewChoice",
    "Score",
    "Side",
    "Statement",
    "WindowScores",
    "always",
    "beaten_by_always",
    "best_threshold",
    "check_background",
    "chosen_threshold",
    "climb",
    "compare",
    "compare_all",
    "in_words",
    "judge",
    "losses_of",
    "make_certificate",
    "margin_metrics",
    "metric_of",
    "moved_threshold",
    "needed",
    "pair_files",
    "parse_margins",
    "recompute",
    "register",
    "threshold_anchor",
    "window_metrics",
]
