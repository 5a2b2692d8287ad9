"""What was certified before on the same subjects.

Comes in: the recordings of those who are judged now, by contents. Goes out: how many earlier
certifications looked at some of them. Next: the certificate says so.

Who changes margins, rungs or seeds until something passes has tested more than once on the same people,
and the stated confidence no longer holds. This can't be forbidden; as far as this folder and the cache
know of it, it is counted. Names and paths are not kept, only hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from secateur.files import locked, write_whole

FILE = "certifications.json"
Entry = dict[str, Any]


def hashes_of(contents: Mapping[str, Iterable[str]]) -> list[str]:
    """One hash for each subject. `contents`: by subject the content hashes of all recordings."""
    return sorted(
        hashlib.sha256(" ".join(sorted(many)).encode()).hexdigest()[:24]
        for many in contents.values()
    )


def earlier(places: Iterable[Path], name: str, subjects: Iterable[str]) -> int:
    """Certifications under other names than `name` that looked at one or more of `subjects`."""
    ours = set(subjects)
    known: dict[str, set[str]] = {}
    for place in places:
        for entry in _read(place):
            known.setdefault(entry["name"], set()).update(entry["subjects"])
    return sum(other != name and bool(seen & ours) for other, seen in known.items())


def remember(places: Iterable[Path], name: str, subjects: Iterable[str]) -> None:
    """Note a certification in each place; the same one is noted once.

    One process at a time reads and writes a place, so that none writes over another's note.
    """
    people = sorted(subjects)
    for place in places:
        with locked(place.with_suffix(".lock"), wait=True):
            entries = [entry for entry in _read(place) if entry["name"] != name]
            entries.append({"name": name, "subjects": people})
            write_whole(place, json.dumps(entries, indent=1) + "\n")


def _read(place: Path) -> list[Entry]:
    try:
        told = json.loads(place.read_text())
        return [
            {"name": str(entry["name"]), "subjects": list(map(str, entry["subjects"]))}
            for entry in told
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # nothing was certified here yet, or the list is damaged
