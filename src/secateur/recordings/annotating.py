"""Events as annotations in a copy of an EDF file.

Comes in: an EDF or EDF+ file and `Events`. Goes out: a copy, in which a signal `EDF Annotations` stands
behind all others; every stored sample and every field of the other signals is byte for byte as it was. Next:
any viewer that knows EDF+ shows the events.

The form is EDF+'s (https://www.edfplus.info/specs/edfplus.html, 2.2): an annotation is its onset, a byte 21
and its duration, a byte 20, its text, a byte 20 and a byte 0, and may stand in any data record. A file
without annotations was plain EDF: it becomes EDF+C, and the new signal tells for each record when it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RecordingError
from secateur.events import Event, Events
from secateur.files import replacing
from secateur.recordings.header import ANNOTATIONS, FIXED, EdfHeader, read_header
from secateur.recordings.records import first_onset

LARGEST_RECORD = 61_440
"""Bytes of a data record: what EDF recommends as the most, and what some readers hold to."""

_AT_ONCE = 2**22
"""Bytes that are copied at a time."""

_SIGNAL_FIELDS = (
    (16, ANNOTATIONS["EDF"]),
    (80, ""),
    (8, ""),
    (8, "-1"),
    (8, "1"),
    (8, "-32768"),
    (8, "32767"),
    (80, ""),
    (8, None),
    (32, ""),
)
"""Width of each field, and what the new signal has in it (None: how many samples a record holds)."""

_PATIENT = re.compile(rb"\S+ [FMX] (X|\d\d-[A-Z]{3}-\d{4}) \S+( .*)?")
_RECORDING = re.compile(rb"Startdate (X|\d\d-[A-Z]{3}-\d{4}) \S+ \S+ \S+( .*)?")


def annotate_edf(source: Path, target: Path, events: Events) -> tuple[str, ...]:
    """Write a copy of `source` with `events` as annotations to `target`, whole or not at all.

    Returns notes. Without events the copy is the file as it is, but for the end of a file that was cut off
    inside a data record: whole records are copied. Memory does not grow with the file. Raises
    `RecordingError` where the file is no EDF, or its records have no room for annotations.
    """
    if source.suffix.lower() != ".edf":
        kind = source.suffix or "file without ending"
        raise RecordingError(source, f"annotations are written into EDF alone, not into a {kind}")
    if target.exists() and target.samefile(source):
        raise RecordingError(source, "a copy would take the place of the recording itself")
    header = read_header(source)
    with source.open("rb") as file:
        raw = file.read(FIXED * (1 + len(header.signals)))
    stamps = _stamps_wanted(source, header, raw[192:236])
    layout = _laid_out(source, header, raw, _marks(source, header, events), stamps)
    try:
        _write(source, target, raw, layout)
    except ValueError:
        raise RecordingError(source, "its data records cannot be copied; did it change?") from None
    return _notes(raw) if stamps and len(events) else ()


@dataclass(frozen=True)
class _Layout:
    """What the new signal holds: `width` bytes a record, 0 where there is nothing to add.

    `told`: the annotations of the first records. `step`: seconds of a record, where each is to tell its
    begin; None where another signal does.
    """

    records: int
    record_bytes: int
    width: int
    told: Sequence[bytes]
    step: Decimal | None

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """How many records are next, and their annotations: records × bytes."""
        at_once = max(1, _AT_ONCE // (self.record_bytes + self.width))
        for first in range(0, self.records, at_once):
            numbers = range(first, min(first + at_once, self.records))
            filled = b"".join(self._one(number).ljust(self.width, b"\0") for number in numbers)
            marks = np.frombuffer(filled, dtype=np.uint8)
            yield len(numbers), marks.reshape(len(numbers), self.width)

    def _one(self, record: int) -> bytes:
        own = self.told[record] if record < len(self.told) else b""
        return own if self.step is None else _stamp(record, self.step) + own


def _stamps_wanted(path: Path, header: EdfHeader, reserved: bytes) -> bool:
    """Whether the new signal must tell when each record begins: nothing in the file does."""
    kind = reserved[:5]
    if header.annotations is not None:
        if kind not in (b"EDF+C", b"EDF+D"):
            raise RecordingError(
                path, "it has a signal of annotations, but does not call itself EDF+"
            )
        return False
    if kind == b"EDF+D":
        raise RecordingError(path, "EDF+D, and nothing in it tells when its records begin")
    return True


def _marks(path: Path, header: EdfHeader, events: Events) -> list[bytes]:
    """The events as EDF+ writes annotations; times count from the header's start, not the first sample."""
    begin = first_onset(path, header)
    return [_mark(begin + Decimal(f"{event.onset:.6f}"), event) for event in events]


def _mark(onset: Decimal, event: Event) -> bytes:
    sure = "" if event.confidence is None else f", confidence {event.confidence:.2f}"
    duration = _plain(Decimal(f"{event.duration:.6f}"))
    return f"{_signed(onset)}\x15{duration}\x14{event.kind} (Secateur{sure})\x14\0".encode()


def _stamp(record: int, step: Decimal) -> bytes:
    return f"{_signed(record * step)}\x14\x14\0".encode()


def _signed(seconds: Decimal) -> str:
    return ("-" if seconds < 0 else "+") + _plain(abs(seconds))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _laid_out(
    path: Path, header: EdfHeader, raw: bytes, marks: Sequence[bytes], stamps: bool
) -> _Layout:
    """Spread the annotations over the records, so that each record grows by as little as it may."""
    records, own = header.records, header.record_bytes
    if not marks:
        return _Layout(records, own, 0, (), None)
    step, stamp = None, 0
    if stamps:
        step = Decimal(raw[244:252].decode("latin-1").strip().replace(",", ".")).normalize()
        stamp = len(
            f"+{(records - 1) * step:f}\x14\x14\0"
        )  # zeros at the end, which others leave out
    least, most = max(map(len, marks)), sum(map(len, marks))
    while least < most:
        middle = (least + most) // 2
        if len(_packed(marks, middle)) <= records:
            most = middle
        else:
            least = middle + 1
    width = -(-(stamp + least) // 2) * 2
    if own + width > LARGEST_RECORD:
        raise RecordingError(
            path,
            f"its data records have {own} bytes, with annotations they would have {own + width}; "
            f"EDF has at most {LARGEST_RECORD}",
        )
    return _Layout(records, own, width, _packed(marks, width - stamp), step)


def _packed(marks: Sequence[bytes], room: int) -> list[bytes]:
    """The annotations in their order, as many together as `room` bytes hold."""
    packed = [b""]
    for mark in marks:
        if len(packed[-1]) + len(mark) <= room:
            packed[-1] += mark
        else:
            packed.append(mark)
    return packed


def _new_header(raw: bytes, layout: _Layout) -> bytes:
    """The header with the true number of records and, where something is added, the new signal."""
    signals = len(raw) // FIXED - 1
    count = f"{layout.records:<8}".encode()
    if layout.width == 0:
        return raw[:236] + count + raw[244:]
    reserved = raw[192:236] if raw[192:196] == b"EDF+" else b"EDF+C".ljust(44)
    fixed = (
        raw[:184]
        + f"{FIXED * (signals + 2):<8}".encode()
        + reserved
        + count
        + raw[244:252]
        + f"{signals + 1:<4}".encode()
    )
    fields, at = [fixed], FIXED
    for width, told in _SIGNAL_FIELDS:
        own = str(layout.width // 2) if told is None else told
        fields += [raw[at : at + width * signals], own.encode().ljust(width)]
        at += width * signals
    return b"".join(fields)


def _write(source: Path, target: Path, raw: bytes, layout: _Layout) -> None:
    width = layout.record_bytes
    with (
        source.open("rb") as file,
        replacing(target) as beside,
        beside.open("wb") as out,
    ):
        file.seek(len(raw))
        out.write(_new_header(raw, layout))
        for count, marks in layout.blocks():
            stored = np.fromfile(file, dtype=np.uint8, count=count * width)
            stored = stored.reshape(count, width)  # fails where the file ends too soon
            np.concatenate((stored, marks), axis=1).tofile(out)


def _notes(raw: bytes) -> tuple[str, ...]:
    fields = ((raw[8:88], _PATIENT, "patient"), (raw[88:168], _RECORDING, "recording"))
    odd = [name for field, form, name in fields if not form.fullmatch(field.rstrip(b" "))]
    if not odd:
        return ()
    return (
        f"not in the form of EDF+, and left so in the annotated copy, which strict readers may refuse: "
        f"the header's {' and '.join(odd)} field",
    )
