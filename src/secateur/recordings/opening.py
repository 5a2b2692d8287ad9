"""One way to open a recording, whatever its format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from secateur.errors import ChannelsError, RecordingError, RecordingNotFoundError
from secateur.files import archive_of, kind_of
from secateur.recordings.bonn import BonnRecording
from secateur.recordings.brainvision import BrainVisionRecording, brainvision_files
from secateur.recordings.edf import EdfRecording
from secateur.recordings.recording import ReadingSettings, Recording

_BY_SUFFIX: dict[str, Callable[[Path, ReadingSettings], Recording]] = {
    ".edf": EdfRecording,
    ".bdf": EdfRecording,
    ".vhdr": BrainVisionRecording,
    ".txt": BonnRecording,
}
READABLE = "an .edf, .bdf or .vhdr (BrainVision) file, or a .txt of Bonn's"
"""What can be opened, in words."""


def readable(path: Path) -> bool:
    """Whether a file's name ends as a recording's does."""
    return path.suffix.lower() in _BY_SUFFIX


def open_recording(path: Path | str, reading: ReadingSettings | None = None) -> Recording:
    """Open a recording; reads its header only (Bonn's text files have none and are read whole).

    `path` may lead into a zip archive as if that were a folder: `Z.zip/Z001.txt`. `reading`: how gaps and
    labels are taken (None: the defaults). Raises `RecordingNotFoundError`, or `RecordingError` naming the
    file and what is wrong with it.
    """
    path = Path(path)
    opener = _BY_SUFFIX.get(path.suffix.lower())
    if opener is None:
        if not path.exists() and archive_of(path) is None:
            raise RecordingNotFoundError(path, "there is no such file")
        raise RecordingError(path, f"is {kind_of(path)}; wanted {READABLE}")
    return opener(path, reading or ReadingSettings())


def open_with_own_labels(path: Path, reading: ReadingSettings) -> tuple[Recording, ReadingSettings]:
    """A recording of many, with those of its labels renamed that it has.

    Returns the recording and its reading, without the other labels. Raises as `open_recording` does.
    """
    try:
        return open_recording(path, reading), reading
    except ChannelsError as error:
        if not error.missing:
            raise
        rename = {old: new for old, new in reading.rename.items() if old not in error.missing}
        reading = reading.model_copy(update={"rename": rename})
        return open_recording(path, reading), reading


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that hold one recording: of BrainVision up to three. Raises `RecordingError`."""
    return brainvision_files(path) if path.suffix.lower() == ".vhdr" else (path,)
