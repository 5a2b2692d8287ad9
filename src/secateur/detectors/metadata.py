"""What a detector knows beside its network.

Comes in: JSON from the file's metadata. Goes out: `DetectorInfo`, checked. Next: `detector` works by
it, `inspect` shows it.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from secateur.scoring.certificate import Certificate
from secateur.windows import ChainSettings, Scale, Settings, WindowSettings

SCHEMA = 1


class PostProcessing(Settings):
    """From probabilities to events.

    A window is ictal at `threshold` or above. Events at most `merge_gap` seconds apart are joined;
    then those shorter than `shortest` seconds are dropped.
    """

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    merge_gap: Annotated[float, Field(ge=0)] = 5.0
    shortest: Annotated[float, Field(ge=0)] = 3.0


class Provenance(Settings):
    """Where a detector comes from. Holds no local path and nobody's name.

    `subjects`: those that trained it, as data set name and label.
    """

    model: str = ""
    network: dict[str, Any] = Field(default_factory=dict)
    data: str = ""
    simulated: bool = False
    subjects: tuple[str, ...] = ()
    validation_subjects: tuple[str, ...] = ()
    seed: int = 0
    run: str = ""
    pruning: dict[str, Any] | None = None
    parameters: int = 0
    macs: int = 0


class DetectorInfo(Settings):
    """All of a detector but its network. `certificate`: None where none was made."""

    schema_: Annotated[int, Field(alias="schema", ge=1, le=SCHEMA)] = SCHEMA
    secateur: str
    chain: ChainSettings
    scale: Scale
    windows: WindowSettings
    post_processing: PostProcessing
    provenance: Provenance = Provenance()
    certificate: Certificate | None = None

    @model_validator(mode="after")
    def _scale_fits(self) -> Self:
        if len(self.scale.mean) != len(self.scale.spread):
            raise ValueError("the scale needs a mean and a spread for each channel")
        if any(spread <= 0 for spread in self.scale.spread):
            raise ValueError("the scale's spreads must be above zero")
        return self
