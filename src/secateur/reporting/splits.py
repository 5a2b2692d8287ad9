"""How a run was split, in words: what was kept apart, and what stands on both sides.

Comes in: the `split` and `data` of a result. Goes out: sentences. Next: `paragraph`, `sections`, `overview`
and `model_card` use them, so that all say the same.
"""

from __future__ import annotations

from typing import Any

from secateur.reporting.style import percent, plural

Split = dict[str, Any]

SIDES = ("training", "validation", "certification", "test")
"""In the order of every table; not every split has all."""

_UNIT = {
    "subject": "Subjects, not recordings or windows, were divided",
    "recording": "Recordings were divided, so one subject may stand on several sides",
    "window": "Windows were divided at random, classes alike, so one recording, even one seizure, stands "
    "on several sides",
}


def unseen(split: Split) -> bool:
    """Whether no test subject was learned from."""
    return not split["crossing"]["subjects"] and split["unit"] == "subject"


def tested_on(split: Split) -> str:
    """Whom it was tested on, to follow "tested on"."""
    people = plural(len(split["test"]), "subject")
    if not split["crossing"]["known"]:
        return (
            f"other {split['unit']}s; who was recorded is not known, nor who stands on both sides"
        )
    if unseen(split):
        return f"{people} that it had never seen"
    if split["unit"] == "window":
        return f"windows of {people} of whom it had learned from other windows"
    return (
        f"other recordings of {people}, of whom it had learned from {split['crossing']['subjects']}"
    )


def trained_on(split: Split) -> str:
    """What it was trained on, to follow "trained on"."""
    if not split["crossing"]["known"]:
        return plural(split["counts"]["training"]["recordings"], "recording")
    return plural(len(split["training"]), "subject")


def divided(split: Split) -> str:
    """What was divided, and what crosses."""
    crossing = split["crossing"]
    if split["unit"] == "subject":
        return _UNIT["subject"]
    people = f"{crossing['subjects']} of {plural(crossing['of_subjects'], 'subject')}, "
    return (
        f"{_UNIT[split['unit']]}: of the test side {people if crossing['known'] else ''}"
        f"{crossing['recordings']} of "
        f"{plural(crossing['of_recordings'], 'recording')} and {crossing['seizures']} of "
        f"{plural(crossing['of_seizures'], 'seizure')} were also learned from"
        + (
            f", and {crossing['windows']:,} of {plural(crossing['of_windows'], 'window')} share samples "
            "with windows learned from"
            if crossing["windows"]
            else ""
        )
    )


def how_chosen(split: Split, test_data: str | None) -> str:
    """By which rule sides were made. `test_data`: name of the data set kept for testing."""
    if test_data is not None:
        return f"test subjects are those of {test_data}"
    if split["by"] == "leave-one-subject-out":
        return f"one subject left out, fold {split['fold']}, validation at random, seed {split['seed']}"
    if split["fold"] is not None:
        return f"fold {split['fold']} of {split['folds']}, seed {split['seed']}"
    return f"at random, seed {split['seed']}"


def prevalence(split: Split) -> str:
    """Shares of ictal windows: the data's own, and on each side."""
    told = split["prevalence"]
    sides = ", ".join(
        f"{percent(told[side], 1)} {side}" for side in SIDES if told.get(side) is not None
    )
    which = "all sides" if split["unit"] == "window" else "the training side alone"
    asked = "" if told["asked"] is None else f", {which} thinned to {percent(told['asked'], 1)}"
    return f"{percent(told['natural'], 1)} of all windows; {sides}{asked}"
