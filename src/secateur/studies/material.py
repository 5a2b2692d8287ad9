"""What a run works on: cohorts, their split, and the windows of each side.

Comes in: folders and settings. Goes out: a `Material`, the same for the same folders and settings.
Next: `stages` train and test on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import CohortError
from secateur.recordings import Cohort, Entry, Problem, load_cohort
from secateur.studies.settings import RunSettings
from secateur.windows import (
    SIDES,
    Cache,
    Prepared,
    Scale,
    Split,
    WindowSet,
    check_contents,
    fit_scale,
    prepare,
    split_by_subject,
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """Where a run's recordings are, and how strict to be with bad ones. Nothing here changes a number
    but the recordings themselves.
    """

    data: Path
    test_data: Path | None = None
    strict: bool = False


@dataclass(frozen=True)
class Material:
    """Windows of each side, and where they come from. `fingerprint`: hash of all contents and labels."""

    cohort: Cohort
    test_cohort: Cohort | None
    split: Split
    scale: Scale
    sides: dict[str, WindowSet]
    problems: tuple[Problem, ...]
    notes: tuple[tuple[str, str], ...]
    fingerprint: str

    @property
    def whole(self) -> Cohort:
        """All recordings that are used, of both folders, as one cohort."""
        entries = tuple(one.entry for side in SIDES for one in self.sides[side].prepared)
        ordered = tuple(sorted(entries, key=lambda entry: (entry.subject, entry.key)))
        name = self.cohort.name
        simulated = self.cohort.simulated
        notes = self.cohort.notes
        if self.test_cohort is not None:
            name = f"{name}; tested on {self.test_cohort.name}"
            simulated = simulated or self.test_cohort.simulated
            notes += self.test_cohort.notes
        layout = self.cohort.layout
        return Cohort(name, self.cohort.folder, layout, simulated, ordered, (), notes)


def gather(
    source: Source, settings: RunSettings, cache: Cache, progress: Progress | None = None
) -> Material:
    """Read the folders, split by subject, run every recording through the chain.

    Raises `CohortError`, `SplitError`, `ChannelsError`: what makes a run impossible.
    """
    cohort = load_cohort(source.data, strict=source.strict)
    test = None
    if source.test_data is not None:
        test = load_cohort(source.test_data, strict=source.strict)
    entries = list(cohort) + (list(test) if test is not None else [])
    keys = [entry.key for entry in entries]
    if test is not None and len(set(keys)) < len(keys):
        entries = list(cohort) + [_renamed(entry, test.name) for entry in test]
    prepared, problems = prepare(
        entries, settings.chain, cache, strict=source.strict, progress=progress
    )
    if not prepared:
        raise CohortError(f"{source.data}: no recording is left; {problems[0].reason}")
    split = _split(prepared, cohort, test, settings)
    by_side = {
        side: [one for one in prepared if split.side_of(one.entry.subject) == side]
        for side in SIDES
    }
    hashes = {id(one): cache.content_hash(one.entry.path) for one in prepared}
    check_contents(
        {side: [(one.entry, hashes[id(one)]) for one in many] for side, many in by_side.items()}
    )
    scale = fit_scale(by_side["training"], settings.chain, prepared[0].data.shape[0])
    sides = {
        side: WindowSet(many, settings.chain, settings.windows, scale)
        for side, many in by_side.items()
    }
    for side, windows in sides.items():
        windows.require_both_classes(side)
    return Material(
        cohort=cohort,
        test_cohort=test,
        split=split,
        scale=scale,
        sides=sides,
        problems=cohort.problems + (test.problems if test else ()) + tuple(problems),
        notes=tuple((one.entry.key, note) for one in prepared for note in one.notes),
        fingerprint=_fingerprint([(one.entry, hashes[id(one)]) for one in prepared]),
    )


def _renamed(entry: Entry, cohort: str) -> Entry:
    """Two folders may use the same file names; the second's keys then begin with its data set's name."""
    return Entry(**{**entry.__dict__, "key": f"{cohort}/{entry.key}"})


def _split(
    prepared: list[Prepared], cohort: Cohort, test: Cohort | None, settings: RunSettings
) -> Split:
    present = {one.entry.subject for one in prepared}
    ours = [subject for subject in cohort.subjects if subject in present]
    if test is None:
        return split_by_subject(ours, settings.split)
    theirs = [subject for subject in test.subjects if subject in present]
    if not theirs:
        raise CohortError(f"{test.folder}: no recording of the test data is left")
    return split_by_subject(ours, settings.split, theirs)


def _fingerprint(recordings: list[tuple[Entry, str]]) -> str:
    told = [
        [
            entry.key,
            entry.subject,
            digest,
            entry.duration,
            [(event.onset, event.duration) for event in entry.events],
        ]
        for entry, digest in recordings
    ]
    return hashlib.sha256(json.dumps(sorted(told)).encode()).hexdigest()
