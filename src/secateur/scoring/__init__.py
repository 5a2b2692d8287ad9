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
from secateur.scoring.trees import pair_files
from secateur.scoring.windows import (
    TRUST,
    Confusion,
    WindowScores,
    best_threshold,
    trusted_threshold,
)
from secateur.scoring.wording import in_words

__all__ = [
    "METRICS",
    "TIMESCORING_VERSION",
    "TRUST",
    "Certificate",
    "Circumstances",
    "Climb",
    "Confusion",
    "Constraint",
    "EventComparison",
    "Judgement",
    "Metric",
    "Needed",
    "Score",
    "Statement",
    "WindowScores",
    "always",
    "best_threshold",
    "check_background",
    "climb",
    "compare",
    "compare_all",
    "in_words",
    "judge",
    "losses_of",
    "make_certificate",
    "margin_metrics",
    "metric_of",
    "needed",
    "pair_files",
    "parse_margins",
    "recompute",
    "register",
    "trusted_threshold",
    "window_metrics",
]
