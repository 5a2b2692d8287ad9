"""The signal since a bed's state was saved, on disk as it came: a process that is killed loses none of it."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from secateur.live.stream import Piece

_HEAD = struct.Struct("<4sqdIII")
"""Of each piece: a mark, the index of its first sample, when it came, channels, samples, and a CRC-32 of the
samples, which follow as float32, channel by channel."""
_MARK = b"EEG1"
_NAME = re.compile(r"spool-(\d{6,})\.raw")


class Spool:
    """Appends pieces to numbered files in `folder`. A state names the file in which it goes on."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self.number = folder, number
        self._file = self._open()

    def _open(self) -> int:
        path = self._folder / f"spool-{self.number:06d}.raw"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def write(self, piece: Piece) -> None:
        """Add a piece, at once for the system to keep. Raises `OSError`, and then the file is as before."""
        values = np.ascontiguousarray(piece.values, dtype="<f4")
        content = values.tobytes()
        head = _HEAD.pack(_MARK, piece.at, piece.arrived, *values.shape, zlib.crc32(content))
        size = os.fstat(self._file).st_size
        if os.writev(self._file, (head, content)) != len(head) + len(content):
            os.ftruncate(self._file, size)
            raise OSError(28, "no space left", str(self._folder))

    def turn(self) -> int:
        """Begin the next file; returns its number."""
        before, self.number = self._file, self.number + 1
        self._file = self._open()
        os.close(before)
        return self.number

    def drop_before(self, number: int) -> None:
        """Remove files that a state has made superfluous."""
        for each, path in _files(self._folder):
            if each < number:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def last_number(folder: Path, least: int) -> int:
    """The number of the last file in `folder`, `least` where there is none."""
    return max((number for number, _ in _files(folder)), default=least)


def pieces_since(folder: Path, number: int) -> Iterator[Piece]:
    """The pieces in the files from `number` on. What a killed process left half written is passed over."""
    for each, path in _files(folder):
        if each >= number:
            yield from _pieces(path)


def _pieces(path: Path) -> Iterator[Piece]:
    with path.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            mark, at, arrived, channels, samples, check = _HEAD.unpack(head)
            if mark != _MARK:
                return
            content = file.read(4 * channels * samples)
            if len(content) < 4 * channels * samples or zlib.crc32(content) != check:
                return
            values = np.frombuffer(content, dtype="<f4").reshape(channels, samples)
            yield Piece(values.astype(np.float32), at, arrived)


def _files(folder: Path) -> list[tuple[int, Path]]:
    matches = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in matches if match)
