"""A study carried out: what is missing is done, what is there is kept.

Whatever ends this process, results that are written stay, and the next call does the rest.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from secateur.counts import plural
from secateur.errors import RunError, SettingsError
from secateur.files import is_draft, kind_of, locked
from secateur.results import StudyRun
from secateur.runs.data import PreparedCohort, Source
from secateur.runs.folder import RunFolder
from secateur.runs.forecast import in_words
from secateur.runs.progress import Progress, Silent
from secateur.runs.result import versions
from secateur.studies.backends import local
from secateur.studies.costs import effort, longest_first, measured, seconds_left
from secateur.studies.file import StudyFile
from secateur.studies.plan import Draft, Job, drafts, named
from secateur.studies.record import (
    PLAN,
    Plan,
    failure_file,
    plan_bytes,
    read_plan,
    result_file,
    result_of,
    study_run,
)
from secateur.studies.store import Store, store_at
from secateur.studies.work_item import (
    WorkItem,
    WorkResult,
    Workspace,
    do,
    failed,
    known_result,
    stock_of,
)
from secateur.windows import Cache


@dataclass(frozen=True)
class ExecutionOptions:
    """How a study is carried out; nothing here changes a number.

    `backend`: "joblib", processes of this machine, or "ray", a cluster, at `address` (HOST:PORT) or of this
    machine alone. `workers`: runs done at once; None for one with joblib, for as many as the cluster has
    processors with Ray. `known`: folders of results of other studies. `retry`: do failed runs again.
    """

    workers: int | None = None
    backend: Literal["joblib", "ray"] = "joblib"
    address: str | None = None
    known: tuple[Path, ...] = ()
    retry: bool = False
    cache: Cache = field(default_factory=Cache)
    progress: Progress = field(default_factory=Silent)
    command: str = ""


def carry_out(
    study: StudyFile, sources: Mapping[str, Source], location: str, options: ExecutionOptions
) -> Plan:
    """Do every run that isn't finished, and record those that fail.

    `sources`: folders of recordings by their names in the study. `location`: see `store_at`.
    Raises `SecateurError`s for what the user can mend.
    """
    for source in sources.values():
        source.check()
    for folder in options.known:
        if not folder.is_dir():
            raise SettingsError(f"--known {folder}: is {kind_of(folder)}; wanted a study's folder")
    planned = drafts(study, sources)
    store = store_at(location)
    with held(store):
        _must_be_ours(store, study)
        jobs, baselines = jobs_of(planned, options)
        plan = Plan(
            study,
            tuple((job.name, job.at) for job in jobs),
            {name: str(source.data.resolve()) for name, source in sources.items()},
            options.command,
            tuple(name for name, source in sources.items() if source.strict),
        )
        store.put(PLAN, plan_bytes(plan, versions().model_dump(mode="json")))
        _do_missing(jobs, baselines, store, location, options)
    return plan


@contextmanager
def held(store: Store) -> Iterator[None]:
    """Keep a local folder for this process alone. Raises `RunError` where another works on it."""
    with ExitStack() as stack:
        if store.local is not None:
            try:
                stack.enter_context(locked(store.local / "lock"))
            except BlockingIOError:
                raise RunError(f"{store.local}: another study is working in this folder") from None
            except (FileExistsError, NotADirectoryError):
                raise RunError(f"{store.local}: is a file, wanted a folder") from None
            except OSError as error:
                raise RunError(f"{store.local}: cannot be written ({error.strerror})") from None
        yield


def _must_be_ours(store: Store, study: StudyFile) -> None:
    if store.get(PLAN) is not None:
        other = read_plan(str(store.local or store.location)).study
        if other.name != study.name:
            raise RunError(
                f"{store.local or store.location}: holds the study {other.name}, not {study.name}; "
                "give another --out"
            )
    elif store.local is not None and any(
        path.name != "lock" and not is_draft(path) for path in store.local.iterdir()
    ):
        raise RunError(f"{store.local}: is not empty and holds no study; give another --out")


def jobs_of(
    planned: Sequence[Draft], options: ExecutionOptions
) -> tuple[list[Job], dict[str, float]]:
    """Jobs by name, and the effort of each baseline. Recordings are prepared here, once for all."""
    progress = options.progress
    progress.begin("prepare", None)
    stocks: dict[int, PreparedCohort] = {}
    jobs: dict[str, Job] = {}
    baselines: dict[str, float] = {}
    for draft in planned:
        try:
            stock = stock_of(draft.source, draft.settings, options.cache.folder)
            before, after = effort(draft.settings, stock)
            work, retraining = (0.0, before) if draft.kind == "train" else (before, after)
        except MemoryError:  # pragma: no cover - no machine to show it on
            raise RunError("there is not enough memory to prepare the recordings") from None
        stocks[id(stock)] = stock
        job = named(draft, stock, retraining)
        if job.name in jobs:
            first = jobs[job.name].at
            raise SettingsError(
                f"{job.at} and {first} are the same run: an axis changes nothing here; "
                "leave it away or put one of both into [[skip]]"
            )
        jobs[job.name] = job
        baselines[job.baseline] = work
    recordings = sum(len(stock.ours) for stock in stocks.values())
    progress.end(
        "prepare",
        f"{plural(recordings, 'recording')}, {plural(len(jobs), 'run')}, "
        f"{plural(len(baselines), 'baseline')}",
    )
    return list(jobs.values()), baselines


def _do_missing(
    jobs: Sequence[Job],
    baselines: Mapping[str, float],
    store: Store,
    location: str,
    options: ExecutionOptions,
) -> None:
    workspace = Workspace(
        str(store.local.resolve()) if store.local else location, options.cache.folder
    )
    finished, missing = [], []
    before = set(store.names("failed/", ".json"))
    there = set(store.names("runs/", ".json"))
    for job in jobs:
        result = _finished_result(job, there, store, (workspace.cache, *options.known))
        if result is not None:
            finished.append((job, result))
        elif options.retry or failure_file(job.name) not in before:
            missing.append(job)
    known = measured(finished)
    present = {job.baseline for job in missing if _is_present(job.baseline, workspace)}
    ordered = longest_first(missing, baselines, known, present)
    if (
        options.workers == 1
    ):  # in the study's own order, so that what is finished has whole conditions
        places = {job.name: index for index, job in enumerate(missing)}
        ordered.sort(key=lambda pair: places[pair[0].name])
    _hand_out(ordered, len(finished), workspace, options)


def _finished_result(
    job: Job, there: set[str], store: Store, others: Sequence[Path]
) -> StudyRun | None:
    """A finished result, from this study's store or from other studies': the cache, and known folders."""
    if result_file(job.name) in there:
        result = result_of(job.name, store)
        if result is not None:
            return result
    content = next(filter(None, (known_result(job.name, folder) for folder in others)), None)
    if content is None:
        return None
    store.put(result_file(job.name), content)
    store.delete(failure_file(job.name))
    return study_run(content, job.name)


def _is_present(baseline: str, workspace: Workspace) -> bool:
    path = workspace.cache / "baselines" / baseline[:2] / baseline
    return RunFolder(path, baseline).finished("baseline") is not None


def _hand_out(
    ordered: Sequence[tuple[Job, float]],
    finished: int,
    workspace: Workspace,
    options: ExecutionOptions,
) -> None:
    progress, total = options.progress, finished + len(ordered)
    if ordered:
        progress.step("runs", finished, total, f"{len(ordered)} to do")
    remaining = {job.name: seconds for job, seconds in ordered}
    items = [WorkItem(job, workspace) for job, _ in ordered]
    outcomes = _outcomes(items, options)
    expected = spent = 0.0
    done, failures, began = 0, 0, time.monotonic()
    with closing(outcomes):  # which ends the workers, however the block ends
        for outcome in outcomes:
            done += 1
            expected += remaining.pop(outcome.name)
            spent += outcome.seconds
            failures += bool(outcome.error)
            elapsed = time.monotonic() - began
            at_once = options.workers or max(1.0, spent / elapsed)
            note = "the last"
            if remaining:
                seconds = seconds_left(elapsed, done, expected, sum(remaining.values()), at_once)
                note = f"about {in_words(seconds)} left"
            if failures:
                note += f", {failures} failed"
            progress.step("runs", finished + done, total, note)
    summary = f"{total - failures} of {total} have a result"
    progress.end("runs", summary + (f"; {failures} failed, see failed/" if failures else ""))


def _outcomes(
    items: Sequence[WorkItem], options: ExecutionOptions
) -> Generator[WorkResult, None, None]:
    if options.backend == "ray":
        from secateur.studies.backends import cluster

        return cluster.carry_out(items, do, _lost, options.address, options.workers)
    return local.carry_out(items, do, _lost, options.workers or 1)


def _lost(item: WorkItem, reason: str) -> WorkResult:
    return failed(item, reason)
