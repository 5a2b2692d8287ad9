"""A detector's recordings as its threshold moves: the same event rules at each, for FROC curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.event_rules import (
    PostProcessing,
    smooth,
    smoothed_over,
    stretches_of,
    to_events,
)
from secateur.events import Events
from secateur.recordings import Cohort, Entry, data_set_of, describe_background
from secateur.scoring.froc import Froc, KnownCounts, SweptRecording, sweep, thresholds_for

if TYPE_CHECKING:
    from secateur.detectors.evaluation import WindowTable

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RecordingWindows:
    """A recording with the windows that a detector was asked about; arrays of shape (n,), in order of time.

    `begin`: where the stretch that a window speaks for begins, in seconds; `duration`, `restarts`: as in
    `to_events`. `known`: what was counted of it already, by any rules.
    """

    entry: Entry
    duration: float
    begin: Floats
    probability: Floats
    label: NDArray[np.bool_]
    hop: float
    restarts: tuple[int, ...] = ()
    known: KnownCounts = field(default_factory=dict, compare=False)

    def events(self, rules: PostProcessing) -> Events:
        """What `rules` make of it."""
        return to_events(
            self.begin, self.probability, self.hop, rules, self.duration, self.restarts
        )

    def smoothed(self, rules: PostProcessing) -> RecordingWindows:
        """The same with the means that `rules` hold against their threshold in place of probabilities."""
        count = smoothed_over(rules, self.hop)
        if count == 1:
            return self
        means = [
            smooth(self.probability[first:after], np.empty(0), count)
            for first, after in stretches_of(self.begin, self.hop, self.restarts)
        ]
        return replace(self, probability=np.concatenate(means or [np.empty(0)]))


def recording_windows(
    entries: Sequence[Entry], table: WindowTable, probability: NDArray[np.floating], hop: float
) -> list[RecordingWindows]:
    """A table's windows, by recording. `probability`: of each of them, shape (n,)."""
    recordings = []
    for entry in entries:
        own = table.rows(entry.key)
        values = np.asarray(probability[own], dtype=np.float64)
        recordings.append(
            RecordingWindows(
                entry, entry.duration, table.second[own], values, table.label[own], hop
            )
        )
    return recordings


def froc_of(recordings: Sequence[RecordingWindows], rules: PostProcessing) -> Froc:
    """Counts by event of `rules` at thresholds from 0 to 1, their own among them."""
    # smoothed once, not once a threshold
    recordings = [each.smoothed(rules) for each in recordings]
    at = cache(rules.model_copy(update={"smoothing": 0.0}).moved_to)
    background: dict[str, list[Floats]] = defaultdict(list)
    ictal: list[Floats] = []
    swept = []
    for each in recordings:
        data = data_set_of(each.entry.subject)
        background[data].append(each.probability[~each.label])
        ictal.append(each.probability[each.label])
        free = max(0.0, each.entry.duration - each.entry.events.seconds) / 3600
        swept.append(
            SweptRecording(
                data,
                each.entry.events.clipped(),
                free,
                lambda threshold, each=each: each.events(at(threshold)),  # type: ignore[misc]
                float(each.probability.max(initial=0.0)),
                each.known,
            )
        )
    thresholds = thresholds_for(
        np.concatenate(ictal or [np.empty(0)]),
        [np.concatenate(values) for values in background.values()],
        rules.threshold,
    )
    return sweep(swept, thresholds).thinned((rules.threshold,))


def backgrounds_by_set(tested: Cohort, among: Cohort, declared: Container[str]) -> dict[str, str]:
    """What the background of each data set of `tested` is, in words; see `describe_background`."""
    by_set: dict[str, list[Entry]] = defaultdict(list)
    for entry in tested:
        by_set[data_set_of(entry.subject)].append(entry)
    return {
        name: describe_background(
            replace(tested, entries=tuple(own), seizure_free=name in declared), among
        ).words
        for name, own in by_set.items()
    }


def froc_report(froc: Froc, backgrounds: Mapping[str, str]) -> dict[str, Any]:
    """As `result.json` holds it. `backgrounds`: what each data set's background is, in words."""
    return {
        "thresholds": list(froc.thresholds),
        "found": list(froc.tp),
        "seizures": froc.seizures,
        "alarms": {name: list(counts) for name, counts in froc.alarms.items()},
        "hours": dict(froc.hours),
        "backgrounds": {name: backgrounds.get(name, "") for name in froc.hours},
    }
