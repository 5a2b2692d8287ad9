"""What every layout works with: the files of a folder, and what is listed of its recordings."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secateur.counts import plural
from secateur.errors import CohortError, EventsError
from secateur.events import Events, EventTable, read_tsv
from secateur.files import walk_linked
from secateur.recordings.labels import LabelSettings, reviewed_events
from secateur.recordings.recording import Recording, duration_of
from secateur.reviewed import reviewer_of, table_stem

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
_OTHER_FORMATS = (
    ".set", ".fif", ".gdf", ".cnt", ".mff", ".nwb", ".mefd", ".trc", ".eeg.gz", ".edf.gz", ".bdf.gz",
)  # fmt: skip
"""Recordings that can't be read, by the end of their names."""

NO_EVENTS = "no events beside it"
"""Why a recording is left out that has no TSV."""

UNKNOWN = "unknown"
"""The only subject of a data set that doesn't say who was recorded."""


@dataclass(frozen=True)
class Problem:
    """A recording that is left out, and why. `key` is free of local paths."""

    key: str
    reason: str


@dataclass(frozen=True)
class Description:
    """What a data set says about a recording; see `Entry`."""

    events: Events
    notes: tuple[str, ...] = ()
    source: str = ""
    source_start: float = 0.0
    simulated: bool = False


@dataclass(frozen=True)
class ListedRecording:
    """A recording that is there. `subject`: the label alone; `describe`: its events, once it is open."""

    path: Path
    key: str
    subject: str
    session: str
    run: str
    describe: Callable[[Recording], Description]


@dataclass(frozen=True)
class Listing:
    """All that a layout finds in a folder."""

    name: str
    recordings: tuple[ListedRecording, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    subjects_known: bool = True


@dataclass(frozen=True)
class Folder:
    """A folder and the files below it that may matter, sorted.

    `data_set`: the data set's name in `dataset_description.json`, or empty. `notes`: what is there and can't
    be looked at or read. `reviewed`: how many tables of reviewers are there.
    """

    path: Path
    data_set: str
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    reviewed: int = 0

    @property
    def name(self) -> str:
        """The data set's name, or the folder's where it has none."""
        return self.data_set or self.path.resolve().name

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
        """Each case with its list and its recordings; a case without a list is one problem."""
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
        cases: list[tuple[str, Path, list[Path]]] = []
        for (parent, case), paths in by_case.items():
            if (parent, case) in lists:
                cases.append((case, lists[parent, case], paths))
                continue
            list_path = self.list_of(case)
            reason = (
                f"{plural(len(paths), 'recording')} and no {list_path.rpartition('/')[2]} beside, "
                f"which lists the seizures; get it from {self.source}/{list_path}"
            )
            problems.append(Problem(case, reason))
        return cases, problems


def walk(folder: Path, data_set: str) -> Folder:
    """Look at all files below, hidden ones left out, through linked folders too (but not in circles)."""
    files: list[Path] = []
    others: Counter[str] = Counter()
    closed: list[str] = []
    reviewed = 0
    for parent, inner, names in walk_linked(folder, closed.append):
        others.update(end for name in inner for end in _OTHER_FORMATS if name.lower().endswith(end))
        inner[:] = [name for name in inner if name[0] != "." and name not in _NOT_RAW]
        for name in (name for name in names if name[0] != "."):
            path = parent / name
            reviewed += reviewer_of(path) is not None
            # a link to nowhere is listed, so that it becomes a problem
            if path.suffix.lower() in (*SUFFIXES, *_ALSO_LOOKED_AT) and not path.is_dir():
                files.append(path)
            others.update(end for end in _OTHER_FORMATS if name.lower().endswith(end))
    notes = []
    if others:
        counts = ", ".join(f"{count} {end}" for end, count in sorted(others.items()))
        notes.append(f"of formats that can't be read, passed over: {counts}")
    if closed:
        inside = sorted(Path(path).relative_to(folder).as_posix() for path in closed)
        notes.append(f"can't be looked into: {', '.join(inside)}")
    return Folder(folder, data_set, tuple(sorted(files)), tuple(notes), reviewed)


def events_path(recording: Path) -> Path | None:
    """The TSV beside a recording, or None. Of BIDS' names the last part (`_eeg`, `_ieeg`) is exchanged."""
    stems = dict.fromkeys((table_stem(recording), recording.stem))
    candidates = (recording.with_name(stem + end) for stem in stems for end in _TSV_ENDINGS)
    return next((path for path in candidates if path.is_file()), None)


def describe_by_sidecars(recording: Recording) -> Description:
    """What the `_events.tsv` and the JSON file beside a recording say. Raises `EventsError`."""
    path = recording.path
    tsv = events_path(path)
    if tsv is None:
        raise EventsError(
            f"{path}: {NO_EVENTS}; wanted {table_stem(path)}_events.tsv "
            "(a recording without seizures has one with a bckg row)"
        )
    events = read_tsv(tsv, duration_of(recording), cut=False)
    others = ", ".join(events.other_types)
    notes: tuple[str, ...] = ()
    if others:
        notes = (f"rows of other types are taken for no seizures: {others}",)
    if not len(events) and not EventTable(tsv).lines:
        notes += (f"{tsv.name} has no row: taken as without seizures",)
    return _with_sidecar(path, events, notes)


def describe_by_review(recording: Recording, labels: LabelSettings) -> Description:
    """What a person said of a recording, and the JSON file beside it. Raises `EventsError`."""
    events, notes = reviewed_events(recording, labels)
    return _with_sidecar(recording.path, events, notes)


def _with_sidecar(recording: Path, events: Events, notes: tuple[str, ...]) -> Description:
    sidecar = json_object(recording.with_suffix(".json"))
    source_start = sidecar.get("SourceStart")
    return Description(
        events,
        beyond_the_end(events) + notes,
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
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        raise CohortError(f"{path}: not readable JSON") from None
    if not isinstance(values, dict):
        raise CohortError(f"{path}: wanted a JSON object")
    return values


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
