"""What every layout works with: the files of a folder, and the recordings that it lists.

Comes in: a folder on disk. Goes out: `Folder` (its files, walked once), and the shapes in which a layout
answers: `Listing`, `Listed`, `Told`, `Problem`. Next: each layout fills a `Listing`, `cohort` opens what
it lists.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import CohortError, EventsError
from secateur.events import Events, read_tsv
from secateur.recordings.recording import Recording, duration_of

SUFFIXES = (".edf", ".bdf", ".vhdr")
"""Recordings with many channels, by the end of their names; what BIDS allows."""

_ALSO_LOOKED_AT = (".txt", ".zip")
_LIST_LIMIT = 2**20
"""Bytes of the longest list that is read; the data sets' own have some thousand."""

_ROUNDED = 0.01
"""Seconds by which a list with two digits may pass the end of a file that ends on it."""

_NOT_RAW = {"derivatives", "sourcedata"}
"""Folders in which BIDS keeps what was made of the recordings, or what they were made of."""
_TSV_ENDINGS = ("_events.tsv", ".tsv", "_annotations.tsv")


UNKNOWN = "unknown"
"""The one subject of a data set that doesn't tell who was recorded."""


@dataclass(frozen=True)
class Problem:
    """A recording that is left out, and why. `key` is free of local paths."""

    key: str
    reason: str


@dataclass(frozen=True)
class Told:
    """What a data set tells of one recording; see `Entry`."""

    events: Events
    notes: tuple[str, ...] = ()
    source: str = ""
    source_start: float = 0.0
    simulated: bool = False


@dataclass(frozen=True)
class Listed:
    """A recording that is there. `subject`: the label alone; `tell`: its events, once it is open."""

    path: Path
    key: str
    subject: str
    session: str
    run: str
    tell: Callable[[Recording], Told]


@dataclass(frozen=True)
class Listing:
    """All that a layout finds in a folder."""

    name: str
    recordings: tuple[Listed, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    subjects_known: bool = True


@dataclass(frozen=True)
class Folder:
    """A folder and the files below it that may matter, sorted.

    `told_name`: the data set's name in `dataset_description.json`, or empty.
    """

    path: Path
    told_name: str
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The data set's name, or the folder's where none is told."""
        return self.told_name or self.path.resolve().name

    @property
    def recordings(self) -> list[Path]:
        """EDF, BDF and BrainVision files."""
        return [path for path in self.files if path.suffix.lower() in SUFFIXES]

    def inner(self, path: Path) -> Path:
        """`path` from this folder on."""
        return path.relative_to(self.path)

    def key(self, path: Path) -> str:
        """What a recording is called where the layout has no better name."""
        return self.inner(path).with_suffix("").as_posix()


@dataclass(frozen=True)
class ByCase:
    """How a data set lies that has a folder for each case, and beside its recordings a list of seizures.

    `list_name` and `recording` match file names (without their end), both with the case's label as their
    first group. `named`: how recordings are called, for people. `label`: how a case is written.
    `list_of`: where a case's list lies, below `source`.
    """

    title: str
    list_name: re.Pattern[str]
    recording: re.Pattern[str]
    named: str
    label: Callable[[str], str]
    source: str
    list_of: Callable[[str], str]

    def recognises(self, folder: Folder) -> bool:
        """Whether a list is there, or a case's recordings without anything that tells their seizures."""
        if any(self.list_name.fullmatch(path.name) for path in folder.files):
            return True
        own = [path for path in folder.recordings if self.recording.fullmatch(path.stem)]
        return bool(own) and all(events_path(path) is None for path in own)

    def cases(self, folder: Folder) -> tuple[list[tuple[str, Path, list[Path]]], list[Problem]]:
        """Each case with its list and its recordings; a case without a list is a problem, told once."""
        lists = {
            (path.parent, self.label(match[1])): path
            for path in folder.files
            if (match := self.list_name.fullmatch(path.name))
        }
        by_case: dict[tuple[Path, str], list[Path]] = defaultdict(list)
        problems: list[Problem] = []
        for path in folder.recordings:
            match = self.recording.fullmatch(path.stem)
            if match is None:
                reason = f"not named as {self.title}'s recordings are: {self.named}"
                problems.append(Problem(folder.key(path), reason))
            else:
                by_case[path.parent, self.label(match[1])].append(path)
        found: list[tuple[str, Path, list[Path]]] = []
        for (place, case), paths in by_case.items():
            told = lists.get((place, case))
            if told is not None:
                found.append((case, told, paths))
                continue
            wanted = self.list_of(case)
            plural = "" if len(paths) == 1 else "s"
            reason = (
                f"{len(paths)} recording{plural} and no {wanted.rpartition('/')[2]} beside, which lists "
                f"the seizures; get it from {self.source}/{wanted}"
            )
            problems.append(Problem(case, reason))
        return found, problems


def walked(folder: Path, told_name: str) -> Folder:
    """Look at all files below, hidden ones left out, through linked folders too (but not in circles)."""
    found: list[Path] = []
    been: set[str] = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        inner[:] = [] if real in been else [n for n in inner if n[0] != "." and n not in _NOT_RAW]
        if real not in been:
            found += [Path(place, name) for name in names if name[0] != "."]
        been.add(real)
    wanted = (*SUFFIXES, *_ALSO_LOOKED_AT)
    files = (path for path in found if path.suffix.lower() in wanted and path.is_file())
    return Folder(folder, told_name, tuple(sorted(files)))


def events_path(recording: Path) -> Path | None:
    """The TSV beside a recording, or None."""
    stem = recording.stem
    stems = [stem.removesuffix("_eeg"), stem] if stem.endswith("_eeg") else [stem]
    for base in stems:
        for ending in _TSV_ENDINGS:
            candidate = recording.with_name(base + ending)
            if candidate.is_file():
                return candidate
    return None


def told_beside(recording: Recording) -> Told:
    """What the `_events.tsv` and the JSON file beside a recording tell. Raises `EventsError`."""
    path = recording.path
    tsv = events_path(path)
    if tsv is None:
        raise EventsError(
            f"{path}: no events beside it; wanted {path.stem.removesuffix('_eeg')}_events.tsv "
            "(a recording without seizures has one with a bckg row)"
        )
    sidecar = json_object(path.with_suffix(".json"))
    source_start = sidecar.get("SourceStart")
    events = read_tsv(tsv, duration_of(recording), cut=False)
    return Told(
        events,
        beyond_the_end(events),
        source=str(sidecar.get("SourceRecord", "")),
        source_start=float(source_start) if isinstance(source_start, int | float) else 0.0,
        simulated=bool(sidecar.get("Simulated")),
    )


def beyond_the_end(events: Events) -> tuple[str, ...]:
    """A note for each seizure that a list puts past the end of its file; it is kept as listed."""
    return tuple(
        f"a seizure is listed from {event.onset:g} to {event.end:g} s and the file ends at "
        f"{events.duration:g} s: kept as listed"
        for event in events
        if event.end > events.duration + _ROUNDED
    )


def json_object(path: Path) -> dict[str, object]:
    """A JSON object, or an empty one where there is no such file. Raises `CohortError`."""
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        raise CohortError(f"{path}: not readable JSON") from None
    if not isinstance(read, dict):
        raise CohortError(f"{path}: wanted a JSON object")
    return read


def list_text(path: Path) -> str:
    """The text of a data set's list. Raises `CohortError` where it can't be read or is no text."""
    try:
        size = path.stat().st_size
        if size > _LIST_LIMIT:
            raise CohortError(f"{path}: {size} bytes, a list has at most {_LIST_LIMIT}")
        # latin-1 has a letter for every byte; zero bytes tell that it is no text
        text = path.read_text(encoding="latin-1").removeprefix("\u00ef\u00bb\u00bf")
    except OSError as error:
        raise CohortError(f"{path}: cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise CohortError(f"{path}: not a text file (it holds zero bytes)")
    return text
