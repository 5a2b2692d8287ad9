"""Grids of runs: stated in a file, carried out here or on many machines, compared."""

from .adapting import Adapting, Against, BySubject, Way
from .answering import evaluate_study
from .engine import ExecutionOptions, carry_out
from .explaining import Explaining
from .file import StudyFile, read_study
from .findings import (
    Answer,
    At,
    Condition,
    Curve,
    Family,
    Findings,
    Missing,
    Value,
)
from .prices import Balance, MethodPrice, Middle, NetworkPrice
from .questions import check_questions
from .reasons import Agreement, Estimate, Faithfulness, Reasons
from .record import Plan, read_plan, status_of
from .table import Row, csv_of

__all__ = [
    "Adapting",
    "Against",
    "Agreement",
    "Answer",
    "At",
    "Balance",
    "BySubject",
    "Condition",
    "Curve",
    "Estimate",
    "ExecutionOptions",
    "Explaining",
    "Faithfulness",
    "Family",
    "Findings",
    "MethodPrice",
    "Middle",
    "Missing",
    "NetworkPrice",
    "Plan",
    "Reasons",
    "Row",
    "StudyFile",
    "Value",
    "Way",
    "carry_out",
    "check_questions",
    "csv_of",
    "evaluate_study",
    "read_plan",
    "read_study",
    "status_of",
]
