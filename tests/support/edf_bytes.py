"""EDF and BDF files written byte by byte, so that nothing in them is a library's choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Range = tuple[str, str]
Unit = str | bytes
Record = Sequence[Any]
"""One data record: of each signal its stored numbers, or what stands in an annotation signal."""


def write_bytes(
    path: Path,
    labels: Sequence[str],
    records: Sequence[Record],
    *,
    bdf: bool = False,
    units: Unit | Sequence[Unit] = "uV",
    physical: Range | Sequence[Range] | None = None,
    digital: Range | Sequence[Range] | None = None,
    duration: str = "1",
    reserved: str = "",
    pad: bytes = b" ",
) -> Path:
    """Write a file; of `units` and ranges one for all signals, or a list."""
    count, width = len(labels), 3 if bdf else 2
    top = 2 ** (8 * width - 1)
    digital = digital or (str(-top), str(top - 1))
    physical = physical or (("-262144", "262143") if bdf else ("-3276.8", "3276.7"))
    columns = [
        [(label, 16) for label in labels],
        [("", 80)] * count,
        [(unit, 8) for unit in _each(units, count)],
        [(ends[0], 8) for ends in _each(physical, count)],
        [(ends[1], 8) for ends in _each(physical, count)],
        [(ends[0], 8) for ends in _each(digital, count)],
        [(ends[1], 8) for ends in _each(digital, count)],
        [("", 80)] * count,
        [
            (str(len(part) // width if isinstance(part, bytes) else len(part)), 8)
            for part in records[0]
        ],
        [("", 32)] * count,
    ]
    fixed = [("X X X X", 80), ("Startdate 01-FEB-2020 X X X", 80), ("01.02.20", 8), ("03.04.05", 8)]
    fixed += [(str(256 * (count + 1)), 8), (reserved, 44), (str(len(records)), 8), (duration, 8)]
    fixed += [(str(count), 4)]
    header = b"\xffBIOSEMI" if bdf else b"0" + 7 * pad
    for text, size in fixed + [field for column in columns for field in column]:
        raw = text if isinstance(text, bytes) else text.encode("latin-1")
        assert len(raw) <= size, (raw, size)
        header += raw + pad * (size - len(raw))
    body = b"".join(
        part if isinstance(part, bytes) else _packed(part, width)
        for record in records
        for part in record
    )
    path.write_bytes(header + body)
    return path


def stamped(onset: str, samples: int = 20, width: int = 2) -> bytes:
    """An annotation signal's part of one record, which begins at `onset` seconds (with its sign)."""
    return f"{onset}\x14\x14\0".encode().ljust(samples * width, b"\0")


def _each(value: Any, count: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * count


def _packed(numbers: NDArray[np.int64], width: int) -> bytes:
    wide = np.ascontiguousarray(numbers, dtype="<i4").view(np.uint8).reshape(-1, 4)
    return wide[:, :width].tobytes()


def write_long(path: Path, labels: Sequence[str], hours: int, noise: Sequence[int] = ()) -> Path:
    """Hours of EDF at 256 Hz in which all is 0 µV but the minutes named; takes no room on the disk."""
    record = [np.zeros(256, np.int64)] * len(labels)
    write_bytes(path, labels, [record])
    size, header = 512 * len(labels), 256 * (len(labels) + 1)
    generator = np.random.default_rng(0)
    with path.open("r+b") as file:
        file.seek(236)
        file.write(str(3600 * hours).encode().ljust(8))
        file.truncate(header + 3600 * hours * size)
        for minute in noise:
            file.seek(header + 60 * minute * size)
            file.write(generator.normal(0, 300, 60 * size // 2).astype("<i2").tobytes())
    return path
