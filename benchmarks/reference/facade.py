"""The page of Python's names, which mkdocstrings fills from their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module

from benchmarks.reference.words import HEAD
from secateur import _HOME, __all__

_INTRODUCTION = f"""
# Python
{HEAD}

`import secateur` has all that most users need. Each name is imported when it is first asked for, so
detecting, explaining and scoring never load PyTorch. Modules that aren't named here, and names that begin
with an underscore, may change at any time. In the site that `make docs` builds, parameters, returned values
and errors of each stand below; where this page is read as it lies, `help(secateur.prune)` shows the same.
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
    """A table of the facade's names, and a line for each, which mkdocstrings replaces by its docstring."""
    names = {f"secateur.{name}": f"secateur.{_HOME[name]}.{name}" for name in __all__}
    returned = {path.rpartition(".")[2]: path for path in _RETURNED}
    parts = [_INTRODUCTION.strip(), _table({**names, **returned})]
    parts += ["## Names", *(_filled(path, name) for name, path in names.items())]
    parts += ["## What comes back", *(_filled(path, name) for name, path in returned.items())]
    return "\n\n".join(parts) + "\n"


def _table(names: Mapping[str, str]) -> str:
    lines = ["| name | what it is |", "|---|---|"]
    for name, path in names.items():
        module, _, attribute = path.rpartition(".")
        paragraph = inspect.cleandoc(getattr(import_module(module), attribute).__doc__).split(
            "\n\n"
        )[0]
        sentence = " ".join(paragraph.split()).partition(". ")[0].rstrip(".").replace("|", "\\|")
        lines.append(f"| `{name}` | {sentence}. |")
    return "\n".join(lines)


def _filled(path: str, heading: str) -> str:
    return f'::: {path}\n    options:\n      heading: "{heading}"'
