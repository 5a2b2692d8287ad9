"""How a network is trained.

Comes in: what a user states. Goes out: `TrainingSettings`, checked. Next: `loop` follows them; pruned
networks are retrained with the same object ("identical hyperparameters").
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from secateur.windows import Settings


class TrainingSettings(Settings):
    """Adam on cross-entropy with early stopping on validation macro-F1.

    `patience`: epochs without an improvement of at least `min_improvement` before it stops; the best
    epoch's weights are kept. `class_weights`: "balanced" weighs each class by the inverse of its share
    of the training windows, "none" weighs them alike, two numbers (background, ictal) are taken as
    they are. `background_per_epoch`: all ictal windows and a fresh draw of so many background ones
    each epoch; None takes all. `windows_per_epoch`: at most so many windows each epoch, a fresh draw
    (neighbouring windows share three quarters of their samples); None takes all.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 30
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 1e-4
    patience: Annotated[int, Field(ge=1)] = 6
    min_improvement: Annotated[float, Field(ge=0, lt=1)] = 0.002
    class_weights: (
        Literal["balanced", "none"]
        | tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    ) = "balanced"
    background_per_epoch: Annotated[int, Field(ge=1)] | None = None
    windows_per_epoch: Annotated[int, Field(ge=2)] | None = None
