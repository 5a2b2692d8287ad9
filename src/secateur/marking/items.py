"""Which recordings are meant, and where what is found in each goes.

Comes in: folders and files, and the folder to write to. Goes out: a `Target` for each recording; no two share
a file. Next: `batch` works through them, `marking` fills each.

The folder mirrors what came in: `a/b/night.edf` becomes `a/b/night_events.tsv`, BIDS's `..._eeg.edf` becomes
`..._events.tsv`. Where several things came in, each folder stands under its own name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from secateur.errors import RecordingError, RecordingNotFoundError, SettingsError
from secateur.recordings import files_of
from secateur.recordings.bonn import SEGMENT
from secateur.recordings.layouts.bids import other_than_eeg
from secateur.recordings.layouts.listing import SUFFIXES, walk
from secateur.recordings.opening import READABLE, readable


@dataclass(frozen=True)
class Target:
    """One recording and its files. `name`: its path from what the user gave, free of local paths.

    `base`: what all its files are called, without their ends.
    """

    source: Path
    name: str
    base: Path

    @property
    def events(self) -> Path:
        """SzCORE's TSV. It is there where the sidecar speaks for it."""
        return self._ending("_events.tsv")

    @property
    def sidecar(self) -> Path:
        """What the TSV's columns mean, and what made it."""
        return self._ending("_events.json")

    @property
    def probabilities(self) -> Path:
        """A probability for each second."""
        return self._ending("_probabilities.tsv")

    @property
    def probabilities_sidecar(self) -> Path:
        """What the probabilities' columns mean, and how many a second the detector gave."""
        return self._ending("_probabilities.json")

    @property
    def annotated(self) -> Path:
        """The copy with annotations; BIDS wants the kind of data last."""
        bids = self.base.name.startswith("sub-")
        kind = ".bdf" if self.source.suffix.lower() == ".bdf" else ".edf"
        return self._ending(f"{'_desc-secateur_eeg' if bids else '_events'}{kind}")

    @property
    def files(self) -> tuple[Path, ...]:
        """All that may be written, the TSV first."""
        return (
            self.events,
            self.sidecar,
            self.probabilities,
            self.probabilities_sidecar,
            self.annotated,
        )

    @property
    def bytes(self) -> int:
        """What the recording takes on disk; 0 where that can't be told."""
        try:
            return sum(path.stat().st_size for path in files_of(self.source))
        except (OSError, RecordingError):
            return 0

    def _ending(self, ending: str) -> Path:
        return self.base.with_name(self.base.name + ending)


def targets_of(inputs: Sequence[Path], out: Path) -> list[Target]:
    """The recordings in `inputs`, in the order of their names, each with a place below `out`.

    In folders whatever is no recording is passed over, hidden files, `derivatives` and `out` itself too.
    Raises `RecordingNotFoundError`, `RecordingError` or `SettingsError`.
    """
    found: list[tuple[PurePosixPath, Path]] = []
    tops: Counter[str] = Counter()
    been: set[Path] = set()
    for given in inputs:
        if not given.exists():
            raise RecordingNotFoundError(given, "there is no such file or folder")
        if given.resolve() == out.resolve():
            raise SettingsError(f"--out {out}: is what is to be read; choose another folder")
        top = PurePosixPath()
        if given.is_dir():
            name = given.resolve().name
            tops[name] += 1
            if len(inputs) > 1:
                top = PurePosixPath(name if tops[name] == 1 else f"{name}-{tops[name]}")
            inner = [(top / path.relative_to(given), path) for path in _inside(given, out)]
        elif readable(given):
            inner = [(top / given.name, given)]
        else:
            kind = given.suffix or "file without ending"
            raise RecordingError(given, f"is a {kind}; wanted a folder, or {READABLE}")
        for name_in, path in inner:
            if path.resolve() not in been:
                been.add(path.resolve())
                found.append((name_in, path))
    if not found:
        told = ", ".join(map(str, inputs))
        raise SettingsError(f"{told}: there is no recording in it; wanted {READABLE}")
    return _placed(sorted(found), out)


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


def _placed(found: Sequence[tuple[PurePosixPath, Path]], out: Path) -> list[Target]:
    """Recordings that would share their files' names get the ends of their own in them, then numbers."""
    alike: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name, _ in found:
        alike[_key(name.with_name(_stem(name)))].append(name)
    taken = {key for key, names in alike.items() if len(names) == 1}
    targets = []
    for name, path in found:
        base = name.with_name(_stem(name))
        if len(alike[_key(base)]) > 1:
            plain = f"{name.stem}_{name.suffix[1:].lower()}"
            base, number = name.with_name(plain), 1
            while _key(base) in taken:
                number += 1
                base = name.with_name(f"{plain}_{number}")
            taken.add(_key(base))
        targets.append(Target(path, name.as_posix(), out / base))
    return targets


def _stem(name: PurePosixPath) -> str:
    return name.stem.removesuffix("_eeg").removesuffix("_ieeg") or name.stem


def _key(name: PurePosixPath) -> str:
    """Some disks don't tell capitals from small letters."""
    return name.as_posix().casefold()
