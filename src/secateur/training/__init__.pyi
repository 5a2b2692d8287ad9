"""The one training loop, early stopping, checkpoints. Needs torch for all but its settings."""

from .checkpoints import check_weights, load_network, load_weights, save_network
from .loop import (
    Epoch,
    Fit,
    TrainingHooks,
    TrainingPlan,
    batches_of,
    logits_of,
    predict,
    reproducible,
    train,
)
from .settings import AugmentationSettings, TrainingSettings

__all__ = [
    "AugmentationSettings",
    "Epoch",
    "Fit",
    "TrainingHooks",
    "TrainingPlan",
    "TrainingSettings",
    "batches_of",
    "check_weights",
    "load_network",
    "load_weights",
    "logits_of",
    "predict",
    "reproducible",
    "save_network",
    "train",
]
