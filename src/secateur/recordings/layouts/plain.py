"""A plain folder: recordings with TSVs beside them, and nothing that tells who is who.

Comes in: any folder with recordings. Goes out: these, the subject guessed from the folder below the top or
from the file's name. Next: `cohort`.
"""

from __future__ import annotations

import re
from pathlib import Path

from secateur.recordings.layouts import children
from secateur.recordings.layouts.listing import Folder, Listed, Listing, told_beside

NAME = "plain"


def recognises(folder: Folder) -> bool:
    """Any folder with recordings will do."""
    return bool(folder.recordings)


def listing(folder: Folder) -> Listing:
    """Every recording, and a note that says where subjects are taken from."""
    nested = any(len(folder.inner(path).parts) > 1 for path in folder.recordings)
    how = "the folder below the top" if nested else "the file's name up to the first _, - or ."
    notes = [f"plain folder: a recording's subject is taken from {how}"]
    found = []
    for path in folder.recordings:
        label = _label(folder.inner(path))
        subject, session = children.child_of(label) or (label, "")
        if (subject, session) == ("chb01", "chb21") and children.NOTE not in notes:
            notes.append(children.NOTE)
        found.append(Listed(path, folder.key(path), subject, session, path.stem, told_beside))
    return Listing(folder.name, tuple(found), notes=tuple(notes))


def _label(inner: Path) -> str:
    return inner.parts[0] if len(inner.parts) > 1 else re.split(r"[_\-. ]", inner.stem)[0]
