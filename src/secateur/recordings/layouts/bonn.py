"""Bonn University's five sets of 100 single-channel segments, as folders or as the archives they come in.

Folders are called `setA` to `setE`, `Z`, `O`, `N`, `F` or `S`; segments of set E are a seizure from end to
end. Who was recorded is not known, so all segments stand under one subject, `unknown`, and `subjects_known`
is False. Source: Andrzejak et al., Physical Review E 64, 061907 (2001), https://doi.org/10.1103/PhysRevE.64.061907.
"""

from __future__ import annotations

import re
from pathlib import Path

from secateur.errors import CohortError
from secateur.events import Event, Events
from secateur.files import members_of
from secateur.recordings.bonn import SEGMENT
from secateur.recordings.layouts.listing import (
    UNKNOWN,
    Description,
    Folder,
    ListedRecording,
    Listing,
    Problem,
)
from secateur.recordings.recording import Recording, duration_of

NAME = "bonn"
DATA_SET = "Bonn"

SETS = {"Z": "A", "O": "B", "N": "C", "F": "D", "S": "E"}
"""The letter that begins a segment's name, and the set that it belongs to."""

_ICTAL = "E"
_ARCHIVE = re.compile(r"(?:set[ _-]?)?([A-FNOSZ])\.zip", re.IGNORECASE)
_SET_FOLDER = re.compile(r"set[ _-]?([A-E])", re.IGNORECASE)
_NOTE = (
    "Bonn does not tell who was recorded: a split by recording may have one person on both sides, "
    "and scores then say nothing about people not seen before"
)


def recognises(folder: Folder) -> bool:
    """Whether Bonn's segments or archives are there and nothing else that is a recording."""
    return not folder.recordings and any(
        SEGMENT.fullmatch(path.name) or _ARCHIVE.fullmatch(path.name) for path in folder.files
    )


def listing(folder: Folder) -> Listing:
    """Every segment once: where it lies in a folder and in an archive too, the folder's is taken."""
    paths = [path for path in folder.files if SEGMENT.fullmatch(path.name)]
    problems: list[Problem] = []
    for archive in folder.files:
        if _ARCHIVE.fullmatch(archive.name):
            try:
                members = (Path(name) for name in sorted(members_of(archive)))
                own = [archive / member for member in members if SEGMENT.fullmatch(member.name)]
                paths += own
                if not own:
                    reason = "holds no segment (Z001.txt and so on); is it whole?"
                    problems.append(Problem(folder.inner(archive).as_posix(), reason))
            except OSError as error:
                reason = f"cannot be read ({error.strerror})"
                problems.append(Problem(folder.inner(archive).as_posix(), reason))
    segments: dict[str, ListedRecording] = {}
    twice = 0
    for path in paths:
        name = path.stem.upper()
        letter = SETS[name[0]]
        key = f"set{letter}/{name}"
        sets = [match[1].upper() for part in path.parts if (match := _SET_FOLDER.fullmatch(part))]
        if sets and sets[-1] != letter:
            reason = f"lies in set{sets[-1]} and is called as set {letter}'s segments are"
            problems.append(Problem(folder.inner(path).as_posix(), reason))
        elif key in segments:
            twice += 1
        else:
            segments[key] = ListedRecording(path, key, UNKNOWN, letter, name[1:], _describe)
    notes = [_NOTE]
    if twice:
        notes.append(f"{twice} segments are there twice: each is taken once")
    recordings = tuple(segments[key] for key in sorted(segments))
    name = folder.data_set or DATA_SET
    return Listing(name, recordings, tuple(problems), tuple(notes), subjects_known=False)


def _describe(recording: Recording) -> Description:
    letter = SETS.get(recording.path.stem[0].upper())
    if letter is None:
        raise CohortError(f"{recording.path}: not named as Bonn's segments are")
    duration = duration_of(recording)
    seizures = (Event(0.0, duration),) if letter == _ICTAL else ()
    return Description(Events(seizures, duration))
