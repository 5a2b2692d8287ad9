"""Which recordings are meant, and where what is detected in each goes; no two share a file.

The folder mirrors its input: `a/b/night.edf` becomes `a/b/night_events.tsv`, BIDS's `..._eeg.edf` becomes
`..._events.tsv`. Of several inputs each folder stands under its own name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from secateur.errors import RecordingError, RecordingNotFoundError, SettingsError
from secateur.marking.worker import WorkItem
from secateur.recordings.bonn import SEGMENT
from secateur.recordings.layouts.bids import other_than_eeg
from secateur.recordings.layouts.listing import SUFFIXES, walk
from secateur.recordings.opening import READABLE, readable


def work_items(inputs: Sequence[Path], out: Path) -> list[WorkItem]:
    """The recordings in `inputs`, in the order of their names, each with its files below `out`.

    In folders whatever is no recording is passed over, hidden files, `derivatives` and `out` itself too.
    Raises `RecordingNotFoundError`, `RecordingError` or `SettingsError`.
    """
    sources: list[tuple[PurePosixPath, Path]] = []
    tops: Counter[str] = Counter()
    visited: set[Path] = set()
    for path in inputs:
        if not path.exists():
            raise RecordingNotFoundError(path, "there is no such file or folder")
        if path.resolve() == out.resolve():
            raise SettingsError(f"--out {out}: is what is to be read; choose another folder")
        top = PurePosixPath()
        if path.is_dir():
            name = path.resolve().name
            tops[name] += 1
            if len(inputs) > 1:
                top = PurePosixPath(name if tops[name] == 1 else f"{name}-{tops[name]}")
            inner = [(top / source.relative_to(path), source) for source in _inside(path, out)]
        elif readable(path):
            inner = [(top / path.name, path)]
        else:
            kind = path.suffix or "file without ending"
            raise RecordingError(path, f"is a {kind}; wanted a folder, or {READABLE}")
        for inner_name, source in inner:
            if source.resolve() not in visited:
                visited.add(source.resolve())
                sources.append((inner_name, source))
    if not sources:
        listed = ", ".join(map(str, inputs))
        raise SettingsError(f"{listed}: there is no recording in it; wanted {READABLE}")
    return _with_files(sorted(sources), out)


def _inside(folder: Path, out: Path) -> list[Path]:
    """Recordings below a folder. Of text files those are taken that are named as Bonn's."""
    outside = out.resolve()
    return [
        path
        for path in walk(folder, "").files
        if (path.suffix.lower() in SUFFIXES or SEGMENT.fullmatch(path.name))
        and not other_than_eeg(path)
        and not path.resolve().is_relative_to(outside)
    ]


def _with_files(sources: Sequence[tuple[PurePosixPath, Path]], out: Path) -> list[WorkItem]:
    """Recordings that would share their files' names get the ends of their own in them, then numbers."""
    alike: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name, _ in sources:
        alike[_key(name.with_name(_stem(name)))].append(name)
    taken = {key for key, names in alike.items() if len(names) == 1}
    items = []
    for name, path in sources:
        base = name.with_name(_stem(name))
        if len(alike[_key(base)]) > 1:
            plain = f"{name.stem}_{name.suffix[1:].lower()}"
            base, number = name.with_name(plain), 1
            while _key(base) in taken:
                number += 1
                base = name.with_name(f"{plain}_{number}")
            taken.add(_key(base))
        items.append(WorkItem(path, name.as_posix(), out / f"{base}_events.tsv"))
    return items


def _stem(name: PurePosixPath) -> str:
    return name.stem.removesuffix("_eeg").removesuffix("_ieeg") or name.stem


def _key(name: PurePosixPath) -> str:
    """Some disks don't tell capitals from small letters."""
    return name.as_posix().casefold()
