"""What a split lets stand on both sides, in numbers: subjects, recordings, seizures and windows tested on
that were also learned from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secateur.results import Leakage
from secateur.windows import WindowIndex, WindowSet


def leakage(sides: Mapping[str, WindowSet], known: bool = True) -> Leakage:
    """Compare the test side with training and validation together; where nobody tests, nothing leaks.

    `known`: whether it is told who was recorded; otherwise subjects stand for nothing.
    """
    if "test" not in sides:
        return Leakage(
            subjects=0,
            of_subjects=0,
            recordings=0,
            of_recordings=0,
            seizures=0,
            of_seizures=0,
            known=known,
        )
    tested = _contents(sides["test"])
    training, validation = _contents(sides["training"]), _contents(sides["validation"])
    both = [len(tested[k] & (training[k] | validation[k])) for k in range(3)]
    return Leakage(
        subjects=both[0],
        of_subjects=len(tested[0]),
        recordings=both[1],
        of_recordings=len(tested[1]),
        seizures=both[2],
        of_seizures=len(tested[2]),
        windows=_sharing(sides["test"], [sides["training"], sides["validation"]]),
        of_windows=len(sides["test"]),
        known=known,
    )


def _sharing(test: WindowSet, learned: list[WindowSet]) -> int:
    """Test windows with at least one sample in a window of `learned`."""
    starts: dict[str, list[NDArray[np.int64]]] = {}
    for windows in learned:
        for index, prepared in enumerate(windows.prepared):
            own = windows.starts[windows.recording == index]
            starts.setdefault(prepared.entry.key, []).append(own)
    count = 0
    for index, prepared in enumerate(test.prepared):
        others = np.sort(
            np.concatenate(starts.get(prepared.entry.key, [np.empty(0, dtype=np.int64)]))
        )
        if len(others):
            own = test.starts[test.recording == index]
            after = np.searchsorted(others, own)
            gap = np.full(len(own), np.iinfo(np.int64).max)
            inside = after < len(others)
            gap[inside] = others[after[inside]] - own[inside]
            before = after > 0
            gap[before] = np.minimum(gap[before], own[before] - others[after[before] - 1])
            count += int((gap < test.length).sum())
    return count


Names = tuple[set[str], set[str], set[tuple[str, float]]]


def _contents(windows: WindowSet) -> Names:
    """Subjects, recordings and seizures in which at least one window of the set lies."""
    seizures: set[tuple[str, float]] = set()
    seconds = windows.length / windows.rate
    for index, prepared in enumerate(windows.prepared):
        begin = windows.starts[windows.recording == index] / windows.rate
        for event in prepared.entry.events.merged():
            if bool(np.any((begin < event.end) & (begin + seconds > event.onset))):
                seizures.add((str(prepared.entry.path), event.onset))
    return set(windows.subjects), set(map(str, windows.recordings)), seizures


def prevalences(everything: WindowIndex, sides: Mapping[str, WindowSet]) -> dict[str, float]:
    """Share of ictal windows over all before thinning ("natural") and on each side."""
    shares = {"natural": float(everything.labels.mean())}
    return shares | {side: float(windows.labels.mean()) for side, windows in sides.items()}
