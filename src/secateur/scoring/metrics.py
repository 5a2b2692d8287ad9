"""The registry of metrics: what each is called, which way is better, and how it is computed.

Tables, figures, margins, the command line and studies all read it; adding a metric is one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from secateur.errors import ScoringError

BY_SUBJECT = "_by_subject"
"""Ending of a key that speaks of the unweighted mean over subjects."""

AFTER_EPOCHS = (0, 1, 2, 4)
"""Epochs of retraining after which pruned networks are scored; 0: right after the cut."""
_AFTER = "_after_"
_ON = "_on_"

PREVALENCE = 0.17
"""Share of ictal windows at which studies tell what a threshold would give."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    `key`: in files and on the command line. `label`: heads a column, stands at an axis. `phrase`: inside a
    sentence. `measure`: from `windows.Weighted` (scope windows), from `events.Score` (scope events), for
    scope prevalence from a mapping of window metrics, for scope background from a person's `OrdinaryEEG`;
    None where it isn't defined. `needs`: what a
    subject's labels must hold for it to be defined. `unit`: empty for a share between 0 and 1.
    `digits`: decimals in tables. `margin`: whether a margin can be put on it.
    """

    key: str
    label: str
    phrase: str
    measure: Callable[[Any], float | None]
    scope: Literal["windows", "events", "prevalence", "background"] = "windows"
    needs: tuple[Literal["seizure", "background"], ...] = ()
    unit: str = ""
    higher_is_better: bool = True
    digits: int = 3
    margin: bool = True

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.higher_is_better else -1

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1."""
        return not self.unit

    @property
    def field(self) -> str:
        """Its name among the scores by event, where the key's "event_" is left away."""
        return self.key.removeprefix("event_")

    @property
    def loss_digits(self) -> int:
        """Decimals of a loss, of which smaller ones matter."""
        return self.digits + self.is_share

    @property
    def defined_when(self) -> str:
        """What must occur for it to be defined, in words; empty where it always is."""
        return " and ".join(
            {"seizure": "a seizure", "background": "background"}[need] for need in self.needs
        )


@dataclass(frozen=True)
class OrdinaryEEG:
    """What a detector does on one person in whom nothing happens. `called`: share of windows; None: none."""

    called: float | None
    alarms: int
    hours: float


METRICS: dict[str, Metric] = {}
"""Every metric by key, in the order of tables."""


def register(metric: Metric) -> Metric:
    """Add a metric. Raises `ScoringError` where its key is taken or ends like a mean over subjects."""
    if metric.key in METRICS or metric.key.endswith(BY_SUBJECT):
        raise ScoringError(
            f"metric {metric.key!r}: the name is taken; there are {', '.join(METRICS)}"
        )
    METRICS[metric.key] = metric
    return metric


def metric_of(key: str) -> Metric:
    """The metric of a key, with or without endings ("_by_subject", "_after_1", "_on_SET").

    Raises `ScoringError`.
    """
    try:
        return METRICS[set_of(key_of(key)[0])[0].removesuffix(BY_SUBJECT)]
    except KeyError:
        raise ScoringError(f"no metric {key!r}; there are {', '.join(METRICS)}") from None


def key_of(key: str) -> tuple[str, int | None]:
    """A key without its ending "_after_N", and N: epochs of retraining; None for the network in the end."""
    base, _, epochs = key.rpartition(_AFTER)
    if base and epochs.isdecimal():
        return base, int(epochs)
    return key, None


def set_of(key: str) -> tuple[str, str | None]:
    """A key without its ending "_on_SET", and that data set; None: all data sets without seizures."""
    for base in background_metrics():
        if key.startswith(base + _ON):
            return base, key.removeprefix(base + _ON)
    return key, None


def label_of(key: str) -> str:
    """Such as "AUROC, mean over subjects, after 1 epoch"."""
    base, epochs = key_of(key)
    over = ", mean over subjects" if base.endswith(BY_SUBJECT) else ""
    data_set = set_of(base)[1]
    over += f", {data_set}" if data_set else ""
    after = {None: "", 0: ", right after the cut", 1: ", after 1 epoch"}
    return metric_of(key).label + over + after.get(epochs, f", after {epochs} epochs")


def window_metrics() -> tuple[str, ...]:
    """Keys of what is computed from windows, in the order of tables."""
    return tuple(key for key, metric in METRICS.items() if metric.scope == "windows")


def event_metrics() -> tuple[str, ...]:
    """Keys of what is computed from events."""
    return tuple(key for key, metric in METRICS.items() if metric.scope == "events")


def background_metrics() -> tuple[str, ...]:
    """Keys of what is computed on people in whom nothing happens."""
    return tuple(key for key, metric in METRICS.items() if metric.scope == "background")


def margin_metrics() -> tuple[str, ...]:
    """Keys of what can have a margin."""
    return tuple(key for key, metric in METRICS.items() if metric.margin)


def study_metrics() -> tuple[str, ...]:
    """Keys of what a study can compare: of all windows, means over subjects, by event, at a prevalence."""
    windows = window_metrics()
    others = tuple(key for key, metric in METRICS.items() if metric.scope == "prevalence")
    return (*windows, *(f"{key}{BY_SUBJECT}" for key in windows), *event_metrics(), *others)


def check_study_metric(key: str) -> None:
    """Raise `ScoringError` where a study can't compare `key`: one of `study_metrics`, or with "_after_N"."""
    base, epochs = key_of(key)
    known = (*study_metrics(), *background_metrics())
    if set_of(base)[0] not in known:
        raise ScoringError(f"there is no metric {key}; there is {', '.join(known)}")
    if epochs is None:
        return
    if epochs not in AFTER_EPOCHS or metric_of(base).scope in ("events", "background"):
        raise ScoringError(
            f"metric {key}: networks are scored by window after {', '.join(map(str, AFTER_EPOCHS))} epochs, "
            "such as auroc_by_subject_after_1"
        )


_BOTH: tuple[Literal["seizure", "background"], ...] = ("seizure", "background")


def _at_prevalence(scores: Mapping[str, float | None]) -> tuple[float | None, float | None]:
    """Accuracy and macro-F1 where `PREVALENCE` of the windows are ictal: both follow from sensitivity and
    specificity alone.
    """
    sensitivity, specificity = scores["sensitivity"], scores["specificity"]
    if sensitivity is None or specificity is None:
        return None, None
    ictal, background = PREVALENCE, 1 - PREVALENCE
    hits, false = ictal * sensitivity, background * (1 - specificity)
    misses, quiet = ictal - hits, background - false
    f1_ictal = 2 * hits / (2 * hits + misses + false)
    f1_background = 2 * quiet / (2 * quiet + misses + false)
    return hits + quiet, (f1_ictal + f1_background) / 2


for _metric in (
    Metric("accuracy", "Accuracy", "accuracy", lambda windows: windows.confusion.accuracy),
    Metric(
        "macro_f1", "Macro-F1", "macro-F1", lambda windows: windows.confusion.macro_f1, needs=_BOTH
    ),
    Metric("auroc", "AUROC", "AUROC", lambda windows: windows.auroc, needs=_BOTH),
    Metric("auprc", "AUPRC", "AUPRC", lambda windows: windows.auprc, needs=_BOTH),
    Metric(
        "brier",
        "Brier score",
        "Brier score",
        lambda windows: windows.brier,
        higher_is_better=False,
        margin=False,
    ),
    Metric(
        "sensitivity",
        "Sensitivity",
        "sensitivity by window",
        lambda windows: windows.confusion.sensitivity,
        needs=("seizure",),
    ),
    Metric(
        "specificity",
        "Specificity",
        "specificity by window",
        lambda windows: windows.confusion.specificity,
        needs=("background",),
    ),
    Metric(
        "event_f1",
        "F1 by seizure",
        "F1 by seizure",
        lambda events: events.f1,
        scope="events",
        needs=("seizure",),
    ),
    Metric(
        "event_sensitivity",
        "Sensitivity by seizure",
        "sensitivity by seizure",
        lambda events: events.sensitivity,
        scope="events",
        needs=("seizure",),
    ),
    Metric(
        "event_precision",
        "Precision by seizure",
        "precision by seizure",
        lambda events: events.precision,
        scope="events",
        margin=False,
    ),
    Metric(
        "fp_per_day",
        "False alarms a day",
        "false alarms per day",
        lambda events: events.fp_per_day,
        scope="events",
        unit="a day",
        higher_is_better=False,
        digits=1,
    ),
    Metric(
        f"accuracy_at_{PREVALENCE:g}",
        f"Accuracy at {100 * PREVALENCE:g} % ictal windows",
        f"accuracy at {100 * PREVALENCE:g} % ictal windows",
        lambda scores: _at_prevalence(scores)[0],
        scope="prevalence",
        margin=False,
    ),
    Metric(
        f"macro_f1_at_{PREVALENCE:g}",
        f"Macro-F1 at {100 * PREVALENCE:g} % ictal windows",
        f"macro-F1 at {100 * PREVALENCE:g} % ictal windows",
        lambda scores: _at_prevalence(scores)[1],
        scope="prevalence",
        margin=False,
    ),
    Metric(
        "ordinary_called",
        "Ordinary windows called",
        "the share of ordinary windows called",
        lambda person: person.called,
        scope="background",
        higher_is_better=False,
        margin=False,
    ),
    Metric(
        "ordinary_alarms",
        "False alarms a day, ordinary EEG",
        "false alarms a day on ordinary EEG",
        lambda person: 24 * person.alarms / person.hours if person.hours else None,
        scope="background",
        unit="a day",
        higher_is_better=False,
        digits=1,
        margin=False,
    ),
):
    register(_metric)
