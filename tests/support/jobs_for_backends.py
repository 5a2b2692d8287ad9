"""Jobs whose workers die, sleep or count, for the tests of backends; run as a script, a process that has them
done: `python jobs_for_backends.py joblib|ray FOLDER [HOST:PORT]` prints what came of each as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple


class WorkItem(NamedTuple):
    """What to do: "count", "die once", "die always", "sleep" or "raise"; marks go to `folder`."""

    folder: str
    number: int
    what: str = "count"

    def mark(self, word: str) -> Path:
        return Path(self.folder) / f"{self.number}.{word}"


def do(item: WorkItem) -> str:
    began = item.mark(f"began-{os.getpid()}")
    began.touch()
    if item.what == "die always" or (item.what == "die once" and not _is_second(item)):
        os.kill(os.getpid(), signal.SIGKILL)
    if item.what == "sleep":
        time.sleep(120)
    if item.what == "raise":
        raise ValueError(f"item {item.number}")
    time.sleep(0.05)
    item.mark("ended").touch()
    return f"{item.number} done"


def _is_second(item: WorkItem) -> bool:
    try:
        item.mark("first").touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


def lost(item: WorkItem, reason: str) -> str:
    return f"{item.number} lost: {reason}"


def mixed(folder: Path) -> list[WorkItem]:
    """Eight items, of which one takes its worker down once and another always."""
    whats = {2: "die once", 4: "die always"}
    return [WorkItem(str(folder), number, whats.get(number, "count")) for number in range(8)]


def begun_by(folder: Path) -> set[int]:
    """Processes that began an item."""
    return {int(path.name.rpartition("-")[2]) for path in folder.glob("*.began-*")}


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def main(backend: str, folder: str, address: str | None = None) -> None:
    if backend == "ray":
        from secateur.studies.backends import cluster

        outcomes = cluster.carry_out(mixed(Path(folder)), do, lost, address)
    else:
        from secateur.studies.backends import local

        items = [WorkItem(folder, number, "sleep") for number in range(4)]
        outcomes = local.carry_out(items, do, lost, 2)
    print(json.dumps(sorted(outcomes)), flush=True)


if __name__ == "__main__":
    assert __spec__ is not None  # begun with -m
    sys.modules[__spec__.name] = sys.modules["__main__"]
    WorkItem.__module__ = do.__module__ = lost.__module__ = __spec__.name
    main(*sys.argv[1:])
