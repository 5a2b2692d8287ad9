"""One recording marked: its events, and what else was asked for, written so that a kill leaves nothing false.

Comes in: a `Target`, a detector, what is wanted. Goes out: the target's files and an `Outcome`, or the
`Outcome` of the files that are there already. Next: `batch` does it for many, `summary` tables the outcomes.

A TSV stands for a finished detection: whatever else a recording has of that detection is written before it,
and nothing of an earlier one is left when the first file is written. The annotated copy is made from the
TSV, so both tell the same times, and a copy that is missing costs no second detection.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.detector import Detector, WindowProbabilities
from secateur.errors import EventsError, RecordingError, SettingsError
from secateur.events import Events, read_tsv
from secateur.files import write_whole
from secateur.marking.items import Target
from secateur.marking.provenance import COLUMNS, Maker, made_by, read_json, write_json
from secateur.recordings import open_recording
from secateur.recordings.annotating import write_annotated


@dataclass(frozen=True)
class Wanted:
    """What is written beside the TSV."""

    annotated: bool = False
    probabilities: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a recording. `reason`: why it failed, or empty. Times in seconds."""

    status: str
    reason: str = ""
    seconds: float | None = None
    events: int | None = None
    ictal: float | None = None
    notes: tuple[str, ...] = ()


DONE, THERE, FAILED, WAITING = "done", "already there", "failed", "waiting"


def check_own(target: Target) -> None:
    """Raise `SettingsError` where a file that was not made by `secateur detect` is in the way."""
    there = [path for path in target.files if path.exists()]
    if there and made_by(read_json(target.sidecar)) is None:
        raise SettingsError(
            f"{there[0]}: is there, and not made by `secateur detect`; choose another --out"
        )


def clear(target: Target) -> None:
    """Remove what an earlier detection left; the sidecar stays, by which the rest is known as ours."""
    for path in target.files:
        if path != target.sidecar:
            path.unlink(missing_ok=True)


def found_before(target: Target, wanted: Wanted, maker: Maker) -> Outcome | None:
    """The outcome of an earlier detection by `maker` whose files are there; None where it is to be done.

    An annotated copy may be missing all the same: `annotate` makes it.
    """
    told = read_json(target.sidecar)
    by = made_by(told)
    if by is None or maker.differs(by) or told.get("Source") != _source(target):
        return None
    beside = (target.probabilities, target.probabilities_sidecar)
    if wanted.probabilities and not all(path.is_file() for path in beside):
        return None
    try:
        events = read_tsv(target.events)
    except EventsError:
        return None
    notes = told.get("Notes")
    kept = tuple(map(str, notes)) if isinstance(notes, list) else ()
    return _told(THERE, events, kept)


def mark(
    target: Target,
    detector: Detector,
    maker: Maker,
    wanted: Wanted,
    progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Detect in one recording and write all that is wanted but the annotated copy.

    `progress` is told how many seconds are done. Raises what reading, detecting and writing raise.
    """
    recording = open_recording(target.source)
    probabilities = detector.window_probabilities(recording, progress)
    events, notes = detector.events(probabilities), probabilities.notes
    if len(probabilities.begin) == 0:
        length = detector.info.windows.length
        notes += (f"shorter than a window of {length:g} s: nothing was judged",)
    clear(target)
    sidecar: dict[str, object] = {
        **COLUMNS,
        "GeneratedBy": [maker.told()],
        "Source": _source(target),
        "Notes": list(notes),
    }
    write_json(target.sidecar, sidecar)
    if wanted.probabilities:
        _write_probabilities(target, probabilities)
    events.write_tsv(target.events)
    return _told(DONE, read_tsv(target.events), notes)


def annotate(target: Target, outcome: Outcome) -> Outcome:
    """Make the annotated copy from the TSV, unless it is there; what hinders it is a failure's reason."""
    if target.annotated.is_file():
        return outcome
    try:
        notes = write_annotated(target.source, target.annotated, read_tsv(target.events))
    except RecordingError as error:
        reason = f"its events are in the TSV, but there is no annotated copy: {error.reason}"
        return Outcome(
            FAILED, reason, outcome.seconds, outcome.events, outcome.ictal, outcome.notes
        )
    return Outcome(
        DONE, "", outcome.seconds, outcome.events, outcome.ictal, (*outcome.notes, *notes)
    )


def per_second(probabilities: WindowProbabilities) -> NDArray[np.float64]:
    """The largest probability in each second of a recording; nan where no window speaks for it."""
    seconds = np.full(math.ceil(probabilities.duration - 1e-9), np.nan)
    last = len(seconds) - 1
    first = np.floor(probabilities.begin + 1e-9).astype(int)
    after = np.ceil(probabilities.begin + probabilities.hop - 1e-9).astype(int)
    for begin, end, probability in zip(first, after, probabilities.probability, strict=True):
        stretch = seconds[begin : min(end, last + 1)]
        np.fmax(stretch, probability, out=stretch)
    return seconds


def _write_probabilities(target: Target, probabilities: WindowProbabilities) -> None:
    sidecar: dict[str, object] = {
        "second": {
            "Description": "Begin of the second, from the recording's first sample",
            "Units": "s",
        },
        "probability": {
            "Description": "Largest probability of seizure in that second; n/a where no window speaks for it"
        },
        "HopSeconds": probabilities.hop,
    }
    write_json(target.probabilities_sidecar, sidecar)
    lines = ["second\tprobability"]
    for second, value in enumerate(per_second(probabilities)):
        lines.append(f"{second}\t{'n/a' if np.isnan(value) else f'{value:.4f}'}")
    write_whole(target.probabilities, "\n".join(lines) + "\n")


def _source(target: Target) -> dict[str, object]:
    """By which a rerun knows the recording: another file of the same name has another size, as a rule."""
    return {"Path": target.name, "Bytes": target.bytes}


def _told(status: str, events: Events, notes: tuple[str, ...]) -> Outcome:
    return Outcome(status, "", events.duration, len(events), events.seconds, notes)
