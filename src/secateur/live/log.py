"""`alarms.jsonl`: every alarm of every bed, a line each, written at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from secateur.live.alarm import Alarm

_AT_ONCE = 1 << 16


class AlarmLog:
    """Opens `path`, or makes it; a last line that a killed process left half written is cut off.

    A line is with the system as soon as `write` returns, so that it outlives this process, and on the disk
    when `sync` has returned.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self._lock = threading.Lock()
        self._size = self._complete(os.fstat(self._file).st_size)
        os.ftruncate(self._file, self._size)
        self._synced = self._size
        self._waiting: list[bytes] = []

    def _complete(self, size: int) -> int:
        """Bytes up to the end of the last complete line."""
        while size:
            begin = max(0, size - _AT_ONCE)
            end = os.pread(self._file, size - begin, begin).rfind(b"\n")
            if end >= 0:
                return begin + end + 1
            size = begin
        return 0

    @property
    def size(self) -> int:
        """Bytes so far: where the next line begins."""
        return self._size

    def write(self, alarm: Alarm) -> None:
        """Add a line. Raises `OSError`; what could not be written is tried again with the next."""
        self._waiting.append(alarm.model_dump_json().encode() + b"\n")
        while self._waiting:
            line = self._waiting[0]
            if os.write(self._file, line) != len(line):
                os.ftruncate(self._file, self._size)
                raise OSError(28, "no space left", str(self.path))
            self._size += len(line)
            self._waiting.pop(0)

    def sync(self) -> None:
        """Wait until all lines are on the disk; may be called from another thread."""
        with self._lock:
            if self._synced != self._size:
                size = self._size
                os.fsync(self._file)
                self._synced = size

    def since(self, offset: int) -> Iterator[Alarm]:
        """The alarms of the lines that begin at `offset` or later; lines that are none are passed over."""
        if offset > self._size:  # another file in its place
            offset = 0
        with self.path.open("rb") as file:
            file.seek(offset)
            for line in file:
                try:
                    yield Alarm.model_validate_json(line)
                except ValidationError:
                    continue

    def close(self) -> None:
        """Bring all lines to the disk and let go of the file."""
        self.sync()
        os.close(self._file)
