"""The statistics of studies: pure functions over scores of runs, nothing printed, nothing loaded early.
docs/explanation/statistics.md says what each number means.
"""

from secateur.scoring.comparing.by_subject import Effect, SubjectComparison
from secateur.scoring.comparing.claims import claim
from secateur.scoring.comparing.comparison import (
    Comparison,
    NonInferiority,
    compare,
    in_family,
)
from secateur.scoring.comparing.components import Component, Components, components
from secateur.scoring.comparing.delong import TOO_NARROW, DeLong, delong
from secateur.scoring.comparing.families import holm
from secateur.scoring.comparing.mixed import Mixed
from secateur.scoring.comparing.outcomes import Outcome, Summary, summarise
from secateur.scoring.comparing.overlap import resampled_interval
from secateur.scoring.comparing.ranks import Ranks, rank

__all__ = [
    "TOO_NARROW",
    "Comparison",
    "Component",
    "Components",
    "DeLong",
    "Effect",
    "Mixed",
    "NonInferiority",
    "Outcome",
    "Ranks",
    "SubjectComparison",
    "Summary",
    "claim",
    "compare",
    "components",
    "delong",
    "holm",
    "in_family",
    "rank",
    "resampled_interval",
    "summarise",
]
