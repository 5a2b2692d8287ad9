"""Scores of one model inside each subject: what a certificate is made of.

Whether a metric is defined for a subject is decided by the truth alone, never by what a model says: else
a network could lose the subjects on which it fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.evaluation import WindowTable
from secateur.events import Events
from secateur.recordings import Entry
from secateur.scoring import EventComparison, WindowScores, compare
from secateur.scoring.intervals import Scores
from secateur.scoring.margins import EVENT_METRICS, SHARES

_OF_WINDOWS = tuple(metric for metric in SHARES if metric not in EVENT_METRICS)


def subject_scores(
    entries: Sequence[Entry],
    table: WindowTable,
    probability: NDArray[np.floating],
    threshold: float,
    hypotheses: Mapping[str, Events],
) -> dict[str, Scores]:
    """Every metric that a margin can be on, for each subject of `entries`, in alphabetical order.

    `probability`: of each of the table's windows, shape (n,); `hypotheses`: events by recording key, as
    `events_of` gives them. Events are counted by timescoring over all of a subject's recordings, then
    divided. `event_sensitivity` and `event_f1` are None for a subject without a seizure, window metrics
    as in `WindowScores`.
    """
    counted: dict[str, EventComparison] = defaultdict(EventComparison)
    for entry in entries:
        counted[entry.subject] += compare(entry.events.clipped(), hypotheses[entry.key])
    scores: dict[str, Scores] = {}
    for subject in sorted(counted):
        chosen = table.subject == subject
        windows = WindowScores(table.label[chosen], probability[chosen], threshold).all()
        events = counted[subject].events
        scores[subject] = {metric: windows[metric] for metric in _OF_WINDOWS} | {
            "event_sensitivity": events.sensitivity,
            "event_f1": events.f1 if events.ref else None,
            "fp_per_day": events.fp_per_day,
        }
    return scores


def background_seconds(entries: Sequence[Entry]) -> dict[str, float]:
    """Seconds outside seizures of each subject, in alphabetical order."""
    seconds: dict[str, float] = {}
    for entry in sorted(entries, key=lambda entry: entry.subject):
        free = entry.duration - entry.events.seconds
        seconds[entry.subject] = seconds.get(entry.subject, 0.0) + free
    return seconds
