"""The settings of the signal chain, the windows and the split, which refuse by name what they don't know.

Beside them: where such windows lie in a signal, and how likely a network's logits call them a seizure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from secateur.errors import SettingsError
from secateur.recordings import MONTAGES, Missing, MontageName
from secateur.recordings.montage import read_pairs
from secateur.settings import Flag, Settings
from secateur.windows.folds import published

Share = Annotated[float, Field(gt=0, lt=1)]

_SLOWEST, _NARROWEST = 1e-6, 1.01
"""Lower edge over rate, upper over lower edge: below, a filter of order 10 rings for ever in float64."""


class ChainSettings(Settings):
    """What is done to a recording, in this order: montage, resampling, band-pass, notch, scaling."""

    montage: Annotated[MontageName, Flag("montage", "NAME|PAIRS")] = "bipolar-18"
    """bipolar-18, unipolar-19, as-recorded, each (every channel by itself), or pairs of electrodes in the
    order in which the network takes them, such as F7-T3,T3-T5."""
    channels: tuple[str, ...] = ()
    """For montage as-recorded: the labels that the network takes, in order; where there are none, those that
    all recordings share. For montage pairs: the pairs."""
    missing: Annotated[Missing, Flag("missing")] = "error"
    """Where a channel is missing: error, zero (fill it) or skip (leave the recording out)."""
    sampling_rate: Annotated[float, Field(ge=1, le=20_000)] = 256.0
    """Rate to which recordings are resampled, Hz."""
    low: Annotated[float, Field(gt=0)] = 0.5
    """Lower edge of the band-pass, Hz."""
    high: Annotated[float, Field(gt=0)] = 40.0
    """Upper edge of the band-pass, Hz."""
    order: Annotated[int, Field(ge=1, le=10)] = 4
    """Order of the band-pass."""
    notch: Annotated[float | None, Flag("notch")] = None
    """Mains frequency to notch out: 50 or 60 Hz; none where it isn't given."""
    scaling: Annotated[Literal["training-set", "running"], Flag("scaling")] = "training-set"
    """training-set: mean and deviation of each channel from the training subjects; running: of each recording
    as it goes."""
    compression: Literal["asinh", "none"] = "asinh"
    """asinh keeps scaled values up to about one and takes the logarithm of larger ones, so that an electrode
    that pops can't drown a window."""

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, values: Any) -> Any:
        montage = values.get("montage") if isinstance(values, dict) else None
        if montage == "pairs":
            pairs = values.get("channels") or ()
            if not pairs:
                raise ValueError("montage pairs needs its channels, as F7-T3, T3-T5")
        elif isinstance(montage, str) and montage not in get_args(MontageName):
            pairs = montage.split(",")
        else:
            return values
        try:
            return {**values, "montage": "pairs", "channels": read_pairs(list(pairs))}
        except SettingsError as error:
            raise ValueError(f"{error}; or {', '.join(MONTAGES)}") from None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.channels and self.montage not in ("as-recorded", "pairs"):
            raise ValueError(
                f"channels go with montage as-recorded or pairs alone, not {self.montage}"
            )
        if not self.low < self.high < self.sampling_rate / 2:
            raise ValueError(
                f"wanted low < high < half the sampling rate; "
                f"got {self.low} Hz, {self.high} Hz and {self.sampling_rate / 2} Hz"
            )
        if self.low < self.sampling_rate * _SLOWEST or self.high < self.low * _NARROWEST:
            raise ValueError(
                f"a band from {self.low:g} to {self.high:g} Hz at {self.sampling_rate:g} Hz is too slow or "
                "too narrow to filter in float64"
            )
        if self.notch not in (None, 50, 60) or (self.notch or 0) >= self.sampling_rate / 2:
            raise ValueError(
                f"notch is 50 or 60 Hz, below half the sampling rate, or none; got {self.notch}"
            )
        return self


class WindowSettings(Settings):
    """Windows of `length` seconds every `hop` seconds.

    The window [t, t + length) decides about its last hop, [t + length − hop, t + length).
    """

    length: Annotated[float, Field(gt=0, le=120)] = 4.0
    """Length of a window, seconds."""
    hop: Annotated[float, Field(gt=0)] = 1.0
    """From one window to the next, seconds."""
    label_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A window is ictal where at least this share of it lies inside an event."""
    leave_out_edges: bool = True
    """Windows across an event's edge are not trained on (they are always evaluated)."""

    @model_validator(mode="after")
    def _hop_fits(self) -> Self:
        if self.hop > self.length:
            raise ValueError(
                f"a hop of {self.hop} s leaves gaps between windows of {self.length} s"
            )
        return self


def window_samples(settings: WindowSettings, rate: float) -> tuple[int, int]:
    """Length and hop of a window in samples at `rate` Hz. Raises `SettingsError` where one is none."""
    length, hop = round(settings.length * rate), round(settings.hop * rate)
    if hop < 1 or length < 1:
        raise SettingsError(
            f"windows of {settings.length:g} s every {settings.hop:g} s are no whole sample at {rate:g} Hz"
        )
    return length, hop


def window_starts(samples: int, settings: WindowSettings, rate: float) -> NDArray[np.int64]:
    """First sample of each complete window in a signal of `samples` at `rate` Hz, shape (n,).

    None where the signal is too short. Raises `SettingsError` as `window_samples` does.
    """
    length, hop = window_samples(settings, rate)
    return np.arange(0, samples - length + 1, hop, dtype=np.int64)


def decision_interval(
    starts: NDArray[np.int64], settings: WindowSettings, rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The time about which each window decides, its last hop: from and to in seconds, shape (n,) each.

    `starts`: first samples at `rate` Hz, shape (n,). Raises `SettingsError` as `window_samples` does.
    """
    length, hop = window_samples(settings, rate)
    stop = (starts + length) / rate
    return stop - hop / rate, stop


def probability_of(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probability of seizure, shape (n,), from logits n × 2 (background, seizure): softmax's second part."""
    gap = np.asarray(logits[:, 1], dtype=np.float64) - logits[:, 0]
    return np.asarray(0.5 * (1 + np.tanh(gap / 2)))  # the logistic function, without overflow


def _natural(value: Any) -> Any:
    return None if value == "natural" else value


SplitBy = Literal["subject", "leave-one-subject-out", "folds", "recording", "random"]


class FrozenFold(Settings):
    """One fold of a published split, by subjects' labels."""

    test: Annotated[tuple[str, ...], Field(min_length=1)]
    """Who tests."""
    validation: tuple[str, ...] = ()
    """Who validates; drawn from the others where nobody is named."""
    training: tuple[str, ...] = ()
    """Who trains; all others where nobody is named."""


class SplitSettings(Settings):
    """Who trains, validates and tests."""

    model_config = ConfigDict(serialize_by_alias=True)

    by: Annotated[
        SplitBy,
        Flag(
            "split",
            "subject|leave-one-subject-out|folds:K|recording|random",
            only="run",
            instead="certify",
        ),
    ] = "subject"
    """What keeps the sides apart: subject (a share of the subjects each), leave-one-subject-out, folds:5
    (groups of subjects), recording (subjects may stand on both sides) or random (by window: one seizure may
    stand on both sides, as published accuracies often are)."""
    validation: Share = 0.2
    """Share that validates; where folds decide who tests, a share of the others."""
    test: Share = 0.3
    """Share that tests."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Number of groups of subjects, by folds."""
    fold: Annotated[
        Annotated[int, Field(ge=1)] | None, Flag("fold", only="run", instead="certify")
    ] = None
    """Which fold tests, from 1; one run a fold."""
    frozen: Annotated[
        tuple[FrozenFold, ...],
        BeforeValidator(published),
        Flag("folds-file", "FILE", only="run", instead="certify"),
    ] = ()
    """A published split by subject: a file of folds (JSON lists, or a CSV of subject and fold)."""
    prevalence: Annotated[Share | None, BeforeValidator(_natural), Flag("prevalence", "SHARE")] = (
        None
    )
    """Thin windows at random to this share of ictal ones: all sides under random, training alone otherwise;
    natural: as they are."""
    max_windows: Annotated[
        Annotated[int, Field(ge=2)] | None,
        Field(serialization_alias="at_most"),
        Flag("at-most"),
    ] = None
    """Learn from, and validate on, no more windows than this, drawn at random; tests are on all. Files of
    finished runs call it at_most, and both are read."""
    seed: Annotated[int, Field(ge=0), Flag("split-seed", default="as seed")] = 0
    """Who trains, validates and tests."""

    @model_validator(mode="before")
    @classmethod
    def _in_plain_words(cls, tables: Any) -> Any:
        """`folds:5` in its two parts; folds of a file are a split by folds; `at_most` by its name here."""
        if not isinstance(tables, Mapping):
            return tables
        values = dict(tables)
        if "at_most" in values and "max_windows" not in values:
            values["max_windows"] = values.pop("at_most")
        if values.get("frozen"):
            values.setdefault("by", "folds")
        by, colon, number = str(values.get("by", "")).partition(":")
        if colon:
            if by != "folds" or not number.isdecimal():
                raise ValueError(
                    f"by {values['by']}: wanted subject, leave-one-subject-out, folds:5 (or another number), "
                    "recording or random"
                )
            values |= {"by": by, "folds": int(number)}
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave something for training")
        if self.frozen and self.by != "folds":
            raise ValueError(f"frozen folds go with a split by folds, not by {self.by}")
        if self.frozen and self.folds not in (None, len(self.frozen)):
            raise ValueError(f"{len(self.frozen)} folds are frozen, {self.folds} were asked for")
        if self.by == "folds" and not self.frozen and self.folds is None:
            raise ValueError("a split by folds needs their number, as in folds:5")
        if self.folds is not None and self.by != "folds":
            raise ValueError(f"folds go with a split by folds, not by {self.by}")
        in_folds = self.by in ("folds", "leave-one-subject-out")
        if in_folds and self.fold is None:
            raise ValueError(f"a split by {self.by} needs the fold that tests: --fold 1 (or 2, …)")
        if self.fold is not None and not in_folds:
            raise ValueError(
                f"a fold goes with folds and leave-one-subject-out, not with {self.by}"
            )
        most = len(self.frozen) or self.folds
        if self.by == "folds" and self.fold and most and self.fold > most:
            raise ValueError(
                f"there are {most} folds, counted from 1; fold {self.fold} was asked for"
            )
        return self
