"""What a split lets stand on both sides, in numbers.

Comes in: the windows of each side. Goes out: how many subjects, recordings and seizures of the test side
were also learned from, and how many windows of each side are ictal. Next: `run` tells it, `result` stores
it, the report shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.windows import WindowIndex, WindowSet


@dataclass(frozen=True)
class Crossing:
    """Of the test side's subjects, recordings and seizures (`of_…`), those with windows elsewhere too.

    `known`: whether it is told who was recorded; otherwise subjects stand for nothing. `windows`: test
    windows that share samples with windows learned from.
    """

    subjects: int
    of_subjects: int
    recordings: int
    of_recordings: int
    seizures: int
    of_seizures: int
    windows: int = 0
    of_windows: int = 0
    known: bool = True

    @property
    def words(self) -> str:
        """For people; empty where nothing crosses."""
        if not (self.subjects or self.recordings or self.seizures):
            return ""
        who = f"{self.subjects} of the {self.of_subjects} test subjects, " if self.known else ""
        told = (
            f"on both sides of the split: {who}"
            f"{self.recordings} of the {self.of_recordings} test recordings and "
            f"{self.seizures} of the {self.of_seizures} test seizures"
        )
        if self.windows:
            told += (
                f"; {self.windows} of the {self.of_windows} test windows share samples with windows "
                "learned from"
            )
        return told if self.known else f"who was recorded is not told; {told}"

    def as_dict(self) -> dict[str, int | bool]:
        """For result.json."""
        return asdict(self)


def crossing(sides: Mapping[str, WindowSet], known: bool = True) -> Crossing:
    """Compare the test side with training and validation together; where nobody tests, nothing crosses."""
    if "test" not in sides:
        return Crossing(0, 0, 0, 0, 0, 0, known=known)
    tested = _contents(sides["test"])
    learned = [_contents(sides[side]) for side in ("training", "validation")]
    both = [len(tested[k] & (learned[0][k] | learned[1][k])) for k in range(3)]
    of = [len(tested[k]) for k in range(3)]
    shared = _sharing(sides["test"], [sides["training"], sides["validation"]])
    return Crossing(
        *(both[0], of[0], both[1], of[1], both[2], of[2]),
        windows=shared,
        of_windows=len(sides["test"]),
        known=known,
    )


def _sharing(test: WindowSet, learned: list[WindowSet]) -> int:
    """Test windows with at least one sample in a window of `learned`."""
    starts: dict[str, list[NDArray[np.int64]]] = {}
    for windows in learned:
        for index, one in enumerate(windows.prepared):
            own = windows.starts[windows.recording == index]
            starts.setdefault(one.entry.key, []).append(own)
    found = 0
    for index, one in enumerate(test.prepared):
        others = np.sort(np.concatenate(starts.get(one.entry.key, [np.empty(0, dtype=np.int64)])))
        if len(others):
            own = test.starts[test.recording == index]
            after = np.searchsorted(others, own)
            gap = np.full(len(own), np.iinfo(np.int64).max)
            inside = after < len(others)
            gap[inside] = others[after[inside]] - own[inside]
            before = after > 0
            gap[before] = np.minimum(gap[before], own[before] - others[after[before] - 1])
            found += int((gap < test.length).sum())
    return found


Names = tuple[set[str], set[str], set[tuple[str, float]]]


def _contents(windows: WindowSet) -> Names:
    """Subjects, recordings and seizures in which at least one window of the set lies."""
    seizures: set[tuple[str, float]] = set()
    seconds = windows.length / windows.rate
    for index, one in enumerate(windows.prepared):
        begin = windows.starts[windows.recording == index] / windows.rate
        for event in one.entry.events.merged():
            if bool(np.any((begin < event.end) & (begin + seconds > event.onset))):
                seizures.add((str(one.entry.path), event.onset))
    return set(windows.subjects), set(map(str, windows.recordings)), seizures


def prevalences(everything: WindowIndex, sides: Mapping[str, WindowSet]) -> dict[str, float]:
    """Share of ictal windows over all before thinning ("natural") and on each side."""
    told = {"natural": float(everything.labels.mean())}
    return told | {side: float(windows.labels.mean()) for side, windows in sides.items()}
