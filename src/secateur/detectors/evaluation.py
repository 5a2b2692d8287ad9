"""How good a detector is on a cohort: by window, by subject, by event; numbers as `result.json` holds them.

What isn't defined is None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.detector import Detector, WindowProbabilities
from secateur.detectors.event_rules import PostProcessing, to_events
from secateur.detectors.network.run import mean_probability
from secateur.detectors.sweeping import (
    RecordingWindows,
    backgrounds_by_set,
    froc_of,
    froc_report,
)
from secateur.errors import ChannelsError, RecordingError
from secateur.events import Events
from secateur.recordings import (
    Background,
    Cohort,
    Entry,
    OneChannel,
    Problem,
    Recording,
    data_set_of,
    describe_background,
    load_cohort,
)
from secateur.recordings.montage import shared_pairs
from secateur.scoring import (
    TIMESCORING_VERSION,
    EventComparison,
    Score,
    WindowScores,
    always,
    compare,
    compare_all,
)
from secateur.scoring.false_alarms import FalseAlarms
from secateur.scoring.intervals import (
    Resampling,
    Scores,
    intervals,
    mean_interval,
    means_of,
    pooled_replicates,
    resampling,
)
from secateur.scoring.metrics import METRICS, Metric, margin_metrics, window_metrics
from secateur.windows import WindowSet, channel_of, label_windows
from secateur.windows.chain import PIECE
from secateur.windows.prepared import rows_by_name

Report = dict[str, Any]
_BATCH = 64


@dataclass(frozen=True)
class WindowTable:
    """Windows of one or more recordings.

    `keys`, `subjects`: of each recording. Of each window, shape (n,): `recording`, an index into these;
    `second`, where the stretch that it speaks for begins; `label`, ictal.
    """

    keys: tuple[str, ...]
    subjects: tuple[str, ...]
    recording: NDArray[np.integer]
    second: NDArray[np.float64]
    label: NDArray[np.bool_]

    @classmethod
    def of(cls, windows: WindowSet) -> WindowTable:
        """A window set's truth."""
        entries = [part.entry for part in windows.prepared]
        return cls(
            tuple(entry.key for entry in entries),
            tuple(entry.subject for entry in entries),
            windows.recording,
            windows.seconds,
            windows.labels,
        )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def key(self) -> NDArray[np.str_]:
        """The key of each window's recording, shape (n,)."""
        return np.take(np.array(self.keys, dtype=np.str_), self.recording)

    @property
    def subject(self) -> NDArray[np.str_]:
        """The subject of each window, shape (n,)."""
        return np.take(np.array(self.subjects, dtype=np.str_), self.recording)

    @cached_property
    def _by_key(self) -> dict[str, NDArray[np.int64]]:
        return rows_by_name(self.keys, self.recording)

    @cached_property
    def by_subject(self) -> dict[str, NDArray[np.int64]]:
        """Indices, rising, of the windows of each subject who has any, in alphabetical order."""
        return rows_by_name(self.subjects, self.recording)

    def rows(self, key: str) -> NDArray[np.int64]:
        """Indices, rising, of a recording's windows."""
        return self._by_key.get(key, np.empty(0, dtype=np.int64))

    def of_recordings(self, chosen: Sequence[bool]) -> NDArray[np.bool_]:
        """Whether each window's recording is one of the `chosen`, of which there is one value each."""
        return np.take(np.array(chosen, dtype=np.bool_), self.recording)

    def plan(self) -> Resampling:
        """The bootstrap's replicates; the same for every model scored on this table."""
        ranks = (
            np.unique(names, return_inverse=True)[1][self.recording]
            for names in (self.subjects, self.keys)
        )
        return resampling(*ranks)


def window_probability(
    detector: Detector,
    windows: WindowSet,
    known: NDArray[np.float64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """Probabilities by the detector's own network for every window of a set, shape (n,).

    Where a recording's windows follow each other the network passes over it once, as in detecting. `known`:
    probabilities, NaN where there is none yet; each recording that lacks some is judged, and written into it
    at once. `progress` is told after each recording how many windows are done, of how many.
    """
    probability = np.full(len(windows), np.nan) if known is None else known
    done = 0
    for recording in range(len(windows.prepared)):
        own = np.flatnonzero(windows.recording == recording)
        if np.isnan(probability[own]).any():
            probability[own] = _of_recording(detector, windows, recording, own)
        done += len(own)
        if progress:
            progress(done, len(windows))
    return np.array(probability)


def _of_recording(
    detector: Detector, windows: WindowSet, recording: int, own: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The same for one recording, whose windows are `own`."""
    span = windows.in_a_row(recording)
    if span is not None:
        return np.concatenate(list(_in_one_pass(detector, windows, recording, span)))
    parts = [own[start : start + _BATCH] for start in range(0, len(own), _BATCH)]
    return np.concatenate([detector.probability(windows.batch(part)) for part in parts])


def _in_one_pass(
    detector: Detector, windows: WindowSet, recording: int, span: tuple[int, int]
) -> Iterator[NDArray[np.float64]]:
    network, step = detector.begin(1), round(PIECE * windows.rate)
    for first in range(*span, step):
        piece = windows.chained(recording, first, min(first + step, span[1]))
        yield mean_probability(network.push(piece[None]))


def score_table(
    table: WindowTable, probability: NDArray[np.floating], threshold: float, plan: Resampling | None
) -> tuple[Report, list[Scores]]:
    """Scores of one model, and its bootstrap replicates for paired comparisons (`plan` None: none)."""
    scores = WindowScores(table.label, probability, threshold)
    pooled = scores.all()

    each = {
        name: WindowScores(table.label[rows], probability[rows], threshold).all()
        for name, rows in table.by_subject.items()
    }
    replicates = pooled_replicates(scores, plan) if plan is not None else []
    at_half = scores.confusion(threshold=0.5)
    report: Report = {
        **pooled,
        "confusion": scores.confusion().table(),
        "threshold": threshold,
        "windows": len(table.label),
        "at_0.5": {
            "accuracy": at_half.accuracy,
            "macro_f1": at_half.macro_f1,
            "sensitivity": at_half.sensitivity,
            "specificity": at_half.specificity,
            "confusion": at_half.table(),
        },
        "by_subject": {
            **means_of(each),
            "subjects": [{"subject": name, **values} for name, values in each.items()],
        },
        "intervals": {
            "what": plan.label if plan is not None else "not resampled",
            "pooled": intervals(replicates),
            "by_subject": {
                name: mean_interval([values[name] for values in each.values()])
                for name in window_metrics()
            },
        },
    }
    return report, replicates


def events_of(
    entries: Sequence[Entry],
    table: WindowTable,
    probability: NDArray[np.floating],
    hop: float,
    rules: PostProcessing,
) -> dict[str, Events]:
    """Events by recording, made from a table's probabilities."""
    events = {}
    for entry in entries:
        own = table.rows(entry.key)
        events[entry.key] = to_events(
            table.second[own], probability[own], hop, rules, entry.duration
        )
    return events


def score_events(
    entries: Sequence[Entry], hypotheses: dict[str, Events], background: Background
) -> Report:
    """Scores by event over all `entries`, the same for a detector that always fires, and a warning."""
    truths = [entry.events.clipped() for entry in entries]
    pairs = [(truth, hypotheses[entry.key]) for truth, entry in zip(truths, entries, strict=True)]
    comparison = compare_all(pairs)
    blind = compare_all([(truth, always(truth)) for truth in truths])
    return {
        **comparison.events.as_dict(),
        "delay_median": comparison.delay(0.5),
        "delay_p90": comparison.delay(0.9),
        "samples": comparison.samples.as_dict(),
        "always_firing": blind.events.as_dict(),
        "timescoring": TIMESCORING_VERSION,
        "note": event_note(len(entries), background, blind.events.ref),
    }


def subject_scores(
    entries: Sequence[Entry],
    table: WindowTable,
    probability: NDArray[np.floating],
    threshold: float,
    hypotheses: Mapping[str, Events],
) -> dict[str, Scores]:
    """Every metric that a margin can be on, for each subject of `entries`, in alphabetical order.

    What a certificate is made of. Whether a metric is defined for a subject is decided by the truth alone,
    never by what a model says: else a network could lose the subjects on which it fails.

    `probability`: of each of the table's windows, shape (n,); `hypotheses`: events by recording key, as
    `events_of` gives them. Events are counted by timescoring over all of a subject's recordings, then
    divided. `event_sensitivity` and `event_f1` are None for a subject without a seizure, window metrics
    as in `WindowScores`.
    """
    counted: dict[str, EventComparison] = defaultdict(EventComparison)
    for entry in entries:
        counted[entry.subject] += compare(entry.events.clipped(), hypotheses[entry.key])
    scores: dict[str, Scores] = {}
    for subject in sorted(counted):
        chosen = table.by_subject.get(subject, np.empty(0, dtype=np.int64))
        windows = WindowScores(table.label[chosen], probability[chosen], threshold).all()
        events = counted[subject].events
        scores[subject] = {
            key: windows[key] if key in windows else _by_labels(METRICS[key], events)
            for key in margin_metrics()
        }
    return scores


def _by_labels(metric: Metric, events: Score) -> float | None:
    """A metric by event; None for a subject whose labels lack what it needs."""
    return metric.measure(events) if events.ref or "seizure" not in metric.needs else None


def false_alarms_by_set(
    entries: Sequence[Entry],
    table: WindowTable,
    called: NDArray[np.bool_],
    hypotheses: Mapping[str, Events],
    declared: Container[str] = (),
) -> list[Report]:
    """Alarms outside seizures on each data set, and of each person.

    `called`: which of the table's windows are at or above the threshold, shape (n,); `hypotheses`: events by
    recording key; `declared`: data sets of which the user has said that they hold no seizure.
    """
    by_set: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_set[data_set_of(entry.subject)].append(entry)
    reports = []
    for name, own in by_set.items():
        people: dict[str, FalseAlarms] = defaultdict(lambda: FalseAlarms(0, 0.0))
        for entry in own:
            alarms = compare(entry.events.clipped(), hypotheses[entry.key]).events.fp
            free = max(0.0, entry.duration - entry.events.seconds) / 3600
            people[entry.subject] += FalseAlarms(alarms, free)
        keys = {entry.key for entry in own}
        quiet = table.of_recordings([key in keys for key in table.keys]) & ~table.label
        reports.append(
            {
                "data": name,
                "declared_seizure_free": name in declared,
                **sum(people.values(), FalseAlarms(0, 0.0)).as_dict(),
                "window_share": float(called[quiet].mean()) if quiet.any() else None,
                "subjects": {
                    subject: {"alarms": counted.alarms, "hours": counted.hours}
                    for subject, counted in sorted(people.items())
                },
            }
        )
    return reports


def background_seconds(entries: Sequence[Entry]) -> dict[str, float]:
    """Seconds outside seizures of each subject, in alphabetical order."""
    seconds: dict[str, float] = {}
    for entry in sorted(entries, key=lambda entry: entry.subject):
        free = entry.duration - entry.events.seconds
        seconds[entry.subject] = seconds.get(entry.subject, 0.0) + free
    return seconds


def not_scored(report: Report, note: str) -> Report:
    """The same report by event with nothing in it but why."""
    blank = {
        key: dict.fromkeys(value) if isinstance(value, dict) else None
        for key, value in report.items()
    }
    return {**blank, "timescoring": TIMESCORING_VERSION, "note": note}


def event_note(scored: int, background: Background, seizures: int) -> str | None:
    """Why event scores on these data mean less than they seem to; None where nothing is amiss.

    Of the data alone, whatever a detector makes of them: `beaten_by_always` tells that. `scored`: what events
    were counted on; more than the recordings where each channel counts by itself.
    """
    reasons = []
    if scored != background.recordings:
        reasons.append(
            f"counted on {scored} parts of {background.recordings} recordings (channels, or what lies "
            "between gaps), each by itself"
        )
    if not seizures:
        reasons.append("no seizure on these recordings: only false alarms can be counted")
    if background.seizure_throughout:
        reasons.append(
            f"{background.seizure_throughout} of {background.recordings} recordings are seizure from end to "
            "end, so a detector that always fires scores high"
        )
    if background.post_ictal_only:
        reasons.append("post-ictal background only: false alarms per day say nothing about a ward")
    elif background.clips:
        reasons.append(
            f"{background.words}: false alarms per day on short pieces say nothing about a ward"
        )
    elif background.least_hours_of_a_subject < 1:
        reasons.append(
            f"the subject with the least background has {background.least_hours_of_a_subject:.2f} h "
            "of it: false alarms per day are a rough guess"
        )
    return "; ".join(reasons) or None


def data_report(cohort: Cohort, background: Background) -> Report:
    """What a cohort holds, in numbers."""
    hours = cohort.hours
    return {
        "name": cohort.name,
        "layout": cohort.layout,
        "subjects": len(cohort.subjects) if cohort.subjects_known else None,
        "recordings": len(cohort),
        "seizures": cohort.seizures,
        "hours": hours,
        "ictal_hours": cohort.ictal_hours,
        "prevalence": cohort.ictal_hours / hours if hours else None,
        "background": background.words,
        "background_hours": background.hours,
        "simulated": cohort.simulated,
        "notes": list(cohort.notes),
    }


@dataclass(frozen=True)
class Evaluation:
    """A detector's scores on a cohort. `report` is what `secateur evaluate` writes of it.

    `recordings`: what its curve is made of (`evaluation_froc`). `backgrounds`: what each data set's
    background is, in words.
    """

    report: Report
    table: WindowTable
    probability: NDArray[np.float64]
    problems: tuple[Problem, ...]
    recordings: tuple[RecordingWindows, ...]
    backgrounds: dict[str, str]


def evaluation_froc(detector: Detector, evaluations: Sequence[Evaluation]) -> Report:
    """Sensitivity by event over false alarms (FROC) on all that was evaluated together.

    Seizures of one cohort and the background of another meet at the same thresholds.
    """
    recordings = [each for evaluation in evaluations for each in evaluation.recordings]
    backgrounds = {name: words for each in evaluations for name, words in each.backgrounds.items()}
    return froc_report(froc_of(recordings, detector.info.post_processing), backgrounds)


_Judged = tuple[Entry, WindowProbabilities, NDArray[np.bool_]]


def _judged(detector: Detector, entry: Entry) -> Iterator[_Judged]:
    """A recording with its probabilities and the windows' labels.

    Under montage each: every EEG channel as a recording of its own, as it was in training.
    """
    recording = entry.open()
    judged: list[tuple[Entry, Recording]] = [(entry, recording)]
    if detector.info.chain.montage == "each":
        names = detector.chain.source(recording)[1].names
        judged = [(channel_of(entry, name), OneChannel(recording, name)) for name in names]
    settings, rate = detector.info.windows, detector.info.chain.sampling_rate
    length, hop = detector.info.window_and_hop
    for part, signal in judged:
        # as a window set is evaluated, on whose numbers results stand
        probabilities = detector.window_probabilities(
            signal, too_slow=entry.reading.too_slow, exact=False
        )
        starts = probabilities.begin - (length - hop) / rate
        yield part, probabilities, label_windows(starts, entry.events, settings, rate).ictal


def _recording_of(
    part: Entry, windows: WindowProbabilities, label: NDArray[np.bool_]
) -> RecordingWindows:
    return RecordingWindows(
        part,
        windows.duration,
        windows.begin,
        windows.probability,
        label,
        windows.hop,
        windows.restarts,
    )


def _table_of(parts: Sequence[_Judged]) -> WindowTable:
    """All windows of the recordings that were judged."""
    return WindowTable(
        tuple(part.key for part, _, _ in parts),
        tuple(part.subject for part, _, _ in parts),
        np.repeat(np.arange(len(parts)), [len(label) for _, _, label in parts]),
        np.concatenate([windows.begin for _, windows, _ in parts]),
        np.concatenate([label for _, _, label in parts]),
    )


def _with_what_would_do(error: ChannelsError, entry: Entry) -> ChannelsError:
    """The error, and the pairs that the recording has, with which a detector could be trained for it."""
    pairs = shared_pairs([entry.open().channels])
    if not pairs:
        return error
    reason = f"{error.reason}; a detector that is trained with --montage {','.join(pairs)} takes it"
    return ChannelsError(error.path, reason, error.missing)


def require_channels(detector: Detector, cohort: Cohort) -> None:
    """Raise `ChannelsError` where recordings lack channels of the detector's, unless it may skip them.

    Asked before anything is judged: the first is named, and how many there are.
    """
    if detector.info.chain.missing == "skip":
        return
    lacking: list[tuple[ChannelsError, Entry]] = []
    for entry in cohort:
        try:
            detector.chain.source(entry.open())
        except ChannelsError as error:
            lacking.append((error, entry))
        except RecordingError:
            continue  # becomes a problem where it is judged
    if not lacking:
        return
    first, count = _with_what_would_do(*lacking[0]), len(lacking)
    more = f"; {count} of {len(cohort)} recordings can't be judged, this is the first"
    raise ChannelsError(first.path, first.reason + (more if count > 1 else ""), first.missing)


def evaluate(
    detector: Detector,
    cohort: Cohort | Path | str,
    *,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run `detector` over every recording of `cohort` (or its folder) and score it against the events there.

    A recording that can't be read, or lacks channels where the detector's `missing` is "skip", is
    listed in the problems, or an error where `strict`. The threshold is the detector's own: nothing is
    chosen on these data.
    """
    if not isinstance(cohort, Cohort):
        cohort = load_cohort(cohort, strict=strict)
    require_channels(detector, cohort)
    used: list[Entry] = []
    parts: list[_Judged] = []
    problems = list(cohort.problems)
    notes: list[Report] = []
    for count, entry in enumerate(cohort, start=1):
        try:
            judged = list(_judged(detector, entry))
        except RecordingError as error:
            if strict:
                raise
            problems.append(Problem(entry.key, error.reason))
            continue
        used.append(entry)
        every = [note for _, windows, _ in judged for note in windows.notes]
        notes += [
            {"recording": entry.key, "note": note} for note in dict.fromkeys((*entry.notes, *every))
        ]
        parts += judged
        if progress:
            progress(count, len(cohort))
    if not any(len(label) for _, _, label in parts):
        reason = problems[0].reason if problems else "all are shorter than a window"
        raise RecordingError(cohort.folder, f"no recording could be evaluated: {reason}")
    table = _table_of(parts)
    probability = np.concatenate([windows.probability for _, windows, _ in parts])
    evaluated = replace(cohort, entries=tuple(used), problems=())
    background = describe_background(evaluated, cohort)
    test, _ = score_table(table, probability, detector.threshold, table.plan())
    hypotheses = {part.key: detector.events(windows) for part, windows, _ in parts}
    scored = [part for part, _, _ in parts]
    test["events"] = score_events(scored, hypotheses, background)
    called = probability >= detector.threshold
    test["false_alarms"] = false_alarms_by_set(scored, table, called, hypotheses, cohort.declared)
    origin = detector.info.provenance
    known = {*origin.subjects, *origin.validation_subjects}
    report = {
        "data": data_report(evaluated, background),
        "known_subjects": sorted(known & set(evaluated.subjects)),
        "test": test,
        "problems": [{"recording": problem.key, "reason": problem.reason} for problem in problems],
        "notes": notes,
    }
    recordings = tuple(_recording_of(*judged) for judged in parts)
    backgrounds = backgrounds_by_set(evaluated, cohort, cohort.declared)
    return Evaluation(report, table, probability, tuple(problems), recordings, backgrounds)
