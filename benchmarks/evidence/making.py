"""Studies carried out until nothing is missing, longest first, and packed into `evidence/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import secateur
from benchmarks.evidence import sessions
from benchmarks.evidence.history import clean_commit
from benchmarks.evidence.packing import Origin, Repository, pack
from benchmarks.evidence.stored import DRIFT, StoredStudy, read_drift, read_study, stored_names
from secateur.errors import RunError, SettingsError
from secateur.files import locked, write_whole
from secateur.recordings.simulated import simulate_cohort
from secateur.reporting import write_drift_report
from secateur.results import RESULT_VERSION, StudyRun, written
from secateur.runs import RunSettings, Source
from secateur.studies import ExecutionOptions, StudyFile, carry_out
from secateur.studies import read_study as read_study_file
from secateur.studies.costs import longest_first, measured
from secateur.studies.drift.engine import DriftOptions, carry_out_drift
from secateur.studies.drift.settings import DriftStudy, read_drift_study
from secateur.studies.engine import jobs_of
from secateur.studies.plan import Draft, Job, drafts
from secateur.studies.record import result_file
from secateur.windows import Cache

FOLDERS = {
    "data": "chbmit-clips",
    "chbmit": "chbmit-clips",
    "clips": "chbmit-clips",
    "eegmat": "eegmat",
    "guinea-bissau": "guinea-bissau",
    "bonn": "bonn",
}
"""Of recordings, below --data, by the names that studies give them."""
SIMULATED = "simulated"
COHORT = (15, 0.1, 15)
"""Subjects, hours of each and seed of simulated EEG, made as `secateur simulate` does."""
PATIENT_DAY_SECONDS = 6.0
"""Of a processor, for a simulated patient's day in the study of drift: 28 days take 170 s."""
KNOWN = "known"
"""Below the work folder: stored runs of today's result version, so that they aren't done again."""


@dataclass(frozen=True)
class Making:
    """How evidence is made; nothing here changes a number. `data`: folders of recordings are below it."""

    repository: Repository
    data: Path
    work: Path
    workers: int

    @property
    def cache(self) -> Cache:
        """Its own, since results in another may be of code that nobody noted."""
        return Cache(self.work / "cache")


@dataclass(frozen=True)
class Expected:
    """What a study still takes. `hours`: of a processor, of all runs and of those that are missing."""

    name: str
    runs: int
    missing: int
    hours: float
    hours_left: float


@dataclass
class HoursLeft:
    """Prints how far a study is, and the processor hours that it and those after it still take."""

    name: str
    hours: float
    later: float
    _first: int | None = field(default=None, init=False)

    def begin(self, stage: str, of: int | None) -> None:
        """See `Progress`."""
        print(f"{self.name}: {stage}", flush=True)

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        """See `Progress`."""
        if self._first is None:
            self._first = done - 1
        share = (of - done) / max(1, of - self._first)
        left = self.hours * share + self.later
        print(f"{self.name}: {done} of {of}, {left:.1f} processor hours left", flush=True)

    def end(self, stage: str, note: str) -> None:
        """See `Progress`."""
        print(f"{self.name}: {stage}: {note}", flush=True)


def study_names(repository: Repository, only: Sequence[str] = ()) -> list[str]:
    """Studies that have a file, or `only` these. Raises `SettingsError` for one that has none."""
    known = sorted(path.stem for path in (repository.tree / "studies").glob("*.toml"))
    for name in only:
        if name not in known:
            raise SettingsError(
                f"--only {name}: there is no such study; there is {', '.join(known)}"
            )
    return list(only) or known


def expected(names: Sequence[str], making: Making) -> list[Expected]:
    """What studies still take, longest first. Recordings are prepared for this, once."""
    known = _stored_jobs(making.repository)
    _put_known(making)
    plans = [
        _expected_of_drift(study, making)
        if isinstance(study := _study(name, making), DriftStudy)
        else _expected_of_runs(study, making, known)
        for name in names
    ]
    return sorted(plans, key=lambda plan: -plan.hours_left)


def make(names: Sequence[str], making: Making) -> None:
    """Do what is missing, then pack each study. Raises `RunError` in a tree that differs from its commit."""
    commit = _commit(making)
    making.work.mkdir(parents=True, exist_ok=True)
    try:
        with locked(making.work / "lock"):
            plans = expected(names, making)
            later = sum(plan.hours_left for plan in plans)
            for plan in plans:
                later -= plan.hours_left
                study = _study(plan.name, making)
                if isinstance(study, DriftStudy) and _is_stored(study, making.repository):
                    continue  # its days don't ship, so there is nothing to take over
                progress = HoursLeft(plan.name, plan.hours_left, later)
                if _commit(making) != commit:
                    raise RunError(f"{making.repository.tree}: another commit was checked out")
                sessions.begin(making.work, commit)
                _carry_out(plan.name, making, progress)
                if _commit(making) != commit:
                    raise RunError(
                        f"{making.work / plan.name}: was made while another commit was checked out, so "
                        "nobody knows which code did it; remove it and the cache beside it"
                    )
                _pack(plan.name, making, commit)
                print(
                    f"{plan.name}: packed into {making.repository.evidence / plan.name}", flush=True
                )
    except BlockingIOError:
        raise RunError(f"{making.work}: another process is making evidence there") from None


def _commit(making: Making) -> str:
    tree = making.repository.tree
    ours = Path(secateur.__file__).resolve()
    if not ours.is_relative_to(tree.resolve() / "src"):
        raise RunError(
            f"secateur runs from {ours.parent}, wanted {tree / 'src'}; install this tree"
        )
    return clean_commit(tree)


def _study(name: str, making: Making) -> StudyFile | DriftStudy:
    path = making.repository.tree / "studies" / f"{name}.toml"
    return read_drift_study(path) or read_study_file(path)


def _stored_jobs(repository: Repository) -> list[tuple[Job, StudyRun]]:
    """Stored runs of any version, as what they cost alike."""
    known = []
    for name in stored_names(repository.evidence):
        if name == DRIFT:
            continue
        for row in read_study(name, repository.evidence).rows():
            run = row.result
            settings = RunSettings.model_validate(run.settings)
            job = Job(run.run, row.at, run.kind, settings, Source(Path()), "", where=run.where)
            known.append((job, run))
    return known


def _put_known(making: Making) -> None:
    for name in stored_names(making.repository.evidence):
        if name == DRIFT:
            continue
        for run, result in read_study(name, making.repository.evidence).results.items():
            path = making.work / KNOWN / result_file(run)
            if result.versions.result == RESULT_VERSION and not path.exists():
                write_whole(path, written(result, None))


def _drafts(study: StudyFile, making: Making) -> tuple[list[Draft], dict[str, Source]]:
    """Runs, and the sources that they use."""
    simulated = making.data / SIMULATED
    if not simulated.is_dir():
        simulated = making.work / SIMULATED
    sources = {name: Source(making.data / folder) for name, folder in FOLDERS.items()}
    sources[SIMULATED] = Source(simulated)
    planned = drafts(study, sources)
    names = {name for draft in planned for name in draft.where if name is not None}
    names |= {data.name for draft in planned for data in draft.source.more if data.name is not None}
    if SIMULATED in names and not simulated.exists():
        simulate_cohort(simulated, *COHORT)
    used = {name: source for name, source in sources.items() if name in names}
    for name, source in used.items():
        if not source.data.is_dir():
            raise SettingsError(
                f"{study.name} needs recordings called {name}: {source.data} is not there; give --data FOLDER"
            )
    return planned, used


def _options(making: Making, progress: HoursLeft | None = None) -> ExecutionOptions:
    (making.work / KNOWN).mkdir(parents=True, exist_ok=True)
    options = ExecutionOptions(
        workers=making.workers, known=(making.work / KNOWN,), cache=making.cache, retry=True
    )
    return options if progress is None else replace(options, progress=progress)


def _expected_of_runs(
    study: StudyFile, making: Making, stored: Sequence[tuple[Job, StudyRun]]
) -> Expected:
    planned, _ = _drafts(study, making)
    jobs, baselines = jobs_of(planned, _options(making))
    finished = sessions.done(making.work)
    missing = [job for job in jobs if job.name not in finished]
    costs = measured(stored)
    seconds = _seconds(jobs, baselines, costs)
    left = _seconds(missing, baselines, costs)
    return Expected(study.name, len(jobs), len(missing), seconds / 3600, left / 3600)


def _seconds(
    jobs: Sequence[Job], baselines: Mapping[str, float], costs: Mapping[str, float]
) -> float:
    return sum(seconds for _, seconds in longest_first(jobs, baselines, costs, ()))


def _expected_of_drift(study: DriftStudy, making: Making) -> Expected:
    folder = making.work / DRIFT
    days = len(study.seeds) * study.patients.patients * study.patients.days
    finished = len(list(folder.glob("seed-*/patient-*/day-*.json")))
    left = 0 if _is_stored(study, making.repository) else max(0, days - finished)
    hour = PATIENT_DAY_SECONDS / 3600
    return Expected(DRIFT, days, left, days * hour, left * hour)


def _is_stored(study: DriftStudy, repository: Repository) -> bool:
    """Whether evidence holds every day of this very study, by today's code."""
    if DRIFT not in stored_names(repository.evidence):
        return False
    stored = read_drift(repository.evidence)
    complete = stored.findings.finished == stored.findings.planned
    same = stored.findings.settings == study.model_dump(mode="json")
    return complete and same and stored.result_version == RESULT_VERSION


def _carry_out(name: str, making: Making, progress: HoursLeft) -> None:
    study, folder = _study(name, making), making.work / name
    command = f"make evidence ONLY={name}"
    if isinstance(study, DriftStudy):
        real = Source(making.data / FOLDERS["data"])
        options = DriftOptions(making.workers, progress, command, real)
        write_drift_report(carry_out_drift(study, folder, options), folder)
        return
    _, sources = _drafts(study, making)
    options_of_runs = replace(_options(making, progress), command=command)
    carry_out(study, sources, str(folder), options_of_runs)


def _pack(name: str, making: Making, commit: str) -> None:
    """With what is stored of runs that weren't done again, and what was noted of the others."""
    noted = sessions.commits(making.work)
    recorded = dict.fromkeys(noted.values(), sessions.BY_MAKE)
    for study in _stored(making.repository):
        for run, earlier in study.commits.items():
            if (making.work / KNOWN / result_file(run)).exists():
                noted[run] = earlier
                recorded[earlier] = study.recorded[earlier]
    default = commit if name == DRIFT else None
    pack(
        name,
        making.work / name,
        Origin(default, sessions.BY_MAKE, noted, recorded),
        making.repository,
    )


def _stored(repository: Repository) -> list[StoredStudy]:
    names = [name for name in stored_names(repository.evidence) if name != DRIFT]
    return [read_study(name, repository.evidence) for name in names]
