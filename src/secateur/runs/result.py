"""From finished stages to `result.json`, `history.csv` and `predictions.parquet`.

Comes in: a run's material and its folder with every stage finished. Goes out: a `RunResult`. Next:
`reporting` draws it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

import secateur
from secateur.detectors import load_detector
from secateur.detectors.benching import measure_latency
from secateur.detectors.choosing import rules_of
from secateur.detectors.evaluation import (
    WindowTable,
    data_report,
    events_of,
    not_scored,
    score_events,
    score_table,
)
from secateur.files import replacing, write_whole
from secateur.recordings import describe_background
from secateur.runs.data import Material
from secateur.runs.folder import MODELS, RunFolder
from secateur.runs.settings import RunSettings
from secateur.runs.warnings import find_warnings, split_warnings
from secateur.scoring import TIMESCORING_VERSION, window_metrics
from secateur.scoring.intervals import Scores, mean_interval, paired_intervals
from secateur.windows import WindowSet

SCHEMA = 1
NO_EVENTS = "not scored: the windows of one recording stand on different sides of the split"
ALL_MODELS = (*MODELS, "trivial")


@dataclass(frozen=True)
class RunResult:
    """A finished run. `result` is what result.json holds; arrays are on the test side's windows.

    `records`: each stage's training record; `thresholds` and `probability` by model.
    """

    folder: RunFolder
    settings: RunSettings
    material: Material
    result: dict[str, Any]
    records: dict[str, dict[str, Any]]
    table: WindowTable
    probability: dict[str, NDArray[np.float64]]


def collect(
    material: Material, settings: RunSettings, folder: RunFolder, command: str
) -> RunResult:
    """Score every model on the test side and write the run's tables."""
    records = {name: folder.finished(name) or {} for name in ALL_MODELS}
    test = material.sides["test"]
    table = WindowTable.of(test)
    probability = {name: folder.arrays(name)["test"] for name in ALL_MODELS}
    models = score_models(material, records, probability)
    latency = measure_latency({name: load_detector(folder.detector(name)) for name in MODELS})
    for name in ALL_MODELS:
        models[name]["latency_ms"] = latency.get(name)
    result = {
        **common_fields(material, settings, folder, command),
        "models": models,
        "pruning": records["pruned"]["pruning"],
        "warnings": [
            *split_warnings(material),
            *find_warnings(models, records, material.whole.subjects_known),
        ],
    }
    write_whole(folder.path / "result.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    write_whole(folder.path / "history.csv", _history(records))
    _write_predictions(folder, table, probability)
    return RunResult(folder, settings, material, result, records, table, probability)


def common_fields(
    material: Material, settings: RunSettings, folder: RunFolder, command: str
) -> dict[str, Any]:
    """What every result.json tells: versions, data, split, what was left out or put right."""
    whole = material.whole
    return {
        "schema": SCHEMA,
        "secateur": secateur.__version__,
        "timescoring": TIMESCORING_VERSION,
        "run": folder.name,
        "command": command,
        "seed": settings.seed,
        "data": data_report(whole, describe_background(whole)),
        "split": _split_report(material, settings),
        "problems": [{"recording": one.key, "reason": one.reason} for one in material.problems],
        "notes": _grouped_notes(material),
    }


def _split_report(material: Material, settings: RunSettings) -> dict[str, Any]:
    """How it was split, who stands where, and what stands on both sides."""
    chosen, sides = settings.split, material.sides
    return {
        "by": chosen.by,
        "unit": material.split.unit,
        "fold": chosen.fold,
        "folds": len(chosen.frozen) or chosen.folds,
        "seed": chosen.seed,
        **{side: list(windows.subjects) for side, windows in sides.items()},
        "counts": {side: _counts(windows) for side, windows in sides.items()},
        "crossing": material.crossing.as_dict(),
        "prevalence": {"asked": chosen.prevalence, **material.prevalence},
        "notes": list(material.split.notes),
    }


def score_models(
    material: Material,
    records: Mapping[str, Mapping[str, Any]],
    probability: Mapping[str, NDArray[np.float64]],
    resampled: bool = True,
) -> dict[str, dict[str, Any]]:
    """Sizes of every model that has a record, and its scores on the test side where there is one.

    Among them is "baseline", with which the others are compared. `resampled`: with bootstrap intervals, which
    over many windows take longer than all else.
    """
    models = {name: _sizes(record) for name, record in records.items()}
    if "test" not in material.sides:
        return {
            name: {**told, "test": None, "minus_baseline": None} for name, told in models.items()
        }
    test = material.sides["test"]
    table = WindowTable.of(test)
    entries = [one.entry for one in test.prepared]
    files = test.recordings
    tested = tuple(entry for entry in material.whole if entry.path in files)
    background = describe_background(replace(material.whole, entries=tested), material.whole)
    plan = table.plan() if resampled else None
    replicates: dict[str, list[Scores]] = {}
    for name, record in records.items():
        chance, threshold = probability[name], float(record["threshold"])
        report, replicates[name] = score_table(table, chance, threshold, plan)
        rules = rules_of(record["post_processing"])
        hypotheses = events_of(entries, table, chance, test.hop / test.rate, rules)
        report["events"] = score_events(entries, hypotheses, background)
        if material.split.unit == "window":
            report["events"] = not_scored(report["events"], NO_EVENTS)
        models[name]["test"] = report
    for name in models:
        ours, theirs = models[name]["test"], models["baseline"]["test"]
        models[name]["minus_baseline"] = {
            "difference": {key: _minus(ours[key], theirs[key]) for key in window_metrics()},
            "intervals": paired_intervals(replicates[name], replicates["baseline"]),
            "what": models[name]["test"]["intervals"]["what"],
            "by_subject": _by_subject(ours["by_subject"], theirs["by_subject"]),
        }
    return models


def _sizes(record: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        *("parameters", "macs", "file_bytes", "kernels", "best_epoch", "post_processing"),
        "epochs_trained",
        "after_epochs",
    )
    return {"latency_ms": None, **{key: record.get(key) for key in keys}}


def _by_subject(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Differences inside each subject: their unweighted mean and its interval."""
    found: dict[str, Any] = {"difference": {}, "intervals": {}}
    for key in window_metrics():
        pairs = zip(ours["subjects"], theirs["subjects"], strict=True)
        each = [
            value for one, other in pairs if (value := _minus(one[key], other[key])) is not None
        ]
        found["difference"][key] = sum(each) / len(each) if each else None
        found["intervals"][key] = mean_interval(each)
    return found


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _counts(windows: WindowSet) -> dict[str, int]:
    entries = windows.recordings
    return {
        "recordings": len(entries),
        "seizures": sum(len(entry.events) for entry in entries.values()),
        "windows": len(windows),
        "ictal_windows": int(windows.labels.sum()),
    }


def _grouped_notes(material: Material) -> list[dict[str, Any]]:
    """What was put right, each once, with the recordings it was done to."""
    grouped: dict[str, list[str]] = {}
    for key, note in material.notes:
        grouped.setdefault(note, []).append(key)
    return [{"note": note, "recordings": keys} for note, keys in grouped.items()]


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


def _write_predictions(
    folder: RunFolder, table: WindowTable, probability: dict[str, NDArray[np.float64]]
) -> None:
    columns = {
        "recording": table.key,
        "subject": table.subject,
        "second": table.second,
        "label": table.label.astype(np.int8),
        **{name: probability[name].astype(np.float32) for name in ALL_MODELS},
    }
    with replacing(folder.path / "predictions.parquet") as beside:
        pyarrow.parquet.write_table(pyarrow.table(columns), beside, compression="zstd")
