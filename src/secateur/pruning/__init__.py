"""Importance, allocation, surgery and its proof, retraining. Needs torch."""

from secateur.pruning.evidence import Evidence, measure_evidence
from secateur.pruning.prune import Pruned, prune
from secateur.pruning.retraining import Course, prune_and_retrain, retrain_masked
from secateur.pruning.settings import BUDGETS, PruningSettings
from secateur.pruning.structure import Group, Slot, Structure
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace

__all__ = [
    "BUDGETS",
    "Course",
    "Evidence",
    "Group",
    "Pruned",
    "PruningSettings",
    "Slot",
    "Structure",
    "cut",
    "measure_evidence",
    "prune",
    "prune_and_retrain",
    "retrain_masked",
    "trace",
]
