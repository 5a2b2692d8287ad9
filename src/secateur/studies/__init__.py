"""The main job as one run, and its settings."""

from secateur.studies.folder import MODELS, RunFolder
from secateur.studies.folds import split_words
from secateur.studies.material import Material, Source
from secateur.studies.progress import Execution, Progress
from secateur.studies.result import ALL_MODELS, RunResult
from secateur.studies.run import run
from secateur.studies.settings import RunSettings, resolve, rule_words, schedule_words

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
