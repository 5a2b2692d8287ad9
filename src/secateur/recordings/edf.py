"""EDF, EDF+, BDF and BDF+ files as recordings, or a plain word on why not: header, record times, samples.

What a reader may safely put right is put right and noted: a file that was cut off yields its complete
data records; a record count that disagrees with the size gives way to the size; a channel that cannot be
calibrated, is in no unit of voltage, or was sampled at another rate than the EEG, is left out. Numbers, units
and channel labels alone are kept of the header, nothing that tells who the patient is.

A data record holds a stretch of each signal, one after the other. Of short records all signals are read at
once; inside long ones each signal's own stretch is sought. Every record of an EDF+ or BDF+ file begins its
first annotation signal with a time stamp, `+567.5` and a byte 20. Nothing else of the annotations is read:
they may hold anything, names too, and a reader that looks through them all can be kept busy for hours.

Formats: https://www.edfplus.info (2.2.4: time stamps), https://www.biosemi.com/faq/file_format.htm,
https://www.teuniz.net/edfbrowser/bdfplus%20format%20description.html.
"""

from __future__ import annotations

import copy
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from io import FileIO
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, RecordingError, RecordingNotFoundError
from secateur.recordings.montage import choose_eeg, rename_channels
from secateur.recordings.recording import (
    ReadingSettings,
    Stretches,
    gap_notes,
    sample_range,
    stretch_at,
)

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
            notes.append(f"no unit given for {listed(unitless)}: taken as µV")
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
            parts = "; ".join(f"{listed(by_rate[r])} at {r:g} Hz" for r in sorted(by_rate))
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
                f"{listed(labels)}: sampled at {at:g} Hz, left out beside the {rate:g} Hz of others"
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
    own = [header.signals[k] for k in header.ordinary]
    usable = [k for k in header.ordinary if not header.signals[k].fault]
    reasons = by_fault((signal.label, signal.fault) for signal in own)
    return usable, reasons if usable or reasons else ["it has no signals"]


def by_fault(faults: Iterable[tuple[str, str]]) -> list[str]:
    """What is wrong with channels, once for all of which it is true; `faults`: label and fault, or none."""
    labels: dict[str, list[str]] = {}
    for label, fault in faults:
        if fault:
            labels.setdefault(fault, []).append(label)
    return [f"{listed(own)}: {fault}" for fault, own in labels.items()]


def no_voltage(unit: str) -> str:
    """The fault of a channel in a unit that `microvolts_of` doesn't know."""
    return f"its unit {unit!r} is no voltage"


def listed(labels: Sequence[str]) -> str:
    """Channels' labels in a note: the first ones, and how many more there are."""
    if len(labels) <= _LISTED:
        return ", ".join(labels)
    return f"{', '.join(labels[: _LISTED - 1])} and {len(labels) - _LISTED + 1} more"


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
MONTHS = b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
"""As EDF+ writes them."""
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
    start, understood = _start(fixed)
    if not understood:
        notes += (
            "its header's date and time of day can't be understood: when it began is not known",
        )
    return EdfHeader(
        format=form,
        signals=own,
        records=records,
        record_duration=duration,
        duration_rounding=_rounding(fixed[244:252]),
        discontinuous=fixed[192:197] in (b"EDF+D", b"BDF+D"),
        start=start,
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


def _start(fixed: bytes) -> tuple[datetime | None, bool]:
    """Date and time; the date from the recording's field where EDF+ wrote it there, in four digits.

    Whether what stands there is understood, or left blank or taken out on purpose.
    """
    fields = [_cut(fixed[at : at + 8]) for at in (168, 176)]
    day, time = map(_DAY_OR_TIME.fullmatch, fields)
    stated = _START_DATE.match(fixed[88:168])
    if stated is not None and stated["removed"]:
        return None, True
    if time is None:
        return None, not any(field.strip() for field in fields)
    dates = []
    if stated is not None and stated["month"].upper() in MONTHS:
        month = MONTHS.index(stated["month"].upper()) + 1
        dates.append((int(stated["year"]), month, int(stated["day"])))
    if day is not None:
        number, month, year = (int(part) for part in day.groups())
        dates.append((year + (1900 if year >= 85 else 2000), month, number))
    hour, minute, second = (int(part) for part in time.groups())
    for date in dates:
        try:
            return datetime(*date, hour, minute, second), True
        except ValueError:
            continue
    return None, not fields[0].strip()


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
            signal = _ranged(path, signal, {name: columns[name][k] for name in columns}, form)
        signals.append(signal)
    return tuple(signals)


def _ranged(
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
        return replace(signal, fault=no_voltage(signal.unit))
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


_AT_ONCE = 2**14
"""Samples of a signal that are worked on at a time: in float64 they stay in a processor's own cache."""
_LONG = 2**12
"""Samples of a signal in one data record from which on they are sought by themselves."""
_MOST_BYTES = 2**23
"""Of a file that are held at a time, and the most of a data record that is read for a part of it."""

_FRONT = 8
"""Bytes before the stored numbers, which leave these where a processor likes them."""

_STAMP = re.compile(rb"([+-]\d{1,12}(?:[.,]\d*)?)[\x14\x15]")
_LONGEST_STAMP = 64
"""Bytes in which a time stamp must end."""
_NEAR, _BLOCK = 2**14, 2**20
"""Bytes of a data record below which stamps are read with what lies between them, in blocks of so many."""
_ROUNDED = 1e-3
"""Seconds to which stamps are commonly rounded."""
_DUST = 1e-6
"""Seconds that sums in floating point may be off."""
_DRIFT = 1e-4
"""Of the time: so much slower or faster the stamps' clock may run than that of the samples. Two quartzes keep
well within; a tenth of a sample lost a second does not."""
_LONGEST_SPAN = 1e8
"""Seconds between a file's records that are believed: three years."""


class DataRecords:
    """The samples of one file."""

    def __init__(self, path: Path, header: EdfHeader) -> None:
        self._path = path
        self._signals = header.signals
        self._begins = [0, *accumulate(signal.samples_per_record for signal in header.signals)]
        self._start, self._width = header.bytes, header.sample_bytes

    def read(self, first: int, last: int, signals: Sequence[int]) -> NDArray[np.float32]:
        """Samples [`first`, `last`) of `signals` (indices into the header, all with as many in a record).

        They count from the first record's first one, as if all records followed on each other. Returns
        signals × samples, µV. Raises `OSError` or `ValueError` where the file is gone or shorter than it was.
        """
        out = np.empty((len(signals), last - first), dtype=np.float32)
        if out.size == 0:
            return out
        per_record = self._signals[signals[0]].samples_per_record
        with self._path.open("rb", buffering=0) as file:
            if per_record >= _LONG or self._width * self._begins[-1] > _MOST_BYTES:
                self._read_stretches(file, first, last, signals, out)
            else:
                self._read_records(file, first, last, signals, out)
        return out

    def _read_records(
        self, file: FileIO, first: int, last: int, signals: Sequence[int], out: NDArray[np.float32]
    ) -> None:
        per_record, step = self._signals[signals[0]].samples_per_record, self._begins[-1]
        at_once = max(1, min(_AT_ONCE // per_record, _MOST_BYTES // (self._width * step)))
        begin, end = first // per_record, -(-last // per_record)
        stored = _Stored(min(at_once, end - begin) * step, self._width)
        values = np.empty(min(at_once, end - begin) * per_record)
        file.seek(self._start + self._width * step * begin)
        for record in range(begin, end, at_once):
            count = min(at_once, end - record)
            stored.fill(file, count * step)
            offset = record * per_record
            start, stop = max(first, offset), min(last, offset + count * per_record)
            for row, k in enumerate(signals):
                own = stored.numbers(self._begins[k], (count, per_record), step)
                calibrated = _calibrated(own, self._signals[k], values)
                out[row, start - first : stop - first] = calibrated[start - offset : stop - offset]

    def _read_stretches(
        self, file: FileIO, first: int, last: int, signals: Sequence[int], out: NDArray[np.float32]
    ) -> None:
        per_record, step = self._signals[signals[0]].samples_per_record, self._begins[-1]
        stored, values = _Stored(_AT_ONCE, self._width), np.empty(_AT_ONCE)
        for record in range(first // per_record, -(-last // per_record)):
            offset = record * per_record
            until = min(last, offset + per_record)
            for row, k in enumerate(signals):
                start = max(first, offset)
                at = step * record + self._begins[k] + start - offset
                file.seek(self._start + self._width * at)
                while start < until:
                    count = min(_AT_ONCE, until - start)
                    stored.fill(file, count)
                    own = stored.numbers(0, (1, count), count)
                    out[row, start - first : start - first + count] = _calibrated(
                        own, self._signals[k], values
                    )
                    start += count


class _Stored:
    """Room for `count` numbers of `width` bytes as they stand in a file."""

    def __init__(self, count: int, width: int) -> None:
        self._width = width
        # room in front: a number of 24 bits is read as the upper part of one of 32
        self._bytes = np.empty(_FRONT + count * width, dtype=np.uint8)
        self._bytes[:_FRONT] = 0

    def fill(self, file: FileIO, count: int) -> None:
        """Read `count` numbers from where `file` stands. Raises `ValueError` where it ends before."""
        room = self._bytes.data[_FRONT : _FRONT + count * self._width]
        while room:
            read = file.readinto(room)
            if not read:
                raise ValueError("the file ends too soon")
            room = room[read:]

    def numbers(self, begin: int, shape: tuple[int, int], step: int) -> NDArray[np.signedinteger]:
        """Records × samples; the first one is number `begin` of all, a record begins every `step` numbers."""
        strides = (self._width * step, self._width)
        at = _FRONT + self._width * begin
        if self._width == 2:
            return np.ndarray(shape, "<i2", self._bytes.data, at, strides)
        upper: NDArray[np.int32] = np.ndarray(shape, "<i4", self._bytes.data, at - 1, strides)
        return upper >> 8


def _calibrated(
    stored: NDArray[np.signedinteger], by: EdfSignalHeader, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """µV of `stored` (records × samples), one after the other, at the beginning of `values`."""
    out = values[: stored.size]
    out.reshape(stored.shape)[...] = stored
    out -= by.digital[0]
    out *= by.gain
    out += by.physical[0]
    if by.microvolts != 1:
        out *= by.microvolts
    return out


class Stretch(NamedTuple):
    """Data records that follow on each other: the first, and when it begins (seconds after record 0)."""

    record: int
    onset: float


def first_onset(path: Path, header: EdfHeader) -> Decimal:
    """Seconds from the header's start to the first record; 0 where none is written."""
    stamp = next(_stamps(path, header, 1), None)
    return Decimal(0) if stamp is None else Decimal(stamp)


def stretches(path: Path, header: EdfHeader, rate: float) -> tuple[tuple[Stretch, ...], list[str]]:
    """Where the records' time stamps leave no gap, and notes on what they leave open.

    A record may begin half a sample at `rate` Hz, or a millisecond, to which stamps are often rounded, from
    where counting from its stretch's first record puts it. What is off can't add up, but by the drift of two
    clocks (`_DRIFT`), which is noted. A file whose stamps have fewer digits has no gap where all of them are
    rounded. Raises `RecordingError` where time goes back, or where stamps are missing that must be there.
    """
    stamps = _stamps(path, header, header.records)
    times = np.fromiter((math.nan if stamp is None else float(stamp) for stamp in stamps), float)
    absent = np.isnan(times)
    if header.discontinuous and not times.size:
        raise RecordingError(
            path, f"{header.format}+D, and nothing in it tells when its records begin"
        )
    if header.discontinuous and absent.any():
        silent = f"data record {absent.argmax() + 1} does not tell when it begins"
        raise RecordingError(path, f"{header.format}+D, and {silent}")
    if absent.all():
        return (Stretch(0, 0.0),), []
    notes = []
    if absent.any():
        notes.append(
            f"{absent.sum()} of {len(times)} data records do not tell when they begin: taken to follow "
            "on the one before"
        )
    earliest = int((~absent).argmax())
    times -= times[earliest] - earliest * header.record_duration
    if np.nanmax(np.abs(times)) > _LONGEST_SPAN:
        raise RecordingError(path, "its data records tell times that are years apart")
    tolerance = max(0.5 / rate, _ROUNDED) + _DUST
    off = (times - header.record_duration * np.arange(len(times)))[~absent]
    # stamps of few digits can't say more: rounded, they are off by less than a unit of the last one in all
    if np.abs(off).max() <= tolerance or np.ptp(off) < (1 - _DUST) * _last_digit(path, header):
        return (Stretch(0, 0.0),), notes
    begins, drift = _continuous(path, header, times, tolerance)
    if abs(drift) > tolerance:
        notes.append(
            f"its time stamps run {'ahead of' if drift > 0 else 'behind'} its samples, by {abs(drift):.2g} s "
            "at most, as two clocks do: times are counted in samples"
        )
    return begins, notes


def _last_digit(path: Path, header: EdfHeader) -> float:
    """A unit of the last digit to which the time stamps are written."""
    stamps = _stamps(path, header, header.records)
    return 10.0 ** -max(len(stamp.partition(".")[2]) for stamp in stamps if stamp)


def _continuous(
    path: Path, header: EdfHeader, times: NDArray[np.float64], tolerance: float
) -> tuple[tuple[Stretch, ...], float]:
    """The stretches, and by how many seconds stamps and samples drift apart within one at most."""
    duration, rounding = header.record_duration, header.duration_rounding
    begins, drift, before = [Stretch(0, 0.0)], 0.0, 0.0
    # a record's duration lies between `least` and `most`, as narrow as the stretch's stamps leave it
    least, most = duration - rounding, duration + rounding
    for record, onset in enumerate(map(float, times)):
        if record == 0 or onset != onset:
            continue
        count, since = record - begins[-1].record, onset - begins[-1].onset
        # above zero: late
        off = max(since - most * count, 0.0) or min(since - least * count, 0.0)
        at_once = off - before if max(abs(off), abs(before)) > tolerance else 0.0
        beyond = abs(off) > tolerance + _DRIFT * since
        if at_once < -tolerance or (beyond and off < 0):
            raise RecordingError(
                path,
                f"data record {record + 1} begins {-min(off, at_once):.6g} s before the one before it ends: "
                "time that overlaps or goes back can't be put in order as a gap can",
            )
        if at_once > tolerance or beyond:
            begins.append(Stretch(record, onset))
            least, most, before = duration - rounding, duration + rounding, 0.0
            continue
        before, drift = off, max(drift, off, key=abs)
        least = max(least, min(most, (since - tolerance) / count))
        most = min(most, max(least, (since + tolerance) / count))
    return tuple(begins), drift


def _stamps(path: Path, header: EdfHeader, records: int) -> Iterator[str | None]:
    """What the first `records` records tell of when they begin; nothing without annotations."""
    own = header.annotations
    if own is None:
        return
    counts = [signal.samples_per_record for signal in header.signals]
    at, step = header.bytes + header.sample_bytes * sum(counts[:own]), header.record_bytes
    width = min(_LONGEST_STAMP, header.sample_bytes * counts[own])
    at_once = max(1, _BLOCK // step) if step < _NEAR else 1
    with path.open("rb", buffering=0) as file:
        for first in range(0, records, at_once):
            last = min(first + at_once, records) - first
            block = os.pread(file.fileno(), (last - 1) * step + width, at + first * step)
            for begin in range(0, last * step, step):
                match = _STAMP.match(block, begin, begin + width)
                yield None if match is None else match[1].decode().replace(",", ".")
