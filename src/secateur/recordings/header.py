"""The header of an EDF file, read strictly, so that damage is named before samples are trusted.

Comes in: a path. Goes out: an `EdfHeader`: numbers and channel labels only, nothing that tells who the
patient is. Next: `edf` decides with it what can be read. Specification: https://www.edfplus.info.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from secateur.errors import RecordingError

FIXED = 256
"""Bytes of the part of the header that every EDF file has; each signal adds as many."""

ANNOTATIONS = "EDF Annotations"
"""Label of the signals that hold no samples but what EDF+ writes about them."""

_MOST_SIGNALS = 4096
_SHORTEST_RECORD, _LONGEST_RECORD = 1e-6, 1e6
"""Seconds; beyond, rates and lengths leave the numbers."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_DAY_OR_TIME = re.compile(rb"(\d\d?)[.:'/ -] ?(\d\d?)[.:'/ -] ?(\d\d?)")
_START_DATE = re.compile(
    rb"Startdate (?:(?P<removed>X)|(?P<day>\d\d?)-(?P<month>[A-Za-z]{3})-(?P<year>\d{4}))(?: |$)"
)
_MONTHS = b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_SIGNAL_FIELDS = (
    ("label", 16),
    ("transducer", 80),
    ("unit", 8),
    ("physical_min", 8),
    ("physical_max", 8),
    ("digital_min", 8),
    ("digital_max", 8),
    ("prefilter", 80),
    ("samples", 8),
    ("reserved", 32),
)


@dataclass(frozen=True)
class EdfSignalHeader:
    """One signal. `fault` says why it can't be calibrated, or is empty.

    `physical`, in its unit, stands for `digital`, the least and the largest number stored.
    """

    label: str
    unit: str
    samples_per_record: int
    fault: str = ""
    physical: tuple[float, float] = (0.0, 0.0)
    digital: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class EdfHeader:
    """Counts, durations (seconds) and signals of an EDF file; `start`: None where none is told."""

    signals: tuple[EdfSignalHeader, ...]
    records_told: int
    record_duration: float
    discontinuous: bool
    start: datetime | None

    @property
    def ordinary(self) -> list[int]:
        """Indices of the signals that are not annotations."""
        return [k for k, signal in enumerate(self.signals) if signal.label != ANNOTATIONS]

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record: two for each sample."""
        return 2 * sum(signal.samples_per_record for signal in self.signals)

    def records_in_file(self, path: Path) -> int:
        """Whole data records that the file really holds."""
        return max(0, path.stat().st_size - FIXED * (1 + len(self.signals))) // self.record_bytes

    def check_size(self, path: Path) -> list[str]:
        """What the file's size says against the header, in words; empty where they agree.

        Raises `RecordingError` where no whole record is left.
        """
        records = self.records_in_file(path)
        if records == 0:
            raise RecordingError(path, "empty: the header is there and no whole data record")
        notes = []
        rest = path.stat().st_size - FIXED * (1 + len(self.signals)) - records * self.record_bytes
        if rest:
            notes.append(f"cut off inside a data record: its {records} whole records are read")
        if self.records_told not in (-1, records):
            notes.append(
                f"the header tells {self.records_told} data records, the file holds {records}: "
                f"{records} are read"
            )
        return notes


def read_header(path: Path) -> EdfHeader:
    """Read and check the header of an EDF file.

    Raises `RecordingError` that names the field. The field's own text isn't quoted: in a shifted
    header a patient's name can stand anywhere.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(FIXED)
        if not fixed:
            raise RecordingError(path, "empty: 0 bytes")
        if fixed[:1] == b"\xff":
            raise RecordingError(path, "a BDF file that is called .edf; let its name end in .bdf")
        if fixed[:8] != b"0       ":
            raise RecordingError(path, "not an EDF file (it doesn't begin with version 0)")
        if len(fixed) < FIXED:
            raise RecordingError(path, f"cut off inside the header, after {len(fixed)} bytes")
        signals = _whole(path, fixed[252:256], "the number of signals")
        if not 1 <= signals <= _MOST_SIGNALS:
            raise RecordingError(
                path, f"the header tells {signals} signals; 1 to {_MOST_SIGNALS} are believable"
            )
        if size < FIXED * (1 + signals):
            raise RecordingError(
                path, f"cut off inside the header: {size} bytes, {FIXED * (1 + signals)} wanted"
            )
        if _whole(path, fixed[184:192], "the header's length") != FIXED * (1 + signals):
            raise RecordingError(path, f"the header's length disagrees with its {signals} signals")
        rest = file.read(FIXED * signals)
    duration = _number(path, fixed[244:252], "the duration of a data record")
    header = EdfHeader(
        signals=_signals(path, rest, signals),
        records_told=_whole(path, fixed[236:244], "the number of data records"),
        record_duration=duration,
        discontinuous=fixed[192:197] == b"EDF+D",
        start=_start(fixed),
    )
    if header.ordinary and not _SHORTEST_RECORD <= duration <= _LONGEST_RECORD:
        raise RecordingError(
            path,
            f"a data record of {duration:g} s; {_SHORTEST_RECORD:g} to {_LONGEST_RECORD:g} s are "
            "believable",
        )
    return header


def _start(fixed: bytes) -> datetime | None:
    """Date and time; the date from the recording's field where EDF+ wrote it there, in four digits."""
    day, time = (_DAY_OR_TIME.fullmatch(fixed[at : at + 8].strip()) for at in (168, 176))
    told = _START_DATE.match(fixed[88:168])
    if time is None or (told is not None and told["removed"]):
        return None
    dates = []
    if told is not None and told["month"].upper() in _MONTHS:
        month = _MONTHS.index(told["month"].upper()) + 1
        dates.append((int(told["year"]), month, int(told["day"])))
    if day is not None:
        number, month, year = (int(part) for part in day.groups())
        dates.append((year + (1900 if year >= 85 else 2000), month, number))
    hour, minute, second = (int(part) for part in time.groups())
    for date in dates:
        try:
            return datetime(*date, hour, minute, second)
        except ValueError:
            continue
    return None


def _signals(path: Path, raw: bytes, count: int) -> tuple[EdfSignalHeader, ...]:
    columns: dict[str, list[bytes]] = {}
    at = 0
    for name, width in _SIGNAL_FIELDS:
        columns[name] = [raw[at + k * width : at + (k + 1) * width] for k in range(count)]
        at += width * count
    found = []
    for k in range(count):
        label = columns["label"][k].decode("latin-1").strip()
        samples = _whole(path, columns["samples"][k], f"the samples in a record of signal {k + 1}")
        if samples < 1:
            raise RecordingError(path, f"signal {k + 1} has {samples} samples in a data record")
        unit = columns["unit"][k].decode("latin-1").strip()
        signal = EdfSignalHeader(label, unit, samples)
        if label != ANNOTATIONS:
            signal = _calibrated(path, signal, {name: columns[name][k] for name in columns})
        found.append(signal)
    return tuple(found)


def _calibrated(path: Path, signal: EdfSignalHeader, fields: dict[str, bytes]) -> EdfSignalHeader:
    try:
        low, high = (_number(path, fields[f"physical_{end}"], "") for end in ("min", "max"))
        bottom, top = (_whole(path, fields[f"digital_{end}"], "") for end in ("min", "max"))
    except RecordingError:
        return replace(signal, fault="its physical or digital range is no number")
    fault = ""
    if low == high:
        fault = f"its physical minimum and maximum are both {low:g}"
    elif top <= bottom:
        fault = f"its digital range is {bottom} to {top}"
    ranges = (low, high), (float(bottom), float(top))
    return replace(signal, fault=fault, physical=ranges[0], digital=ranges[1])


def _number(path: Path, raw: bytes, name: str) -> float:
    # Python's float reads more than EDF has: nan, inf, 1_000
    text = raw.decode("latin-1").strip(" ").replace(",", ".")
    value = float(text) if text.isascii() and _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise RecordingError(path, f"nonsense in the header: {name} is not a number")
    return value


def _whole(path: Path, raw: bytes, name: str) -> int:
    value = _number(path, raw, name)
    if value != int(value):
        raise RecordingError(path, f"nonsense in the header: {name} is not a whole number")
    return int(value)
