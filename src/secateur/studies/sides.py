"""What a split lets stand on both sides, in numbers.

Comes in: the windows of each side. Goes out: how many subjects, recordings and seizures of the test side
were also learned from, and how many windows of each side are ictal. Next: `run` tells it, `result` stores
it, the report shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from secateur.windows import WindowIndex, WindowSet


@dataclass(frozen=True)
class Crossing:
    """Of the test side's subjects, recordings and seizures (`of_…`), those with windows elsewhere too.

    `known`: whether it is told who was recorded; otherwise subjects stand for nothing.
    """

    subjects: int
    of_subjects: int
    recordings: int
    of_recordings: int
    seizures: int
    of_seizures: int
    known: bool = True

    @property
    def words(self) -> str:
        """For people; empty where nothing crosses."""
        if not (self.subjects or self.recordings or self.seizures):
            return ""
        who = f"{self.subjects} of the {self.of_subjects} test subjects"
        if not self.known:
            who = "nobody knows how many people (who was recorded isn't told)"
        return (
            f"on both sides of the split: {who}, "
            f"{self.recordings} of the {self.of_recordings} test recordings and "
            f"{self.seizures} of the {self.of_seizures} test seizures"
        )

    def as_dict(self) -> dict[str, int | bool]:
        """For result.json."""
        return asdict(self)


def crossing(sides: Mapping[str, WindowSet], known: bool = True) -> Crossing:
    """Compare the test side with training and validation together."""
    tested = _contents(sides["test"])
    learned = [_contents(sides[side]) for side in ("training", "validation")]
    both = [len(tested[k] & (learned[0][k] | learned[1][k])) for k in range(3)]
    of = [len(tested[k]) for k in range(3)]
    return Crossing(both[0], of[0], both[1], of[1], both[2], of[2], known)


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
    recordings = {str(one.entry.path) for one in windows.prepared}
    return set(windows.subjects), recordings, seizures


def prevalences(everything: WindowIndex, sides: Mapping[str, WindowSet]) -> dict[str, float]:
    """Share of ictal windows over all before thinning ("natural") and on each side."""
    told = {"natural": float(everything.labels.mean())}
    return told | {side: float(windows.labels.mean()) for side, windows in sides.items()}
