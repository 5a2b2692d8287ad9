"""The main job as one run, and its settings."""

from secateur.runs.data import Material, Source
from secateur.runs.folder import MODELS, RunFolder
from secateur.runs.folds import split_words
from secateur.runs.progress import Execution, Progress
from secateur.runs.result import ALL_MODELS, RunResult
from secateur.runs.run import run
from secateur.runs.settings import RunSettings, resolve, rule_words, schedule_words

__all__ = [
    "ALL_MODELS",
    "MODELS",
    "Execution",
    "Material",
    "Progress",
    "RunFolder",
    "RunResult",
    "RunSettings",
    "Source",
    "resolve",
    "rule_words",
    "run",
    "schedule_words",
    "split_words",
]
