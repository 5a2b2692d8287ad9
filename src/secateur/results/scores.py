"""Scores by the names of their metrics, as every result holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from secateur.scoring.false_alarms import FalseAlarms as AlarmsOfOne
from secateur.scoring.froc import Froc as EventCurve
from secateur.scoring.froc import OperatingPoint
from secateur.scoring.metrics import BY_SUBJECT, event_metrics, window_metrics

Scores = dict[str, float | None]
"""By a metric's key (`secateur.scoring.METRICS`); None where it isn't defined."""
Interval = tuple[float, float]
Intervals = dict[str, Interval | None]
Confusion = tuple[tuple[int, int], tuple[int, int]]
"""Windows: rows background and ictal as labelled, columns as called."""

EVENT = "event_"
"""Begins the keys of metrics by event; timescoring's names go without."""


class Record(BaseModel):
    """Base of all that results hold: frozen, unknown names refused, every number finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )


class EventCounts(Record):
    """Hits, false claims and events of the reference, and `scores` made of them (event_f1, fp_per_day, …).

    All None where events were not scored.
    """

    tp: int | None
    fp: int | None
    ref: int | None
    scores: Scores

    @classmethod
    def fields_of(
        cls, report: Mapping[str, Any], metrics: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Fields from the report of `detectors.evaluation`; see `FullTestScores.of_report`."""
        keys = event_metrics() if metrics is None else metrics
        scores = {key: report[key.removeprefix(EVENT)] for key in keys}
        return {**{name: report[name] for name in ("tp", "fp", "ref")}, "scores": scores}


class EventScores(EventCounts):
    """Events of a test side. `delay_median`, `delay_p90`: seconds from an event's begin to its detection.

    `samples`: the same by sample; `always_firing`: of a detector that never stops; `timescoring`: the version
    that counted; `note`: why these numbers mean less than they seem to.
    """

    delay_median: float | None
    delay_p90: float | None
    samples: EventCounts
    always_firing: EventCounts
    timescoring: str
    note: str | None

    @classmethod
    def fields_of(
        cls, report: Mapping[str, Any], metrics: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """See `EventCounts`."""
        counts = EventCounts.fields_of
        return {
            **counts(report, metrics),
            **{name: report[name] for name in ("delay_median", "delay_p90", "timescoring", "note")},
            **{name: counts(report[name], metrics) for name in ("samples", "always_firing")},
        }


class AlarmCount(Record):
    """Alarms outside seizures, and the hours that were looked at."""

    alarms: int
    hours: float


class FalseAlarms(AlarmCount):
    """Alarms where there is no seizure, on one data set.

    `declared_seizure_free`: the user has said so of the set. `per_day` with the exact two-sided 95 %
    `interval` and the one-sided `limit` (see `scoring.false_alarms`); `words`: the same as a sentence.
    `window_share`: of windows outside seizures, those called.
    """

    data: str
    declared_seizure_free: bool
    per_day: float | None
    interval: Interval | None
    limit: float | None
    words: str
    window_share: float | None
    subjects: dict[str, AlarmCount]

    @property
    def people(self) -> dict[str, AlarmsOfOne]:
        """Alarms of each person, to be reckoned with."""
        return {name: AlarmsOfOne(own.alarms, own.hours) for name, own in self.subjects.items()}


class Froc(Record):
    """Sensitivity by event over false alarms, a value at each of rising `thresholds` (see `scoring.froc`).

    `tp`: found of so many `seizures`, over all data sets. `alarms`, `hours`: outside seizures, by data set.
    `backgrounds`: what each data set's background is, in words.
    """

    thresholds: tuple[float, ...]
    tp: tuple[int, ...] = Field(alias="found")
    seizures: int
    alarms: dict[str, tuple[int, ...]]
    hours: dict[str, float]
    backgrounds: dict[str, str]

    def points(self, data: str | None = None) -> tuple[OperatingPoint, ...]:
        """A point a threshold, with the false alarms of one data set or of all together (None)."""
        curve = EventCurve(self.thresholds, self.tp, self.seizures, self.alarms, self.hours)
        return curve.points(data)


class TestScores(Record):
    """One model on the windows of a test side.

    `scores`: over all windows at `threshold`; `subjects`: the same inside each subject. `false_alarms`: by
    data set; empty, and `froc` None, where events were not scored, or by an earlier version.
    """

    __test__ = False  # no class of tests

    scores: Scores
    threshold: float
    windows: int
    subjects: dict[str, Scores]
    events: EventCounts
    false_alarms: tuple[FalseAlarms, ...] = ()
    froc: Froc | None = None

    def score(self, metric: str) -> float | None:
        """By key: over all windows, of events, or with `_by_subject` the mean over subjects that have it."""
        if metric.endswith(BY_SUBJECT):
            inside = metric.removesuffix(BY_SUBJECT)
            known = [
                value for each in self.subjects.values() if (value := each.get(inside)) is not None
            ]
            return sum(known) / len(known) if known else None
        return {**self.events.scores, **self.scores}.get(metric)


class AtHalf(Record):
    """The same windows at a threshold of 0.5."""

    scores: Scores
    confusion: Confusion


class TestIntervals(Record):
    """95 % intervals. `what`: what was resampled, in words; `pooled`: of scores over all windows;
    `mean_of_subjects`: of the mean over subjects.
    """

    __test__ = False

    what: str
    pooled: Intervals
    mean_of_subjects: Intervals


class SetScores(Record):
    """One data set of several: over all its windows, and the unweighted mean over its subjects."""

    scores: Scores
    mean_of_subjects: Scores


class AlarmDifference(Record):
    """False alarms a day, model minus baseline, on one data set: the unweighted mean over people."""

    data: str
    per_day: float
    interval: Interval | None
    people: int


class FullTestScores(TestScores):
    """What a run tells of one model. `mean_of_subjects`: unweighted, over those for whom it is defined.

    `by_set`: where there are several sets.
    """

    confusion: Confusion
    at_half: AtHalf
    mean_of_subjects: Scores
    intervals: TestIntervals
    events: EventScores
    by_set: dict[str, SetScores] = {}

    @classmethod
    def of_report(
        cls,
        report: Mapping[str, Any],
        of_windows: Iterable[str] | None = None,
        of_events: Iterable[str] | None = None,
    ) -> FullTestScores:
        """From what `detectors.evaluation` gives, and what `result.json` held up to schema 1.

        `of_windows`, `of_events`: keys of the metrics in it; None: all that there are today.
        """
        names = tuple(of_windows) if of_windows is not None else window_metrics()
        half, means = report["at_0.5"], report["by_subject"]
        return cls(
            scores={name: report[name] for name in names},
            threshold=report["threshold"],
            windows=report["windows"],
            subjects={
                each["subject"]: {name: each[name] for name in names} for each in means["subjects"]
            },
            events=EventScores(**EventScores.fields_of(report["events"], of_events)),
            confusion=report["confusion"],
            at_half=AtHalf(
                scores={name: half[name] for name in half if name != "confusion"},
                confusion=half["confusion"],
            ),
            mean_of_subjects={name: means[name] for name in names},
            intervals=TestIntervals(
                what=report["intervals"]["what"],
                pooled=report["intervals"]["pooled"],
                mean_of_subjects=report["intervals"]["by_subject"],
            ),
            false_alarms=report.get("false_alarms", ()),
            froc=report.get("froc"),
            by_set=report.get("by_set", {}),
        )


class Difference(Record):
    """A model minus the baseline, over all windows and as a mean over subjects, with paired intervals.

    `false_alarms`: by data set, paired by person.
    """

    difference: Scores
    intervals: Intervals
    what: str
    mean_of_subjects: Scores
    intervals_of_subjects: Intervals
    false_alarms: tuple[AlarmDifference, ...] = ()


class Means(Record):
    """Over subjects: unweighted `mean`, its interval, and for how many the metric is defined."""

    mean: Scores
    intervals: Intervals
    n: dict[str, int]


class SubjectMeans(Means):
    """With the scores of each subject."""

    subjects: dict[str, Scores]


class EpochScores(Record):
    """A network in the middle of its training, at a threshold from validation, as in `TestScores`.

    `windows`: of the test side that were looked at, weighed to stand for all; None: all, by an earlier
    version.
    """

    scores: Scores
    threshold: float
    subjects: dict[str, Scores]
    windows: int | None = None

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> EpochScores:
        """From a stage's record, in which scores stand beside the rest."""
        fields = {name: record[name] for name in ("threshold", "subjects")}
        scores = {name: value for name, value in record.items() if name not in (*fields, "windows")}
        return cls(scores=scores, windows=record.get("windows"), **fields)


AfterEpochs = dict[int, EpochScores] | None
"""A test side's scores after so many epochs of retraining, 0: right after the cut; None: not looked at."""
