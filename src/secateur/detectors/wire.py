"""Protocol buffers' wire format, as far as ONNX files use it.

Comes in: bytes from anybody. Goes out: fields one by one, every length checked, nothing copied; or fields
written. Next: `graph` reads and writes models with it, `file` appends metadata.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10

Field = tuple[int, int, "int | memoryview"]
"""A field's number, its wire type, and its value: a number, or the bytes of the others."""


class WireError(ValueError):
    """Bytes that are no message. Its text says in what way."""


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order. Raises `WireError`."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise WireError("a field has no number")
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise WireError(f"a field of kind {kind}")
        if length > end - at:
            raise WireError("a field is longer than what it stands in")
        yield number, kind, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + _LONGEST_VARINT, len(message))):
        byte = message[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), place + 1
        shift += 7
    raise WireError("a number does not end")


def signed(value: int) -> int:
    """A number of 64 bits as one that may be below zero."""
    return value - 2**64 if value >= 2**63 else value


def numbers(kind: int, value: int | memoryview) -> list[int]:
    """Repeated whole numbers, packed or one by one. Raises `WireError`."""
    if isinstance(value, int):
        return [signed(value)]
    if kind != BYTES:
        raise WireError("a whole number of another kind")
    found, at = [], 0
    while at < len(value):
        one, at = _varint(value, at)
        found.append(signed(one))
    return found


def floats(value: int | memoryview, kind: str = "<f4") -> NDArray[np.floating]:
    """Repeated float32 (or `kind` "<f8") numbers, packed or one by one. Raises `WireError`."""
    if isinstance(value, int) or len(value) % np.dtype(kind).itemsize:
        raise WireError("broken floating-point numbers")
    read: NDArray[np.floating] = np.frombuffer(value, dtype=kind)
    return read


def varint(number: int) -> bytes:
    """A number as it is written; one below zero takes ten bytes."""
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def whole(number: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(number << 3 | VARINT) + varint(value)


def text(number: int, value: str | bytes) -> bytes:
    """A field with bytes, or text as UTF-8, or a message that is written already."""
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def single(number: int, value: float) -> bytes:
    """A field with a float32."""
    return varint(number << 3 | FIXED32) + struct.pack("<f", value)
