"""Grids of runs: stated in a file, carried out here or on many machines, compared."""

from secateur.studies.answering import findings
from secateur.studies.engine import Manner, Plan, carry_out, read_plan
from secateur.studies.file import StudyFile, read_study
from secateur.studies.findings import (
    Answer,
    At,
    Condition,
    Curve,
    Family,
    Findings,
    Missing,
    Value,
)
from secateur.studies.questions import check_questions
from secateur.studies.table import Row, csv_of

__all__ = [
    "Answer",
    "At",
    "Condition",
    "Curve",
    "Family",
    "Findings",
    "Manner",
    "Missing",
    "Plan",
    "Row",
    "StudyFile",
    "Value",
    "carry_out",
    "check_questions",
    "csv_of",
    "findings",
    "read_plan",
    "read_study",
]
