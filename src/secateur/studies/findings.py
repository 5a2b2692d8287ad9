"""What a study has found so far: conditions, comparisons, hypotheses, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from secateur.results import Froc
from secateur.scoring.comparing import Comparison, Components, Ranks, Summary
from secateur.scoring.false_alarms import AlarmCost, FalseAlarms
from secateur.studies.file import StudyFile

if TYPE_CHECKING:
    from secateur.studies.adapting import Adapting
    from secateur.studies.explaining import Explaining

Value = str | int | float | bool
At = Mapping[str, Value]
"""Values of axes by name, in the order of the study file."""


@dataclass(frozen=True)
class SetAlarms:
    """False alarms on one data set over a condition's runs.

    By model: `rates`, a day, one a run; `shares`: of windows outside seizures, those called, one a run;
    `people`: alarms and hours of each person, summed over the runs that tested on them. `hours`: looked at in
    each run. `cost`: pruned minus baseline, by person.
    """

    declared_seizure_free: bool
    hours: tuple[float, ...]
    rates: Mapping[str, tuple[float, ...]]
    shares: Mapping[str, tuple[float, ...]]
    people: Mapping[str, Mapping[str, FalseAlarms]]
    cost: AlarmCost | None


@dataclass(frozen=True)
class Condition:
    """Runs that differ in nothing but seed, split seed and fold. `at`: values of all other axes.

    `scores`: of the pruned network by metric; `baseline`: of the networks before pruning; `minus`: of the
    difference of the two inside a run. `sizes`: parameters, macs, file_bytes and kernels, means over runs, of
    the pruned network; `baseline_sizes`: before. `stopped`: mean best epoch and mean epochs trained, of the
    retraining and of the baseline's training. `after`: scores of the pruned network in the study's first
    metric right after the cut and after few epochs of retraining, by that metric's key (auroc_after_0);
    empty where they were not looked at. `groups`: share of windows called ictal and mean probability,
    by group of recordings, where a data set has groups (Bonn's sets). `froc`: by model the curve of each
    run; `alarms`: false alarms by data set; both empty where runs of earlier versions didn't tell.
    """

    at: At
    runs: int
    planned: int
    scores: Mapping[str, Summary]
    baseline: Mapping[str, Summary]
    minus: Mapping[str, Summary]
    sizes: Mapping[str, float]
    baseline_sizes: Mapping[str, float]
    stopped: Mapping[str, float]
    after: Mapping[str, Summary]
    groups: Mapping[str, Mapping[str, float]]
    froc: Mapping[str, tuple[Froc, ...]]
    alarms: Mapping[str, SetAlarms]

    @property
    def name(self) -> str:
        """Such as "importance l1, ratio 0.5"."""
        return condition_name(self.at)


def condition_name(at: At) -> str:
    """Values of axes in words; "all runs" where there are none."""
    return ", ".join(f"{axis} {value}" for axis, value in at.items()) or "all runs"


@dataclass(frozen=True)
class Answer:
    """One comparison. `ours`, `theirs`: what is compared, such as "l1" and "random"; `at`: the other axes.

    `says`: a hypothesis in the study file's words, empty for a mere comparison. `verdict`: of a hypothesis:
    "shown", "not shown", "refuted" (the opposite is shown) or "not testable yet".
    """

    ours: str
    theirs: str
    metric: str
    at: At
    comparison: Comparison
    claim: str
    says: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Family:
    """Comparisons that one question asks for; Holm's correction is over them. `axis`: what is compared.

    `ranks`: of the values of `axis`, by fold, where there are three values or more.
    """

    title: str
    metric: str
    answers: tuple[Answer, ...]
    axis: str = ""
    ranks: tuple[tuple[At, Ranks], ...] = ()


@dataclass(frozen=True)
class Curve:
    """Learning curves of one condition, each a mean over the runs that reached the epoch.

    `model`: "baseline" or "pruned". `epochs`: by measure (training_loss, validation_loss,
    validation_macro_f1) one value an epoch; `runs`: how many runs reached each epoch.
    """

    at: At
    model: str
    epochs: Mapping[str, tuple[float, ...]]
    runs: tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """Where the spread of subjects' scores comes from. `of`: "before pruning" or "pruned minus before";
    `at`: the axes' values that all these runs share.
    """

    of: str
    metric: str
    at: At
    components: Components


@dataclass(frozen=True)
class Missing:
    """A planned run without a result. `state`: "failed" or "to do"; `reason`: the error's one line."""

    name: str
    at: At
    state: Literal["failed", "to do"]
    reason: str = ""


@dataclass(frozen=True)
class Findings:
    """All that a study's report tells. `axes`: every axis with its values; `fixed`: flags of all runs.

    `data`: name by the name it has in the study (data, bonn, …) with what it is ("name", "simulated",
    "background", "subjects", "recordings", "seizures"). `versions`: of what computed the results. `command`:
    the way to make the study again. `seconds`: processor seconds of all finished runs. `cautions`: what
    limits every number (simulated, post-ictal background only, seen when the defaults were chosen, …).
    `spread`: of the study's first metric that is one inside a subject.
    `rows`: one flat mapping a finished run (axis values, scores, sizes), as in runs.parquet.
    `explaining`, `adapting`: None where no network was explained, or fitted to test subjects.
    """

    study: StudyFile
    axes: Mapping[str, tuple[Value, ...]]
    fixed: At
    planned: int
    finished: int
    conditions: tuple[Condition, ...]
    families: tuple[Family, ...]
    curves: tuple[Curve, ...]
    spread: tuple[Spread, ...]
    missing: tuple[Missing, ...]
    data: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    command: str
    seconds: float
    cautions: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    explaining: Explaining | None = None
    adapting: Adapting | None = None
