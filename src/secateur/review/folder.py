"""The recordings of a folder: what lies there, under which short name each is asked for, and opening it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import CohortError, RecordingError, RecordingNotFoundError, SecateurError
from secateur.files import stamp_of
from secateur.recordings import ReadingSettings, Recording, files_of
from secateur.recordings.layouts.listing import SUFFIXES
from secateur.recordings.opening import READABLE, open_with_own_labels, readable

_ID_DIGITS = 12


@dataclass(frozen=True)
class FolderItem:
    """A recording in the folder. `name`: its path below the folder; `id`: of that name, for addresses."""

    id: str
    name: str
    path: Path


class RecordingsFolder:
    """All recordings below a folder, or the only one of a file.

    Raises `CohortError` where there is none. Links that lead out of the folder are not followed; a recording
    that is one is listed, and refused where it is opened.
    """

    def __init__(self, path: Path, reading: ReadingSettings | None = None) -> None:
        self._reading = reading or ReadingSettings()
        if path.is_file() and not readable(path):
            raise CohortError(f"{path}: wanted a folder of recordings, or {READABLE}")
        if not path.exists():
            raise CohortError(f"{path}: there is no such folder")
        self.path = path if path.is_dir() else path.parent
        self._root = self.path.resolve()
        self._only = None if path.is_dir() else path
        self._opened: dict[str, tuple[list[int], Recording | RecordingError]] = {}
        self._lock = threading.Lock()
        self._items = self._listed()
        if not self._items:
            raise CohortError(f"{path}: holds no recordings; wanted {', '.join(SUFFIXES)} files")

    def items(self) -> list[FolderItem]:
        """What lies there now, by name."""
        self._items = self._listed()
        return list(self._items.values())

    def item(self, id: str) -> FolderItem:
        """The recording of this id. Raises `RecordingNotFoundError` where none is known by it."""
        item = self._items.get(id)
        if item is None:
            raise RecordingNotFoundError("recording", "there is none by this address")
        return item

    def open(self, item: FolderItem) -> Recording:
        """The recording, its header read anew where the file has changed.

        Raises `RecordingNotFoundError` where it has gone meanwhile, or `RecordingError`.
        """
        try:
            stamp = stamp_of(files_of(item.path))
        except (OSError, SecateurError):
            self._opened.pop(item.id, None)
            if not item.path.exists():
                raise RecordingNotFoundError(item.name, "is gone; was it moved?") from None
            stamp = []
        if not item.path.resolve().is_relative_to(self._root):
            raise RecordingError(item.name, "is a link that leads out of the folder: not followed")
        known = self._opened.get(item.id)
        if known is None or known[0] != stamp:
            known = stamp, self._attempt(item)
            self._opened[item.id] = known
        if isinstance(known[1], RecordingError):
            raise known[1]
        return known[1]

    def _attempt(self, item: FolderItem) -> Recording | RecordingError:
        try:
            return open_with_own_labels(item.path, self._reading)[0]
        except RecordingError as error:
            return RecordingError(item.name, error.reason)

    def _listed(self) -> Mapping[str, FolderItem]:
        if self._only is not None:
            return _by_id([self._only], self.path)
        paths = []
        for parent, folders, names in os.walk(self.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            paths += [
                Path(parent, name)
                for name in sorted(names)
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
            ]
        return _by_id(paths, self.path)


def _by_id(paths: list[Path], folder: Path) -> dict[str, FolderItem]:
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    items = (FolderItem(_id(name), name, names[name]) for name in sorted(names))
    return {item.id: item for item in items}


def _id(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:_ID_DIGITS]
