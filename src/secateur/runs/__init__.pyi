"""The main job as one run, and its settings."""

from .data import RunData, Source
from .folder import MODELS, RunFolder
from .progress import Execution, Progress
from .result import ALL_MODELS, RunOutput
from .settings import RunSettings, resolve

__all__ = [
    "ALL_MODELS",
    "MODELS",
    "Execution",
    "Progress",
    "RunData",
    "RunFolder",
    "RunOutput",
    "RunSettings",
    "Source",
    "resolve",
]
