"""EDF, EDF+, BDF and BDF+ files as recordings, or a plain word on why not.

What a reader may safely put right is put right and noted: a file that was cut off yields its complete
data records; a record count that disagrees with the size gives way to the size; a channel that cannot be
calibrated, is in no unit of voltage, or was sampled at another rate than the EEG, is left out. Names and
birth dates in the header are never read into anything.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, RecordingError, RecordingNotFoundError
from secateur.recordings.header import EdfHeader, read_header
from secateur.recordings.labels import choose_eeg, rename_channels
from secateur.recordings.recording import (
    ReadingSettings,
    Stretches,
    gap_notes,
    sample_range,
    stretch_at,
)
from secateur.recordings.records import DataRecords, first_onset, stretches

_LISTED = 4
"""Channels that a note names; of more, how many there are."""


class EdfRecording:
    """An EDF or BDF file; see `Recording` for what its members mean.

    Opening it reads its header and, where there are any, its records' time stamps. `all_channels` and
    `all_rates` (Hz) tell of every signal that can be read in microvolts. `channels` are those of them at the
    rate of most EEG channels; `at_rate_of` gives another choice. Raises `RecordingNotFoundError`, or
    `RecordingError` naming the file and what is wrong with it.
    """

    def __init__(self, path: Path | str, reading: ReadingSettings | None = None) -> None:
        self.path = Path(path)
        self._reading = reading or ReadingSettings()
        if not self.path.exists():
            raise RecordingNotFoundError(self.path, "there is no such file")
        if self.path.is_dir():
            raise RecordingError(self.path, "is a folder, wanted an EDF or BDF file")
        try:
            self._header = header = read_header(self.path)
            self._usable, faults = _usable_signals(header)
            if not self._usable:
                raise RecordingError(self.path, f"no channel can be read: {'; '.join(faults)}")
            signals = [header.signals[k] for k in self._usable]
            labels = [signal.label for signal in signals]
            self.all_channels = rename_channels(labels, self._reading.rename, self.path)
            self.all_rates = tuple(
                signal.samples_per_record / header.record_duration for signal in signals
            )
            rate = self._rate_of_the_eeg()
            self._stretches, notes = stretches(self.path, header, rate)
            self.start = _start_time(self.path, header)
        except RecordingError:
            raise
        except OSError as error:
            raise RecordingError(self.path, f"cannot be read ({error.strerror})") from None
        unitless = [signal.label for signal in signals if not signal.unit]
        if unitless:
            notes.append(f"no unit given for {_listed(unitless)}: taken as µV")
        self._notes = (*header.notes, *notes, *faults)
        self._records = DataRecords(self.path, header)
        self._take(rate)

    def at_rate_of(self, channels: Iterable[str]) -> EdfRecording:
        """The same recording at the rate at which `channels` (labels out of `all_channels`) were sampled.

        Its own rate goes before others. Raises `RecordingError` naming the rates where there is none that
        all of them have, `ChannelsError` where there is no such label.
        """
        rates: dict[str, set[float]] = {}
        for label, rate in zip(self.all_channels, self.all_rates, strict=True):
            rates.setdefault(label, set()).add(rate)
        channels = tuple(channels)
        if absent := tuple(label for label in channels if label not in rates):
            raise ChannelsError(self.path, f"has no channel {', '.join(absent)}", absent)
        shared = set(self.all_rates).intersection(*(rates[label] for label in channels))
        if self.sampling_rate in shared:
            return self
        if not shared:
            by_rate: dict[float, list[str]] = {}
            for label in channels:
                by_rate.setdefault(max(rates[label]), []).append(label)
            parts = "; ".join(f"{_listed(by_rate[r])} at {r:g} Hz" for r in sorted(by_rate))
            raise RecordingError(
                self.path, f"channels of one montage have different rates: {parts}"
            )
        other = copy.copy(self)
        other._take(max(shared))
        return other

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`. Raises `RecordingError` where the file has changed or gone."""
        first, last = sample_range(self, start, stop)
        rows = range(len(self.channels)) if channels is None else channels
        stretch = stretch_at(self, first)
        lost = self.stretches[stretch][0] - self._stretches[stretch].record * self._per_record
        try:
            return self._records.read(first - lost, last - lost, [self._chosen[k] for k in rows])
        except (OSError, ValueError) as error:
            raise RecordingError(
                self.path, f"samples cannot be read ({type(error).__name__}); did the file change?"
            ) from None

    def _rate_of_the_eeg(self) -> float:
        """The rate of most EEG channels, or of most where none is EEG; of two as common the higher one."""
        eeg = choose_eeg(self.all_channels).indices
        counts = Counter(self.all_rates[k] for k in eeg) or Counter(self.all_rates)
        return max(counts, key=lambda rate: (counts[rate], rate))

    def _take(self, rate: float) -> None:
        """Take the channels at `rate`."""
        own = [k for k, at in enumerate(self.all_rates) if at == rate]
        self._chosen = [self._usable[k] for k in own]
        self.channels = tuple(self.all_channels[k] for k in own)
        self.sampling_rate = rate
        self._per_record = self._header.signals[self._chosen[0]].samples_per_record
        self.stretches = self._in_samples()
        self.samples = self.stretches[-1][1]
        others: dict[float, list[str]] = {}
        for label, at in zip(self.all_channels, self.all_rates, strict=True):
            if at != rate:
                others.setdefault(at, []).append(label)
        self.notes = (
            *self._notes,
            *gap_notes(self, self._reading),
            *(
                f"{_listed(labels)}: sampled at {at:g} Hz, left out beside the {rate:g} Hz of others"
                for at, labels in others.items()
            ),
        )

    def _in_samples(self) -> Stretches:
        ranges: list[tuple[int, int]] = []
        ends = [stretch.record for stretch in self._stretches[1:]] + [self._header.records]
        for stretch, end in zip(self._stretches, ends, strict=True):
            begin = round(stretch.onset / self._header.record_duration * self._per_record)
            begin = max(begin, ranges[-1][1] if ranges else 0)
            ranges.append((begin, begin + (end - stretch.record) * self._per_record))
        return tuple(ranges)


def _start_time(path: Path, header: EdfHeader) -> datetime | None:
    """When the first record begins, to the second; None where the header has no date."""
    if header.start is None:
        return None
    try:
        onset = timedelta(seconds=float(first_onset(path, header)))
        return (header.start + onset).replace(microsecond=0)
    except OverflowError:
        return None


def _usable_signals(header: EdfHeader) -> tuple[list[int], list[str]]:
    """Indices of the signals that are voltages, and why others are not: a reason for all that share it."""
    faults: dict[str, list[str]] = {}
    for k in header.ordinary:
        signal = header.signals[k]
        if signal.fault:
            faults.setdefault(signal.fault, []).append(signal.label)
    usable = [k for k in header.ordinary if not header.signals[k].fault]
    reasons = [f"{_listed(labels)}: {fault}" for fault, labels in faults.items()]
    return usable, reasons if usable or reasons else ["it has no signals"]


def _listed(labels: Sequence[str]) -> str:
    if len(labels) <= _LISTED:
        return ", ".join(labels)
    return f"{', '.join(labels[: _LISTED - 1])} and {len(labels) - _LISTED + 1} more"
