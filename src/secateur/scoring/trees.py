"""Two files or two folders of annotations, paired for scoring."""

from __future__ import annotations

from pathlib import Path

from secateur.errors import ScoringError
from secateur.events import Events, has_event_columns, read_tsv
from secateur.files import kind_of

_ENDINGS = ("_eeg_events", "_events", "_annotations", "_eeg")
_NO_EVENTS = {"derivatives", "sourcedata", "phenotype"}
"""Folders of BIDS that hold other things than the data set's own events."""


def pair_files(reference: Path, hypothesis: Path) -> dict[str, tuple[Events, Events]]:
    """Pair two TSV files, or the TSVs of two trees by their relative names.

    A file that isn't at the same place in the other tree is found by its name, where that is unique. A
    recording of the reference without a hypothesis counts as one in which nothing was detected; a
    hypothesis without a reference is an error. A hypothesis covers its reference's length; one that says
    otherwise by more than a second is refused. Raises `ScoringError` or `EventsError`.
    """
    for path in (reference, hypothesis):
        if not path.exists():
            raise ScoringError(f"{path}: there is no such file or folder")
    if reference.is_dir() != hypothesis.is_dir():
        raise ScoringError(
            f"{reference} is {kind_of(reference)} and {hypothesis} {kind_of(hypothesis)}: wanted two tables "
            "of events (.tsv), or two folders of them"
        )
    if reference.is_file():
        return {reference.name: _pair(reference, hypothesis)}
    references, hypotheses = _tree(reference), _tree(hypothesis)
    if not references:
        raise ScoringError(f"{reference}: no _events.tsv in it or below it")
    if not hypotheses:
        raise ScoringError(f"{hypothesis}: no TSV of events in it or below it")
    matched = _matched(references, hypotheses)
    unknown = sorted(set(hypotheses.values()) - set(matched.values()))
    if unknown:
        raise ScoringError(
            f"{hypothesis}: {len(unknown)} files have no reference, the first is "
            f"{unknown[0].relative_to(hypothesis)}"
        )
    return {key: _pair(path, matched.get(key)) for key, path in sorted(references.items())}


def _matched(references: dict[str, Path], hypotheses: dict[str, Path]) -> dict[str, Path]:
    """Hypotheses by the reference's name: in the same folder of the tree, or anywhere by file name."""
    matched = {key: path for key, path in hypotheses.items() if key in references}
    by_name: dict[str, list[str]] = {}
    for key in references:
        by_name.setdefault(key.rsplit("/", 1)[-1], []).append(key)
    for key, path in hypotheses.items():
        keys = by_name.get(key.rsplit("/", 1)[-1], [])
        if key not in references and len(keys) == 1:
            matched.setdefault(keys[0], path)
    return matched


def _pair(reference: Path, hypothesis: Path | None) -> tuple[Events, Events]:
    truth = read_tsv(reference)
    if hypothesis is None:
        return truth, Events((), truth.duration)
    return truth, read_tsv(hypothesis, truth.duration)


def _tree(folder: Path) -> dict[str, Path]:
    """Tables of events by the name of their recording: `_events.tsv`, and others with an event's columns.

    Hidden files and BIDS's folders of other things are passed over.
    """
    tables: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.tsv")):
        inner = path.relative_to(folder)
        if _NO_EVENTS & set(inner.parts[:-1]) or any(part[0] == "." for part in inner.parts):
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
    return tables
