"""What a run leaves: its data, its split, every model's sizes and scores."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from secateur.results.scores import AfterEpochs, AlarmCount, Difference, FullTestScores, Record

SCHEMA = 3
Settings = dict[str, Any]
"""All settings as JSON has them, defaults too."""
Contents = dict[str, str | None]
"""Hashes of what was read: data, test_data, weights, code of a user's network; empty: not told."""


class Versions(Record):
    """What computed it. `result`, `chain`: of numbers and of samples, parts of a run's identity, as is
    `timescoring`. `torch` is none: where it differs a note says so. None: an earlier schema didn't tell.
    """

    secateur: str
    result: int | None
    chain: int | None
    torch: str | None
    timescoring: str


class DataBrief(Record):
    """A data set in numbers. `subjects`: None where who was recorded isn't known."""

    name: str
    subjects: int | None
    recordings: int
    seizures: int
    background: str
    simulated: bool


class DataSummary(DataBrief):
    """With how it was read, and how much there is of it, in hours."""

    layout: str
    hours: float
    ictal_hours: float
    prevalence: float | None
    background_hours: float
    notes: tuple[str, ...]


class SideCounts(Record):
    """What one side of a split holds."""

    recordings: int
    seizures: int
    windows: int
    ictal_windows: int


class SplitBrief(Record):
    """Who stands where. Sides are names of subjects; None where there is no such side.

    `tests_only`: data sets whose people all test: they were not divided.
    """

    by: str
    unit: str
    fold: int | None
    seed: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] | None = None
    certification: tuple[str, ...] | None = None
    counts: dict[str, SideCounts]
    tests_only: tuple[str, ...] = ()


class Leakage(Record):
    """Of the test side's subjects, recordings and seizures (`of_…`), those with windows elsewhere too.

    `windows`: test windows that share samples with windows learned from. `known`: whether it is told who was
    recorded; otherwise subjects stand for nothing.
    """

    subjects: int
    of_subjects: int
    recordings: int
    of_recordings: int
    seizures: int
    of_seizures: int
    windows: int = 0
    of_windows: int = 0
    known: bool = True

    @property
    def words(self) -> str:
        """For people; empty where nothing leaks."""
        if not (self.subjects or self.recordings or self.seizures):
            return ""
        who = f"{self.subjects} of the {self.of_subjects} test subjects, " if self.known else ""
        text = (
            f"on both sides of the split: {who}"
            f"{self.recordings} of the {self.of_recordings} test recordings and "
            f"{self.seizures} of the {self.of_seizures} test seizures"
        )
        if self.windows:
            text += (
                f"; {self.windows} of the {self.of_windows} test windows share samples with windows "
                "learned from"
            )
        return text if self.known else f"who was recorded is not told; {text}"


class SplitSummary(SplitBrief):
    """With what stands on both sides. `prevalence`: shares of ictal windows, by side, over all ("natural")
    and as the settings ask for ("asked").
    """

    folds: int | None
    leakage: Leakage
    prevalence: dict[str, float | None]
    notes: tuple[str, ...]


class Problem(Record):
    """A recording that was left out."""

    recording: str
    reason: str


class Note(Record):
    """What was put right, and in which recordings."""

    note: str
    recordings: tuple[str, ...]


class Latency(Record):
    """Milliseconds a window."""

    median: float
    p99: float


class Rules(Record):
    """From probabilities to events (see `PostProcessing`), and what these rules were chosen by."""

    threshold: float
    release: float | None
    smoothing: float
    merge_gap: float
    shortest: float
    refractory: float
    criterion: str
    score: float | None
    plain_score: float | None
    tried: int


class Held(Record):
    """Kernels that can't go, and why."""

    layer: str
    kernels: int
    reason: str


class Pruning(Record):
    """How kernels were cut. `ratio_of_all`: of all kernels, `ratio_achieved`: of those that can go.

    `kept`: indices of the kernels left, `units`: how many there were, by layer. None: not told by an earlier
    schema, or by a study's run.
    """

    importance: str
    allocation: str
    steps: int | None
    retrain: str | None
    ratio_requested: float
    ratio_achieved: float
    ratio_of_all: float | None
    held: tuple[Held, ...] | None
    kept: dict[str, tuple[int, ...]] | None
    units: dict[str, int] | None
    equivalence_max_abs_error: float


class AlarmBudget(Record):
    """False alarms a day that the threshold was to keep to, and what came of it on validation background.

    `allowed`: alarms that the budget leaves in the hours there are; `words`: all of it as a sentence.
    """

    per_day: float
    allowed: int
    alarms: AlarmCount
    threshold: float
    words: str


class Sizes(Record):
    """Of one model; None for what is no network."""

    parameters: int | None
    macs: int | None
    file_bytes: int | None
    kernels: tuple[int, ...] | None
    best_epoch: int | None


class ModelResult(Sizes):
    """One model of a run. `epochs_trained`: in all; None: no network, or an earlier schema. `test`,
    `minus_baseline`: None where nobody tests. `budget`: None where the threshold was not chosen by one.
    """

    epochs_trained: int | None

    latency_ms: Latency | None
    post_processing: Rules | None
    test: FullTestScores | None
    minus_baseline: Difference | None
    after_epochs: AfterEpochs
    budget: AlarmBudget | None = None


class Heading(Record):
    """What a run and a ladder both tell. `models`: baseline, pruned, and controls."""

    schema_version: Literal[3] = Field(3, alias="schema")
    run: str
    command: str
    seed: int
    settings: Settings
    contents: Contents
    versions: Versions
    data: DataSummary
    split: SplitSummary
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]
    models: dict[str, ModelResult]
    pruning: Pruning
    warnings: tuple[str, ...]


class RunResult(Heading):
    """All of `result.json` of `secateur run`."""
