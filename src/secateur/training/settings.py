"""How a network is trained.

Comes in: what a user states. Goes out: `TrainingSettings`, checked. Next: `loop` follows them; pruned
networks are retrained with the same object ("identical hyperparameters").
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from secateur.settings import Settings


class AugmentationSettings(Settings):
    """What is changed in a training window, anew each time it is seen; nothing else is ever changed.

    `gain`: amplitude times a factor between 1/gain and gain, log-uniform (1: never). `drop_channels`:
    with probability `drop_probability`, one to so many channels are silenced (0: never).
    `permute_channels`: channels in random order, so that the network looks at what happens and not at
    where: who has a seizure on the left does not teach it that seizures are on the left. `shift`:
    moved by up to half a hop.
    """

    gain: Annotated[float, Field(ge=1, le=100)] = 1.3
    drop_channels: Annotated[int, Field(ge=0)] = 3
    drop_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    permute_channels: bool = True
    shift: bool = True


class TrainingSettings(Settings):
    """Adam on cross-entropy with early stopping on validation macro-F1.

    `patience`: epochs without an improvement of at least `min_improvement` (0: any gain) before it stops; the
    best epoch's weights are kept. Epochs before `least_epochs` are not looked at: with few validation
    subjects one of them is often a lucky peak.

    `draw`: "balanced" draws `windows_per_epoch` with replacement, so that each class and, within it,
    each subject is seen alike; "all" takes every window once. `background_per_epoch` goes before it:
    all ictal windows and a fresh draw of so many background ones. `class_weights`: "balanced" weighs
    each class by the inverse of its share of what is drawn, "none" weighs them alike, two numbers
    (background, ictal) are taken as they are.

    `averaging`: decay of the running mean of weights that is validated and kept (0: the weights
    themselves). `recalibration`: batches of unchanged windows from which BatchNorm's statistics are
    taken anew after each epoch, without dropout (0: as training left them); max-pooling after dropout
    sees larger values in training than later, so statistics from training don't fit.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 12
    least_epochs: Annotated[int, Field(ge=1)] = 6
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-4
    patience: Annotated[int, Field(ge=1)] = 5
    min_improvement: Annotated[float, Field(ge=0, lt=1)] = 0.001
    draw: Literal["balanced", "all"] = "balanced"
    windows_per_epoch: Annotated[int, Field(ge=2)] = 1920
    background_per_epoch: Annotated[int, Field(ge=1)] | None = None
    class_weights: (
        Literal["balanced", "none"]
        | tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    ) = "balanced"
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.99
    recalibration: Annotated[int, Field(ge=0)] = 24
    augmentation: AugmentationSettings = AugmentationSettings()
