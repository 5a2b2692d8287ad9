"""The recordings of a folder: what lies there, under which short name each is asked for, and opening it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from secateur.errors import CohortError, RecordingError, RecordingNotFoundError, SecateurError
from secateur.files import stamp_of
from secateur.recordings import ReadingSettings, Recording, files_of
from secateur.recordings.layouts.listing import SUFFIXES
from secateur.recordings.opening import READABLE, open_with_own_labels, readable

STANDSTILL = 60.0
"""Seconds without growth after which a recording counts as complete."""
_ID_DIGITS = 12
_AGAIN = 1.0
"""Seconds after which the header of a recording that grows is read again, at the earliest."""
_SHARE = 20
"""So many times as long as reading it took."""


@dataclass(frozen=True)
class FolderItem:
    """A recording in the folder. `name`: its path below the folder; `id`: of that name, for addresses.

    `live`: whether it has grown lately.
    """

    id: str
    name: str
    path: Path
    live: bool = False


@dataclass
class _Opened:
    """A recording as it was last opened. `again`: when it may be opened again; `grown`: when it last grew."""

    stamp: list[int]
    size: int
    recording: Recording | RecordingError
    again: float
    grown: float


class RecordingsFolder:
    """All recordings below a folder, or the only one of a file.

    Raises `CohortError` where there is none. Links that lead out of the folder are not followed; a recording
    that is one is listed, and refused where it is opened.
    """

    def __init__(self, path: Path, reading: ReadingSettings | None = None) -> None:
        self._reading = reading or ReadingSettings()
        if not path.exists():
            raise CohortError(f"{path}: there is no such folder")
        if path.is_file() and not readable(path):
            raise CohortError(f"{path}: wanted a folder of recordings, or {READABLE}")
        self.path = path if path.is_dir() else path.parent
        self._root = self.path.resolve()
        self._only = None if path.is_dir() else path
        self._opened: dict[str, _Opened] = {}
        self._items = self._listed()
        if not self._items:
            raise CohortError(f"{path}: holds no recordings; wanted {', '.join(SUFFIXES)} files")

    @property
    def is_single(self) -> bool:
        """Whether there is one recording alone."""
        return len(self._items) == 1

    @property
    def is_writable(self) -> bool:
        """Whether tables can be written beside all recordings."""
        return all(os.access(folder, os.W_OK) for folder in {i.path.parent for i in self.items()})

    def items(self) -> list[FolderItem]:
        """What lies there now, by name."""
        self._items = self._listed()
        return [self.item(id) for id in self._items]

    def item(self, id: str) -> FolderItem:
        """The recording of this id. Raises `RecordingNotFoundError` where none is known by it."""
        item = self._items.get(id)
        if item is None:
            raise RecordingNotFoundError("recording", "there is none by this address")
        known = self._opened.get(id)
        live = known is not None and time.monotonic() - known.grown < STANDSTILL
        return replace(item, live=live)

    def open(self, item: FolderItem) -> Recording:
        """The recording, its header read anew where the file has changed.

        Raises `RecordingNotFoundError` where it has gone meanwhile, or `RecordingError`.
        """
        stamp, size = self._state(item)
        known = self._opened.get(item.id)
        if known is None or known.stamp != stamp:
            now = time.monotonic()
            grows = known is not None and size > known.size
            if known is None or not grows or now >= known.again:
                recording = self._attempt(item)
                took = time.monotonic() - now
                known = _Opened(
                    stamp,
                    size,
                    recording,
                    now + max(_AGAIN, _SHARE * took),
                    now if grows else -STANDSTILL,
                )
                self._opened[item.id] = known
        if isinstance(known.recording, RecordingError):
            raise known.recording
        return known.recording

    def _state(self, item: FolderItem) -> tuple[list[int], int]:
        """What changes when the recording's files do, and their size."""
        try:
            if not item.path.resolve().is_relative_to(self._root):
                raise RecordingError(
                    item.name, "is a link that leads out of the folder: not followed"
                )
            parts = files_of(item.path)
            return stamp_of(parts), sum(part.stat().st_size for part in parts)
        except FileNotFoundError:
            self._opened.pop(item.id, None)
            raise RecordingNotFoundError(item.name, "is gone; was it moved?") from None
        except OSError as error:
            raise RecordingError(item.name, f"can't be read ({error.strerror})") from None

    def _attempt(self, item: FolderItem) -> Recording | RecordingError:
        try:
            return open_with_own_labels(item.path, self._reading)[0]
        except RecordingError as error:
            return RecordingError(item.name, error.reason)
        except SecateurError as error:
            return RecordingError(item.name, str(error))

    def _listed(self) -> Mapping[str, FolderItem]:
        if self._only is not None:
            return _by_id([self._only], self.path)
        paths = []
        for parent, folders, names in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            paths += [
                Path(parent, name)
                for name in names
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
            ]
        return _by_id(paths, self.path)


def _by_id(paths: list[Path], folder: Path) -> dict[str, FolderItem]:
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    items = (FolderItem(_id(name), name, names[name]) for name in sorted(names))
    return {item.id: item for item in items}


def _id(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:_ID_DIGITS]
