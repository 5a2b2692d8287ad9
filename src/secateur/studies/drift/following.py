"""A patient followed day by day: made, scored, sketched, dropped; networks relearned as policies say."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from secateur.detectors import Detector, load_detector
from secateur.detectors.adapting import AdaptingSettings, adapt
from secateur.errors import SecateurError
from secateur.files import write_whole
from secateur.recordings import Cohort
from secateur.recordings.simulated.long_term import simulate_day
from secateur.results.drift_study import RelearnedOn
from secateur.runs.adapting import CheckpointLearner
from secateur.studies.drift.days import DayRecord, score_day, stored, verdicts
from secateur.studies.drift.networks import Trained
from secateur.studies.drift.settings import DriftStudy, Policies
from secateur.windows import Cache

Policy = Literal["weekly", "alarm"]
POLICIES: tuple[Policy, ...] = ("weekly", "alarm")
FIRST_DAYS = 7
"""Days that later ones are compared with; nothing is relearned before they are over."""


def follow(
    study: DriftStudy, seed: int, index: int, networks: Mapping[str, Trained], folder: Path
) -> list[DayRecord]:
    """All days of patient `index`, those that aren't in `folder` made first."""
    patients = study.patients_of(seed)
    days: list[DayRecord] = []
    trained = {name: each.load() for name, each in networks.items()}
    for day in range(1, study.patients.days + 1):
        path = folder / f"day-{day:03d}.json"
        record = read_day(path)
        if record is None:
            recordings = list(simulate_day(patients, index, day))
            adapted = {name: load_detector(path) for name, path in _adapted(days, folder).items()}
            record = score_day(day, recordings, {**trained, **adapted})
            # what is learned on the last day would be judged on none
            learns = index in study.with_policies and day < study.patients.days
            due = _due(study.policies, [*days, record]) if learns else []
            if due:
                with tempfile.TemporaryDirectory(prefix=".day-", dir=folder) as beside:
                    cohort = stored(recordings, Path(beside))
                    learned = _relearned(study.policies, due, cohort, networks, (days, folder, day))
                record = record.model_copy(update={"relearned": learned})
            write_whole(path, record.model_dump_json())
        days.append(record)
    return days


def read_day(path: Path) -> DayRecord | None:
    """A day that is finished; None where it isn't, or its file is of another version."""
    try:
        return DayRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _last(days: Sequence[DayRecord], name: str) -> int:
    """The last day from which a network learned; 0: none."""
    return max((record.day for record in days if name in record.relearned), default=0)


def _adapted(days: Sequence[DayRecord], folder: Path) -> dict[str, Path]:
    """The files of networks that have learned from earlier days, by their names."""
    names = {name for record in days for name in record.relearned}
    return {name: adapted_file(folder, name, _last(days, name)) for name in sorted(names)}


def adapted_file(folder: Path, name: str, day: int) -> Path:
    """Where a network lies that learned from a day."""
    return folder / f"{name.replace(':', '-')}-{day:03d}.onnx"


def _due(policies: Policies, days: Sequence[DayRecord]) -> list[str]:
    """What is to learn from the last of `days`: nothing where it lacks a seizure that is needed."""
    record = days[-1]
    needs = AdaptingSettings(method=policies.method).needs_labels
    seizures = next(iter(record.networks.values())).seizures
    if record.day < FIRST_DAYS or (needs and not seizures):
        return []
    due = []
    for network in policies.networks:
        for policy in POLICIES:
            name = f"{policy}:{network}"
            if _last(days, name) and record.day - _last(days, name) < policies.every:
                continue
            if policy == "weekly" or _called(days, name, policies.every):
                due.append(name)
    return due


def _called(days: Sequence[DayRecord], name: str, every: int) -> bool:
    """Whether the monitor called drift on a day since the last answer, or on one of the last `every` days."""
    since = max(_last(days, name), days[-1].day - every)
    judged = verdicts(days, name)
    return any(judged[record.day].kind == "drift" for record in days if record.day > since)


def _relearned(
    policies: Policies,
    due: Sequence[str],
    cohort: Cohort,
    networks: Mapping[str, Trained],
    state: tuple[Sequence[DayRecord], Path, int],
) -> dict[str, RelearnedOn]:
    """Each network that is due, learned from the day's recordings and written into the patient's folder."""
    days, folder, day = state
    settings = AdaptingSettings(
        method=policies.method, minutes=policies.minutes, epochs=policies.epochs
    )
    learned = {}
    for name in due:
        last = _last(days, name)
        before = networks[name.partition(":")[2]].detector
        path = adapted_file(folder, name, last) if last else before
        parent = load_detector(path)
        learner = None
        if settings.method != "threshold":
            checkpoint = networks[name.partition(":")[2]].checkpoint
            learner = CheckpointLearner(
                parent, path.with_suffix(".safetensors") if last else checkpoint, settings
            )
        try:
            adapted = adapt(parent, cohort, settings, learner, cache=Cache(cohort.folder / "cache"))
        except SecateurError:
            continue  # these minutes hold too little to learn from; another day will do
        target = adapted_file(folder, name, day)
        if learner is not None:
            learner.save(target.with_suffix(".safetensors"))
        write_whole(target, adapted.content)
        learned[name] = RelearnedOn(
            minutes=adapted.report["adaptation"]["minutes"],
            processor_seconds=adapted.report["processor_seconds"],
            macs=adapted.report["macs"],
        )
    return learned


def loaded(networks: Mapping[str, Trained]) -> dict[str, Detector]:
    """The detectors of networks."""
    return {name: each.load() for name, each in networks.items()}
