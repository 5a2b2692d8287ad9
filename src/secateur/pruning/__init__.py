"""Importance, allocation, surgery and its proof. Needs torch."""

from secateur.pruning.prune import Pruned, prune
from secateur.pruning.settings import PruningSettings
from secateur.pruning.structure import Group, Slot, Structure
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace

__all__ = ["Group", "Pruned", "PruningSettings", "Slot", "Structure", "cut", "prune", "trace"]
