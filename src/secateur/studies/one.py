"""One run of a study, done in whichever process it was handed to.

Comes in: a `Job`. Goes out: its result as JSON in the store, and a `Done`. Next: `engine` counts it,
`table` reads the result.

The network before pruning is made once for all runs that share it: whoever comes first holds a lock while
training it, and leaves it in the cache. A finished result is in the cache too, for other studies.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secateur
from secateur.certifying import LadderSettings, find
from secateur.detectors.evaluation import WindowTable
from secateur.errors import SecateurError
from secateur.files import locked, sweep, write_whole
from secateur.processes import keep_memory
from secateur.runs.data import Material, Source, Stock, arrange, split_of, take_stock
from secateur.runs.folder import RunFolder
from secateur.runs.plan import Stage
from secateur.runs.progress import Execution
from secateur.runs.result import common_fields, score_models
from secateur.runs.settings import RunSettings
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores, window_metrics
from secateur.studies.plan import Job, versions
from secateur.studies.store import store_at
from secateur.windows import Cache

SCHEMA = 1
SIZES = ("parameters", "macs", "file_bytes", "kernels", "best_epoch")


@dataclass(frozen=True)
class Office:
    """Where runs are worked on. `place`: of the study's results. `cache`: shared by all studies."""

    place: str
    cache: Path


@dataclass(frozen=True)
class Done:
    """A run that came to an end. `error`: one line, empty where there is a result."""

    name: str
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Errand:
    """What is handed to a process: a job, and where."""

    job: Job
    office: Office


def do(errand: Errand) -> Done:
    """Do one run; an error is recorded beside the results and returned, never raised."""
    job = errand.job
    began = time.process_time()
    try:
        store = store_at(errand.office.place)
        store.put(result_file(job.name), _result(job, errand.office))
        store.delete(failure_file(job.name))
    except Exception as error:
        known = isinstance(error, (SecateurError, OSError))
        words = str(error) if known else f"{type(error).__name__}: {error}"
        return failed(errand, " ".join(words.split()), "" if known else traceback.format_exc())
    return Done(job.name, seconds=time.process_time() - began)


def failed(errand: Errand, reason: str, trace: str = "") -> Done:
    """Record that a run has failed."""
    job = errand.job
    told = {"schema": SCHEMA, "run": job.name, "at": dict(job.at), "error": reason, "trace": trace}
    try:
        store_at(errand.office.place).put(failure_file(job.name), _json(told))
    except Exception as error:  # a store's library has kinds of its own
        reason = f"{reason}; nor could that be recorded: {error}"
    return Done(job.name, reason)


def result_file(name: str) -> str:
    """Where a run's result is in a store."""
    return f"runs/{name}.json"


def failure_file(name: str) -> str:
    """Where a run's failure is in a store."""
    return f"failed/{name}.json"


def known_result(name: str, cache: Path) -> bytes | None:
    """A run's result from the cache of all studies."""
    try:
        content = (cache / result_file(name)).read_bytes()
        return content if json.loads(content)["run"] == name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or damaged: made anew


def _result(job: Job, office: Office) -> bytes:
    """The result from the cache, or made."""
    with locked(office.cache / "work" / f"{job.name}.lock", wait=True):
        found = known_result(job.name, office.cache)
        if found is not None:
            return found
        room = office.cache / "work" / job.name
        result = _ladder(job, room, office) if job.kind == "prune" else _run(job, room, office)
        content = _json(result)
        write_whole(office.cache / result_file(job.name), content)
        shutil.rmtree(room, ignore_errors=True)
        return content


def _json(told: Mapping[str, Any]) -> bytes:
    return (json.dumps(told, separators=(",", ":"), allow_nan=False) + "\n").encode()


def _run(job: Job, room: Path, office: Office) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    keep_memory()
    clock = [time.process_time()]
    material = _material(job.source, job.settings, office.cache)
    clock.append(time.process_time())
    whole, seconds = _baseline(job, material, office)
    clock.append(time.process_time())
    folder = RunFolder(room, job.name)
    sweep(room)
    stage = Stage("pruned", "pruned", (), job.settings.pruning)
    run_stage(stage, StageContext(material, job.settings, folder, whole=whole))
    records = {"baseline": whole.finished("baseline"), "pruned": folder.finished("pruned")}
    known = {name: record or {} for name, record in records.items()}
    probability = {
        "baseline": whole.arrays("baseline")["test"],
        "pruned": folder.arrays("pruned")["test"],
    }
    models = score_models(material, known, probability, resampled=False)
    told = common_fields(material, job.settings, folder, "")
    clock.append(time.process_time())
    spent = {
        "material": clock[1] - clock[0],
        "baseline": seconds,
        "pruned": clock[3] - clock[2],
    }
    groups = _groups(material, known, probability)
    return {
        **_head(job, told, spent),
        "models": {
            name: {**_model(models[name], known[name]), "groups": groups.get(name, {})}
            for name in models
        },
        "pruning": {
            key: value
            for key, value in (known["pruned"].get("pruning") or {}).items()
            if key not in ("kept", "units")
        },
    }


def _ladder(job: Job, room: Path, office: Office) -> dict[str, Any]:
    assert isinstance(job.settings, LadderSettings)
    began = time.process_time()
    sweep(room)
    found = find(job.source, room, job.settings, Execution(1, Cache(office.cache)))
    result = found.result
    chosen = next((one for one in result["ladder"] if one["name"] == result["chosen"]), None)
    statement = found.outcome.certificate.statements[0] if chosen else None
    told = {key: result[key] for key in ("data", "split", "problems", "notes")}
    names = {"baseline": "baseline", "pruned": found.outcome.answer or "baseline"}
    return {
        **_head(job, told, {"pruned": time.process_time() - began}),
        "models": {
            name: {
                **_model(result["models"][name], found.folder.finished(stage) or {}),
                "groups": {},
            }
            for name, stage in names.items()
        },
        "pruning": {},
        "ladder": {
            "certified": found.certified,
            "ratio_achieved": chosen["ratio_achieved"] if chosen else 0.0,
            "loss": statement.mean if statement else None,
            "bound": statement.bound if statement else None,
        },
    }


def _head(job: Job, told: Mapping[str, Any], spent: Mapping[str, float]) -> dict[str, Any]:
    split = told["split"]
    sides = {side: split[side] for side in ("training", "validation", "test") if side in split}
    return {
        "schema": SCHEMA,
        "run": job.name,
        "kind": job.kind,
        "settings": job.settings.model_dump(mode="json", exclude_defaults=True),
        "versions": {"secateur": secateur.__version__, **versions()},
        "processor": platform.processor() or platform.machine(),
        "seconds": {name: round(value, 3) for name, value in spent.items()},
        "where": list(job.where),
        "data": {
            key: told["data"][key]
            for key in ("name", "subjects", "recordings", "seizures", "background", "simulated")
        },
        "split": {
            **sides,
            "by": split["by"],
            "unit": split["unit"],
            "fold": split["fold"],
            "seed": split["seed"],
            "counts": split["counts"],
        },
        "problems": len(told["problems"]),
    }


def _model(told: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes, scores on the test side, learning curves."""
    test = told["test"]
    scores = None
    if test is not None:
        subjects = test["by_subject"]["subjects"]
        scores = {
            **{metric: test[metric] for metric in window_metrics()},
            "threshold": test["threshold"],
            "windows": test["windows"],
            "subjects": {
                one["subject"]: [one[metric] for metric in window_metrics()] for one in subjects
            },
            "events": {
                key: test["events"].get(key)
                for key in ("tp", "fp", "ref", "sensitivity", "precision", "f1", "fp_per_day")
            },
        }
    keys = ("training_loss", "validation_loss", "validation_macro_f1")
    epochs = record.get("epochs") or []
    return {
        **{key: told.get(key) for key in SIZES},
        "test": scores,
        "after_epochs": told.get("after_epochs"),
        "epochs": {key: [round(epoch[key], 6) for epoch in epochs] for key in keys},
    }


def _groups(
    material: Material,
    records: Mapping[str, Mapping[str, Any]],
    probability: Mapping[str, NDArray[np.float64]],
) -> dict[str, dict[str, dict[str, float]]]:
    """By set of recordings, where who was recorded isn't told but sets are (Bonn: A to E).

    The share of windows called ictal, and for sets without seizures the AUROC of all ictal windows
    against theirs.
    """
    tested = material.test_cohort or material.cohort
    if tested.subjects_known or "test" not in material.sides:
        return {}
    table = WindowTable.of(material.sides["test"])
    names = np.array([str(key).rpartition("/")[0].rpartition("/")[2] for key in table.key])
    found: dict[str, dict[str, dict[str, float]]] = {}
    for model, chance in probability.items():
        called = chance >= float(records[model]["threshold"])
        found[model] = {}
        for name in np.unique(names):
            mine = names == name
            told = {"windows": float(mine.sum()), "called": float(called[mine].mean())}
            if not table.label[mine].any():
                both = mine | table.label.astype(bool)
                scores = WindowScores(table.label[both].astype(bool), chance[both], 0.5)
                against = scores.auroc()
                if against is not None:
                    told["auroc_against_ictal"] = against
            found[model][str(name)] = told
    return found


def _baseline(job: Job, material: Material, office: Office) -> tuple[RunFolder, float]:
    """The network before pruning, and the seconds that its making took, whoever made it."""
    path = office.cache / "baselines" / job.baseline[:2] / job.baseline
    folder = RunFolder(path, job.baseline)
    clock = path / "seconds.json"
    if folder.finished("baseline") is None or not clock.is_file():
        with locked(path.with_suffix(".lock"), wait=True):
            if folder.finished("baseline") is None:
                sweep(path)
                began = time.process_time()
                run_stage(
                    Stage("baseline", "baseline"), StageContext(material, job.settings, folder)
                )
                write_whole(clock, json.dumps(time.process_time() - began))
    try:
        seconds = float(json.loads(clock.read_text()))
    except (OSError, ValueError):
        seconds = 0.0
    return folder, seconds


@lru_cache(maxsize=2)
def _stock(source: Source, chain: str, settings: RunSettings, cache: Path) -> Stock:
    del chain  # stands for all of the settings that matter here
    return take_stock(source, settings, Cache(cache), pruned=False)


@lru_cache(maxsize=1)
def _arranged(source: Source, told: str, cache: Path) -> Material:
    settings = RunSettings.model_validate_json(told)
    stock = stock_of(source, settings, cache)
    return arrange(stock, settings, split_of(stock, settings))


def stock_of(source: Source, settings: RunSettings, cache: Path) -> Stock:
    """Every recording of a run, prepared; kept from run to run in this process."""
    by = settings.split.by if settings.split.by in ("recording", "random") else "subject"
    bare = RunSettings.model_validate(
        {
            "reading": settings.reading.model_dump(),
            "chain": settings.chain.model_dump(),
            "split": {"by": by},
        }
    )
    return _stock(source, bare.model_dump_json(), bare, cache)


def _material(source: Source, settings: RunSettings, cache: Path) -> Material:
    """Windows of all sides; runs that differ in pruning alone take the same."""
    told = RunSettings.model_validate(
        {
            "chain": settings.chain.model_dump(),
            "reading": settings.reading.model_dump(),
            "windows": settings.windows.model_dump(),
            "split": settings.split.model_dump(),
        }
    )
    return _arranged(source, told.model_dump_json(), cache)
