"""The header of an EDF or BDF file, read strictly, so that damage is named before samples are trusted.

Numbers, units and channel labels alone are kept, nothing that tells who the patient is. The two formats
differ in the bytes of a sample and in the names of EDF+'s parts (https://www.edfplus.info,
https://www.biosemi.com/faq/file_format.htm, https://www.teuniz.net/edfbrowser/bdfplus%20format%20description.html).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from secateur.errors import RecordingError

FIXED = 256
"""Bytes of the part of the header that every file has; each signal adds as many."""

ANNOTATIONS = {"EDF": "EDF Annotations", "BDF": "BDF Annotations"}
"""Label of the signals that hold no samples but what EDF+ and BDF+ write about them."""

_MOST_SIGNALS = 4096
_SHORTEST_RECORD, _LONGEST_RECORD = 1e-6, 1e6
"""Seconds; beyond, rates and lengths leave the numbers."""
_BEYOND = 1e30
"""µV; float32 ends at 3.4e38."""
_FIELD_FULL = 7
"""Characters of a duration from which on its field of 8 may have cut digits off."""

_VERSIONS = {b"0": "EDF", b"\xffBIOSEMI": "BDF"}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_DAY_OR_TIME = re.compile(rb"(\d\d?)[.:'/ -] ?(\d\d?)[.:'/ -] ?(\d\d?)")
_START_DATE = re.compile(
    rb"Startdate (?:(?P<removed>X)|(?P<day>\d\d?)-(?P<month>[A-Za-z]{3})-(?P<year>\d{4}))(?: |\0|$)"
)
_MONTHS = b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
SIGNAL_FIELDS = (
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
"""What the header has of each signal, and in how many bytes. A field of all signals comes before the next."""

# micro in UTF-8 twice over, UTF-8 (sign, letter), Shift-JIS, GBK and EUC-JP, Big5, EUC-KR,
# Latin 1 and Mac, cp437 and cp850, Greek (cp1253, ISO 8859-7)
_MICRO = re.compile(
    rb"\xc3\x82\xc2\xb5|\xc2\xb5|\xce\xbc|\x83\xca|\xa6\xcc|\xa3g|\xa5\xec|[\xb5\xe6\xec]"
)
_VOLTS = re.compile(rb"(|p|n|u|m|k|pico|nano|micro|milli|kilo)v(?:olts?)?")
_MICROVOLTS = {b"p": 1e-6, b"n": 1e-3, b"u": 1.0, b"m": 1e3, b"": 1e6, b"k": 1e9}


@dataclass(frozen=True)
class EdfSignalHeader:
    """One signal. `fault` says why its samples are no voltages, or is empty.

    `physical`, in its unit, stands for `digital`, the least and the largest number stored; `microvolts`: in
    one of its unit.
    """

    label: str
    unit: str
    samples_per_record: int
    fault: str = ""
    physical: tuple[float, float] = (0.0, 0.0)
    digital: tuple[float, float] = (0.0, 0.0)
    microvolts: float = 1.0

    @property
    def annotations(self) -> bool:
        """Whether it holds what EDF+ and BDF+ write, and no samples."""
        return self.label in ANNOTATIONS.values()

    @property
    def gain(self) -> float:
        """Of the signal's unit, for one step of the stored number."""
        return (self.physical[1] - self.physical[0]) / (self.digital[1] - self.digital[0])


@dataclass(frozen=True)
class EdfHeader:
    """Counts, durations (seconds) and signals of an EDF or BDF file; `start`: None where there is none.

    `records`: whole data records that the file really holds. `duration_rounding`: what rounding may have
    taken from a record's duration, or added. `discontinuous`: it calls itself EDF+D or BDF+D. `notes`: where
    the file's size disagrees with its header.
    """

    format: Literal["EDF", "BDF"]
    signals: tuple[EdfSignalHeader, ...]
    records: int
    record_duration: float
    duration_rounding: float
    discontinuous: bool
    start: datetime | None
    notes: tuple[str, ...] = ()

    @property
    def ordinary(self) -> list[int]:
        """Indices of the signals that are not annotations."""
        return [k for k, signal in enumerate(self.signals) if not signal.annotations]

    @property
    def annotations(self) -> int | None:
        """Index of the first signal of annotations, which holds the records' time stamps."""
        own = (k for k, signal in enumerate(self.signals) if signal.annotations)
        return next(own, None)

    @property
    def bytes(self) -> int:
        """Of the header itself."""
        return FIXED * (1 + len(self.signals))

    @property
    def sample_bytes(self) -> int:
        """Of one stored number."""
        return 2 if self.format == "EDF" else 3

    @property
    def record_bytes(self) -> int:
        """Of one data record."""
        return self.sample_bytes * sum(signal.samples_per_record for signal in self.signals)


def read_header(path: Path) -> EdfHeader:
    """Read and check the header of an EDF or BDF file.

    Raises `RecordingError` that names the field, or where no whole data record follows. A field's own text
    isn't quoted before the header's parts agree: in a shifted one a patient's name can stand anywhere.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(FIXED)
        form = _format(path, fixed)
        signals = _integer(path, fixed[252:256], "the number of signals")
        if not 1 <= signals <= _MOST_SIGNALS:
            raise RecordingError(
                path, f"the header tells {signals} signals; 1 to {_MOST_SIGNALS} are believable"
            )
        if size < FIXED * (1 + signals):
            raise RecordingError(
                path, f"cut off inside the header: {size} bytes, {FIXED * (1 + signals)} wanted"
            )
        if _integer(path, fixed[184:192], "the header's length") != FIXED * (1 + signals):
            raise RecordingError(path, f"the header's length disagrees with its {signals} signals")
        rest = file.read(FIXED * signals)
    own = _signals(path, rest, signals, form)
    duration = _number(path, fixed[244:252], "the duration of a data record")
    if not _SHORTEST_RECORD <= duration <= _LONGEST_RECORD and not all(
        signal.annotations for signal in own
    ):
        raise RecordingError(
            path,
            f"a data record of {duration:g} s; {_SHORTEST_RECORD:g} to {_LONGEST_RECORD:g} s are "
            "believable",
        )
    width = (2 if form == "EDF" else 3) * sum(signal.samples_per_record for signal in own)
    stated = _integer(path, fixed[236:244], "the number of data records")
    records, notes = _records(path, size - FIXED * (1 + signals), width, stated)
    return EdfHeader(
        format=form,
        signals=own,
        records=records,
        record_duration=duration,
        duration_rounding=_rounding(fixed[244:252]),
        discontinuous=fixed[192:197] in (b"EDF+D", b"BDF+D"),
        start=_start(fixed),
        notes=notes,
    )


def _format(path: Path, fixed: bytes) -> Literal["EDF", "BDF"]:
    if not fixed:
        raise RecordingError(path, "empty: 0 bytes")
    suffix = path.suffix[1:].upper()
    expected = suffix if suffix in ANNOTATIONS else "EDF"
    form = _VERSIONS.get(_cut(fixed[:8]))
    if form is None:
        raise RecordingError(path, f"not {_article(expected)} file (it doesn't begin as one)")
    if form != expected:
        raise RecordingError(
            path,
            f"{_article(form)} file that is called .{suffix.lower()}; "
            f"let its name end in .{form.lower()}",
        )
    if len(fixed) < FIXED:
        raise RecordingError(path, f"cut off inside the header, after {len(fixed)} bytes")
    return "EDF" if form == "EDF" else "BDF"


def _article(form: str) -> str:
    return f"an {form}" if form == "EDF" else f"a {form}"


def _records(path: Path, size: int, width: int, stated: int) -> tuple[int, tuple[str, ...]]:
    """Whole data records of `width` bytes in the `size` bytes behind the header, and what is odd in them."""
    records = max(0, size) // width
    if records == 0:
        raise RecordingError(path, "empty: the header is there and no whole data record")
    notes = []
    if size != records * width:
        notes.append(f"cut off inside a data record: its {records} whole records are read")
    if stated not in (-1, records):
        notes.append(
            f"the header tells {stated} data records, the file holds {records}: {records} are read"
        )
    return records, tuple(notes)


def _start(fixed: bytes) -> datetime | None:
    """Date and time; the date from the recording's field where EDF+ wrote it there, in four digits."""
    day, time = (_DAY_OR_TIME.fullmatch(_cut(fixed[at : at + 8])) for at in (168, 176))
    stated = _START_DATE.match(fixed[88:168])
    if time is None or (stated is not None and stated["removed"]):
        return None
    dates = []
    if stated is not None and stated["month"].upper() in _MONTHS:
        month = _MONTHS.index(stated["month"].upper()) + 1
        dates.append((int(stated["year"]), month, int(stated["day"])))
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


def _signals(path: Path, raw: bytes, count: int, form: str) -> tuple[EdfSignalHeader, ...]:
    columns: dict[str, list[bytes]] = {}
    at = 0
    for name, width in SIGNAL_FIELDS:
        columns[name] = [raw[at + k * width : at + (k + 1) * width] for k in range(count)]
        at += width * count
    signals = []
    for k in range(count):
        label = field_text(columns["label"][k])
        name = f"the samples in a record of signal {k + 1}"
        samples = _integer(path, columns["samples"][k], name)
        if samples < 1:
            raise RecordingError(path, f"signal {k + 1} has {samples} samples in a data record")
        signal = EdfSignalHeader(label, field_text(columns["unit"][k]), samples)
        if not signal.annotations:
            signal = _calibrated(path, signal, {name: columns[name][k] for name in columns}, form)
        signals.append(signal)
    return tuple(signals)


def _calibrated(
    path: Path, signal: EdfSignalHeader, fields: dict[str, bytes], form: str
) -> EdfSignalHeader:
    try:
        low, high = (_number(path, fields[f"physical_{end}"], "") for end in ("min", "max"))
        bottom, top = (_integer(path, fields[f"digital_{end}"], "") for end in ("min", "max"))
    except RecordingError:
        return replace(signal, fault="its physical or digital range is no number")
    microvolts = microvolts_of(fields["unit"])
    if low == high:
        return replace(signal, fault=f"its physical minimum and maximum are both {low:g}")
    if top <= bottom:
        return replace(signal, fault=f"its digital range is {bottom} to {top}")
    if microvolts is None:
        return replace(signal, fault=f"its unit {signal.unit!r} is no voltage")
    ranges = (low, high), (float(bottom), float(top))
    signal = replace(signal, physical=ranges[0], digital=ranges[1], microvolts=microvolts)
    reach = 2**15 if form == "EDF" else 2**23
    ends = (((stored - bottom) * signal.gain + low) * microvolts for stored in (-reach, reach))
    if not all(abs(end) < _BEYOND for end in ends):
        return replace(signal, fault="its physical range is beyond all voltages")
    return signal


def microvolts_of(unit: bytes) -> float | None:
    """Microvolts in one of `unit`, as a header writes it in whatever code page; None where it is no voltage.

    An empty unit is taken as µV.
    """
    text = re.sub(rb"[\s\[\]()]", b"", _MICRO.sub(b"u", _cut(unit))).lower()
    match = _VOLTS.fullmatch(text)
    if match is None:
        return None if text else 1.0
    return _MICROVOLTS[b"u" if match[1] == b"micro" else match[1][:1]]


def _cut(raw: bytes) -> bytes:
    """A field without what pads it: blanks, or zero bytes and whatever an earlier text left behind them."""
    return raw.partition(b"\0")[0].strip()


def field_text(raw: bytes) -> str:
    """What a field of the header says, in UTF-8 or else Latin 1."""
    try:
        text = _cut(raw).decode("utf-8")
    except UnicodeDecodeError:
        text = _cut(raw).decode("latin-1")
    return "".join(letter if letter.isprintable() else "?" for letter in text.strip())


def _number(path: Path, raw: bytes, name: str) -> float:
    # Python's float reads more than EDF has: nan, inf, 1_000
    text = _cut(raw).decode("latin-1").replace(",", ".")
    value = float(text) if text.isascii() and _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise RecordingError(path, f"nonsense in the header: {name} is not a number")
    return value


def _integer(path: Path, raw: bytes, name: str) -> int:
    value = _number(path, raw, name)
    if value != int(value):
        raise RecordingError(path, f"nonsense in the header: {name} is not a whole number")
    return int(value)


def _rounding(raw: bytes) -> float:
    """Half a unit in the last digit of a number that fills its field, 0 for one that had room for more."""
    text = _cut(raw).decode("latin-1").replace(",", ".")
    digits = text.partition(".")[2]
    return 0.5 * 10.0 ** -len(digits) if len(text) >= _FIELD_FULL and digits.isdigit() else 0.0
