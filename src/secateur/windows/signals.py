"""Prepared signals on disk, read a stretch at a time.

Comes in: pieces of a signal, once. Goes out: a `Signal`, from which any stretch can be read again. Next:
`cache` keeps them, `prepared` cuts windows out of them.

A file is a NumPy array of channels × samples in Fortran order: sample after sample, each with all its
channels. So it is written in one go as pieces come, and a window is one read at one place. Reads are plain
reads, not a memory map: a map of a large cohort counts as resident memory, and each map of a cohort of
thousands would hold a file open.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RunError
from secateur.files import replacing

_WIDTH = 4


@dataclass(frozen=True)
class Signal:
    """Channels × samples, µV, float32, in a file. `first` and `channels`: which of its rows these are."""

    path: Path
    offset: int
    rows: int
    samples: int
    first: int
    channels: int

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples."""
        return self.channels, self.samples

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples [`start`, `stop`) of all channels: channels × samples, not to be written to.

        Raises `RunError` where the file is gone or has shrunk since it was opened.
        """
        end = self.samples if stop is None else stop
        if not 0 <= start <= end <= self.samples:
            raise IndexError(f"samples {start} to {end} of {self.samples}")
        step = self.rows * _WIDTH
        size = (end - start) * step
        raw = b""
        try:
            handle = os.open(self.path, os.O_RDONLY)
            try:
                raw = os.pread(handle, size, self.offset + start * step)
                while len(raw) < size:  # one read gives at most 2 GiB
                    more = os.pread(handle, size - len(raw), self.offset + start * step + len(raw))
                    if not more:
                        break
                    raw += more
            finally:
                os.close(handle)
        except OSError as error:
            raise self._gone(error.strerror or "unreadable") from None
        if len(raw) < size:
            raise self._gone("it has become shorter")
        values: NDArray[np.float32] = np.frombuffer(raw, dtype="<f4").reshape(-1, self.rows)
        return values.T[self.first : self.first + self.channels]

    def pieces(self, samples: int) -> Iterator[NDArray[np.float32]]:
        """The whole signal in pieces of `samples`, the last one shorter."""
        for start in range(0, self.samples, samples):
            yield self.read(start, min(start + samples, self.samples))

    def part(self, start: int, stop: int) -> Signal:
        """Samples [`start`, `stop`) as a signal by itself."""
        offset = self.offset + start * self.rows * _WIDTH
        return replace(self, offset=offset, samples=stop - start)

    def channel(self, index: int) -> Signal:
        """One channel by itself."""
        return replace(self, first=self.first + index, channels=1)

    def _gone(self, reason: str) -> RunError:
        return RunError(
            f"{self.path}: a prepared recording can't be read any more ({reason}); was the cache deleted? "
            "The same command makes it anew"
        )


def write_signal(
    path: Path, rows: int, samples: int, pieces: Iterable[NDArray[np.float32]]
) -> None:
    """Write `pieces` (rows × any number, `samples` in all) to `path`, whole or not at all."""
    with replacing(path) as beside, beside.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": True, "shape": (rows, samples)}
        np.lib.format.write_array_header_1_0(file, header)
        written = 0
        for piece in pieces:
            file.write(np.ascontiguousarray(piece.T, dtype="<f4").data)
            written += piece.shape[1]
        if written != samples:
            raise AssertionError(
                f"{written} samples came out of the chain, {samples} were expected"
            )


def open_signal(path: Path) -> Signal | None:
    """The signal in `path`; None where there is none, or a damaged one."""
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
        size = path.stat().st_size
    except (OSError, ValueError):
        return None
    if not fortran or kind != np.dtype("<f4") or len(shape) != 2:
        return None
    rows, samples = shape
    if size != offset + rows * samples * _WIDTH:
        return None
    return Signal(path, offset, rows, samples, 0, rows)
