"""The data records of an EDF file as microvolts.

Comes in: a path, its header, the signals that are wanted and how each is calibrated. Goes out: any stretch
of them, signals × samples, µV. Next: `edf` reads with it.

A data record holds a stretch of each signal, one after the other. So a stretch of all signals is one read
at one place of the file; a signal at a time would go over the whole stretch once for each signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.recordings.header import FIXED, EdfHeader

_AT_ONCE = 2**14
"""Samples of a signal that are worked on at a time: in float64 they stay in a processor's own cache."""


@dataclass(frozen=True)
class Calibration:
    """µV of a stored number: ((number − `bottom`) · `gain` + `low`) · `factor`; low in the file's unit."""

    bottom: float
    gain: float
    low: float
    factor: float


class DataRecords:
    """The records of one file; `signals` are indices into the header, all with as many samples in each."""

    def __init__(
        self,
        path: Path,
        header: EdfHeader,
        signals: Sequence[int],
        calibrations: Sequence[Calibration],
    ) -> None:
        self._path = path
        counts = [signal.samples_per_record for signal in header.signals]
        begins = [0, *accumulate(counts)]
        self._start = FIXED * (1 + len(counts))
        self._width = begins[-1]
        self._per_record = counts[signals[0]]
        self._begins = [begins[k] for k in signals]
        self._calibrations = list(calibrations)

    def read(self, first: int, last: int, chosen: Sequence[int]) -> NDArray[np.float32]:
        """Samples [`first`, `last`) of the signals at `chosen` (positions in what was told): µV.

        Raises `OSError` or `ValueError` where the file is gone or shorter than it was.
        """
        out = np.empty((len(chosen), last - first), dtype=np.float32)
        if out.size == 0:
            return out
        per_record, width = self._per_record, self._width
        at_once = max(1, _AT_ONCE // per_record)
        begin, end = first // per_record, -(-last // per_record)
        values = np.empty(min(at_once, end - begin) * per_record)
        with self._path.open("rb") as file:
            file.seek(self._start + 2 * width * begin)
            for record in range(begin, end, at_once):
                count = min(at_once, end - record)
                stored = np.fromfile(file, dtype="<i2", count=count * width)
                stored = stored.reshape(count, width)  # fails where the file ends too soon
                offset = record * per_record
                start, stop = max(first, offset), min(last, offset + count * per_record)
                for row, k in enumerate(chosen):
                    own = stored[:, self._begins[k] : self._begins[k] + per_record]
                    calibrated = _calibrated(own, self._calibrations[k], values)
                    out[row, start - first : stop - first] = calibrated[
                        start - offset : stop - offset
                    ]
        return out


def _calibrated(
    stored: NDArray[np.int16], by: Calibration, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`stored`: records × samples. Returns µV one after the other, at the beginning of `values`."""
    out = values[: stored.size]
    out.reshape(stored.shape)[...] = stored
    out -= by.bottom
    out *= by.gain
    out += by.low
    if by.factor != 1:
        out *= by.factor
    return out
