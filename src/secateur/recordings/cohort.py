"""A folder of recordings as a cohort: who was recorded, when, and where the seizures are.

Comes in: a folder, in BIDS-EEG (SzCORE's form) or plain (EDFs with TSVs beside them). Goes out: a
`Cohort` of `Entry`s, with everything that could not be used and why. Next: `windows.splits` divides it
by subject, `windows.prepared` reads it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import CohortError, EventsError, RecordingError
from secateur.events import Events, read_tsv
from secateur.recordings.edf import EdfRecording, open_recording
from secateur.recordings.recording import duration_of

_BIDS_NAME = re.compile(
    r"sub-(?P<subject>[A-Za-z0-9]+)(?:_ses-(?P<session>[A-Za-z0-9]+))?(?:_.*?run-(?P<run>\w+?))?_.*eeg"
)
_NOT_RAW = {"derivatives", "sourcedata"}
"""Folders in which BIDS keeps what was made of the recordings, or what they were made of."""
_TSV_ENDINGS = ("_events.tsv", ".tsv", "_annotations.tsv")


@dataclass(frozen=True)
class Entry:
    """One recording of a cohort and what is known of it.

    `subject` is data set name and label together, so that two data sets' `sub-01` are two people.
    `key` names the recording within its data set, free of local paths. `duration` in seconds.
    `source` and `source_start` (seconds): the record that a clip was cut from and where, if told.
    """

    key: str
    subject: str
    session: str
    run: str
    path: Path
    duration: float
    events: Events
    source: str = ""
    source_start: float = 0.0
    simulated: bool = False

    def open(self) -> EdfRecording:
        """The recording itself; reads its header."""
        return open_recording(self.path)


@dataclass(frozen=True)
class Problem:
    """A recording that is left out, and why. `key` is free of local paths."""

    key: str
    reason: str


@dataclass(frozen=True)
class Cohort:
    """Recordings of one data set. `layout` is how the folder was read; `notes` what was assumed."""

    name: str
    folder: Path
    layout: str
    simulated: bool
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, sorted."""
        return tuple(sorted({entry.subject for entry in self.entries}))

    @property
    def seizures(self) -> int:
        """Number of seizures over all recordings."""
        return sum(len(entry.events) for entry in self.entries)

    @property
    def hours(self) -> float:
        """Recorded time in hours."""
        return sum(entry.duration for entry in self.entries) / 3600

    @property
    def ictal_hours(self) -> float:
        """Time inside seizures in hours."""
        return sum(entry.events.seconds for entry in self.entries) / 3600


def load_cohort(folder: Path | str, *, strict: bool = False) -> Cohort:
    """Read a folder of recordings; headers and events only.

    `strict`: raise at the first recording that can't be used, instead of listing it in `problems`.
    Raises `CohortError` where the folder holds no recording that can be used.
    """
    folder = Path(folder)
    if not folder.exists():
        raise CohortError(f"{folder}: there is no such folder")
    if not folder.is_dir():
        raise CohortError(f"{folder}: is a file, wanted a folder of EDF recordings")
    paths = _edf_files(folder)
    if not paths:
        raise CohortError(f"{folder}: no .edf file in it or below it")
    description = _json_object(folder / "dataset_description.json")
    bids = any(part.startswith("sub-") for path in paths for part in path.relative_to(folder).parts)
    layout = "bids" if bids else "plain"
    name = str(description.get("Name") or folder.resolve().name)
    entries: list[Entry] = []
    problems: list[Problem] = []
    for path in paths:
        key = path.relative_to(folder).with_suffix("").as_posix()
        try:
            label, session, run = _bids_names(path) if bids else _plain_names(folder, path)
            entries.append(_entry(path, key, f"{name}/{label}", session, run))
        except (RecordingError, EventsError, CohortError) as error:
            if strict:
                raise
            problems.append(Problem(key, _without_path(error, path, folder)))
    if not entries:
        raise CohortError(
            f"{folder}: none of its {len(paths)} recordings can be used; "
            f"the first, {problems[0].key}: {problems[0].reason}"
        )
    return Cohort(
        name=name,
        folder=folder,
        layout=layout,
        simulated=bool(description.get("Simulated")) or any(one.simulated for one in entries),
        entries=tuple(entries),
        problems=tuple(problems),
        notes=() if bids else (_plain_note(folder, paths),),
    )


def _edf_files(folder: Path) -> list[Path]:
    """All EDF files below, hidden ones left out, through linked folders too (but not in circles)."""
    found: list[Path] = []
    been: set[str] = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        inner[:] = [] if real in been else [n for n in inner if n[0] != "." and n not in _NOT_RAW]
        if real not in been:
            found += [Path(place, n) for n in names if n.lower().endswith(".edf") and n[0] != "."]
        been.add(real)
    return sorted(path for path in found if path.is_file())


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


def _entry(path: Path, key: str, subject: str, session: str, run: str) -> Entry:
    recording = open_recording(path)
    tsv = events_path(path)
    if tsv is None:
        raise EventsError(
            f"{path}: no events beside it; wanted {path.stem.removesuffix('_eeg')}_events.tsv "
            "(a recording without seizures has one with a bckg row)"
        )
    duration = duration_of(recording)
    sidecar = _json_object(path.with_suffix(".json"))
    source_start = sidecar.get("SourceStart")
    return Entry(
        key,
        subject,
        session,
        run,
        path,
        duration,
        read_tsv(tsv, duration),
        str(sidecar.get("SourceRecord", "")),
        float(source_start) if isinstance(source_start, int | float) else 0.0,
        bool(sidecar.get("Simulated")),
    )


def _json_object(path: Path) -> dict[str, object]:
    """A JSON object, or an empty one where there is no such file."""
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        raise CohortError(f"{path}: not readable JSON") from None
    if not isinstance(read, dict):
        raise CohortError(f"{path}: wanted a JSON object")
    return read


def _bids_names(path: Path) -> tuple[str, str, str]:
    match = _BIDS_NAME.fullmatch(path.stem)
    if match is None:
        raise RecordingError(
            path, "not named as BIDS wants: sub-LABEL[_ses-LABEL]_task-LABEL[_run-N]_eeg.edf"
        )
    return f"sub-{match['subject']}", match["session"] or "", match["run"] or ""


def _plain_names(folder: Path, path: Path) -> tuple[str, str, str]:
    inner = path.relative_to(folder)
    label = inner.parts[0] if len(inner.parts) > 1 else re.split(r"[_\-. ]", path.stem)[0]
    return label, "", path.stem


def _plain_note(folder: Path, paths: list[Path]) -> str:
    nested = any(len(path.relative_to(folder).parts) > 1 for path in paths)
    how = "the folder below the top" if nested else "the file's name up to the first _, - or ."
    return f"plain folder: a recording's subject is taken from {how}"


def _without_path(error: Exception, path: Path, folder: Path) -> str:
    """The reason alone: reports must not hold local paths."""
    text = str(error).replace(f"{path}: ", "").replace(str(path), path.name)
    return text.replace(f"{folder}/", "")
