"""What a study of drift is asked: a TOML file with `kind = "drift"`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from secateur.detectors.file import AdaptingMethod
from secateur.errors import SettingsError
from secateur.recordings.simulated.drifts import DriftSettings
from secateur.recordings.simulated.long_term import LongTerm
from secateur.runs.settings import RunSettings
from secateur.settings import Settings, checked, read_toml, resolved

Ratio = Annotated[float, Field(gt=0, lt=1)]

_COHORT_SEED = 10_000
"""Added to a seed for the cohort that trains, so that nobody in it is a patient who is followed."""


class TrainingCohort(Settings):
    """The simulated people on whom networks are trained."""

    subjects: Annotated[int, Field(ge=4)] = 16
    hours: Annotated[float, Field(ge=0.05)] = 0.25
    """Of each."""


class Patients(Settings):
    """The simulated patients who are followed."""

    patients: Annotated[int, Field(ge=1, le=1000)] = 20
    days: Annotated[int, Field(ge=9, le=400)] = 28
    """The first seven are what later days are compared with."""
    stretches: Annotated[int, Field(ge=1, le=24)] = 24
    """Recordings a day."""
    seconds: Annotated[int, Field(ge=64, le=3600)] = 300
    """Of each; below 300 the monitor knows no hour well enough to judge it."""
    day_effect: Annotated[float, Field(ge=0, le=5)] = 0.3
    """By how many hourly deviations whole days differ."""


class Relearning(Settings):
    """What is tried on the first day with a seizure on which all drift is there; days after it judge."""

    patients: Annotated[int, Field(ge=0)] = 6
    """How many of those who drift, taken evenly from the first to the last."""
    networks: tuple[str, ...] = ()
    """Those with which it is tried, by name; none named: all."""
    methods: tuple[AdaptingMethod, ...] = ("threshold", "bn", "head", "full")
    minutes: Annotated[tuple[float, ...], Field(min_length=1)] = (15, 30, 60)
    epochs: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 5)
    """Of head and full: after which they are judged."""
    judged_days: Annotated[int, Field(ge=1)] = 2
    """Days with a seizure on which they are judged."""


class Policies(Settings):
    """Networks that are relearned every so many days, or when the monitor calls drift, beside never."""

    networks: tuple[str, ...] = ("baseline", "0.9")
    """Those for which it is tried, by name; none: it isn't."""
    patients: Annotated[int, Field(ge=0)] = 8
    """In how many of all patients, taken evenly from the first to the last."""
    method: AdaptingMethod = "full"
    minutes: Annotated[float, Field(gt=0)] = 30
    epochs: Annotated[int, Field(ge=1)] = 3
    every: Annotated[int, Field(ge=1)] = 7
    """Days; also the fewest between two alarms that are answered."""


class DriftStudy(Settings):
    """A study of drift."""

    kind: Literal["drift"]
    name: str = ""
    """The file's name without its ending; not written in it."""
    title: str = ""
    question: str
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (1, 2, 3)
    """Of cohorts, training and patients."""
    ratios: tuple[Ratio, ...] = (0.5, 0.9, 0.95)
    """Shares of the kernels that are removed; beside each the same network from scratch."""
    cohort: TrainingCohort = TrainingCohort()
    patients: Patients = Patients()
    drift: tuple[DriftSettings, ...] = ()
    """What befalls whom and when, as in `secateur simulate --drift`."""
    relearning: Relearning = Relearning()
    policies: Policies = Policies()
    settings: Mapping[str, Any] = {}
    """Tables of settings as in a run's TOML file."""
    reduced: str = ""
    """What was left out, where this is less than was planned; it stands above the report."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for table, names in (
            ("policies", self.policies.networks),
            ("relearning", self.relearning.networks),
        ):
            strange = set(names) - set(self.networks)
            if strange:
                raise ValueError(
                    f"{table}.networks names {sorted(strange)[0]}; there is {', '.join(self.networks)}"
                )
        for seed in self.seeds:
            self.patients_of(seed)
        return self

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of all networks: baseline, each ratio, and each as small from scratch."""
        return (
            "baseline",
            *(f"{ratio:g}" for ratio in self.ratios),
            *(f"{ratio:g}-scratch" for ratio in self.ratios),
        )

    def patients_of(self, seed: int) -> LongTerm:
        """The patients of a seed."""
        who = self.patients
        return LongTerm(
            who.patients, who.days, seed, self.drift, who.day_effect, who.stretches, who.seconds
        )

    def run_settings(self, seed: int) -> RunSettings:
        """Of the training of a seed. Raises `SettingsError` where its tables are no run's."""
        return resolved(RunSettings, self.settings, {"seed": seed})

    @property
    def with_policies(self) -> Sequence[int]:
        """Indices of the patients in whom networks are relearned as policies say."""
        return evenly(range(self.patients.patients), self.policies.patients)

    def cohort_seed(self, seed: int) -> int:
        """Of those who train the networks of a seed."""
        return seed + _COHORT_SEED


def evenly(indices: Sequence[int], count: int) -> Sequence[int]:
    """`count` of `indices` from the first to the last, all where there are no more."""
    count = min(count, len(indices))
    return [indices[round(k)] for k in np.linspace(0, len(indices) - 1, count)]


def read_drift_study(path: Path, quick: bool = False) -> DriftStudy | None:
    """The study of drift in a file; None where it is of another kind. `quick`: with its `[quick]` put over.

    Raises `SettingsError` that names the file, the field, what came and what was wanted.
    """
    tables = read_toml(path)
    if tables.get("kind") != "drift":
        return None
    tables["name"] = path.stem + ("-quick" if quick else "")
    small = tables.pop("quick", {})
    if not isinstance(small, dict):
        raise SettingsError(f"{path}: quick must be a table")
    for name, value in small.items() if quick else ():
        own = tables.get(name)
        if isinstance(own, dict) and isinstance(value, dict):
            value = {**own, **value}
        tables[name] = value
    return checked(DriftStudy, tables, path)
