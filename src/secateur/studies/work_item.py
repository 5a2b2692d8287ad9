"""One run of a study, done in whichever process it was handed to.

The network before pruning is trained once for all runs that share it: whoever comes first holds a lock while
training it, and leaves it in the cache. A finished result is in the cache too, for other studies.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.certifying import LadderSettings, find
from secateur.detectors.evaluation import WindowTable
from secateur.errors import SecateurError
from secateur.files import locked, sweep, write_whole
from secateur.processes import keep_memory
from secateur.results import (
    AdaptedRun,
    DataBrief,
    EventCounts,
    ExplainedRun,
    LadderAnswer,
    LearningCurves,
    ModelResult,
    Pruning,
    Record,
    Sizes,
    SplitBrief,
    StudyModel,
    StudyRun,
    TestScores,
    Versions,
    written,
)
from secateur.results.study_run import MODELS, Groups, ModelName
from secateur.runs import ledger
from secateur.runs.adapted import judge_on_later
from secateur.runs.data import PreparedCohort, RunData, Source, arrange, prepare_cohort, split_of
from secateur.runs.explained import explain_networks
from secateur.runs.folder import RunFolder
from secateur.runs.network_check import check_network
from secateur.runs.plan import Stage
from secateur.runs.progress import Execution
from secateur.runs.result import begin_result, score_models, versions
from secateur.runs.settings import RunSettings
from secateur.runs.stages import StageContext, decide, run_stage
from secateur.scoring import WindowScores
from secateur.studies.plan import Job, Kind, undecided
from secateur.studies.record import failure_file, result_file, study_run
from secateur.studies.store import store_at
from secateur.windows import Cache


@dataclass(frozen=True)
class Workspace:
    """Where runs are done. `location`: of the study's results. `cache`: shared by all studies."""

    location: str
    cache: Path


@dataclass(frozen=True)
class WorkResult:
    """A run that came to an end. `error`: one line, empty where there is a result."""

    name: str
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class WorkItem:
    """What is handed to a process: a job, and where."""

    job: Job
    workspace: Workspace


def do(item: WorkItem) -> WorkResult:
    """Do one run; an error is recorded beside the results and returned, never raised."""
    job = item.job
    began = time.process_time()
    try:
        store = store_at(item.workspace.location)
        store.put(result_file(job.name), _result(job, item.workspace))
        store.delete(failure_file(job.name))
    except Exception as error:
        known = isinstance(error, (SecateurError, OSError))
        words = str(error) if known else f"{type(error).__name__}: {error}"
        return failed(item, " ".join(words.split()), "" if known else traceback.format_exc())
    return WorkResult(job.name, seconds=time.process_time() - began)


def failed(item: WorkItem, reason: str, trace: str = "") -> WorkResult:
    """Record that a run has failed."""
    job = item.job
    failure = {"run": job.name, "at": dict(job.at), "error": reason, "trace": trace}
    content = (json.dumps(failure) + "\n").encode()
    try:
        store_at(item.workspace.location).put(failure_file(job.name), content)
    except Exception as error:  # a store's library has kinds of its own
        reason = f"{reason}; nor could that be recorded: {error}"
    return WorkResult(job.name, reason)


def known_result(name: str, cache: Path) -> bytes | None:
    """A run's result from the cache of all studies."""
    try:
        content = (cache / result_file(name)).read_bytes()
    except OSError:
        return None
    return None if study_run(content, name) is None else content


def _result(job: Job, workspace: Workspace) -> bytes:
    """The result from the cache, or of the run that is done now."""
    with locked(workspace.cache / "work" / f"{job.name}.lock", wait=True):
        content = known_result(job.name, workspace.cache)
        if content is not None:
            return content
        scratch = workspace.cache / "work" / job.name
        result = _DO[job.kind](job, scratch, workspace)
        content = written(result, None)
        write_whole(workspace.cache / result_file(job.name), content)
        shutil.rmtree(scratch, ignore_errors=True)
        return content


def _run(job: Job, scratch: Path, workspace: Workspace) -> StudyRun:
    """Before pruning and pruned; both explained where the study asks for it."""
    material, clock = _begun(job, workspace)
    baseline_folder, seconds = _baseline(job, material, workspace)
    clock.append(time.process_time())
    folder = RunFolder(scratch, job.name)
    sweep(scratch)
    stage = Stage("pruned", "pruned", (), job.settings.pruning)
    context = StageContext(material, job.settings, folder, baseline_folder=baseline_folder)
    run_stage(stage, context)
    folders: dict[ModelName, RunFolder] = {"baseline": baseline_folder, "pruned": folder}
    judged = {
        name: _judged(name, replace(context, folder=each), job.bits)
        for name, each in folders.items()
    }
    records: dict[str, dict[str, Any]] = {name: record for name, (record, _) in judged.items()}
    probability: dict[str, NDArray[np.float64]] = {
        name: arrays["test"] for name, (_, arrays) in judged.items()
    }
    models = score_models(material, records, probability, {}, resampled=False)
    _note_look(job, material, workspace)
    begun = begin_result(material, job.settings, folder.name, "")
    clock.append(time.process_time())
    groups = _groups(material, records, probability)
    fields: dict[str, Any] = {
        **_head(job, versions(records.values()), begun),
        "seconds": _seconds(clock, seconds),
        "models": {
            name: _model(models[name], records[name], groups.get(name, {})) for name in MODELS
        },
        **_cut(records["pruned"]),
    }
    if job.explain is None:
        return StudyRun(**fields)
    explained = explain_networks(folders, material, job.explain)
    fields["seconds"]["explained"] = round(time.process_time() - clock[3], 3)
    return ExplainedRun(**fields, explained=explained)


def _begun(job: Job, workspace: Workspace) -> tuple[RunData, list[float]]:
    """The windows of a run, and processor times before and after they were there."""
    import torch

    torch.set_num_threads(1)
    keep_memory()
    began = time.process_time()
    material = _material(job.source, job.settings, workspace.cache)
    return material, [began, time.process_time()]


def _seconds(clock: Sequence[float], baseline: float) -> dict[str, float]:
    return {
        "material": round(clock[1] - clock[0], 3),
        "baseline": round(baseline, 3),
        "pruned": round(clock[3] - clock[2], 3),
    }


def _cut(record: Mapping[str, Any]) -> dict[str, Any]:
    """How the pruned network was cut, by field; it was no ladder."""
    pruning = Pruning.model_validate(record["pruning"])
    return {"pruning": pruning.model_copy(update={"kept": None, "units": None}), "ladder": None}


def _adapted(job: Job, scratch: Path, workspace: Workspace) -> StudyRun:
    """Both networks fitted to each test subject's earlier recordings, and judged on the later ones.

    Runs that differ in how alone share the pruned network.
    """
    del scratch  # nothing is left that another process couldn't do again
    assert job.adapt is not None
    material, clock = _begun(job, workspace)
    baseline_folder, seconds = _baseline(job, material, workspace)
    clock.append(time.process_time())
    folder = _pruned_once(job, material, workspace, baseline_folder)
    clock.append(time.process_time())
    folders: dict[ModelName, RunFolder] = {"baseline": baseline_folder, "pruned": folder}
    records = {name: each.finished(name) or {} for name, each in folders.items()}
    judged = judge_on_later(folders, material, job.settings, job.adapt)
    _note_look(job, material, workspace)
    begun = begin_result(material, job.settings, job.name, "")
    split = begun["split"]
    begun["split"] = split.model_copy(
        update={"test": tuple(judged.subjects), "counts": {**split.counts, "test": judged.later}}
    )
    return AdaptedRun(
        **_head(job, versions(records.values()), begun),
        seconds={**_seconds(clock, seconds), "adapted": round(time.process_time() - clock[3], 3)},
        models={
            name: StudyModel(
                **{size: records[name].get(size) for size in Sizes.model_fields},
                test=judged.test[name],
                epochs=_curves(records[name]),
                groups={},
                after_epochs=None,
            )
            for name in MODELS
        },
        **_cut(records["pruned"]),
        adapting=job.adapt.model_dump(mode="json"),
        subjects=judged.subjects,
        left_out=judged.left_out,
    )


def _pruned_once(
    job: Job, material: RunData, workspace: Workspace, baseline_folder: RunFolder
) -> RunFolder:
    """The pruned network, whoever cut it."""
    path = workspace.cache / "pruned" / job.pruned[:2] / job.pruned
    folder = RunFolder(path, job.pruned)
    with locked(path.with_suffix(".lock"), wait=True):
        if folder.finished("pruned") is None:
            sweep(path)
            stage = Stage("pruned", "pruned", (), job.settings.pruning)
            context = StageContext(material, job.settings, folder, baseline_folder=baseline_folder)
            run_stage(stage, context)
    return folder


def _training(job: Job, scratch: Path, workspace: Workspace) -> StudyRun:
    """The network as it is trained, before anything is cut."""
    material, (began, prepared) = _begun(job, workspace)
    shared = undecided(job.settings)
    folder, seconds = _baseline(replace(job, settings=shared), material, workspace)
    record, arrays = _judged("baseline", StageContext(material, shared, folder), job.bits)
    records = {"baseline": record}
    probability = {"baseline": arrays["test"]}
    if job.settings != shared:
        context = StageContext(material, job.settings, folder)
        records["baseline"] |= decide(context, arrays["validation"], context.prior)
    models = score_models(material, records, probability, {}, resampled=False)
    _note_look(job, material, workspace)
    begun = begin_result(material, job.settings, folder.name, "")
    groups = _groups(material, records, probability).get("baseline", {})
    return StudyRun(
        **_head(job, versions(records.values()), begun),
        seconds={"material": round(prepared - began, 3), "baseline": round(seconds, 3)},
        models={"baseline": _model(models["baseline"], records["baseline"], groups)},
        pruning=None,
        ladder=None,
    )


def _judged(
    name: ModelName, context: StageContext, bits: int
) -> tuple[dict[str, Any], Mapping[str, NDArray[np.float64]]]:
    """Record and probabilities of a network of the context's folder, in 8 bits as a ladder's rungs are."""
    folder = context.folder
    record = folder.finished(name) or {}
    if bits != 8:
        return record, folder.arrays(name)
    stage = Stage(f"{name}-int8", "int8", (name,), None, name)
    with locked(folder.path / f"{stage.name}.lock", wait=True):
        run_stage(stage, context)
    quantised = folder.finished(stage.name) or {}
    return {"epochs": record["epochs"], **quantised}, folder.arrays(stage.name)


def _note_look(job: Job, material: RunData, workspace: Workspace) -> None:
    """Enter that these recordings were scored, as a run by itself does, for certificates to say so."""
    cache = Cache(workspace.cache)
    looked_at = ledger.contents_of(material.sides["test"], cache)
    ledger.run([cache.folder / ledger.FILE], job.name, looked_at)


def _ladder(job: Job, scratch: Path, workspace: Workspace) -> StudyRun:
    assert isinstance(job.settings, LadderSettings)
    began = time.process_time()
    sweep(scratch)
    how = Execution(1, Cache(workspace.cache))
    ladder = find(job.source, scratch, job.settings, how, exploratory="one of the runs of a study")
    result = ladder.result
    chosen = next((rung for rung in result.ladder if rung.name == result.chosen), None)
    statement = ladder.outcome.certificate.statements[0] if chosen else None
    stages = {"baseline": "baseline", "pruned": result.chosen or "baseline"}
    return StudyRun(
        **_head(job, result.versions, dict(result)),
        seconds={"pruned": round(time.process_time() - began, 3)},
        models={
            name: _model(result.models[name], ladder.folder.finished(stages[name]) or {}, {})
            for name in MODELS
        },
        pruning=None,
        ladder=LadderAnswer(
            certified=ladder.certified,
            ratio_achieved=chosen.ratio_achieved if chosen else 0.0,
            loss=statement.mean if statement else None,
            bound=statement.bound if statement else None,
        ),
    )


_DO: Mapping[Kind, Callable[[Job, Path, Workspace], StudyRun]] = {
    "run": _run,
    "explain": _run,
    "adapt": _adapted,
    "train": _training,
    "prune": _ladder,
}


def _head(job: Job, versions: Versions, result: Mapping[str, Any]) -> dict[str, Any]:
    """What runs and ladders both tell, by field. `result`: at least what was told before training."""
    return {
        "run": job.name,
        "kind": job.kind,
        "settings": job.settings.model_dump(mode="json"),
        "contents": job.contents,
        "versions": versions,
        "processor": platform.processor() or platform.machine(),
        "where": job.where,
        "data": DataBrief(**_fields(result["data"], DataBrief)),
        "split": SplitBrief(**_fields(result["split"], SplitBrief)),
        "problems": len(result["problems"]),
    }


def _fields(record: Record, kind: type[Record]) -> dict[str, Any]:
    """Those fields of `record` that a shorter `kind` has too."""
    return {name: getattr(record, name) for name in kind.model_fields}


def _model(model: ModelResult, record: Mapping[str, Any], groups: Groups) -> StudyModel:
    """Sizes, scores on the test side, learning curves."""
    test = None
    if model.test is not None:
        events = EventCounts(**_fields(model.test.events, EventCounts))
        test = TestScores(**{**_fields(model.test, TestScores), "events": events})
    return StudyModel(
        **_fields(model, Sizes),
        test=test,
        epochs=_curves(record),
        groups=groups,
        after_epochs=model.after_epochs,
    )


def _curves(record: Mapping[str, Any]) -> LearningCurves:
    epochs = record.get("epochs") or []
    return LearningCurves(
        **{key: [round(epoch[key], 6) for epoch in epochs] for key in LearningCurves.model_fields}
    )


def _groups(
    material: RunData,
    records: Mapping[str, Mapping[str, Any]],
    probability: Mapping[str, NDArray[np.float64]],
) -> dict[str, Groups]:
    """By set of recordings, where who was recorded isn't told but sets are (Bonn: A to E).

    The share of windows called ictal, and for sets without seizures the AUROC of all ictal windows
    against theirs.
    """
    tested = material.test_cohort or material.cohort
    if tested.subjects_known or "test" not in material.sides:
        return {}
    table = WindowTable.of(material.sides["test"])
    names = [key.rpartition("/")[0].rpartition("/")[2] for key in table.keys]
    groups: dict[str, Groups] = {}
    for model, chance in probability.items():
        called = chance >= float(records[model]["threshold"])
        groups[model] = {}
        for name in sorted(set(names)):
            mine = table.of_recordings([each == name for each in names])
            if not mine.any():
                continue
            counts = {"windows": float(mine.sum()), "called": float(called[mine].mean())}
            if not table.label[mine].any():
                both = mine | table.label
                scores = WindowScores(table.label[both], chance[both], 0.5)
                against = scores.auroc()
                if against is not None:
                    counts["auroc_against_ictal"] = against
            groups[model][name] = counts
    return groups


def _baseline(job: Job, material: RunData, workspace: Workspace) -> tuple[RunFolder, float]:
    """The network before pruning, and the seconds that its training took, whoever trained it."""
    path = workspace.cache / "baselines" / job.baseline[:2] / job.baseline
    folder = RunFolder(path, job.baseline)
    clock = path / "seconds.json"
    if folder.finished("baseline") is None or not clock.is_file():
        with locked(path.with_suffix(".lock"), wait=True):
            if folder.finished("baseline") is None:
                sweep(path)
                check_network(job.settings, material.chain, pruned=job.kind != "train")
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
def _stock(source: Source, chain: str, settings: RunSettings, cache: Path) -> PreparedCohort:
    del chain  # stands for all of the settings that matter here
    return prepare_cohort(source, settings, Cache(cache), pruned=False)


@lru_cache(maxsize=1)
def _arranged(source: Source, chosen: str, cache: Path) -> RunData:
    settings = RunSettings.model_validate_json(chosen)
    stock = stock_of(source, settings, cache)
    return arrange(stock, settings, split_of(stock, settings))


def stock_of(source: Source, settings: RunSettings, cache: Path) -> PreparedCohort:
    """Every recording of a run, prepared; kept from run to run in this process."""
    by = settings.split.by if settings.split.by in ("recording", "random") else "subject"
    bare = RunSettings.model_validate(
        {
            "reading": settings.reading.model_dump(),
            "labels": settings.labels.model_dump(),
            "chain": settings.chain.model_dump(),
            "split": {"by": by},
        }
    )
    return _stock(source, bare.model_dump_json(), bare, cache)


def _material(source: Source, settings: RunSettings, cache: Path) -> RunData:
    """Windows of all sides; runs that differ in pruning alone take the same."""
    at_random = settings.training.labels_at_random
    shared = RunSettings.model_validate(
        {
            **(
                {"seed": settings.seed, "training": {"labels_at_random": True}} if at_random else {}
            ),
            "chain": settings.chain.model_dump(),
            "reading": settings.reading.model_dump(),
            "labels": settings.labels.model_dump(),
            "windows": settings.windows.model_dump(),
            "split": settings.split.model_dump(),
        }
    )
    return _arranged(source, shared.model_dump_json(), cache)
