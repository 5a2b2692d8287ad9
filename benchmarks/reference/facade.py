"""The page of Python's names, which mkdocstrings fills from their docstrings."""

from __future__ import annotations

from benchmarks.reference.words import HEAD
from secateur import _HOME, __all__

_INTRODUCTION = f"""
# Python
{HEAD}

`import secateur` has all that most users need. Each name is imported when it is first asked for, so
detecting, explaining and scoring never load PyTorch. Modules that aren't named here, and names that begin
with an underscore, may change at any time.

## Names
"""


_RETURNED = (
    "secateur.recordings.Recording",
    "secateur.recordings.Cohort",
    "secateur.explaining.ExplainingDetector",
    "secateur.detectors.Detector",
    "secateur.detectors.stream.DetectorStream",
    "secateur.detectors.stream.Step",
    "secateur.detectors.evaluation.Evaluation",
    "secateur.explaining.Explanation",
    "secateur.runs.RunOutput",
    "secateur.certifying.result.LadderOutput",
)
"""Classes that these give back."""


def python_page() -> str:
    """A line for each name of the facade, which mkdocstrings replaces by its docstring."""
    parts = [_INTRODUCTION.strip()]
    parts += [_filled(f"secateur.{_HOME[name]}.{name}", f"secateur.{name}") for name in __all__]
    parts += ["## What comes back", *(_filled(path, path.rpartition(".")[2]) for path in _RETURNED)]
    return "\n\n".join(parts) + "\n"


def _filled(path: str, heading: str) -> str:
    return f'::: {path}\n    options:\n      heading: "{heading}"'
