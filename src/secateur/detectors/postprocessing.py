"""From probabilities to events.

Comes in: one probability for each window. Goes out: `Events` in seconds. Next: `detector` and
`evaluation` use it, so that what is scored is what is detected.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.metadata import PostProcessing
from secateur.events import Event, Events


def to_events(
    begin: NDArray[np.float64],
    probability: NDArray[np.floating],
    hop: float,
    rules: PostProcessing,
    duration: float,
    start: datetime | None = None,
) -> Events:
    """Events of one recording.

    `begin`: where the stretch that each window speaks for begins, in seconds, rising; it is `hop`
    seconds long. `duration`: the recording's, in seconds. An event's confidence is its largest
    probability.
    """
    called = np.asarray(probability) >= rules.threshold
    edges = np.flatnonzero(np.diff(np.concatenate(([False], called, [False])).astype(np.int8)))
    found = []
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        onset = float(begin[first])
        end = min(float(begin[after - 1]) + hop, duration)
        found.append(Event(onset, end - onset, "sz", float(np.max(probability[first:after]))))
    # a hair of tolerance, so that gaps of exactly merge_gap don't depend on rounding
    joined = Events(tuple(found), duration, start).merged(rules.merge_gap + 1e-9)
    kept = tuple(event for event in joined if event.duration >= rules.shortest - 1e-9)
    return Events(kept, duration, start)
