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
_MOST = 1 << 16
"""Fields of one message, and numbers written as varints in one field: each takes much more memory here."""

Field = tuple[int, int, "int | memoryview"]
"""A field's number, its wire type, and its value: a number, or the bytes of the others."""


class WireError(ValueError):
    """Bytes that are no message. Its text says in what way."""


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order. Raises `WireError`."""
    at, end, count = 0, len(message), 0
    while at < end:
        tag, at = _varint(message, at)
        number, kind, count = tag >> 3, tag & 7, count + 1
        if count > _MOST:
            raise WireError(f"a message of more than {_MOST} fields")
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
    found: list[int] = []
    at = 0
    while at < len(value):
        if len(found) == _MOST:
            raise WireError(f"more than {_MOST} whole numbers in a field that is slow to read")
        one, at = _varint(value, at)
        found.append(signed(one))
    return found


def floats(value: int | memoryview, kind: str = "<f4") -> NDArray[np.floating]:
    """Repeated float32 (or `kind` "<f8") numbers, packed or one by one. Raises `WireError`."""
    if isinstance(value, int) or len(value) % np.dtype(kind).itemsize:
        raise WireError("broken floating-point numbers")
    read: NDArray[np.floating] = np.frombuffer(value, dtype=kind)
    return read


class Message:
    """A message taken apart: each field by its name; those that aren't on the list are refused.

    Its methods raise `WireError` where a field is of another kind.
    """

    def __init__(
        self, what: str, message: memoryview, names: dict[int, str], many: str = ""
    ) -> None:
        self.what, self._many = what, set(many.split())
        self._found: dict[str, list[tuple[int, int | memoryview]]] = {}
        for number, kind, value in fields(message):
            if number not in names:
                raise WireError(f"{what} has a field {number}, which no detector has")
            self._found.setdefault(names[number], []).append((kind, value))
        for name, values in self._found.items():
            if len(values) > 1 and name not in self._many:
                raise WireError(f"{what} has {len(values)} times {name}")

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in self._found

    def all(self, name: str) -> Iterator[memoryview]:
        """Messages and texts: what tells its own length."""
        for kind, value in self._found.get(name, ()):
            if kind != BYTES or isinstance(value, int):
                raise WireError(f"{name} of {self.what} is a number")
            yield value

    def text(self, name: str) -> str:
        """A text; "" where there is none."""
        return next(self.texts(name), "")

    def texts(self, name: str) -> Iterator[str]:
        """All texts of that name."""
        for value in self.all(name):
            try:
                yield bytes(value).decode()
            except UnicodeDecodeError:
                raise WireError(f"{name} of {self.what} is no text") from None

    def whole(self, name: str, default: int = 0) -> int:
        """A whole number."""
        for _, value in self._found.get(name, ()):
            if not isinstance(value, int):
                raise WireError(f"{name} of {self.what} is no number")
            return signed(value)
        return default

    def wholes(self, name: str) -> list[int]:
        """Whole numbers, packed or not."""
        return [one for kind, value in self._found.get(name, ()) for one in numbers(kind, value)]

    def floats(self, name: str, kind: str = "<f4") -> NDArray[np.floating]:
        """Floating-point numbers, packed or not."""
        parts = [floats(value, kind) for _, value in self._found.get(name, ())]
        return np.concatenate(parts) if parts else np.empty(0, dtype=kind)


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
