"""Why a window or an event was called, how far that can be believed, and what it costs. No torch."""

from secateur.explaining.detector import ExplainingDetector, load_detector
from secateur.explaining.explanation import Explanation, event_at, explain_events
from secateur.explaining.settings import (
    MEANING,
    METHODS,
    ExplainingSettings,
    Method,
    StudiedSettings,
)

__all__ = [
    "MEANING",
    "METHODS",
    "ExplainingDetector",
    "ExplainingSettings",
    "Explanation",
    "Method",
    "StudiedSettings",
    "event_at",
    "explain_events",
    "load_detector",
]
