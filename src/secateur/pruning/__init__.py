"""Importance, allocation, surgery and its proof. Needs torch."""

from secateur.pruning.prune import Pruned, prune
from secateur.pruning.settings import PruningSettings
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import Couplings, trace_couplings

__all__ = ["Couplings", "Pruned", "PruningSettings", "cut", "prune", "trace_couplings"]
