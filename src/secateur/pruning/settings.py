"""What is cut, where, in how many steps, and how the rest is trained again."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from secateur.settings import Flag, Settings

Importance = Literal[
    "l1",
    "l1-folded",
    "l2",
    "random",
    "fpgm",
    "batchnorm",
    "activation",
    "apoz",
    "taylor",
    "taylor-2019",
    "taylor-by-class",
    "fisher",
]
Allocation = Literal["uniform", "global", "global-unnormalised", "sensitivity", "cost", "dynamic"]
Retraining = Literal["finetune", "rewind", "scratch", "distil"]
Budget = Literal["params", "macs", "latency_ms", "bytes"]

IMPORTANCES: tuple[Importance, ...] = get_args(Importance)
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
RETRAININGS: tuple[Retraining, ...] = get_args(Retraining)
BUDGETS: tuple[Budget, ...] = get_args(Budget)


class Target(Settings):
    """A size to reach; also written in words, such as macs=10% or latency_ms=0.3."""

    what: Budget
    """What is counted; bytes are those of the network, without metadata."""
    limit: Annotated[float, Field(gt=0)]
    """At most so much, in the unit of `what`, or, where `share`, of the baseline's."""
    share: bool = False
    """Whether `limit` is a part of the baseline's."""

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        what, sign, limit = (part.strip() for part in value.partition("="))
        if not sign or what not in BUDGETS:
            raise ValueError(f"wanted one of {', '.join(BUDGETS)} and a number, such as macs=10%")
        try:
            number = float(limit.removesuffix("%"))
        except ValueError:
            raise ValueError(f"{limit!r} is no number; wanted macs=10% or latency_ms=0.3") from None
        share = limit.endswith("%")
        return {"what": what, "limit": number / 100 if share else number, "share": share}

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


def _steps(value: Any) -> Any:
    """`one-shot` and `iterative:3` as a number of steps."""
    if not isinstance(value, str) or value.isdecimal():
        return value
    word, _, steps = value.partition(":")
    if value != "one-shot" and not (word == "iterative" and steps.isdecimal()):
        raise ValueError("wanted one-shot or iterative:N, such as iterative:3")
    return steps or 1


_EARLIER = {"zeros": "apoz", "geometric-median": "fpgm"}


def _named(value: Any) -> Any:
    """An importance under the name that it has now; files and finished runs may hold an earlier one."""
    return _EARLIER.get(value, value) if isinstance(value, str) else value


class PruningSettings(Settings):
    """What is cut, where, in how many steps, and how the rest is trained again."""

    ratio: Annotated[float, Field(ge=0, lt=1), Flag("ratio", only="run", instead="rungs")] = 0.5
    """Share of the kernels to remove, 0 to below 1 (the published method: half)."""
    importance: Annotated[Importance, BeforeValidator(_named), Flag("importance")] = "l1"
    """How kernels are ranked; the least important go. random ranks by chance."""
    allocation: Annotated[Allocation, Flag("allocation")] = "uniform"
    """uniform takes the ratio from each convolution; global from the network as a whole, scores being
    divided by their layer's mean first, global-unnormalised by scores as they are; sensitivity takes most
    where a layer's loss is least; cost keeps the most importance for each MAC; dynamic decides anew after
    each epoch of retraining.
    """
    cost_in: Annotated[Literal["macs", "us"], Flag("cost-in")] = "macs"
    """What allocation cost pays in: MACs or microseconds in ONNX Runtime."""
    steps: Annotated[
        int,
        Field(ge=1, le=20),
        BeforeValidator(_steps),
        Flag("schedule", "one-shot|iterative:N", default="one-shot"),
    ] = 1
    """one-shot (1) cuts at once; iterative:N cuts and retrains in turn, N times."""
    retrain: Annotated[Retraining, Flag("retrain")] = "finetune"
    """finetune goes on from the weights that stay, rewind from those of epoch `rewind_to`, scratch from new
    ones; distil learns the baseline's soft outputs too."""
    rewind_to: Annotated[int, Field(ge=1)] = 2
    """Epoch of the baseline's training to which rewind goes back."""
    round_to: Annotated[int, Field(ge=1, le=256), Flag("round-to")] = 1
    """Kernels that stay in a layer are a multiple of this."""
    target: Annotated[
        Target | None, Flag("target", "WHAT=LIMIT", only="prune", instead="ratio")
    ] = None
    """In place of a ratio, a size to reach: params, macs, latency_ms or bytes (of the network, without
    metadata), such as macs=10% of the baseline's or latency_ms=0.3."""
