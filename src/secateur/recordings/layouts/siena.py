"""Siena as PhysioNet hands it out: `PNxx/PNxx-N.edf` and `PNxx/Seizures-list-PNxx.txt`.

Source: https://physionet.org/content/siena-scalp-eeg/1.0.0/. `siena_list` reads the lists; here each
paragraph finds its recording.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from secateur.errors import CohortError
from secateur.events import Events
from secateur.recordings.layouts.listing import (
    ByCase,
    Description,
    Folder,
    ListedRecording,
    Listing,
    Problem,
    beyond_the_end,
    list_text,
)
from secateur.recordings.layouts.siena_list import Paragraph, read_paragraphs, to_events
from secateur.recordings.recording import Recording, duration_of

NAME = "siena"
DATA_SET = "Siena"
"""The data set's name whatever its folder is called, so that a patient is the same subject in each copy."""

_WITHOUT_NUMBER = re.compile(r"(?:pn\d\d[-_.]*)?")


_PATIENTS = ByCase(
    title=DATA_SET,
    list_name=re.compile(r"Seizures?-list-(PN\d\d)\.txt", re.IGNORECASE),
    recording=re.compile(r"(PN\d\d)(?:[-_ ].*)?", re.IGNORECASE),
    named="PNxx-N.edf",
    label=str.upper,
    source="https://physionet.org/files/siena-scalp-eeg/1.0.0",
    list_of=lambda patient: f"{patient}/Seizures-list-{patient}.txt",
)
recognises = _PATIENTS.recognises


def listing(folder: Folder) -> Listing:
    """Every patient with their list. A patient without one is one problem."""
    patients, problems = _PATIENTS.cases(folder)
    recordings: list[ListedRecording] = []
    notes: list[str] = []
    for patient, list_path, paths in patients:
        try:
            paragraphs = read_paragraphs(list_text(list_path), list_path)
        except CohortError as error:
            problems.append(Problem(patient, str(error).replace(f"{folder.path}/", "")))
            continue
        matched = match_files(paragraphs, paths)
        problems += [Problem(f"{patient}/{name}", reason) for name, reason in matched.unclear]
        notes += [f"{patient}: {note}" for note in matched.absent]
        for path in paths:
            describe = partial(_describe, path, list_path.name, matched)
            run = path.stem.partition("-")[2]
            key = f"{patient}/{path.stem}"
            recordings.append(ListedRecording(path, key, patient, "", run, describe))
    return Listing(folder.data_set or DATA_SET, tuple(recordings), tuple(problems), tuple(notes))


@dataclass(frozen=True)
class Matched:
    """Which paragraphs speak of which recording.

    `notes`: how a misspelt name was read, by recording; `unclear`: names that fit several recordings, and
    why; `absent`: recordings that are listed and not there.
    """

    paragraphs: dict[Path, list[Paragraph]]
    notes: dict[Path, list[str]]
    unclear: list[tuple[str, str]]
    absent: list[str]


def match_files(paragraphs: Sequence[Paragraph], paths: Sequence[Path]) -> Matched:
    """Give each paragraph to the one recording that it can mean."""
    by_name = {_plain(path.stem): path for path in paths}
    named = {_plain(paragraph.file) for paragraph in paragraphs}
    others = [path for name, path in by_name.items() if name not in named]
    matched = Matched(defaultdict(list), defaultdict(list), [], [])
    for paragraph in paragraphs:
        file = paragraph.file
        name = _plain(file)
        path = by_name.get(name)
        if path is None and _WITHOUT_NUMBER.fullmatch(name):
            # `PN01.edf` and `PN11-.edf` lack their number, or no name is given at all
            if len(others) > 1:
                which = " or ".join(other.name for other in others)
                matched.unclear.append(
                    (file or "?", f"the list names {file or 'no file'}, which may be {which}")
                )
                continue
            path = others[0] if others else None
        if path is None:
            note = f"{file or 'a recording'} is listed and not there"
            if note not in matched.absent:
                matched.absent.append(note)
            continue
        matched.paragraphs[path].append(paragraph)
        if file and file.lower() != path.name.lower():
            note = f"{file} in the list is taken for {path.name}"
            if note not in matched.notes[path]:
                matched.notes[path].append(note)
    return matched


def _plain(name: str) -> str:
    """A file's name without what may be misspelt: `PNO6-1.edf` in PN06 has a letter for its zero."""
    return re.sub(r"\s", "", name.lower()).removesuffix(".edf").replace("o", "0")


def _describe(path: Path, source: str, matched: Matched, recording: Recording) -> Description:
    own = matched.paragraphs.get(path)
    if not own:
        raise CohortError(f"{path}: {source} does not name it, so its seizures are unknown")
    duration = duration_of(recording)
    try:
        seizures, notes = to_events(own, recording.start, duration)
    except CohortError as error:
        raise CohortError(f"{path}: {error}") from None
    events = Events(tuple(seizures), duration, recording.start)
    return Description(events, (*matched.notes.get(path, ()), *notes, *beyond_the_end(events)))
