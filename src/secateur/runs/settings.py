"""Every setting of the main job that changes its result, apart from the data."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from secateur.detectors import PostProcessing
from secateur.errors import SettingsError
from secateur.networks import NetworkSettings
from secateur.pruning import PruningSettings
from secateur.recordings import LabelSettings, ReadingSettings
from secateur.recordings.montage import mirrored
from secateur.scoring import SHRINKAGE, chosen_threshold
from secateur.settings import Config, Flag, Need, Settings, resolved
from secateur.training import TrainingSettings
from secateur.windows import ChainSettings, SignalChain, SplitSettings, WindowSettings


class ThresholdSettings(Settings):
    """How a model's threshold is chosen on the validation side.

    The one with the largest macro-F1 over all validation windows, moved part of the way (in log odds) towards
    the one that a calibrated network would have at their share of ictal windows, for what is best on a few
    validation subjects says little about others.
    """

    shrinkage: Annotated[float, Field(ge=0, le=1)] = SHRINKAGE
    """Part of the way from the best threshold on validation to that of a calibrated network; 0: none."""
    prevalence_expected: Annotated[
        Annotated[float, Field(gt=0, lt=1)] | None,
        Flag("prevalence-expected", "SHARE", default="the validation side's"),
    ] = None
    """Share of ictal windows where the detector will work; thresholds are chosen for it."""
    fixed: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Taken as it is for every model; nothing is chosen."""
    false_alarms: Annotated[
        Annotated[float, Field(ge=0)] | None, Flag("false-alarms", "N", default="no budget")
    ] = None
    """In place of all that: the lowest threshold that raises at most N false alarms a day on validation
    background; where that is too short to tell, the lowest that raises none there."""

    def choose(
        self,
        labels: NDArray[np.bool_],
        probability: NDArray[np.float64],
        prior: float,
        share: float | None = None,
    ) -> float:
        """The threshold, from validation windows.

        `labels`, `probability`: of each window, shape (n,). `prior`: share of ictal windows that the model
        learned from. `share`: of ictal windows on the validation side, where these are a sample with another.
        """
        if self.fixed is not None:
            return self.fixed
        expected = self.prevalence_expected
        return chosen_threshold(
            labels,
            probability,
            prevalence=share if expected is None else expected,
            prior=prior,
            shrinkage=self.shrinkage,
        )

    @model_validator(mode="before")
    @classmethod
    def _in_earlier_words(cls, table: Any) -> Any:
        """Files of earlier versions say what part of the way from 0.5 was to be taken (`trust`)."""
        if not isinstance(table, dict) or not isinstance(table.get("trust"), int | float):
            return table
        rest = {name: value for name, value in table.items() if name != "trust"}
        trust = table["trust"]
        return {"fixed": 0.5, **rest} if trust == 0 else {"shrinkage": 1 - trust, **rest}


def _chosen(value: Any) -> Any:
    """`chosen` and `fixed` as whether validation chooses; `froc` is another way to."""
    if not isinstance(value, str) or value == "froc":
        return value
    if value not in ("chosen", "fixed"):
        raise ValueError(
            "wanted chosen (on validation), froc (there, by few false alarms) or fixed (as set)"
        )
    return value == "chosen"


class PostProcessingSettings(PostProcessing):
    """From probabilities to events. Validation decides the threshold, by [threshold]; the one here stands for
    nothing but what `release` is a share of.
    """

    choose: Annotated[
        bool | Literal["froc"],
        BeforeValidator(_chosen),
        Flag("post-processing", "chosen|froc|fixed", default="chosen"),
    ] = True
    """Whether validation may choose other rules: chosen (true), by the F1 score; froc, smoothing and least
    duration of up to a minute, and the threshold, by the sensitivity at few false alarms; fixed (false)."""


class RunSettings(Settings):
    """Settings of `secateur run`."""

    verb: ClassVar[str] = "run"

    seed: Annotated[int, Field(ge=0, lt=2**31), Flag("seed")] = 0
    """Weights, order and dropout; where `split.seed` isn't given, the split too."""
    reading: ReadingSettings = ReadingSettings()
    """How recordings are read."""
    labels: LabelSettings = LabelSettings()
    """Whose word on seizures counts."""
    chain: ChainSettings = ChainSettings()
    """What is done to a recording."""
    windows: WindowSettings = WindowSettings()
    """What a network is given."""
    split: SplitSettings = SplitSettings()
    """Who trains, validates and tests."""
    network: NetworkSettings = NetworkSettings()
    """What is trained."""
    training: TrainingSettings = TrainingSettings()
    """How it is trained."""
    pruning: PruningSettings = PruningSettings()
    """What is cut."""
    threshold: ThresholdSettings = ThresholdSettings()
    """How the threshold is chosen."""
    post_processing: PostProcessingSettings = PostProcessingSettings()
    """From probabilities to events."""

    @classmethod
    def complete(cls, tables: dict[str, Any], overridden: Set[str]) -> None:
        """Where there is no split seed, it is the seed: another seed is then another split too.

        Where overrides say how to split, the file's folds are forgotten.
        """
        split = tables.setdefault("split", {})
        if not isinstance(split, dict):
            return
        if overridden & {"split.by", "split.frozen"}:
            for name in {"by", "folds", "fold", "frozen"}:
                if f"split.{name}" not in overridden:
                    split.pop(name, None)
        if "split.max_windows" in overridden:
            split.pop("at_most", None)
        split.setdefault("seed", tables.get("seed", 0))

    @model_validator(mode="after")
    def _alarms_can_be_counted(self) -> Self:
        if self.threshold.false_alarms is not None:
            if self.threshold.fixed is not None:
                raise ValueError(
                    "threshold: fixed and false_alarms contradict each other; leave one"
                )
            if self.split.max_windows is not None or self.split.by == "random":
                raise ValueError(
                    "a budget of false alarms needs validation windows that follow each other; leave "
                    "max_windows, and --split random, away"
                )
        return self

    @model_validator(mode="after")
    def _other_side_known(self) -> Self:
        names = SignalChain(self.chain).channel_names
        if self.training.augmentation.mirror and names:
            try:
                mirrored(names)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return self

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Runs bear their settings' hash; those from before [reading] and [labels] are found again."""
        values = handler(self)
        if self.reading == ReadingSettings():
            values.pop("reading", None)
        if self.labels == LabelSettings():
            values.pop("labels", None)
        return values

    @property
    def eight_bits(self) -> bool:
        """Whether pruned networks are deployed in 8 bits."""
        return False

    @property
    def needs(self) -> dict[str, Need]:
        """What settings take to have an effect, by dotted name, of those that don't always have one."""
        pruning, training, threshold = self.pruning, self.training, self.threshold
        drawn = training.background_per_epoch is None
        fixed = Need(threshold.fixed is None, "threshold.fixed", "threshold.fixed takes its place")
        return {
            "pruning.ratio": Need(
                pruning.target is None, "pruning.target", "pruning.target takes its place"
            ),
            "pruning.cost_in": Need(
                pruning.allocation == "cost", "pruning.allocation", "it goes with allocation cost"
            ),
            "pruning.rewind_to": Need(
                pruning.retrain == "rewind", "pruning.retrain", "it goes with retrain rewind"
            ),
            "training.draw": Need(
                drawn,
                "training.background_per_epoch",
                "training.background_per_epoch takes its place",
            ),
            "training.windows_per_epoch": Need(
                drawn and training.draw == "balanced",
                "training.draw" if drawn else "training.background_per_epoch",
                "it goes with draw balanced, without background_per_epoch",
            ),
            "training.augmentation.drop_probability": Need(
                training.augmentation.drop_channels > 0,
                "training.augmentation.drop_channels",
                "it goes with drop_channels of 1 or more",
            ),
            "threshold.shrinkage": fixed,
            "threshold.prevalence_expected": fixed,
            "post_processing.threshold": Need(
                self.post_processing.release is not None,
                "post_processing.release",
                "it is what post_processing.release is a share of; thresholds are [threshold]'s",
            ),
        }

    def to_toml(self) -> str:
        """As a file that `--config` reads; what is None is left out."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def resolve(config: Config = None, overrides: Mapping[str, Any] | None = None) -> RunSettings:
    """Settings of a run from defaults, then a TOML file, then `overrides`; see `settings.resolved`."""
    return resolved(RunSettings, config, overrides)
