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

KINDS = ("flat", "railed", "clipped", "mains", "off", "bridged")
"""Faults that a minute can show; their words stand in `faults.WORDS`."""


@dataclass(frozen=True)
class Minute:
    """What the rules say of a minute.

    `bad_seconds`: as `HourSketch` has it. `signs`: `kind:channel` for each rule that held. `hidden`: recorded
    channels that are at fault, of which nothing else is to be believed.
    """

    bad_seconds: NDArray[np.int64]
    signs: tuple[str, ...]
    hidden: NDArray[np.bool_]


def seconds_at_fault(samples: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
    """Which seconds are flat, clipped or railed: 3 × channels × complete seconds.

    `samples`: channels × samples, µV, of complete seconds.
    """
    count = round(samples.shape[1] / rate)
    edges = np.round(np.arange(count) * rate).astype(int)
    if float(rate).is_integer():
        blocks = samples.reshape(len(samples), count, int(rate))
        low, high = blocks.min(axis=2), blocks.max(axis=2)
    else:
        low = np.minimum.reduceat(samples, edges, axis=1)
        high = np.maximum.reduceat(samples, edges, axis=1)
    still = high - low <= STILL
    far = np.maximum(np.abs(low), np.abs(high))
    flat, railed = still & (far < RAIL), still & (far >= RAIL)
    clipped = np.zeros_like(flat)
    after = np.append(edges[1:], samples.shape[1])
    for channel, second in zip(*np.nonzero(~still & (far >= _CLIP_LEVEL)), strict=True):
        block = samples[channel, edges[second] : after[second]]
        held = max(
            np.count_nonzero(block == low[channel, second]),
            np.count_nonzero(block == high[channel, second]),
        )
        share = held / len(block)
        railed[channel, second] = share >= _RAIL_SHARE and far[channel, second] >= RAIL
        clipped[channel, second] = not railed[channel, second] and share >= _CLIP_SHARE
    return np.stack((flat, clipped, railed))


class Rules:
    """The rules for channels with `labels`."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = labels
        derivations = [parse_label(label) for label in labels]
        # a channel between two electrodes is small where gel joins them; two channels against one
        # reference are alike
        self._between = np.array([len(electrodes_of([label])) == 2 for label in labels])
        self._alike = [
            (i, j)
            for i, a in enumerate(derivations)
            for j, b in enumerate(derivations[:i])
            if a and b and a.minus == b.minus and a.plus != b.plus and not self._between[i]
        ]

    def minute(
        self,
        seconds: NDArray[np.bool_],
        power: NDArray[np.float64] | None,
        mains: NDArray[np.bool_],
        covariance: NDArray[np.float64] | None,
    ) -> Minute:
        """What a minute shows.

        `seconds`: what `seconds_at_fault` gave. Of its first ten seconds (None: it has no ten): `power`, each
        channel's variance in µV²; `mains`, which are ridden by it; `covariance`, channels × channels, µV²,
        1 to 30 Hz.
        """
        bad = np.zeros((4, len(self._labels)), dtype=np.int64)
        bad[:3] = seconds.sum(axis=2)
        bad[MAINS] = 10 * mains
        count = max(seconds.shape[2], 1)
        flags = {
            "flat": 2 * bad[FLAT] >= count,
            "railed": 2 * bad[RAILED] >= count,
            "clipped": 2 * bad[CLIPPED] >= count,
            "mains": mains,
        }
        hidden = flags["flat"] | flags["railed"] | flags["clipped"] | mains
        names = {kind: self._names(flag) for kind, flag in flags.items()}
        if power is not None and covariance is not None:
            off = self._off(power, flags["flat"] | flags["railed"])
            names["off"] = self._names(off & ~hidden)
            hidden |= off
            names["bridged"], bridged = self._bridged(covariance, hidden)
            hidden |= bridged
        signs = tuple(f"{kind}:{name}" for kind in KINDS for name in names.get(kind, ()))
        return Minute(bad, signs, hidden)

    def _names(self, flags: NDArray[np.bool_]) -> list[str]:
        return [self._labels[k] for k in np.flatnonzero(flags)]

    def _off(self, power: NDArray[np.float64], dead: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if dead.all() or len(power) < 3:
            return np.zeros_like(dead)
        usual = np.median(power[~dead])
        return np.asarray(~dead & (power > _OFF_RATIO * usual) & (power > _OFF_LEAST))

    def _bridged(
        self, covariance: NDArray[np.float64], hidden: NDArray[np.bool_]
    ) -> tuple[list[str], NDArray[np.bool_]]:
        """Names of what is bridged, and the channels that are."""
        bridged = np.zeros_like(hidden)
        own = np.diag(covariance)
        names: list[str] = []
        between = self._between & ~hidden
        if between.sum() > 2:
            bridged |= between & (own < _BRIDGED)
            if np.median(own[between]) < _BRIDGED_RATIO * _BRIDGED:
                bridged[:] = False
            names += self._names(bridged)
        pairs = [(i, j) for i, j in self._alike if not hidden[i] and not hidden[j]]
        if len(pairs) > 2:
            rows, columns = np.array(pairs).T
            distance = own[rows] + own[columns] - 2 * covariance[rows, columns]
            if np.median(distance) >= _BRIDGED_RATIO * _BRIDGED:
                for k in np.flatnonzero(distance < _BRIDGED):
                    i, j = sorted(pairs[k])
                    names.append(f"{self._labels[i]} and {self._labels[j]}")
                    bridged[[i, j]] = True
        return names, bridged


def ridden_by_mains(
    frequency: NDArray[np.float64], power: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which channels mains (50 or 60 Hz) ride: more of it than of 1 to 30 Hz.

    `power`: channels × frequencies, µV² a bin.
    """
    eeg = power[:, (frequency >= 1) & (frequency < 30)].sum(axis=1)
    ridden = np.zeros(len(power), dtype=np.bool_)
    for mains in (50.0, 60.0):
        distance = np.abs(frequency - mains)
        if frequency[-1] < mains + 4:
            continue
        line, beside = distance <= 1.5, (distance > 2) & (distance <= 4)
        above = power[:, line].sum(axis=1) - power[:, beside].mean(axis=1) * line.sum()
        ridden |= (above > _MAINS_LEAST) & (above > eeg)
    return ridden
