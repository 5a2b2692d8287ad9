"""The stage of a run that fits its networks to each test subject's earlier recordings, or trains one as small
on them alone, and judges on the later ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector, load_detector, pack
from secateur.detectors.adapting import AdaptingSettings, StudiedAdapting, fit
from secateur.detectors.evaluation import (
    WindowTable,
    events_of,
    false_alarms_by_set,
    score_events,
    window_probability,
)
from secateur.errors import RunError, SplitError
from secateur.events import Events
from secateur.networks import reinitialised, to_onnx
from secateur.recordings import UNKNOWN, describe_background, part_in_time
from secateur.results import (
    AdaptedSubject,
    EventCounts,
    FalseAlarms,
    Portion,
    Scores,
    SideCounts,
    TestScores,
)
from secateur.results.study_run import ModelName
from secateur.runs.adapting import CheckpointLearner
from secateur.runs.data import RunData
from secateur.runs.folder import RunFolder
from secateur.runs.result import side_counts
from secateur.runs.settings import RunSettings
from secateur.scoring import WindowScores
from secateur.scoring.metrics import window_metrics
from secateur.training import load_network, train
from secateur.training.draw import EpochDraw
from secateur.windows import Prepared, WindowSet, fit_scale, index_windows


@dataclass(frozen=True)
class PartedSubject:
    """A test subject whose recordings are parted; both parts hold windows of both classes. `note`: see
    `PartedInTime`.
    """

    name: str
    earlier: tuple[Prepared, ...]
    later: tuple[Prepared, ...]
    note: str


@dataclass(frozen=True)
class JudgedOnLater:
    """`test`: scores by network; `later`: what all the later recordings hold together; `subjects` and
    `left_out` as in `AdaptedRun`.
    """

    test: dict[ModelName, TestScores]
    later: SideCounts
    subjects: dict[str, AdaptedSubject]
    left_out: dict[str, str]


def judge_on_later(
    folders: Mapping[ModelName, RunFolder],
    material: RunData,
    settings: RunSettings,
    adapting: StudiedAdapting,
) -> JudgedOnLater:
    """Each network fitted to each test subject who has recordings enough, and its scores on later ones.

    `folders`: where each network's files are. Raises `RunError` where nobody has enough.
    """
    subjects, left_out = parted_subjects(material, settings, adapting.seizures)
    if not subjects:
        name, reason = next(iter(left_out.items()))
        raise RunError(
            f"no test subject has earlier and later recordings with both classes; {name}: {reason}"
        )
    later = [part for subject in subjects for part in subject.later]
    windows = WindowSet(later, material.chain, settings.windows, material.scale)
    test, thresholds = {}, {}
    for name, folder in folders.items():
        detectors = {
            subject.name: fitted_detector(name, folder, subject, settings, adapting)
            for subject in subjects
        }
        parent = load_detector(folder.detector(name))
        test[name] = _judged(parent, detectors, subjects, windows, material)
        thresholds[name] = {subject: each.threshold for subject, each in detectors.items()}
    return JudgedOnLater(
        test,
        side_counts(windows),
        {
            subject.name: AdaptedSubject(
                earlier=_portion(subject.earlier, material, settings),
                later=_portion(subject.later, material, settings),
                thresholds={name: thresholds[name][subject.name] for name in folders},
                note=subject.note,
            )
            for subject in subjects
        },
        left_out,
    )


def parted_subjects(
    material: RunData, settings: RunSettings, share: float
) -> tuple[list[PartedSubject], dict[str, str]]:
    """The test subjects, those with recordings enough parted in time, and why others are left out.

    `share`: of a subject's seizures that the earlier recordings hold at most.
    """
    by_subject: dict[str, list[Prepared]] = {}
    for part in material.sides["test"].prepared:
        by_subject.setdefault(part.entry.subject, []).append(part)
    subjects, left_out = [], {}
    for name, parts in sorted(by_subject.items()):
        if name.rpartition("/")[2] == UNKNOWN:
            left_out[name] = "who was recorded isn't told"
            continue
        by_key = {part.entry.key: part for part in parts}
        try:
            parted = part_in_time([part.entry for part in parts], share)
            subject = PartedSubject(
                name,
                tuple(by_key[entry.key] for entry in parted.earlier),
                tuple(by_key[entry.key] for entry in parted.later),
                parted.note,
            )
            for words, some in (("earlier", subject.earlier), ("later", subject.later)):
                labels = index_windows(some, material.chain, settings.windows).labels
                if labels.all() or not labels.any():
                    kind = "background" if labels.any() else "ictal"
                    raise SplitError(f"its {words} recordings have no {kind} window")
        except SplitError as error:
            left_out[name] = str(error)
        else:
            subjects.append(subject)
    return subjects, left_out


def fitted_detector(
    name: ModelName,
    folder: RunFolder,
    subject: PartedSubject,
    settings: RunSettings,
    adapting: StudiedAdapting,
) -> Detector:
    """The network `name` of a run as the detector of one subject; only earlier recordings are looked at."""
    path, method = folder.detector(name), adapting.method
    parent = load_detector(path)
    if method == "none" or (method == "scratch" and name == "baseline"):
        return parent
    if method == "scratch":
        return _from_scratch(parent, folder, subject, settings)
    chosen = AdaptingSettings(method=method, epochs=adapting.epochs, seed=settings.seed)
    learner = None
    if method != "threshold":
        learner = CheckpointLearner(parent, folder.network(name), chosen)
    info = parent.info
    learning = WindowSet(subject.earlier, info.chain, info.windows, info.scale)
    return Detector(fit(parent, learning, chosen, learner).content, name)


def _from_scratch(
    pruned: Detector, folder: RunFolder, subject: PartedSubject, settings: RunSettings
) -> Detector:
    """As large as the pruned network, from weights that nobody else begins with, on one subject's earlier
    recordings: their scale, `[training]` for all its epochs, and, as on a validation side, their threshold.
    """
    chain, windows = pruned.info.chain, pruned.info.windows
    scale = fit_scale(subject.earlier, chain, subject.earlier[0].signal.channels)
    learning = WindowSet(subject.earlier, chain, windows, scale)
    letters = list(subject.name.rpartition("/")[2].encode())
    seed = int(np.random.default_rng([settings.seed, 16, *letters]).integers(2**31))
    network = reinitialised(load_network(folder.network("pruned")), seed)
    epochs = settings.training.epochs  # of which the last is kept: nothing is held out to choose by
    training = settings.training.model_copy(update={"least_epochs": epochs, "patience": epochs})
    train(network, learning, learning, training, seed)
    info = pruned.info.model_copy(
        update={
            "scale": scale,
            "post_processing": settings.post_processing.moved_to(0.5),
            "provenance": pruned.info.provenance.model_copy(
                update={
                    "model": "scratch",
                    "subjects": (subject.name,),
                    "validation_subjects": (),
                    "seed": seed,
                    "pruning": None,
                }
            ),
        }
    )
    model = to_onnx(network)
    probability = window_probability(Detector(pack(model, info), "scratch"), learning)
    prior = EpochDraw(learning, training, seed).prior
    threshold = settings.threshold.choose(learning.labels, probability, prior)
    rules = info.post_processing.moved_to(threshold)
    return Detector(pack(model, info.model_copy(update={"post_processing": rules})), "scratch")


def _judged(
    parent: Detector,
    detectors: Mapping[str, Detector],
    subjects: list[PartedSubject],
    windows: WindowSet,
    material: RunData,
) -> TestScores:
    """Scores on `windows`, the later recordings of all `subjects` in their order, each by its detector."""
    table, hop = WindowTable.of(windows), windows.hop / windows.rate
    probability = np.concatenate(
        [_probability(detectors[subject.name], subject) for subject in subjects]
    )
    called = np.zeros(len(windows), dtype=np.bool_)
    scores: dict[str, Scores] = {}
    events: dict[str, Events] = {}
    for subject in subjects:
        detector, rows = detectors[subject.name], table.by_subject[subject.name]
        called[rows] = probability[rows] >= detector.threshold
        scores[subject.name] = WindowScores(
            table.label[rows], probability[rows], detector.threshold
        ).all()
        own = [part.entry for part in subject.later]
        events |= events_of(own, table, probability, hop, detector.info.post_processing)
    entries = [part.entry for part in windows.prepared]
    cohort = replace(material.recordings, entries=tuple(windows.recordings.values()))
    background = describe_background(cohort, material.recordings)
    alarms = false_alarms_by_set(entries, table, called, events, material.declared)
    return TestScores(
        scores=dict.fromkeys(window_metrics()),
        threshold=parent.threshold,
        windows=len(windows),
        subjects=scores,
        events=EventCounts(**EventCounts.fields_of(score_events(entries, events, background))),
        false_alarms=tuple(FalseAlarms.model_validate(each) for each in alarms),
        froc=None,
    )


def _probability(detector: Detector, subject: PartedSubject) -> NDArray[np.float64]:
    info = detector.info
    return window_probability(
        detector, WindowSet(subject.later, info.chain, info.windows, info.scale)
    )


def _portion(parts: tuple[Prepared, ...], material: RunData, settings: RunSettings) -> Portion:
    windows = WindowSet(parts, material.chain, settings.windows, material.scale)
    entries = windows.recordings.values()
    fields: dict[str, Any] = side_counts(windows).model_dump()
    return Portion(
        **fields,
        records=len({entry.source or str(entry.path) for entry in entries}),
        minutes=sum(entry.duration for entry in entries) / 60,
    )
