"""Events as annotations in a copy of an EDF or BDF file, for viewers that know EDF+ or BDF+.

In the copy a signal of annotations stands behind all others; every stored sample and every field of the
other signals is byte for byte as it was. The form is EDF+'s (https://www.edfplus.info/specs/edfplus.html,
2.2), and BDF+'s: an annotation is its onset, a byte 21 and its duration, a byte 20, its text, a byte 20 and a
byte 0, and may stand in any data record. A plain file becomes EDF+C or BDF+C, and the new signal holds for
each record when it begins.
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
from secateur.recordings.edf import (
    ANNOTATIONS,
    FIXED,
    SIGNAL_FIELDS,
    EdfHeader,
    field_text,
    first_onset,
    read_header,
)

LARGEST_RECORD = {"EDF": 61_440, "BDF": 15 * 2**20}
"""Bytes of a data record: what EDF recommends as the most, and of BDF what EDFlib reads."""

_AT_ONCE = 2**22
"""Bytes that are copied at a time."""

_PATIENT = re.compile(rb"\S+ [FMX] (X|\d\d-[A-Z]{3}-\d{4}) \S+( .*)?")
_RECORDING = re.compile(rb"Startdate (X|\d\d-[A-Z]{3}-\d{4}) \S+ \S+ \S+( .*)?")


def write_annotated(source: Path, target: Path, events: Events) -> tuple[str, ...]:
    """Write a copy of `source` with `events` as annotations to `target`, complete or not at all.

    Returns notes. Onsets are seconds after the first sample, those counted that gaps lost. Without events the
    copy is the file as it is, but for the end of a file that was cut off inside a data record: complete
    records are copied. Memory does not grow with the file. Raises `RecordingError` where the file is neither
    EDF nor BDF, or its records have no room for annotations.
    """
    if source.suffix.lower() not in (".edf", ".bdf"):
        kind = source.suffix or "file without ending"
        raise RecordingError(
            source, f"annotations are written into EDF and BDF alone, not into a {kind}"
        )
    if target.exists() and target.samefile(source):
        raise RecordingError(source, "a copy would take the place of the recording itself")
    header = read_header(source)
    with source.open("rb") as file:
        raw = file.read(header.bytes)
    stamps = _without_stamps(source, header, raw[192:197].decode("latin-1"))
    layout = _laid_out(source, header, raw, _marks(source, header, events), stamps)
    try:
        _write(source, target, _new_header(raw, header, layout), header.bytes, layout)
    except ValueError:
        raise RecordingError(source, "its data records cannot be copied; did it change?") from None
    return _notes(raw) if stamps and len(events) else ()


@dataclass(frozen=True)
class _Layout:
    """What the new signal holds: `width` bytes a record, 0 where there is nothing to add.

    `marks`: the annotations of the first records. `step`: seconds of a record, where each needs a time stamp;
    None where another signal has them.
    """

    records: int
    record_bytes: int
    width: int
    marks: Sequence[bytes]
    step: Decimal | None

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """How many records are next, and their annotations: records × bytes."""
        at_once = max(1, _AT_ONCE // (self.record_bytes + self.width))
        for first in range(0, self.records, at_once):
            numbers = range(first, min(first + at_once, self.records))
            rows = b"".join(self._of(number).ljust(self.width, b"\0") for number in numbers)
            yield (
                len(numbers),
                np.frombuffer(rows, dtype=np.uint8).reshape(len(numbers), self.width),
            )

    def _of(self, record: int) -> bytes:
        own = self.marks[record] if record < len(self.marks) else b""
        return own if self.step is None else _stamp(record, self.step) + own


def _without_stamps(path: Path, header: EdfHeader, kind: str) -> bool:
    """Whether nothing in the file tells when its records begin, so that the new signal must."""
    if header.annotations is not None:
        if not kind.startswith(f"{header.format}+"):
            raise RecordingError(
                path,
                f"it has a signal of annotations, but does not call itself {header.format}+",
            )
        return False
    if header.discontinuous:
        raise RecordingError(path, f"{kind}, and nothing in it tells when its records begin")
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
        step = Decimal(field_text(raw[244:252]).replace(",", ".")).normalize()
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
    width = -(-(stamp + least) // header.sample_bytes) * header.sample_bytes
    most_bytes = LARGEST_RECORD[header.format]
    if own + width > most_bytes:
        raise RecordingError(
            path,
            f"its data records have {own} bytes, with annotations they would have {own + width}; "
            f"{header.format} has at most {most_bytes}",
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


def _new_header(raw: bytes, header: EdfHeader, layout: _Layout) -> bytes:
    """The header with the true number of records and, where something is added, the new signal."""
    count = f"{layout.records:<8}".encode()
    if layout.width == 0:
        return raw[:236] + count + raw[244:]
    form, signals = header.format, len(header.signals)
    plus = raw[192:196] == f"{form}+".encode()
    head = (
        raw[:184],
        f"{FIXED * (signals + 2):<8}".encode(),
        raw[192:236] if plus else f"{form}+C".encode().ljust(44),
        count,
        raw[244:252],
        f"{signals + 1:<4}".encode(),
    )
    top = 2 ** (8 * header.sample_bytes - 1)
    samples = layout.width // header.sample_bytes
    own = (ANNOTATIONS[form], "", "", "-1", "1", str(-top), str(top - 1), "", str(samples), "")
    fields, at = list(head), FIXED
    for (_, width), text in zip(SIGNAL_FIELDS, own, strict=True):
        fields += [raw[at : at + width * signals], text.encode().ljust(width)]
        at += width * signals
    return b"".join(fields)


def _write(source: Path, target: Path, header: bytes, skip: int, layout: _Layout) -> None:
    width = layout.record_bytes
    with (
        source.open("rb") as file,
        replacing(target) as beside,
        beside.open("wb") as out,
    ):
        file.seek(skip)
        out.write(header)
        for count, marks in layout.blocks():
            stored = np.fromfile(file, dtype=np.uint8, count=count * width)
            stored = stored.reshape(count, width)  # fails where the file ends too soon
            np.concatenate((stored, marks), axis=1).tofile(out)


def _notes(raw: bytes) -> tuple[str, ...]:
    fields = ((raw[8:88], _PATIENT, "patient"), (raw[88:168], _RECORDING, "recording"))
    odd = [name for field, form, name in fields if not form.fullmatch(field.rstrip(b" \0"))]
    if not odd:
        return ()
    return (
        f"not in the form of EDF+, and left so in the annotated copy, which strict readers may refuse: "
        f"the header's {' and '.join(odd)} field",
    )
