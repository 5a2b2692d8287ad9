"""The one training loop, early stopping, checkpoints. Needs torch."""

from secateur.training.checkpoints import load_network, save_network
from secateur.training.loop import Epoch, Fit, predict, reproducible, train
from secateur.training.settings import AugmentationSettings, TrainingSettings

__all__ = [
    "AugmentationSettings",
    "Epoch",
    "Fit",
    "TrainingSettings",
    "load_network",
    "predict",
    "reproducible",
    "save_network",
    "train",
]
