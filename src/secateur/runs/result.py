"""From finished stages to `result.json`, `history.csv` and `predictions.parquet`."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

import secateur
from secateur import results
from secateur.detectors import load_detector
from secateur.detectors.benching import measure_latency
from secateur.detectors.choosing import rules_of
from secateur.detectors.evaluation import (
    WindowTable,
    data_report,
    events_of,
    false_alarms_by_set,
    not_scored,
    score_events,
    score_table,
)
from secateur.detectors.sweeping import (
    backgrounds_by_set,
    froc_of,
    froc_report,
    recording_windows,
)
from secateur.files import replacing, write_whole
from secateur.recordings import data_set_of, describe_background
from secateur.results import (
    RESULT_VERSION,
    AlarmDifference,
    DataSummary,
    Difference,
    EpochScores,
    FullTestScores,
    Intervals,
    Latency,
    ModelResult,
    Note,
    Problem,
    Pruning,
    SetScores,
    SideCounts,
    SplitSummary,
    Versions,
    written,
)
from secateur.results.warnings import find_warnings, version_warnings
from secateur.runs.data import RunData
from secateur.runs.folder import MODELS, RunFolder
from secateur.runs.settings import RunSettings
from secateur.scoring import TIMESCORING_VERSION, WindowScores, window_metrics
from secateur.scoring.false_alarms import alarm_cost
from secateur.scoring.intervals import Scores, mean_interval, means_of, minus, paired_intervals
from secateur.windows import WindowSet
from secateur.windows.cache import CHAIN_VERSION

NO_EVENTS = "not scored: the windows of one recording stand on different sides of the split"
LABELS_AT_RANDOM = (
    "trained on labels at random: a control of what explanations show, and no detector of anything"
)
ALL_MODELS = (*MODELS, "random_forest")
_OTHER_PREVALENCE = 0.05
_NAMED = 5
"""Recordings of implausible amplitude that warnings name; the notes name all."""


@dataclass(frozen=True)
class RunOutput:
    """A finished run. `result` is what result.json holds.

    `records`: each stage's training record. `table`: the test side's windows, and `probability` of each of
    them by model.
    """

    folder: RunFolder
    settings: RunSettings
    material: RunData
    result: results.RunResult
    records: dict[str, dict[str, Any]]
    table: WindowTable
    probability: dict[str, NDArray[np.float64]]


def collect(
    material: RunData, settings: RunSettings, folder: RunFolder, begun: Mapping[str, Any]
) -> RunOutput:
    """Score every model on the test side and write the run's tables. `begun`: see `begin_result`."""
    records = {name: folder.finished(name) or {} for name in ALL_MODELS}
    test = material.sides["test"]
    table = WindowTable.of(test)
    probability = {name: folder.arrays(name)["test"] for name in ALL_MODELS}
    latency = measure_latency({name: load_detector(folder.detector(name)) for name in MODELS})
    models = score_models(material, records, probability, latency)
    result = results.RunResult(
        **begun,
        versions=versions(records.values()),
        models=models,
        pruning=Pruning.model_validate(records["pruned"]["pruning"]),
        warnings=(
            *((LABELS_AT_RANDOM,) if settings.training.labels_at_random else ()),
            *_data_warnings(material),
            *find_warnings(models, records, material.recordings.subjects_known),
            *version_warnings(records.values()),
        ),
    )
    write_whole(folder.path / "result.json", written(result))
    write_whole(folder.path / "history.csv", _history(records))
    _write_predictions(folder, table, probability)
    return RunOutput(folder, settings, material, result, records, table, probability)


def begin_result(
    material: RunData, settings: RunSettings, name: str, command: str
) -> dict[str, Any]:
    """What a result tells before anything is trained: data, split, what was left out or put right; by field.

    `name`: the run's. `command`: that makes it again.
    """
    recordings = material.recordings
    return {
        "run": name,
        "command": command,
        "seed": settings.seed,
        "settings": settings.model_dump(mode="json"),
        "contents": material.contents,
        "data": DataSummary.model_validate(
            data_report(recordings, describe_background(recordings))
        ),
        "split": _split_report(material, settings),
        "problems": tuple(
            Problem(recording=each.key, reason=each.reason) for each in material.problems
        ),
        "notes": _grouped_notes(material),
    }


def versions(records: Iterable[Mapping[str, Any]] = ()) -> Versions:
    """What computed results: here, and where stages were finished before, with another torch maybe."""
    builds = sorted({version("torch"), *(record["torch"] for record in records if record)})
    return Versions(
        secateur=secateur.__version__,
        result=RESULT_VERSION,
        chain=CHAIN_VERSION,
        torch=" and ".join(builds),
        timescoring=TIMESCORING_VERSION,
    )


def _data_warnings(material: RunData) -> list[str]:
    """What the split lets through, and where a side's share of ictal windows is not the data's own."""
    warnings = []
    if material.leakage.words:
        warnings.append(
            f"{material.leakage.words}; scores speak of these people and not of new patients"
        )
    filled = {key for key, note in material.notes if "filled with zeros" in note}
    if filled:
        warnings.append(
            f"channels that were missing are zeros in {len(filled)} of {len(material.recordings)} "
            "recordings; the notes say which"
        )
    warnings += [f"{key}: {note}" for key, note in material.notes if "amplitude is" in note][
        :_NAMED
    ]
    prevalence = material.prevalence
    if (
        abs(prevalence["test"] - prevalence["natural"]) > _OTHER_PREVALENCE
        and material.split.unit == "window"
    ):
        warnings.append(
            f"the test side was thinned: {100 * prevalence['test']:.1f} % of its windows are ictal, "
            f"{100 * prevalence['natural']:.1f} % of all; accuracy, precision and F1 depend on that share"
        )
    return [*warnings, *set_warnings(material), *material.split.notes]


def set_warnings(material: RunData) -> list[str]:
    """Where of several data sets only some have seizures: which set it is gives the label away."""
    seizures: dict[str, int] = defaultdict(int)
    for entry in material.recordings:
        seizures[data_set_of(entry.subject)] += len(entry.events)
    without = [name for name, count in seizures.items() if not count]
    if not without or len(without) == len(seizures):
        return []
    have = "has" if len(without) == 1 else "have"
    return [
        f"of {len(seizures)} data sets {' and '.join(without)} {have} no seizure, so that the set gives "
        "labels away: scores over all windows count what tells amplifiers and people apart for skill. AUROC "
        "by subject doesn't, it is over people with seizures and background; scores of each set stand beside"
    ]


def _split_report(material: RunData, settings: RunSettings) -> SplitSummary:
    """How it was split, who stands where, and what stands on both sides."""
    chosen, sides = settings.split, material.sides
    return SplitSummary(
        by=chosen.by,
        unit=material.split.unit,
        fold=chosen.fold,
        folds=len(chosen.frozen) or chosen.folds,
        seed=chosen.seed,
        **{side: windows.subjects for side, windows in sides.items()},
        counts={side: side_counts(windows) for side, windows in sides.items()},
        leakage=material.leakage,
        prevalence={"asked": chosen.prevalence, **material.prevalence},
        notes=material.split.notes,
        tests_only=material.cohort.tests_only,
    )


def score_models(
    material: RunData,
    records: Mapping[str, Mapping[str, Any]],
    probability: Mapping[str, NDArray[np.float64]],
    latency: Mapping[str, Mapping[str, float]],
    resampled: bool = True,
) -> dict[str, ModelResult]:
    """Sizes of every model that has a record, and its scores on the test side where there is one.

    Among them is "baseline", with which the others are compared. `latency`: by model, where it was measured.
    `resampled`: with bootstrap intervals, which over many windows take longer than all else.
    """
    sizes = {name: _sizes(record, latency.get(name)) for name, record in records.items()}
    if "test" not in material.sides:
        return {
            name: ModelResult(**fields, test=None, minus_baseline=None)
            for name, fields in sizes.items()
        }
    test = material.sides["test"]
    table = WindowTable.of(test)
    entries = [recording.entry for recording in test.prepared]
    files = test.recordings
    tested = tuple(entry for entry in material.recordings if entry.path in files)
    cohort = replace(material.recordings, entries=tested)
    background = describe_background(cohort, material.recordings)
    backgrounds = backgrounds_by_set(cohort, material.recordings, material.declared)
    plan = table.plan() if resampled else None
    replicates: dict[str, list[Scores]] = {}
    tests: dict[str, FullTestScores] = {}
    for name, record in records.items():
        chance, threshold = probability[name], float(record["threshold"])
        report, replicates[name] = score_table(table, chance, threshold, plan)
        rules = rules_of(record["post_processing"])
        hypotheses = events_of(entries, table, chance, test.hop / test.rate, rules)
        report["events"] = score_events(entries, hypotheses, background)
        if material.split.unit == "window":
            report["events"] = not_scored(report["events"], NO_EVENTS)
        else:
            report["false_alarms"] = false_alarms_by_set(
                entries, table, chance >= threshold, hypotheses, material.declared
            )
            swept = recording_windows(entries, table, chance, test.hop / test.rate)
            report["froc"] = froc_report(froc_of(swept, rules), backgrounds)
        report["by_set"] = _by_set(table, chance, threshold)
        tests[name] = FullTestScores.of_report(report)
    return {
        name: ModelResult(
            **fields,
            test=tests[name],
            minus_baseline=_minus_baseline(
                tests[name],
                tests["baseline"],
                paired_intervals(replicates[name], replicates["baseline"]),
            ),
        )
        for name, fields in sizes.items()
    }


def _by_set(
    table: WindowTable, probability: NDArray[np.float64], threshold: float
) -> dict[str, SetScores]:
    """Scores on each data set; none where there is one alone."""
    names = sorted({data_set_of(subject) for subject in table.by_subject})

    def scores(rows: NDArray[np.int64]) -> Scores:
        return WindowScores(table.label[rows], probability[rows], threshold).all()

    by_set = {}
    for name in names if len(names) > 1 else ():
        own = [data_set_of(subject) == name for subject in table.subjects]
        people = {
            subject: scores(rows)
            for subject, rows in table.by_subject.items()
            if data_set_of(subject) == name
        }
        by_set[name] = SetScores(
            scores=scores(np.flatnonzero(table.of_recordings(own))),
            mean_of_subjects=means_of(people),
        )
    return by_set


def _sizes(record: Mapping[str, Any], latency: Mapping[str, float] | None) -> dict[str, Any]:
    keys = (
        *("parameters", "macs", "file_bytes", "kernels", "best_epoch", "epochs_trained"),
        *("post_processing", "budget"),
    )
    after = record.get("after_epochs")
    return {
        **{key: record.get(key) for key in keys},
        "latency_ms": None if latency is None else Latency(**latency),
        "after_epochs": None
        if after is None
        else {int(epoch): EpochScores.of_record(scores) for epoch, scores in after.items()},
    }


def _minus_baseline(
    model: FullTestScores, baseline: FullTestScores, intervals: Intervals
) -> Difference:
    """Over all windows, and inside each subject: the unweighted mean and its interval."""
    means, of_subjects = {}, {}
    for key in window_metrics():
        pairs = (
            (model.subjects[name][key], baseline.subjects[name][key]) for name in model.subjects
        )
        known = [value for pair in pairs if (value := minus(*pair)) is not None]
        means[key] = sum(known) / len(known) if known else None
        of_subjects[key] = mean_interval(known)
    return Difference(
        difference={
            key: minus(model.scores[key], baseline.scores[key]) for key in window_metrics()
        },
        intervals=intervals,
        what=model.intervals.what,
        mean_of_subjects=means,
        intervals_of_subjects=of_subjects,
        false_alarms=_more_alarms(model, baseline),
    )


def _more_alarms(model: FullTestScores, baseline: FullTestScores) -> tuple[AlarmDifference, ...]:
    """False alarms a day of each person, model minus baseline."""
    costs = {
        ours.data: alarm_cost(ours.people, theirs.people)
        for ours, theirs in zip(model.false_alarms, baseline.false_alarms, strict=True)
    }
    return tuple(
        AlarmDifference(data=data, per_day=cost.per_day, interval=cost.interval, people=cost.people)
        for data, cost in costs.items()
        if cost is not None
    )


def side_counts(windows: WindowSet) -> SideCounts:
    """What some windows hold together."""
    entries = windows.recordings
    return SideCounts(
        recordings=len(entries),
        seizures=sum(len(entry.events) for entry in entries.values()),
        windows=len(windows),
        ictal_windows=int(windows.labels.sum()),
    )


def _grouped_notes(material: RunData) -> tuple[Note, ...]:
    """What was put right, each once, with the recordings it was done to."""
    grouped: dict[str, list[str]] = {}
    for key, note in material.notes:
        grouped.setdefault(note, []).append(key)
    return tuple(Note(note=note, recordings=tuple(keys)) for note, keys in grouped.items())


def _history(records: dict[str, dict[str, Any]]) -> str:
    return as_csv(
        [{"model": name, **epoch} for name in MODELS for epoch in records[name]["epochs"]]
    )


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; all rows have the first one's columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def window_columns(table: WindowTable) -> dict[str, Any]:
    """The windows of a table as columns of predictions.parquet."""
    return {
        "recording": pyarrow.array(table.keys).take(pyarrow.array(table.recording)),
        "subject": pyarrow.array(table.subjects).take(pyarrow.array(table.recording)),
        "second": table.second,
        "label": table.label.astype(np.int8),
    }


def _write_predictions(
    folder: RunFolder, table: WindowTable, probability: dict[str, NDArray[np.float64]]
) -> None:
    columns = {
        **window_columns(table),
        **{name: probability[name].astype(np.float32) for name in ALL_MODELS},
    }
    with replacing(folder.path / "predictions.parquet") as beside:
        pyarrow.parquet.write_table(pyarrow.table(columns), beside, compression="zstd")
