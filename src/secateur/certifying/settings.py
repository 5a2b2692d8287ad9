"""All settings of an accuracy-constrained pruning: a run's, the ladder, and what must hold."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from secateur.runs.settings import RunSettings
from secateur.scoring import Constraint
from secateur.scoring.calibration import LEAST_FOLDS, level_of, spent
from secateur.settings import Config, Flag, Listed, Need, Settings, resolved

Rung = Annotated[float, Field(gt=0, lt=1)]

ENOUGH_FOR_HOLDOUT = 12
"""Subjects on the certification side from which the file itself is certified unless folds are told."""

SHARE_OF_TEST = 0.15
"""Where a side for certification is kept, fewer test."""


class RungSettings(Settings):
    """What is tried. Where [pruning] has a target there is one rung, the mildest that reaches it."""

    rungs: Annotated[
        tuple[Rung, ...], Field(min_length=1), Listed, Flag("rungs", "SHARE,SHARE,…")
    ] = (0.25, 0.5, 0.75, 0.85, 0.9, 0.95)
    """Shares of the kernels to remove, mild to severe, fixed beforehand."""
    int8: Annotated[bool, Flag("int8")] = False
    """Each rung is deployed, and judged, quantised to 8 bits."""
    controls: Annotated[Literal["all", "none"], Flag("controls")] = "all"
    """What stands beside each rung: all (from scratch, random kernels, single weights, retrained, forest) or
    none."""
    repeats: Annotated[int, Field(ge=1, le=50), Flag("repeats")] = 3
    """With folds: how often they are dealt, and everything trained, anew, so that the luck of training is
    seen and averages out."""

    @field_validator("rungs")
    @classmethod
    def _mild_to_severe(cls, rungs: tuple[float, ...]) -> tuple[float, ...]:
        if list(rungs) != sorted(set(rungs)):
            raise ValueError("rungs must rise, mild to severe, each once")
        return rungs


class CertifySettings(Settings):
    """On whom it is shown."""

    by: Annotated[Literal["auto", "holdout", "folds"], Flag("certify", "holdout|folds:K")] = "auto"
    """holdout keeps `share` of the subjects (eight or more) for nothing else, and certifies the file; folds:5
    judges each subject by the fold that has not seen it, and certifies the recipe; auto takes holdout
    where its share is 12 subjects or more, else folds."""
    folds: Annotated[int, Field(ge=LEAST_FOLDS)] = 5
    """Number of folds."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.35
    """Share of the subjects kept for certification alone."""

    @model_validator(mode="before")
    @classmethod
    def _in_plain_words(cls, tables: Any) -> Any:
        by, colon, number = str(dict(tables).get("by", "auto")).partition(":")
        if not colon and by in ("auto", "holdout", "folds"):
            return tables
        if by != "folds" or not number.isdecimal():
            raise ValueError(f"by {tables['by']}: wanted holdout or folds:K, such as folds:5")
        return {**tables, "by": by, "folds": int(number)}


class LadderSettings(RunSettings):
    """Settings of `secateur prune`: those of `secateur run`, and these."""

    verb: ClassVar[str] = "prune"

    ladder: RungSettings = RungSettings()
    """What is tried."""
    certify: CertifySettings = CertifySettings()
    """On whom it is shown."""
    constraint: Constraint = Constraint(margins={"auroc": 0.01})
    """What must hold."""
    force: Annotated[bool, Flag("force")] = False
    """Allow margins on events with under an hour of background a subject, and say so."""

    @classmethod
    def complete(cls, tables: dict[str, Any], overridden: Set[str]) -> None:
        """As of a run; fewer test."""
        super().complete(tables, overridden)
        if isinstance(tables["split"], dict):
            tables["split"].setdefault("test", SHARE_OF_TEST)

    @model_validator(mode="before")
    @classmethod
    def _cut_by_rungs(cls, tables: Any) -> Any:
        """A ratio by itself is meant for a rung; beside rungs it stands in files that hold all settings."""
        pruning, ladder = ((dict(tables).get(name) or {}) for name in ("pruning", "ladder"))
        if isinstance(pruning, dict) and "ratio" in pruning and "rungs" not in ladder:
            raise ValueError(
                f"pruning.ratio = {pruning['ratio']} would change nothing: a ladder is cut by rungs, say "
                f"--rungs {pruning['ratio']}"
            )
        return tables

    @model_validator(mode="after")
    def _can_be_certified(self) -> Self:
        if self.split.by != "subject":
            raise ValueError(
                "a certificate speaks of patients, so the split is by subject; "
                f"got {self.split.by}. For folds say --certify folds:5"
            )
        if self.training.labels_at_random:
            raise ValueError(
                "training.labels_at_random is a control of explanations, and what learned from such labels "
                "is never certified; leave it away"
            )
        if level_of(spent(1 - self.constraint.confidence, 1)) is None:
            raise ValueError(
                f"confidence {self.constraint.confidence:g}: a first certification may spend 0.8 of the "
                "error left, and below 0.5 % none is issued; take at most 0.99"
            )
        return self

    @property
    def eight_bits(self) -> bool:
        """See `RunSettings.eight_bits`."""
        return self.ladder.int8

    @property
    def needs(self) -> dict[str, Need]:
        """See `RunSettings.needs`."""
        folds, holdout = (self.certify.by == by for by in ("folds", "holdout"))
        words = "it goes with --certify folds:K"
        return {
            **super().needs,
            "pruning.ratio": Need(False, "", "a ladder is cut by rungs"),
            "ladder.rungs": Need(
                self.pruning.target is None, "pruning.target", "pruning.target is the only rung"
            ),
            "ladder.repeats": Need(not holdout or self.ladder.repeats == 1, "certify.by", words),
            "certify.folds": Need(not holdout, "certify.by", words),
            "certify.share": Need(not folds, "certify.by", "it goes with --certify holdout"),
        }

    @property
    def trained(self) -> dict[str, Any]:
        """What decides the networks; the constraint may be changed without training anew."""
        return self.model_dump(mode="json", exclude={"constraint", "force"})


def resolve_ladder(
    config: Config = None, overrides: Mapping[str, Any] | None = None
) -> LadderSettings:
    """Settings from defaults, then a TOML file, then `overrides` by dotted names (None: not given).

    Raises `SettingsError` that names the field, what came and what was wanted.
    """
    return resolved(LadderSettings, config, overrides)
