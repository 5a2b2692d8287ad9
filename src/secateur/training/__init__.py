"""The one training loop, early stopping, checkpoints. Needs torch."""

from secateur.training.checkpoints import load_network, load_weights, save_network
from secateur.training.loop import Epoch, Fit, Guidance, predict, reproducible, train
from secateur.training.settings import AugmentationSettings, TrainingSettings

__all__ = [
    "AugmentationSettings",
    "Epoch",
    "Fit",
    "Guidance",
    "TrainingSettings",
    "load_network",
    "load_weights",
    "predict",
    "reproducible",
    "save_network",
    "train",
]
