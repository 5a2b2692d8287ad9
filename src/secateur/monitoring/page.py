"""The page on which patients' days are read: one HTML file that fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence

from secateur.monitoring.drawing import curves_of, heat_of, strip_of
from secateur.monitoring.judging import PatientReport, when
from secateur.monitoring.sketch import FEATURES
from secateur.monitoring.wording import (
    ASSUMPTION,
    expected_share,
    fault_line,
    moved,
    next_step,
    stated,
)
from secateur.pages import DISCLAIMER, environment

_MOST_FAULTS = 200
"""Faults of a patient that are listed; how many more there are is said."""


def page(detector: str, patients: Sequence[PatientReport]) -> str:
    """HTML of all patients. `detector`: the file's name."""
    templates = environment("secateur.monitoring")
    templates.globals.update(disclaimer=DISCLAIMER, stated=stated(), assumption=ASSUMPTION)
    return templates.get_template("monitor.html").render(
        detector=detector, features=FEATURES, patients=[_patient(each) for each in patients]
    )


def _patient(patient: PatientReport) -> dict[str, object]:
    """What the template wants to know of a patient."""
    drifting = [day for day in patient.days if day.drift.kind == "drift"]
    alarms, share = expected_share(patient)
    first, last = patient.days[:1], patient.days[-1:]
    return {
        "key": patient.key,
        "days": len(patient.days),
        "dates": " to ".join(dict.fromkeys(f"{day.date}" for day in (*first, *last))),
        "next": next_step(patient),
        "strip": strip_of(patient),
        "drift": moved(drifting[-1].drift) if drifting else "",
        "curves": curves_of(patient),
        "heat": heat_of(patient),
        "faults": [
            {
                "line": fault.words,
                "begin": when(fault.begin),
                "end": when(fault.end),
                "minutes": fault.minutes,
            }
            for fault in patient.faults[:_MOST_FAULTS]
        ],
        "more_faults": max(0, len(patient.faults) - _MOST_FAULTS),
        "undated": [
            {
                "name": recording.name,
                "why": recording.undated,
                "faults": [fault_line(fault, dated=False) for fault in faults],
            }
            for recording, faults in patient.undated
        ],
        "alarms": alarms,
        "share": None if share != share else share,  # nan: there was no alarm
    }
