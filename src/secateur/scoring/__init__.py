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
    CONSTRAINABLE,
    EVENT_METRICS,
    Constraint,
    check_background,
    losses_of,
    parse_margins,
)
from secateur.scoring.trees import pair_files
from secateur.scoring.windows import (
    METRICS,
    TRUST,
    Confusion,
    WindowScores,
    best_threshold,
    trusted_threshold,
)
from secateur.scoring.wording import in_words

__all__ = [
    "CONSTRAINABLE",
    "EVENT_METRICS",
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
    "needed",
    "pair_files",
    "parse_margins",
    "recompute",
    "trusted_threshold",
]
