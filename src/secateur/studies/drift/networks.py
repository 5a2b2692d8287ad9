"""The networks of one seed: a baseline, what is cut from it, and as small from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from secateur.counts import plural
from secateur.detectors import Detector, load_detector
from secateur.recordings.simulated import simulate_cohort
from secateur.results import identity
from secateur.runs.data import Source, contents_of, prepare_cohort
from secateur.runs.folder import RUNG, RunFolder
from secateur.runs.plan import Part, Stage, after
from secateur.runs.progress import Progress
from secateur.runs.settings import RunSettings
from secateur.runs.workers import Work, run_parts
from secateur.studies.drift.settings import DriftStudy
from secateur.windows import Cache, Split


@dataclass(frozen=True)
class Trained:
    """A network's files."""

    detector: Path
    checkpoint: Path

    def load(self) -> Detector:
        """The detector."""
        return load_detector(self.detector)


@dataclass(frozen=True)
class TrainingData:
    """Recordings that networks are trained on. `split`: who trains; None: by the study's settings."""

    source: Source
    split: Split | None = None


def train_networks(
    study: DriftStudy, seed: int, folder: Path, workers: int, progress: Progress
) -> dict[str, Trained]:
    """All networks of a seed by name, trained or found trained in `folder`."""
    cohort = folder / "cohort"
    if not cohort.exists():
        progress.begin("training cohort", None)
        simulate_cohort(cohort, study.cohort.subjects, study.cohort.hours, study.cohort_seed(seed))
        progress.end("training cohort", plural(study.cohort.subjects, "subject"))
    return networks_of(study, seed, TrainingData(Source(cohort)), folder, workers, progress)


def networks_of(
    study: DriftStudy,
    seed: int,
    data: TrainingData,
    folder: Path,
    workers: int,
    progress: Progress,
) -> dict[str, Trained]:
    """The same on recordings that are there."""
    settings = study.run_settings(seed)
    cache = Cache(folder / "cache")
    stock = prepare_cohort(data.source, settings, cache)
    decisive = {**settings.model_dump(mode="json"), "ratios": list(study.ratios)}
    name = identity(decisive, contents_of(stock), kind="drift")
    part = Part(folder / "networks", _stages(study, settings), split=data.split)
    runs = RunFolder(part.path, name)
    with runs.held("drift", decisive):
        run_parts([part], Work(data.source, settings, name, cache, stock), workers, progress)
    return {
        own: Trained(runs.detector(stage), runs.network(stage))
        for own in study.networks
        for stage in ["baseline" if own == "baseline" else f"{RUNG}{own}"]
    }


def _stages(study: DriftStudy, settings: RunSettings) -> tuple[Stage, ...]:
    stages = [Stage("baseline", "baseline")]
    for ratio in study.ratios:
        name = f"{RUNG}{ratio:g}"
        pruning = settings.pruning.model_copy(update={"ratio": ratio, "target": None})
        pruned = Stage(name, "pruned", ("baseline",), pruning)
        stages += [pruned, after(pruned, "scratch", f"{name}-scratch")]
    return tuple(stages)
