"""What is cut, where, in how many steps, and how the rest is trained again.

Comes in: what a user states. Goes out: `PruningSettings`, checked. Next: `prune` follows it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from secateur.settings import Settings

Importance = Literal[
    "l1",
    "l2",
    "random",
    "geometric-median",
    "batchnorm",
    "activation",
    "zeros",
    "taylor",
    "taylor-by-class",
    "fisher",
]
Allocation = Literal["uniform", "global", "sensitivity", "cost", "dynamic"]
Retraining = Literal["finetune", "rewind", "scratch", "distil"]
Budget = Literal["params", "macs", "latency_ms", "bytes"]

IMPORTANCES: tuple[Importance, ...] = get_args(Importance)
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
RETRAININGS: tuple[Retraining, ...] = get_args(Retraining)
BUDGETS: tuple[Budget, ...] = get_args(Budget)


class Target(Settings):
    """A size to reach. `limit`: in the unit of `what`, or, where `share`, a part of the baseline's."""

    what: Budget
    limit: Annotated[float, Field(gt=0)]
    share: bool = False

    @model_validator(mode="after")
    def _is_meant(self) -> Self:
        if self.share and self.limit > 1:
            raise ValueError(f"a share of the baseline is at most 100%, got {self}")
        if not self.share and self.limit <= 1 and self.what != "latency_ms":
            raise ValueError(
                f"{self.what}={self.limit:g}: shares of the baseline are written {self.limit * 100:g}%"
            )
        return self

    def __str__(self) -> str:
        number = f"{self.limit * 100:g}%" if self.share else f"{self.limit:g}"
        return f"{self.what}={number}"


class PruningSettings(Settings):
    """`ratio`: share of the kernels that goes (the published method: half).

    `importance`: how kernels are ranked; the least important go. `random` ranks by chance.
    `allocation`: "uniform" takes the ratio from each convolution; "global" takes it from the network as a
    whole, scores being divided by their layer's mean first; "sensitivity" takes most where a layer's loss
    is least, "cost" keeps the most importance for each MAC (`cost_in` "us": for each microsecond in ONNX
    Runtime), "dynamic" decides anew after each epoch of retraining. `steps`: 1 cuts at once, more cut and
    retrain in turn. `retrain`: "finetune" goes on from the weights that stay, "rewind" from those of
    epoch `rewind_to`, "scratch" from new ones, "distil" learns the baseline's soft outputs too.
    `round_to`: kernels of each layer are a multiple of it. `target`: in place of `ratio`.
    """

    ratio: Annotated[float, Field(ge=0, lt=1)] = 0.5
    importance: Importance = "l1"
    allocation: Allocation = "uniform"
    cost_in: Literal["macs", "us"] = "macs"
    steps: Annotated[int, Field(ge=1, le=20)] = 1
    retrain: Retraining = "finetune"
    rewind_to: Annotated[int, Field(ge=1)] = 2
    round_to: Annotated[int, Field(ge=1, le=256)] = 1
    target: Target | None = None
