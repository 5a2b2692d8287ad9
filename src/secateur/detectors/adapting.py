"""A detector fitted to recordings of today: which minutes it may learn from, its new threshold, and what
that cost those whom it knew before.

A network is adapted by whoever calls this (`Relearn`), so that a threshold needs nothing but the detector's
file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from secateur.detectors.detector import Detector
from secateur.detectors.evaluation import (
    WindowTable,
    events_of,
    subject_scores,
    window_probability,
)
from secateur.detectors.file import Adaptation, AdaptingMethod, DetectorInfo, pack
from secateur.errors import CohortError, RecordingError, SettingsError
from secateur.recordings import Cohort, Entry, Problem
from secateur.scoring import best_threshold, moved_threshold
from secateur.scoring.intervals import Scores
from secateur.settings import Flag, Settings
from secateur.windows import Cache, Prepared, WindowIndex, WindowSet, index_windows, prepare

Report = dict[str, Any]
Progress = Callable[[int, int], None]
Table = dict[str, Scores]

METRICS = ("auroc", "macro_f1", "event_sensitivity", "fp_per_day")
"""What is compared before and after, as means over subjects."""


class AdaptingSettings(Settings):
    """How a detector is adapted, and on how much."""

    method: Annotated[AdaptingMethod, Flag("method")] = "threshold"
    """threshold, bn (BatchNorm's statistics, without labels), head (the last layer) or full (every
    weight)."""
    minutes: Annotated[float, Field(gt=0, le=44_640), Flag("minutes")] = 30
    """Minutes that it may learn from, from the beginning; where labels are needed, moved back just so far
    that the first seizure lies in them."""
    epochs: Annotated[int, Field(ge=1, le=10_000), Flag("epochs")] = 5
    """For head and full: passes over these minutes."""
    seed: Annotated[int, Field(ge=0, lt=2**31), Flag("seed")] = 0
    """For bn, head and full: the order of windows."""

    @property
    def needs_labels(self) -> bool:
        """Whether seizures must be known."""
        return self.method != "bn"


@dataclass(frozen=True)
class Relearned:
    """What relearning leaves. `model`: ONNX without metadata; `macs`: multiply-accumulates that it took."""

    model: bytes
    macs: int


class StudiedAdapting(Settings):
    """How the networks of a study are fitted to each test subject's earlier recordings; they are judged on
    the later ones.
    """

    method: Literal["none", "threshold", "bn", "head", "full", "scratch"] = "full"
    """none (networks as they are), threshold, bn, head or full (as `secateur adapt` has them), or scratch: in
    place of the pruned network one of its size, trained from new weights on these recordings alone; that
    before pruning stays as it is. As an axis: `adapt.method`."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    """For head and full: passes over the earlier recordings. scratch is trained by `[training]`, without
    early stopping."""
    seizures: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of a subject's seizures, in order of time, that earlier recordings hold at most; one at least.
    Clips of one record stay together."""


Relearn = Callable[[WindowSet], Relearned]
"""Given the windows to learn from, the adapted network."""


@dataclass(frozen=True)
class Adapted:
    """`content`: the adapted detector's file. `report`: numbers before and after. `problems`: recordings left
    out.
    """

    content: bytes
    report: Report
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def first_minutes(
    labels: NDArray[np.bool_], windows_a_minute: float, settings: AdaptingSettings
) -> slice:
    """Which of the windows, in order of time, are learned from.

    `labels`: ictal, shape (n,). The first of them; where labels are needed and the first seizure is not over
    by then, as many that end with it. Raises `SettingsError` where there is no seizure, or nothing else.
    """
    count = min(max(1, round(settings.minutes * windows_a_minute)), len(labels))
    if not settings.needs_labels:
        return slice(0, count)
    ictal = np.flatnonzero(labels)
    if len(ictal) == 0:
        raise SettingsError(
            f"there is no seizure in these recordings, and --method {settings.method} needs one; bn needs no "
            "labels"
        )
    quiet_again = np.flatnonzero(~labels[ictal[0] :])
    over = int(ictal[0] + quiet_again[0]) if len(quiet_again) else len(labels)
    end = max(over, count)
    chosen = slice(end - count, end)
    if labels[chosen].all():
        raise SettingsError(
            f"the {settings.minutes:g} minutes with the first seizure are all seizure; give more "
            "--minutes, or recordings that hold the time around it"
        )
    return chosen


def adapt(
    parent: Detector,
    cohort: Cohort,
    settings: AdaptingSettings,
    relearn: Relearn | None = None,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> Adapted:
    """`parent` adapted to the recordings of `cohort`, taken in order of time.

    `relearn`: for every method but threshold. `cache`: of prepared recordings; None: the user's.

    The parent's certificate is never inherited. What comes after
    the minutes is scored before and after. Raises `SettingsError` for minutes that don't do, `CohortError`
    where nothing can be read.
    """
    stock = _prepared(parent, cohort, cohort.entries, progress, cache)
    windows = stock.windows()
    a_minute = 60 * windows.rate / windows.hop
    chosen = first_minutes(windows.labels, a_minute, settings)
    learning = stock.windows(np.arange(chosen.start, chosen.stop))
    fitted = fit(parent, learning, settings, relearn, cohort.name)
    adapted = Detector(fitted.content, "adapted")
    report: Report = {
        "adaptation": fitted.record.model_dump(mode="json"),
        "windows": len(learning),
        "ictal_windows": int(learning.labels.sum()),
        "macs": fitted.macs,
        "processor_seconds": fitted.seconds,
        "threshold": {"before": parent.threshold, "after": adapted.threshold},
    }
    # a window that begins before the minutes end has seen some of them
    later = np.arange(chosen.stop + -(-windows.length // windows.hop), len(windows))
    if len(later):
        report["later"] = before_and_after(parent, adapted, stock.windows(later), remainder=True)
    notes = _notes(parent, settings, fitted.record.minutes)
    return Adapted(fitted.content, report, notes, stock.problems)


@dataclass(frozen=True)
class Fitted:
    """`content`: the fitted detector's file. `macs`: multiply-accumulates, `seconds`: of the processor, that
    it took.
    """

    content: bytes
    record: Adaptation
    macs: int
    seconds: float


def fit(
    parent: Detector,
    learning: WindowSet,
    settings: AdaptingSettings,
    relearn: Relearn | None = None,
    data: str = "",
) -> Fitted:
    """`parent` fitted to the windows `learning`, all of them, which must be as it takes them.

    `relearn`: for every method but threshold. `data`: what they are of. Raises `ScoringError` or
    `TrainingError` where a class is missing that the method needs.
    """
    model, macs = parent.network.to_bytes(), parent.macs * len(learning)
    began = time.process_time()
    if relearn is not None:
        relearned = relearn(learning)
        model, macs = relearned.model, relearned.macs
    record = Adaptation(
        parent=parent.fingerprint,
        method=settings.method,
        minutes=len(learning) / (60 * learning.rate / learning.hop),
        data=data,
        subjects=learning.subjects,
        epochs=settings.epochs if settings.method in ("head", "full") else 0,
    )
    info = _adapted_info(parent.info, record)
    if settings.method == "threshold":
        info = _with_threshold(info, parent, learning)
    seconds = time.process_time() - began
    return Fitted(pack(model, info), record, macs, seconds)


@dataclass(frozen=True)
class _Stock:
    """Recordings through the detector's chain, in order of time, and where their windows lie."""

    detector: Detector
    prepared: tuple[Prepared, ...]
    index: WindowIndex
    problems: tuple[Problem, ...]

    def windows(self, chosen: NDArray[np.int64] | None = None) -> WindowSet:
        """As the detector takes them; all, or those that are chosen."""
        info = self.detector.info
        index = self.index if chosen is None else self.index.take(chosen)
        return WindowSet(self.prepared, info.chain, info.windows, info.scale, index)


def _prepared(
    detector: Detector,
    cohort: Cohort,
    entries: Sequence[Entry],
    progress: Progress | None,
    cache: Cache | None = None,
) -> _Stock:
    info = detector.info
    prepared, problems = prepare(_in_time(entries), info.chain, cache or Cache(), progress=progress)
    if not prepared:
        reason = problems[0].reason if problems else "there is none"
        raise CohortError(f"{cohort.folder}: no recording can be used; {reason}")
    index = index_windows(prepared, info.chain, info.windows)
    if not len(index):
        raise CohortError(f"{cohort.folder}: all recordings are shorter than a window")
    return _Stock(detector, tuple(prepared), index, (*cohort.problems, *problems))


def _in_time(entries: Sequence[Entry]) -> list[Entry]:
    """By their clocks; where a recording tells no time, in the folder's order."""
    starts: dict[str, datetime | None] = {}
    for entry in entries:
        try:
            starts[entry.key] = entry.open().start
        except RecordingError:
            continue  # `prepare` says what is wrong with it
    known = [start for start in starts.values() if start is not None]
    if len(known) < len(starts) or not known:
        return list(entries)
    return sorted(entries, key=lambda entry: starts.get(entry.key) or known[0])


def _adapted_info(info: DetectorInfo, record: Adaptation) -> DetectorInfo:
    """With one adaptation more and no certificate; who taught it anything is known from now on."""
    origin = info.provenance
    seen = "validation_subjects" if record.method == "threshold" else "subjects"
    provenance = origin.model_copy(
        update={
            "adapted": (*origin.adapted, record),
            seen: tuple(sorted({*getattr(origin, seen), *record.subjects})),
        }
    )
    return info.model_copy(update={"provenance": provenance, "certificate": None})


def _with_threshold(info: DetectorInfo, parent: Detector, learning: WindowSet) -> DetectorInfo:
    """Half of the way, in log odds, from the parent's threshold to the best one on these minutes: by
    macro-F1, on few seizures, which is a noisy guide.
    """
    best = best_threshold(learning.labels, window_probability(parent, learning))
    rules = info.post_processing
    threshold = moved_threshold(rules.threshold, rules.threshold, best)
    return info.model_copy(update={"post_processing": rules.moved_to(threshold)})


def _notes(parent: Detector, settings: AdaptingSettings, minutes: float) -> tuple[str, ...]:
    notes = []
    if minutes < 0.99 * settings.minutes:
        notes.append(
            f"{settings.minutes:g} minutes were asked for, {minutes:.1f} are there and were used"
        )
    if parent.info.certificate is not None:
        notes.append(
            "the certificate was left out: it speaks of the detector before; --certify judges this one "
            "against it"
        )
    if settings.method != "threshold":
        notes.append("threshold and rules are those of the detector before")
    return tuple(notes)


def scores_of(detector: Detector, windows: WindowSet, *, remainder: bool = False) -> Table:
    """Every metric that a margin can be on, of each subject.

    `remainder`: of a recording whose first windows are not in the set, only what comes after them counts.
    """
    probability = window_probability(detector, windows)
    table = WindowTable.of(windows)
    entries = [recording.entry for recording in windows.prepared]
    if remainder:
        entries, table = _without_beginnings(entries, table, windows.starts)
    rules = detector.info.post_processing
    events = events_of(entries, table, probability, windows.hop / windows.rate, rules)
    return subject_scores(entries, table, probability, detector.threshold, events)


def _without_beginnings(
    entries: Sequence[Entry], table: WindowTable, starts: NDArray[np.integer]
) -> tuple[list[Entry], WindowTable]:
    """Recordings as if those whose first sample no window has began where their first window here speaks.

    `starts`: the first sample of each window. A seizure before that is no missed one, nor the time there free
    of false alarms.
    """
    seconds, kept = table.second.copy(), []
    for index, entry in enumerate(entries):
        own = table.recording == index
        begin = float(seconds[own].min()) if starts[own].min() > 0 else 0.0
        seconds[own] -= begin
        duration = entry.duration - begin
        events = tuple(
            replace(
                event,
                onset=max(event.onset - begin, 0.0),
                duration=event.end - max(event.onset, begin),
            )
            for event in entry.events
            if event.end > begin
        )
        cut = replace(entry.events, events=events, duration=duration)
        kept.append(replace(entry, duration=duration, events=cut))
    return kept, replace(table, second=seconds)


def before_and_after(
    parent: Detector, adapted: Detector, windows: WindowSet, *, remainder: bool = False
) -> Report:
    """Means over subjects of both detectors on the same windows; None where nobody has what it takes.

    `remainder`: see `scores_of`.
    """
    tables = {
        name: scores_of(detector, windows, remainder=remainder)
        for name, detector in (("before", parent), ("after", adapted))
    }
    report: Report = {
        "subjects": len(windows.subjects),
        "hours": len(windows) * windows.hop / windows.rate / 3600,
    }
    for metric in METRICS:
        report[metric] = {
            name: _mean([row[metric] for row in table.values()]) for name, table in tables.items()
        }
    return report


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def forgetting(
    parent: Detector, adapted: Detector, cohort: Cohort, progress: Progress | None = None
) -> Report:
    """Scores before and after on those of `cohort` who trained `parent`.

    Raises `CohortError` where nobody of them is there.
    """
    trained = set(parent.info.provenance.subjects)
    entries = [entry for entry in cohort if entry.subject in trained]
    if not entries:
        raise CohortError(
            f"{cohort.folder}: holds nobody who trained the detector, so what it forgets can't be seen "
            "there; give the folder that it was trained on"
        )
    return before_and_after(parent, adapted, _prepared(parent, cohort, entries, progress).windows())


def unseen_windows(
    parent: Detector, adapted: Detector, cohort: Cohort, progress: Progress | None = None
) -> WindowSet:
    """Windows of those of whom neither detector has learned anything. Raises `CohortError`: there is
    nobody.
    """
    known = {
        name
        for detector in (parent, adapted)
        for name in (
            *detector.info.provenance.subjects,
            *detector.info.provenance.validation_subjects,
        )
    }
    entries = [entry for entry in cohort if entry.subject not in known]
    if not entries:
        raise CohortError(
            f"{cohort.folder}: everybody in it has taught one of both detectors; a certificate needs others"
        )
    return _prepared(parent, cohort, entries, progress).windows()
