"""The page of `secateur evaluate`: one detector on folders with seizures and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from secateur.reporting.document import (
    Block,
    Cell,
    Document,
    Note,
    Part,
    Points,
    Table,
    number,
    percent,
    scored,
)
from secateur.reporting.froc import ModelCurve, froc_blocks, set_in_words, worst_in_words
from secateur.results import Froc
from secateur.scoring import beaten_by_always
from secateur.scoring.false_alarms import FalseAlarms
from secateur.scoring.metrics import METRICS, event_metrics, window_metrics

Report = Mapping[str, Any]


def evaluation_document(report: Report) -> Document:
    """All parts; to be called where figures look as `drawing.look` says. `report`: evaluation.json."""
    reports = _folders(report)
    scores = [each for each in reports if each["test"]["events"]["ref"]]
    model = report["detector"]["name"]
    names = ", ".join(each["data"]["name"] for each in reports)
    parts = [
        Part("scores", "Scores", [block for each in scores for block in _scores(each)]),
        Part("false-alarms", "False alarms", list(_false_alarms(model, report))),
        Part("data", "Data", list(_data(reports))),
    ]
    return Document(
        kind="evaluation",
        name=model,
        title=f"{model} on {names}",
        lead="Threshold and event rules are the detector’s own; nothing was chosen on these recordings.",
        warnings=[warning for each in reports for warning in _warnings(each)],
        simulated=any(each["data"]["simulated"] for each in reports),
        parts=[part for part in parts if part.blocks],
        source=f"Made by secateur {report['secateur']}; events were scored with timescoring "
        f"{report['timescoring']}.",
    )


def _folders(report: Report) -> list[Report]:
    """What was evaluated on each folder, that with seizures first."""
    return [*([report] if "test" in report else []), *report["background"]]


def _warnings(report: Report) -> Iterable[str]:
    name, events = report["data"]["name"], report["test"]["events"]
    if report["known_subjects"]:
        known = ", ".join(report["known_subjects"])
        yield f"{name}: the detector was made with subjects that it is tested on here: {known}"
    f1, blind = events["f1"], events["always_firing"]["f1"]
    if beaten_by_always(f1, blind):
        yield (
            f"{name}: by event no better than a detector that always fires, F1 {number(f1)} against "
            f"{number(blind)}"
        )
    if events["note"]:
        yield f"{name}: {events['note']}"


def _scores(report: Report) -> Iterable[Block]:
    test, name = report["test"], report["data"]["name"]
    intervals = test["intervals"]
    yield Table(
        "scores",
        f"Scores on {name}: over all windows, and as the unweighted mean of subjects who have seizures and "
        f"background. In brackets: {intervals['what']}; of means over subjects 95 %, bootstrap over "
        "subjects.",
        ("Score", "All windows", "Mean of subjects"),
        [
            [
                METRICS[key].label,
                scored(test[key], intervals["pooled"].get(key), key),
                scored(test["by_subject"][key], intervals["by_subject"].get(key), key),
            ]
            for key in window_metrics()
        ],
    )
    events = test["events"]
    yield Table(
        "events",
        f"Scores by event on {name}, beside those of a detector that always fires.",
        ("Score", "This detector", "Always firing"),
        [
            [
                "Found of",
                *(
                    f"{counted['tp']} of {counted['ref']}"
                    for counted in (events, events["always_firing"])
                ),
            ],
            *(
                [
                    METRICS[key].label,
                    *(
                        number(counted[METRICS[key].field], METRICS[key].digits)
                        for counted in (events, events["always_firing"])
                    ),
                ]
                for key in event_metrics()
            ),
        ],
    )


def _false_alarms(model: str, report: Report) -> Iterable[Block]:
    froc = Froc.model_validate(report["froc"])
    own = _folders(report)[0]["test"]["threshold"]
    yield from froc_blocks([ModelCurve(model, "pruned", froc, own)])
    if not froc.seizures:
        yield Note("No folder with seizures was given: only false alarms can be told.")
    counted = [each for folder in _folders(report) for each in folder["test"]["false_alarms"]]
    rows: list[list[Cell | str]] = []
    for each in counted:
        people = {name: FalseAlarms(**alarms) for name, alarms in each["subjects"].items()}
        rows.append(
            [
                set_in_words(each["data"], each["declared_seizure_free"]),
                f"{each['alarms']} in {number(each['hours'], 2)} h",
                scored(each["per_day"], each["interval"], "fp_per_day"),
                number(each["limit"], 1),
                percent(each["window_share"], 1),
                worst_in_words(people),
            ]
        )
    yield Table(
        "false-alarms",
        "Alarms where there is no seizure, at the detector’s own threshold. In brackets: exact 95 % "
        "(Poisson) of "
        "the rate. At most: its one-sided 95 % limit. Windows called: of those outside seizures. "
        "Most alarms: "
        "the five people with the most a day.",
        ("Data set", "False alarms", "A day", "At most", "Windows called", "Most alarms"),
        rows,
        words=(5,),
    )


def _data(reports: Iterable[Report]) -> Iterable[Block]:
    rows: list[list[Cell | str]] = []
    left_out = []
    for each in reports:
        data = each["data"]
        people = "not known" if data["subjects"] is None else str(data["subjects"])
        counts = (str(data[key]) for key in ("recordings", "seizures"))
        rows.append([data["name"], people, *counts, number(data["hours"], 2), data["background"]])
        left_out += [f"{problem['recording']}: {problem['reason']}" for problem in each["problems"]]
    yield Table(
        "recordings",
        "What the detector was evaluated on.",
        ("Data set", "Subjects", "Recordings", "Seizures", "Hours", "Background"),
        rows,
        words=(5,),
    )
    if left_out:
        yield Points([f"left out: {reason}" for reason in left_out])
