"""Whether documents say what stored studies say, and whether these come from code that others can find."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from benchmarks.evidence import reports
from benchmarks.evidence.history import complete_commit, has_history
from benchmarks.evidence.markers import documents, marks, write_anew
from benchmarks.evidence.packing import Repository
from benchmarks.evidence.quoting import Source
from benchmarks.evidence.stored import (
    DRIFT,
    StoredDrift,
    StoredStudy,
    findings_of,
    older_names,
    read_drift,
    read_study,
    stored_names,
)
from secateur.errors import RunError
from secateur.results import RESULT_VERSION
from secateur.results.drift_study import DriftFindings
from secateur.studies import Findings


def source_of(repository: Repository) -> Source:
    """What each study says, worked out once."""

    @cache
    def source(name: str) -> Findings | DriftFindings:
        return findings_of(name, repository.evidence)

    return source


def problems_of_studies(repository: Repository) -> Iterator[str]:
    """Stored studies of another result version that nobody lists, and commits that aren't in the history."""
    older = set(older_names(repository.evidence))
    names = stored_names(repository.evidence)
    for name in sorted(older - set(names)):
        yield f"{name}: is listed as older, but nothing is stored of it"
    for name in names:
        stored = _stored(name, repository)
        current = stored.result_versions == (RESULT_VERSION,)
        versions = " and ".join(map(str, stored.result_versions))
        if current and name in older:
            yield f"{name}: is listed as older, but is of today's result version {RESULT_VERSION}"
        if not current and name not in older:
            yield (
                f"{name}: its runs are of result version {versions}, today's is {RESULT_VERSION}; make them "
                "again with python -m benchmarks.evidence"
            )
        unknown = set(stored.commits.values()) - stored.recorded.keys()
        if unknown:
            yield f"{name}: nothing tells how commit {min(unknown)[:12]} is known"
        if has_history(repository.tree):
            yield from _lost_commits(name, stored, repository.tree)


def _lost_commits(name: str, stored: StoredStudy | StoredDrift, tree: Path) -> Iterator[str]:
    for commit in sorted({*stored.commits.values(), *stored.recorded}):
        try:
            if complete_commit(commit, tree) != commit:
                yield f"{name}: {commit} is no complete name of a commit"
        except RunError as error:
            yield f"{name}: {error}"


def _stored(name: str, repository: Repository) -> StoredStudy | StoredDrift:
    if name == DRIFT:
        return read_drift(repository.evidence)
    return read_study(name, repository.evidence)


def problems_of_reports(
    repository: Repository, source: Source, names: Iterable[str]
) -> Iterator[str]:
    """Reports of the studies in `names` that aren't what their runs say."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            text = reports.made_anew(source(name), Path(folder))
        changes = reports.changed_lines(reports.stored_report(name, repository.evidence), text)
        if changes:
            yield f"{name}: its report has {len(changes)} lines with other numbers: {changes[0]}"


def problems_of_documents(repository: Repository, source: Source, study: str = "") -> Iterator[str]:
    """Marked numbers in documents that aren't what is stored; with `study`, of those that quote it."""
    for page in documents(repository.tree):
        for mark in marks(page, source, study):
            where = f"{page.relative_to(repository.tree)}, line {mark.line}"
            if mark.problem:
                yield f"{where}: {mark.problem}"
            elif mark.before != mark.after:
                yield f"{where}: says {mark.before!r}, stored is {mark.after!r} ({mark.words})"


def check(repository: Repository, *, write: bool) -> int:
    """Print every problem; how many there are. `write`: renew marked numbers instead of telling of them."""
    source = source_of(repository)
    if write:
        for page in documents(repository.tree):
            renewed = write_anew(page, source)
            if renewed:
                print(f"{page.relative_to(repository.tree)}: {renewed} numbers renewed")
    problems = [
        *problems_of_studies(repository),
        *problems_of_documents(repository, source),
        *problems_of_reports(repository, source, stored_names(repository.evidence)),
    ]
    for problem in problems:
        print(f"PROBLEM: {problem}")
    for name in older_names(repository.evidence):
        print(f"OLDER: {name} is of an earlier result version; what documents quote of it is, too")
    if not has_history(repository.tree):
        print("no complete history is here, so commits were not looked up")
    pages = documents(repository.tree)
    count = sum(len(marks(page, source)) for page in pages)
    print(f"{count} marked numbers in {len(pages)} documents, {len(problems)} problems")
    return len(problems)
