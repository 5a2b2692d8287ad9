"""A recording sketched on its way through a detector: ten seconds of each minute, all seconds for faults.

Minutes count from where the recording, or a stretch of it between gaps, begins, and each is looked at by
itself: nothing depends on the pieces in which the signal comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from secateur.events import Events
from secateur.monitoring.signs import Rules, ridden_by_mains, seconds_at_fault
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
_LEAST_POWER = 1e-6


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
        self._montage_map, self._rate = montage_map, rate
        self.start = 0.0 if start is None else _seconds(start)
        self._kept = evenly(len(montage_map.names))
        channels = tuple(montage_map.names[k] for k in self._kept)
        # "each" calls all its channels by one name
        if len(set(channels)) < len(channels):
            channels = tuple(labels[montage_map.plus[k]] for k in self._kept)
        self.setup = Setup(channels, tuple(labels), rate, _in_words(montage_map))
        self._related = list(self.setup.correlated)
        self._rules = Rules(self.setup.recorded)
        self._buffer = np.empty((len(labels), _samples(MINUTE, rate)), dtype=np.float32)
        self._held = 0
        self._begin = 0  # the sample at which the minute in the buffer begins
        self._origin = 0  # and the stretch
        self._minutes = 0  # of the stretch that are over
        self._next = 0  # the sample that is to come next
        self._hours: dict[int, HourSketch] = {}
        self._faulty: list[float] = []  # where minutes with a fault begin, seconds of the recording

    def push(self, first: int, samples: NDArray[np.float32]) -> None:
        """Take in channels × any number of samples, µV; `first`: the index of the first in the recording."""
        if first != self._next:
            self._restart(first)
        self._next = first + samples.shape[1]
        at = 0
        while at < samples.shape[1]:
            length = self._length()
            count = min(length - self._held, samples.shape[1] - at)
            self._buffer[:, self._held : self._held + count] = samples[:, at : at + count]
            self._held += count
            at += count
            if self._held == length:
                self._close_minute()

    def finish(
        self,
        begin: NDArray[np.float64],
        probability: NDArray[np.float64],
        events: Events,
        threshold: float,
    ) -> list[HourSketch]:
        """The recording's hours, in order.

        `begin`, `probability`: of each window, shape (n,), where the stretch begins that it speaks for
        (seconds of the recording), and its probability. `events`: the detector's; `threshold`: its own.
        """
        self._restart(self._next)
        self._take_windows(begin, probability, threshold)
        for event in events:
            inside = (begin >= event.onset - 1e-6) & (begin < event.end - 1e-6)
            mean = float(probability[inside].mean()) if inside.any() else event.confidence or 0.0
            hour = self._hour(self._hour_of(event.onset))
            self._hours[hour.start] = replace(
                hour, alarms=hour.alarms + 1, expected=hour.expected + round(1000 * mean)
            )
        return [self._hours[start] for start in sorted(self._hours)]

    def _take_windows(
        self, begin: NDArray[np.float64], probability: NDArray[np.float64], threshold: float
    ) -> None:
        faulty = np.array(self._faulty)
        at = np.searchsorted(faulty, begin + 1e-6, side="right") - 1
        clear = np.ones(len(begin), dtype=np.bool_)
        if len(faulty):
            clear = (at < 0) | (begin >= faulty[np.maximum(at, 0)] + MINUTE)
        hours = ((self.start + begin) // 3600 * 3600).astype(np.int64)
        for start in np.unique(hours):
            mine = hours == start
            counted = probability[mine & clear]
            hour = self._hour(int(start))
            self._hours[hour.start] = replace(
                hour,
                windows=hour.windows + int(mine.sum()),
                high=hour.high + int((counted >= threshold).sum()),
                logits=hour.logits + logit_counts(counted),
            )

    def _hour_of(self, second: float) -> int:
        return int((self.start + second) // 3600) * 3600

    def _hour(self, start: int) -> HourSketch:
        return self._hours.get(start) or empty_sketch(start, self.setup)

    def _length(self) -> int:
        """Samples of the minute in the buffer: rates that are no whole number make them differ by one."""
        return _samples((self._minutes + 1) * MINUTE, self._rate) - _samples(
            self._minutes * MINUTE, self._rate
        )

    def _restart(self, first: int) -> None:
        """The end of a stretch: what is left of its last minute counts, as far as seconds are complete."""
        if self._held:
            self._close_minute()
        self._origin = self._begin = self._next = first
        self._minutes = 0

    def _close_minute(self) -> None:
        samples = self._buffer[:, : self._held]
        self._look(samples, self._begin / self._rate)
        self._held = 0
        self._minutes += 1
        self._begin = self._origin + _samples(self._minutes * MINUTE, self._rate)

    def _look(self, samples: NDArray[np.float32], at: float) -> None:
        """Add a minute, or what there is of it, that begins at second `at` of the recording."""
        seconds = int(samples.shape[1] / self._rate + 1e-9)
        if seconds == 0:
            return
        faults = seconds_at_fault(samples[:, : _samples(seconds, self._rate)], self._rate)
        power = covariance = None
        mains = np.zeros(len(samples), dtype=np.bool_)
        if seconds >= SKETCHED:
            part = samples[:, : _samples(SKETCHED, self._rate)]
            spectra = _spectra(part)
            frequency = _frequencies(part.shape[1], self._rate)
            power = part.var(axis=1, dtype=np.float64)
            mains = ridden_by_mains(frequency, np.square(np.abs(spectra), dtype=np.float64))
            covariance = _covariance(spectra, frequency)
        minute = self._rules.minute(faults, power, mains, covariance)
        sketch = replace(
            empty_sketch(self._hour_of(at), self.setup),
            seconds=seconds,
            bad_seconds=minute.bad_seconds,
            signs=self._signs(minute.signs, at, seconds),
        )
        if minute.signs:
            self._faulty.append(at)
        if covariance is not None:
            sketch = replace(
                sketch,
                features=self._features(part, spectra, minute.hidden),
                correlations=self._correlations(covariance, minute.hidden),
            )
        self._hours[sketch.start] = self._hour(sketch.start) | sketch

    def _signs(self, names: Sequence[str], at: float, seconds: int) -> dict[str, Sign]:
        first = int((self.start + at) % 3600)
        return {name: Sign(1, first, min(first + seconds, 3600)) for name in sorted(names)}

    def _features(
        self,
        part: NDArray[np.float32],
        spectra: NDArray[np.complex64],
        hidden: NDArray[np.bool_],
    ) -> NDArray[np.uint8]:
        """Channels × features × 1, in steps."""
        mapping = self._montage_map
        signal = mapping.apply(part)
        kept = list(self._kept)
        own = spectra if signal is part else _spectra(signal)
        decibels = np.empty((len(kept), len(FEATURES)))
        slope = np.abs(np.diff(signal[kept], axis=1)).mean(axis=1, dtype=np.float64)
        decibels[:, 0] = 20 * np.log10(np.maximum(slope * self._rate / 100, 1e-3))
        squares = np.abs(own[kept]) ** 2
        frequency = _frequencies(part.shape[1], self._rate)
        for k, (low, high) in enumerate(BANDS):
            inside = (frequency >= low) & (frequency < high)
            total = squares[:, inside].sum(axis=1, dtype=np.float64)
            decibels[:, k + 1] = 10 * np.log10(np.maximum(total, _LEAST_POWER))
            if frequency[-1] < high:
                decibels[:, k + 1] = np.nan
        sources = np.append(hidden, False)  # −1: none
        plus, minus = (np.array(side)[kept] for side in (mapping.plus, mapping.minus))
        unknown = sources[plus] | sources[minus] | (np.array(mapping.sign)[kept] == 0)
        if mapping.average:
            unknown |= hidden.any()  # its mean holds the channel at fault
        decibels[unknown] = np.nan
        return in_steps(decibels)[:, :, None]

    def _correlations(
        self, covariance: NDArray[np.float64], hidden: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """2 × pairs: correlations as whole numbers, and one for each that is known."""
        kept = self._related
        own = np.sqrt(np.diag(covariance))[kept]
        known = (own > 0) & ~hidden[kept]
        scale = np.where(known, own, 1.0)
        related = covariance[np.ix_(kept, kept)] / scale / scale[:, None]
        rows, columns = np.triu_indices(len(kept), 1)
        good = known[rows] & known[columns]
        whole = np.round(CORRELATION_UNIT * related[rows, columns].clip(-1, 1)).astype(np.int64)
        return np.stack((np.where(good, whole, 0), good.astype(np.int64)))


def _seconds(time: datetime) -> float:
    return (time.replace(tzinfo=None) - _EPOCH).total_seconds()


def _samples(seconds: float, rate: float) -> int:
    return round(seconds * rate)


@lru_cache(maxsize=4)
def _window(samples: int) -> NDArray[np.float32]:
    """Hann's, such that squares of a spectrum's bins add up to the signal's power in µV²."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    return np.asarray(hann * np.sqrt(2 / (samples * (hann**2).sum())), dtype=np.float32)


@lru_cache(maxsize=4)
def _frequencies(samples: int, rate: float) -> NDArray[np.float64]:
    return np.asarray(np.fft.rfftfreq(samples, 1 / rate), dtype=np.float64)


def _spectra(signal: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Channels × frequencies: the squares of the bins' sizes are µV² each."""
    level = signal.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    return np.asarray(np.fft.rfft((signal - level) * _window(signal.shape[1])), np.complex64)


def _covariance(
    spectra: NDArray[np.complex64], frequency: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Channels × channels, µV², of what lies between 1 and 30 Hz."""
    part = spectra[:, (frequency >= _RELATED[0]) & (frequency < _RELATED[1])].astype(np.complex128)
    return np.asarray(part.real @ part.real.T + part.imag @ part.imag.T)


def _in_words(montage_map: MontageMap) -> str:
    """How the montage comes about, so that a change of it is noticed; empty where it is as recorded."""
    return "; ".join(note for note in montage_map.notes if not note.startswith("left out"))
