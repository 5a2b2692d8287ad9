"""A plain folder: recordings with TSVs beside them; subjects are guessed from folders' or files' names."""

from __future__ import annotations

import re
from pathlib import Path

from secateur.recordings.layouts.chbmit import SAME_CHILD, child_of
from secateur.recordings.layouts.listing import (
    Folder,
    ListedRecording,
    Listing,
    describe_by_sidecars,
)

NAME = "plain"


def recognises(folder: Folder) -> bool:
    """Any folder with recordings will do."""
    return bool(folder.recordings)


def listing(folder: Folder) -> Listing:
    """Every recording, and a note that says where subjects are taken from."""
    nested = any(len(folder.inner(path).parts) > 1 for path in folder.recordings)
    how = "the folder below the top" if nested else "the file's name up to the first _, - or ."
    notes = [f"plain folder: a recording's subject is taken from {how}"]
    recordings = []
    for path in folder.recordings:
        label = _label(folder.inner(path))
        subject, session = child_of(label) or (label, "")
        if (subject, session) == ("chb01", "chb21") and SAME_CHILD not in notes:
            notes.append(SAME_CHILD)
        key = folder.key(path)
        recordings.append(
            ListedRecording(path, key, subject, session, path.stem, describe_by_sidecars)
        )
    return Listing(folder.name, tuple(recordings), notes=tuple(notes))


def _label(inner: Path) -> str:
    if len(inner.parts) > 1:
        return inner.parts[0]
    match = re.match(r"sub-[A-Za-z0-9]+|[^_\-. ]*", inner.stem)
    return "" if match is None else match[0]
