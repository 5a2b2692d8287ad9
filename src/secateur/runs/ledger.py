"""What was looked at before: certifications and runs that share a recording with this one.

Who changes margins, rungs or seeds until something passes has tested more than once on the same people. As
far as a folder and the cache know of it, it is counted: the k-th certification that shares a recording has
less of alpha left, and runs that scored such a recording are said. Names and paths are not kept, only hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from secateur.files import locked, write_whole
from secateur.windows import Cache, WindowSet

FILE = "certifications.json"
Entry = dict[str, Any]
Kind = Literal["certification", "run"]
Contents = Mapping[str, Iterable[str]]
"""By subject, the content hashes of all its recordings."""


@dataclass(frozen=True)
class Looks:
    """`certification`: which one this is on any of its recordings, from 1; `runs`: that looked too."""

    certification: int
    runs: int


def contents_of(windows: WindowSet, cache: Cache) -> dict[str, list[str]]:
    """By subject, the content hashes of all recordings that a set of windows was cut from."""
    contents: dict[str, list[str]] = {}
    for prepared in windows.prepared:
        digest = cache.content_hash(prepared.entry.path)
        contents.setdefault(prepared.entry.subject, []).append(digest)
    return contents


def certification(paths: Iterable[Path], name: str, contents: Contents) -> Looks:
    """Enter the certification `name` in every ledger of `paths` and say the how-manieth it is.

    One process at a time counts and writes, so that no two are both the first. A name that is known keeps
    its number: judging the same again is no new look.
    """
    with _ledgers(paths) as ledgers:
        entries = [entry for ledger in ledgers.values() for entry in ledger]
        own = [entry for entry in entries if _is(entry, "certification", name)]
        sharing = [entry for entry in entries if entry not in own and _shares(entry, contents)]
        earlier = _names(sharing, "certification")
        number = min((entry["number"] for entry in own), default=len(earlier) + 1)
        _enter(ledgers, "certification", name, contents, number)
        return Looks(number, len(_names(sharing, "run")))


def run(paths: Iterable[Path], name: str, contents: Contents) -> None:
    """Enter that the run `name` scored these recordings."""
    with _ledgers(paths) as ledgers:
        _enter(ledgers, "run", name, contents, 0)


@contextmanager
def _ledgers(paths: Iterable[Path]) -> Iterator[dict[Path, list[Entry]]]:
    """What stands in each ledger, which nobody else may write meanwhile."""
    with ExitStack() as locks:
        ordered = sorted(set(paths))
        for path in ordered:
            locks.enter_context(locked(path.with_suffix(".lock"), wait=True))
        yield {path: _read(path) for path in ordered}


def _enter(
    ledgers: Mapping[Path, list[Entry]],
    kind: Kind,
    name: str,
    contents: Contents,
    number: int,
) -> None:
    recordings = sorted({_digest(recording) for many in contents.values() for recording in many})
    entry = {"name": name, "kind": kind, "number": number, "recordings": recordings}
    for path, entries in ledgers.items():
        if entry not in entries:
            others = [other for other in entries if not _is(other, kind, name)]
            write_whole(path, json.dumps([*others, entry], indent=1) + "\n")


def _is(entry: Entry, kind: Kind, name: str) -> bool:
    """Whether an entry is that look; a study's exploratory ladder may have a certification's name."""
    return bool(entry["kind"] == kind and entry["name"] == name)


def _names(entries: Iterable[Entry], kind: str) -> set[str]:
    return {entry["name"] for entry in entries if entry["kind"] == kind}


def _shares(entry: Entry, contents: Contents) -> bool:
    """Whether an entry and `contents` have a recording in common."""
    if "subjects" in entry:  # written before recordings were kept: a subject is all its recordings
        return bool(
            {_digest(" ".join(sorted(many))) for many in contents.values()} & {*entry["subjects"]}
        )
    return bool(
        {_digest(recording) for many in contents.values() for recording in many}
        & {*entry["recordings"]}
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(path: Path) -> list[Entry]:
    try:
        entries = json.loads(path.read_text())
        return [
            {
                "kind": "certification",
                "number": 1,
                **entry,
                "name": str(entry["name"]),
                key: list(map(str, entry[key])),
            }
            for entry in entries
            for key in ["subjects" if "subjects" in entry else "recordings"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # nothing was certified here yet, or the list is damaged
