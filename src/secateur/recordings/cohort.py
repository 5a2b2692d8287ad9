"""A folder of recordings as a cohort: who was recorded, when, and where the seizures are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from secateur.errors import (
    ChannelsError,
    CohortError,
    EventsError,
    MissingExtraError,
    RecordingError,
)
from secateur.events import Events
from secateur.files import kind_of
from secateur.recordings.labels import LabelSettings
from secateur.recordings.layouts import LAYOUTS, plain
from secateur.recordings.layouts.listing import (
    NO_EVENTS,
    Description,
    ListedRecording,
    Listing,
    Problem,
    describe_by_review,
    describe_by_sidecars,
    events_path,
    json_object,
    walk,
)
from secateur.recordings.opening import open_recording, open_with_own_labels
from secateur.recordings.recording import ReadingSettings, Recording, duration_of
from secateur.reviewed import reviewed_tables


@dataclass(frozen=True)
class Entry:
    """One recording of a cohort and what is known of it.

    `subject` is data set name and label together, so that two data sets' `sub-01` are two people.
    `key` names the recording within its data set, free of local paths. `duration` in seconds.
    `source` and `source_start` (seconds): the record that a clip was cut from and where, if told.
    `notes`: what was put right, or left as it is, while the data set's lists were read. `reading`: how the
    recording is opened.
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
    notes: tuple[str, ...] = ()
    reading: ReadingSettings = field(default_factory=ReadingSettings, hash=False)

    def open(self) -> Recording:
        """The recording itself; reads its header."""
        return open_recording(self.path, self.reading)


def data_set_of(subject: str) -> str:
    """The data set of a subject as `Entry.subject` names it."""
    return subject.rpartition("/")[0]


@dataclass(frozen=True)
class Cohort:
    """Recordings of one data set. `layout` is how the folder was read; `notes` what was assumed.

    `unused_renames`: labels that were to be renamed and that no recording has.

    `subjects_known`: whether it is told who was recorded. Where False, all recordings stand under one
    subject and can be split by recording only. `seizure_free`: the user has declared that there is no
    seizure in it; `declared`: data sets of which that was said; `tests_only`: those in which everybody
    tests.
    """

    name: str
    folder: Path
    layout: str
    simulated: bool
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    subjects_known: bool = True
    unused_renames: tuple[str, ...] = ()
    seizure_free: bool = False
    declared: tuple[str, ...] = ()
    tests_only: tuple[str, ...] = ()

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


def load_cohort(
    folder: Path | str,
    *,
    strict: bool = False,
    reading: ReadingSettings | None = None,
    every_rename: bool = True,
    seizure_free: bool = False,
    labels: LabelSettings | None = None,
) -> Cohort:
    """Read a folder of recordings; headers and events only.

    `strict`: raise at the first recording that can't be used, instead of listing it in `problems`.
    `reading`: how each recording is opened (None: the defaults). `every_rename`: each label that is to be
    renamed must be there in at least one recording (else it may be in another folder). `seizure_free`: the
    user declares that there is no seizure in the folder; then a recording needs nothing beside it that says
    so, and one with a seizure is refused. `labels`: whose word on seizures counts (None: the data set's).
    Raises `CohortError` where the folder holds no recording that can be used, or none with a label that is
    to be renamed.
    """
    folder = Path(folder)
    check_folder(folder)
    description = json_object(_described(folder) / "dataset_description.json")
    labels = labels or LabelSettings()
    layout, listing = _listed(folder, str(description.get("Name") or ""), seizure_free, labels)
    if strict and listing.problems:
        raise CohortError(f"{folder}: {listing.problems[0].key}: {listing.problems[0].reason}")
    entries: list[Entry] = []
    problems = list(listing.problems)
    keys: set[str] = set()
    opener = _Opener(reading or ReadingSettings(), seizure_free, labels)
    for item in listing.recordings:
        try:
            if item.key in keys:
                raise CohortError(f"{item.path}: {item.key} is there twice; the first is used")
            keys.add(item.key)
            entries.append(opener.entry(item, listing.name))
        except (RecordingError, EventsError, CohortError, MissingExtraError) as error:
            if strict:
                raise
            problems.append(Problem(item.key, _without_path(error, item.path, folder)))
    notes = listing.notes
    if seizure_free:
        notes += (_declared(folder, entries, opener.unlisted),)
    problems.sort(key=lambda problem: problem.key)
    if not entries:
        without = all(NO_EVENTS in problem.reason for problem in problems)
        raise CohortError(
            f"{folder}: none of its {len(problems)} recordings can be used; "
            f"the first, {problems[0].key}: {problems[0].reason}"
            + (_WITHOUT_EVENTS if without else "")
        )
    if opener.unused and every_rename:
        raise CohortError(
            f"{folder}: no recording has a channel {', '.join(opener.unused)} to rename"
        )
    return Cohort(
        name=listing.name,
        folder=folder,
        layout=layout,
        simulated=bool(description.get("Simulated")) or any(entry.simulated for entry in entries),
        entries=tuple(entries),
        problems=tuple(problems),
        notes=notes,
        subjects_known=listing.subjects_known,
        unused_renames=tuple(opener.unused),
        seizure_free=seizure_free,
        declared=(listing.name,) if seizure_free else (),
    )


def _listed(
    folder: Path, name: str, seizure_free: bool, labels: LabelSettings
) -> tuple[str, Listing]:
    """The name of the folder's layout, and what is in it; `name`: of the data set, or empty."""
    files = walk(folder, name)
    layout = next((layout for layout in LAYOUTS if layout.recognises(files)), None)
    listing = Listing(files.name, ()) if layout is None else layout.listing(files)
    if seizure_free and layout is not None and not listing.recordings:
        layout, listing = plain, plain.listing(files)  # a data set without its lists
    notes = (*listing.notes, *files.notes)
    if labels.use == "reviewed":
        notes += (f"seizures are what {_reviewer(labels)} said in a review",)
    elif files.reviewed:
        notes += (f"reviewed tables don't count without --labels reviewed: {files.reviewed}",)
    if layout is None or not (listing.recordings or listing.problems):
        passed_over = "".join(f"; {note}" for note in notes)
        raise CohortError(
            f"{folder}: no recording in it or below it that can be read (.edf, .bdf, .vhdr or Bonn's "
            f"segments){passed_over}"
        )
    return layout.NAME, replace(listing, notes=notes)


def _reviewer(labels: LabelSettings) -> str:
    if labels.reviewer is None:
        return "a person"
    return labels.reviewer or "the reviewer without initials"


def _declared(folder: Path, entries: Sequence[Entry], unlisted: int) -> str:
    """The note on a folder that the user declares free of seizures. Raises `CohortError` where it isn't."""
    seized = [entry.key for entry in entries if entry.events]
    if seized:
        raise CohortError(
            f"{folder}: is declared free of seizures, and {len(seized)} of its recordings have some, "
            f"{seized[0]} the first; give it as --data, or leave them out"
        )
    return (
        f"free of seizures, as the user says; {unlisted} of {len(entries)} recordings have nothing "
        "beside them that says so"
    )


def _described(folder: Path) -> Path:
    """The folder of the data set that `folder` is, or a subject or session of."""
    at = folder.resolve()
    while at.name.startswith(("sub-", "ses-")):
        at = at.parent
    return at if (at / "dataset_description.json").is_file() else folder


_WITHOUT_EVENTS = (
    "; if nobody in it has a seizure, give it as --background; secateur detect, explain, monitor and review "
    "need no events"
)
"""What to do with a folder in which no recording has events beside it."""


@dataclass(frozen=True)
class DataSet:
    """A folder of recordings. `name`: empty for the data set's own; `seizure_free`: the user says so.

    `tests_only`: everybody in it tests, nobody trains or validates.
    """

    folder: Path
    name: str = ""
    seizure_free: bool = False
    tests_only: bool = False

    @classmethod
    def parse(cls, text: str, seizure_free: bool = False, tests_only: bool = False) -> DataSet:
        """`[NAME=]FOLDER`."""
        name, _, folder = text.partition("=")
        if "/" in name or not folder:  # a path that happens to hold a =
            return cls(Path(text), "", seizure_free, tests_only)
        return cls(Path(folder), name.strip(), seizure_free, tests_only)

    @property
    def flag(self) -> str:
        """The flag by which it is given."""
        if self.tests_only:
            return "--test-background"
        return "--background" if self.seizure_free else "--data"


def check_folder(folder: Path) -> None:
    """Raise `CohortError` where `folder` is not there, or is none."""
    if not folder.exists():
        raise CohortError(f"{folder}: there is no such folder")
    if not folder.is_dir():
        raise CohortError(
            f"{folder}: is {kind_of(folder)}, wanted a folder of recordings, such as {folder.parent}"
        )


def check_data_sets(sets: Sequence[DataSet]) -> None:
    """Raise `CohortError` for a folder that is there twice, is not there, or is none."""
    flags: dict[Path, str] = {}
    for each in sets:
        check_folder(each.folder)
        before = flags.setdefault(each.folder.resolve(), "")
        if before == each.flag:
            raise CohortError(f"{each.folder}: {each.flag} names it twice; name each folder once")
        if before:
            raise CohortError(
                f"{each.folder}: is {before} and {each.flag}; a folder is one or the other"
            )
        flags[each.folder.resolve()] = each.flag


def load_data_sets(
    sets: Sequence[DataSet],
    *,
    strict: bool = False,
    reading: ReadingSettings | None = None,
    every_rename: bool = True,
    labels: LabelSettings | None = None,
) -> Cohort:
    """Several folders as one cohort, in which subjects and recordings begin with their data set's name.

    Other parameters as for `load_cohort`, which also reads a single folder that is given no name. Raises
    `CohortError` for a folder or a name that is there twice, and where somebody stands in two sets.
    """
    check_data_sets(sets)
    alone = len(sets) == 1
    cohorts = [
        load_cohort(
            each.folder,
            strict=strict,
            reading=reading,
            every_rename=every_rename and alone,
            seizure_free=each.seizure_free,
            labels=labels,
        )
        for each in sets
    ]
    if alone and not sets[0].name:
        return cohorts[0]
    people: dict[str, Path] = {}
    for cohort in cohorts:
        for subject in cohort.subjects if cohort.subjects_known else ():
            if (other := people.setdefault(subject, cohort.folder)) != cohort.folder:
                raise CohortError(
                    f"{cohort.folder}: {subject} stands in {other} too; one person belongs to one data set"
                )
    names = [each.name or cohort.name for each, cohort in zip(sets, cohorts, strict=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CohortError(f"two data sets are called {twice[0]}; name them apart: NAME=FOLDER")
    unused = set.intersection(*({*cohort.unused_renames} for cohort in cohorts))
    if unused and every_rename:
        raise CohortError(f"no recording has a channel {', '.join(sorted(unused))} to rename")
    named = [_named(name, cohort) for name, cohort in zip(names, cohorts, strict=True)]
    return Cohort(
        name=" + ".join(names),
        folder=sets[0].folder,
        layout=" + ".join(dict.fromkeys(cohort.layout for cohort in named)),
        simulated=all(cohort.simulated for cohort in named),
        entries=tuple(entry for cohort in named for entry in cohort),
        problems=tuple(problem for cohort in named for problem in cohort.problems),
        notes=tuple(
            f"{cohort.name}: {note}"
            for cohort in named
            for note in (("simulated EEG",) if cohort.simulated else ()) + cohort.notes
        ),
        subjects_known=all(cohort.subjects_known for cohort in named),
        unused_renames=tuple(sorted(unused)),
        seizure_free=all(cohort.seizure_free for cohort in named),
        declared=tuple(cohort.name for cohort in named if cohort.seizure_free),
        tests_only=tuple(name for each, name in zip(sets, names, strict=True) if each.tests_only),
    )


def _named(name: str, cohort: Cohort) -> Cohort:
    """A cohort under another name, which its subjects and keys begin with."""
    entries = tuple(
        replace(
            entry,
            key=f"{name}/{entry.key}",
            subject=f"{name}/{entry.subject.rpartition('/')[2]}",
        )
        for entry in cohort
    )
    problems = tuple(Problem(f"{name}/{each.key}", each.reason) for each in cohort.problems)
    return replace(cohort, name=name, entries=entries, problems=problems)


class _Opener:
    """Opens a cohort's recordings.

    `unused`: labels to rename that none of them had so far. `unlisted`: recordings that are free of seizures
    by the user's word alone.
    """

    def __init__(self, reading: ReadingSettings, seizure_free: bool, labels: LabelSettings) -> None:
        self._reading, self._seizure_free, self._labels = reading, seizure_free, labels
        self.unlisted = 0
        self.unused = list(reading.rename)

    def entry(self, item: ListedRecording, name: str) -> Entry:
        """A recording of the data set `name`, opened and described."""
        try:
            recording, reading = open_with_own_labels(item.path, self._reading)
        except ChannelsError:  # all are there, and one of the new labels is too
            self.unused = []
            raise
        self.unused = [label for label in self.unused if label not in reading.rename]
        if self._seizure_free and self._lists_none(item):
            self.unlisted += 1
            description = Description(Events((), duration_of(recording)))
        elif self._labels.use == "reviewed":
            description = describe_by_review(recording, self._labels)
        else:
            description = item.describe(recording)
        return Entry(
            key=item.key,
            subject=f"{name}/{item.subject}",
            session=item.session,
            run=item.run,
            path=item.path,
            duration=duration_of(recording),
            events=description.events,
            source=description.source,
            source_start=description.source_start,
            simulated=description.simulated,
            notes=description.notes + tuple(recording.notes),
            reading=reading,
        )

    def _lists_none(self, item: ListedRecording) -> bool:
        """Whether nothing beside a recording tells its seizures."""
        if self._labels.use == "reviewed":
            return not reviewed_tables(item.path)
        return item.describe is describe_by_sidecars and events_path(item.path) is None


def _without_path(error: Exception, path: Path, folder: Path) -> str:
    """The reason alone: reports must not hold local paths."""
    text = str(error).replace(f"{path}: ", "").replace(str(path), path.name)
    return text.replace(f"{folder}/", "")
