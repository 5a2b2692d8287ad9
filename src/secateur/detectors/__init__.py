"""A detector as one file, and all that runs it. No torch."""

from secateur.detectors.detector import Detector, WindowProbabilities, load_detector
from secateur.detectors.evaluation import background_seconds, evaluate
from secateur.detectors.event_rules import PostProcessing
from secateur.detectors.file import DetectorInfo, Provenance, pack, read_verified, write_detector

__all__ = [
    "Detector",
    "DetectorInfo",
    "PostProcessing",
    "Provenance",
    "WindowProbabilities",
    "background_seconds",
    "evaluate",
    "load_detector",
    "pack",
    "read_verified",
    "write_detector",
]
