"""How a network is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from secateur.settings import Flag, Settings


class AugmentationSettings(Settings):
    """What is changed in a training window, anew each time it is seen; nothing else is ever changed."""

    gain: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Amplitude times a factor between 1/gain and gain, log-uniform; 1: never."""
    drop_channels: Annotated[int, Field(ge=0)] = 0
    """One to so many channels are silenced, with `drop_probability`; 0: never."""
    drop_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How often channels are silenced."""
    permute_channels: bool = False
    """Channels in random order, so that the network looks at what happens and not at where: who has a seizure
    on the left does not teach it that seizures are on the left. It calls more ordinary EEG a seizure."""
    mirror: bool = False
    """Every other window, at random, has its left and right electrodes swapped, in place of (or beside) the
    random order: for montages whose channels name electrodes."""
    shift: bool = True
    """Windows are moved by up to half a hop."""


class TrainingSettings(Settings):
    """Adam on cross-entropy with early stopping on validation macro-F1; the best epoch's weights are kept.

    Pruned networks are retrained by the same settings ("identical hyperparameters").
    """

    epochs: Annotated[int, Field(ge=1, le=100_000), Flag("epochs")] = 12
    """Epochs at most; training stops early."""
    least_epochs: Annotated[int, Field(ge=1), Flag("least-epochs")] = 6
    """The first epoch that may be kept, and from which patience counts; of fewer epochs the last is kept.
    With few validation subjects an earlier one is often a lucky peak."""
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 32
    """Windows in a batch."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    """Adam's step."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-4
    """Adam's weight decay."""
    patience: Annotated[int, Field(ge=1), Flag("patience")] = 5
    """Epochs without an improvement before training stops."""
    min_improvement: Annotated[float, Field(ge=0, lt=1)] = 0.001
    """Gain in macro-F1 that counts as an improvement; 0: any gain."""
    validation_windows: Annotated[int, Field(ge=2)] = 4096
    """Windows at most on which early stopping looks after each epoch: drawn once, subjects alike. Thresholds
    and scores are of all windows."""
    draw: Literal["balanced", "all"] = "balanced"
    """balanced draws `windows_per_epoch` with replacement, so that each class and, within it, each subject is
    seen alike; all takes every window once."""
    windows_per_epoch: Annotated[int, Field(ge=2)] = 1920
    """Windows of a balanced draw."""
    background_per_epoch: Annotated[
        Annotated[int, Field(ge=1)] | None, Flag("background-per-epoch")
    ] = None
    """In place of `draw`: all ictal windows and a fresh draw of so many background ones each epoch."""
    class_weights: (
        Literal["balanced", "none"]
        | tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    ) = "balanced"
    """balanced weighs each class by the inverse of its share of what is drawn, none weighs them alike; two
    numbers (background, ictal) are taken as they are."""
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the running mean of weights that is validated and kept; 0: the weights themselves."""
    recalibration: Annotated[int, Field(ge=0)] = 24
    """Batches of unchanged windows from which BatchNorm's statistics are taken anew after each epoch, without
    dropout: max-pooling after dropout sees larger values in training than later. 0: as training left them."""
    augmentation: AugmentationSettings = AugmentationSettings()
    """What is changed in training windows."""
    labels_at_random: bool = False
    """Labels of training and validation windows change places at random, so that there is nothing to learn: a
    control of what explanations show. No ladder takes such a network."""

    @model_serializer(mode="wrap")
    def _without_default_labels(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Runs bear their settings' hash; those from before there was `labels_at_random` are found again."""
        values = handler(self)
        if not self.labels_at_random:
            values.pop("labels_at_random", None)
        return values
