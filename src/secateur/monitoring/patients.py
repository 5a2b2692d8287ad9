"""Whose a recording is: by its folder, and checked by what headers say."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

_SUBJECT = re.compile(r"sub-[0-9A-Za-z]+")
_ANONYMOUS = {"", "X", "F", "M"}
"""Parts of an EDF+ header's patient field that name nobody."""
_PATIENT_FIELD = slice(8, 88)


def patient_of(name: str, folder: str) -> str:
    """The patient's key for a recording `name`, its path below the folder that is watched.

    A BIDS subject (`sub-07`) where the path or the file's name has one, else the first folder of the path,
    else `folder`, the name of the folder that is watched.
    """
    parts = PurePosixPath(name).parts
    for part in parts:
        match = _SUBJECT.match(part)
        if match is not None:
            return match[0]
    return parts[0] if len(parts) > 1 else folder


def mark_of(path: Path) -> str:
    """Four signs that two recordings of one patient share, from an EDF or BDF header; empty without a name.

    Too few for anyone to tell a name by: of 65,536 names two share them.
    """
    if path.suffix.lower() not in (".edf", ".bdf"):
        return ""
    try:
        with path.open("rb") as file:
            field = file.read(_PATIENT_FIELD.stop)[_PATIENT_FIELD]
    except OSError:  # opening the recording tells what is wrong
        return ""
    parts = field.decode("latin-1").upper().split()
    if set(parts) <= _ANONYMOUS:
        return ""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:4]
