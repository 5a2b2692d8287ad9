"""CHB-MIT as PhysioNet hands it out: `chbNN/chbNN_MM.edf` and `chbNN/chbNN-summary.txt`.

Source: https://physionet.org/content/chbmit/1.0.0/. The `.seizures` files are not read: the summaries say the
same. Case chb21 was recorded 1.5 years after chb01, from the same child: taken for two, one child would stand
on two sides of a split.
"""

from __future__ import annotations

import re
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

NAME = "chb-mit"
DATA_SET = "CHB-MIT"
"""The data set's name whatever its folder is called, so that a child is the same subject in each copy."""

_CHILDREN = {"chb21": "chb01"}
# chb17a, b and c are three recordings of one case
_CASE = re.compile(r"(chb\d\d)[a-z]?", re.IGNORECASE)
_NAME_OF_THE_SET = re.compile(r"chb[\s_-]?mit", re.IGNORECASE)

SAME_CHILD = "chb21 is the same child as chb01: both are the subject chb01"

_SOURCE = "https://physionet.org/files/chbmit/1.0.0"
_WITH_SEIZURES = "RECORDS-WITH-SEIZURES"

# Whatever else stands in a summary (channels, `Channels changed`, file times, which go past 24:00 and are
# lacking in chb24) is not needed and passed over.
_LINE = re.compile(
    r"(?:(?P<file>File Name)"
    r"|(?P<count>Number of Seizures in File)"
    r"|Seizure(?:\s+\d+)?\s+(?P<edge>Start|End)\s+Time)\s*:\s*(?P<value>.*)",
    re.IGNORECASE,
)

Seizures = tuple[tuple[float, float], ...]
"""Start and end in seconds of each seizure of a file."""


_CASES = ByCase(
    title=DATA_SET,
    list_name=re.compile(r"(chb\d\d)-summary\.txt", re.IGNORECASE),
    recording=re.compile(r"(chb\d\d)[a-z]?_\d+\+?", re.IGNORECASE),
    named="chbNN_MM.edf",
    label=str.lower,
    source=_SOURCE,
    list_of=lambda case: f"{case}/{case}-summary.txt",
)
recognises = _CASES.recognises


def listing(folder: Folder) -> Listing:
    """Every case with its summary. A case without one is one problem."""
    cases, problems = _CASES.cases(folder)
    recordings: list[ListedRecording] = []
    for case, path, paths in cases:
        try:
            summary = read_summary(path)
        except CohortError as error:
            problems.append(Problem(case, str(error).replace(f"{folder.path}/", "")))
            continue
        recordings += [_listed(path, case, summary) for path in paths]
    notes = (SAME_CHILD,) if "chb21" in {case for case, _, _ in cases} else ()
    return Listing(folder.data_set or DATA_SET, tuple(recordings), tuple(problems), notes)


def child_of(label: str) -> tuple[str, str] | None:
    """Subject and session of a label such as `chb21`; None where it names no case of CHB-MIT."""
    match = _CASE.fullmatch(label)
    if match is None:
        return None
    case = match[1].lower()
    return _CHILDREN.get(case, case), case


def bids_child_of(label: str, session: str, name: str) -> tuple[str, str]:
    """The same for BIDS, where chb21 is `sub-chb21`, or `sub-21` of a data set named CHB-MIT.

    Any other label stays as it is, with its session.
    """
    numbered = _NAME_OF_THE_SET.search(name) is not None and re.fullmatch(r"\d\d", label)
    child = child_of(f"chb{label}" if numbered else label)
    if child is None or child[0] == child[1]:
        return label, session
    subject, case = child
    return subject[3:] if numbered else label[:3] + subject[3:], case


def read_summary(path: Path) -> dict[str, Seizures]:
    """The seizures of each file that a `chbNN-summary.txt` names, by the file's name without its end.

    Raises `CohortError` with the line where the summary contradicts itself.
    """
    seizures: dict[str, list[tuple[float, float]]] = {}
    counts: dict[str, int] = {}
    name, start = "", None
    for number, line in enumerate(list_text(path).splitlines(), start=1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        where, value = f"{path}, line {number}", match["value"]
        if match["file"]:
            if start is not None:
                raise CohortError(f"{where}: a seizure of {name} has a start and no end")
            name = Path(value).stem.lower()
            seizures.setdefault(name, [])
        elif not name:
            raise CohortError(f"{where}: seizures stand before any File Name")
        elif match["count"]:
            counts[name] = round(_seconds(value, where))
        elif match["edge"].lower() == "start":
            start = _seconds(value, where)
        else:
            end = _seconds(value, where)
            if start is None or end <= start:
                raise CohortError(f"{where}: a seizure ends at {end:g} s without starting before")
            seizures[name].append((start, end))
            start = None
    if start is not None:
        raise CohortError(f"{path}: ends inside a seizure; is it whole?")
    for name, count in counts.items():
        if count != len(seizures[name]):
            raise CohortError(
                f"{path}: {name} is said to have {count} seizures and {len(seizures[name])} are listed"
            )
    return {name: tuple(own) for name, own in seizures.items()}


def _seconds(value: str, where: str) -> float:
    match = re.fullmatch(r"(\d{1,7})(?:\s*seconds?)?", value, re.IGNORECASE)
    if match is None:
        raise CohortError(f"{where}: wanted a number of seconds")
    return float(match[1])


def _listed(path: Path, case: str, summary: dict[str, Seizures]) -> ListedRecording:
    subject, session = child_of(case) or (case, case)
    describe = partial(_describe, path, case, summary)
    return ListedRecording(path, f"{case}/{path.stem}", subject, session, path.stem, describe)


def _describe(
    path: Path, case: str, summary: dict[str, Seizures], recording: Recording
) -> Description:
    notes: tuple[str, ...] = ()
    seizures = summary.get(path.stem.lower())
    if seizures is None:
        # The summary of chb24 leaves out those of its files that have no seizure
        if not _known_free(path):
            raise CohortError(
                f"{path}: {case}-summary.txt does not name it, so its seizures are unknown; put "
                f"{_SOURCE}/{_WITH_SEIZURES} beside or above to tell those without"
            )
        seizures = ()
        notes = (
            f"{case}-summary.txt does not name it, nor does {_WITH_SEIZURES}: no seizures in it",
        )
    events = Events(
        tuple(Event(start, end - start) for start, end in seizures),
        duration_of(recording),
        recording.start,
    )
    return Description(events, notes + beyond_the_end(events))


def _known_free(path: Path) -> bool:
    """Whether the data set's list of recordings with seizures is there and does not name `path`."""
    for folder in list(path.parents)[:2]:
        known = folder / _WITH_SEIZURES
        if known.is_file():
            named = {Path(line.strip()).name.lower() for line in list_text(known).splitlines()}
            return path.name.lower() not in named
    return False
