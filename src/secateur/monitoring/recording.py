"""One recording through a detector, sketched in the same pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector, WindowProbabilities
from secateur.events import Events
from secateur.monitoring.sketch import HourSketch, SavedHour, Setup, empty_sketch
from secateur.monitoring.sketching import Sketcher
from secateur.monitoring.state import Listed, RecordingSketch
from secateur.recordings import MontageMap, Recording, duration_of
from secateur.windows import TooSlow

_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Detected:
    """What a detector makes of a recording; how it was recorded and its hours, where they were sketched."""

    probabilities: WindowProbabilities
    events: Events
    setup: Setup | None = None
    hours: tuple[HourSketch, ...] = ()


def detect_and_sketch(
    detector: Detector,
    recording: Recording,
    progress: Callable[[float], None] | None = None,
    too_slow: TooSlow = "refuse",
    *,
    sketch: bool = True,
) -> Detected:
    """Detect in a recording, and `sketch` it in the same pass.

    Where the recording doesn't tell when it began, hours count from 1970-01-01 00:00. See
    `Detector.window_probabilities` for the arguments, and for what is raised.
    """
    sketchers: list[Sketcher] = []

    def tap(signal: Recording, montage: MontageMap) -> Callable[[int, NDArray[np.float32]], None]:
        labels = [signal.channels[k] for k in montage.used]
        sketchers.append(Sketcher(labels, montage, signal.sampling_rate, signal.start))
        return sketchers[0].push

    probabilities = detector.window_probabilities(
        recording, progress, too_slow, tap if sketch else None
    )
    events = detector.events(probabilities)
    if not sketch:
        return Detected(probabilities, events)
    sketcher = sketchers[0]
    hours = sketcher.finish(
        probabilities.begin, probabilities.probability, events, detector.threshold
    )
    return Detected(probabilities, events, sketcher.setup, tuple(hours))


def listed(patient: str, name: str, recording: Recording) -> Listed:
    """A recording as the monitor's state lists it."""
    begin = None
    if recording.start is not None:
        begin = (recording.start.replace(tzinfo=None) - _EPOCH).total_seconds()
    return Listed(patient, name, begin, duration_of(recording))


def as_sketch(
    item: Listed, undated: str, sha256: str, mark: str, hours: Sequence[HourSketch], setup: Setup
) -> RecordingSketch:
    """What a recording brings to the state.

    Of one that belongs to no day what its faults are told from is kept, and no more.
    """
    kept = tuple(SavedHour.of(_signs_alone(hour) if undated else hour, 0) for hour in hours)
    return RecordingSketch(item, sha256, mark, setup, kept, undated)


def _signs_alone(hour: HourSketch) -> HourSketch:
    empty = empty_sketch(hour.start, hour.setup)
    kept = replace(hour, features=empty.features, correlations=empty.correlations)
    return replace(kept, logits=empty.logits, high=0)
