"""BIDS-EEG and iEEG as SzCORE and epilepsy2bids write it: each recording with its `_events.tsv` and JSON."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from secateur.recordings.layouts.chbmit import SAME_CHILD, bids_child_of
from secateur.recordings.layouts.listing import (
    Folder,
    ListedRecording,
    Listing,
    Problem,
    describe_by_sidecars,
)

NAME = "bids"

_FORM = re.compile(
    r"sub-(?P<subject>[A-Za-z0-9]+)(?:_ses-(?P<session>[A-Za-z0-9]+))?(?:_.*?run-(?P<run>\w+?))?_(?:.*_)?"
    r"(?P<modality>[A-Za-z0-9]+)"
)
_EEG = ("eeg", "ieeg")
_NO_EEG = ("ecg", "emg", "eog", "eyetrack", "meg", "motion", "mov", "nirs", "physio", "ppg", "stim")
"""What else is recorded, by the last part of a file's name."""


def recognises(folder: Folder) -> bool:
    """Whether a recording is named as BIDS wants; a folder called `sub-...` alone says nothing."""
    return any(_is_eeg(path) or other_than_eeg(path) for path in folder.recordings)


def _is_eeg(path: Path) -> bool:
    match = _FORM.fullmatch(path.stem)
    return match is not None and match["modality"].lower() in _EEG


def other_than_eeg(path: Path) -> str:
    """What a recording is by its name where that is no EEG, such as `ecg`; else empty."""
    match = _FORM.fullmatch(path.stem)
    modality = "" if match is None else match["modality"].lower()
    return modality if modality in _NO_EEG else ""


def listing(folder: Folder) -> Listing:
    """Subject, session and run are read from the files' names; what is no EEG is passed over."""
    recordings: list[ListedRecording] = []
    problems: list[Problem] = []
    notes: dict[str, None] = {}
    for path in folder.recordings:
        if other_than_eeg(path):
            continue
        match = _FORM.fullmatch(path.stem)
        if match is None or match["modality"].lower() not in _EEG:
            form = f"sub-LABEL[_ses-LABEL]_task-LABEL[_run-N]_eeg{path.suffix} (or _ieeg)"
            problems.append(Problem(folder.key(path), f"not named as BIDS wants: {form}"))
            continue
        own = (match["subject"], match["session"] or "")
        subject, session = bids_child_of(*own, folder.name)
        if subject != own[0]:
            notes[SAME_CHILD] = None
        recordings.append(
            ListedRecording(
                path,
                folder.key(path),
                f"sub-{subject}",
                session,
                match["run"] or "",
                describe_by_sidecars,
            )
        )
    return Listing(folder.name, tuple(recordings), tuple(problems), (*notes, *no_eeg_notes(folder)))


def no_eeg_notes(folder: Folder) -> tuple[str, ...]:
    """A note on the recordings in a folder that are no EEG by their names, if there are any."""
    others = Counter(filter(None, map(other_than_eeg, folder.recordings)))
    counts = ", ".join(f"{count} _{name}" for name, count in sorted(others.items()))
    return (f"no EEG by their names, passed over: {counts}",) if counts else ()
