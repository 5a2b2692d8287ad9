"""Filling the cache ahead, in several processes; what is prepared no run prepares again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import RecordingError
from secateur.processes import spawned
from secateur.recordings import Cohort, Entry, Problem
from secateur.windows.cache import Cache
from secateur.windows.prepared import prepare_one, unlike_others
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
    fillings: dict[int, _Filling] = {}
    with spawned(workers) as pool:
        waiting: set[Future[tuple[int, _Filling]]] = {
            pool.submit(_fill_entry, number, entry, settings, cache.folder)
            for number, entry in enumerate(cohort.entries)
        }
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            fillings.update(future.result() for future in finished)
            if progress:
                progress(len(fillings), len(cohort))
    return _summed(cohort, [fillings[number] for number in range(len(cohort))])


@dataclass(frozen=True)
class _Filling:
    reason: str = ""
    written: bool = False
    bytes: int = 0
    notes: tuple[str, ...] = ()
    spread: float | None = None


def _fill_entry(
    number: int, entry: Entry, settings: ChainSettings, cache: Path
) -> tuple[int, _Filling]:
    try:
        prepared = prepare_one(entry, settings, Cache(cache))
    except RecordingError as error:
        return number, _Filling(reason=error.reason)
    first = prepared[0]
    size = first.signal.path.stat().st_size
    return number, _Filling("", first.written, size, first.notes, first.spread)


def _summed(cohort: Cohort, fillings: list[_Filling]) -> Filled:
    notes: dict[str, list[str]] = {}
    problems = list(cohort.problems)
    hours = 0.0
    pairs = list(zip(cohort, fillings, strict=True))
    unlike = unlike_others([(entry, filling.spread) for entry, filling in pairs])
    for entry, filling in pairs:
        if filling.reason:
            problems.append(Problem(entry.key, filling.reason))
            continue
        hours += entry.duration / 3600
        for note in filling.notes:
            notes.setdefault(note, []).append(entry.key)
        if entry.path in unlike:
            notes.setdefault(unlike[entry.path], []).append(entry.key)
    good = [filling for filling in fillings if not filling.reason]
    return Filled(
        recordings=len(good),
        written=sum(filling.written for filling in good),
        bytes=sum(filling.bytes for filling in good),
        hours=hours,
        notes=notes,
        problems=tuple(problems),
    )
