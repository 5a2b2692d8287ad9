"""All settings of an accuracy-constrained pruning: a run's, the ladder, and what must hold.

Comes in: a TOML file, flags, or nothing. Goes out: `LadderSettings`, resolved and checked. Next: `parts`
says who stands where, `search` goes down the ladder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from secateur.errors import SettingsError
from secateur.pruning import BUDGETS
from secateur.runs.settings import RunSettings, Told, resolve_as, schedule_words
from secateur.scoring import Constraint, parse_margins
from secateur.settings import Settings

Rung = Annotated[float, Field(gt=0, lt=1)]

ENOUGH_FOR_HOLDOUT = 12
"""Subjects on the certification side from which the file itself is certified unless folds are told."""

ALONE = {"split.test": 0.15}
"""Where a side for certification is kept, fewer test."""


class RungSettings(Settings):
    """What is tried. `rungs`: shares of the kernels removed, mild to severe, fixed beforehand.

    Where a target is told there is one rung, the mildest that reaches it. `int8`: each rung is deployed,
    and judged, quantised to 8 bits. `controls`: what stands beside each rung.
    """

    rungs: Annotated[tuple[Rung, ...], Field(min_length=1)] = (0.25, 0.5, 0.75, 0.85, 0.9, 0.95)
    int8: bool = False
    controls: Literal["all", "none"] = "all"

    @field_validator("rungs")
    @classmethod
    def _mild_to_severe(cls, rungs: tuple[float, ...]) -> tuple[float, ...]:
        if list(rungs) != sorted(set(rungs)):
            raise ValueError("rungs must rise, mild to severe, each once")
        return rungs


class CertifySettings(Settings):
    """On whom it is shown. `by`: "holdout" keeps `share` of the subjects (eight or more) for nothing else,
    "folds" judges each subject by the one of `folds` that has not seen it, "auto" takes the first where
    its share is 12 subjects or more.
    """

    by: Literal["auto", "holdout", "folds"] = "auto"
    folds: Annotated[int, Field(ge=2)] = 5
    share: Annotated[float, Field(gt=0, lt=1)] = 0.35


class LadderSettings(RunSettings):
    """Settings of `secateur prune`. `force`: count events on too little background, and say so."""

    ladder: RungSettings = RungSettings()
    certify: CertifySettings = CertifySettings()
    constraint: Constraint = Constraint(margins={"auroc": 0.01})
    force: bool = False

    @model_validator(mode="after")
    def _can_be_certified(self) -> Self:
        if self.split.by != "subject":
            raise ValueError(
                "a certificate speaks of patients, so the split is by subject; "
                f"got {self.split.by}. For folds say --certify folds:5"
            )
        return self

    @property
    def trained(self) -> dict[str, Any]:
        """What decides the networks; the constraint may be changed without training anew."""
        return self.model_dump(mode="json", exclude={"constraint", "force"})


def ladder_words(
    *,
    margin: str | None = None,
    rungs: str | None = None,
    target: str | None = None,
    certify: str | None = None,
    schedule: str | None = None,
) -> dict[str, Any]:
    """Words of the command line as settings by dotted names; None: not given.

    Such as auroc=0.01, 0.5,0.75, macs=10%, folds:5, iterative:3. Raises `SettingsError` in one line.
    """
    found: dict[str, Any] = {}
    if margin is not None:
        found["constraint.margins"] = parse_margins(margin)
    if rungs is not None and target is not None:
        raise SettingsError("--rungs and --target were both given; a target is the only rung")
    if rungs is not None:
        found["ladder.rungs"] = [_number("--rungs", word, "0.5,0.75") for word in rungs.split(",")]
    if target is not None:
        what, sign, limit = target.partition("=")
        if not sign or what not in BUDGETS:
            raise SettingsError(
                f"--target {target}: wanted one of {', '.join(BUDGETS)} and a number, such as macs=10%"
            )
        share = limit.endswith("%")
        number = _number("--target", limit.removesuffix("%"), "macs=10% or latency_ms=0.3")
        found["pruning.target"] = {
            "what": what,
            "limit": number / 100 if share else number,
            "share": share,
        }
    found |= _certify_words(certify)
    return found | schedule_words(schedule)


def _number(flag: str, word: str, example: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise SettingsError(f"{flag}: {word!r} is not a number; wanted {example}") from None


def _certify_words(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    by, _, number = text.partition(":")
    if by == "folds" and number.isdigit():
        return {"certify.by": "folds", "certify.folds": int(number)}
    if by in ("holdout", "folds") and not number:
        return {"certify.by": by}
    raise SettingsError(f"--certify {text}: wanted holdout or folds:K, such as folds:5")


def resolve_ladder(
    config: Told = None, overrides: Mapping[str, Any] | None = None
) -> LadderSettings:
    """Settings from defaults, then a TOML file, then `overrides` by dotted names (None: not given)."""
    return resolve_as(LadderSettings, config, overrides, ALONE)
