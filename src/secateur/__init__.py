"""Secateur: the smallest seizure detector that still keeps its accuracy.

The names below are all that most users need; each is imported when it is first asked for, so that
detecting and scoring never load torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# ONNX Runtime reports to its maker, unless it is told not to before it is loaded, and leaves an
# identifier in the home folder. What runs beside patients' data does neither unasked; "0" asks for it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOME = {
    "ArrayRecording": "recordings",
    "Event": "events",
    "Events": "events",
    "SecateurError": "errors",
    "compare": "scoring",
    "evaluate": "detectors",
    "from_raw": "recordings",
    "load_cohort": "recordings",
    "load_detector": "explaining",
    "open_recording": "recordings",
    "prune": "jobs",
    "read_tsv": "events",
    "run": "jobs",
    "simulate_cohort": "recordings.simulated",
    "to_annotations": "recordings",
}

__all__ = [
    "ArrayRecording",
    "Event",
    "Events",
    "SecateurError",
    "compare",
    "evaluate",
    "from_raw",
    "load_cohort",
    "load_detector",
    "open_recording",
    "prune",
    "read_tsv",
    "run",
    "simulate_cohort",
    "to_annotations",
]

if TYPE_CHECKING:
    from secateur.detectors import evaluate
    from secateur.errors import SecateurError
    from secateur.events import Event, Events, read_tsv
    from secateur.explaining import load_detector
    from secateur.jobs import prune, run
    from secateur.recordings import (
        ArrayRecording,
        from_raw,
        load_cohort,
        open_recording,
        to_annotations,
    )
    from secateur.recordings.simulated import simulate_cohort
    from secateur.scoring import compare


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'secateur' has no attribute {name!r}")
    try:
        return getattr(import_module(f"secateur.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("secateur"):
            raise
        from secateur.errors import MissingExtraError

        raise MissingExtraError(error.name, "train", f"secateur.{name}") from None


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
