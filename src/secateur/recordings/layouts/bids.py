"""BIDS-EEG as SzCORE and epilepsy2bids write it.

Comes in: a folder with `sub-*` in it. Goes out: its recordings, with the `_events.tsv` and `_eeg.json`
beside each. Next: `cohort`.
"""

from __future__ import annotations

import re

from secateur.recordings.layouts import children
from secateur.recordings.layouts.listing import Folder, Listed, Listing, Problem, told_beside

NAME = "bids"

_FORM = re.compile(
    r"sub-(?P<subject>[A-Za-z0-9]+)(?:_ses-(?P<session>[A-Za-z0-9]+))?(?:_.*?run-(?P<run>\w+?))?_.*eeg"
)


def recognises(folder: Folder) -> bool:
    """Whether something in the folder is called `sub-...`."""
    return any(
        part.startswith("sub-") for path in folder.recordings for part in folder.inner(path).parts
    )


def listing(folder: Folder) -> Listing:
    """Subject, session and run are read from the files' names."""
    found: list[Listed] = []
    problems: list[Problem] = []
    notes: tuple[str, ...] = ()
    for path in folder.recordings:
        match = _FORM.fullmatch(path.stem)
        if match is None:
            wanted = f"sub-LABEL[_ses-LABEL]_task-LABEL[_run-N]_eeg{path.suffix}"
            problems.append(Problem(folder.key(path), f"not named as BIDS wants: {wanted}"))
            continue
        own = (match["subject"], match["session"] or "")
        subject, session = children.bids_child_of(*own, folder.name)
        if subject != own[0]:
            notes = (children.NOTE,)
        found.append(
            Listed(
                path, folder.key(path), f"sub-{subject}", session, match["run"] or "", told_beside
            )
        )
    return Listing(folder.name, tuple(found), tuple(problems), notes)
