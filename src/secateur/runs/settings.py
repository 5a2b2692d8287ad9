"""All settings of one run: what changes its result, apart from the data.

Comes in: a TOML file, flags, or nothing. Goes out: `RunSettings`, resolved and checked, and its TOML.
Next: `run` follows them; they name the run by their hash.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from secateur.detectors import PostProcessing
from secateur.errors import SettingsError
from secateur.networks import NetworkSettings
from secateur.pruning import PruningSettings
from secateur.recordings import ReadingSettings
from secateur.scoring import TRUST
from secateur.settings import Settings, checked, put_over, read_toml
from secateur.training import TrainingSettings
from secateur.windows import ChainSettings, SplitSettings, WindowSettings


class ThresholdSettings(Settings):
    """How a model's threshold is chosen on the validation side.

    The one with the largest macro-F1 over all validation windows, of which only `trust` of the way from
    0.5 is taken, on the scale of log odds (1: all of it). Networks that see both classes alike belong
    near 0.5, and a few validation subjects say little about others.
    """

    trust: Annotated[float, Field(ge=0, le=1)] = TRUST


class PostProcessingSettings(PostProcessing):
    """The plain rules, and whether validation may choose others (`detectors.choosing` says which and how).

    Validation decides the threshold, by `[threshold]`; the one here stands for nothing but what `release`
    is a share of.
    """

    choose: bool = True


class RunSettings(Settings):
    """Settings of the main job. `seed` decides weights, order and dropout; `split.seed` who tests."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    reading: ReadingSettings = ReadingSettings()
    chain: ChainSettings = ChainSettings()
    windows: WindowSettings = WindowSettings()
    split: SplitSettings = SplitSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    pruning: PruningSettings = PruningSettings()
    threshold: ThresholdSettings = ThresholdSettings()
    post_processing: PostProcessingSettings = PostProcessingSettings()

    @model_serializer(mode="wrap")
    def _without_defaults_of_reading(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Runs bear their settings' hash; those from before there was [reading] are found again."""
        values = handler(self)
        if self.reading == ReadingSettings():
            values.pop("reading", None)
        return values

    def to_toml(self) -> str:
        """As a file that `--config` reads; what is None is left out."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


Kind = TypeVar("Kind", bound=RunSettings)


Told = Path | Mapping[str, Any] | None
"""Settings as a TOML file, or as its tables."""


def resolve(config: Told = None, overrides: Mapping[str, Any] | None = None) -> RunSettings:
    """Settings of a run from defaults, then a TOML file, then `overrides`; see `resolve_as`."""
    return resolve_as(RunSettings, config, overrides)


def resolve_as(
    kind: type[Kind],
    config: Told = None,
    overrides: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Kind:
    """Settings from `defaults`, then a TOML file, then `overrides` (dotted names; None: not given).

    Where no split seed is told, it is the seed: another seed is then another split too. Where overrides
    tell how to split, the file's folds are forgotten. Raises `SettingsError` that names the field, what
    came and what was wanted.
    """
    path = config if isinstance(config, Path) else None
    told = read_toml(config) if isinstance(config, Path) else copy.deepcopy(dict(config or {}))
    of_file = told.get("split")
    if isinstance(of_file, dict) and (overrides or {}).get("split.by") is not None:
        for name in ("by", "folds", "fold", "frozen"):
            of_file.pop(name, None)
    for name, value in (defaults or {}).items():
        section, _, field = name.partition(".")
        own = told.setdefault(section, {})
        if isinstance(own, dict):
            own.setdefault(field, value)
    put_over(told, overrides or {}, path)
    split = told.setdefault("split", {})
    if isinstance(split, dict):
        split.setdefault("seed", told.get("seed", 0))
    return checked(kind, told, path)


def schedule_words(text: str | None) -> dict[str, Any]:
    """`--schedule one-shot` or `iterative:3` as settings. Raises `SettingsError` for anything else."""
    if text is None:
        return {}
    word, _, steps = text.partition(":")
    if text != "one-shot" and not (word == "iterative" and steps.isdigit()):
        raise SettingsError(
            f"--schedule {text}: wanted one-shot or iterative:N, such as iterative:3"
        )
    return {"pruning.steps": int(steps) if steps else 1}


def rule_words(text: str | None) -> dict[str, Any]:
    """`--post-processing chosen` or `fixed` as settings by dotted names; nothing where it isn't told."""
    if text is None:
        return {}
    if text not in ("chosen", "fixed"):
        raise SettingsError(
            f"--post-processing {text}: wanted chosen (on validation) or fixed (as set)"
        )
    return {"post_processing.choose": text == "chosen"}
