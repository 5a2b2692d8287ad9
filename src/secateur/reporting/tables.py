"""The tables of the reports.

Comes in: a result, of a run or, where it says `Reported`, of a ladder too. Goes out: `Table`s. Next:
`sections` and `ladder_sections` put them beside the figures.
"""

from __future__ import annotations

from typing import Any, Protocol

from timescoring.scoring import EventScoring

from secateur.reporting.html import Cell, Markup, Table, tag, with_interval
from secateur.reporting.splits import SIDES, divided, unseen
from secateur.reporting.style import (
    MODEL_NAMES,
    UNDEFINED,
    bounds,
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    short_names,
    signed,
)
from secateur.runs import ALL_MODELS, RunResult
from secateur.scoring.metrics import METRICS, window_metrics


class Reported(Protocol):
    """A run's result or a ladder's: what result.json holds, with scores of a test side."""

    @property
    def result(self) -> dict[str, Any]:
        """What result.json holds."""
        ...


def _labels() -> tuple[str, ...]:
    return tuple(METRICS[key].label for key in window_metrics())


_AT = ("accuracy", "macro_f1", "sensitivity", "specificity")


def _of(test: dict[str, Any], key: str, where: str = "pooled") -> Markup:
    """A score with its interval; `where` "pooled" or "by_subject"."""
    value = test[key] if where == "pooled" else test["by_subject"][key]
    return with_interval(number(value), bounds(test["intervals"][where][key]))


def _models(result: Reported) -> list[str]:
    """Models that there are, in the order of all tables."""
    return [name for name in ALL_MODELS if name in result.result["models"]]


def sizes(result: RunResult) -> Table:
    """What each model costs."""
    rows: list[list[Cell]] = []
    for name in ALL_MODELS:
        model = result.result["models"][name]
        latency = model["latency_ms"] or {"median": None, "p99": None}
        kernels = ", ".join(map(str, model["kernels"])) if model["kernels"] else UNDEFINED
        rows.append(
            [
                MODEL_NAMES[name],
                kernels,
                count(model["parameters"]),
                large(model["macs"]),
                kilobytes(model["file_bytes"]),
                milliseconds(latency["median"]),
                milliseconds(latency["p99"]),
            ]
        )
    head = ("Model", "Kernels by layer", "Parameters", "MACs a window", "File (ONNX)")
    latency_head = ("Latency, median", "Latency, 99th percentile")
    caption = (
        "What each model costs. MACs: multiplications and additions for one window. kB: 1000 bytes. "
        "Latency: one window, ONNX Runtime, one thread, batch 1, on the machine that made this run. "
        "The forest is no network and is not deployed: –."
    )
    return Table(caption, (*head, *latency_head), rows, ALL_MODELS)


def scores(result: Reported) -> Table:
    """All models on the test side, pooled over windows."""
    rows: list[list[Cell]] = []
    for name in _models(result):
        test = result.result["models"][name]["test"]
        rows.append([MODEL_NAMES[name], *(_of(test, key) for key in window_metrics())])
    what = result.result["models"]["baseline"]["test"]["intervals"]["what"]
    windows = count(result.result["models"]["baseline"]["test"]["windows"])
    caption = (
        f"Scores over all {windows} test windows together (pooled), at each model’s validation "
        f"threshold where one is needed. In brackets: {what}. Brier score: lower is better."
    )
    return Table(caption, ("Model", *_labels()), rows, _models(result))


def subject_means(result: Reported) -> Table:
    """All models as means over subjects."""
    rows: list[list[Cell]] = []
    for name in _models(result):
        test = result.result["models"][name]["test"]
        rows.append(
            [MODEL_NAMES[name], *(_of(test, key, "by_subject") for key in window_metrics())]
        )
    expected = ": what to expect for the next patient" if unseen(result.result["split"]) else ""
    caption = (
        "The same scores worked out inside each test subject, then averaged with equal weight"
        f"{expected}. In brackets: 95 %, bootstrap over subjects, – where fewer "
        "than five subjects have the score. A subject without a seizure has no AUROC, AUPRC or "
        "sensitivity and is left out of those means."
    )
    return Table(caption, ("Model", *_labels()), rows, _models(result))


def differences(result: Reported, where: str = "pooled") -> Table:
    """Paired differences to the baseline; `where` "pooled" or "by_subject"."""
    rows: list[list[Cell]] = []
    names = [name for name in _models(result) if name != "baseline"]
    for name in names:
        told = result.result["models"][name]["minus_baseline"]
        told = told if where == "pooled" else told["by_subject"]
        cells = [
            with_interval(
                signed(told["difference"][key]), bounds(told["intervals"][key], sign=True)
            )
            for key in window_metrics()
        ]
        rows.append([MODEL_NAMES[name], *cells])
    what = result.result["models"]["pruned"]["minus_baseline"]["what"]
    if where == "by_subject":
        caption = (
            "Each model minus the baseline inside each test subject, then the unweighted mean of the "
            "subjects: a person counts once, however long the recording. In brackets: 95 %, bootstrap "
            "over subjects; a dash for fewer than five."
        )
        return Table(caption, ("Model minus baseline", *_labels()), rows, names)
    caption = (
        "Each model minus the baseline, over all test windows together. Both are scored on the same "
        f"resampled data in every replicate (paired). In brackets: {what}. For the Brier score a "
        "negative difference is an improvement, for all others a positive one."
    )
    return Table(caption, ("Model minus baseline", *_labels()), rows, names)


def thresholds(result: RunResult) -> Table:
    """Scores at 0.5 beside those at the validation threshold."""
    rows: list[list[Cell]] = []
    for name in ALL_MODELS:
        test = result.result["models"][name]["test"]
        half = test["at_0.5"]
        pairs = [cell for key in _AT for cell in (number(half[key]), number(test[key]))]
        rows.append([MODEL_NAMES[name], number(test["threshold"]), *pairs])
    head = [
        _broken(f"{METRICS[key].label}: {where}")
        for key in _AT
        for where in ("at 0.5", "at its own")
    ]
    caption = (
        "Scores over all test windows at a threshold of 0.5 beside those at the model’s own, chosen "
        "on the validation subjects. Intervals of the latter stand in the table of scores."
    )
    return Table(caption, ("Model", "Own threshold", *head), rows, ALL_MODELS)


def by_subject(result: RunResult, key: str) -> Table:
    """One score of each test subject by model."""
    models = result.result["models"]
    subjects = [one["subject"] for one in models["baseline"]["test"]["by_subject"]["subjects"]]
    names = short_names(subjects)
    told = {name: models[name]["test"]["by_subject"] for name in ALL_MODELS}
    rows: list[list[Cell]] = []
    for index, subject in enumerate(subjects):
        cells = (number(told[name]["subjects"][index][key]) for name in ALL_MODELS)
        rows.append([names[subject], *cells])
    rows.append(["Mean", *(tag("strong", number(told[name][key])) for name in ALL_MODELS)])
    caption = (
        f"{METRICS[key].label} of each test subject; the mean is unweighted. –: not defined, as the "
        "AUROC of a subject without a seizure."
    )
    return Table(caption, ("Subject", *MODEL_NAMES.values()), rows)


def _broken(label: str) -> Markup:
    """A heading over two lines."""
    first, second = label.split(": ")
    return Markup(tag("span", first) + "<br>" + tag("span", second))


def events(result: Reported) -> Table:
    """Scores by event, with the detector that always fires beside them."""
    models = result.result["models"]
    version = result.result["timescoring"]
    rows: list[list[Cell]] = []
    for name in _models(result):
        told = models[name]["test"]["events"]
        rows.append([MODEL_NAMES[name], *_event_cells(told, version, told)])
    blind = models["baseline"]["test"]["events"]["always_firing"]
    rows.append(["A detector that always fires", *_event_cells(blind, version, {})])
    head = (
        "Detector",
        "Found of",
        "False alarms",
        "Sensitivity",
        "Precision",
        "F1",
        "False alarms a day",
        "Delay, median",
        "Delay, 90th percentile",
        "timescoring",
    )
    rules = EventScoring.Parameters()
    caption = (
        "Scores by event on the test side, as SzCORE counts them: any overlap finds a seizure, with "
        f"{rules.toleranceStart:g} s of tolerance before and {rules.toleranceEnd:g} s after; events "
        f"less than {rules.minDurationBetweenEvents:g} s apart count as one, and longer ones are cut "
        f"into pieces of {rules.maxEventDuration:g} s. Delay: from the labelled onset to that of the "
        "first detection that overlaps. timescoring: the version that counted. No intervals are "
        "worked out for scores by event."
    )
    return Table(caption, head, rows, [*_models(result), "always"])


def _event_cells(told: dict[str, Any], version: str, delays: dict[str, Any]) -> list[Cell]:
    median, late = delays.get("delay_median"), delays.get("delay_p90")
    return [
        f"{told['tp']} of {told['ref']}",
        count(told["fp"]),
        number(told["sensitivity"]),
        number(told["precision"]),
        number(told["f1"]),
        number(told["fp_per_day"], 1),
        UNDEFINED if median is None else f"{number(median, 1)} s",
        UNDEFINED if late is None else f"{number(late, 1)} s",
        version,
    ]


def sides(result: Reported) -> Table:
    """Who stands on which side of the split."""
    rows: list[list[Cell]] = []
    split = result.result["split"]
    there = [side for side in SIDES if side in split]
    everyone = [one for side in there for one in split[side]]
    names = short_names(everyone)
    for side in there:
        one = split["counts"][side]
        who = ", ".join(names[subject] for subject in split[side])
        numbers = (len(split[side]), *(one[key] for key in _SIDE))
        rows.append([side.capitalize(), *(count(value) for value in numbers), who])
    head = ("Side", "Subjects", "Recordings", "Seizures", "Windows", "Ictal windows", "Who")
    caption = f"The split. {divided(split)}."
    return Table(caption, head, rows, words=(6,))


_SIDE = ("recordings", "seizures", "windows", "ictal_windows")


def kernels(result: RunResult) -> Table:
    """Kernels before and after, by layer; how importance was measured stands in the caption."""
    pruning = result.result["pruning"]
    scores_of = result.records["pruned"]["scores"]
    rows: list[list[Cell]] = []
    for layer, kept in pruning["kept"].items():
        whole = len(scores_of[layer])
        gone = sorted(set(range(whole)) - set(kept))
        told = ", ".join(map(str, gone)) or UNDEFINED
        rows.append([layer, count(whole), count(len(kept)), count(len(gone)), told])
    caption = "Kernels of each convolution. Kernels are counted from 0."
    return Table(caption, ("Layer", "Before", "Kept", "Cut", "Which were cut"), rows, words=(4,))
