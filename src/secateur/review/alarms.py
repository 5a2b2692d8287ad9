"""Alarms of `secateur live` for one bed, read from its `alarms.jsonl` as that grows."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from secateur.live.alarm import Alarm
from secateur.live.state import NAME as STATE

Json = dict[str, Any]
NAME = "alarms.jsonl"
MOST = 2000
"""Alarms of either kind that are kept, the latest."""
_LONGEST = 1 << 16
"""Bytes of a line; what is longer is damaged."""
_UNSEEN = (b'"kind":"heartbeat"', b'"kind":"closed"')
"""Of lines that aren't shown. Quotes within a value have a backslash, so this is the field itself."""


class AlarmReader:
    """What is to be seen of a log of alarms: openings and what is technical.

    `bed`: whose alarms; None: all, where the log is of one bed alone. `root`: the log is not followed out of
    this folder, whose path is in no words.
    """

    def __init__(self, path: Path, bed: str | None, root: Path) -> None:
        self._path, self._bed, self._root = path, bed, root
        self._lock = threading.Lock()
        self._file: int | None = None  # its inode
        self._version = 0
        self._problem: str | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._offset = self._damaged = 0
        self._too_long = False  # of the line that is being read the begin has been passed over
        self._counts = {"opened": 0, "technical": 0}
        self._kept: dict[str, deque[Alarm]] = {kind: deque(maxlen=MOST) for kind in self._counts}

    def version(self) -> int:
        """A number that rises with each alarm, and whenever the answer is another; 0: there is nothing."""
        with self._lock:
            self._follow()
            return self._version

    def answer(self) -> Json:
        """The alarms by time. `seconds`: how far the stream had come; `left_out`: earlier ones.

        `damaged`: lines that are no alarms; `problem`: why the log can't be read.
        """
        with self._lock:
            self._follow()
            kept = [alarm for alarms in self._kept.values() for alarm in alarms]
            return {
                "version": self._version,
                "alarms": [self._row(alarm) for alarm in sorted(kept, key=_seconds)],
                "left_out": sum(self._counts.values()) - len(kept),
                "damaged": self._damaged,
                "problem": self._problem,
            }

    def _row(self, alarm: Alarm) -> Json:
        return {
            "seconds": alarm.stream_seconds,
            "kind": alarm.kind,
            "trouble": alarm.trouble,
            "words": alarm.words.replace(f"{self._root}/", ""),
            "channels": list(alarm.channels or ()),
        }

    def _follow(self) -> None:
        """Read what was appended; a log that is another one, or has lost lines, from its begin."""
        problem = None
        try:
            if self._path.resolve().is_relative_to(self._root.resolve()):
                self._read()
            else:
                problem = f"{NAME}: is a link that leads out of the folder: not followed"
        except FileNotFoundError:
            self._become(None)
        except OSError as error:
            problem = f"{NAME}: can't be read ({error.strerror})"
        if problem != self._problem:
            self._problem = problem
            self._version += 1

    def _read(self) -> None:
        status = self._path.stat()
        if status.st_ino != self._file or status.st_size < self._offset:
            self._become(status.st_ino)
        if status.st_size == self._offset:
            return
        with self._path.open("rb") as log:
            log.seek(self._offset)
            while line := log.readline(_LONGEST):
                ends = line.endswith(b"\n")
                if not ends and len(line) < _LONGEST and not self._too_long:
                    break  # half written: its rest is to come
                self._offset += len(line)
                if not self._too_long:
                    self._take(line)
                self._too_long = not ends

    def _become(self, file: int | None) -> None:
        if self._offset:
            self._version += 1
            self._begin_anew()
        self._file = file

    def _take(self, line: bytes) -> None:
        if any(kind in line for kind in _UNSEEN) and _is_single(line):
            return
        try:
            alarm = Alarm.model_validate_json(line)
        except ValidationError:
            self._damaged += 1
            self._version += 1
            return
        if alarm.kind in self._kept and self._bed in (None, alarm.bed):
            self._counts[alarm.kind] += 1
            self._kept[alarm.kind].append(alarm)
            self._version += 1


def no_alarms() -> Json:
    """The answer for a recording beside which there is no log."""
    return {"version": 0, "alarms": [], "left_out": 0, "damaged": 0, "problem": None}


def log_of(table: Path, root: Path) -> AlarmReader | None:
    """The log of the bed whose table of events this is; None where there is none.

    `root`: the folder that is looked at. Above it lies a log only where `root` is the folder of one of
    several beds, which the state beside the log shows.
    """
    if (alone := table.with_name(NAME)).exists():
        return AlarmReader(alone, None, root)
    bed, night = table.parent.name, table.parent.parent
    shared = night / NAME
    if not shared.exists():
        return None
    if table.parent != root:
        return AlarmReader(shared, bed, root)
    if (night / ".state" / bed / STATE).is_file():
        return AlarmReader(shared, bed, night)
    return None


def _is_single(line: bytes) -> bool:
    """Whether a line is one alarm's to its end, as far as can be seen without reading it."""
    return line.count(b'"kind":') == 1 and line.endswith(b"}\n")


def _seconds(alarm: Alarm) -> float:
    return alarm.stream_seconds
