"""The little that real EEG here can say of time: a child's two sessions, and cases by order of recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from secateur.detectors import Detector
from secateur.detectors.evaluation import window_probability
from secateur.errors import CohortError
from secateur.recordings import Entry, load_cohort
from secateur.results.drift_study import RealPair
from secateur.runs.data import Source
from secateur.runs.progress import Progress
from secateur.scoring import WindowScores
from secateur.studies.drift.following import loaded
from secateur.studies.drift.networks import TrainingData, networks_of
from secateur.studies.drift.settings import DriftStudy
from secateur.windows import Cache, Split, WindowSet, prepare

_TESTED_OF = 4
"""One in so many subjects tests, beside those with several sessions."""
_VALIDATING = 3
_LEAST = 4
"""Recordings of a case that are divided by order."""


def real_pairs(
    study: DriftStudy, seed: int, source: Source, folder: Path, workers: int, progress: Progress
) -> tuple[RealPair, ...]:
    """Networks trained on some of the children, judged on others' earlier and later recordings.

    Raises `CohortError` where nobody has two sessions or recordings enough.
    """
    cohort = load_cohort(source.data, strict=source.strict)
    sessions: dict[str, set[str]] = defaultdict(set)
    for entry in cohort:
        sessions[entry.subject].add(entry.session)
    split = _split(sorted(sessions), [who for who, own in sessions.items() if len(own) > 1])
    networks = networks_of(study, seed, TrainingData(source, split), folder, workers, progress)
    detectors = loaded(networks)
    cache = Cache(folder / "cache")
    pairs = tuple(
        RealPair(
            child=child,
            first=names[0],
            second=names[1],
            recordings=(len(both[0]), len(both[1])),
            auroc={
                name: (_auroc(detector, both[0], cache), _auroc(detector, both[1], cache))
                for name, detector in detectors.items()
            },
        )
        for child, names, both in _pairs([e for e in cohort if e.subject in split.test])
    )
    if not pairs:
        raise CohortError(
            f"{source.data}: nobody who tests has two sessions, or {_LEAST} recordings in one"
        )
    return pairs


def _split(subjects: Sequence[str], returning: Sequence[str]) -> Split:
    """Those with several sessions test, and some others."""
    others = [who for who in subjects if who not in returning]
    test = {*returning, *others[::_TESTED_OF]}
    rest = [who for who in others if who not in test]
    if len(rest) <= _VALIDATING:
        raise CohortError(
            f"{len(subjects)} people are too few to train on some and judge others by time"
        )
    return Split(tuple(rest[_VALIDATING:]), tuple(rest[:_VALIDATING]), tuple(sorted(test)))


def _pairs(
    entries: Sequence[Entry],
) -> Iterator[tuple[str, tuple[str, str], tuple[list[Entry], list[Entry]]]]:
    """Child, what the two parts are called, and their recordings."""
    by_session: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: (entry.source, entry.source_start, entry.key)):
        by_session[entry.subject, entry.session].append(entry)
    children: dict[str, list[str]] = defaultdict(list)
    for child, session in sorted(by_session):
        children[child].append(session)
    for child, sessions in children.items():
        for earlier, later in pairwise(sessions):
            parts = by_session[child, earlier], by_session[child, later]
            yield child, (f"session {earlier}", f"session {later}"), parts
        for session in sessions:
            own = by_session[child, session]
            if len(own) >= _LEAST:
                half = len(own) // 2
                title = f"session {session}, " if len(sessions) > 1 else ""
                yield child, (f"{title}first half", f"{title}second half"), (own[:half], own[half:])


def _auroc(detector: Detector, entries: Sequence[Entry], cache: Cache) -> float | None:
    info = detector.info
    prepared, _ = prepare(entries, info.chain, cache)
    if not prepared:
        return None
    windows = WindowSet(prepared, info.chain, info.windows, info.scale)
    probability = window_probability(detector, windows)
    return WindowScores(windows.labels, probability, detector.threshold).auroc()
