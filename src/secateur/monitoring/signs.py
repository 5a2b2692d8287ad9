"""The rules by which signal counts as flat, clipped, railed, ridden by mains, off or bridged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.monitoring.sketch import CLIPPED, FLAT, MAINS, RAILED
from secateur.recordings.montage import electrodes_of, parse_label

STILL = 0.5
"""µV peak to peak in a second, below which no amplifier's own noise stays."""
RAIL = 200.0
"""µV; what stands still further out than this stands at its converter's limit."""
_CLIP_LEVEL, _CLIP_SHARE, _RAIL_SHARE = 100.0, 0.05, 0.5
"""From this level on a second counts whose extreme value is held by such a share of its samples."""
_MAINS_LEAST = 25.0
"""µV²: mains weaker than 5 µV don't ride an EEG."""
_OFF_RATIO, _OFF_LEAST = 100.0, 200.0**2
"""A channel so many times stronger than the median channel (20 dB), and stronger than 200 µV."""
_BRIDGED, _BRIDGED_RATIO = 2.0, 10.0
"""µV²: the difference of two electrodes, 1 to 30 Hz, below which gel joins them (Alschuler et al.,
Clinical Neurophysiology 2014, take 5 µV² at most), where that of most is ten times as large."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Minutes:
    """What the rules look at, minute by minute (m of them, r recorded channels).

    `seconds`: complete seconds of each minute, shape (m,); `bad`: flat, clipped and railed ones, m × 3 × r.
    Of the first ten seconds, nan where a minute has no ten: `power`, variance in µV², m × r; `covariance`,
    1 to 30 Hz, µV², m × r × r; `mains`: which are ridden by it, m × r.
    """

    seconds: NDArray[np.int64]
    bad: NDArray[np.int64]
    power: Floats
    covariance: Floats
    mains: Flags


@dataclass(frozen=True)
class Judged:
    """What the rules say. `signs`: for each minute `kind:channel` where a rule held; `hidden`: recorded
    channels at fault, of which nothing else is to be believed, m × r; `bad_seconds`: m × 4 × r.
    """

    signs: list[list[str]]
    hidden: Flags
    bad_seconds: NDArray[np.int64]


def stride_of(rate: float) -> int:
    """Of every so many samples one is looked at for flat, clipped and railed seconds: 64 or more a second."""
    return max(1, int(rate / 64))


def seconds_at_fault(looks: NDArray[np.float32], rate: float, count: int) -> Flags:
    """Which of `count` seconds are flat, clipped or railed: 3 × channels × count.

    `looks`: channels × samples, µV, each `stride_of(rate)`-th of a signal at `rate` Hz from its first on.
    """
    stride = stride_of(rate)
    edges = -(-np.round(np.arange(count + 1) * rate).astype(int) // stride)
    lengths = np.diff(edges)
    inside = looks[:, : edges[-1]]
    if (lengths == lengths[0]).all():
        blocks = inside.reshape(len(looks), count, lengths[0])
        low, high = blocks.min(axis=2), blocks.max(axis=2)
    else:
        low = np.minimum.reduceat(inside, edges[:-1], axis=1)
        high = np.maximum.reduceat(inside, edges[:-1], axis=1)
    still = high - low <= STILL
    far = np.maximum(-low, high)
    flat, railed = still & (far < RAIL), still & (far >= RAIL)
    clipped = np.zeros_like(flat)
    loud = ~still & (far >= _CLIP_LEVEL)
    if loud.any():
        held = np.stack(
            [
                np.add.reduceat(inside == extreme.repeat(lengths, axis=1), edges[:-1], axis=1)
                for extreme in (low, high)
            ]
        ).max(axis=0)
        share = held / lengths
        railed |= loud & (share >= _RAIL_SHARE) & (far >= RAIL)
        clipped = loud & ~railed & (share >= _CLIP_SHARE)
    return np.stack((flat, clipped, railed))


class Mains:
    """Whether mains of 50 or 60 Hz ride a channel; `frequency`: of a spectrum's bins, Hz."""

    def __init__(self, frequency: Floats) -> None:
        def part(low: float, high: float) -> slice:
            return slice(*np.searchsorted(frequency, (low, high)).tolist())

        self._eeg = part(1, 30)
        self._lines = [
            (part(mains - 1.5, mains + 1.5), part(mains - 4, mains - 2), part(mains + 2, mains + 4))
            for mains in (50.0, 60.0)
            if frequency[-1] >= mains + 4
        ]

    def ride(self, power: Floats) -> Flags:
        """Which channels hold more of mains than of 1 to 30 Hz.

        `power`: channels × bins, µV² a bin. What lies on both sides of the line is no part of it.
        """
        eeg = power[:, self._eeg].sum(axis=1)
        ridden = np.zeros(len(power), dtype=np.bool_)
        for line, below, above in self._lines:
            beside = (power[:, below].mean(axis=1) + power[:, above].mean(axis=1)) / 2
            excess = power[:, line].sum(axis=1) - beside * (line.stop - line.start)
            ridden |= (excess > _MAINS_LEAST) & (excess > eeg)
        return ridden


class Rules:
    """The rules for channels with `labels`."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        derivations = [parse_label(label) for label in labels]
        # a channel between two electrodes is small where gel joins them; two channels against one
        # reference are alike
        self._between = np.array([len(electrodes_of([label])) == 2 for label in labels])
        self._alike = [
            (j, i)
            for i, a in enumerate(derivations)
            for j, b in enumerate(derivations[:i])
            if a and b and a.minus == b.minus and a.plus != b.plus and not self._between[i]
        ]

    def judge(self, minutes: Minutes) -> Judged:
        """What minutes show, each by itself."""
        count = len(minutes.seconds)
        bad = np.zeros((count, 4, len(self._labels)), dtype=np.int64)
        bad[:, :3] = minutes.bad
        bad[:, MAINS] = 10 * minutes.mains
        # a minute of which there is less than half shows no more than a recording's last seconds
        half = np.where(minutes.seconds < 30, np.inf, minutes.seconds / 2)[:, None]
        flags = {
            "flat": bad[:, FLAT] >= half,
            "railed": bad[:, RAILED] >= half,
            "clipped": bad[:, CLIPPED] >= half,
            "mains": minutes.mains,
        }
        hidden = flags["flat"] | flags["railed"] | flags["clipped"] | minutes.mains
        flags["off"] = self._off(minutes.power, flags["flat"] | flags["railed"]) & ~hidden
        hidden |= flags["off"]
        signs: list[list[str]] = [[] for _ in range(count)]
        for kind, flag in flags.items():
            for minute, channel in zip(*np.nonzero(flag), strict=True):
                signs[minute].append(f"{kind}:{self._labels[channel]}")
        for minute, name, channels in self._bridged(minutes.covariance, hidden):
            signs[minute].append(f"bridged:{name}")
            hidden[minute, channels] = True
        return Judged(signs, hidden, bad)

    def _off(self, power: Floats, dead: Flags) -> Flags:
        """Channels far stronger than the median of those that are neither flat nor railed."""
        alive = np.where(dead, np.nan, power)
        off = np.zeros_like(dead)
        enough = (~np.isnan(alive)).sum(axis=1) >= 3
        if enough.any():
            usual = np.nanmedian(alive[enough], axis=1)[:, None]
            off[enough] = (alive[enough] > _OFF_RATIO * usual) & (alive[enough] > _OFF_LEAST)
        return off

    def _bridged(self, covariance: Floats, hidden: Flags) -> list[tuple[int, str, list[int]]]:
        """The minute, the name of what is bridged and its channels, wherever something is."""
        own = np.diagonal(covariance, axis1=1, axis2=2)
        between = np.flatnonzero(self._between)
        results = [
            (minute, self._labels[between[k]], [int(between[k])])
            for minute, k in _small(np.where(hidden, np.nan, own)[:, between])
        ]
        if self._alike:
            rows, columns = np.array(self._alike).T
            distance = own[:, rows] + own[:, columns] - 2 * covariance[:, rows, columns]
            distance = np.where(hidden[:, rows] | hidden[:, columns], np.nan, distance)
            for minute, k in _small(distance):
                channels = [int(rows[k]), int(columns[k])]
                name = " and ".join(self._labels[channel] for channel in channels)
                results.append((minute, name, channels))
        return results


def _small(power: Floats) -> list[tuple[int, int]]:
    """Minute and column where one of m × n powers is that of a bridge, and most are not."""
    enough = (~np.isnan(power)).sum(axis=1) >= 3
    small = np.zeros(power.shape, dtype=np.bool_)
    if enough.any():
        usual = np.nanmedian(power[enough], axis=1)
        small[enough] = power[enough] < _BRIDGED
        small[np.flatnonzero(enough)[usual < _BRIDGED_RATIO * _BRIDGED]] = False
    return [(int(minute), int(k)) for minute, k in np.argwhere(small)]
