"""Siena's seizure lists, written by hand for readers, as onsets and durations.

What is put right was found in the fourteen lists of version 1.0.0; each rule names the place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from secateur.errors import CohortError
from secateur.events import Event

DAY = 86400
SLACK = 60
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
        onset, lasts = (paragraph.start - begin) % DAY, (paragraph.end - paragraph.start) % DAY
        length = duration if paragraph.finish is None else float((paragraph.finish - begin) % DAY)
        notes += [*paragraph.notes, *doubts]
        if paragraph.finish is not None and onset > length + SLACK:
            raise CohortError(
                f"the list tells a seizure at {hhmmss(paragraph.start)}, outside the recording, which it "
                f"tells to go from {hhmmss(begin)} to {hhmmss(paragraph.finish)}"
            )
        if onset + lasts > length + SLACK and 0 < lasts % 3600 <= _LONGEST_AFTER_A_SLIP < lasts:
            # PN00-3: 18.28.29 to 19.29.29 in a recording that ends at 18.57.13
            lasts %= 3600
            notes.append(
                f"the list tells a seizure from {hhmmss(paragraph.start)} to {hhmmss(paragraph.end)}, past "
                f"the recording's end: the end is taken as {hhmmss(paragraph.start + lasts)}"
            )
        if lasts == 0:
            raise CohortError(f"the list tells a seizure of no length at {hhmmss(paragraph.start)}")
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
            abs((paragraph.finish - begin) % DAY - duration) <= SLACK
            for begin in (paragraph.begin, header)
        )
        if by_header and not by_list:
            taken, why = header, "the file's is taken, which agrees with its length"
    return taken, [
        f"begins at {hhmmss(paragraph.begin)} by the list and at {hhmmss(header)} by the file: {why}"
    ]


def hhmmss(clock: int) -> str:
    """A time of day as the lists write it."""
    clock %= DAY
    return f"{clock // 3600:02d}.{clock // 60 % 60:02d}.{clock % 60:02d}"
