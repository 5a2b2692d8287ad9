"""The main job as one run, and its settings."""

from .data import Material, Source
from .folder import MODELS, RunFolder
from .progress import Execution, Progress
from .result import ALL_MODELS, RunResult
from .settings import RunSettings, resolve

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
]
