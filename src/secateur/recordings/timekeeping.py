"""When the data records of an EDF+ file begin, as its annotations tell.

Comes in: a path and its header. Goes out: the onset of its first record, and the first record that does
not follow on the one before. Next: `edf` refuses files with gaps and moves the start by the onset.

Every record of an EDF+ file begins its first annotation signal with a time-stamp, `+567.5` and a byte 20
(https://www.edfplus.info/specs/edfplus.html, 2.2.4). Nothing else of the annotations is read: they may
hold anything, names too, and a reader that looks through them all can be kept busy for hours.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from secateur.errors import RecordingError
from secateur.recordings.header import ANNOTATIONS, FIXED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secateur.recordings.header import EdfHeader

_STAMP = re.compile(rb"([+-]\d{1,15}(?:\.\d{1,15})?)[\x14\x15]")
_LONGEST = 33
"""Bytes in which a time-stamp must end."""


def first_onset(path: Path, header: EdfHeader) -> Decimal:
    """Seconds from the header's start to the first record; 0 where none is told."""
    return next(islice(_onsets(path, header), 1), None) or Decimal(0)


def refuse_gaps(path: Path, header: EdfHeader) -> None:
    """Raise `RecordingError` where a record does not begin when the one before it ends."""
    duration = Decimal(str(header.record_duration))
    expected: Decimal | None = None
    for number, onset in enumerate(_onsets(path, header), start=1):
        if onset is None:
            raise RecordingError(
                path, f"EDF+D, and data record {number} does not tell when it begins"
            )
        if expected is not None and onset != expected:
            raise RecordingError(
                path,
                f"EDF+D with gaps in time, the first before data record {number}; split it into "
                "continuous files first",
            )
        expected = onset + duration


def _onsets(path: Path, header: EdfHeader) -> Iterator[Decimal | None]:
    """For each record its onset in seconds, None where none can be read; nothing without annotations."""
    labels = [signal.label for signal in header.signals]
    if ANNOTATIONS not in labels:
        return
    counts = [signal.samples_per_record for signal in header.signals]
    own = labels.index(ANNOTATIONS)
    begin = FIXED * (1 + len(labels)) + 2 * sum(counts[:own])
    width = min(_LONGEST, 2 * counts[own])
    with path.open("rb", buffering=0) as file:
        for record in range(header.records_in_file(path)):
            file.seek(begin + record * header.record_bytes)
            match = _STAMP.match(file.read(width))
            yield None if match is None else Decimal(match[1].decode())
