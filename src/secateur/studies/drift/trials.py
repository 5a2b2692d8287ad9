"""What it takes to regain what drift has cost: minutes, epochs and methods tried on the same days."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from secateur.detectors import Detector, DetectorInfo, pack
from secateur.detectors.adapting import AdaptingSettings, adapt, first_minutes, scores_of
from secateur.detectors.file import AdaptingMethod
from secateur.errors import SecateurError
from secateur.files import write_whole
from secateur.networks import Network, to_onnx
from secateur.recordings import Cohort
from secateur.recordings.simulated.long_term import simulate_day
from secateur.results.scores import Record
from secateur.studies.drift.days import DayRecord, stored
from secateur.studies.drift.networks import Trained
from secateur.studies.drift.settings import DriftStudy, Relearning
from secateur.training import load_network
from secateur.training.adapting import RelearningMethod, adapt_network
from secateur.windows import Cache, WindowSet, index_windows, prepare

METRICS = ("auroc", "macro_f1")
"""What may be regained; a threshold moves no AUROC."""


class Tried(Record):
    """One network relearned in one way. Scores are means over the days judged, by metric: `before` any drift,
    `unadapted` and `adapted` after it.
    """

    network: str
    method: str
    minutes: float
    epochs: int
    before: dict[str, float]
    unadapted: dict[str, float]
    adapted: dict[str, float]
    processor_seconds: float
    macs: float


class Trials(Record):
    """All of a patient. `asked`: the settings that it was done with; `reason`: why there are none."""

    patient: int
    asked: Relearning = Relearning()
    tried: tuple[Tried, ...] = ()
    reason: str = ""


def read_trials(path: Path, asked: Relearning) -> Trials | None:
    """What was tried; None where that is still to be done, or was done with other settings."""
    try:
        trials = Trials.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return trials if trials.asked == asked else None


def complete_day(study: DriftStudy, seed: int, index: int) -> int | None:
    """The first day on which all of a patient's drifts have come to their size; None: nothing drifts."""
    drifts = study.patients_of(seed).drifts_of(index)
    return max((drift.onset + drift.ramp for drift in drifts), default=None)


def try_all(
    study: DriftStudy,
    who: tuple[int, int],
    networks: Mapping[str, Trained],
    days: Sequence[DayRecord],
    folder: Path,
) -> Trials:
    """Every method, number of minutes and of epochs for every network of a patient, or what is in `folder`.

    `who`: seed and the patient's index.
    """
    path = folder / "trials.json"
    finished = read_trials(path, study.relearning)
    if finished is not None:
        return finished
    seed, index = who
    complete = complete_day(study, seed, index)
    with_seizure = [
        record.day
        for record in days
        if record.day >= (complete or 0) and next(iter(record.networks.values())).seizures
    ]
    if complete is None or len(with_seizure) < 2:
        why = "fewer than two days with a seizure after its drift"
        result = Trials(patient=index + 1, asked=study.relearning, reason=why)
    else:
        patients = study.patients_of(seed)
        chosen = with_seizure[: study.relearning.judged_days + 1]
        with tempfile.TemporaryDirectory(prefix=".trials-", dir=folder) as beside:
            cohorts = [
                stored(simulate_day(patients, index, day), _new(Path(beside) / str(day)))
                for day in chosen
            ]
            chosen_networks = {
                name: networks[name] for name in study.relearning.networks or networks
            }
            bench = _Bench(
                study.relearning, chosen_networks, days, cohorts, Cache(Path(beside) / "cache")
            )
            result = Trials(patient=index + 1, asked=study.relearning, tried=tuple(bench.all()))
    write_whole(path, result.model_dump_json(indent=1))
    return result


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


@dataclass
class _Bench:
    """Where ways to relearn are tried: the first of `cohorts` is learned from, the others judge."""

    relearning: Relearning
    networks: Mapping[str, Trained]
    days: Sequence[DayRecord]
    cohorts: Sequence[Cohort]
    cache: Cache
    _sets: dict[str, list[WindowSet]] = field(default_factory=dict)

    def all(self) -> Iterator[Tried]:
        """Everything that is asked for."""
        for name, trained in self.networks.items():
            before = self._before(name)
            if before is None:
                continue
            parent = trained.load()
            unadapted = self._scores(parent)
            for method in self.relearning.methods:
                for minutes in self.relearning.minutes:
                    try:
                        tried = list(self._tried(trained, parent, method, minutes))
                    except SecateurError:
                        continue  # so few minutes hold no seizure, or nothing else
                    for epochs, adapted, seconds, macs in tried:
                        yield Tried(
                            network=name,
                            method=method,
                            minutes=minutes,
                            epochs=epochs,
                            before=before,
                            unadapted=unadapted,
                            adapted=adapted,
                            processor_seconds=seconds,
                            macs=macs,
                        )

    def _before(self, name: str) -> dict[str, float] | None:
        """Means of the days with a seizure that come before any that is judged, of the first seven."""
        scores = {}
        for metric in METRICS:
            values = [getattr(record.networks[name], metric) for record in self.days[:7]]
            known = [value for value in values if value is not None]
            if not known:
                return None
            scores[metric] = float(np.mean(known))
        return scores

    def _windows(self, detector: Detector) -> list[WindowSet]:
        info = detector.info
        key = info.scale.model_dump_json()
        if key not in self._sets:
            self._sets[key] = [
                WindowSet(
                    prepare(cohort.entries, info.chain, self.cache)[0],
                    info.chain,
                    info.windows,
                    info.scale,
                )
                for cohort in self.cohorts
            ]
        return self._sets[key]

    def _scores(self, detector: Detector) -> dict[str, float]:
        """Means over the days that judge."""
        rows = [
            next(iter(scores_of(detector, windows).values()))
            for windows in self._windows(detector)[1:]
        ]
        return {
            metric: float(np.mean([row[metric] for row in rows if row[metric] is not None]))
            for metric in METRICS
        }

    def _tried(
        self, trained: Trained, parent: Detector, method: AdaptingMethod, minutes: float
    ) -> Iterator[tuple[int, dict[str, float], float, float]]:
        """Epochs, scores, processor seconds and multiply-accumulates."""
        if method == "threshold":
            settings = AdaptingSettings(method="threshold", minutes=minutes)
            adapted = adapt(parent, self.cohorts[0], settings, cache=self.cache)
            detector = Detector(adapted.content, "adapted")
            report = adapted.report
            yield 0, self._scores(detector), report["processor_seconds"], report["macs"]
            return
        yield from self._relearned(trained, parent, method, minutes)

    def _relearned(
        self, trained: Trained, parent: Detector, method: RelearningMethod, minutes: float
    ) -> Iterator[tuple[int, dict[str, float], float, float]]:
        windows = self._windows(parent)[0]
        settings = AdaptingSettings(method=method, minutes=minutes)
        chosen = first_minutes(windows.labels, 60 * windows.rate / windows.hop, settings)
        learning = _part(windows, parent.info, chosen)
        network = load_network(trained.checkpoint)
        points = self.relearning.epochs if method != "bn" else ()
        judged: dict[int, tuple[dict[str, float], float]] = {}
        judging = 0.0
        began = time.process_time()

        def watch(epoch: int, _: nn.Module) -> None:
            nonlocal judging
            if epoch in points:
                paused = time.process_time()
                judged[epoch] = (
                    self._scores(_as_detector(network, parent)),
                    paused - began - judging,
                )
                judging += time.process_time() - paused

        most = max(points, default=1)
        macs = adapt_network(network, learning, method, most, seed=0, watch=watch)
        seconds = time.process_time() - began - judging
        if method == "bn":
            yield 0, self._scores(_as_detector(network, parent)), seconds, macs
        for epoch, (scores, taken) in judged.items():
            yield epoch, scores, taken, macs * epoch / most


def _as_detector(network: Network, parent: Detector) -> Detector:
    info = parent.info.model_copy(update={"certificate": None})
    return Detector(pack(to_onnx(network), info), "relearned")


def _part(windows: WindowSet, info: DetectorInfo, chosen: slice) -> WindowSet:
    index = index_windows(windows.prepared, info.chain, info.windows)
    own = index.take(np.arange(chosen.start, chosen.stop))
    return WindowSet(windows.prepared, info.chain, info.windows, info.scale, own)
