"""A detector as one file, and all that runs it. No torch."""

from secateur.detectors.detector import Detector, Verdicts, load_detector
from secateur.detectors.evaluation import Evaluation, evaluate
from secateur.detectors.file import pack, read_verified, write_detector
from secateur.detectors.metadata import DetectorInfo, PostProcessing, Provenance

__all__ = [
    "Detector",
    "DetectorInfo",
    "Evaluation",
    "PostProcessing",
    "Provenance",
    "Verdicts",
    "evaluate",
    "load_detector",
    "pack",
    "read_verified",
    "write_detector",
]
