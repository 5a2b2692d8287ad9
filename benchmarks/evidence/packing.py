"""From a study's folder, as `secateur study` leaves it, to `evidence/NAME`."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import normpath

from benchmarks.evidence import reports
from benchmarks.evidence.history import at_commit, complete_commit
from benchmarks.evidence.stored import (
    DRIFT,
    EVIDENCE,
    TOP,
    StoredDrift,
    StoredStudy,
    findings_of,
    older_names,
    write_drift,
    write_older,
    write_study,
)
from secateur.errors import RunError
from secateur.results import RESULT_VERSION, StudyRun
from secateur.results.drift_study import DriftFindings
from secateur.studies import StudyFile, read_plan, read_study
from secateur.studies.record import failure_of, result_of
from secateur.studies.store import store_at

BY_HAND = "named by who packed runs that secateur study made in a clean checkout"
_VERSION = re.compile(r"^RESULT_VERSION = (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Repository:
    """A checkout, and where in it evidence lies."""

    tree: Path = TOP
    evidence: Path = EVIDENCE


@dataclass(frozen=True)
class Origin:
    """Which code did runs. `commits`: by a run's name; `default`: of all others; `how`: that is known."""

    default: str | None
    how: str
    commits: Mapping[str, str]
    recorded: Mapping[str, str]


def by_hand(commit: str, repository: Repository) -> Origin:
    """All runs by the code of one commit. Raises `RunError` where there is no such commit."""
    return Origin(complete_commit(commit, repository.tree), BY_HAND, {}, {})


def pack(
    name: str, folder: Path, origin: Origin, repository: Repository, *, partial: bool = False
) -> None:
    """Write `evidence/NAME`: plan, runs, report, figures; and take the study off the list of older ones.

    `partial`: also where runs are to do or have failed. Raises `RunError` for runs of another result version,
    of a study other than the commit's, or of commits that aren't there.
    """
    if name == DRIFT:
        _pack_drift(folder, origin, repository)
    else:
        study = _stored(name, folder, origin, repository, partial=partial)
        write_study(repository.evidence / name, study)
    with tempfile.TemporaryDirectory() as drawn:
        text = reports.made_anew(findings_of(name, repository.evidence), Path(drawn))
        reports.write_report(name, text, Path(drawn), repository.evidence)
    left = [each for each in older_names(repository.evidence) if each != name]
    write_older(left, repository.evidence)


def _stored(
    name: str, folder: Path, origin: Origin, repository: Repository, *, partial: bool
) -> StoredStudy:
    plan, store = read_plan(str(folder)), store_at(folder)
    if plan.study.name != name:
        raise RunError(f"{folder}: holds the study {plan.study.name}, wanted {name}")
    results: dict[str, StudyRun] = {}
    failures: dict[str, str] = {}
    for run, _ in plan.runs:
        result = result_of(run, store)
        if result is not None:
            results[run] = _of_today(result, folder)
        elif (reason := failure_of(run, store)) is not None:
            failures[run] = reason
    lacking = len(plan.runs) - len(results)
    if lacking and not partial:
        raise RunError(
            f"{folder}: {lacking} of {len(plan.runs)} runs have no result; finish the study, or give "
            "--partial"
        )
    if not results:
        raise RunError(f"{folder}: no run has a result")
    commits = {run: origin.commits.get(run, origin.default or "") for run in results}
    if "" in commits.values():
        run = next(run for run, commit in commits.items() if not commit)
        raise RunError(f"{folder}: nobody noted which commit's code did run {run}")
    recorded = {
        commit: origin.recorded.get(commit, origin.how)
        for commit in dict.fromkeys(commits.values())
    }
    for commit in recorded:
        _same_version(complete_commit(commit, repository.tree), repository.tree)
    _must_be_stated(plan.study, tuple(recorded), repository.tree)
    plan = replace(plan, command=without_addresses(plan.command))
    return StoredStudy(plan, results, commits, recorded, failures)


def _of_today(result: StudyRun, folder: Path) -> StudyRun:
    if result.versions.result != RESULT_VERSION:
        raise RunError(
            f"{folder}: run {result.run} is of result version {result.versions.result}, today's is "
            f"{RESULT_VERSION}; do it again"
        )
    return result


def _same_version(commit: str, tree: Path) -> None:
    path = "src/secateur/results/identity.py"
    versions = _VERSION.findall(at_commit(commit, path, tree))
    if versions != [str(RESULT_VERSION)]:
        raise RunError(
            f"{commit[:12]}: its code writes result version {' '.join(versions)}, these runs are of "
            f"{RESULT_VERSION}; another commit did them"
        )


def _must_be_stated(study: StudyFile, commits: tuple[str, ...], tree: Path) -> None:
    """Refuse a study whose file isn't, at any of the commits, what was carried out."""
    for commit in commits:
        if _stated(study.name, commit, tree) == study:
            return
    raise RunError(
        f"studies/{study.name}.toml at {', '.join(commit[:12] for commit in commits)} is not the study "
        "that was carried out; name the commit whose file it was"
    )


def _stated(name: str, commit: str, tree: Path) -> StudyFile:
    """The study of a commit's file."""
    file = f"studies/{name}.toml"
    text = at_commit(commit, file, tree)
    config = tomllib.loads(text).get("config")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "studies").mkdir()
        (Path(folder) / file).write_text(text, encoding="utf-8")
        if config is not None:
            beside = normpath(f"studies/{config}")
            (Path(folder) / beside).parent.mkdir(exist_ok=True)
            (Path(folder) / beside).write_text(at_commit(commit, beside, tree), encoding="utf-8")
        return read_study(Path(folder) / file)


def _pack_drift(folder: Path, origin: Origin, repository: Repository) -> None:
    path = folder / "drift.json"
    try:
        findings = DriftFindings.model_validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        raise RunError(f"{path}: is not there; finish the study of drift") from None
    except ValueError as error:
        raise RunError(f"{path}: is damaged ({' '.join(str(error).split())})") from None
    if origin.default is None:
        raise RunError("drift: nobody noted which commit's code did it")
    findings = findings.model_copy(update={"command": without_addresses(findings.command)})
    seeds = {str(seed): origin.default for seed in findings.settings["seeds"]}
    _same_version(origin.default, repository.tree)
    recorded = {origin.default: origin.how}
    write_drift(repository.evidence / DRIFT, StoredDrift(findings, seeds, recorded, RESULT_VERSION))


def without_addresses(command: str) -> str:
    """A command with the last part of each folder that it names, so that it tells nobody's disk."""
    return re.sub(r"(?<![\w./])/?(?:[\w.-]+/){2,}([\w.-]+)(?=\s|$)", r"\1", command)
