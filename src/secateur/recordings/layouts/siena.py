"""Siena as PhysioNet hands it out: `PNxx/PNxx-N.edf` and `PNxx/Seizures-list-PNxx.txt`.

Source: https://physionet.org/content/siena-scalp-eeg/1.0.0/. The lists were written by hand for readers: what
is put right was found in the fourteen lists of version 1.0.0, and each rule names the place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from secateur.errors import CohortError
from secateur.events import Event, Events
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
from secateur.recordings.recording import Recording, duration_of

NAME = "siena"
DATA_SET = "Siena"
"""The data set's name whatever its folder is called, so that a patient is the same subject in each copy."""

_WITHOUT_NUMBER = re.compile(r"(?:pn\d\d[-_.]*)?")
_DAY = 86400
_SLACK = 60
"""Seconds by which a list's end and the file's may differ: in eighteen recordings it is 20."""
_LONGEST_AFTER_A_SLIP = 600

# `Start time:` without `Seizure`: PN01. No space after the colon: PN03, PN05, PN06, PN10, PN14, PN16.
_LINE = re.compile(
    r"(?:(?P<file>file\s*name)"
    r"|(?P<begin>registration\s+start(?:\s+time)?)"
    r"|(?P<finish>registration\s+end(?:\s+time)?)"
    r"|(?P<start>(?:seizure\s+)?start(?:\s+time)?)"
    r"|(?P<end>(?:seizure\s+)?end(?:\s+time)?))"
    r"\s*:\s*(?P<value>.*)",
    re.IGNORECASE,
)
# `19.58.36`; `21:51:02` in PN01; `16:13.23` in PN12; `1 6.49.25` in PN10
_CLOCK = re.compile(r"(?<!\d)(\d ?\d|\d)[.:](\d\d)[.:](\d\d)(?!\d)")

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
class Paragraph:
    """One seizure as listed: clock times in seconds since midnight; `begin`, `finish`: the recording's.

    `file` is empty where none is named.
    """

    file: str
    begin: int | None
    finish: int | None
    start: int
    end: int
    notes: tuple[str, ...] = ()


def read_paragraphs(text: str, path: Path) -> list[Paragraph]:
    """All seizures of a list. Raises `CohortError` with the line where it can't be understood.

    A file's name and its times hold until another name comes: PN01 tells them once above both its
    seizures, PN12 once for the two of its first file.
    """
    paragraphs: list[Paragraph] = []
    file = ""
    begin: int | None = None
    finish: int | None = None
    start: int | None = None
    notes: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        where = f"{path}, line {number}"
        if match["file"]:
            if start is not None:
                raise CohortError(f"{where}: a seizure before it has a start and no end")
            if match["value"].lower() != file.lower():
                file, begin, finish = match["value"], None, None
            continue
        clock = _clock(match["value"], where, notes)
        if match["begin"]:
            begin = clock
        elif match["finish"]:
            finish = clock
        elif match["start"]:
            if start is not None:
                raise CohortError(f"{where}: a second start before the seizure's end")
            start = clock
        elif start is None:
            raise CohortError(f"{where}: a seizure's end without its start")
        else:
            paragraphs.append(Paragraph(file, begin, finish, start, clock, tuple(notes)))
            start, notes = None, []
    if start is not None:
        raise CohortError(f"{path}: ends inside a seizure; is it whole?")
    return paragraphs


def _clock(value: str, where: str, notes: list[str]) -> int:
    """Seconds since midnight.

    Of two times in one place the later in the line is taken, as SzCORE's annotations of Siena do
    (https://doi.org/10.5281/zenodo.10640762): in PN10 an end `11.41.04 opure 11.40.43`, Italian for "or",
    and an onset in behaviour followed by the one in the EEG.
    """
    times = [
        (int(hour.replace(" ", "")), int(minute), int(second))
        for hour, minute, second in _CLOCK.findall(value)
    ]
    if not times or any(hour > 23 or max(minute, second) > 59 for hour, minute, second in times):
        raise CohortError(f"{where}: wanted a time of day such as 19.58.36")
    if len(times) > 1:
        words = [f"{hour:02d}.{minute:02d}.{second:02d}" for hour, minute, second in times]
        notes.append(f"the list tells {' and '.join(words)} for one time: {words[-1]} is taken")
    hour, minute, second = times[-1]
    return 3600 * hour + 60 * minute + second


def to_events(
    paragraphs: Sequence[Paragraph], start: datetime | None, duration: float
) -> tuple[list[Event], list[str]]:
    """The seizures of one recording in seconds from its start, and what was put right.

    `start` and `duration` (seconds) are the file's own. Raises `CohortError` where the list contradicts
    itself.
    """
    events: list[Event] = []
    notes: list[str] = []
    for paragraph in paragraphs:
        begin, doubts = _reference(paragraph, start, duration)
        # the rest of a day: in PN01, PN03 and PN07 midnight lies between
        onset, lasts = (paragraph.start - begin) % _DAY, (paragraph.end - paragraph.start) % _DAY
        length = duration if paragraph.finish is None else float((paragraph.finish - begin) % _DAY)
        notes += [*paragraph.notes, *doubts]
        if paragraph.finish is not None and onset > length + _SLACK:
            raise CohortError(
                f"the list tells a seizure at {_hhmmss(paragraph.start)}, outside the recording, which it "
                f"tells to go from {_hhmmss(begin)} to {_hhmmss(paragraph.finish)}"
            )
        if onset + lasts > length + _SLACK and 0 < lasts % 3600 <= _LONGEST_AFTER_A_SLIP < lasts:
            # PN00-3: 18.28.29 to 19.29.29 in a recording that ends at 18.57.13
            lasts %= 3600
            notes.append(
                f"the list tells a seizure from {_hhmmss(paragraph.start)} to {_hhmmss(paragraph.end)}, past "
                f"the recording's end: the end is taken as {_hhmmss(paragraph.start + lasts)}"
            )
        if lasts == 0:
            raise CohortError(
                f"the list tells a seizure of no length at {_hhmmss(paragraph.start)}"
            )
        events.append(Event(float(onset), float(lasts)))
    return events, list(dict.fromkeys(notes))


def _reference(
    paragraph: Paragraph, start: datetime | None, duration: float
) -> tuple[int, list[str]]:
    """When the recording began, in seconds since midnight, and what must be said about it.

    That is what the list tells. Not so where only the header agrees with the file's length: for PN14-3
    the list tells 16.17.45, and the header's 19.17.45 and the length give the end that the list tells.
    """
    header = None
    if start is not None:
        header = 3600 * start.hour + 60 * start.minute + start.second
    if paragraph.begin is None:
        if header is None:
            raise CohortError("neither the list nor the file tells when the recording began")
        return header, []
    if header is None or header == paragraph.begin:
        return paragraph.begin, []
    taken, why = paragraph.begin, "the list's is taken"
    if paragraph.finish is not None:
        by_list, by_header = (
            abs((paragraph.finish - begin) % _DAY - duration) <= _SLACK
            for begin in (paragraph.begin, header)
        )
        if by_header and not by_list:
            taken, why = header, "the file's is taken, which agrees with its length"
    return taken, [
        f"begins at {_hhmmss(paragraph.begin)} by the list and at {_hhmmss(header)} by the file: {why}"
    ]


def _hhmmss(clock: int) -> str:
    """A time of day as the lists write it."""
    clock %= _DAY
    return f"{clock // 3600:02d}.{clock // 60 % 60:02d}.{clock % 60:02d}"


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
