"""A bed's signal as a growing EDF+: whole data records are appended as they fill, none is ever rewritten.

Format: https://www.edfplus.info (EDF+D: each record tells when it begins, so that gaps are gaps).
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RunError, SettingsError
from secateur.live.stream import StreamInfo
from secateur.recordings.edf import ANNOTATIONS, FIXED, MONTHS, SIGNAL_FIELDS

_STEPS, _MOST = 10, 32767
"""Stored numbers in a microvolt, and the largest: 3,276.7 µV."""
_LONGEST_RECORD = 10
"""Seconds."""
_STAMP_BYTES = 32
_STAMP = re.compile(rb"\+(\d{1,12}(?:\.\d{1,6})?)\x14\x14")
_RECORDS, _START = slice(236, 244), slice(88, 184)
"""Of the header: the number of data records; date and time, once in words."""
_GROWING = b"-1      "
_LABEL = 16

Note = tuple[str, str]
"""What a technical alarm is about, and what it says."""


def recording_name(bed: str) -> str:
    """What the recording of a bed is called, beside its table of events."""
    return f"{bed.removesuffix('_eeg')}_eeg.edf"


class SignalRecorder:
    """Writes all channels of a stream to `path`; see docs/how-to/live.md for what is kept and how.

    A record is filled by samples that follow on each other: those before a gap, or the end, that fill none
    are left out. The first alone begins at sample 0 whatever is lost in it (0 µV), for all times count from
    there.
    Raises `SettingsError` for a rate or a label that EDF can't have.
    """

    def __init__(self, path: Path, info: StreamInfo) -> None:
        self.path = path
        self._rate, self._channels = info.sampling_rate, info.channels
        self._seconds = _record_seconds(info.sampling_rate)
        self._count = round(self._seconds * info.sampling_rate)
        for label in info.channels:
            _check_label(label)
        self._record = np.zeros((len(info.channels), self._count), dtype="<i2")
        self._begin = self._held = 0  # stream's index of the record's first sample, samples in it
        self._header_bytes = FIXED * (len(info.channels) + 2)
        self._record_bytes = 2 * self._record.size + _STAMP_BYTES
        self._file: int | None = None
        self._size = 0
        self._failing = False
        self._notes: set[str] = set()

    def begin(self, *, anew: bool) -> None:
        """Begin, or, unless `anew`, go on behind the last whole record of an earlier process.

        Raises `RunError` where a file is there that can't be gone on with.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return
        if anew:
            raise RunError(f"{self.path}: is there already; choose another --out")
        try:
            self._go_on()
        except OSError as error:
            raise RunError(f"{self.path}: can't be gone on with ({error.strerror})") from None

    def _go_on(self) -> None:
        self._file = os.open(self.path, os.O_RDWR)
        header = os.pread(self._file, self._header_bytes, 0)
        records = (os.fstat(self._file).st_size - self._header_bytes) // self._record_bytes
        if records < 1:  # killed in writing the first
            os.ftruncate(self._file, 0)
            return
        if _without_times(header) != _without_times(self._header(0.0)):
            raise RunError(
                f"{self.path}: not this bed's recording, or damaged; choose another --out"
            )
        while (onset := self._onset(records - 1)) is None and records:
            records -= 1  # a power cut may leave room without content behind
        self._size = self._header_bytes + records * self._record_bytes if records else 0
        os.ftruncate(self._file, self._size)
        if onset is not None:
            os.pwrite(self._file, _GROWING, _RECORDS.start)
            self._begin = round(onset * self._rate) + self._count

    def _onset(self, record: int) -> float | None:
        """Seconds that a record tells; None where it tells none."""
        assert self._file is not None
        at = self._header_bytes + (record + 1) * self._record_bytes - _STAMP_BYTES
        match = _STAMP.match(os.pread(self._file, _STAMP_BYTES, at))
        return None if match is None else float(match[1])

    def push(self, at: int, samples: NDArray[np.float32], start: float) -> list[Note]:
        """Take in channels × samples, µV; what was taken in before is passed over.

        `at`: the stream's index of the first sample; `start`: Unix seconds of sample 0. Returns what is to be
        told: what can't be written, or not as it came.
        """
        known = max(0, self._begin + self._held - at)
        samples, at = samples[:, known:], at + known
        if not samples.shape[1]:
            return []
        notes: list[Note] = []
        if (lost := at - self._begin - self._held) > 0:
            notes += self._skip(lost, start)
        stored = self._stored(samples, notes)
        while stored.shape[1]:
            count = min(self._count - self._held, stored.shape[1])
            self._record[:, self._held : self._held + count] = stored[:, :count]
            self._held += count
            stored = stored[:, count:]
            notes += self._write_full(start)
        return notes

    def _skip(self, lost: int, start: float) -> list[Note]:
        """A gap: the next record begins behind it, or, before there is any, what is lost of it is 0 µV."""
        after = self._begin + self._held + lost
        notes: list[Note] = []
        if self._begin == 0:
            filled = min(lost, self._count - self._held)
            self._record[:, self._held : self._held + filled] = 0
            self._held += filled
            words = f"{filled} samples lost in the recording's first record stand as 0 µV in it"
            notes = [("signal", words), *self._write_full(start)]
        if after > self._begin + self._held:
            self._begin, self._held = after, 0
        return notes

    def _stored(self, samples: NDArray[np.float32], notes: list[Note]) -> NDArray[np.int16]:
        limit = (_MOST + 0.5) / _STEPS
        if not np.abs(samples).max() < limit:  # or there are samples without a value
            if np.isnan(samples).any():
                samples = np.where(np.isnan(samples), np.float32(0), samples)
                notes += self._once("samples without a value stand as 0 µV in the recording")
            if np.abs(samples).max() >= limit:
                notes += self._once(
                    f"amplitudes above {_MOST / _STEPS:,.1f} µV are clipped in the recording"
                )
            samples = np.clip(samples, -_MOST / _STEPS, _MOST / _STEPS)
        stored: NDArray[np.int16] = np.rint(samples * np.float32(_STEPS)).astype(np.int16)
        return stored

    def _once(self, words: str) -> list[Note]:
        if words in self._notes:
            return []
        self._notes.add(words)
        return [("signal", words)]

    def _write_full(self, start: float) -> list[Note]:
        """Append the record if it is full, and begin the next. One that can't be written is left out."""
        if self._held < self._count:
            return []
        begin, self._begin, self._held = self._begin, self._begin + self._count, 0
        try:
            self._append(begin, start)
        except OSError as error:
            if self._failing:
                return []
            self._failing = True
            return [("disk", f"the recording can't be written: {error.strerror}")]
        if not self._failing:
            return []
        self._failing = False
        return [("disk", f"the recording can be written again, from {begin / self._rate:.2f} s")]

    def _append(self, begin: int, start: float) -> None:
        content = self._record.tobytes() + _stamp(begin / self._rate)
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        if not self._size:
            if begin:  # the record at sample 0 could not be written
                content = bytes(2 * self._record.size) + _stamp(0.0) + content
            content = self._header(start) + content
        try:
            complete = os.pwrite(self._file, content, self._size) == len(content)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        if not complete:
            os.ftruncate(self._file, self._size)
            raise OSError(28, os.strerror(28), str(self.path))
        self._size += len(content)

    @property
    def unwritten(self) -> tuple[int, NDArray[np.float32]] | None:
        """What fills no record yet: the stream's index of the first sample, and channels × samples, µV."""
        if not self._held:
            return None
        return self._begin, self._record[:, : self._held].astype(np.float32) / np.float32(_STEPS)

    def sync(self) -> None:
        """Wait until all records are on the disk; may be called from another thread."""
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """State the number of records in the header and let go of the file. Raises `OSError`."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            if self._size:
                records = (self._size - self._header_bytes) // self._record_bytes
                os.pwrite(file, f"{records:<8}".encode(), _RECORDS.start)
                os.fsync(file)
        finally:
            os.close(file)

    def _header(self, start: float) -> bytes:
        """The whole header, of a file that grows; it names no patient."""
        began, signals = datetime.fromtimestamp(start), len(self._channels)
        day = f"{began:%d}-{MONTHS[began.month - 1].decode()}-{began:%Y}"
        fixed = (
            ("0", 8), ("X X X X", 80), (f"Startdate {day} X X X", 80), (f"{began:%d.%m.%y}", 8),
            (f"{began:%H.%M.%S}", 8), (str(self._header_bytes), 8), ("EDF+D", 44), ("-1", 8),
            (str(self._seconds), 8), (str(signals + 1), 4),
        )  # fmt: skip
        low, high = f"{-_MOST / _STEPS:.1f}", f"{_MOST / _STEPS:.1f}"
        eeg = {
            "unit": "uV", "physical_min": low, "physical_max": high, "digital_min": str(-_MOST),
            "digital_max": str(_MOST), "samples": str(self._count),
        }  # fmt: skip
        annotations = {
            "label": ANNOTATIONS["EDF"], "physical_min": "-1", "physical_max": "1",
            "digital_min": "-32768", "digital_max": "32767", "samples": str(_STAMP_BYTES // 2),
        }  # fmt: skip
        rows = [*({**eeg, "label": label} for label in self._channels), annotations]
        fields = [*fixed]
        for name, width in SIGNAL_FIELDS:
            fields += [(row.get(name, ""), width) for row in rows]
        return "".join(text.ljust(width) for text, width in fields).encode("ascii")


def _stamp(seconds: float) -> bytes:
    onset = f"{seconds:.6f}".rstrip("0").rstrip(".")
    return f"+{onset}\x14\x14".encode().ljust(_STAMP_BYTES, b"\0")


def _record_seconds(rate: float) -> int:
    """The shortest record of whole seconds with a whole number of samples."""
    for seconds in range(1, _LONGEST_RECORD + 1):
        count = seconds * rate
        if round(count) >= 1 and abs(count - round(count)) < 1e-6:
            return seconds
    raise SettingsError(
        f"--record: at {rate:.10g} Hz no record of 1 to {_LONGEST_RECORD} s has a whole number of samples, "
        "as EDF wants; leave --record out"
    )


def _check_label(label: str) -> None:
    fits = 0 < len(label) <= _LABEL and label.isascii() and label.isprintable()
    if not fits or label != label.strip() or label in ANNOTATIONS.values():
        raise SettingsError(
            f"--record: the channel label {label!r} can't stand in an EDF, which wants up to {_LABEL} "
            "letters of ASCII; leave --record out"
        )


def _without_times(header: bytes) -> bytes:
    return header[: _START.start] + header[_START.stop : _RECORDS.start] + header[_RECORDS.stop :]
