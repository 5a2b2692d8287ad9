"""A study of drift carried out: what is missing is made, what is there is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from secateur.errors import RunError, SettingsError
from secateur.files import locked, write_whole
from secateur.networks import check_code
from secateur.processes import spawned
from secateur.results import written
from secateur.results.drift_study import DriftFindings, RealPair
from secateur.runs.data import Source
from secateur.runs.progress import Progress
from secateur.studies.drift.answers import Followed, findings_of
from secateur.studies.drift.following import follow
from secateur.studies.drift.networks import Trained, train_networks
from secateur.studies.drift.real import real_pairs
from secateur.studies.drift.settings import DriftStudy, evenly
from secateur.studies.drift.trials import Trials, complete_day, try_all

STUDY = "study.json"
"""In a study's folder: whose it is."""


@dataclass(frozen=True)
class DriftOptions:
    """How it is carried out; nothing here changes a number. `real`: recordings of people, or None."""

    workers: int
    progress: Progress
    command: str
    real: Source | None = None


def carry_out_drift(study: DriftStudy, folder: Path, options: DriftOptions) -> DriftFindings:
    """Do what is missing in `folder`, then write `drift.json` there. Raises `RunError` for others'
    folders.
    """
    for seed in study.seeds:
        check_code(study.run_settings(seed).network)  # refused before anything is made
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / "lock"))
        except BlockingIOError:
            raise RunError(f"{folder}: another process is working on it") from None
        _claim(study, folder)
        followed: list[Followed] = []
        networks: dict[str, Trained] = {}
        for seed in study.seeds:
            own = folder / f"seed-{seed}"
            networks = train_networks(study, seed, own, options.workers, options.progress)
            followed += _followed(study, seed, networks, own, options)
        pairs: tuple[RealPair, ...] = ()
        if options.real is not None:
            seed = study.seeds[0]
            real = folder / "real"
            pairs = real_pairs(study, seed, options.real, real, options.workers, options.progress)
        findings = findings_of(study, followed, networks, pairs, options.command)
        write_whole(folder / "drift.json", written(findings))
    return findings


def _claim(study: DriftStudy, folder: Path) -> None:
    """Note whose folder it is. What decides no day's numbers may change, such as what is tried."""
    decisive = study.model_dump_json(
        include={"ratios", "cohort", "patients", "drift", "policies", "settings"}
    )
    path = folder / STUDY
    if path.exists() and path.read_text() != decisive:
        raise RunError(
            f"{folder}: holds a study with other networks, patients or drifts; give another --out, or delete "
            "that folder first"
        )
    if not path.exists():
        if any(each.name != "lock" for each in folder.iterdir()):
            raise SettingsError(f"{folder}: is not empty and holds no study of drift")
        write_whole(path, decisive)


def _followed(
    study: DriftStudy,
    seed: int,
    networks: Mapping[str, Trained],
    folder: Path,
    options: DriftOptions,
) -> list[Followed]:
    """Every patient of a seed."""
    tried = _who_tries(study, seed)
    count, results = study.patients.patients, {}
    title = f"seed {seed}, patients"
    options.progress.begin(title, count)
    if options.workers == 1:
        for index in range(count):
            results[index] = _patient(study, (seed, index), networks, folder, index in tried)
            options.progress.step(title, len(results), count, "")
    else:
        with spawned(options.workers) as pool:
            waiting: dict[Future[Followed], int] = {
                pool.submit(_patient, study, (seed, k), networks, folder, k in tried): k
                for k in range(count)
            }
            for future in as_completed(waiting):
                results[waiting[future]] = future.result()
                options.progress.step(title, len(results), count, "")
    options.progress.end(title, "")
    return [results[index] for index in sorted(results)]


def _who_tries(study: DriftStudy, seed: int) -> Sequence[int]:
    """Indices of the patients for whom ways to relearn are tried: of those who drift, evenly, so that each
    kind of drift has its turn.
    """
    drifting = [
        index
        for index in range(study.patients.patients)
        if complete_day(study, seed, index) is not None
    ]
    return evenly(drifting, study.relearning.patients)


def _patient(
    study: DriftStudy,
    who: tuple[int, int],
    networks: Mapping[str, Trained],
    folder: Path,
    tries: bool,
) -> Followed:
    """One patient, from the first day to the last."""
    seed, index = who
    own = folder / f"patient-{index + 1:03d}"
    own.mkdir(exist_ok=True)
    days = follow(study, seed, index, networks, own)
    trials = try_all(study, who, networks, days, own) if tries else Trials(patient=index + 1)
    return Followed(seed, index, study.patients_of(seed).drifts_of(index), tuple(days), trials)
