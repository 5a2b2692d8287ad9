"""A recording sketched on its way through a detector: ten seconds of each minute, all seconds for faults.

Minutes count from where the recording, or a stretch of it between gaps, begins, and each is looked at by
itself: nothing depends on the pieces in which the signal comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from secateur.events import Events
from secateur.monitoring.signs import Mains, Minutes, Rules, seconds_at_fault, stride_of
from secateur.monitoring.sketch import (
    CORRELATION_UNIT,
    FEATURES,
    HourSketch,
    Setup,
    Sign,
    empty_sketch,
    evenly,
    in_steps,
    logit_counts,
)
from secateur.recordings import MontageMap

MINUTE, SKETCHED = 60, 10
"""Seconds from one sketch to the next, and those that it looks at."""
BANDS = ((0.5, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))
"""Hz; the last names of `FEATURES`."""
_RELATED = (1.0, 30.0)
"""Hz in which channels are compared with each other."""
_EPOCH = datetime(1970, 1, 1)
_LEAST = 1e-4


class Sketcher:
    """Sketches one recording.

    `labels`: of the channels that will be pushed; `montage_map`: how the detector's montage is made of them;
    `rate`: samples a second; `start`: when the recording began on its own clock (None: it doesn't tell, and
    hours count from 1970-01-01 00:00).
    """

    def __init__(
        self,
        labels: Sequence[str],
        montage_map: MontageMap,
        rate: float,
        start: datetime | None = None,
    ) -> None:
        self._rate = rate
        self._start = 0.0 if start is None else _seconds(start)
        self._measure = _Measure(labels, montage_map, rate)
        self._rules = Rules(tuple(labels))
        self._stride = stride_of(rate)
        sizes = _samples(SKETCHED, rate), _samples(MINUTE, rate) // self._stride + 2
        # of the minute that goes on: its first seconds, and some samples of all of it
        self._head, self._thin = (np.empty((len(labels), n), dtype=np.float32) for n in sizes)
        self._held = 0
        self._begin = 0  # the sample at which the minute in the buffer begins
        self._origin = 0  # and the stretch
        self._minutes = 0  # of the stretch that are over
        self._next = 0  # the sample that is to come next
        self._looks: list[_Look] = []  # of the hour that goes on
        self._hours: dict[int, HourSketch] = {}
        self._faulty: list[float] = []  # where minutes with a fault begin, seconds of the recording

    @property
    def setup(self) -> Setup:
        """How the recording was made."""
        return self._measure.setup

    def push(self, first: int, samples: NDArray[np.float32]) -> None:
        """Take in channels × any number of samples, µV; `first`: the index of the first in the recording."""
        if first != self._next:
            self._restart(first)
        self._next = first + samples.shape[1]
        at = 0
        while at < samples.shape[1]:
            length = self._length()
            count = min(length - self._held, samples.shape[1] - at)
            self._keep(samples[:, at : at + count])
            self._held += count
            at += count
            if self._held == length:
                self._close_minute()

    def _keep(self, samples: NDArray[np.float32]) -> None:
        """Put aside what is looked at of samples that follow the `_held` ones of this minute."""
        head = samples[:, : max(0, self._head.shape[1] - self._held)]
        self._head[:, self._held : self._held + head.shape[1]] = head
        thin = samples[:, -self._held % self._stride :: self._stride]
        first = -(-self._held // self._stride)
        self._thin[:, first : first + thin.shape[1]] = thin

    def finish(
        self,
        begin: NDArray[np.float64],
        probability: NDArray[np.float64],
        events: Events,
        threshold: float,
    ) -> list[HourSketch]:
        """The recording's hours, in order; nothing can be pushed any more. May be asked of several networks.

        `begin`, `probability`: of each window, shape (n,), where the stretch begins that it speaks for
        (seconds of the recording), and its probability. `events`: the detector's; `threshold`: its own.
        """
        self._restart(self._next)
        self._close_hour()
        hours = dict(self._hours)
        self._take_windows(hours, begin, probability, threshold)
        for event in events:
            inside = (begin >= event.onset - 1e-6) & (begin < event.end - 1e-6)
            mean = float(probability[inside].mean()) if inside.any() else event.confidence or 0.0
            hour = self._hour(hours, self._hour_of(event.onset))
            hours[hour.start] = replace(
                hour, alarms=hour.alarms + 1, expected=hour.expected + round(1000 * mean)
            )
        return [hours[start] for start in sorted(hours)]

    def _take_windows(
        self,
        hours: dict[int, HourSketch],
        begin: NDArray[np.float64],
        probability: NDArray[np.float64],
        threshold: float,
    ) -> None:
        clear = np.ones(len(begin), dtype=np.bool_)
        if self._faulty:
            faulty = np.array(self._faulty)
            at = np.searchsorted(faulty, begin + 1e-6, side="right") - 1
            clear = (at < 0) | (begin >= faulty[np.maximum(at, 0)] + MINUTE)
        own = ((self._start + begin) // 3600 * 3600).astype(np.int64)
        for start in np.unique(own):
            mine = own == start
            counted = probability[mine & clear]
            hour = self._hour(hours, int(start))
            hours[hour.start] = replace(
                hour,
                windows=hour.windows + int(mine.sum()),
                high=hour.high + int((counted >= threshold).sum()),
                logits=hour.logits + logit_counts(counted),
            )

    def _hour_of(self, second: float) -> int:
        return int((self._start + second) // 3600) * 3600

    def _hour(self, hours: dict[int, HourSketch], start: int) -> HourSketch:
        return hours.get(start) or empty_sketch(start, self.setup)

    def _length(self) -> int:
        """Samples of the minute in the buffer: at a rate that is no whole number they differ by one."""
        begin, rate = self._minutes * MINUTE, self._rate
        return _samples(begin + MINUTE, rate) - _samples(begin, rate)

    def _restart(self, first: int) -> None:
        """The end of a stretch: what is left of its last minute counts, as far as seconds are complete."""
        if self._held:
            self._close_minute()
        self._origin = self._begin = self._next = first
        self._minutes = 0

    def _close_minute(self) -> None:
        at = self._begin / self._rate
        if self._looks and self._hour_of(self._looks[0].at) != self._hour_of(at):
            self._close_hour()
        seconds = int(self._held / self._rate + 1e-9)
        if seconds:
            bad = seconds_at_fault(self._thin, self._rate, seconds).sum(axis=2, dtype=np.int64)
            part = self._head if self._held >= self._head.shape[1] else None
            self._looks.append(self._measure.look(part, bad, seconds, at))
        self._held = 0
        self._minutes += 1
        self._begin = self._origin + _samples(self._minutes * MINUTE, self._rate)

    def _close_hour(self) -> None:
        """Judge the minutes of an hour together, and add what they show to its sketch."""
        looks, self._looks = self._looks, []
        if not looks:
            return
        judged = self._rules.judge(
            Minutes(
                seconds=np.array([look.seconds for look in looks]),
                bad=np.stack([look.bad for look in looks]),
                power=np.stack([look.power for look in looks]),
                covariance=np.stack([look.covariance for look in looks]),
                mains=np.stack([look.mains for look in looks]),
            )
        )
        start = self._hour_of(looks[0].at)
        signs: dict[str, Sign] = {}
        for look, names in zip(looks, judged.signs, strict=True):
            first = int((self._start + look.at) % 3600)
            sign = Sign(1, first, min(first + look.seconds, 3600))
            for name in names:
                signs[name] = signs[name] | sign if name in signs else sign
            if names:
                self._faulty.append(look.at)
        known = [k for k, look in enumerate(looks) if look.features.size]
        sketch = replace(
            empty_sketch(start, self.setup),
            seconds=sum(look.seconds for look in looks),
            bad_seconds=judged.bad_seconds.sum(axis=0),
            signs=dict(sorted(signs.items())),
        )
        if known:
            hidden = judged.hidden[known]
            features = [looks[k].features for k in known]
            covariance = [looks[k].covariance for k in known]
            sketch = replace(
                sketch,
                features=self._measure.steps(np.stack(features, axis=2), hidden),
                correlations=self._measure.correlations(np.stack(covariance), hidden),
            )
        self._hours[start] = self._hour(self._hours, start) | sketch


@dataclass(frozen=True)
class _Look:
    """What is measured in a minute that begins at second `at` of the recording; see `signs.Minutes`.

    `features`: channels × features, sizes and powers that are not decibels yet.
    """

    at: float
    seconds: int
    bad: NDArray[np.int64]
    power: NDArray[np.float64]
    mains: NDArray[np.bool_]
    covariance: NDArray[np.float64]
    features: NDArray[np.float64]


class _Measure:
    """What is measured of each minute, for one way to record."""

    def __init__(self, labels: Sequence[str], montage_map: MontageMap, rate: float) -> None:
        self._map, self._rate = montage_map, rate
        self._kept = list(evenly(len(montage_map.names)))
        channels = tuple(montage_map.names[k] for k in self._kept)
        if len(set(channels)) < len(channels):  # "each" calls all its channels by the same name
            channels = tuple(labels[montage_map.plus[k]] for k in self._kept)
        self.setup = Setup(channels, tuple(labels), rate, _in_words(montage_map))
        self._related = list(self.setup.correlated)
        self._samples = _samples(SKETCHED, rate)
        self._window = _hann(self._samples)
        self._frequency = np.fft.rfftfreq(self._samples, 1 / rate).astype(np.float64)
        self._mains = Mains(self._frequency)
        edges = np.searchsorted(self._frequency, [low for low, _ in BANDS] + [BANDS[-1][1]])
        self._bands = edges.tolist()
        self._within = slice(*np.searchsorted(self._frequency, _RELATED).tolist())
        self._moves = int(np.searchsorted(self._frequency, BANDS[0][0]))

    def look(
        self,
        part: NDArray[np.float32] | None,
        bad: NDArray[np.int64],
        seconds: int,
        at: float,
    ) -> _Look:
        """Measure a minute by its first ten seconds, recorded channels × samples; None where it has none."""
        count = bad.shape[1]
        if part is None:
            return _Look(
                at,
                seconds,
                bad,
                np.full(count, np.nan),
                np.zeros(count, dtype=np.bool_),
                np.full((count, count), np.nan),
                np.empty(0),
            )
        spectra = np.fft.rfft(part * self._window)
        squares = _power(spectra)
        related = np.ascontiguousarray(spectra[:, self._within]).view(np.float32)
        return _Look(
            at,
            seconds,
            bad,
            squares[:, self._moves :].sum(axis=1),
            self._mains.ride(squares),
            (related @ related.T).astype(np.float64),
            self._features(part, squares),
        )

    def _features(
        self, part: NDArray[np.float32], squares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        signal = self._map.apply(part)
        if signal is not part:
            squares = _power(np.fft.rfft(signal[self._kept] * self._window))
        elif len(self._kept) < len(signal):
            squares = squares[self._kept]
        kept = signal if len(self._kept) == len(signal) else signal[self._kept]
        values = np.empty((len(self._kept), len(FEATURES)))
        slope = kept[:, 1:] - kept[:, :-1]
        values[:, 0] = np.abs(slope, out=slope).mean(axis=1) * (self._rate / 100)
        for k, (first, after) in enumerate(pairwise(self._bands)):
            values[:, k + 1] = squares[:, first:after].sum(axis=1)
        return values

    def steps(self, values: NDArray[np.float64], hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """`values`, channels × features × minutes, in steps and rising.

        `hidden`: minutes × recorded channels.
        """
        decibels = 10 * np.log10(np.maximum(values, _LEAST))
        decibels[:, 0] *= 2
        for k, (_, high) in enumerate(BANDS):
            if self._frequency[-1] < high:
                decibels[:, k + 1] = np.nan
        sources = np.pad(hidden, ((0, 0), (0, 1)))  # −1: none
        plus, minus = (np.array(side)[self._kept] for side in (self._map.plus, self._map.minus))
        unknown = sources[:, plus] | sources[:, minus]
        unknown |= np.array(self._map.sign)[self._kept] == 0
        if self._map.average:
            unknown |= hidden.any(axis=1, keepdims=True)  # its mean holds the channel at fault
        decibels.transpose(2, 0, 1)[unknown] = np.nan
        return np.sort(in_steps(decibels), axis=2)

    def correlations(
        self, covariance: NDArray[np.float64], hidden: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """2 × pairs: sums of correlations in units, and of how many minutes; from minutes × r × r."""
        kept = self._related
        covariance = covariance[:, kept][:, :, kept]
        own = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        known = (own > 0) & ~hidden[:, kept]
        scale = np.where(known, own, 1.0)
        rows, columns = np.triu_indices(len(kept), 1)
        related = covariance[:, rows, columns] / (scale[:, rows] * scale[:, columns])
        good = known[:, rows] & known[:, columns]
        units = np.round(CORRELATION_UNIT * related.clip(-1, 1)).astype(np.int64)
        return np.stack((np.where(good, units, 0).sum(axis=0), good.sum(axis=0)))


def _seconds(time: datetime) -> float:
    return (time.replace(tzinfo=None) - _EPOCH).total_seconds()


def _samples(seconds: float, rate: float) -> int:
    return round(seconds * rate)


def _power(spectra: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """The squares of a spectrum's bins."""
    return np.asarray(spectra.real**2 + spectra.imag**2)


def _hann(samples: int) -> NDArray[np.float32]:
    """Hann's window, such that the squares of a spectrum's bins add up to the signal's power in µV².

    It takes a constant to the two lowest bins alone, which lie below every band.
    """
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    return np.asarray(hann * np.sqrt(2 / (samples * (hann**2).sum())), dtype=np.float32)


_ASIDE = ("left out", "there more than once")
"""How notes begin that say nothing of how the montage is made."""


def _in_words(montage_map: MontageMap) -> str:
    """How the montage comes about, so that a change of it is noticed; empty where it is as recorded."""
    return "; ".join(note for note in montage_map.notes if not note.startswith(_ASIDE))
