"""What is to be done: stages, what each waits for, and the parts of a job that have stages of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from secateur.pruning import PruningSettings
from secateur.windows import Split

Kind = Literal[
    "baseline",
    "random_forest",
    "evidence",
    "pruned",
    "int8",
    "scratch",
    "scratch-long",
    "random",
    "unstructured",
    "retrained",
]
CONTROLS: tuple[Kind, ...] = ("scratch", "scratch-long", "random", "unstructured")
"""Networks that stand beside a pruned one, as large or as sparse as it is."""


@dataclass(frozen=True)
class Stage:
    """One thing to do. `name`: of its files. `pruning`: how a pruned network is cut.

    `of`: the pruned stage that an int8 network or a control is made after. `needs`: stages that must be
    finished before.
    """

    name: str
    kind: Kind
    needs: tuple[str, ...] = ()
    pruning: PruningSettings | None = None
    of: str = ""

    @property
    def trains(self) -> bool:
        """Whether it goes through epochs."""
        return self.kind not in ("random_forest", "evidence", "int8")


@dataclass(frozen=True)
class Part:
    """Stages on one split. `split` None: the settings'. `name`: empty where there is one part alone.

    `seed_step`: added to the settings' seed, so that no two parts share the luck of their training.
    """

    path: Path
    stages: tuple[Stage, ...]
    name: str = ""
    split: Split | None = None
    seed_step: int = 0

    def label(self, stage: Stage) -> str:
        """What is shown while a stage is done."""
        return f"{self.name} {stage.name}".strip()


def after(pruned: Stage, kind: Kind, name: str) -> Stage:
    """An int8 network or a control of a pruned stage."""
    return Stage(name, kind, (pruned.name,), pruned.pruning, pruned.name)


def stages_of_run(pruning: PruningSettings) -> tuple[Stage, ...]:
    """The main job: a baseline, the pruned network, and their controls."""
    pruned = Stage("pruned", "pruned", ("baseline",), pruning)
    return (
        Stage("baseline", "baseline"),
        Stage("random_forest", "random_forest"),
        pruned,
        Stage("retrained", "retrained", ("baseline",), pruning),
        after(pruned, "scratch", "scratch"),
        after(pruned, "scratch-long", "scratch-long"),
        after(pruned, "random", "random"),
    )
