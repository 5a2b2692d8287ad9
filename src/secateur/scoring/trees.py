"""Two files or two folders of annotations, paired for scoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from secateur.errors import EventsError, ScoringError
from secateur.events import Events, has_event_columns, read_tsv
from secateur.files import kind_of, walk_linked
from secateur.reviewed import by_reviewer, chosen_table, in_words, read_reviewed, reviewer_of

_ENDINGS = ("_eeg_events", "_events", "_annotations", "_eeg")
_NO_EVENTS = {"derivatives", "sourcedata", "phenotype"}
"""Folders of BIDS that hold other things than the data set's own events."""

Side = Literal["reference", "hypothesis", "both"]
"""Of which folders a person's word counts."""
_UNREVIEWED = "not reviewed"


@dataclass(frozen=True)
class PairedTables:
    """Events by recording. `without_table`: recordings for which no hypothesis is there, which count as
    nothing detected; `left_out`: recordings not compared, and why; `notes`: what does not count.
    """

    pairs: Mapping[str, tuple[Events, Events]]
    without_table: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReviewChoice:
    """Whose word counts. `side`: None: tables as they are, and reviewed ones where nothing else is there.

    `reviewer`: initials, where several have reviewed a recording; empty: the one without.
    """

    side: Side | None = None
    reviewer: str | None = None

    def __post_init__(self) -> None:
        if self.side is not None and self.side not in get_args(Side):
            raise ScoringError(
                f"reviewed tables can count for {', '.join(get_args(Side))}, got {self.side!r}"
            )


def pair_files(
    reference: Path, hypothesis: Path, choice: ReviewChoice | None = None
) -> PairedTables:
    """Pair two TSV files, or the TSVs of two trees by their relative names.

    A file that isn't at the same place in the other tree is found by its name, where that is unique. A
    recording of the reference without a hypothesis counts as one in which nothing was detected; a
    hypothesis without a reference is an error. A hypothesis covers its reference's length; one that says
    otherwise by more than a second is refused. Of a tree in which a person's word counts (`choice`),
    recordings that nobody has reviewed to the end are left out. Raises `ScoringError` or `EventsError`.
    """
    choice = choice or ReviewChoice()
    for path in (reference, hypothesis):
        if not path.exists():
            raise ScoringError(f"{path}: there is no such file or folder")
    if reference.is_dir() != hypothesis.is_dir():
        raise ScoringError(
            f"{reference} is {kind_of(reference)} and {hypothesis} {kind_of(hypothesis)}: wanted two tables "
            "of events (.tsv), or two folders of them"
        )
    if reference.is_file():
        truth = read_tsv(reference)
        return PairedTables({reference.name: (truth, read_tsv(hypothesis, truth.duration))})
    references = _tree(reference, choice, "reference")
    hypotheses = _tree(hypothesis, choice, "hypothesis")
    if choice.reviewer is not None and not (references.is_reviewed or hypotheses.is_reviewed):
        raise ScoringError(
            f"--reviewer {choice.reviewer}: no reviewed tables count; say for which folder: "
            "--reviewed reference, hypothesis or both"
        )
    if not references.keys:
        raise ScoringError(f"{reference}: no _events.tsv in it or below it")
    if not hypotheses.keys:
        raise ScoringError(
            f"{hypothesis}: no TSV of detected events in it or below it (a person's, _desc-reviewed, are "
            "passed over); `secateur detect` writes them"
        )
    return _paired(references, hypotheses)


@dataclass(frozen=True)
class _Tree:
    """Tables of events by the name of their recording. `is_reviewed`: they are a person's.

    `left_out`: recordings none of whose tables counts, and why.
    """

    folder: Path
    is_reviewed: bool
    tables: dict[str, Path]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """All recordings."""
        return sorted({*self.tables, *self.left_out})


def _paired(references: _Tree, hypotheses: _Tree) -> PairedTables:
    matched = _matched(references.keys, hypotheses.keys)
    left_out = dict(references.left_out)
    unknown = sorted({*hypotheses.tables} - set(matched.values()))
    if references.is_reviewed:
        left_out |= dict.fromkeys(unknown, _UNREVIEWED)
    elif unknown:
        raise ScoringError(
            f"{hypotheses.folder}: {len(unknown)} files have no reference, the first is "
            f"{hypotheses.tables[unknown[0]].relative_to(hypotheses.folder)}"
        )
    pairs: dict[str, tuple[Events, Events]] = {}
    without_table: list[str] = []
    for key, path in sorted(references.tables.items()):
        other = matched.get(key)
        if other in hypotheses.tables:
            truth = read_tsv(path)
            pairs[key] = truth, read_tsv(hypotheses.tables[other], truth.duration)
        elif hypotheses.is_reviewed:
            left_out[key] = hypotheses.left_out.get(other or "", _UNREVIEWED)
        else:
            truth = read_tsv(path)
            pairs[key] = truth, Events((), truth.duration)
            without_table.append(key)
    if not pairs:
        key, reason = min(left_out.items())
        raise ScoringError(
            f"{references.folder}: none of {len(left_out)} recordings can be scored; the first, {key}: "
            f"{reason}"
        )
    return PairedTables(
        pairs,
        tuple(without_table),
        dict(sorted(left_out.items())),
        references.notes + hypotheses.notes,
    )


def _matched(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, str]:
    """Hypotheses by the reference's name: in the same folder of the tree, or anywhere by file name."""
    matched = {key: key for key in hypotheses if key in set(references)}
    by_name: dict[str, list[str]] = {}
    for key in references:
        by_name.setdefault(key.rsplit("/", 1)[-1], []).append(key)
    for key in hypotheses:
        keys = by_name.get(key.rsplit("/", 1)[-1], [])
        if key not in matched and len(keys) == 1:
            matched.setdefault(keys[0], key)
    return matched


def _tree(folder: Path, choice: ReviewChoice, side: Side) -> _Tree:
    """The tables of a folder that count."""
    plain, reviewed = _tables(folder)
    count = len(reviewed)
    if choice.side in (side, "both") or (choice.side is None and count and not plain):
        tables, left_out = _chosen(folder, reviewed, choice.reviewer)
        unreviewed = dict.fromkeys(plain.keys() - reviewed.keys(), _UNREVIEWED)
        return _Tree(folder, True, tables, {**unreviewed, **left_out})
    notes: tuple[str, ...] = ()
    if count and choice.side is None:
        what = f"{count} recordings have" if count > 1 else "a recording has"
        notes = (f"{folder}: {what} reviewed tables, passed over; --reviewed {side} counts them",)
    return _Tree(folder, False, plain, notes=notes)


def _chosen(
    folder: Path, reviewed: Mapping[str, Sequence[Path]], reviewer: str | None
) -> tuple[dict[str, Path], dict[str, str]]:
    """The reviewer's table of each recording, and why others have none that counts."""
    tables: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for key, paths in reviewed.items():
        try:
            own = by_reviewer(paths)
            path = chosen_table(own, reviewer)
        except EventsError as error:
            raise ScoringError(f"{folder}: {key}: {error}") from None
        if path is None:
            left_out[key] = f"reviewed by {in_words(own)} alone"
        elif count := read_reviewed(path).open:
            left_out[key] = f"{count} of its rows are open"
        else:
            tables[key] = path
    return tables, left_out


def _tables(folder: Path) -> tuple[dict[str, Path], dict[str, list[Path]]]:
    """Tables of events by the name of their recording: `_events.tsv`, and others with an event's columns.

    A person's tables stand apart. Linked folders are followed, as they are where recordings are read; hidden
    files and BIDS's folders of other things are passed over.
    """
    tables: dict[str, Path] = {}
    reviewed: dict[str, list[Path]] = {}
    for path in sorted(_all_tables(folder)):
        inner = path.relative_to(folder)
        name = reviewer_of(path)
        if name is not None:
            reviewed.setdefault(inner.with_name(name[0]).as_posix(), []).append(path)
            continue
        if not (path.name.endswith("_events.tsv") or has_event_columns(path)):
            continue
        stem = inner.stem
        for ending in _ENDINGS:
            stem = stem.removesuffix(ending)
        key = inner.with_name(stem).as_posix()
        if key in tables:
            raise ScoringError(f"{folder}: two files for {key}: {tables[key].name} and {path.name}")
        tables[key] = path
    return tables, reviewed


def _all_tables(folder: Path) -> Iterator[Path]:
    for parent, inner, names in walk_linked(folder):
        inner[:] = [name for name in inner if name[0] != "." and name not in _NO_EVENTS]
        yield from (parent / name for name in names if name.endswith(".tsv") and name[0] != ".")
