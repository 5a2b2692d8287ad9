"""What one run of a study leaves: less than a run does, since there are hundreds of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from secateur.results.run import (
    Contents,
    DataBrief,
    Pruning,
    Settings,
    Sizes,
    SplitBrief,
    Versions,
)
from secateur.results.scores import AfterEpochs, Record, TestScores

ModelName = Literal["baseline", "pruned"]
MODELS: tuple[ModelName, ...] = ("baseline", "pruned")
Groups = dict[str, dict[str, float]]
"""By set of recordings (Bonn's A to E): windows, the share called ictal, and AUROC against ictal windows."""


class LearningCurves(Record):
    """One value an epoch."""

    training_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_macro_f1: tuple[float, ...]

    @property
    def count(self) -> int:
        """Epochs trained."""
        return len(self.validation_loss)


class StudyModel(Sizes):
    """One model of a study's run."""

    test: TestScores | None
    epochs: LearningCurves
    groups: Groups
    after_epochs: AfterEpochs


class LadderAnswer(Record):
    """What a ladder came to: the loss of its chosen rung by the first margin's metric, and its bound."""

    certified: bool
    ratio_achieved: float
    loss: float | None
    bound: float | None


class StudyRun(Record):
    """One finished run of a study. `kind`: a run with its pruned network, the same with both explained
    (`ExplainedRun`) or fitted to each test subject (`AdaptedRun`), a ladder, or the network as it is trained
    ("train"), which then alone is among the models. `where`: names that the study gives its data and its test
    data.

    `seconds`: processor time by what it went to. `problems`: recordings left out. `pruning`, `ladder`: one of
    both, by `kind`.
    """

    schema_version: Literal[3] = Field(3, alias="schema")
    run: str
    kind: Literal["run", "prune", "train", "explain", "adapt"]
    settings: Settings
    contents: Contents
    versions: Versions
    processor: str
    seconds: dict[str, float]
    where: tuple[str, str | None]
    data: DataBrief
    split: SplitBrief
    problems: int
    models: dict[ModelName, StudyModel]
    pruning: Pruning | None
    ladder: LadderAnswer | None

    def model(self, name: ModelName) -> StudyModel:
        """By name; where nothing was pruned, the network in the end is the one before pruning."""
        return self.models.get(name) or self.models["baseline"]
