"""An hour of one patient's recordings in a few kilobytes: whole numbers, so that parts add up exactly."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import combinations
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from secateur.settings import Settings

Floats = NDArray[np.float64]

FEATURES = ("line_length", "delta", "theta", "alpha", "beta", "gamma")
"""What is measured of each channel of the montage, in decibels."""

NUMBERS = (*FEATURES, "spread", "correlation", "probability", "high_probability")
"""What is said of an hour, by name: at most ten numbers, for they are tested together."""

KINDS = ("flat", "railed", "clipped", "mains", "off", "bridged")
"""Faults that a minute can show; their words stand in `faults.WORDS`."""

FIRST, LAST = -62_135_596_800, 253_402_297_200
"""Seconds since 1970 at which the years 1 and 10000 begin, an hour less: between them lies every date."""

FLAT, CLIPPED, RAILED, MAINS = range(4)
"""Rows of `HourSketch.bad_seconds`."""

LEAST_MINUTES = 5
"""Sketched minutes without which nothing is said of an hour."""

MOST_CHANNELS = 32
"""Channels of which features and correlations are kept, spread evenly over all where there are more."""

UNKNOWN = 255
_STEP, _LOWEST = 0.5, -40.0
"""Decibels between two values that are told apart, and the lowest."""
CORRELATION_UNIT = 500
"""A correlation of one as a whole number."""
LOGIT_BINS = 40
_LOGIT_STEP, _LOWEST_LOGIT = 0.5, -10.0
_LARGEST = 1 << 22
"""Bytes of an hour's arrays."""


@dataclass(frozen=True)
class Setup:
    """How an hour was recorded: what must be the same for two parts to be one hour's.

    `channels`: the montage's of which features are kept; `recorded`: labels of the channels that were read;
    `rate`: their samples a second; `montage`: what the detector's montage is made of, in words.
    """

    channels: tuple[str, ...]
    recorded: tuple[str, ...]
    rate: float
    montage: str = ""

    @property
    def correlated(self) -> tuple[int, ...]:
        """Indices into `recorded` of the channels whose correlations are kept."""
        return evenly(len(self.recorded))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Which two of `recorded` each correlation is of."""
        return list(combinations(self.correlated, 2))


def evenly(count: int) -> tuple[int, ...]:
    """Indices of at most `MOST_CHANNELS` of `count` channels."""
    if count <= MOST_CHANNELS:
        return tuple(range(count))
    return tuple(np.linspace(0, count - 1, MOST_CHANNELS).round().astype(int).tolist())


@dataclass(frozen=True, eq=False)
class Usual:
    """What a patient's hours usually are: `levels` (channels × features, dB), `neighbours` (pairs)."""

    setup: Setup
    levels: Floats
    neighbours: Floats


@dataclass(frozen=True)
class Sign:
    """In how many minutes of an hour a rule held; seconds of the hour from the first of them to the last."""

    minutes: int
    first: int
    last: int

    def __or__(self, other: Sign) -> Sign:
        return Sign(
            self.minutes + other.minutes, min(self.first, other.first), max(self.last, other.last)
        )


@dataclass(frozen=True, eq=False)
class HourSketch:
    """What is kept of an hour of the clock.

    Two sketches of parts of one hour are added with `|`; the order doesn't matter, to the bit.
    """

    start: int
    """Seconds since 1970-01-01 00:00 on the recording's own clock, on the hour."""
    setup: Setup
    seconds: int
    """Seconds of signal that were looked at."""
    features: NDArray[np.uint8]
    """Channels × features × minutes, in steps of half a decibel, rising along minutes; `UNKNOWN` where a
    fault hid the channel."""
    bad_seconds: NDArray[np.int64]
    """4 × recorded channels: seconds that were flat, clipped, railed, ridden by mains (of these ten a minute
    are looked at)."""
    correlations: NDArray[np.int64]
    """2 × pairs: the sum over minutes of correlations (times `CORRELATION_UNIT`), and of how many minutes."""
    logits: NDArray[np.int64]
    """Windows by the logit of their probability, in `LOGIT_BINS` steps of a half from −10 on; of minutes
    without a fault."""
    windows: int = 0
    """Windows judged, those of minutes with a fault too."""
    high: int = 0
    """Windows at the detector's threshold or above, of minutes without a fault."""
    alarms: int = 0
    """Events that began in this hour."""
    expected: int = 0
    """The sum over those of the mean probability of their windows, in thousandths."""
    signs: Mapping[str, Sign] = field(default_factory=dict)
    """By `kind:channel`, where a fault's rule held in some minute."""

    @property
    def hour(self) -> int:
        """The hour of the clock, 0 to 23."""
        return self.start // 3600 % 24

    @property
    def date(self) -> date:
        """The day."""
        return datetime.fromtimestamp(self.start, UTC).date()

    @property
    def minutes(self) -> int:
        """Minutes of which features are known."""
        return int(self.features.shape[2])

    def __or__(self, other: HourSketch) -> HourSketch:
        if (self.start, self.setup) != (other.start, other.setup):
            raise ValueError("sketches of two hours, or of two ways to record one")
        features = np.sort(np.concatenate((self.features, other.features), axis=2), axis=2)
        signs = dict(self.signs)
        for name, sign in other.signs.items():
            signs[name] = signs[name] | sign if name in signs else sign
        return replace(
            self,
            seconds=self.seconds + other.seconds,
            features=features,
            bad_seconds=self.bad_seconds + other.bad_seconds,
            correlations=self.correlations + other.correlations,
            logits=self.logits + other.logits,
            windows=self.windows + other.windows,
            high=self.high + other.high,
            alarms=self.alarms + other.alarms,
            expected=self.expected + other.expected,
            signs=dict(sorted(signs.items())),
        )

    @property
    def shares(self) -> Floats:
        """Share of seconds flat, clipped and railed, of looked-at seconds ridden by mains: 4 × recorded."""
        counts = np.array([self.seconds, self.seconds, self.seconds, 10 * self.minutes])
        return np.asarray(self.bad_seconds / np.maximum(counts, 1)[:, None])

    def quantiles(self, shares: tuple[float, ...] = (0.1, 0.5, 0.9)) -> Floats:
        """Quantiles over the minutes: len(shares) × channels × features, dB; nan where nothing is known."""
        values = _decibels(self.features)
        known = ~np.isnan(values)
        count = known.sum(axis=2)
        at = [np.clip(np.ceil(share * count).astype(int) - 1, 0, None) for share in shares]
        if not self.minutes:
            return np.full((len(shares), *count.shape), np.nan)
        return np.stack([np.take_along_axis(values, k[..., None], axis=2)[..., 0] for k in at])

    def levels(self) -> Floats:
        """The mean of the middle half of the minutes: channels × features, dB.

        nan where a channel is known for fewer than `LEAST_MINUTES`.
        """
        values = _decibels(self.features)
        count = (self.features != UNKNOWN).sum(axis=2)
        rank = np.arange(self.minutes)
        middle = (rank >= (count // 4)[..., None]) & (rank < (count - count // 4)[..., None])
        total = np.where(middle, values, 0.0).sum(axis=2)
        known = count >= LEAST_MINUTES
        return np.where(known, total / np.maximum(middle.sum(axis=2), 1), np.nan)

    def neighbours(self) -> Floats:
        """The mean correlation of each pair of `setup.pairs`; nan where it is known for too few minutes."""
        total, minutes = self.correlations
        known = minutes >= LEAST_MINUTES
        return np.where(known, total / np.maximum(minutes, 1) / CORRELATION_UNIT, np.nan)

    def summary(self, usual: Usual | None = None) -> dict[str, float]:
        """The hour in ten numbers, by the names of `NUMBERS`; nan where too little is known.

        Features in decibels: the mean over channels of their `levels`; correlation as Fisher has it;
        probability as its mean logit, and the share of windows at the threshold as the arcsine of its root.

        `usual`: of the same setup. With it each channel and each pair is compared with itself, so that one
        that is missing does not shift a mean, and `spread` is that of the channels' departures.
        """
        numbers = dict.fromkeys(NUMBERS, float("nan"))
        levels, related = self.levels(), np.arctanh(self.neighbours().clip(-0.999, 0.999))
        if usual is None:
            base, base_related = np.zeros_like(levels), np.zeros_like(related)
        else:
            base, base_related = usual.levels, np.arctanh(usual.neighbours.clip(-0.999, 0.999))
        known, usable = (~np.isnan(each[:, 0]) for each in (levels - base, base))
        # of a few channels the others' mean can't be told
        if known.any() and (usual is None or 2 * known.sum() >= usable.sum()):
            common = base[usable].mean(axis=0)
            above = levels[known] - base[known]
            numbers.update(zip(FEATURES, (above.mean(axis=0) + common).tolist(), strict=True))
            if known.sum() > 1:
                # a slow recording holds nothing of the fastest band
                spread = above[:, 1:].std(axis=0)
                numbers["spread"] = float(spread[~np.isnan(spread)].mean())
        pairs = ~np.isnan(related - base_related)
        if pairs.any():
            # as Fisher has it, so that its scatter is the same wherever it lies
            departure = float((related[pairs] - base_related[pairs]).mean())
            numbers["correlation"] = departure + float(np.nanmean(base_related))
        judged = int(self.logits.sum())
        if judged >= LEAST_MINUTES * 60 / 8:  # windows of eight seconds at the most
            centres = _LOWEST_LOGIT + _LOGIT_STEP * (np.arange(LOGIT_BINS) + 0.5)
            numbers["probability"] = float(self.logits @ centres / judged)
            numbers["high_probability"] = float(np.arcsin(np.sqrt(self.high / judged)))
        return numbers


def empty_sketch(start: int, setup: Setup) -> HourSketch:
    """The hour that begins at `start`, before anything was seen of it."""
    return HourSketch(
        start,
        setup,
        0,
        np.empty((len(setup.channels), len(FEATURES), 0), dtype=np.uint8),
        np.zeros((4, len(setup.recorded)), dtype=np.int64),
        np.zeros((2, len(setup.pairs)), dtype=np.int64),
        np.zeros(LOGIT_BINS, dtype=np.int64),
    )


def in_steps(decibels: Floats) -> NDArray[np.uint8]:
    """Decibels as whole steps; `UNKNOWN` for nan."""
    steps = np.clip(np.round((decibels - _LOWEST) / _STEP), 0, UNKNOWN - 1)
    return np.where(np.isnan(decibels), UNKNOWN, steps).astype(np.uint8)


def _decibels(steps: NDArray[np.uint8]) -> Floats:
    return np.where(steps == UNKNOWN, np.nan, steps * _STEP + _LOWEST)


def logit_counts(probability: Floats) -> NDArray[np.int64]:
    """How many probabilities fall into each of `LOGIT_BINS`."""
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    logit = np.log(inside / (1 - inside))
    bins = np.clip((logit - _LOWEST_LOGIT) // _LOGIT_STEP, 0, LOGIT_BINS - 1).astype(int)
    return np.bincount(bins, minlength=LOGIT_BINS).astype(np.int64)


Count = Annotated[int, Field(ge=0, le=1 << 40)]
SignName = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)}):.", max_length=1000)]


class SavedHour(Settings):
    """An `HourSketch` as JSON. `setup`: the index of its `Setup` in a list; `packed`: its arrays."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    start: Annotated[int, Field(ge=FIRST, le=LAST, multiple_of=3600)]
    setup: Annotated[int, Field(ge=0, le=1 << 16)]
    seconds: Count
    minutes: Annotated[int, Field(ge=0, le=10_000)]
    windows: Count
    high: Count
    alarms: Count
    expected: Count
    signs: dict[SignName, tuple[Count, Count, Count]]
    packed: bytes

    @classmethod
    def of(cls, sketch: HourSketch, setup: int) -> SavedHour:
        """What is saved of `sketch`."""
        # differences along minutes are mostly zero, and pack well
        features = np.diff(sketch.features, axis=2, prepend=np.uint8(0))
        arrays = (
            features.tobytes(),
            *(_narrow(each) for each in (sketch.bad_seconds, sketch.correlations, sketch.logits)),
        )
        return cls(
            start=sketch.start,
            setup=setup,
            seconds=sketch.seconds,
            minutes=sketch.minutes,
            windows=sketch.windows,
            high=sketch.high,
            alarms=sketch.alarms,
            expected=sketch.expected,
            signs={k: (v.minutes, v.first, v.last) for k, v in sketch.signs.items()},
            packed=zlib.compress(b"".join(arrays), 9),
        )

    def sketch(self, setup: Setup) -> HourSketch:
        """The sketch. Raises `ValueError` where its arrays are not such as `setup` has."""
        shapes = (
            (4, len(setup.recorded)),
            (2, len(setup.pairs)),
            (LOGIT_BINS,),
        )
        sizes = [
            len(setup.channels) * len(FEATURES) * self.minutes,
            *(4 * int(np.prod(s)) for s in shapes),
        ]
        unpacked = _unpacked(self.packed, sum(sizes))
        parts, at = [], 0
        for size in sizes:
            parts.append(unpacked[at : at + size])
            at += size
        steps = np.frombuffer(parts[0], dtype=np.uint8)
        steps = steps.reshape(len(setup.channels), len(FEATURES), self.minutes)
        bad, correlations, logits = (
            np.frombuffer(part, dtype="<i4").astype(np.int64).reshape(shape)
            for part, shape in zip(parts[1:], shapes, strict=True)
        )
        if (bad < 0).any() or (logits < 0).any() or (correlations[1] < 0).any():
            raise ValueError("counts below zero")
        if self.high > logits.sum():
            raise ValueError("more windows at the threshold than there are")
        return HourSketch(
            self.start,
            setup,
            self.seconds,
            np.cumsum(steps, axis=2, dtype=np.uint8),
            bad,
            correlations,
            logits,
            self.windows,
            self.high,
            self.alarms,
            self.expected,
            {name: Sign(*sign) for name, sign in self.signs.items()},
        )


def _narrow(values: NDArray[Any]) -> bytes:
    return values.astype("<i4").tobytes()


def _unpacked(packed: bytes, size: int) -> bytes:
    if size > _LARGEST:
        raise ValueError("arrays larger than any hour has")
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, size + 1)
    except zlib.error:
        raise ValueError("arrays that can't be unpacked") from None
    if len(content) != size:
        raise ValueError("arrays of another length")
    return content
