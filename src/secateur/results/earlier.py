"""Results of earlier schemas as today's.

Schema 1: scores inside a subject stood in the order of `METRICS_OF_1`; a study's run told those settings
alone that differed from the defaults; versions of torch, of results and of the chain stood in no run's
result. Schema 2: its first files call the forest "trivial" and hold certificates of rules 1 in their form,
and what later ones tell (repeats, false alarms by data set, …) is absent: it is at the models' defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateur.results.scores import EpochScores, EventCounts, FullTestScores
from secateur.scoring.earlier_rules import certificate_of_1, statement_of_1

METRICS_OF_1 = (
    "accuracy",
    "macro_f1",
    "auroc",
    "auprc",
    "brier",
    "sensitivity",
    "specificity",
)
EVENTS_OF_1 = ("event_sensitivity", "event_precision", "event_f1", "fp_per_day")
Tables = dict[str, Any]
_RUN: Tables = {
    "seed": 0,
    "chain": {
        "montage": "bipolar-18",
        "channels": [],
        "missing": "error",
        "sampling_rate": 256.0,
        "low": 0.5,
        "high": 40.0,
        "order": 4,
        "notch": None,
        "scaling": "training-set",
        "compression": "asinh",
    },
    "windows": {"length": 4.0, "hop": 1.0, "label_share": 0.5, "leave_out_edges": True},
    "split": {
        "by": "subject",
        "validation": 0.2,
        "test": 0.3,
        "folds": None,
        "fold": None,
        "frozen": [],
        "prevalence": None,
        "at_most": None,
        "seed": 0,
    },
    "network": {
        "name": "valid",
        "widths": [32, 64, 128],
        "kernel_sizes": [7, 5, 3],
        "pooling": [4, 4, 4],
        "dropout": 0.2,
    },
    "training": {
        "epochs": 12,
        "least_epochs": 6,
        "batch_size": 32,
        "learning_rate": 0.001,
        "weight_decay": 0.0001,
        "patience": 5,
        "min_improvement": 0.001,
        "draw": "balanced",
        "windows_per_epoch": 1920,
        "background_per_epoch": None,
        "class_weights": "balanced",
        "averaging": 0.99,
        "recalibration": 24,
        "augmentation": {
            "gain": 1.3,
            "drop_channels": 3,
            "drop_probability": 0.5,
            "permute_channels": True,
            "shift": True,
        },
    },
    "pruning": {
        "ratio": 0.5,
        "importance": "l1",
        "allocation": "uniform",
        "cost_in": "macs",
        "steps": 1,
        "retrain": "finetune",
        "rewind_to": 2,
        "round_to": 1,
        "target": None,
    },
    "threshold": {"trust": 0.5},
    "post_processing": {
        "threshold": 0.5,
        "release": None,
        "smoothing": 0.0,
        "merge_gap": 5.0,
        "shortest": 3.0,
        "refractory": 0.0,
        "choose": True,
    },
}
_LADDER: Tables = {
    "ladder": {
        "rungs": [0.25, 0.5, 0.75, 0.85, 0.9, 0.95],
        "int8": False,
        "controls": "all",
        "repeats": 1,
    },
    "certify": {"by": "auto", "folds": 5, "share": 0.35},
    "constraint": {"margins": {"auroc": 0.01}, "confidence": 0.95, "harmed_share": None},
    "force": False,
}
_NOT_TOLD = dict.fromkeys(("steps", "retrain", "ratio_of_all", "held", "kept", "units"))
DEFAULTS_OF_1 = {"run": _RUN, "prune": {**_RUN, **_LADDER}}
"""What settings were where a study's run of schema 1 tells nothing of them, all of result version 4."""


def run_of_2(tables: Mapping[str, Any]) -> Tables:
    """A run's `result.json` of schema 2 as of schema 3."""
    return {**tables, "schema": 3, "models": _renamed(tables["models"])}


def ladder_of_2(tables: Mapping[str, Any]) -> Tables:
    """A ladder's `result.json` of schema 2 as of schema 3."""
    return {
        **run_of_2(tables),
        "controls": _renamed(tables["controls"]),
        "certificate": certificate_of_1(tables["certificate"]),
        "ladder": [
            {**rung, "statements": [statement_of_1(each) for each in rung["statements"]]}
            for rung in tables["ladder"]
        ],
        "needed": [_without(each, ("words",)) for each in tables["needed"]],
    }


def study_run_of_2(tables: Mapping[str, Any]) -> Tables:
    """A run's file in a study, of schema 2 as of schema 3."""
    return {**tables, "schema": 3}


def run_of_1(tables: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> Tables:
    """A run's `result.json` as of schema 2. `settings`: of its `config.toml`, where that is there."""
    return _without(_heading(tables, settings), ("timescoring", "secateur", "commit", "machine"))


def ladder_of_1(tables: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> Tables:
    """A ladder's `result.json` as of schema 2."""
    kept = {**_heading(tables, settings), "masking": tables["sensitivity"]}
    kept["certified_by"] = {"earlier_runs": None, **tables["certified_by"]}
    return _without(kept, ("timescoring", "secateur", "sensitivity"))


def study_run_of_1(tables: Mapping[str, Any]) -> Tables:
    """A run's file in a study as of schema 2."""
    versions = tables["versions"]
    return {
        **tables,
        "schema": 2,
        "settings": _over(DEFAULTS_OF_1[tables["kind"]], tables["settings"]),
        "contents": {},
        "versions": {**versions, "result": int(versions["result"]), "chain": None},
        "models": {name: _study_model(model) for name, model in tables["models"].items()},
        "pruning": {**_NOT_TOLD, **tables["pruning"]} if tables["pruning"] else None,
        "ladder": tables.get("ladder"),
    }


def _study_model(model: Mapping[str, Any]) -> Tables:
    after = {"after_epochs": _after_epochs(model)}
    if model["test"] is None:
        return {**model, **after}
    test = dict(model["test"])
    scores = {name: test.pop(name) for name in METRICS_OF_1}
    subjects = {}
    for name, values in test.pop("subjects").items():
        subjects[name] = dict(zip(METRICS_OF_1, values, strict=True))
        if None in (subjects[name]["sensitivity"], subjects[name]["specificity"]):
            # told up to result version 4, and meaningless, for subjects who lack a class
            subjects[name] |= {"macro_f1": None, "auprc": None}
    events = EventCounts.fields_of(test.pop("events"), EVENTS_OF_1)
    test |= {"scores": scores, "subjects": subjects, "events": events}
    return {**model, **after, "test": test}


def _after_epochs(model: Mapping[str, Any]) -> Tables | None:
    after = model.get("after_epochs")
    if after is None:
        return None
    return {epoch: EpochScores.of_record(record).model_dump() for epoch, record in after.items()}


_MODEL_NAMES = {"trivial": "random_forest"}
"""Of models, and what they are called today."""


def _renamed(models: Mapping[str, Any]) -> Tables:
    return {_MODEL_NAMES.get(name, name): model for name, model in models.items()}


def _heading(tables: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Tables:
    split = dict(tables["split"])
    split["leakage"] = split.pop("crossing")
    return {
        **tables,
        "schema": 2,
        "command": tables.get("command", ""),
        "settings": tables.get("settings", settings or {}),
        "contents": {},
        "versions": {
            "secateur": tables["secateur"],
            "timescoring": tables["timescoring"],
            **dict.fromkeys(("result", "chain", "torch")),
        },
        "pruning": {**_NOT_TOLD, **tables["pruning"]},
        "split": split,
        "notes": tables.get("notes", []),
        "models": {name: _model(model) for name, model in tables["models"].items()},
    }


def _model(model: Mapping[str, Any]) -> Tables:
    test, minus = model["test"], model["minus_baseline"]
    fields = {"post_processing": None, "epochs_trained": None, **model}
    fields["after_epochs"] = _after_epochs(model)
    if test is None:
        return fields
    return {
        **fields,
        "test": FullTestScores.of_report(test, METRICS_OF_1, EVENTS_OF_1).model_dump(),
        "minus_baseline": {
            **_without(minus, ("by_subject",)),
            "mean_of_subjects": minus["by_subject"]["difference"],
            "intervals_of_subjects": minus["by_subject"]["intervals"],
        },
    }


def _without(tables: Mapping[str, Any], names: tuple[str, ...]) -> Tables:
    return {name: value for name, value in tables.items() if name not in names}


def _over(defaults: Mapping[str, Any], tables: Mapping[str, Any]) -> Tables:
    """`tables` with defaults where they tell nothing. A margin or a rename that is told takes the place of
    all that are default.
    """
    merged = dict(defaults)
    for name, value in tables.items():
        old = merged.get(name)
        both = isinstance(value, dict) and isinstance(old, dict) and name != "margins"
        merged[name] = _over(old or {}, value) if both else value
    return merged
