"""The settings of the signal chain, the windows and the split.

Comes in: what a user states in TOML or on the command line. Goes out: frozen, checked objects; what
they don't know they refuse by name. Next: `chain`, `windowing` and `splits` read them; a detector's
file stores them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from secateur.recordings import Missing

Share = Annotated[float, Field(gt=0, lt=1)]


class Settings(BaseModel):
    """Base of all settings: frozen, unknown names refused, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ChainSettings(Settings):
    """What is done to a recording, in this order: montage, resampling, band-pass, notch, scaling.

    Rates and frequencies in Hz; `notch` None means none. `scaling`: "training-set" takes mean and
    standard deviation per channel from the training subjects; "running" follows each recording.
    `compression`: "asinh" keeps scaled values up to about one and takes the logarithm of larger ones,
    so that an electrode that pops can't drown a window.
    """

    montage: str = "bipolar-18"
    missing: Missing = "error"
    sampling_rate: Annotated[float, Field(gt=0, le=20_000)] = 256.0
    low: Annotated[float, Field(gt=0)] = 0.5
    high: Annotated[float, Field(gt=0)] = 40.0
    order: Annotated[int, Field(ge=1, le=10)] = 4
    notch: float | None = None
    scaling: Literal["training-set", "running"] = "training-set"
    compression: Literal["asinh", "none"] = "asinh"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high < self.sampling_rate / 2:
            raise ValueError(
                f"wanted low < high < half the sampling rate; "
                f"got {self.low} Hz, {self.high} Hz and {self.sampling_rate / 2} Hz"
            )
        if self.notch not in (None, 50, 60) or (self.notch or 0) >= self.sampling_rate / 2:
            raise ValueError(
                f"notch is 50 or 60 Hz, below half the sampling rate, or none; got {self.notch}"
            )
        return self


class WindowSettings(Settings):
    """Windows of `length` seconds every `hop` seconds.

    The window [t, t + length) speaks for its last hop, [t + length − hop, t + length). The window is
    ictal where at least `label_share` of all of it lies inside an event. `leave_out_edges`: windows across an
    event's edge are not trained on (they are always evaluated).
    """

    length: Annotated[float, Field(gt=0, le=120)] = 4.0
    hop: Annotated[float, Field(gt=0)] = 1.0
    label_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    leave_out_edges: bool = True

    @model_validator(mode="after")
    def _hop_fits(self) -> Self:
        if self.hop > self.length:
            raise ValueError(
                f"a hop of {self.hop} s leaves gaps between windows of {self.length} s"
            )
        return self


class SplitSettings(Settings):
    """Shares of the subjects for validation and test; the rest trains. `seed` chooses who."""

    validation: Share = 0.2
    test: Share = 0.3
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _leaves_training(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave subjects for training")
        return self
