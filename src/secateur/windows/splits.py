"""Who trains, who validates, who tests: sides on which no subject, recording or window stands twice, and the
check that no recording's contents do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SplitError
from secateur.recordings import Entry
from secateur.windows.settings import SplitSettings

SIDES = ("training", "validation", "test")
ALL_SIDES = (*SIDES, "certification")
"""With those who are kept for a certificate alone; most splits have nobody there."""


@dataclass(frozen=True)
class Split:
    """Names on each side, sorted: subjects, or keys of recordings. `notes`: what was decided on the way.

    `unit`: what the names are; under "window" every recording's windows are divided, and there are no names.
    Raises `SplitError` where a name stands on two sides.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    unit: Literal["subject", "recording", "window"] = "subject"
    notes: tuple[str, ...] = ()
    certification: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for side in ALL_SIDES:
            for name in getattr(self, side):
                if name in seen:
                    raise SplitError(f"{self.unit} {name} stands in {seen[name]} and in {side}")
                seen[name] = side

    def side_of(self, entry: Entry) -> str | None:
        """The side on which a recording stands, one of `ALL_SIDES`; None: on none."""
        name = entry.subject if self.unit == "subject" else entry.key
        return next((side for side in ALL_SIDES if name in getattr(self, side)), None)


def split_by_subject(
    subjects: Sequence[str], settings: SplitSettings, test_subjects: Sequence[str] | None = None
) -> Split:
    """Divide `subjects` at random by `settings.seed`, or by the fold that `settings` name.

    `test_subjects`: subjects of a data set kept for testing; then none of `subjects` tests, and the
    share for testing trains instead. Raises `SplitError` where there are too few.
    """
    people = sorted(set(subjects))
    if settings.frozen:
        return _frozen(people, settings)
    least = 2 if test_subjects is not None else 3
    if len(people) < least:
        raise SplitError(
            f"{len(people)} subject{'s' if len(people) != 1 else ''} "
            f"can't be split into {least} sides by subject; at least {least} are needed"
        )
    generator = np.random.default_rng(settings.seed)
    if settings.by != "subject":
        return _fold(people, settings, generator)
    shuffled = [people[k] for k in generator.permutation(len(people))]
    tests = 0 if test_subjects is not None else _count(settings.test, len(people))
    validations = min(_count(settings.validation, len(people)), len(people) - tests - 1)
    test = shuffled[:tests] if test_subjects is None else list(test_subjects)
    return Split(
        training=tuple(sorted(shuffled[tests + validations :])),
        validation=tuple(sorted(shuffled[tests : tests + validations])),
        test=tuple(sorted(set(test))),
    )


def _count(share: float, people: int) -> int:
    return min(max(1, round(share * people)), people - 2) if people > 2 else 1


def _fold(people: list[str], settings: SplitSettings, generator: np.random.Generator) -> Split:
    """One fold tests; of the others a share validates. All folds of one seed are dealt alike."""
    fold = settings.fold
    assert fold is not None  # the settings have seen to it
    if settings.by == "leave-one-subject-out":
        groups = [[subject] for subject in people]
        if fold > len(groups):
            raise SplitError(
                f"fold {fold} was asked for; leaving one of {len(groups)} subjects out makes "
                f"{len(groups)} folds, counted from 1"
            )
    else:
        assert settings.folds is not None
        if settings.folds > len(people):
            raise SplitError(
                f"{settings.folds} folds of {len(people)} subjects would leave some empty"
            )
        shuffled = [people[k] for k in generator.permutation(len(people))]
        groups = [shuffled[k :: settings.folds] for k in range(settings.folds)]
    test = groups[fold - 1]
    others = sorted(set(people) - set(test))
    return _with_validation(others, test, settings)


def _with_validation(
    others: list[str], test: Sequence[str], settings: SplitSettings, notes: tuple[str, ...] = ()
) -> Split:
    if len(others) < 2:
        raise SplitError(
            f"{len(others)} subject{'s' if len(others) != 1 else ''} beside those that test can't "
            "both train and validate; at least 2 are needed"
        )
    order = np.random.default_rng([settings.seed, 4]).permutation(len(others))
    validations = min(_count(settings.validation, len(others)), len(others) - 1)
    chosen = {others[k] for k in order[:validations]}
    return Split(
        training=tuple(sorted(set(others) - chosen)),
        validation=tuple(sorted(chosen)),
        test=tuple(sorted(test)),
        notes=notes,
    )


def _frozen(people: list[str], settings: SplitSettings) -> Split:
    """The fold of a published split, as far as its subjects are here."""
    assert settings.fold is not None
    fold = settings.frozen[settings.fold - 1]
    every = [
        name for each in settings.frozen for name in (*each.test, *each.validation, *each.training)
    ]
    known = {name: match_subject(name, people) for name in dict.fromkeys(every)}
    test = sorted({subject for name in fold.test if (subject := known[name])})
    if not test:
        raise SplitError(
            f"fold {settings.fold} of the folds file tests {', '.join(fold.test)}; of them nobody is "
            f"among the subjects here: {', '.join(people)}"
        )
    notes = []
    absent = [name for name, subject in known.items() if subject is None]
    if absent:
        notes.append(f"in the folds file and not in the data: {', '.join(absent)}")
    unnamed = sorted(set(people) - set(known.values()))
    if unnamed:
        notes.append(f"in the data and not in the folds file, left out: {', '.join(unnamed)}")
    validation = {subject for name in fold.validation if (subject := known[name])}
    training = {subject for name in fold.training if (subject := known[name])}
    if not training:  # everybody whom another fold tests
        own = set(fold.test) | set(fold.validation)
        training = {subject for name, subject in known.items() if subject and name not in own}
    twice = sorted((validation | training) & set(test))
    if twice:  # chb21 is chb01: a split by case may have put one child on two sides
        notes.append(f"one person under two names, put on the test side alone: {', '.join(twice)}")
    validation -= set(test)
    training -= set(test) | validation
    if not validation:
        return _with_validation(sorted(training), test, settings, tuple(notes))
    if not training:
        raise SplitError(f"fold {settings.fold} of the folds file leaves nobody for training")
    return Split(
        tuple(sorted(training)), tuple(sorted(validation)), tuple(test), notes=tuple(notes)
    )


def match_subject(name: str, people: Sequence[str]) -> str | None:
    """The subject that a folds file means by `name`: by label, else by number; None: nobody.

    chb21 is the same child as chb01, so whoever names one means both.
    """
    label = name.strip().rsplit("/", 1)[-1].lower()
    labels = {subject.rsplit("/", 1)[-1].lower(): subject for subject in people}
    if label in labels:
        return labels[label]
    by_number: dict[str, list[str]] = {}
    for other, subject in labels.items():
        by_number.setdefault(_number(other), []).append(subject)
    number = _number(label)
    if label.startswith("chb") and number == "21" and "21" not in by_number:
        number = "1"
    matches = by_number.get(number, []) if number else []
    return matches[0] if len(matches) == 1 else None


def _number(label: str) -> str:
    return "".join(letter for letter in label if letter.isdigit()).lstrip("0")


def split_by_recording(
    entries: Sequence[Entry], settings: SplitSettings, test_entries: Sequence[Entry] | None = None
) -> Split:
    """Divide recordings at random, those with and without a seizure alike, by `settings.seed`.

    Parts of one recording (channels under montage each, stretches between gaps) stay together.
    `test_entries`: recordings of a data set kept for testing; then none of `entries` tests. Returns a
    `Split` of keys. Raises `SplitError` where a side would be empty.
    """
    files: dict[Path, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.key):
        files.setdefault(entry.path, []).append(entry)
    generator = np.random.default_rng([settings.seed, 5])
    sides: dict[str, list[str]] = {side: [] for side in SIDES}
    if test_entries is not None:
        sides["test"] = [entry.key for entry in test_entries]
    for with_seizure in (False, True):
        own = [
            many
            for many in files.values()
            if any(len(part.events) for part in many) == with_seizure
        ]
        order = [[part.key for part in own[k]] for k in generator.permutation(len(own))]
        tests = 0 if test_entries is not None else round(settings.test * len(order))
        validations = round(settings.validation * len(order))
        sides["test"] += chain.from_iterable(order[:tests])
        sides["validation"] += chain.from_iterable(order[tests : tests + validations])
        sides["training"] += chain.from_iterable(order[tests + validations :])
    if not all(sides.values()):
        raise SplitError(
            f"{len(files)} recordings can't be split into three sides by recording; more are needed"
        )
    training, validation, test = (tuple(sorted(side)) for side in sides.values())
    return Split(training, validation, test, unit="recording")


def split_windows(
    labels: NDArray[np.bool_], settings: SplitSettings
) -> dict[str, NDArray[np.int64]]:
    """Divide windows at random, classes alike, after thinning to `settings.prevalence`.

    `labels`: ictal, shape (n,). Returns indices of windows for each of `SIDES`, rising.
    """
    generator = np.random.default_rng([settings.seed, 6])
    kept = subsample(labels, settings.prevalence, generator)
    sides: dict[str, list[NDArray[np.int64]]] = {side: [] for side in SIDES}
    for kind in (False, True):
        order = generator.permutation(kept[labels[kept] == kind])
        tests = round(settings.test * len(order))
        validations = round(settings.validation * len(order))
        sides["test"].append(order[:tests])
        sides["validation"].append(order[tests : tests + validations])
        sides["training"].append(order[tests + validations :])
    return {side: np.sort(np.concatenate(parts)) for side, parts in sides.items()}


def subsample(
    labels: NDArray[np.bool_], prevalence: float | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Indices, rising, of as many windows as can stay for `prevalence` of them to be ictal (None: all).

    `labels`: ictal, shape (n,). `prevalence`: a share between 0 and 1. Only the class of which there are too
    many loses windows.
    """
    if prevalence is None:
        return np.arange(len(labels))
    ictal, background = np.flatnonzero(labels), np.flatnonzero(~labels)
    ictal_kept = round(len(background) * prevalence / (1 - prevalence))
    if ictal_kept <= len(ictal):
        ictal = generator.choice(ictal, ictal_kept, replace=False)
    else:
        background_kept = round(len(ictal) * (1 - prevalence) / prevalence)
        background = generator.choice(background, background_kept, replace=False)
    return np.sort(np.concatenate((ictal, background)))


def check_contents(sides: Mapping[str, Sequence[tuple[Entry, str]]]) -> None:
    """Raise `SplitError` where equal contents stand on two sides.

    `sides`: for each side its recordings with the hashes of their contents.
    """
    seen: dict[str, tuple[str, str]] = {}
    for side, recordings in sides.items():
        for entry, digest in recordings:
            other = seen.setdefault(digest, (side, entry.key))
            if other[0] != side:
                raise SplitError(
                    f"the same contents stand on two sides: {other[1]} in {other[0]} "
                    f"and {entry.key} in {side}"
                )
