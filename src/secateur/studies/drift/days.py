"""A patient's day by several networks: scores, and the sketches by which a monitor judges it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from secateur.detectors import Detector, WindowProbabilities
from secateur.detectors.network.run import mean_probability
from secateur.errors import SettingsError
from secateur.monitoring.drift import Day, Verdict, judge
from secateur.monitoring.judging import REFERENCE_DAYS, History
from secateur.monitoring.sketch import HourSketch, SavedHour, Setup
from secateur.monitoring.sketching import Sketcher
from secateur.recordings import ArrayRecording, Cohort, Entry
from secateur.recordings.simulated.cohort import write_edf
from secateur.recordings.simulated.subject import SimulatedRecording
from secateur.results.drift_study import NetworkDay, RelearnedOn
from secateur.results.scores import Record
from secateur.scoring import EventComparison, WindowScores, compare
from secateur.windows import decision_interval, label_windows, window_starts

_SETUP = TypeAdapter(Setup)


class DayRecord(Record):
    """What is kept of a patient's day. `networks`: by name, for adapted ones "policy:network"; `hours`: the
    sketches, by the same names. `relearned`: networks that learned from this day, used from the next on.
    """

    day: int
    networks: dict[str, NetworkDay]
    setup: dict[str, Any]
    hours: dict[str, tuple[dict[str, Any], ...]]
    relearned: dict[str, RelearnedOn] = Field(default_factory=dict)

    def sketches(self, name: str) -> list[HourSketch]:
        """The hours as one network saw them."""
        setup = _SETUP.validate_python(self.setup)
        return [SavedHour.model_validate(hour).sketch(setup) for hour in self.hours[name]]


def score_day(
    day: int, recordings: Iterable[SimulatedRecording], detectors: Mapping[str, Detector]
) -> DayRecord:
    """Go through a day's recordings once, with all of `detectors`, which share a chain.

    Raises `SettingsError` where they don't.
    """
    first, *others = detectors.values()
    if any(
        (each.info.chain, each.info.scale) != (first.info.chain, first.info.scale)
        for each in others
    ):
        raise SettingsError("networks that are compared must share chain and scale")
    counted = {name: EventComparison() for name in detectors}
    probabilities: dict[str, list[NDArray[np.float64]]] = {name: [] for name in detectors}
    hours: dict[str, list[dict[str, Any]]] = {name: [] for name in detectors}
    labels: list[NDArray[np.bool_]] = []
    setup: dict[str, Any] = {}
    free = 0.0
    for recording in recordings:
        judged = _Judged(recording, first)
        labels.append(judged.ictal)
        free += recording.events.duration - recording.events.seconds
        for name, detector in detectors.items():
            windows, sketched, setup = judged.by(detector)
            probabilities[name].append(windows.probability)
            hours[name] += sketched
            counted[name] += compare(recording.events.clipped(), detector.events(windows))
    truth = np.concatenate(labels)
    return DayRecord(
        day=day,
        networks={
            name: _scored(truth, np.concatenate(probabilities[name]), detector, counted[name], free)
            for name, detector in detectors.items()
        },
        setup=setup,
        hours={name: tuple(own) for name, own in hours.items()},
    )


class _Judged:
    """A recording through the chain and sketched, once for all networks."""

    def __init__(self, recording: SimulatedRecording, detector: Detector) -> None:
        source = ArrayRecording(
            recording.data, recording.sampling_rate, recording.channels, start=recording.start
        )
        chained = detector.chain.over(source)
        montage = chained.montage_map
        labels = [source.channels[k] for k in montage.used]
        self._sketcher = Sketcher(labels, montage, source.sampling_rate, source.start)
        self._sketcher.push(0, source.read(channels=montage.used))
        self._pieces = [np.array(piece) for piece in chained.pieces((0, source.samples))]
        self._source = source
        settings, rate = detector.info.windows, detector.info.chain.sampling_rate
        starts = window_starts(sum(piece.shape[1] for piece in self._pieces), settings, rate)
        self._begin, _ = decision_interval(starts, settings, rate)
        self.ictal = label_windows(starts / rate, recording.events, settings, rate).ictal

    def by(
        self, detector: Detector
    ) -> tuple[WindowProbabilities, list[dict[str, Any]], dict[str, Any]]:
        """What one network makes of it: probabilities, its hours as they are stored, how it was recorded."""
        network = detector.begin(1)
        probability = np.concatenate(
            [mean_probability(network.push(detector.as_signals(piece))) for piece in self._pieces]
        )
        source, rate = self._source, detector.info.chain.sampling_rate
        windows = WindowProbabilities(
            self._begin,
            probability,
            detector.info.window_and_hop[1] / rate,
            source.samples / source.sampling_rate,
            source.start,
            (),
        )
        sketches = self._sketcher.finish(
            self._begin, probability, detector.events(windows), detector.threshold
        )
        saved = [SavedHour.of(each, 0).model_dump(mode="json") for each in sketches]
        return windows, saved, _SETUP.dump_python(sketches[0].setup, mode="json")


def _scored(
    truth: NDArray[np.bool_],
    probability: NDArray[np.float64],
    detector: Detector,
    counted: EventComparison,
    free: float,
) -> NetworkDay:
    scores = WindowScores(truth, probability, detector.threshold).all()
    events = counted.events
    return NetworkDay(
        auroc=scores["auroc"],
        macro_f1=scores["macro_f1"] if truth.any() else None,
        hits=events.tp,
        seizures=events.ref,
        false_alarms=events.fp,
        free_hours=free / 3600,
    )


def verdicts(days: Sequence[DayRecord], name: str) -> dict[int, Verdict]:
    """What the monitor says of each day by one network, by the day's number."""
    numbers: dict[date, int] = {}
    sketches = []
    for record in days:
        own = record.sketches(name if name in record.hours else name.rpartition(":")[2])
        numbers |= {hour.date: record.day for hour in own}
        sketches += own
    history = History(sketches)
    by_day: dict[date, dict[int, NDArray[np.float64]]] = {when: {} for when in sorted(numbers)}
    for index, hour in enumerate(history.hours):
        by_day[hour.date][hour.hour] = history.numbers(index)
    judged = judge([Day(when, hours) for when, hours in by_day.items()], REFERENCE_DAYS)
    return {numbers[verdict.date]: verdict for verdict in judged}


def stored(recordings: Iterable[SimulatedRecording], folder: Path) -> Cohort:
    """Recordings as files in `folder`, and the cohort that they are."""
    entries = []
    for run in recordings:
        key = f"{run.subject}-{run.start:%Y%m%d%H%M}"
        path = folder / f"{key}.edf"
        write_edf(path, run)
        entries.append(
            Entry(
                key,
                f"patients/{run.subject}",
                "",
                run.run,
                path,
                run.events.duration,
                run.events,
                simulated=True,
            )
        )
    return Cohort("patients", folder, "plain", True, tuple(entries))
