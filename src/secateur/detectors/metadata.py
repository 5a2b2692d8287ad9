"""What a detector knows beside its network, as its file's metadata holds it: checked JSON."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from secateur.scoring.certificate import Certificate
from secateur.settings import Settings
from secateur.windows import ChainSettings, Scale, WindowSettings, window_samples
from secateur.windows.scaling import LEAST

SCHEMA = 2
"""Raised whenever a file may hold something that earlier versions don't know. 2: `release`, `smoothing`,
`refractory` and `quantised`.
"""
_DAY = 86_400.0
_LARGEST_SCALE = 1e9
"""µV: far above any EEG, even where volts were read as microvolts."""


class PostProcessing(Settings):
    """From probabilities to events, in this order.

    `smoothing`: each probability becomes the mean of those of the last so many seconds, fewer at the
    beginning; 0: none. An event begins at `threshold` or above and goes on until the probability falls
    below `release` (None: the threshold). Events at most `merge_gap` seconds apart are joined; then
    those shorter than `shortest` seconds are dropped. `refractory`: for so many seconds after an event
    there is no other; one that begins inside begins at its end, and is dropped where less than
    `shortest` is left.
    """

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    release: Annotated[float, Field(ge=0, le=1)] | None = None
    smoothing: Annotated[float, Field(ge=0, le=3600)] = 0.0
    merge_gap: Annotated[float, Field(ge=0, le=_DAY)] = 5.0
    shortest: Annotated[float, Field(ge=0, le=_DAY)] = 3.0
    refractory: Annotated[float, Field(ge=0, le=_DAY)] = 0.0

    @model_validator(mode="after")
    def _release_is_not_above(self) -> Self:
        if self.release is not None and self.release > self.threshold:
            raise ValueError(
                f"release is {self.release:g}, above the threshold of {self.threshold:g}; an event would "
                "end where it begins"
            )
        return self

    @property
    def lower(self) -> float:
        """Below it an event ends."""
        return self.threshold if self.release is None else self.release

    def moved_to(self, threshold: float) -> PostProcessing:
        """The same rules at another threshold; the release keeps its share of it."""
        share = None if self.release is None else self.release / (self.threshold or 1.0)
        release = None if share is None else min(share * threshold, threshold)
        rules = {name: getattr(self, name) for name in PostProcessing.model_fields}
        return PostProcessing(**{**rules, "threshold": threshold, "release": release})


class Provenance(Settings):
    """Where a detector comes from. Holds no local path and nobody's name.

    `subjects`: those that trained it, as data set name and label. `quantised`: in 8 bits, and after the
    networks of its run had been judged.
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
    quantised: bool = False


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
    def _fits_together(self) -> Self:
        window_samples(self.windows, self.chain.sampling_rate)
        if len(self.scale.mean) != len(self.scale.spread):
            raise ValueError("the scale needs a mean and a spread for each channel")
        if not all(LEAST <= spread <= _LARGEST_SCALE for spread in self.scale.spread):
            raise ValueError(f"the scale's spreads lie from {LEAST:g} to {_LARGEST_SCALE:g} µV")
        if not all(abs(mean) <= _LARGEST_SCALE for mean in self.scale.mean):
            raise ValueError(f"the scale's means lie within {_LARGEST_SCALE:g} µV of zero")
        certificate = self.certificate
        if self.provenance.quantised and certificate is not None and certificate.certified:
            raise ValueError(
                "the network was quantised after its ladder had been judged, so its certificate can only "
                "be exploratory"
            )
        return self
