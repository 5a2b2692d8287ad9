"""Which commit's code did which run, noted before it runs, so that it is known whatever ends the process."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from secateur.files import is_draft

SESSIONS = "sessions.jsonl"
BY_MAKE = "noted by make evidence before it ran, in a clean tree"


@dataclass(frozen=True)
class Session:
    """A time in which one commit's code worked. `present`: runs that were done when it began."""

    commit: str
    began: str
    present: frozenset[str]


def begin(work: Path, commit: str) -> None:
    """Note that this commit's code works from now on; on the disk when this returns."""
    line = {
        "commit": commit,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "present": sorted(done(work)),
    }
    work.mkdir(parents=True, exist_ok=True)
    with (work / SESSIONS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def done(work: Path) -> set[str]:
    """Runs that have a result in any of the work's studies, or in its cache."""
    return {path.stem for path in work.glob("*/runs/*.json") if not is_draft(path)}


def commits(work: Path) -> dict[str, str]:
    """By run, the commit of the session that did it: the last at whose beginning it was not there."""
    sessions = _sessions(work)
    by_run: dict[str, str] = {}
    for run in done(work):
        missing = [session for session in sessions if run not in session.present]
        if missing:
            by_run[run] = missing[-1].commit
    return by_run


def _sessions(work: Path) -> list[Session]:
    path = work / SESSIONS
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    sessions = []
    for line in filter(None, lines):
        try:
            tables = json.loads(line)
        except ValueError:
            continue  # cut off when the process was killed: nothing ran in it
        sessions.append(Session(tables["commit"], tables["began"], frozenset(tables["present"])))
    return sessions
