"""Filling the cache ahead, in several processes; what is prepared no run prepares again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import RecordingError
from secateur.processes import spawned
from secateur.recordings import Cohort, Entry, Problem
from secateur.windows.cache import Cache
from secateur.windows.prepared import Prepared, prepare, prepare_one
from secateur.windows.settings import ChainSettings


@dataclass(frozen=True)
class Filled:
    """`recordings` are in the cache, `written` of them now; `bytes` they take, `hours` they last.

    `notes`: what was put right, with the recordings' keys. `problems`: what was left out, in order.
    """

    recordings: int
    written: int
    bytes: int
    hours: float
    notes: dict[str, list[str]]
    problems: tuple[Problem, ...]


def fill(
    cohort: Cohort,
    settings: ChainSettings,
    cache: Cache,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Filled:
    """Run every recording of `cohort` through the chain, unless the cache has it.

    `workers`: processes. `progress`: called with how many recordings are finished, and of how many.
    Interrupted, it keeps what is finished. Raises `RunError` where the cache can't be written.
    """
    written = 0
    with spawned(workers) as pool:
        futures = [
            pool.submit(_fill_entry, entry, settings, cache.folder) for entry in cohort.entries
        ]
        for count, future in enumerate(as_completed(futures), start=1):
            written += future.result()
            if progress:
                progress(count, len(cohort))
    if settings.missing == "error":  # here a problem of one recording
        settings = settings.model_copy(update={"missing": "skip"})
    prepared, problems = prepare(cohort.entries, settings, cache)  # found in the cache
    first: dict[Path, Prepared] = {}
    for item in prepared:
        first.setdefault(item.entry.path, item)
    entries = [entry for entry in cohort if entry.path in first]
    notes: dict[str, list[str]] = {}
    for entry in entries:
        for note in first[entry.path].notes:
            notes.setdefault(note, []).append(entry.key)
    return Filled(
        recordings=len(entries),
        written=written,
        bytes=sum(item.signal.path.stat().st_size for item in first.values()),
        hours=sum(entry.duration for entry in entries) / 3600,
        notes=notes,
        problems=(*cohort.problems, *problems),
    )


def _fill_entry(entry: Entry, settings: ChainSettings, cache: Path) -> bool:
    """Whether the recording was written now."""
    try:
        return prepare_one(entry, settings, Cache(cache))[0].written
    except RecordingError:
        return False  # `prepare` says why
