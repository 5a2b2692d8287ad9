"""EDF and EDF+ files as recordings, or a plain word on why not.

Comes in: a path. Goes out: an `EdfRecording` (its header read, its samples on demand) or a
`RecordingError` with the file and the reason. Next: `opening` opens them, `windows.chain` reads them.

What a reader may safely put right is put right and told in `notes`: a file that was cut off yields its
whole data records; a record count that disagrees with the size gives way to the size; a channel that
cannot be calibrated, is in no unit of voltage, or was sampled at another rate than most, is left out.
Names and birth dates in the header are never read into anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RecordingError, RecordingNotFoundError
from secateur.recordings.header import EdfHeader, EdfSignalHeader, read_header
from secateur.recordings.recording import sample_range
from secateur.recordings.records import Calibration, DataRecords
from secateur.recordings.settings import ReadingSettings
from secateur.recordings.timekeeping import first_onset, refuse_gaps

_TO_MICROVOLTS = {"nv": 1e-3, "uv": 1.0, "µv": 1.0, "μv": 1.0, "mv": 1e3, "v": 1e6, "": 1.0}
_BEYOND = 1e30
"""µV; float32 ends at 3.4e38."""


class EdfRecording:
    """An EDF or EDF+ file; see `Recording` for what its members mean. Opening it reads its header only.

    Raises `RecordingNotFoundError`, or `RecordingError` naming the file and what is wrong with it.
    """

    def __init__(self, path: Path | str, reading: ReadingSettings | None = None) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise RecordingNotFoundError(self.path, "there is no such file")
        if self.path.is_dir():
            raise RecordingError(self.path, "is a folder, wanted an EDF file")
        try:
            header = read_header(self.path)
            notes = header.check_size(self.path)
            if header.discontinuous:
                refuse_gaps(self.path, header)
            self.start = _start_time(self.path, header)
        except RecordingError:
            raise
        except OSError as error:
            raise RecordingError(self.path, f"cannot be read ({error.strerror})") from None
        rate, usable, left_out = _usable_signals(header)
        if not usable:
            raise RecordingError(self.path, f"no channel can be read: {'; '.join(left_out)}")
        per_record = header.signals[usable[0]].samples_per_record
        self.sampling_rate = rate
        self.samples = header.records_in_file(self.path) * per_record
        if self.samples == 0:
            raise RecordingError(self.path, "holds no whole data record")
        self.stretches: tuple[tuple[int, int], ...] = ((0, self.samples),)
        self.channels = tuple(header.signals[k].label for k in usable)
        calibrations = [_calibration(header.signals[k]) for k in usable]
        self._records = DataRecords(self.path, header, usable, calibrations)
        unitless = [header.signals[k].label for k in usable if not header.signals[k].unit]
        if unitless:
            notes.append(f"no unit given for {', '.join(unitless)}: taken as µV")
        self.notes = tuple(notes + left_out)

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`. Raises `RecordingError` where the file has changed or gone."""
        first, last = sample_range(self, start, stop)
        chosen = range(len(self.channels)) if channels is None else channels
        try:
            return self._records.read(first, last, chosen)
        except (OSError, ValueError) as error:
            raise RecordingError(
                self.path, f"samples cannot be read ({type(error).__name__}); did the file change?"
            ) from None


def _start_time(path: Path, header: EdfHeader) -> datetime | None:
    """When the first record begins, to the second; None where the header tells none."""
    if header.start is None:
        return None
    try:
        return (header.start + timedelta(seconds=float(first_onset(path, header)))).replace(
            microsecond=0
        )
    except OverflowError:
        return None


def _calibration(signal: EdfSignalHeader) -> Calibration:
    (bottom, top), (low, high) = signal.digital, signal.physical
    gain = (high - low) / (top - bottom)
    return Calibration(bottom, gain, low, _TO_MICROVOLTS[signal.unit.lower()])


def _believable(by: Calibration) -> bool:
    """Whether every number that can be stored stands for a voltage that float32 holds."""
    ends = (((stored - by.bottom) * by.gain + by.low) * by.factor for stored in (-(2**15), 2**15))
    return all(abs(end) < _BEYOND for end in ends)


def _usable_signals(header: EdfHeader) -> tuple[float, list[int], list[str]]:
    """Rate, indices of the signals that are read, and why others are not."""
    usable: list[int] = []
    left_out: list[str] = []
    for k in header.ordinary:
        signal = header.signals[k]
        if signal.fault:
            left_out.append(f"{signal.label}: {signal.fault}")
        elif signal.unit.lower() not in _TO_MICROVOLTS:
            left_out.append(f"{signal.label}: its unit is no voltage")
        elif not _believable(_calibration(signal)):
            left_out.append(f"{signal.label}: its physical range is beyond all voltages")
        else:
            usable.append(k)
    if not usable:
        return 0.0, [], left_out or ["it has no signals"]
    counts = Counter(header.signals[k].samples_per_record for k in usable)
    # most_common keeps first-come order among equals; the higher rate is the EEG then
    most = max(counts, key=lambda per_record: (counts[per_record], per_record))
    rate = most / header.record_duration
    for k in usable:
        signal = header.signals[k]
        if signal.samples_per_record != most:
            own = signal.samples_per_record / header.record_duration
            left_out.append(f"{signal.label}: sampled at {own:g} Hz, most others at {rate:g} Hz")
    return rate, [k for k in usable if header.signals[k].samples_per_record == most], left_out
