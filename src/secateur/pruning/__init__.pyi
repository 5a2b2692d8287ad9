"""Importance, allocation, surgery and its proof, retraining. Needs torch for all but its settings."""

from .calibration import CalibrationData, measure_calibration
from .groups import Group, Slot, Structure
from .prune import Pruned
from .retraining import prune_and_retrain, retrain_masked, trainings_of
from .settings import BUDGETS, PruningSettings
from .surgery import cut
from .tracing import trace

__all__ = [
    "BUDGETS",
    "CalibrationData",
    "Group",
    "Pruned",
    "PruningSettings",
    "Slot",
    "Structure",
    "cut",
    "measure_calibration",
    "prune_and_retrain",
    "retrain_masked",
    "trace",
    "trainings_of",
]
