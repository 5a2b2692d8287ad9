"""What is said of patients and days in words, on the terminal and on the page alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from secateur.monitoring.drift import Verdict
from secateur.monitoring.faults import Fault
from secateur.monitoring.judging import FEWEST_DAYS, KINDS, REFERENCE_DAYS, PatientReport, when
from secateur.monitoring.sketch import NUMBERS

MEANING = dict(
    zip(
        NUMBERS,
        (
            "line length, dB",
            "delta power, dB",
            "theta power, dB",
            "alpha power, dB",
            "beta power, dB",
            "gamma power, dB",
            "spread over channels, dB",
            "correlation of channels",
            "probability, mean logit",
            "share of high probability",
        ),
        strict=True,
    )
)
"""The numbers that drift is judged by, and what they are measured in."""

ASSUMPTION = (
    "the mean probability within each alarm, added up: right where the detector's probabilities are "
    "calibrated for this patient, which nobody has checked. An estimate, and no measured accuracy"
)
"""What the expected share of true alarms rests on."""

_STATED = (
    f"Drift is judged once a day against the patient's own first {REFERENCE_DAYS} days at the same hours of "
    "the clock. Of patients in whom nothing changes at most 5 in 100 are called wrongly in a month, over all "
    "that is tested. Faults are plain rules, and what a fault hides takes no part in that."
)


def stated() -> str:
    """What the page states of itself."""
    return _STATED


def moved(verdict: Verdict) -> str:
    """What a drift moved, in words: "theta power, dB up since 2026-03-09"."""
    if verdict.number is None:
        return verdict.reason
    names = [MEANING[NUMBERS[k]].partition(",")[0] for k in verdict.moved or (verdict.number,)]
    since = f" since {verdict.since}" if verdict.since else ""
    return f"{names[0]} {verdict.direction}{since}" + (
        f", also {', '.join(names[1:])}" if names[1:] else ""
    )


def fault_line(fault: Fault, *, dated: bool = True) -> str:
    """A fault with its channel and times."""
    begin, end = (when(second, dated=dated) for second in (fault.begin, fault.end))
    return f"{fault.words}, {begin} to {end}"


def next_step(patient: PatientReport) -> str:
    """What to do next, in a sentence."""
    days = patient.days
    if not days:
        return (
            "Nothing can be compared: none of the recordings belongs to a day; see why below, and record "
            "with the amplifier's clock set."
        )
    last = days[-1]
    if last.faults:
        names = ", ".join(dict.fromkeys(fault.channel or fault.words for fault in last.faults))
        setup = {fault.kind for fault in last.faults} & {"montage", "rate"}
        if setup:
            return (
                "Record as on the first days again, or begin another state: what was recorded in another way "
                "can't be compared."
            )
        return f"Look at the electrodes first: {names}."
    # a day that has only begun takes back nothing of what was called on the day before
    judged = next((day for day in reversed(days) if day.drift.kind != "not enough known"), last)
    if judged.drift.kind == "drift":
        return (
            f"Look at some hours before and after {judged.drift.since or 'the first days'}: where the EEG "
            "itself has changed, check this detector's alarms by eye and fit it anew (secateur adapt); where "
            "it has not, look at electrodes and amplifier."
        )
    if last.kind == "fits":
        return "Nothing: the last day is as the first days were."
    if len(days) < FEWEST_DAYS:
        there = "is 1 day" if len(days) == 1 else f"are {len(days)} days"
        return f"Go on recording: there {there}, and drift is judged against the first {REFERENCE_DAYS}."
    return f"Go on recording: not enough is known of the last day ({last.drift.reason})."


def patient_line(patient: PatientReport) -> str:
    """A patient in one line."""
    counts = Counter(day.kind for day in patient.days)
    parts = [f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]]
    days = f"{len(patient.days)} day{'' if len(patient.days) == 1 else 's'}"
    line = f"{patient.key}: {days}: {', '.join(parts)}" if parts else f"{patient.key}: no day"
    drifting = [day for day in patient.days if day.drift.kind == "drift"]
    if drifting:
        line += f"; {moved(drifting[-1].drift)}"
    faults = [*patient.faults, *(fault for _, each in patient.undated for fault in each)]
    if faults:
        first = faults[0]
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        dated = not first.recording
        where = "" if dated else f" of {first.recording}"
        line += f"; {fault_line(first, dated=dated)}{where}{more}"
    if 0 < len(patient.days) < FEWEST_DAYS:
        line += f"; not enough known: fewer than {FEWEST_DAYS} days"
    return line


def expected_share(patient: PatientReport) -> tuple[int, float]:
    """Alarms over all days, and the share of them that the detector's own probabilities expect to be true."""
    alarms = sum(day.alarms for day in patient.days)
    expected = sum(day.expected for day in patient.days)
    return alarms, expected / alarms if alarms else float("nan")


def any_called(patients: Sequence[PatientReport]) -> bool:
    """Whether a fault or drift was called in any patient."""
    return any(patient.called for patient in patients)
